// Softmax of attention's scores, each row over the keys that its query may see. It replaces
//
//     seen = np.tril(np.ones((T, T), bool))
//     seen = seen & (segments[:, None, :, None] == segments[:, None, None, :])  # if given
//     att = softmax(np.where(seen, scores, -np.inf))
//     dropped = att * keep                                                      # with dropout
//
// One warp a row of scores (B, H, T, T). `att` may be the memory of `scores`.
//
// Memory: reads half of scores (twice, then from the cache), writes att (and dropped): 0.5
// elements of A and 1 (2) of T for each. Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"
#include "random.cuh"

// Whether key s may be seen by query t.
__device__ inline bool seen(int s, int t, const int *segments) {
    return s <= t && (!segments || segments[s] == segments[t]);
}

extern "C" __global__ void causal_softmax_forward(
    const A *scores, T *att,             // (B, H, T, T)
    T *dropped,                          // (B, H, T, T) or null: no dropout
    const int *segments,                 // (B, T) or null
    const long long *seed, int call, A rate,
    int rows, int heads, int length) {   // B H T, H, T
    const int lane = threadIdx.x % 32;
    const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;  // the whole warp
    const int t = row % length;
    const size_t start = (size_t)row * length;
    if (segments) segments += row / length / heads * length;

    A m = MINUS_INFINITY;
    for (int c = lane * W; c <= t; c += 32 * W) {
        const Numbers x = load(scores + start + c);
        for (int j = 0; j < W; j++) {
            if (seen(c + j, t, segments)) m = max(m, x.v[j]);
        }
    }
    m = warp_max(m);  // finite: a query sees itself
    A sum = 0;
    for (int c = lane * W; c <= t; c += 32 * W) {
        const Numbers x = load(scores + start + c);
        for (int j = 0; j < W; j++) {
            if (seen(c + j, t, segments)) sum += exp(x.v[j] - m);
        }
    }
    const A factor = 1 / warp_sum(sum);
    for (int c = lane * W; c < length; c += 32 * W) {
        Numbers x = load(scores + start + c);
        for (int j = 0; j < W; j++) {
            x.v[j] = seen(c + j, t, segments) ? exp(x.v[j] - m) * factor : A(0);
        }
        store(att + start + c, x);
        if (dropped) {
            const Dropout drop(seed, call, rate);
            for (int j = 0; j < W; j++) x.v[j] *= drop.keep(start + c + j);
            store(dropped + start + c, x);
        }
    }
}
