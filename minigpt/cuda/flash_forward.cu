// Attention that never holds the scores: flash attention, forward. For each head it replaces
//
//     scores = np.where(np.tril(np.ones((T, T))), q @ k.T / sqrt(D), -np.inf)
//     lse = np.log(np.exp(scores).sum(axis=-1))
//     out = (np.exp(scores - lse[:, None]) * keep) @ v     # keep: dropout, if DROPOUT is 1
//
// A block of four warps has 128 queries (64 where heads are of 128) and goes through the keys and
// values, some at a time, as far as its queries may see. A warp holds the sums of its 32 (16)
// queries in registers: of exp(scores - m), and of that times v, for m the largest score so far.
// Where a larger one is met, both shrink by exp(old - new). While one tile is worked on, the next
// is copied.
//
// Source: Dao 2023, "FlashAttention-2", algorithm 1.
//
// Memory: reads qkv, keys and values again for every block, but from the second-level cache; writes
// out. Share of the tensor cores' peak: not yet measured.

#include "ptx.cuh"
#include "common.cuh"
#include "random.cuh"
#include "tiles.cuh"

const int KEYS = D == 64 && DROPOUT ? 32 : 64;  // 32: so that registers suffice

extern "C" __global__ void __launch_bounds__(128, 2) flash_forward(
    const bf16 *qkv, bf16 *out, float *lse,         // (B, T, 3, H, D), (B, T, H, D), (B, H, T)
    int length, int heads, float scale,             // T, H, 1 / sqrt(D)
    const long long *seed, int call, float rate) {  // dropout's, where there is any
    DYNAMIC_SHARED(bf16, shared);                   // queries; twice keys and values
    bf16 *const queries = shared, *const tiles = shared + TILE * D;
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const int tile = gridDim.x - 1 - blockIdx.x;  // those with most to do begin
    const int first = tile * TILE, mine = first + 16 * M * warp;
    const int end = min(length, first + TILE);  // of the keys that are seen
    const size_t C = heads * D, batch = blockIdx.y / heads, head = blockIdx.y % heads;
    const size_t statistics = (size_t)blockIdx.y * length;
    const Dropout drop(seed, call, rate);
    const bf16 *q = qkv + batch * length * 3 * C + head * D, *k = q + C, *v = k + C;

    copy_rows<TILE>(queries, q, 3 * C, first, length);
    copy_rows<KEYS>(tiles, k, 3 * C, 0, length);
    copy_rows<KEYS>(tiles + KEYS * D, v, 3 * C, 0, length);
    commit_copies();

    float sum[M][D / 8][4] = {}, total[M][2] = {}, largest[M][2];  // of rows g and g + 8
    for (int i = 0; i < 2 * M; i++) largest[i / 2][i % 2] = MINUS_INFINITY;
    const float scale2 = scale * 1.44269504f;  // exp(x) = 2^(x log2(e))
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
            float p[M][KEYS / 8][4];
            product_of_rows<KEYS>(p, queries, 16 * M * warp, keys);
            if (from + KEYS > mine) {  // some are later than some of the queries
                as_a_branch();
#pragma unroll
                for (int i = 0; i < M * KEYS / 2; i++) {
                    const int r = i / (KEYS / 2), n = i / 4 % (KEYS / 8);
                    const int key = from + 8 * n + 2 * t + i % 2;
                    if (key > mine + 16 * r + g + i % 4 / 2 * 8) p[r][n][i % 4] = MINUS_INFINITY;
                }
            }
#pragma unroll
            for (int i = 0; i < 2 * M; i++) {
                const int r = i / 2, half = i % 2;
                float larger = largest[r][half];
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
                    larger = max(larger, max(p[r][n][2 * half], p[r][n][2 * half + 1]));
                larger = max(larger, __shfl_xor_sync(ALL, larger, 1));  // the four lanes of a row
                larger = max(larger, __shfl_xor_sync(ALL, larger, 2));
                const float shrink = power_of_2((largest[r][half] - larger) * scale2);
                largest[r][half] = larger;
                total[r][half] *= shrink;
#pragma unroll
                for (int n = 0; n < D / 8; n++) {
                    sum[r][n][2 * half] *= shrink;
                    sum[r][n][2 * half + 1] *= shrink;
                }
#pragma unroll
                for (int n = 0; n < KEYS / 4; n++) {
                    float &x = p[r][n / 2][2 * half + n % 2];
                    x = power_of_2(x * scale2 - larger * scale2);
                    total[r][half] += x;
                }
            }
            if (DROPOUT) {
#pragma unroll
                for (int i = 0; i < M * KEYS / 2; i++) {
                    const int r = i / (KEYS / 2), n = i / 4 % (KEYS / 8);
                    const int key = from + 8 * n + 2 * t + i % 2;
                    const size_t query = statistics + mine + 16 * r + g + i % 4 / 2 * 8;
                    p[r][n][i % 4] *= drop.keep(query * length + key);
                }
            }
            add_product<KEYS>(sum, p, values);
        }
        __syncthreads();  // before the tile is written again
    }

    bf16 *to = out + batch * length * C + head * D;
#pragma unroll
    for (int r = 0; r < M; r++) {
        for (int half = 0; half < 2; half++) {
            total[r][half] += __shfl_xor_sync(ALL, total[r][half], 1);
            total[r][half] += __shfl_xor_sync(ALL, total[r][half], 2);
            const int row = mine + 16 * r + g + 8 * half;
            if (t == 0 && row < length)
                lse[statistics + row] = largest[r][half] * scale + log(total[r][half]);
        }
        write_rows(to, C, mine + 16 * r, length, sum[r], 1 / total[r][0], 1 / total[r][1]);
    }
}
