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
summed in float32. Nothing here waits for the GPU, and what cublasLt does can be captured in a CUDA
graph.
"""

from functools import lru_cache

import numpy as np

from minigpt.backend import array_module
from minigpt.cuda.cublaslt import TYPES, WORKSPACE_BYTES, Lt, open_library
from minigpt.cuda.kernels import address, wide_type
from minigpt.cuda.layouts import route
from minigpt.ops import gelu_backward, gelu_forward

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


def multiply(a, b, out, scale=1.0, accumulate=False, epilogue="none", bias=None, aux=None):
    """Multiply with cublasLt; return whether it could, and otherwise leave `out` alone."""
    lt = handle_of(a)
    if lt is None or not (a.size and b.size):
        return False
    at_a, at_b, at_out, at_bias, at_aux = map(address, (a, b, out, bias, aux))
    compute = _compute.get(a.dtype) or ("fp64" if a.dtype == np.float64 else "fp32")
    key = (
        a.shape, a.strides, a.dtype, b.shape, b.strides, out.strides, out.dtype, compute, epilogue,
        at_a & 15, at_b & 15, at_out & 15, at_bias & 15, at_aux & 15,
        bias is None or (bias.strides, bias.dtype), aux is None or aux.strides,
    )  # fmt: skip
    if key not in lt.routes:
        lt.routes[key] = route(lt, compute, a, b, out, epilogue, bias, aux)
    found = lt.routes[key]
    if found is None:
        return False
    if any(found.copies):
        xp = array_module(a)
        a, b = (xp.ascontiguousarray(x) if copy else x
                for x, copy in zip((a, b), found.copies, strict=True))  # fmt: skip
        at_a, at_b = address(a), address(b)
    stream = 0 if lt is _handles.get("cpu") else array_module(a).cuda.get_current_stream().ptr
    for into_a, into_b, into_out in found.begins:  # its A is our b
        lt.run(
            found.plan, at_b + into_b, at_a + into_a, at_out + into_out, scale, float(accumulate),
            at_bias, at_aux, stream,
        )  # fmt: skip
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
    return dh, db.astype(wide_type(db.dtype), copy=False)


def plain_linear_gelu_backward(dout, w, h):
    """Do what `linear_gelu_backward` does, without its epilogue."""
    dh = gelu_backward(matmul(dout, w.T), gelu_forward(h)[1])  # (N, F)
    dh = dh.astype(dout.dtype, copy=False)
    return dh, dh.sum(axis=0, dtype=wide_type(dh.dtype))


# ---- the gradient of a linear layer's weights and bias --------------------------------------


def weight_gradient(x, dout):
    """Return dw = x^T dout (C, F) and db, dout's sum over the rows (F,): x (N, C), dout (N, F).

    Both are float32, or float64.
    """
    xp, xt, wide = array_module(x), x.T, wide_type(x.dtype)
    dw, db = (xp.empty(shape, wide) for shape in (check(xt, dout, None), dout.shape[1:]))
    if not multiply(xt, dout, dw, epilogue="bgrada", bias=db):
        return plain_weight_gradient(x, dout)
    return dw, db


def plain_weight_gradient(x, dout):
    """Do what `weight_gradient` does, without its epilogue."""
    return matmul(x.T, dout, dtype=wide_type(x.dtype)), dout.sum(axis=0, dtype=wide_type(x.dtype))
