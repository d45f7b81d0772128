// The sum of squares of a vector, in parts. It replaces
//
//     squared = (x * x).sum()
//
// Every block leaves one sum, which column_sum.cu adds up. The order of all sums is fixed.
//
// Memory: reads x. Share of the GPU's memory bandwidth: not yet measured.

#include "ptx.cuh"
#include "common.cuh"

const int WARPS = 8;

extern "C" __global__ void __launch_bounds__(32 * WARPS) squared_norm(
    const T *x, A *partial, long long n) {  // (n,), (blocks,)
    __shared__ A shared[WARPS];
    const long long step = (long long)gridDim.x * blockDim.x * W;
    A sum = 0;
    for (long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W; i < n; i += step) {
        const Numbers v = load(x + i);
        for (int j = 0; j < W; j++) sum += v.v[j] * v.v[j];
    }
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int k = 1; k < WARPS; k++) sum += shared[k];
        partial[blockIdx.x] = sum;
    }
}
