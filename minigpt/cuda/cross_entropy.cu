// The loss of each row of logits and, in the logits' place, its gradient. It replaces
//
//     m = logits.max(axis=-1)
//     s = np.exp(logits - m).sum(axis=-1)
//     losses = np.log(s) + m - logits[range(N), targets]
//     logits[...] = np.exp(logits - m) / s * weight
//     logits[range(N), targets] -= weight
//
// and both are 0 where the target is negative. One block a row. A row may be wider than the
// vocabulary, so that every row starts at a multiple of 16 bytes; what is beyond becomes 0.
//
// Largest number and sum come out of one reading: where a larger number is met, the sum so far
// shrinks by exp(old - new). Source: Milakov and Gimelshein 2018, "Online normalizer calculation
// for softmax", algorithm 3.
//
// Memory: reads logits twice, writes them once; a row, of 100 KB at most, is in the cache the
// second time. 2 elements of T for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

const int MOST_WARPS = 32;

// exp(x - m), and 0 where both are -inf: nothing has been seen yet.
__device__ inline A exp_less(A x, A m) { return fast_exp(x - (m == A(MINUS_INFINITY) ? A(0) : m)); }

// Logits c .. c + W - 1 of a row; what is beyond the vocabulary is -inf.
__device__ inline Numbers logits_at(const T *row, int c, int V) {
    Numbers x = load(row + c);
    for (int j = 0; c + W > V && j < W; j++) {
        if (c + j >= V) x.v[j] = MINUS_INFINITY;
    }
    return x;
}

extern "C" __global__ void __launch_bounds__(32 * MOST_WARPS, sizeof(A) > 4 ? 1 : 2) cross_entropy(
    T *logits,           // (N, stride), of which (N, V) are logits
    const int *targets,  // (N,)
    A *losses,           // (N,)
    int V, int stride, A weight, int backward) {
    __shared__ A maxima[MOST_WARPS], sums[MOST_WARPS];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    T *row = logits + (size_t)blockIdx.x * stride;
    const int target = targets[blockIdx.x];
    A at_target = NOT_A_NUMBER;  // if the id is no symbol, so that this is seen
    if (target >= 0 && target < V) at_target = wide(row[target]);

    A m = MINUS_INFINITY, s = 0;
    for (int c = threadIdx.x * W; c < V; c += blockDim.x * W) {
        const Numbers x = logits_at(row, c, V);
        A larger = m;
        for (int j = 0; j < W; j++) {
            if (x.v[j] > larger) larger = x.v[j];
        }
        s *= exp_less(m, larger);
        for (int j = 0; j < W; j++) s += exp_less(x.v[j], larger);
        m = larger;
    }
    A all = warp_max(m);
    s = warp_sum(s * exp_less(m, all));
    if (lane == 0) {
        maxima[warp] = all;
        sums[warp] = s;
    }
    __syncthreads();  // every thread has read the target's logit, too
    m = lane < warps ? maxima[lane] : A(MINUS_INFINITY);
    all = warp_max(m);
    s = warp_sum(lane < warps ? sums[lane] * exp_less(m, all) : A(0));

    if (threadIdx.x == 0) losses[blockIdx.x] = target < 0 ? A(0) : log(s) + all - at_target;
    if (!backward) return;
    const A factor = target < 0 ? A(0) : weight / s;
    for (int c = threadIdx.x * W; c < stride; c += blockDim.x * W) {
        Numbers x = logits_at(row, c, V);
        for (int j = 0; j < W; j++) {
            const A gradient = factor * exp_less(x.v[j], all) - (c + j == target ? weight : A(0));
            x.v[j] = target < 0 ? A(0) : gradient;
        }
        store(row + c, x);
    }
}
