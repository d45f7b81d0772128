"""Matrix products on the GPU, and what can be done in the same pass: bias, GELU, bias gradients.

    matmul(a, b)                          a b, for views and batches, as `a @ b` writes it
    linear_gelu, linear_gelu_backward     x w + b and GELU, and their backward
    weight_gradient                       x^T dout, and dout summed over the rows

Each function has the plain lines it replaces below it (`plain_...`). They are what runs on NumPy
arrays, and where cublasLt has no way to do it: an epilogue for odd sizes, say.

Our arrays are row-major and cublasLt's column-major. The same memory read column-major is the
transpose, and out^T = b^T a^T: so b is its first operand and a its second, and nothing is copied.
A view is given as it is if its last two axes are a matrix or the transpose of one, with any
distance between rows; what is neither is copied first. Batches at equal distances are one call.

Products of float32 arrays are rounded as `use_tf32` says; of float16 and bfloat16 arrays they are
summed in float32. Nothing here waits for the GPU, and all of it can be captured in a CUDA graph.
"""

import math

import numpy as np

from minigpt.backend import array_module
from minigpt.cuda.cublaslt import BYTES, TYPES, WORKSPACE_BYTES, Kind, Lt, Matrix, open_library
from minigpt.ops import gelu_backward, gelu_forward

_handles = {}  # from a device's number ("cpu" for NumPy, in tests) to its Lt
_compute = {"float32": "fp32", "float64": "fp64", "float16": "fp32", "bfloat16": "fp32"}


def use_tf32(on):
    """Round the factors of float32 products to 10 bits, eight times as fast on a GPU, or do not.

    This holds for the whole process, from the next product on.
    """
    _compute["float32"] = "tf32" if on else "fp32"


def handle_of(x):
    """Return the Lt of the device `x` is on, None where it computes with NumPy."""
    number = getattr(x.device, "id", "cpu")
    if number == "cpu":
        return _handles.get("cpu")
    if number not in _handles:
        workspace = array_module(x).empty(WORKSPACE_BYTES, "uint8")
        _handles[number] = Lt(open_library(), address(workspace))
        _handles[number].memory = workspace  # kept alive
    return _handles[number]


def address(x):
    """Return where an array begins, 0 for None."""
    if x is None:
        return 0
    return x.ctypes.data if isinstance(x, np.ndarray) else x.data.ptr


# ---- a b ------------------------------------------------------------------------------------


def matmul(a, b, out=None, accumulate=False, dtype=None, bias=None, scale=1.0):
    """Return scale a b + bias: a (..., M, K), b (..., K, N), bias (N,) -> (..., M, N).

    Leading axes are a batch and are broadcast. The result has the type `dtype`, default that of a
    and b, or goes to `out`, to what is there already with `accumulate`. Raises ValueError for
    shapes and types that do not fit.
    """
    shape = check(a, b, bias)
    if out is None:
        if accumulate:
            raise ValueError("accumulate is True; there must be an `out` to add to")
        out = array_module(a).empty(shape, dtype or a.dtype)
    elif out.shape != shape:
        raise ValueError(f"out has shape {out.shape}; it must be {shape}, that of the product")
    transposed, _ = row_distance(out) or (False, 0)
    if transposed and bias is None:  # out^T = b^T a^T
        matmul(
            b.swapaxes(-1, -2), a.swapaxes(-1, -2), out.swapaxes(-1, -2), accumulate, scale=scale
        )
        return out
    epilogue = "none" if bias is None else "bias"
    if multiply(a, b, out, scale, accumulate, epilogue, bias):
        return out
    if bias is not None and multiply(a, b, out, scale, accumulate):
        out += bias
        return out
    plain_matmul(a, b, out, accumulate, bias, scale)
    return out


def plain_matmul(a, b, out, accumulate=False, bias=None, scale=1.0):
    """Do what `matmul` does, in plain lines."""
    wide = np.result_type(a.dtype, np.float32)
    product = a.astype(wide) @ b.astype(wide) * wide.type(scale)
    if bias is not None:
        product += bias
    out[...] = out + product if accumulate else product


def check(a, b, bias):
    """Return the shape of a b; raise ValueError where there is none."""
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"the factors have shapes {a.shape} and {b.shape}; they must be (..., M, "
                         f"K) and (..., K, N)")  # fmt: skip
    if a.dtype != b.dtype or a.dtype.name not in TYPES:
        raise ValueError(f"the factors are of types {a.dtype} and {b.dtype}; they must be of one, "
                         f"of {', '.join(TYPES)}")  # fmt: skip
    if bias is not None and bias.shape != b.shape[-1:]:
        raise ValueError(f"bias has shape {bias.shape}; it must be {b.shape[-1:]}")
    return (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])


# ---- GELU(x w + b) --------------------------------------------------------------------------


def linear_gelu(x, w, b):
    """Return GELU(h) and h = x w + b: x (N, C), w (C, F), b (F,) -> (N, F) twice."""
    xp, shape = array_module(x), check(x, w, b)
    out, h = xp.empty(shape, x.dtype), xp.empty(shape, x.dtype)
    if not multiply(x, w, out, epilogue="gelu_aux_bias", bias=b, aux=h):
        return plain_linear_gelu(x, w, b)
    return out, h


def plain_linear_gelu(x, w, b):
    """Do what `linear_gelu` does, without its epilogue."""
    h = matmul(x, w, bias=b)  # (N, F)
    return gelu_forward(h)[0].astype(x.dtype, copy=False), h


def linear_gelu_backward(dout, w, h):
    """Return dh (N, F) and its sum over the rows, db (F,): dout (N, C), w (F, C), h (N, F).

    This is the backward of a linear layer after a GELU, through the layer's weights `w` to the
    GELU's input h: dh = (dout w^T) GELU'(h). db is float32, or float64.
    """
    xp, wt = array_module(dout), w.T
    dh, db = (xp.empty(shape, dout.dtype) for shape in (check(dout, wt, None), h.shape[1:]))
    if not multiply(dout, wt, dh, epilogue="dgelu_bgrad", bias=db, aux=h):
        return plain_linear_gelu_backward(dout, w, h)
    return dh, db.astype(wide_type(db), copy=False)


def plain_linear_gelu_backward(dout, w, h):
    """Do what `linear_gelu_backward` does, without its epilogue."""
    dh = gelu_backward(matmul(dout, w.T), gelu_forward(h)[1])  # (N, F)
    dh = dh.astype(dout.dtype, copy=False)
    return dh, dh.sum(axis=0, dtype=wide_type(dh))


# ---- the gradient of a linear layer's weights and bias --------------------------------------


def weight_gradient(x, dout):
    """Return dw = x^T dout (C, F) and db, dout's sum over the rows (F,): x (N, C), dout (N, F).

    Both are float32, or float64.
    """
    xp, xt, wide = array_module(x), x.T, wide_type(x)
    dw, db = (xp.empty(shape, wide) for shape in (check(xt, dout, None), dout.shape[1:]))
    if not multiply(xt, dout, dw, epilogue="bgrada", bias=db):
        return plain_weight_gradient(x, dout)
    return dw, db


def plain_weight_gradient(x, dout):
    """Do what `weight_gradient` does, without its epilogue."""
    return matmul(x.T, dout, dtype=wide_type(x)), dout.sum(axis=0, dtype=wide_type(x))


def wide_type(x):
    """Return the type that sums of x are kept in: float64 for that, float32 for all others."""
    return np.dtype("float64" if x.dtype == np.float64 else "float32")


# ---- from arrays to addresses ---------------------------------------------------------------


def multiply(a, b, out, scale=1.0, accumulate=False, epilogue="none", bias=None, aux=None):
    """Multiply with cublasLt; return whether it could, and otherwise leave `out` alone."""
    lt = handle_of(a)
    if lt is None or not (a.size and b.size) or (row_distance(out) or (True,))[0]:
        return False
    if epilogue != "none":
        # a vector per column of the whole result: no batch, and 16 bytes read at a time
        fits = out.ndim == 2 and bias.dtype == out.dtype and is_aligned(bias)
        if not fits or (aux is not None and not (is_aligned(aux) and aux.shape[1] % 8 == 0)):
            return False
    a, b = (x if row_distance(x) else array_module(x).ascontiguousarray(x) for x in (a, b))
    batch, stride, steps = batches(a, b, out)
    kind = kind_of(a, b, out, batch, stride, epilogue, aux)
    plan = lt.plan(kind)
    if plan is None:
        return False
    stream = 0 if isinstance(a, np.ndarray) else array_module(a).cuda.get_current_stream().ptr
    for step_a, step_b, step_out in steps:
        lt.run(
            plan, address(b) + step_b, address(a) + step_a, address(out) + step_out, scale,
            float(accumulate), address(bias), address(aux), stream,
        )  # fmt: skip
    return True


def kind_of(a, b, out, batch, stride, epilogue, aux):
    """Return the Kind of product that gives `out`: its A is our b, and its B our a."""

    def matrix(x, stride):
        transposed, ld = row_distance(x)
        rows, columns = x.shape[-2:] if transposed else x.shape[-1:-3:-1]
        return transposed, Matrix(x.dtype.name, rows, columns, ld, stride)

    (tb, of_b), (ta, of_a), (_, of_out) = map(
        matrix, (b, a, out), (stride[1], stride[0], stride[2])
    )
    aligned = tuple(alignment(x) for x in (b, a, out, out))
    aux_ld = 0 if aux is None else aux.shape[1]
    compute = _compute[a.dtype.name]
    return Kind(compute, of_b, of_a, of_out, tb, ta, batch, epilogue, aux_ld, aligned)


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
