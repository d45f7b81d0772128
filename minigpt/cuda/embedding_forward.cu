// Rows of a table. It replaces
//
//     out = w[ids]
//
// One warp a row.
//
// Memory: reads rows of w, writes out: 2 elements of T for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

extern "C" __global__ void embedding_forward(
    const int *ids, const T *w, T *out,  // (N,), (V, C), (N, C)
    int N, int V, int C) {
    const int lane = threadIdx.x % 32;
    const int n = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (n >= N) return;
    const int id = ids[n];
    for (int c = lane * W; c < C; c += 32 * W) {
        Numbers x;
        if (id >= 0 && id < V) {
            x = load(w + (size_t)id * C + c);
        } else {  // no symbol: not what happens to stand beyond the table
            for (int j = 0; j < W; j++) x.v[j] = NOT_A_NUMBER;
        }
        store(out + (size_t)n * C + c, x);
    }
}
