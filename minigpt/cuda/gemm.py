"""Matrix products: the plain form, on any array library."""

import numpy as np


def matmul(a, b, out=None, accumulate=False, dtype=None, bias=None, scale=1.0):
    """Return scale a b + bias, of type `dtype`, or put it (or add it) into `out`."""
    wide = np.result_type(a.dtype, np.float32)
    product = a.astype(wide) @ b.astype(wide) * wide.type(scale)
    if bias is not None:
        product += bias.astype(wide)
    if out is None:
        return product.astype(dtype or a.dtype)
    out[...] = out.astype(wide) + product if accumulate else product
    return out


def weight_gradient(x, dout):
    """Return dw = x^T dout (C, F) and db, dout's sum over the rows (F,); both float32."""
    wide = np.result_type(x.dtype, np.float32)
    return matmul(x.T, dout, dtype=wide), dout.sum(axis=0, dtype=wide)
