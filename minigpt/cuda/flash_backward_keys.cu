// The gradients of keys and values in flash attention. For each head it replaces
//
//     p = np.exp(q @ k.T / sqrt(D) - lse[:, None])   # where seen, else 0
//     dv = (p * keep).T @ dout                       # keep: dropout, if DROPOUT is 1
//     ds = p * (dout @ v.T * keep - delta[:, None]) / sqrt(D)
//     dk = ds.T @ q
//
// A block of four warps has 128 keys (64 where heads are of 128) and goes through the queries that
// see them, some at a time; a warp holds the gradients of its 32 (16) keys in registers. It
// computes p and ds transposed, for so they come out of one product as they go into the next.
// Nothing is added up between blocks: so the gradient of the queries has a kernel of its own, which
// computes p again. That takes seven products where atomic additions take five, and the result is
// the same each time.
//
// Source: Dao 2023, "FlashAttention-2", algorithm 2.
//
// Memory: reads qkv and dout, queries again for every block, but from the second-level cache;
// writes two thirds of dqkv. Share of the tensor cores' peak: not yet measured.

#include "ptx.cuh"
#include "common.cuh"
#include "random.cuh"
#include "tiles.cuh"

const int QUERIES = D > 64 || DROPOUT ? 16 : 32;  // so few that registers suffice

extern "C" __global__ void __launch_bounds__(128, 2) flash_backward_keys(
    const bf16 *qkv, const bf16 *dout,              // (B, T, 3, H, D), (B, T, H, D)
    const float *lse, const float *delta,           // (B, H, T)
    bf16 *dqkv,                                     // (B, T, 3, H, D)
    int length, int heads, float scale,             // T, H, 1 / sqrt(D)
    const long long *seed, int call, float rate) {  // dropout's, where there is any
    DYNAMIC_SHARED(bf16, shared);                   // keys, values; twice queries and theirs
    bf16 *const keys = shared, *const values = keys + TILE * D, *const tiles = values + TILE * D;
    float(*const statistics)[2][QUERIES] = (float(*)[2][QUERIES])(tiles + 4 * QUERIES * D);
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const int first = blockIdx.x * TILE, mine = first + 16 * M * warp;
    const size_t C = heads * D, batch = blockIdx.y / heads, head = blockIdx.y % heads;
    const size_t start = batch * length * 3 * C + head * D;
    const bf16 *q = qkv + start, *d = dout + batch * length * C + head * D;
    const size_t row = (size_t)blockIdx.y * length;
    const Dropout drop(seed, call, rate);
    const float log2_e = 1.44269504f;  // exp(x) = 2^(x log2(e))

    // Begin to copy a tile of queries, and what is known of each; behind the last, p is to be 0.
    auto fetch = [&](int from, int turn) {
        bf16 *tile = tiles + turn * 2 * QUERIES * D;
        copy_rows<QUERIES>(tile, q, 3 * C, from, length);
        copy_rows<QUERIES>(tile + QUERIES * D, d, C, from, length);
        if (threadIdx.x < QUERIES) {
            const int i = from + threadIdx.x;
            statistics[turn][0][threadIdx.x] = i < length ? lse[row + i] : -MINUS_INFINITY;
            statistics[turn][1][threadIdx.x] = i < length ? delta[row + i] : 0;
        }
    };
    copy_rows<TILE>(keys, q + C, 3 * C, first, length);
    copy_rows<TILE>(values, q + 2 * C, 3 * C, first, length);
    fetch(first, 0);
    commit_copies();

    float dk[M][D / 8][4] = {}, dv[M][D / 8][4] = {};
    for (int from = first, turn = 0; from < length; from += QUERIES, turn ^= 1) {
        const bf16 *queries = tiles + turn * 2 * QUERIES * D, *douts = queries + QUERIES * D;
        if (from + QUERIES < length) fetch(from + QUERIES, turn ^ 1);
        commit_copies();
        wait_for_copies<1>();
        __syncthreads();
        if (from + QUERIES > mine) {  // else none of the queries sees any of the warp's keys
            float p[M][QUERIES / 8][4], ds[M][QUERIES / 8][4];  // transposed: a row is a key's
            product_of_rows<QUERIES>(p, keys, 16 * M * warp, queries);
            product_of_rows<QUERIES>(ds, values, 16 * M * warp, douts);
#pragma unroll
            for (int i = 0; i < M * QUERIES / 2; i++) {
                const int r = i / (QUERIES / 2), n = i / 4 % (QUERIES / 8);
                const int column = 8 * n + 2 * t + i % 2, key = mine + 16 * r + g + i % 4 / 2 * 8;
                float &x = p[r][n][i % 4], &y = ds[r][n][i % 4];
                const float exponent = x * scale - statistics[turn][0][column];
                const float keep =
                    DROPOUT ? drop.keep((row + from + column) * length + key) : 1;
                x = key <= from + column ? power_of_2(exponent * log2_e) : 0;
                y = x * (y * keep - statistics[turn][1][column]);
                x *= keep;
            }
            add_product<QUERIES>(dv, p, douts);
            add_product<QUERIES>(dk, ds, queries);
        }
        __syncthreads();  // before the tile is written again
    }
#pragma unroll
    for (int r = 0; r < M; r++) {
        write_rows(dqkv + start + C, 3 * C, mine + 16 * r, length, dk[r], scale, scale);
        write_rows(dqkv + start + 2 * C, 3 * C, mine + 16 * r, length, dv[r], 1, 1);
    }
}
