// What minigpt/cuda/ptx.cuh has, in C++, as the same document says it.

// Round to the nearest bf16, a tie to the even one.
inline unsigned short rounded_bits(float x) {
    const unsigned bits = emulator::same_bits<unsigned>(x);
    if (x != x) return 0x7fff;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline unsigned rounded_pair(float first, float second) {
    return rounded_bits(first) | (unsigned)rounded_bits(second) << 16;
}

inline void as_a_branch() {}

#define DYNAMIC_SHARED(type, name) type *const name = (type *)emulator::dynamic_shared

inline void copy_async(void *to, const void *from, bool exists) {
    emulator::copy_async(to, exists ? from : nullptr);
}
inline void commit_copies() { emulator::commit_copies(); }
template <int N> void wait_for_copies() { emulator::wait_for_copies(N); }

inline void load(unsigned (&x)[4], const void *row, bool transposed, int line) {
    if ((size_t)row % 16) emulator::fail("a matrix's row is not at a multiple of 16", line);
    const auto slots = emulator::exchange(row, line);
    const int lane = threadIdx.x % 32;
    for (int i = 0; i < 4; i++) {
        unsigned two[2];
        for (int j = 0; j < 2; j++) {
            const int across = lane % 4 * 2 + j, down = lane / 4;
            const int which = transposed ? across : down, place = transposed ? down : across;
            two[j] = emulator::shown<const unsigned short *>(slots, 8 * i + which)[place];
        }
        x[i] = two[0] | two[1] << 16;
    }
    __syncwarp(~0u, line);  // who goes on may overwrite what others have yet to read
}
inline void load_matrices(unsigned (&x)[4], const void *row, int line = __builtin_LINE()) {
    load(x, row, false, line);
}
inline void load_matrices_transposed(unsigned (&x)[4], const void *row,
                                     int line = __builtin_LINE()) {
    load(x, row, true, line);
}

inline float half_of(unsigned pair, int which) {
    return __uint_as_float(which ? pair & 0xffff0000 : pair << 16);
}
inline void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                         int line = __builtin_LINE()) {
    struct Shown { unsigned a[4], b[2]; };
    const Shown mine = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
    const auto slots = emulator::exchange(mine, line);
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    for (int i = 0; i < 4; i++) {
        const int row = g + i / 2 * 8, column = 2 * t + i % 2;
        for (int k = 0; k < 16; k++) {
            const Shown &of_a = *(const Shown *)slots[row % 8 * 4 + k % 8 / 2];
            const Shown &of_b = *(const Shown *)slots[column * 4 + k % 8 / 2];
            c[i] += half_of(of_a.a[k / 8 * 2 + row / 8], k % 2) * half_of(of_b.b[k / 8], k % 2);
        }
    }
}

inline float power_of_2(float x) { return __builtin_exp2f(x); }
inline float reciprocal(float x) { return 1 / x; }
