// What the softmax's backward takes off, of every row of attention. It replaces
//
//     delta = (dout * out).sum(axis=-1)              # = (datt * att).sum(axis=-1)
//
// A row of a head takes D / W lanes, so that a warp has several rows at once.
//
// Source: Dao 2023, "FlashAttention-2", algorithm 2.
//
// Memory: reads dout and out: 2 elements of bf16 for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

extern "C" __global__ void flash_delta(
    const bf16 *dout, const bf16 *out, float *delta,  // (B, T, H, D) twice, (B, H, T)
    int rows, int length, int heads) {                // B T H, T, H
    const int LANES = D / W, lane = threadIdx.x % LANES;
    const int row = (blockIdx.x * blockDim.x + threadIdx.x) / LANES;
    float sum = 0;
    if (row < rows) {
        const size_t i = (size_t)row * D + lane * W;
        const Numbers d = load(dout + i), o = load(out + i);
        for (int j = 0; j < W; j++) sum += d.v[j] * o.v[j];
    }
    for (int apart = LANES / 2; apart > 0; apart /= 2) sum += __shfl_xor_sync(ALL, sum, apart);
    const int head = row % heads, t = row / heads % length, batch = row / heads / length;
    if (lane == 0 && row < rows) delta[((size_t)batch * heads + head) * length + t] = sum;
}
