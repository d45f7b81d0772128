// Tiles of rows of D bf16 in shared memory, and two products of them on tensor cores.
//
// A warp computes M times 16 rows of a product. Its result, and what is computed from that, stays
// in registers, spread over the warp as the instruction leaves it: x[r][n][0], x[r][n][1] are row
// 16r + g, columns 8n + 2t and the next, and x[r][n][2], x[r][n][3] row 16r + g + 8, of
// g = lane / 4, t = lane % 4.
//
// What a warp loads of the other factor serves all its rows. With 16 of them shared memory does not
// feed the tensor cores: it gives 128 bytes a cycle, so a load of four matrices takes four cycles,
// as long as two products on Ampere and nearly three on Hopper, and feeds two. With 32 rows it
// feeds four.

const int M = D > 64 ? 1 : 2;  // 1: so that registers suffice
const int TILE = 4 * 16 * M;   // rows of a block, which has four warps
const int THREADS = 128;

// Where elements 8 chunk .. 8 chunk + 7 of a row are. Chunks are shuffled within a row, in every
// row otherwise, so that the same chunk of eight neighbouring rows is in eight groups of banks and
// can be read at once.
__device__ inline int at(int row, int chunk) { return row * D + (chunk ^ row % 8) * 8; }

// Begin to copy N rows from row `first` on; `end` is their number in memory, behind it are zeros.
template <int N>
__device__ inline void copy_rows(bf16 *to, const bf16 *from, size_t stride, int first, int end) {
#pragma unroll
    for (int j = 0; j < N * (D / 8); j += THREADS) {
        const int i = j + threadIdx.x, row = i / (D / 8), chunk = i % (D / 8);
        const bool exists = first + row < end;
        const bf16 *source = from + (exists ? (first + row) * stride + chunk * 8 : 0);
        copy_async(to + at(row, chunk), source, exists);
    }
}

// out (16 M, N) = rows first .. first + 16 M - 1 of a, times b^T, both of D columns.
template <int N>
__device__ inline void product_of_rows(float (&out)[M][N / 8][4], const bf16 *a, int first,
                                       const bf16 *b) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < M * N / 2; i++) out[i / (N / 2)][i / 4 % (N / 8)][i % 4] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        unsigned x[M][4], y[4];
#pragma unroll
        for (int r = 0; r < M; r++)
            load_matrices(x[r], a + at(first + 16 * r + lane % 16, 2 * k + lane / 16));
#pragma unroll
        for (int n = 0; n < N / 16; n++) {
            load_matrices(y, b + at(16 * n + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
#pragma unroll
            for (int r = 0; r < M; r++) {
                multiply_add(out[r][2 * n], x[r], y[0], y[1]);
                multiply_add(out[r][2 * n + 1], x[r], y[2], y[3]);
            }
        }
    }
}

// out (16 M, D) += x b, x (16 M, N) as a product leaves it, b of N rows and D columns.
template <int N>
__device__ inline void add_product(float (&out)[M][D / 8][4], const float (&x)[M][N / 8][4],
                                   const bf16 *b) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < N / 16; k++) {
        unsigned a[M][4], y[4];
#pragma unroll
        for (int i = 0; i < 4 * M; i++) {
            const float(&of)[4] = x[i / 4][2 * k + i % 4 / 2];
            a[i / 4][i % 4] = rounded_pair(of[i % 2 * 2], of[i % 2 * 2 + 1]);
        }
#pragma unroll
        for (int n = 0; n < D / 16; n++) {
            load_matrices_transposed(y, b + at(16 * k + lane % 16, 2 * n + lane / 16));
#pragma unroll
            for (int r = 0; r < M; r++) {
                multiply_add(out[r][2 * n], a[r], y[0], y[1]);
                multiply_add(out[r][2 * n + 1], a[r], y[2], y[3]);
            }
        }
    }
}

// Write 16 rows from row `first` on, those before `end`, times `scale`.
__device__ inline void write_rows(bf16 *to, size_t stride, int first, int end,
                                  const float (&x)[D / 8][4], float scale0, float scale1) {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int row = first + g + 8 * half;
        const float scale = half ? scale1 : scale0;
        if (row >= end) continue;
#pragma unroll
        for (int n = 0; n < D / 8; n++) {
            *(unsigned *)(to + row * stride + 8 * n + 2 * t) =
                rounded_pair(x[n][2 * half] * scale, x[n][2 * half + 1] * scale);
        }
    }
}
