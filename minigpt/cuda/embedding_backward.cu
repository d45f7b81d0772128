// The gradient of a table of which rows were taken. It replaces
//
//     dw = np.zeros((V, C))
//     np.add.at(dw, ids, dout)
//
// given the places of every id, in order (embedding_place.cu). A block of 8 warps has 8 rows of the
// table side by side and 32 W of their columns, each warp one row. A row that was taken often, as
// that of a comma or of padding, would keep its warp busy when all others are done: such a row is
// shared among the 8. Of a small table there are few warps: then every row is shared among blocks
// along z, which leave a table of sums each, to be added up by column_sum.cu. There are no atomic
// additions, whose order, and with it the rounding, would be another each time.
//
// Memory: reads dout once, writes dw. Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

const int WARPS = 8;
const int OFTEN = 32;  // places of a row that one warp adds up by itself

extern "C" __global__ void __launch_bounds__(32 * WARPS) embedding_backward(
    const T *dout, const int *order, const int *starts, const int *total,  // (N, C), (N,), (V,) x2
    A *dw,                                                                 // (blocks along z, V, C)
    int V, int C) {
    __shared__ A shared[WARPS][W][32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int c = (blockIdx.y * 32 + lane) * W, z = blockIdx.z, shares = gridDim.z;
    for (int k = 0; k < WARPS; k++) {
        const int row = blockIdx.x * WARPS + k;
        if (row >= V) break;  // the whole block
        const long long n = total[row];
        const int first = starts[row] + n * z / shares, end = starts[row] + n * (z + 1) / shares;
        const bool often = end - first > OFTEN;  // the whole block
        if (!often && warp != k) continue;
        Numbers sum;
        for (int j = 0; j < W; j++) sum.v[j] = 0;
        if (c < C) {
            const int step = often ? WARPS : 1;
#pragma unroll 4
            for (int i = first + (often ? warp : 0); i < end; i += step) {
                const Numbers d = load(dout + (size_t)order[i] * C + c);
                for (int j = 0; j < W; j++) sum.v[j] += d.v[j];
            }
        }
        if (often) {
            for (int j = 0; j < W; j++) shared[warp][j][lane] = sum.v[j];
            __syncthreads();
            for (int j = 0; warp == k && j < W; j++) {
                sum.v[j] = 0;
                for (int i = 0; i < WARPS; i++) sum.v[j] += shared[i][j][lane];
            }
            __syncthreads();  // before the next row's sums are written
        }
        if (warp == k && c < C) store(dw + ((size_t)z * V + row) * C + c, sum);
    }
}
