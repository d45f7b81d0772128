// What the softmax's backward takes off, of every row of attention. It replaces
//
//     delta = (dout * out).sum(axis=-1)              # = (datt * att).sum(axis=-1)
//
// One warp a row of a head. Source: Dao 2023, "FlashAttention-2", algorithm 2.
//
// Memory: reads dout and out: 2 elements of bf16 for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

extern "C" __global__ void flash_delta(
    const bf16 *dout, const bf16 *out, float *delta,  // (B, T, H, D) twice, (B, H, T)
    int rows, int length, int heads) {                // B T H, T, H
    const int lane = threadIdx.x % 32;
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;  // the whole warp
    float sum = 0;
    for (int c = lane * W; c < D; c += 32 * W) {
        const Numbers d = load(dout + (size_t)row * D + c), o = load(out + (size_t)row * D + c);
        for (int j = 0; j < W; j++) sum += d.v[j] * o.v[j];
    }
    sum = warp_sum(sum);
    const int head = row % heads, t = row / heads % length, batch = row / heads / length;
    if (lane == 0) delta[((size_t)batch * heads + head) * length + t] = sum;
}
