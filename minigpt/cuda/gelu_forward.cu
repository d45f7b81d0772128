// GELU, in the form with tanh. It replaces
//
//     out = 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))
//
// which is x / (1 + exp(-2 u)), for 1 + tanh(u) = 2 / (1 + exp(-2 u)). There nothing cancels, and
// it takes a few instructions: those of tanh would take longer than the memory.
//
// Memory: reads x, writes out: 2 elements of T for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

extern "C" __global__ void gelu_forward(const T *x, T *out, long long n) {
    const long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (i >= n) return;
    Numbers v = load(x + i);
    for (int j = 0; j < W; j++) {
        const A u = A(0.7978845608028654) * (v.v[j] + A(0.044715) * v.v[j] * v.v[j] * v.v[j]);
        v.v[j] *= reciprocal(1 + fast_exp(-2 * u));
    }
    store(out + i, v);
}
