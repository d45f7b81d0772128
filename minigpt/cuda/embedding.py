"""A table's rows by ids on the GPU, and the gradient of the table.

The backward has to add up, for every row, the gradients of all places that took it. It sorts the
places by their ids, by counting and without asking for a number on the GPU, so that each row's are
neighbours, and then adds them up in that order: the sums are the same each time. The plain form is
ops.embedding_forward.
"""

import math

from minigpt.cuda import kernels
from minigpt.cuda.kernels import int32, launch, wide_type, width
from minigpt.cuda.sums import column_sum

ROWS = 4  # rows that a block of 128 threads gathers, one for each warp
TILE = 256  # places that are counted at once; what embedding_count.cu is written for
MOST_PARTS = 64  # of the places, which are counted side by side
FEW = 2048  # rows of a table that are too few to occupy a GPU


def embedding_forward(ids, w):
    """Look up rows: ids (B, T) integers, w (V, C) -> out (B, T, C)."""
    (V, C), which = w.shape, int32(ids)
    out = kernels.empty(w, (*ids.shape, C))
    launch(
        "embedding_forward", w.dtype, math.ceil(len(which) / ROWS), 32 * ROWS,
        which, w, out, len(which), V, C, W=width(C, w, out),
    )  # fmt: skip
    return out, (which, w)


def embedding_backward(dout, cache):
    """Return all rows and dw (V, C): which rows were used is not known here, but on the GPU."""
    which, w = cache
    (V, C), N = w.shape, len(which)
    dout = kernels.contiguous(dout.reshape(N, C))
    order, starts, total = sorted_places(which, V)
    shares = max(1, min(32, FEW // V, N // 1024))
    dw = kernels.empty(w, (shares, V, C), wide_type(w.dtype))
    W = width(C, dout, dw)
    launch(
        "embedding_backward", w.dtype, (math.ceil(V / 8), math.ceil(C / (32 * W)), shares), 256,
        dout, order, starts, total, dw, V, C, W=W,
    )  # fmt: skip
    if shares > 1:
        dw = column_sum(dw.reshape(shares, V * C))
    return slice(None), dw.reshape(V, C)


def sorted_places(ids, V):
    """Return order (N,), starts (V,) and total (V,): where each id stands in `ids` (N,), int32.

    Id i is at the places order[starts[i] : starts[i] + total[i]], smallest first.
    """
    N = len(ids)
    part_size = TILE * math.ceil(N / (TILE * MOST_PARTS))
    parts = math.ceil(N / part_size)
    counts, total = (kernels.zeros(ids, shape) for shape in ((parts, V), (V,)))
    rank, order, starts = (kernels.empty(ids, n) for n in (N, N, V))
    launch("embedding_count", "float32", parts, TILE, ids, counts, total, rank, N, V, part_size)
    launch("embedding_starts", "float32", 1, 256, total, starts, V)
    launch(
        "embedding_place", "float32", math.ceil(N / 256), 256,
        ids, counts, starts, rank, order, N, V, part_size,
    )  # fmt: skip
    return order, starts, total
