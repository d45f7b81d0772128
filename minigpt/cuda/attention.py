"""Attention on the GPU: two batched products with a softmax kernel between, or flash attention.

The first holds all scores (B, H, T, T), and takes everything: segments, any type and size of heads,
and as the second does dropout. The plain form is ops.attention_forward.
"""

import math

from minigpt.cuda import flash, gemm, kernels
from minigpt.cuda.dropout import NO_DRAW, next_seed
from minigpt.cuda.kernels import int32, launch, wide_type, width
from minigpt.ops import split_heads

ROWS = 4  # rows that a block of 128 threads has, one for each warp


def attention_forward(qkv, n_head, dropout=0.0, rng=None, segments=None):
    """Let every position look at itself and the positions before it, within its segment.

    qkv (B, T, 3C) -> out (B, T, C).
    """
    qkv = kernels.contiguous(qkv)
    draw = None
    if rng is not None and dropout:
        draw = (*next_seed(rng), float(dropout))
    if segments is None and flash.fits(qkv, n_head):
        out, cache = flash.flash_forward(qkv, n_head, draw)
        return out, (flash.flash_backward, cache)
    out, cache = scores_forward(qkv, n_head, draw, segments)
    return out, (scores_backward, cache)


def attention_backward(dout, cache):
    """Return dqkv (B, T, 3C)."""
    backward, rest = cache
    return backward(dout, rest)


# ---- all scores in memory -------------------------------------------------------------------


def scores_forward(qkv, n_head, draw, segments):
    """Return out (B, T, C) and a cache; `draw` is (seed, call, rate) of the dropout, or None."""
    q, k, v = split_heads(qkv, n_head)  # each (B, H, T, D)
    B, H, T, D = q.shape
    wide = wide_type(qkv.dtype)
    scores = gemm.matmul(q, k.swapaxes(-1, -2), dtype=wide, scale=1 / math.sqrt(D))  # (B, H, T, T)
    att = scores if wide == qkv.dtype else kernels.empty(qkv, scores.shape)  # in place
    dropped = kernels.empty(qkv, scores.shape) if draw else None
    launch(
        "causal_softmax_forward", qkv.dtype, math.ceil(B * H * T / ROWS), 32 * ROWS,
        scores, att, dropped, None if segments is None else int32(segments),
        *(draw or NO_DRAW), B * H * T, H, T, W=width(T, att, scores, dropped),
    )  # fmt: skip
    out = kernels.empty(qkv, (B, T, H, D))
    gemm.matmul(att if dropped is None else dropped, v, out=out.transpose(0, 2, 1, 3))
    return out.reshape(B, T, H * D), (qkv, n_head, att, dropped, draw)


def scores_backward(dout, cache):
    """Return dqkv (B, T, 3C), written through views in the layout of qkv."""
    qkv, n_head, att, dropped, draw = cache
    q, k, v = split_heads(qkv, n_head)  # each (B, H, T, D)
    B, H, T, D = q.shape
    dqkv = kernels.empty(qkv, qkv.shape)
    dq, dk, dv = split_heads(dqkv, n_head)  # views into dqkv
    dout = dout.reshape(B, T, H, D).transpose(0, 2, 1, 3)  # (B, H, T, D)
    seen = att if dropped is None else dropped
    gemm.matmul(seen.swapaxes(-1, -2), dout, out=dv)
    datt = gemm.matmul(dout, v.swapaxes(-1, -2), dtype=wide_type(qkv.dtype))  # (B, H, T, T)
    dscores = datt if datt.dtype == qkv.dtype else kernels.empty(qkv, datt.shape)  # in place
    launch(
        "causal_softmax_backward", qkv.dtype, math.ceil(B * H * T / ROWS), 32 * ROWS,
        datt, att, dscores, *(draw or NO_DRAW), 1 / math.sqrt(D), B * H * T, T,
        W=width(T, att, datt, dscores),
    )  # fmt: skip
    gemm.matmul(dscores, k, out=dq)
    gemm.matmul(dscores.swapaxes(-1, -2), q, out=dk)
    return dqkv
