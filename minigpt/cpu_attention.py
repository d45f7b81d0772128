"""Causal self-attention that never looks at masked keys, and keeps little for the backward.

Read it in ops.py first. Here the queries are handled in blocks, each with the keys it may see and
no others, so that half the work is saved, and as many windows at a time as leave the scores in a
core's cache. The scores of a long window would be the largest array there is: they are not kept
but made again, from the logarithm of each row's sum, unless dropout has changed them.

Source: Dao et al. 2022, "FlashAttention", section 3.1 (blocks, and what to keep for the backward).
"""

import functools
import math

import numpy as np

from minigpt.ops import dropout_backward, dropout_forward, split_heads

QUERIES = 64  # rows of queries that are handled at a time, in a long window
KEPT = 128  # the longest window whose scores are kept: of heads of 32 no more than q, k and v
CACHED = 1 << 17  # scores that are handled at a time: two such arrays fit in a core's cache
LIMIT = 30  # exp of it, exp of minus it and sums of such are far from the ends of float32


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


def group_size(B, H, T, rate):
    """Return how many of B windows are handled at a time.

    With dropout all are: its zeros are drawn for a block of queries of all windows.
    """
    _, queries = query_blocks(T)[0]
    return max(1, B if rate else min(B, CACHED // (H * queries * T)))


def groups(B, H, T, rate):
    """Return slices of B windows, each of the windows that are handled at a time."""
    size = group_size(B, H, T, rate)
    return [slice(start, min(start + size, B)) for start in range(0, B, size)]


def turned(x):
    """Return x (B, H, T, D) as (B, H, D, T), a copy.

    BLAS multiplies a small matrix with it in two thirds of the time that a view takes.
    """
    return np.ascontiguousarray(x.swapaxes(2, 3))


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
    rate = 0.0 if rng is None else dropout
    keep_scores = keeps_scores(T, rate)
    kept = []
    for group in groups(B, H, T, rate):
        keys = turned(k[group])  # (b, H, D, T)
        for start, end in query_blocks(T):
            att = masked_scores(q, keys, group, start, end, segments)  # (b, H, q, S)
            taken = exp_in_place(att)
            total = att @ np.ones((end, 1), att.dtype)  # (b, H, q, 1), a sum by BLAS
            att /= total
            dropped, keep = dropout_forward(att, dropout, rng)
            np.matmul(dropped, v[group, :, :end], out=out_heads[group, :, start:end])
            kept.append((att, dropped, keep) if keep_scores else np.log(total) + taken)
    return out.reshape(B, T, H * D), (qkv, n_head, segments, out, rate, kept)


def exp_in_place(scores):
    """Make scores (b, H, q, S) their exp; return what was taken off them before.

    In softmax that is each query's largest score. But to find it takes longer than exp itself, so
    it is 0 where exp needs no help: where the largest is not too large, and not too small either.
    It is no smaller than the query's own score, which a position always sees.
    """
    own = np.diagonal(scores, scores.shape[3] - scores.shape[2], 2, 3)  # (b, H, q)
    taken = 0
    if scores.max() > LIMIT or own.min() < -LIMIT:
        taken = scores.max(axis=-1, keepdims=True)  # (b, H, q, 1)
        # of each by itself: what one query finds must not depend on another
        taken[np.abs(taken) <= LIMIT] = 0
        scores -= taken
    np.exp(scores, out=scores)
    return taken


def masked_scores(q, keys, group, start, end, segments):
    """Return q k^T / sqrt(D) of a group's queries from `start` to `end`: (b, H, q, S).

    -inf where a key is not to be seen. `keys` are the group's, turned: (b, H, D, T).
    """
    scores = q[group, :, start:end] @ keys[..., :end]  # (b, H, q, S)
    scores *= 1 / math.sqrt(q.shape[-1])
    scores[..., start:end] += future(end - start, scores.dtype)
    if segments is not None:
        texts = segments[group]  # (b, T)
        other = texts[:, None, start:end, None] != texts[:, None, None, :end]
        np.copyto(scores, -np.inf, where=other)  # (b, 1, q, S) to every head
    return scores


def attention_backward(dout, cache):
    """Return dqkv (B, T, 3C), written through views in the layout of qkv.

    sum(datt att) of a query is sum(dout out), which is shorter: D numbers instead of S.
    """
    qkv, n_head, segments, out, rate, kept = cache
    q, k, v = split_heads(qkv, n_head)  # each (B, H, T, D)
    B, H, T, D = q.shape
    dqkv = np.empty_like(qkv)
    dq, dk, dv = split_heads(dqkv, n_head)  # views into dqkv
    dout = dout.reshape(B, T, H, D)
    along_out = np.vecdot(dout, out).transpose(0, 2, 1)[..., None]  # (B, H, T, 1)
    dout = dout.transpose(0, 2, 1, 3)  # (B, H, T, D)
    kept = iter(kept[::-1])
    for group in groups(B, H, T, rate)[::-1]:
        keys = None if keeps_scores(T, rate) else turned(k[group])  # (b, H, D, T)
        values = turned(v[group])  # (b, H, D, T)
        for start, end in query_blocks(T)[::-1]:  # the last block's keys are all keys
            if keys is None:
                att, dropped, keep = next(kept)  # (b, H, q, S) each
            else:
                att = masked_scores(q, keys, group, start, end, segments)
                att -= next(kept)
                np.exp(att, out=att)
                dropped, keep = att, None
            d = dout[group, :, start:end]  # (b, H, q, D)
            add_or_set(dv[group, :, :end], dropped.swapaxes(2, 3), d, end == T)
            datt = dropout_backward(d @ values[..., :end], keep)  # (b, H, q, S)
            datt -= along_out[group, :, start:end]
            datt *= att
            datt *= 1 / math.sqrt(D)
            np.matmul(datt, k[group, :, :end], out=dq[group, :, start:end])
            add_or_set(
                dk[group, :, :end], datt.swapaxes(2, 3), q[group, :, start:end], end == T
            )  # fmt: skip
    return dqkv


def add_or_set(out, a, b, is_first):
    """Write a @ b into `out`, or add it."""
    if is_first:
        np.matmul(a, b, out=out)
    else:
        out += a @ b
