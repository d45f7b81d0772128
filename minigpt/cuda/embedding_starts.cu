// Where the places of each id begin once they are sorted. It replaces
//
//     starts = np.cumsum(total) - total
//
// One block: every thread adds up some neighbours, and in eight rounds all that is before them.
//
// Memory: reads total twice, writes starts: a few hundred kilobytes.
// Share of the GPU's memory bandwidth: not yet measured.

const int THREADS = 256;

extern "C" __global__ void __launch_bounds__(THREADS) embedding_starts(
    const int *total, int *starts, int V) {  // (V,) each
    __shared__ int sums[THREADS];
    const int me = threadIdx.x, each = (V + THREADS - 1) / THREADS;
    const int first = min(V, me * each), end = min(V, first + each);
    int sum = 0;
    for (int id = first; id < end; id++) sum += total[id];
    sums[me] = sum;
    __syncthreads();
    for (int apart = 1; apart < THREADS; apart *= 2) {
        const int before = me >= apart ? sums[me - apart] : 0;
        __syncthreads();  // all have read
        sums[me] += before;
        __syncthreads();
    }
    int start = sums[me] - sum;
    for (int id = first; id < end; id++) {
        starts[id] = start;
        start += total[id];
    }
}
