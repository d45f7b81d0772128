// Random numbers for dropout: a hash of a seed, the number of a call, and an element's place.
//
// So nothing is stored: the backward asks again, and gets the same answer. The hash is the last
// step of SplitMix64. Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
// generators", section 5.

__device__ inline unsigned long long mix(unsigned long long x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

const unsigned long long STRIDE = 0x9e3779b97f4a7c15ull;  // 2^64 over the golden ratio

struct Dropout {
    unsigned long long start;
    unsigned limit;
    A scale;

    __device__ Dropout(const long long *seed, int call, A rate) {
        start = seed ? mix(mix((unsigned long long)*seed + STRIDE) + call * STRIDE) : 0;
        limit = (unsigned)(rate * A(4294967295.0));
        scale = 1 / (1 - rate);
    }

    // What element `i` is multiplied with: 0, with probability `rate`, or 1 / (1 - rate).
    __device__ A keep(size_t i) const {
        return (unsigned)(mix(start + i * STRIDE) >> 32) < limit ? A(0) : scale;
    }
};
