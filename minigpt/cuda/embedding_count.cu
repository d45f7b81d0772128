// How often each id stands in a list, and how often before each place in its part of the list. The
// first third of a stable sort by counting; it replaces, for the parts one by one,
//
//     for n in places_of(part):
//         rank[n] = counts[part, ids[n]]
//         counts[part, ids[n]] += 1
//     total = counts.sum(axis=0)
//
// A block has a part and goes through it tile by tile, every thread comparing its id with all of
// the tile's. Only whole numbers are added by atomic additions: their order changes nothing.
//
// Memory: reads ids, writes rank; counts and total where ids are.
// Share of the GPU's memory bandwidth: not yet measured.

const int TILE = 256;

extern "C" __global__ void __launch_bounds__(TILE) embedding_count(
    const int *ids, int *counts, int *total, int *rank,  // (N,); 0s (parts, V), (V,); (N,)
    int N, int V, int part_size) {
    __shared__ int tile[TILE];
    int *const count = counts + (size_t)blockIdx.x * V;
    const int start = blockIdx.x * part_size, end = min(N, start + part_size);
    for (int first = start; first < end; first += TILE) {
        const int me = threadIdx.x, n = first + me;
        const int id = n < end ? ids[n] : -1;
        tile[me] = id;
        __syncthreads();
        const bool is_symbol = id >= 0 && id < V;
        const int before_tile = is_symbol ? count[id] : 0;
        int before = 0, in_tile = 0;
        for (int k = 0; k < TILE; k++) {
            before += k < me && tile[k] == id;
            in_tile += tile[k] == id;
        }
        __syncthreads();  // all have read `count` and `tile`
        if (is_symbol) rank[n] = before_tile + before;
        if (is_symbol && before == in_tile - 1) {  // the last of its kind writes for all
            count[id] = before_tile + in_tile;
            atomicAdd(total + id, in_tile);
        }
        __syncthreads();  // before the next tile reads `count`
    }
}
