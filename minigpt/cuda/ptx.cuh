// Instructions that C++ has no words for. Source: NVIDIA, "Parallel Thread Execution ISA".

// Round to the nearest bf16, a tie to the even one (section "cvt"; from Ampere on).
__device__ inline unsigned short rounded_bits(float x) {
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}

// Shared memory whose size is given at the launch.
#define DYNAMIC_SHARED(type, name)           \
    extern __shared__ int4 dynamic_shared[]; \
    type *const name = (type *)dynamic_shared
