"""Matrix products on the GPU: `matmul(a, b)` is a b, for views and batches, as `a @ b` writes it.

In the same call a bias can be added, and another matrix, or GELU applied, or b's columns added up
(a bias's gradient). `plain_matmul` says in plain lines what matmul does; that is what runs on NumPy
arrays, and where cublasLt has no way to do it.

Our arrays are row-major and cublasLt's column-major. The same memory read column-major is the
transpose, and out^T = b^T a^T: so b is its first operand and a its second, and nothing is copied.
A view is given as it is if its last two axes are a matrix or the transpose of one, with any
distance between rows; what is neither is copied first. Batches at equal distances are one call.

Products of float32 arrays are rounded as `use_tf32` says; of float16 and bfloat16 arrays they are
summed in float32. Nothing here waits for the GPU, and what cublasLt does can be captured in a CUDA
graph.
"""

from functools import lru_cache

import numpy as np

from minigpt.backend import array_module
from minigpt.cuda import kernels
from minigpt.cuda.cublaslt import TYPES, WORKSPACE_BYTES, Lt, Refused, open_library
from minigpt.cuda.kernels import address
from minigpt.cuda.layouts import route

_handles = {}  # from a device's number ("cpu" for NumPy, in tests) to its Lt
_compute = {np.dtype("float32"): "fp32"}


def use_tf32(on):
    """Round the factors of float32 products to 10 bits, eight times as fast on a GPU, or do not.

    This holds for the whole process, from the next product on.
    """
    _compute[np.dtype("float32")] = "tf32" if on else "fp32"


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


def multiply(a, b, out, scale=1.0, accumulate=False, bias=None, gelu=None, past=None, sums=None):
    """Multiply with cublasLt; return whether it could, and otherwise leave `out` alone.

    `past`, a matrix like `out` in other memory, is added. `sums` (N,), for which there must be no
    bias, becomes b.sum(axis=0). With `bias` and `gelu`, that becomes a b + bias, and out GELU of
    it; see matmul_before_gelu for `gelu` alone.
    """
    assert (bias is None or sums is None) and not (accumulate and past is not None)
    lt = handle_of(a)
    if lt is None or not (a.size and b.size):
        return False
    vector = sums if bias is None else bias  # to the library both are its bias
    added = out if past is None else past
    at_a, at_b, at_out, at_vector, at_gelu, at_added = map(
        address, (a, b, out, vector, gelu, added)
    )
    compute = _compute.get(a.dtype) or ("fp64" if a.dtype == np.float64 else "fp32")
    key = (
        a.shape, a.strides, a.dtype, b.shape, b.strides, out.strides, out.dtype, compute,
        at_a & 15, at_b & 15, at_out & 15, at_vector & 15, at_gelu & 15, at_added & 15,
        *(x is None or (x.shape, x.strides, x.dtype) for x in (bias, gelu, past, sums)),
    )  # fmt: skip
    found = lt.routes.get(key, lambda: route(lt, compute, a, b, out, bias, gelu, past, sums))
    if found is None or found.plan.is_refused:
        return False
    if any(found.copies):
        xp = array_module(a)
        a, b = (xp.ascontiguousarray(x) if copy else x
                for x, copy in zip((a, b), found.copies, strict=True))  # fmt: skip
        at_a, at_b = address(a), address(b)
    stream = 0 if lt is _handles.get("cpu") else array_module(a).cuda.get_current_stream().ptr
    try:
        for into_a, into_b, into_out in found.begins:  # its A is our b
            lt.run(
                found.plan, at_b + into_b, at_a + into_a, at_added + into_out, at_out + into_out,
                scale, float(accumulate or past is not None),
                [at for at in (at_vector, at_gelu) if at], stream,
            )  # fmt: skip
    except Refused:  # the first call already, for all have one plan: nothing is written
        return False
    return True


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
    if bias is None and out.strides[-1] > out.strides[-2] == out.itemsize:  # out^T = b^T a^T
        matmul(
            b.swapaxes(-1, -2), a.swapaxes(-1, -2), out.swapaxes(-1, -2), accumulate, scale=scale
        )
        return out
    if multiply(a, b, out, scale, accumulate, bias):
        return out
    if bias is not None and multiply(a, b, out, scale, accumulate):
        out += bias
        return out
    plain_matmul(a, b, out, accumulate, bias, scale)
    return out


def matmul_past(a, b, bias, past):
    """Return a b + bias + past, past (M, N), in one pass where there is a way."""
    shape = check(a, b, bias)
    if past.shape != shape:
        raise ValueError(f"past has shape {past.shape}; it must be {shape}, that of the product")
    out = kernels.empty(a, shape, a.dtype)
    if not multiply(a, b, out, bias=bias, past=past):
        matmul(a, b, out, bias=bias)
        out += past
    return out


# ---- more in one call: in bfloat16 alone, for how exact the library's is it does not say ------


def matmul_gelu(a, b, bias):
    """Return x = a b + bias (M, N) and GELU(x), made in one pass; None where there is no way."""
    shape = check(a, b, bias)
    if not is_low(a):
        return None
    x, out = kernels.empty(a, shape, a.dtype), kernels.empty(a, shape, a.dtype)
    return (x, out) if could(a, b, out, bias=bias, gelu=x) else None


def matmul_before_gelu(a, b, x):
    """Return (a b) times the slope of GELU at x, all of them (M, N), made in one pass.

    So the gradient goes through GELU without a pass of its own. None where there is no way.
    """
    shape = check(a, b, None)
    if not is_low(a):
        return None
    out = kernels.empty(a, shape, a.dtype)
    return out if could(a, b, out, gelu=x) else None


def matmul_and_sums(a, b, dtype):
    """Return a b (M, N) and b.sum(axis=0) (N,), of the type `dtype`, made in one call.

    These are the gradients of a weight and of its bias. None where there is no way.
    """
    M, N = check(a, b, None)
    if not is_low(a):
        return None
    out, sums = kernels.empty(a, (M, N), dtype), kernels.empty(a, N, dtype)
    return (out, sums) if could(a, b, out, sums=sums) else None


def is_low(x):
    """Tell whether x is bfloat16."""
    return x.dtype.name == "bfloat16"


def could(a, b, out, **more):
    """Multiply; return whether that worked: what can be done in two calls must not fail in one."""
    try:
        return multiply(a, b, out, **more)
    except RuntimeError:
        return False


# ---- in plain lines -------------------------------------------------------------------------


def plain_matmul(a, b, out, accumulate=False, bias=None, scale=1.0):
    """Do what `matmul` does, in plain lines."""
    wide = np.result_type(a.dtype, np.float32)
    product = a.astype(wide) @ b.astype(wide) * wide.type(scale)
    if bias is not None:
        product += bias
    out[...] = out + product if accumulate else product


def check(a, b, bias):
    """Return the shape of a b; raise ValueError where there is none."""
    return product_shape(a.shape, b.shape, a.dtype, b.dtype, None if bias is None else bias.shape)


@lru_cache(maxsize=4096)
def product_shape(a, b, type_a, type_b, bias):
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise ValueError(
            f"the factors have shapes {a} and {b}; they must be (..., M, K) and (..., K, N)"
        )
    if type_a != type_b or type_a.name not in TYPES:
        raise ValueError(
            f"the factors are of types {type_a} and {type_b}; they must be of one, of "
            f"{', '.join(TYPES)}"
        )
    if bias is not None and bias != b[-1:]:
        raise ValueError(f"bias has shape {bias}; it must be {b[-1:]}")
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
