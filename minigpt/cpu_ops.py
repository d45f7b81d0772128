"""The operations of ops.py in forms that are faster on a CPU, under the same names.

Read ops.py first: the mathematics is there, and here is only what makes it fast. A processor
computes much faster than its memory delivers, so the forms below keep to blocks of rows that fit
in a core's cache, work in place on arrays they made themselves, and make no large array that can
be avoided. Operations that would gain nothing are taken from ops.py as they are.

Still pure: no array that was given is changed. Each pair is tested against its plain twin.
"""

import functools

import numpy as np

from minigpt.cpu_attention import attention_backward, attention_forward
from minigpt.ops import (
    GELU_CUBIC,
    GELU_SCALE,
    dropout_backward,
    dropout_forward,
    embedding_forward,
    softmax,
)

__all__ = [
    "attention_backward", "attention_forward", "dropout_backward", "dropout_forward",
    "embedding_backward", "embedding_forward", "gelu_backward", "gelu_forward",
    "layernorm_backward", "layernorm_forward", "linear_and_gelu", "linear_and_residual",
    "linear_backward", "linear_forward", "next_token_loss_backward",
    "next_token_loss_backward_in_pieces", "next_token_loss_forward", "next_token_losses",
    "softmax",
]  # fmt: skip

BLOCK = 1 << 16  # elements in a block of rows: a few such arrays of float32 fit in a core's cache
LOSS_ROWS = 256  # rows of logits at a time, at least
PIECE = 1 << 19  # elements of a piece of the token embedding's gradient


def row_blocks(n, row_size):
    """Yield slices that cover range(n), of about BLOCK elements where a row has `row_size`."""
    size = max(1, BLOCK // row_size)
    for start in range(0, n, size):
        yield slice(start, start + size)


def column_sum(x):
    """Return x.sum(axis=0) of x (N, C) as a product with ones, which BLAS does faster."""
    return np.ones(len(x), x.dtype) @ x  # (C,)


def embedding_backward(dout, cache):
    """Return rows (n,) and dw (n, C): sorted by id, then added up in runs of equal ids."""
    ids, w = cache
    ids = ids.reshape(-1)  # (N,)
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    run_starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    dw = np.add.reduceat(dout.reshape(-1, w.shape[1])[order], run_starts)  # (n, C)
    return ids[run_starts], dw


def linear_forward(x, w, b):
    """Multiply and add, the bias in place: x (B, T, C), w (C, F), b (F,) -> out (B, T, F)."""
    B, T, C = x.shape
    out = x.reshape(B * T, C) @ w  # (N, F)
    out += b
    return out.reshape(B, T, -1), (x, w)


def linear_and_gelu(x, w, b):
    """Multiply, add and apply GELU: -> out (B, T, F), and the caches of GELU and of linear.

    Each block of the product gets its bias while it is in the cache for GELU, and is overwritten
    with GELU's derivative there: it is read once, and no third array is made.
    """
    B, T, C = x.shape
    h = x.reshape(B * T, C) @ w  # (N, F)
    out = np.empty_like(h)  # (N, F)
    for block in row_blocks(len(h), h.shape[1]):
        h[block] += b
        gelu_and_derivative(h[block], out[block], h[block])
    return out.reshape(B, T, -1), h.reshape(B, T, -1), (x, w)


def linear_and_residual(x, w, b, past, rate, rng):
    """Multiply, add, drop, and add `past`: -> out (B, T, F), the caches of dropout and linear."""
    out, linear = linear_forward(x, w, b)
    if rng is not None and rate:
        return *dropout_forward(out, rate, rng, past), linear
    out += past
    return out, None, linear


def linear_backward(dout, cache, gelu=None):
    """Return dx (B, T, C), before GELU if `gelu` is given, dw (C, F), db (F,)."""
    x, w = cache
    dout = dout.reshape(-1, w.shape[1])  # (N, F)
    dx = (dout @ w.T).reshape(x.shape)  # (B, T, C)
    if gelu is not None:
        dx *= gelu  # the cache is the derivative
    return dx, x.reshape(-1, w.shape[0]).T @ dout, column_sum(dout)


def layernorm_forward(x, g, b, eps=1e-5):
    """Normalise each row, a block of rows at a time: x (B, T, C) -> out (B, T, C)."""
    C = x.shape[-1]
    rows = x.reshape(-1, C)  # (N, C)
    xhat, out = np.empty_like(rows), np.empty_like(rows)  # (N, C)
    rstd = np.empty((len(rows), 1), x.dtype)  # (N, 1)
    mean = np.full((C, 1), 1 / C, x.dtype)  # x @ mean is each row's mean, by BLAS
    for block in row_blocks(len(rows), C):
        np.subtract(rows[block], rows[block] @ mean, out=xhat[block])
        variance = np.vecdot(xhat[block], xhat[block])[:, None] / C
        rstd[block] = 1 / np.sqrt(variance + eps)
        xhat[block] *= rstd[block]
        np.multiply(xhat[block], g, out=out[block])
        out[block] += b
    return out.reshape(x.shape), (xhat, rstd, g)


def layernorm_backward(dout, cache, past=None):
    """Return dx (B, T, C), with `past` added, dg (C,), db (C,), a block of rows at a time."""
    xhat, rstd, g = cache
    C = xhat.shape[-1]
    rows = dout.reshape(-1, C)  # (N, C)
    dx = np.empty_like(rows)  # (N, C)
    dg, db = np.zeros_like(g), np.zeros_like(g)  # (C,)
    for block in row_blocks(len(rows), C):
        d, xh = rows[block], xhat[block]
        db += column_sum(d)
        product = d * xh
        dg += column_sum(product)
        along_xhat = (product @ g / C)[:, None]
        along_mean = (d @ g / C)[:, None]
        np.multiply(xh, along_xhat, out=product)
        product += along_mean
        np.multiply(d, g, out=dx[block])
        dx[block] -= product
        dx[block] *= rstd[block]
        if past is not None:
            dx[block] += past.reshape(dx.shape)[block]
    return dx.reshape(dout.shape), dg, db


def gelu_forward(x):
    """Return gelu(x), and as the cache its derivative, computed while x is in the cache."""
    rows = x.reshape(-1, x.shape[-1])  # (N, F)
    out, derivative = np.empty_like(rows), np.empty_like(rows)  # (N, F)
    for block in row_blocks(len(rows), rows.shape[1]):
        gelu_and_derivative(rows[block], out[block], derivative[block])
    return out.reshape(x.shape), derivative.reshape(x.shape)


def gelu_and_derivative(x, out, derivative):
    """Write gelu(x) and its derivative; `derivative` may be x itself.

    (1 + tanh(u)) / 2 is gate = 1 / (1 + exp(-2u)), and exp takes half the time of tanh. By the
    product rule the derivative of x gate is gate + x gate (1 - gate) 2 du.
    """
    square = x * x
    gate = square * (-2 * GELU_SCALE * GELU_CUBIC)
    gate -= 2 * GELU_SCALE
    gate *= x  # -2u
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is 0, as it should be
        np.exp(gate, out=gate)
    gate += 1
    np.divide(1, gate, out=gate)
    np.multiply(x, gate, out=out)
    square *= 6 * GELU_SCALE * GELU_CUBIC
    square += 2 * GELU_SCALE  # 2 du
    np.multiply(out, gate, out=derivative)  # x is not needed any more
    np.subtract(out, derivative, out=derivative)
    derivative *= square
    derivative += gate


def gelu_backward(dout, cache):
    """Return dx: one product, since the cache is the derivative."""
    return dout * cache


def next_token_losses(x, w, targets):
    """Return each target's loss (B, T), a block of rows at a time."""
    rows, which, places = rows_with_targets(x, targets)
    losses = np.zeros(targets.size, x.dtype)  # (N,)
    for block in row_blocks(len(rows), len(w)):
        _, losses[places[block]] = exp_logits_and_losses(rows[block] @ w.T, which[block])
    return losses.reshape(targets.shape)


def rows_with_targets(x, targets):
    """Return the rows (n, C) of x that have a target, the targets (n,), and the rows' numbers (n,).

    The other rows cost nothing. In fine-tuning, where only answers are learned, they are half.
    """
    rows, which = x.reshape(-1, x.shape[-1]), targets.reshape(-1)
    places = np.flatnonzero(which >= 0)  # (n,)
    if len(places) < len(rows):
        rows, which = rows[places], which[places]
    return rows, which, places


def next_token_loss_forward(x, w, targets, n_targets):
    """Return the loss and, as the cache, what its gradients are made of.

    That is done for a block of rows at a time, while its logits are at hand. A block has many rows
    even if the vocabulary is large, since each block goes through all of w. Beside dx, the smaller
    of two arrays is kept: the gradient of w (V, C), or that of the logits (N, V), from which the
    first is one product away.
    """
    rows, which, places = rows_with_targets(x, targets)
    dx, kept, loss = np.empty_like(rows), [], 0.0
    dw = None if len(rows) else np.zeros_like(w)  # (V, C)
    weight = np.asarray(1 / n_targets, x.dtype)
    for block in row_blocks(len(rows), max(1, min(len(w) // 4, BLOCK // LOSS_ROWS))):
        logits, losses = exp_logits_and_losses(rows[block] @ w.T, which[block])
        loss += float(losses.sum(dtype=np.float64))
        logits *= (weight / logits.sum(axis=-1))[:, None]  # softmax, weighted
        logits[np.arange(len(losses)), which[block]] -= weight
        np.matmul(logits, w, out=dx[block])
        if len(rows) < w.shape[1]:
            kept.append((logits, rows[block]))
        elif dw is None:
            dw = logits.T @ rows[block]  # (V, C)
        else:
            for ids in table_pieces(w):
                dw[ids] += logits[:, ids].T @ rows[block]
        del logits  # before the next block's are made
    if len(places) < targets.size:
        learned, dx = dx, np.zeros((targets.size, x.shape[-1]), x.dtype)  # (N, C)
        dx[places] = learned
    return np.float64(loss) / n_targets, (dx.reshape(x.shape), dw, kept, w)


def next_token_loss_backward(dloss, cache):
    """Return dx (B, T, C) and dw (V, C)."""
    dx, pieces = next_token_loss_backward_in_pieces(dloss, cache)
    return dx, np.concatenate([dw for _, dw in pieces])


def next_token_loss_backward_in_pieces(dloss, cache):
    """Return dx (B, T, C) and an iterator of pairs (ids, dw (n, C)), each for a few rows of w."""
    dx, dw, kept, w = cache

    def pieces():
        for ids in table_pieces(w):
            piece = dw[ids] if dw is not None else product(kept, ids)
            yield ids, piece if dloss == 1 else piece * dloss

    return dx if dloss == 1 else dx * dloss, pieces()


def product(kept, ids):
    """Return the rows `ids` of dlogits^T x (V, C), summed over blocks of rows."""
    parts = (logits[:, ids].T @ rows for logits, rows in kept)
    return functools.reduce(np.add, parts)


def table_pieces(w):
    """Return slices of the rows of w (V, C): pieces that fit in the cache all cores share."""
    V, C = w.shape
    size = max(1, PIECE // C)
    return [slice(start, min(start + size, V)) for start in range(0, V, size)]


def exp_logits_and_losses(logits, which):
    """Return exp(logits - max) (n, V), made in place, and the losses (n,) of the ids `which`."""
    logits -= logits.max(axis=-1, keepdims=True)
    target_logits = logits[np.arange(len(which)), which]  # (n,)
    np.exp(logits, out=logits)
    return logits, np.log(logits.sum(axis=-1)) - target_logits
