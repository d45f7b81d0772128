// Attention that never holds the scores: flash attention, forward. For each head it replaces
//
//     scores = np.where(np.tril(np.ones((T, T))), q @ k.T / sqrt(D), -np.inf)
//     lse = np.log(np.exp(scores).sum(axis=-1))
//     out = (np.exp(scores - lse[:, None]) * keep) @ v     # keep: dropout, if DROPOUT is 1
//
// A block of four warps has 64 queries and goes through the keys and values, 64 at a time, as far
// as its queries may see. A warp holds the sums of its 16 queries in registers: of exp(scores - m),
// and of that times v, for m the largest score so far. Where a larger one is met, both shrink by
// exp(old - new). While one tile is worked on, the next is copied.
//
// Source: Dao 2023, "FlashAttention-2", algorithm 1.
//
// Memory: reads qkv, keys and values again for every 64 queries, but from the second-level cache;
// writes out. Share of the tensor cores' peak: not yet measured.

#include "ptx.cuh"
#include "common.cuh"
#include "random.cuh"
#include "tiles.cuh"

const int QUERIES = 64, KEYS = 64;

extern "C" __global__ void __launch_bounds__(128, D > 64 ? 2 : 4 - DROPOUT) flash_forward(
    const bf16 *qkv, bf16 *out, float *lse,         // (B, T, 3, H, D), (B, T, H, D), (B, H, T)
    int length, int heads, float scale,             // T, H, 1 / sqrt(D)
    const long long *seed, int call, float rate) {  // dropout's, where there is any
    DYNAMIC_SHARED(bf16, shared);                   // queries; twice keys and values
    bf16 *const queries = shared, *const tiles = shared + QUERIES * D;
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const int tile = gridDim.x - 1 - blockIdx.x;  // those with most to do begin
    const int first = tile * QUERIES, mine = first + 16 * warp;
    const size_t C = heads * D, batch = blockIdx.y / heads, head = blockIdx.y % heads;
    const size_t statistics = (size_t)blockIdx.y * length;
    const Dropout drop(seed, call, rate);
    const bf16 *q = qkv + batch * length * 3 * C + head * D, *k = q + C, *v = k + C;

    copy_rows<QUERIES>(queries, q, 3 * C, first, length);
    copy_rows<KEYS>(tiles, k, 3 * C, 0, length);
    copy_rows<KEYS>(tiles + KEYS * D, v, 3 * C, 0, length);
    commit_copies();

    float sum[D / 8][4] = {}, total[2] = {0, 0};
    float m[2] = {MINUS_INFINITY, MINUS_INFINITY};  // of rows g and g + 8
    const float scale2 = scale * 1.44269504f;       // exp(x) = 2^(x log2(e))
    for (int j = 0; j <= tile; j++) {
        const bf16 *keys = tiles + j % 2 * 2 * KEYS * D, *values = keys + KEYS * D;
        if (j < tile) {
            bf16 *next = tiles + (j + 1) % 2 * 2 * KEYS * D;
            copy_rows<KEYS>(next, k, 3 * C, (j + 1) * KEYS, length);
            copy_rows<KEYS>(next + KEYS * D, v, 3 * C, (j + 1) * KEYS, length);
        }
        commit_copies();
        wait_for_copies<1>();
        __syncthreads();

        float p[KEYS / 8][4];
        product_of_rows<KEYS>(p, queries, 16 * warp, keys);
        if (j == tile) {
#pragma unroll
            for (int i = 0; i < KEYS / 2; i++) {
                const int key = j * KEYS + i / 4 * 8 + 2 * t + i % 2;
                if (key > mine + g + i % 4 / 2 * 8) p[i / 4][i % 4] = MINUS_INFINITY;
            }
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float larger = m[half];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
                larger = max(larger, max(p[n][2 * half], p[n][2 * half + 1]));
            larger = max(larger, __shfl_xor_sync(ALL, larger, 1));  // the four lanes of a row
            larger = max(larger, __shfl_xor_sync(ALL, larger, 2));
            const float shrink = power_of_2((m[half] - larger) * scale2);
            m[half] = larger;
            total[half] *= shrink;
#pragma unroll
            for (int n = 0; n < D / 8; n++) {
                sum[n][2 * half] *= shrink;
                sum[n][2 * half + 1] *= shrink;
            }
#pragma unroll
            for (int i = 0; i < KEYS / 4; i++) {
                float &x = p[i / 2][2 * half + i % 2];
                x = power_of_2((x - larger) * scale2);
                total[half] += x;
            }
        }
        if (DROPOUT) {
#pragma unroll
            for (int i = 0; i < KEYS / 2; i++) {
                const int key = j * KEYS + i / 4 * 8 + 2 * t + i % 2;
                const size_t query = statistics + mine + g + i % 4 / 2 * 8;
                p[i / 4][i % 4] *= drop.keep(query * length + key);
            }
        }
        add_product<KEYS>(sum, p, values);
        __syncthreads();  // before the tile is written again
    }

    for (int half = 0; half < 2; half++) {
        total[half] += __shfl_xor_sync(ALL, total[half], 1);
        total[half] += __shfl_xor_sync(ALL, total[half], 2);
        const int row = mine + g + 8 * half;
        if (t == 0 && row < length)
            lse[statistics + row] = m[half] * scale + log(total[half]);
    }
    bf16 *to = out + batch * length * C + head * D;
    write_rows(to, C, mine, length, sum, 1 / total[0], 1 / total[1]);
}
