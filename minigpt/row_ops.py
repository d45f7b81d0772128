"""The operations of generation: forward alone, and nothing is kept for a backward.

Read decode.py first, which calls these. It reads a text's positions once and keeps their keys and
values, so each further step has few rows x (B, C), one for each text, instead of whole windows.
The mathematics is that of ops.py.

cpu_rows.py and cuda/rows.py have faster forms under the same names, which are tested against these.
The letters of the shapes are those of ops.py.
"""

import math

from minigpt.backend import array_module
from minigpt.ops import gelu_forward, layernorm_forward, softmax


def layernorm(x, g, b, eps):
    """Normalise each row: x (N, C) -> (N, C)."""
    return layernorm_forward(x, g, b, eps)[0]


def gelu(x):
    """Apply GELU, any shape."""
    return gelu_forward(x)[0]


def rows_product(w, b):
    """Return a function x (B, K) -> x w + b (B, N), for w (K, N), b (N,) and few rows."""
    return lambda x: x @ w + b


def logits_product(w):
    """Return a function x (B, C) -> x w^T (B, V), for w (V, C) and few rows."""
    return lambda x: x @ w.T


def cached_attention(q, k, v):
    """Let the last T of S positions look at themselves and all before them.

    q (..., T, D), k and v (..., S, D) -> (..., T, D). With T = 1 there is nothing to mask.
    """
    xp = array_module(q)
    T, S, D = q.shape[-2], k.shape[-2], q.shape[-1]
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(D)  # (..., T, S)
    future = xp.triu(xp.ones((T, S), dtype=bool), k=S - T + 1)  # (T, S)
    return softmax(xp.where(future, xp.asarray(-xp.inf, q.dtype), scores)) @ v


def rows_attention(rows, lengths):
    """Return a function for attention of one position of each of some rows to its row's cache.

    It takes queries q (B, H, D), keys and values kv (2, all rows, H, T, D), and returns (B, H D).
    Query i looks at the first lengths[i] positions of row rows[i]; what is cached beyond must be
    finite.
    """

    def attend(q, kv):
        xp, S, (k, v) = array_module(q), max(lengths), kv
        scores = q[:, :, None] @ k[rows, :, :S].swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        unseen = xp.arange(S) >= xp.asarray(lengths)[:, None]  # (B, S)
        scores = xp.where(unseen[:, None, None], xp.asarray(-xp.inf, q.dtype), scores)
        return (softmax(scores) @ v[rows, :, :S]).reshape(len(q), -1)  # (B, H D)

    return attend
