// Instructions that C++ has no words for. Source: NVIDIA, "Parallel Thread Execution ISA".

// Round to the nearest bf16, a tie to the even one (section "cvt"; by hand before Ampere).
__device__ inline unsigned short rounded_bits(float x) {
#if __CUDA_ARCH__ >= 800
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
#else
    const unsigned all = __float_as_uint(x);
    return x != x ? 0x7fff : (all + 0x7fff + (all >> 16 & 1)) >> 16;
#endif
}

// Stands in what is seldom done, as the compiler would otherwise do it always and choose afterwards.
__device__ inline void as_a_branch() { asm volatile(""); }

// Shared memory whose size is given at the launch.
#define DYNAMIC_SHARED(type, name)           \
    extern __shared__ int4 dynamic_shared[]; \
    type *const name = (type *)dynamic_shared

// The address of shared memory as instructions want it.
__device__ inline unsigned shared_address(const void *p) {
    return (unsigned)__cvta_generic_to_shared(p);
}

// Copy 16 bytes from global to shared memory while the thread goes on, or put zeros there. Copies
// since the last commit are a group; wait until at most N of the thread's groups are unfinished.
__device__ inline void copy_async(void *to, const void *from, bool exists) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                 "l"(from), "r"(exists ? 16 : 0) : "memory");
}
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;"); }
template <int N> __device__ inline void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// Four matrices of 8 x 8 bf16: lanes 8i .. 8i + 7 give the addresses of the rows of matrix i, and
// x[i] of a lane becomes elements 2 (lane % 4) and the next of row lane / 4 (or of that column).
__device__ inline void load_matrices(unsigned (&x)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(shared_address(row)));
}
__device__ inline void load_matrices_transposed(unsigned (&x)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(shared_address(row)));
}

// c += a b on tensor cores: a (16, 16), b (16, 8) of bf16, c (16, 8) of float, all spread over the
// warp. With g = lane / 4 and t = lane % 4 a lane holds, two neighbours in a register,
//     a[0] (g, 2t)   a[1] (g + 8, 2t)   a[2] (g, 2t + 8)   a[3] (g + 8, 2t + 8)
//     b0 (2t .. 2t + 1, g)   b1 (2t + 8 .. 2t + 9, g)
//     c[0], c[1] (g, 2t)   c[2], c[3] (g + 8, 2t)
// Section "Matrix fragments for mma.m16n8k16 with floating point type".
__device__ inline void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0,
                                    unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two floats as a register of two bf16, the first in the lower half.
__device__ inline unsigned rounded_pair(float first, float second) {
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}

// 2^x, to about 22 bits.
__device__ inline float power_of_2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// 1 / x, to about 23 bits.
__device__ inline float reciprocal(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
