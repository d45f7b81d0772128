// The gradient of attention's scores. It replaces
//
//     datt = datt * keep                                   # with dropout
//     dscores = att * (datt - (datt * att).sum(axis=-1, keepdims=True)) * scale
//
// One warp a row (B, H, T, T). What a query does not see has att = 0 and is not read.
//
// Memory: reads half of datt and att (twice, then from the cache), writes dscores: 0.5 elements
// of A and 1.5 of T for each. Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"
#include "random.cuh"

extern "C" __global__ void causal_softmax_backward(
    const A *datt, const T *att, T *dscores,             // (B, H, T, T)
    const long long *seed, int call, A rate, A scale,    // seed may be null: no dropout
    int rows, int length) {                              // B H T, T
    const int lane = threadIdx.x % 32;
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;  // the whole warp
    const int t = row % length;
    const size_t start = (size_t)row * length;
    const Dropout drop(seed, call, rate);

    A sum = 0;
    for (int c = lane * W; c <= t; c += 32 * W) {
        const Numbers d = load(datt + start + c), p = load(att + start + c);
        for (int j = 0; j < W; j++) {
            if (c + j <= t) sum += d.v[j] * p.v[j] * (seed ? drop.keep(start + c + j) : A(1));
        }
    }
    sum = warp_sum(sum);
    for (int c = lane * W; c < length; c += 32 * W) {
        Numbers x;
        if (c <= t) {
            const Numbers d = load(datt + start + c), p = load(att + start + c);
            for (int j = 0; j < W; j++) {
                const A keep = seed ? drop.keep(start + c + j) : A(1);
                x.v[j] = c + j <= t ? p.v[j] * (d.v[j] * keep - sum) * scale : A(0);
            }
        } else {
            for (int j = 0; j < W; j++) x.v[j] = 0;
        }
        store(dscores + start + c, x);
    }
}
