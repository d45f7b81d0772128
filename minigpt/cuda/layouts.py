"""How products of arrays, views and batches are described to cublasLt.

The answer to one question, `route`: which matrices, transposed or not, at which distances, in how
many calls. It depends on shapes, strides, types and alignment only, never on what is in an array.
"""

import math
from typing import NamedTuple

import numpy as np

from minigpt.cuda.cublaslt import BYTES, Kind, Matrix, Plan
from minigpt.cuda.kernels import address


class Route(NamedTuple):
    """How to multiply: whether to copy a and b first, the plan, and where its calls begin."""

    copies: tuple
    plan: Plan
    begins: list  # (bytes into a, into b, into the result) of each call


def route(lt, compute, a, b, out, bias=None, gelu=None, past=None, sums=None):
    """Return the Route of a product into `out`, None where the library `lt` has none."""
    if row_distance(out) is None or row_distance(out)[0]:
        return None
    # a bias, or its gradient, is a vector for the columns of the whole result: no batch, and 16
    # bytes at a time
    vector = sums if bias is None else bias
    if vector is not None and (
        out.ndim != 2 or vector.dtype != out.dtype or not is_aligned(vector)
    ):  # fmt: skip
        return None
    # what is added lies as the result does
    if past is not None and (past.strides, past.dtype) != (out.strides, out.dtype):
        return None
    # and so is the matrix that GELU, or its slope, is taken at, whose rows are of eights
    if gelu is not None and (
        (gelu.shape, gelu.dtype) != (out.shape, out.dtype)
        or not is_aligned(gelu) or out.ndim != 2 or out.shape[1] % 8
    ):  # fmt: skip
        return None
    copies = tuple(row_distance(x) is None for x in (a, b))
    a, b = (np.empty(x.shape, x.dtype) if c else x for x, c in zip((a, b), copies, strict=True))
    batch, stride, begins = batches(a, b, out)
    if sums is not None:
        epilogue = "bias_gradient"
    elif gelu is None:
        epilogue = "none" if bias is None else "bias"
    else:
        epilogue = "gelu_backward" if bias is None else "bias_gelu"
    added = out if past is None else past
    plan = lt.plan(kind_of(compute, a, b, added, out, batch, stride, epilogue))
    return plan and Route(copies, plan, begins)


def kind_of(compute, a, b, added, out, batch, stride, epilogue):
    """Return the Kind of product that gives `out`: its A is our b, and its B our a."""

    def matrix(x, stride):
        transposed, ld = row_distance(x)
        rows, columns = x.shape[-2:] if transposed else x.shape[-1:-3:-1]
        return transposed, Matrix(x.dtype.name, rows, columns, ld, stride)

    (tb, of_b), (ta, of_a), (_, of_out) = map(
        matrix, (b, a, out), (stride[1], stride[0], stride[2])
    )
    aligned = tuple(alignment(x) for x in (b, a, added, out))
    return Kind(
        compute, of_b, of_a, of_out, tb, ta, batch, epilogue, aligned, in_place=added is out
    )


def row_distance(x):
    """Return (whether the last two axes are a transposed matrix, its rows' distance in elements).

    None where they are no matrix: its elements in a row must be neighbours, its rows not overlap.
    """
    (R, C), size = x.shape[-2:], BYTES.get(x.dtype.name, 0)
    if not size or any(
        s % size or (s < 0 and n > 1) for n, s in zip(x.shape, x.strides, strict=True)
    ):
        return None
    down, right = (s // size for s in x.strides[-2:])
    down, right = (C if R == 1 else down), (1 if C == 1 else right)  # of one, any distance is right
    if right == 1 and down >= C:
        return False, down
    if (down == 1 or R == 1) and right >= R:
        return True, right
    return None


def batches(a, b, out):
    """Return how to go through the batch: (matrices in a call, their distances, where calls begin).

    Axes are joined where the next begins where the one before ends, in all three arrays. Of those
    that remain, the longest is left to the library, and there is a call for each place in the
    others. Distances are in elements and beginnings in bytes, of a, b and out.
    """
    shape = out.shape[:-2]
    strides = [broadcast_strides(x, shape) for x in (a, b, out)]
    axes = []  # (length, the three distances in bytes)
    for length, *step in zip(shape, *strides, strict=True):
        if length == 1:
            continue
        if axes and all(
            outer == inner * length for outer, inner in zip(axes[-1][1], step, strict=True)
        ):
            axes[-1] = (axes[-1][0] * length, step)
        else:
            axes.append((length, step))
    if not axes:
        return 1, (0, 0, 0), [(0, 0, 0)]
    axes.sort(key=lambda axis: axis[0])
    n, step = axes.pop()
    begins = [(0, 0, 0)]
    for length, outer in axes:
        begins = [
            tuple(x + i * s for x, s in zip(begin, outer, strict=True))
            for begin in begins
            for i in range(length)
        ]
    stride = tuple(s // x.dtype.itemsize for s, x in zip(step, (a, b, out), strict=True))
    return n, stride, begins


def broadcast_strides(x, shape):
    """Return the distances, in bytes, of the batch axes of x when it is broadcast to `shape`."""
    missing = len(shape) - (x.ndim - 2)
    own = [0 if n == 1 else s for n, s in zip(x.shape[:-2], x.strides[:-2], strict=True)]
    return [0] * missing + own


def alignment(x):
    """Return of which of 16, 8, 4 and 2 bytes the matrices of `x` begin at multiples."""
    return math.gcd(16, address(x), *x.strides[:-2])


def is_aligned(x):
    """Tell whether `x` is contiguous and begins at a multiple of 16 bytes."""
    return bool(x.flags.c_contiguous) and address(x) % 16 == 0
