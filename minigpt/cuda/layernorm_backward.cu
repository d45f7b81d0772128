// The gradients of layer normalisation. It replaces
//
//     xhat, dxhat = (x - mean) * rstd, dout * g
//     along_mean = dxhat.mean(axis=-1, keepdims=True)
//     along_xhat = (dxhat * xhat).mean(axis=-1, keepdims=True)
//     dx = rstd * (dxhat - along_mean - xhat * along_xhat) + past     # where there is a `past`
//     dg, db = (dout * xhat).sum(axis=0), dout.sum(axis=0)
//
// `past` is the gradient that goes past the normalisation in a residual network.
//
// Of n warps each takes every n-th row. A lane meets the same columns in every row and adds their
// dg and db up in shared memory of its warp's own, so no two threads write to one place; each
// block leaves one row of sums, which column_sum.cu adds up. The order of all sums is fixed.
//
// Memory: reads dout, x (and past), writes dx: 3 (4) elements of T for each of a row.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

extern "C" __global__ void layernorm_backward(
    const T *dout, const T *x, const T *past,   // (N, C); past may be null
    const T *g, const A *mean, const A *rstd,   // (C,), (N,), (N,)
    T *dx, A *partial,                          // (N, C), (blocks, 2, C): dg and db
    int N, int C) {
    DYNAMIC_SHARED(A, shared);  // (warps, 2, padded C), columns in the order lanes meet them
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const int padded = (C + 32 * W - 1) / (32 * W) * (32 * W);
    A *dg = shared + warp * 2 * padded + lane, *db = dg + padded;
    for (int i = 0; i < padded; i += 32) dg[i] = db[i] = 0;

    for (int row = blockIdx.x * warps + warp; row < N; row += gridDim.x * warps) {
        const size_t start = (size_t)row * C;
        const A m = mean[row], r = rstd[row];
        A along_mean = 0, along_xhat = 0;
        for (int c = lane * W, i = 0; c < C; c += 32 * W, i += 32 * W) {
            const Numbers d = load(dout + start + c), v = load(x + start + c), gain = load(g + c);
            for (int j = 0; j < W; j++) {
                const A xhat = (v.v[j] - m) * r;
                along_mean += d.v[j] * gain.v[j];
                along_xhat += d.v[j] * gain.v[j] * xhat;
                dg[i + 32 * j] += d.v[j] * xhat;  // lanes side by side: no two in one bank
                db[i + 32 * j] += d.v[j];
            }
        }
        along_mean = warp_sum(along_mean) / C;
        along_xhat = warp_sum(along_xhat) / C;
        for (int c = lane * W; c < C; c += 32 * W) {
            const Numbers d = load(dout + start + c), v = load(x + start + c), gain = load(g + c);
            Numbers grad;
            for (int j = 0; j < W; j++) {
                const A xhat = (v.v[j] - m) * r;
                grad.v[j] = r * (d.v[j] * gain.v[j] - along_mean - xhat * along_xhat);
            }
            if (past) {
                const Numbers p = load(past + start + c);
                for (int j = 0; j < W; j++) grad.v[j] += p.v[j];
            }
            store(dx + start + c, grad);
        }
    }
    __syncthreads();

    // column c was met by lane c / W % 32 as its element c % W of stretch c / (32 W)
    for (int i = threadIdx.x; i < 2 * C; i += blockDim.x) {
        const int c = i % C;
        const int at = c / (32 * W) * (32 * W) + c % W * 32 + c / W % 32;
        A sum = 0;
        for (int k = 0; k < warps; k++) sum += shared[(2 * k + i / C) * padded + at];
        partial[(size_t)blockIdx.x * 2 * C + i] = sum;
    }
}
