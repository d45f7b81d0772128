"""Causal self-attention that never looks at masked keys, and keeps little for the backward.

Read it in ops.py first. Here the queries are handled in blocks, each with the keys it may see and
no others, so that half the work is saved and the scores stay in a core's cache. The scores of a
long window would be the largest array there is: they are not kept but made again, from the
logarithm of each row's sum, unless dropout has changed them.

Source: Dao et al. 2022, "FlashAttention", section 3.1 (blocks, and what to keep for the backward).
"""

import functools
import math

import numpy as np

from minigpt.ops import dropout_backward, dropout_forward, split_heads

QUERIES = 64  # rows of queries that are handled at a time, in a long window
KEPT = 128  # the longest window whose scores are kept: of heads of 32 no more than q, k and v


def keeps_scores(T, dropout):
    """Tell whether the scores of a window of T are kept for the backward pass."""
    return T <= KEPT or dropout > 0


def query_blocks(T):
    """Return (start, end) of each block of queries of a window of T.

    In smaller blocks fewer keys are looked at in vain, but what a block adds to the gradients of
    its keys has to be added to more often.
    """
    size = QUERIES if T > KEPT else max(1, QUERIES // 2)
    return [(start, min(start + size, T)) for start in range(0, T, size)]


@functools.cache
def future(n, dtype):
    """Return a square (n, n) to add to scores: -inf where the key is later than the query."""
    return np.triu(np.full((n, n), -np.inf, dtype), 1)


def attention_forward(qkv, n_head, dropout=0.0, rng=None, segments=None):
    """Attention in blocks of queries: qkv (B, T, 3C) -> out (B, T, C).

    The part of the scores that the mask would throw away is never computed, but for the triangle
    on the diagonal.
    """
    q, k, v = split_heads(qkv, n_head)  # each (B, H, T, D)
    B, H, T, D = q.shape
    out = np.empty((B, T, H, D), qkv.dtype)
    out_heads = out.transpose(0, 2, 1, 3)  # (B, H, T, D), a view
    keep_scores = keeps_scores(T, 0 if rng is None else dropout)
    blocks = []
    for start, end in query_blocks(T):
        att = masked_scores(q, k, start, end, segments)  # (B, H, q, S)
        largest = att.max(axis=-1, keepdims=True)  # (B, H, q, 1)
        att -= largest
        np.exp(att, out=att)
        total = att @ np.ones((end, 1), att.dtype)  # (B, H, q, 1), a sum by BLAS
        att /= total
        dropped, keep = dropout_forward(att, dropout, rng)
        np.matmul(dropped, v[:, :, :end], out=out_heads[:, :, start:end])
        kept = (att, dropped, keep) if keep_scores else np.log(total) + largest
        blocks.append((start, end, kept))
    return out.reshape(B, T, H * D), (qkv, n_head, segments, out, blocks)


def masked_scores(q, k, start, end, segments):
    """Return q k^T / sqrt(D) of the queries from `start` to `end`: (B, H, q, S), -inf if unseen."""
    scores = q[:, :, start:end] @ k[:, :, :end].transpose(0, 1, 3, 2)  # (B, H, q, S)
    scores *= 1 / math.sqrt(q.shape[-1])
    scores[..., start:end] += future(end - start, scores.dtype)
    if segments is not None:
        other = segments[:, None, start:end, None] != segments[:, None, None, :end]
        np.copyto(scores, -np.inf, where=other)  # (B, 1, q, S) to every head
    return scores


def attention_backward(dout, cache):
    """Return dqkv (B, T, 3C), written through views in the layout of qkv.

    sum(datt att) of a query is sum(dout out), which is shorter: D numbers instead of S.
    """
    qkv, n_head, segments, out, blocks = cache
    q, k, v = split_heads(qkv, n_head)  # each (B, H, T, D)
    B, H, T, D = q.shape
    dqkv = np.empty_like(qkv)
    dq, dk, dv = split_heads(dqkv, n_head)  # views into dqkv
    dout = dout.reshape(B, T, H, D)
    along_out = np.vecdot(dout, out).transpose(0, 2, 1)[..., None]  # (B, H, T, 1)
    dout = dout.transpose(0, 2, 1, 3)  # (B, H, T, D)
    for start, end, kept in blocks[::-1]:  # the last block's keys are all keys
        if isinstance(kept, tuple):
            att, dropped, keep = kept  # (B, H, q, S) each
        else:
            att = masked_scores(q, k, start, end, segments)
            att -= kept
            np.exp(att, out=att)
            dropped, keep = att, None
        d = dout[:, :, start:end]  # (B, H, q, D)
        add_or_set(dv[:, :, :end], dropped.transpose(0, 1, 3, 2), d, end == T)
        datt = dropout_backward(d @ v[:, :, :end].transpose(0, 1, 3, 2), keep)  # (B, H, q, S)
        datt -= along_out[:, :, start:end]
        datt *= att
        datt *= 1 / math.sqrt(D)
        np.matmul(datt, k[:, :, :end], out=dq[:, :, start:end])
        add_or_set(dk[:, :, :end], datt.transpose(0, 1, 3, 2), q[:, :, start:end], end == T)
    return dqkv


def add_or_set(out, a, b, is_first):
    """Write a @ b into `out`, or add it."""
    if is_first:
        np.matmul(a, b, out=out)
    else:
        out += a @ b
