"""Sums over many numbers on the GPU, always in the same order."""

import math

import numpy as np

from minigpt.cuda import kernels
from minigpt.cuda.kernels import VECTOR_BYTES, launch, wide_type, width

BLOCK = 256  # threads; what column_sum.cu and squared_norm.cu are written for
MOST_BLOCKS = 1024
FEW_ROWS = 512


def column_sum(x):
    """Return x.sum(axis=0) of x (N, C): (C,), float32, or float64 for that."""
    N, C = x.shape
    W = width(C, x)
    across = math.ceil(C / (32 * W))
    down = 1 if N <= FEW_ROWS else max(1, min(FEW_ROWS, MOST_BLOCKS // across, N // 64))
    partial = kernels.empty(x, (down, C), wide_type(x.dtype))
    launch("column_sum", x.dtype, (across, down), BLOCK, x, partial, N, C, W=W)
    return partial[0] if down == 1 else column_sum(partial)


def squared_norm(x, out):
    """Write the sum of the squares of x (n,) to out (1,), float32, or float64 for that."""
    W = VECTOR_BYTES // x.itemsize if width(VECTOR_BYTES, x) > 1 else 1
    whole = len(x) // W * W
    blocks = max(1, min(MOST_BLOCKS, whole // (W * BLOCK)))
    partial = kernels.empty(x, (blocks + 1, 1), wide_type(x.dtype))
    for part, sums, w in ((x[:whole], partial[:blocks], W), (x[whole:], partial[blocks:], 1)):
        launch("squared_norm", x.dtype, len(sums), BLOCK, part, sums, np.int64(len(part)), W=w)
    out[...] = column_sum(partial)
