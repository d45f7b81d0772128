// Layer normalisation of rows. It replaces
//
//     mean = x.mean(axis=-1, keepdims=True)
//     rstd = 1 / np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + eps)
//     out = (x - mean) * rstd * g + b
//
// One warp a row, which it reads three times: for the mean, for the variance around it, and for
// the result; the second and third time the row is still in the cache.
//
// Memory: reads x, writes out: 2 elements of T for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

extern "C" __global__ void layernorm_forward(
    const T *x, const T *g, const T *b,  // (N, C), (C,), (C,)
    T *out, A *mean, A *rstd,            // (N, C); (N,) each, what the backward needs beside x
    int N, int C, A eps) {
    const int lane = threadIdx.x % 32;
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= N) return;  // the whole warp
    const size_t start = (size_t)row * C;

    A sum = 0;
    for (int c = lane * W; c < C; c += 32 * W) {
        const Numbers v = load(x + start + c);
        for (int j = 0; j < W; j++) sum += v.v[j];
    }
    const A m = warp_sum(sum) / C;

    A squares = 0;
    for (int c = lane * W; c < C; c += 32 * W) {
        const Numbers v = load(x + start + c);
        for (int j = 0; j < W; j++) squares += (v.v[j] - m) * (v.v[j] - m);
    }
    const A r = 1 / sqrt(warp_sum(squares) / C + eps);

    for (int c = lane * W; c < C; c += 32 * W) {
        Numbers v = load(x + start + c);
        const Numbers gain = load(g + c), bias = load(b + c);
        for (int j = 0; j < W; j++) v.v[j] = (v.v[j] - m) * r * gain.v[j] + bias.v[j];
        store(out + start + c, v);
    }
    if (lane == 0) {
        mean[row] = m;
        rstd[row] = r;
    }
}
