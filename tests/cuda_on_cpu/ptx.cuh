// What minigpt/cuda/ptx.cuh has, in C++.

// Round to the nearest bf16, a tie to the even one.
inline unsigned short rounded_bits(float x) {
    unsigned bits;
    memcpy(&bits, &x, 4);
    if (x != x) return 0x7fff;  // what PTX says a NaN becomes
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

#define DYNAMIC_SHARED(type, name) type *const name = (type *)emulator::dynamic_shared
