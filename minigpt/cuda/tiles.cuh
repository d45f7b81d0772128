// Tiles of rows of D bf16 in shared memory, and two products of them on tensor cores.
//
// A warp computes 16 rows of a product. Its result, and what is computed from that, stays in
// registers, spread over the warp as the instruction leaves it: x[n][0], x[n][1] are row g,
// columns 8n + 2t and the next, and x[n][2], x[n][3] row g + 8, of g = lane / 4, t = lane % 4.

// Where elements 8 chunk .. 8 chunk + 7 of a row are. Chunks are shuffled within a row, in every
// row otherwise, so that the same chunk of eight neighbouring rows is in eight groups of banks and
// can be read at once.
__device__ inline int at(int row, int chunk) { return row * D + (chunk ^ row % 8) * 8; }

// Begin to copy N rows from row `first` on; `end` is their number in memory, behind it are zeros.
template <int N>
__device__ inline void copy_rows(bf16 *to, const bf16 *from, size_t stride, int first, int end) {
    for (int i = threadIdx.x; i < N * (D / 8); i += blockDim.x) {
        const int row = i / (D / 8), chunk = i % (D / 8);
        const bool exists = first + row < end;
        const bf16 *source = from + (exists ? (first + row) * stride + chunk * 8 : 0);
        copy_async(to + at(row, chunk), source, exists);
    }
}

// out (16, N) = rows first .. first + 15 of a, times b^T, both of D columns.
template <int N>
__device__ inline void product_of_rows(float (&out)[N / 8][4], const bf16 *a, int first,
                                       const bf16 *b) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < N / 8; n++) out[n][0] = out[n][1] = out[n][2] = out[n][3] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        unsigned x[4], y[4];
        load_matrices(x, a + at(first + lane % 16, 2 * k + lane / 16));
#pragma unroll
        for (int n = 0; n < N / 16; n++) {
            load_matrices(y, b + at(16 * n + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
            multiply_add(out[2 * n], x, y[0], y[1]);
            multiply_add(out[2 * n + 1], x, y[2], y[3]);
        }
    }
}

// out (16, D) += x b, x (16, N) as a product leaves it, b of N rows and D columns.
template <int N>
__device__ inline void add_product(float (&out)[D / 8][4], const float (&x)[N / 8][4],
                                   const bf16 *b) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < N / 16; k++) {
        const unsigned a[4] = {
            rounded_pair(x[2 * k][0], x[2 * k][1]), rounded_pair(x[2 * k][2], x[2 * k][3]),
            rounded_pair(x[2 * k + 1][0], x[2 * k + 1][1]),
            rounded_pair(x[2 * k + 1][2], x[2 * k + 1][3])};
        unsigned y[4];
#pragma unroll
        for (int n = 0; n < D / 16; n++) {
            load_matrices_transposed(y, b + at(16 * k + lane % 16, 2 * n + lane / 16));
            multiply_add(out[2 * n], a, y[0], y[1]);
            multiply_add(out[2 * n + 1], a, y[2], y[3]);
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
