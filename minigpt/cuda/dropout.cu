// Dropout, forward and backward, and what goes past a layer in a residual network. It replaces
//
//     out = x * (rng.random(x.shape) >= rate) / (1 - rate)     # where there is a seed
//     out = out + past                                         # where there is a `past`
//
// with other random numbers, which are a function of the element's place: see random.cuh.
//
// Memory: reads x (and past), writes out: 2 (3) elements of T for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"
#include "random.cuh"

extern "C" __global__ void dropout(
    const T *x, T *out, const T *past,           // (n,) each; past may be null
    const long long *seed, int call, A rate,     // seed may be null: no dropout
    long long n) {
    const long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (i >= n) return;
    const Dropout drop(seed, call, rate);
    Numbers v = load(x + i);
    for (int j = 0; seed && j < W; j++) v.v[j] *= drop.keep(i + j);
    if (past) {
        const Numbers p = load(past + i);
        for (int j = 0; j < W; j++) v.v[j] += p.v[j];
    }
    store(out + i, v);
}
