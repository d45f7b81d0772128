// The sum over the rows of a matrix, as of a bias's gradient. It replaces
//
//     out = x.sum(axis=0)
//
// A warp has 32 W columns side by side. The warps of a block take turns at the rows and add up
// what each has found; the blocks along y share the rows and leave a row of sums each, to be
// added up by a second launch. The order of all sums is fixed.
//
// Memory: reads x once. Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

const int WARPS = 8;

extern "C" __global__ void __launch_bounds__(32 * WARPS) column_sum(
    const T *x, A *out,  // (N, C), (blocks along y, C)
    int N, int C) {
    __shared__ A shared[WARPS][W][32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int c = (blockIdx.x * 32 + lane) * W;
    A sum[W];
    for (int j = 0; j < W; j++) sum[j] = 0;
    if (c < C) {
        for (int row = blockIdx.y * WARPS + warp; row < N; row += gridDim.y * WARPS) {
            const Numbers v = load(x + (size_t)row * C + c);
            for (int j = 0; j < W; j++) sum[j] += v.v[j];
        }
    }
    for (int j = 0; j < W; j++) shared[warp][j][lane] = sum[j];
    __syncthreads();
    if (warp == 0 && c < C) {
        for (int j = 0; j < W; j++) {
            A all = 0;
            for (int k = 0; k < WARPS; k++) all += shared[k][j][lane];
            out[(size_t)blockIdx.y * C + c + j] = all;
        }
    }
}
