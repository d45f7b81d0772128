// The gradient of the queries in flash attention. For each head it replaces
//
//     p = np.exp(q @ k.T / sqrt(D) - lse[:, None])   # where seen, else 0
//     ds = p * (dout @ v.T * keep - delta[:, None]) / sqrt(D)   # keep: dropout, if DROPOUT is 1
//     dq = ds @ k
//
// A block of four warps has 128 queries (64 where heads are of 128) and goes through the keys and
// values that they see, some at a time, as flash_forward.cu does; a warp holds the gradient of its
// 32 (16) queries in registers.
//
// Source: Dao 2023, "FlashAttention-2", algorithm 2.
//
// Memory: reads qkv and dout, keys and values again for every block, but from the
// second-level cache; writes a third of dqkv. Share of the tensor cores' peak: not yet measured.

#include "ptx.cuh"
#include "common.cuh"
#include "random.cuh"
#include "tiles.cuh"

const int KEYS = 32;  // so few that registers suffice

extern "C" __global__ void __launch_bounds__(128, 2) flash_backward_queries(
    const bf16 *qkv, const bf16 *dout,              // (B, T, 3, H, D), (B, T, H, D)
    const float *lse, const float *delta,           // (B, H, T)
    bf16 *dqkv,                                     // (B, T, 3, H, D)
    int length, int heads, float scale,             // T, H, 1 / sqrt(D)
    const long long *seed, int call, float rate) {  // dropout's, where there is any
    DYNAMIC_SHARED(bf16, shared);                   // queries and their dout; twice keys and values
    bf16 *const queries = shared, *const douts = queries + TILE * D;
    bf16 *const tiles = douts + TILE * D;
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const int tile = gridDim.x - 1 - blockIdx.x;  // those with most to do begin
    const int first = tile * TILE, mine = first + 16 * M * warp;
    const int end = min(length, first + TILE);  // of the keys that are seen
    const size_t C = heads * D, batch = blockIdx.y / heads, head = blockIdx.y % heads;
    const size_t start = batch * length * 3 * C + head * D;
    const size_t row = (size_t)blockIdx.y * length;
    const Dropout drop(seed, call, rate);
    const bf16 *q = qkv + start, *k = q + C, *v = k + C;

    copy_rows<TILE>(queries, q, 3 * C, first, length);
    copy_rows<TILE>(douts, dout + batch * length * C + head * D, C, first, length);
    copy_rows<KEYS>(tiles, k, 3 * C, 0, length);
    copy_rows<KEYS>(tiles + KEYS * D, v, 3 * C, 0, length);
    commit_copies();

    float lse_of[M][2], delta_of[M][2];  // of rows g and g + 8
    for (int i = 0; i < 2 * M; i++) {
        const int query = min(mine + 8 * i + g, length - 1);
        lse_of[i / 2][i % 2] = lse[row + query];
        delta_of[i / 2][i % 2] = delta[row + query];
    }
    float dq[M][D / 8][4] = {};
    const float log2_e = 1.44269504f;  // exp(x) = 2^(x log2(e))
    for (int from = 0, turn = 0; from < end; from += KEYS, turn ^= 1) {
        const bf16 *keys = tiles + turn * 2 * KEYS * D, *values = keys + KEYS * D;
        if (from + KEYS < end) {
            bf16 *next = tiles + (turn ^ 1) * 2 * KEYS * D;
            copy_rows<KEYS>(next, k, 3 * C, from + KEYS, length);
            copy_rows<KEYS>(next + KEYS * D, v, 3 * C, from + KEYS, length);
        }
        commit_copies();
        wait_for_copies<1>();
        __syncthreads();
        if (from < mine + 16 * M) {  // else none of the warp's queries sees any of these keys
            float p[M][KEYS / 8][4], ds[M][KEYS / 8][4];
            product_of_rows<KEYS>(p, queries, 16 * M * warp, keys);
            product_of_rows<KEYS>(ds, douts, 16 * M * warp, values);
#pragma unroll
            for (int i = 0; i < M * KEYS / 2; i++) {
                const int r = i / (KEYS / 2), n = i / 4 % (KEYS / 8), half = i % 4 / 2;
                const int key = from + 8 * n + 2 * t + i % 2, query = mine + 16 * r + g + half * 8;
                float &y = ds[r][n][i % 4];
                const float exponent = p[r][n][i % 4] * scale - lse_of[r][half];
                const float x = key <= query ? power_of_2(exponent * log2_e) : 0;
                const float keep = DROPOUT ? drop.keep((row + query) * length + key) : 1;
                y = x * (y * keep - delta_of[r][half]);
            }
            add_product<KEYS>(dq, ds, keys);
        }
        __syncthreads();  // before the tile is written again
    }
#pragma unroll
    for (int r = 0; r < M; r++)
        write_rows(dqkv + start, 3 * C, mine + 16 * r, length, dq[r], scale, scale);
}
