// The gradient of GELU. It replaces
//
//     tanh = np.tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3))
//     du = sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x)
//     dx = dout * (0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * du)
//
// with s = (1 + tanh) / 2 = 1 / (1 + exp(-2 u)) as in gelu_forward.cu, of which
// (1 - tanh^2) / 2 = 2 s (1 - s). It is computed a second time: that costs less than to read it.
//
// Memory: reads dout and x, writes dx: 3 elements of T for each.
// Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

extern "C" __global__ void gelu_backward(const T *dout, const T *x, T *dx, long long n) {
    const long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (i >= n) return;
    const Numbers d = load(dout + i);
    Numbers v = load(x + i);
    for (int j = 0; j < W; j++) {
        const A scale = A(0.7978845608028654), cubic = A(0.044715), square = v.v[j] * v.v[j];
        const A u = scale * (v.v[j] + cubic * square * v.v[j]);
        const A du = scale * (1 + 3 * cubic * square);
        const A s = reciprocal(1 + fast_exp(-2 * u));
        v.v[j] = d.v[j] * (s + v.v[j] * 2 * s * (1 - s) * du);
    }
    store(dx + i, v);
}
