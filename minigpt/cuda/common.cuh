// What the kernels share: types, loads of 16 bytes, sums over the 32 threads of a warp.
//
// A kernel is compiled for a type of arrays, T (float, double or bf16), and a number of
// elements, W, that a thread reads at once: 16 bytes of them where sizes and addresses
// allow it, since memory delivers those fastest, and else 1. Sums and statistics are of type A.

struct bf16 {  // the upper half of a float: 8 bits of exponent, 7 of mantissa
    unsigned short bits;
};

template <class X> struct Wide { typedef float type; };
template <> struct Wide<double> { typedef double type; };
typedef Wide<T>::type A;

const unsigned ALL = 0xffffffff;  // every lane of a warp takes part
#define MINUS_INFINITY __int_as_float(0xff800000)
#define NOT_A_NUMBER __int_as_float(0x7fc00000)

__device__ inline float wide(float x) { return x; }
__device__ inline double wide(double x) { return x; }
__device__ inline float wide(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

__device__ inline void narrow(float x, float &y) { y = x; }
__device__ inline void narrow(double x, double &y) { y = x; }
__device__ inline void narrow(float x, bf16 &y) { y.bits = rounded_bits(x); }
__device__ inline void narrow(double x, bf16 &y) { y.bits = rounded_bits((float)x); }

// e^x in two instructions; of a float to about 22 bits, less those of the whole part of x.
__device__ inline float fast_exp(float x) { return power_of_2(x * 1.44269504f); }
__device__ inline double fast_exp(double x) { return exp(x); }
__device__ inline double reciprocal(double x) { return 1 / x; }

struct Numbers {  // W neighbours of a row, as they are computed with
    A v[W];
};

template <class X>  // the same as they stand in memory
struct alignas(W * sizeof(X) < 16 ? W * sizeof(X) : 16) Pack {
    X v[W];
};

template <class X> __device__ inline Numbers load(const X *from) {
    const Pack<X> pack = *(const Pack<X> *)from;
    Numbers x;
    for (int j = 0; j < W; j++) x.v[j] = wide(pack.v[j]);
    return x;
}

template <class X> __device__ inline void store(X *to, const Numbers &x) {
    Pack<X> pack;
    for (int j = 0; j < W; j++) narrow(x.v[j], pack.v[j]);
    *(Pack<X> *)to = pack;
}

// The sum, or the largest, of a warp's 32 numbers, for each of its threads: five exchanges,
// between lanes 16, 8, 4, 2 and 1 apart. The order is always the same, and with it the rounding.
__device__ inline A warp_sum(A x) {
    for (int apart = 16; apart > 0; apart /= 2) x += __shfl_xor_sync(ALL, x, apart);
    return x;
}

__device__ inline A warp_max(A x) {
    for (int apart = 16; apart > 0; apart /= 2) {
        const A other = __shfl_xor_sync(ALL, x, apart);
        x = other > x ? other : x;
    }
    return x;
}
