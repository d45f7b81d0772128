"""The operations of row_ops.py on a GPU, under the same names, with products of gemm.py.

Read the plain forms there first. Scores and their softmax are float32 whatever the weights
are, and so are the logits: ids are drawn from those. Keys are taken up to the next multiple of
KEYS, which decode.py has room for, so that lengths of every kind need few plans.
"""

import math

from minigpt.backend import array_module
from minigpt.cpu_rows import KEYS
from minigpt.cuda.gemm import matmul
from minigpt.cuda.kernels import wide_type
from minigpt.cuda_ops import gelu_forward, layernorm_forward
from minigpt.ops import softmax


def layernorm(x, g, b, eps):
    """Normalise each row: x (N, C) -> (N, C)."""
    return layernorm_forward(x, g, b, eps)[0]


def gelu(x):
    """Apply GELU, any shape."""
    return gelu_forward(x)[0]


def rows_product(w, b):
    """Return a function x (B, K) -> x w + b (B, N), for w (K, N), b (N,) and few rows."""
    return lambda x: matmul(x.astype(w.dtype, copy=False), w, bias=b)


def logits_product(w):
    """Return a function x (B, C) -> x w^T (B, V), for w (V, C) and few rows."""
    return lambda x: matmul(x.astype(w.dtype, copy=False), w.T, dtype=wide_type(w.dtype))


def cached_attention(q, k, v):
    """Let the last T of S positions look at themselves and all before them.

    q (..., T, D), k and v (..., S, D) -> (..., T, D).
    """
    xp = array_module(q)
    T, S = q.shape[-2], k.shape[-2]
    unseen = xp.arange(S) > xp.arange(S - T, S)[:, None]  # (T, S), true where a key is later
    return attend(q.astype(k.dtype, copy=False), k, v, unseen)


def rows_attention(rows, lengths):
    """Return a function for attention of one position of each of some rows to its row's cache.

    It takes queries q (B, H, D), keys and values kv (2, all rows, H, T, D), and returns (B, H D).
    """
    S = -(-max(lengths) // KEYS) * KEYS
    first, beyond = min(rows), max(rows) + 1
    neighbours = list(rows) == list(range(first, beyond))
    unseen = None  # (B, 1, 1, S), the same in all layers

    def look(q, kv):
        nonlocal unseen
        xp = array_module(q)
        if unseen is None:
            unseen = (xp.arange(S) >= xp.asarray(lengths)[:, None])[:, None, None]
        some = slice(first, beyond) if neighbours else xp.asarray(rows)  # a view, or a copy
        k, v = kv[:, some, :, :S]  # each (B, H, S, D)
        q = q[:, :, None].astype(k.dtype, copy=False)  # (B, H, 1, D)
        out = attend(q, k, v, unseen)  # (B, H, 1, D)
        return out.reshape(len(out), -1)  # (B, H D)

    return look


def attend(q, k, v, unseen):
    """Return softmax(q k^T / sqrt(D)) v, without the keys that are `unseen`."""
    scale = 1 / math.sqrt(q.shape[-1])
    scores = matmul(q, k.swapaxes(-1, -2), dtype=wide_type(q.dtype), scale=scale)  # (..., T, S)
    scores = array_module(q).where(unseen, -math.inf, scores).astype(scores.dtype, copy=False)
    return matmul(softmax(scores).astype(q.dtype, copy=False), v)
