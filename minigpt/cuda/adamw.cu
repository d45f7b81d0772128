// One step of AdamW over all parameters. It replaces optim.adamw and the clipping before it:
//
//     length = factor * np.sqrt(squared)
//     scale = factor * min(1, clip / length)                # where there is a limit `clip`
//     m = beta1 * m + (1 - beta1) * scale * g
//     v = beta2 * v + (1 - beta2) * (scale * g) ** 2
//     w[:n_matrix] *= 1 - lr * decay
//     w -= size * m / (np.sqrt(v) + epsilon * root)
//     low = w.astype(bfloat16); g = 0                       # if wanted
//
// What changes from step to step is read from the GPU's memory, so that a captured step can be
// replayed as another: numbers = (size, root, lr, factor), of which size = lr root / (1 - beta1^t)
// and root = sqrt(1 - beta2^t) undo the bias of the running means towards 0. If the norm is not
// finite, nothing is changed: the step can still be refused when that is seen.
//
// Memory: reads w, g, m and v, writes w, m and v (and low, and g): 28 (34) bytes for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

extern "C" __global__ void adamw(
    T *w, T *g, T *m, T *v, bf16 *low,    // (n,) each; low may be null
    const A *numbers, const A *squared,   // (4,), (1,)
    long long n, long long n_matrix,
    A beta1, A beta2, A epsilon, A decay, A clip, int clear) {
    const long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (i >= n) return;
    const A size = numbers[0], root = numbers[1], lr = numbers[2], factor = numbers[3];
    const A length = factor * sqrt(*squared);
    if (!(length - length == 0)) return;  // infinite or NaN
    const A scale = clip > 0 && length > clip ? factor * clip / length : factor;

    Numbers weight = load(w + i), mean = load(m + i), square = load(v + i);
    const Numbers grad = load(g + i);
    for (int j = 0; j < W; j++) {
        const A x = scale * grad.v[j];
        mean.v[j] = beta1 * mean.v[j] + (1 - beta1) * x;
        square.v[j] = beta2 * square.v[j] + (1 - beta2) * x * x;
        if (i + j < n_matrix) weight.v[j] *= 1 - lr * decay;
        weight.v[j] -= size * mean.v[j] / (sqrt(square.v[j]) + epsilon * root);
    }
    store(w + i, weight);
    store(m + i, mean);
    store(v + i, square);
    if (low) store(low + i, weight);
    if (clear) {
        for (int j = 0; j < W; j++) weight.v[j] = 0;
        store(g + i, weight);
    }
}
