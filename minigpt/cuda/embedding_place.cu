// The places of a list, sorted by what stands there; equal ids stay in their order. It replaces
//
//     order = np.argsort(ids, kind="stable")
//
// with what embedding_count.cu and embedding_starts.cu have counted. Ids that are no symbols are
// left out.
//
// Memory: reads ids, rank and an id's counts in all parts before, writes order.
// Share of the GPU's memory bandwidth: not yet measured.

extern "C" __global__ void embedding_place(
    const int *ids, const int *counts, const int *starts, const int *rank,  // as counted
    int *order,                                                             // (N,)
    int N, int V, int part_size) {
    const int n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= N) return;
    const int id = ids[n];
    if (id < 0 || id >= V) return;
    int place = starts[id] + rank[n];
    for (int part = 0; part < n / part_size; part++) place += counts[(size_t)part * V + id];
    order[place] = n;
}
