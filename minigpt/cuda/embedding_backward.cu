// The gradient of a table of which rows were taken. It replaces
//
//     dw = np.zeros((V, C))
//     np.add.at(dw, ids, dout)
//
// A warp has one row of the table and 32 W of its columns; the 8 warps of a block, which have
// neighbouring rows, read all ids together and each adds up what is its own, in the order of the
// ids. So there are no atomic additions, whose order, and with it the rounding, would be another
// each time. Of a small table there are few warps: then the ids are shared among blocks along z,
// which leave a table of sums each, to be added up by column_sum.cu.
//
// Memory: reads dout once and all ids once for every block, from the second-level cache; writes
// dw. Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

const int WARPS = 8, IDS = 4;  // IDS: how many a thread reads at a time
const int TILE = 32 * WARPS * IDS;

extern "C" __global__ void __launch_bounds__(32 * WARPS) embedding_backward(
    const T *dout, const int *ids, A *dw,  // (N, C), (N,), (blocks along z, V, C)
    int N, int V, int C) {
    __shared__ signed char owner[TILE];  // the warp an id belongs to, or -1
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int row = blockIdx.x * WARPS + warp, c = (blockIdx.y * 32 + lane) * W;
    const int tiles = (N + TILE - 1) / TILE;
    Numbers sum;
    for (int j = 0; j < W; j++) sum.v[j] = 0;

    for (int tile = blockIdx.z; tile < tiles; tile += gridDim.z) {
        bool any = false;
        for (int k = 0; k < IDS; k++) {
            const int place = k * 32 * WARPS + threadIdx.x, n = tile * TILE + place;
            const int id = n < N ? ids[n] : -1;
            const bool ours = id >= 0 && id / WARPS == blockIdx.x;
            owner[place] = ours ? id % WARPS : -1;
            any |= ours;
        }
        if (__syncthreads_or(any)) {
            for (int first = 0; first < TILE; first += 32) {
                unsigned mine = __ballot_sync(ALL, owner[first + lane] == warp);
                for (; mine; mine &= mine - 1) {
                    const int n = tile * TILE + first + __ffs(mine) - 1;
                    if (c < C) {
                        const Numbers d = load(dout + (size_t)n * C + c);
                        for (int j = 0; j < W; j++) sum.v[j] += d.v[j];
                    }
                }
            }
        }
        __syncthreads();  // before `owner` is written again
    }
    if (row < V && c < C) store(dw + ((size_t)blockIdx.z * V + row) * C + c, sum);
}
