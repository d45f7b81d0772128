// Dropout, forward and backward. It replaces
//
//     out = x * (rng.random(x.shape) >= rate) / (1 - rate)
//
// with other random numbers, which are a function of the element's place: see random.cuh.
//
// Memory: reads x, writes out: 2 elements of T for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"
#include "random.cuh"

extern "C" __global__ void dropout(const T *x, T *out, const long long *seed, int call, A rate,
                                   long long n) {
    const long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (i >= n) return;
    const Dropout drop(seed, call, rate);
    Numbers v = load(x + i);
    for (int j = 0; j < W; j++) v.v[j] *= drop.keep(i + j);
    store(out + i, v);
}
