// CUDA's words for a C++ compiler: this stands before the text of a kernel. What runs it is
// emulator.cpp. Nothing is included, since every kernel is compiled by itself, and many are.

#pragma once

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("cuda_shared")))
#define __align__(n) __attribute__((aligned(n)))

typedef decltype(sizeof 0) size_t;
struct dim3 { unsigned x, y, z; };
struct alignas(16) int4 { int x, y, z, w; };
extern dim3 gridDim, blockDim, blockIdx, threadIdx;
struct bf16;  // common.cuh

namespace emulator {

typedef const unsigned char (*Slots)[64];  // what each lane of a warp shows, by lanes

extern void *dynamic_shared;
void sync_block(int line);
void sync_warp(int line);
bool any_of_block(bool x, int line);
Slots exchange(const void *mine, int bytes, int line);
void copy_async(void *to, const void *from);  // zeros from null
void commit_copies();
void wait_for_copies(int unfinished_groups);
void fail(const char *what, int line);

template <class X> Slots exchange(const X &mine, int line) {
    static_assert(sizeof(X) <= 64, "");
    return exchange(&mine, sizeof(X), line);
}
template <class To, class From> To same_bits(const From &from) {
    static_assert(sizeof(To) <= sizeof(From), "");
    To to;
    __builtin_memcpy(&to, &from, sizeof(To));
    return to;
}
template <class X> X shown(Slots slots, int lane) {
    return *(const X *)slots[lane];
}

// ---- a kernel's parameters: unpacked from pointers, and described by letters -------------------

template <class X> struct Letter;  // as NumPy's dtype.char
template <> struct Letter<float> { static const char value = 'f'; };
template <> struct Letter<double> { static const char value = 'd'; };
template <> struct Letter<int> { static const char value = 'i'; };
template <> struct Letter<long long> { static const char value = 'q'; };
template <> struct Letter<bf16> { static const char value = 'E'; };

template <class X> struct Describe {
    static void to(char *&text) { *text++ = Letter<X>::value; }
};
template <class X> struct Describe<const X> : Describe<X> {};
template <class X> struct Describe<X *> {
    static void to(char *&text) {
        *text++ = '*';
        Describe<X>::to(text);
    }
};
template <class... P> void describe(void (*)(P...), char *text) {
    ((Describe<P>::to(text), *text++ = ' '), ...);
    *text = 0;
}

template <int... I> struct Indices {};
template <class... P, int... I> void call(void (*f)(P...), void **args, Indices<I...>) {
    f(*(P *)args[I]...);
}
template <class... P> void call(void (*f)(P...), void **args) {
    call(f, args, Indices<__integer_pack(sizeof...(P))...>());
}

}  // namespace emulator

// ---- CUDA's functions ---------------------------------------------------------------------------

inline void __syncthreads(int line = __builtin_LINE()) { emulator::sync_block(line); }
inline void __syncwarp(unsigned = ~0u, int line = __builtin_LINE()) { emulator::sync_warp(line); }
inline bool __syncthreads_or(bool x, int line = __builtin_LINE()) {
    return emulator::any_of_block(x, line);
}

template <class X>
X __shfl_xor_sync(unsigned, X x, int apart, int = 32, int line = __builtin_LINE()) {
    return emulator::shown<X>(emulator::exchange(x, line), (threadIdx.x % 32) ^ apart);
}
inline unsigned __ballot_sync(unsigned, bool x, int line = __builtin_LINE()) {
    const auto slots = emulator::exchange(x, line);
    unsigned bits = 0;
    for (int i = 0; i < 32; i++) bits |= (unsigned)emulator::shown<bool>(slots, i) << i;
    return bits;
}
inline int __ffs(int x) { return __builtin_ffs(x); }

template <class X> X atomicAdd(X *to, X x) {
    const X before = *to;
    *to += x;
    return before;
}

inline float __uint_as_float(unsigned x) { return emulator::same_bits<float>(x); }
inline float __int_as_float(int x) { return emulator::same_bits<float>(x); }

inline float exp(float x) { return __builtin_expf(x); }
inline double exp(double x) { return __builtin_exp(x); }
inline float log(float x) { return __builtin_logf(x); }
inline double log(double x) { return __builtin_log(x); }
inline float sqrt(float x) { return __builtin_sqrtf(x); }
inline double sqrt(double x) { return __builtin_sqrt(x); }
inline float tanh(float x) { return __builtin_tanhf(x); }
inline double tanh(double x) { return __builtin_tanh(x); }
template <class X> X max(X a, X b) { return a > b ? a : b; }
template <class X> X min(X a, X b) { return a < b ? a : b; }
