"""The operations of ops.py on a GPU, under the same names: fused kernels and cublasLt's products.

Read ops.py first: the mathematics stands there. A GPU computes much faster than its memory
delivers, so an operation is one kernel (cuda/*.cu) that reads its inputs once and writes its
outputs once, and keeps little for the backward, which rather computes it again.

Arrays are float32 or bfloat16, or float64 in tests. Sums, statistics, softmax and losses are
computed in float32 inside of the kernels, and the gradients of parameters are float32. Nothing
here waits for the GPU or asks for a number on it, and shapes follow from shapes alone: so a
training step can be captured in a CUDA graph.

Still pure: no array that was given is changed. Each pair is tested against its plain twin. Beside
the operations there is what a captured step needs instead of a generator and of optim.py: Seed,
squared_norm and adamw_step.
"""

import math

from minigpt.cuda import gemm, kernels
from minigpt.cuda.adamw import adamw_step
from minigpt.cuda.attention import attention_backward, attention_forward
from minigpt.cuda.dropout import Seed, dropout_backward, dropout_forward
from minigpt.cuda.embedding import embedding_backward, embedding_forward
from minigpt.cuda.kernels import flat_launch, int32, launch, wide_type, width
from minigpt.cuda.sums import column_sum, squared_norm
from minigpt.ops import softmax

__all__ = [
    "Seed", "adamw_step", "attention_backward", "attention_forward", "dropout_backward",
    "dropout_forward", "embedding_backward", "embedding_forward", "gelu_backward", "gelu_forward",
    "layernorm_backward", "layernorm_forward", "linear_and_gelu", "linear_and_residual",
    "linear_backward", "linear_forward", "next_token_loss_backward",
    "next_token_loss_backward_in_pieces", "next_token_loss_forward", "next_token_losses",
    "softmax", "squared_norm",
]  # fmt: skip

ROWS = 4  # rows that a block of 128 threads has, one for each warp
MOST_BLOCKS = 1056  # where blocks take turns at rows: eight for each processor of an H200
SHARED_BYTES = 48 << 10  # what a block has without asking
LOGITS = 1 << 30  # the most logits that exist at once
LINE = 128  # bytes: tensor cores are fastest where every row of both factors takes whole lines
TILE = 128  # rows of a product that are computed together
# a bias's gradient from cublasLt, too: off, since its kernel for bfloat16 may read `dout` once more
# than ours, and slowly; bench_gpu.py measures both
SUMS_WITH_PRODUCT = False


def rows_of(x):
    """Return x (..., C) as contiguous rows (N, C)."""
    return kernels.contiguous(x.reshape(-1, x.shape[-1]))


# ---- linear ---------------------------------------------------------------------------------


def linear_forward(x, w, b):
    """Multiply and add: x (B, T, C), w (C, F), b (F,) -> out (B, T, F)."""
    out = gemm.matmul(x.reshape(-1, x.shape[-1]), w, bias=b)  # (N, F)
    return out.reshape(*x.shape[:-1], -1), (x, w)


def linear_and_gelu(x, w, b):
    """Multiply, add and apply GELU: -> out (B, T, F), and the caches of GELU and of linear."""
    found = gemm.matmul_gelu(rows_of(x), w, b)
    if found is None:
        h, linear = linear_forward(x, w, b)
        return *gelu_forward(h), linear
    h, out = (y.reshape(*x.shape[:-1], -1) for y in found)  # (B, T, F)
    return out, h, (x, w)


def linear_and_residual(x, w, b, past, rate, rng):
    """Multiply, add, drop, and add `past`: -> out (B, T, F), the caches of dropout and linear."""
    if rng is not None and rate:
        out, linear = linear_forward(x, w, b)
        return *dropout_forward(out, rate, rng, past), linear
    out = gemm.matmul_past(x.reshape(-1, x.shape[-1]), w, b, rows_of(past))  # (N, F)
    return out.reshape(past.shape), None, (x, w)


def linear_backward(dout, cache, gelu=None):
    """Return dx (B, T, C), or that before GELU, dw (C, F), db (F,)."""
    x, w = cache
    dout = rows_of(dout)  # (N, F)
    dx = None if gelu is None else gemm.matmul_before_gelu(dout, w.T, rows_of(gelu))  # (N, C)
    if dx is None:
        dx = gemm.matmul(dout, w.T)
        dx = dx if gelu is None else gelu_backward(dx, gelu)
    rows, wide = x.reshape(-1, w.shape[0]), wide_type(w.dtype)
    found = gemm.matmul_and_sums(rows.T, dout, wide) if SUMS_WITH_PRODUCT else None
    dw, db = found or (gemm.matmul(rows.T, dout, dtype=wide), column_sum(dout))  # (C, F), (F,)
    return dx.reshape(x.shape), dw, db


# ---- layer normalisation --------------------------------------------------------------------


def layernorm_forward(x, g, b, eps=1e-5):
    """Normalise each row: x (B, T, C), gain g (C,), bias b (C,) -> out (B, T, C)."""
    rows = rows_of(x)
    N, C = rows.shape
    out = kernels.empty(x, x.shape)
    mean, rstd = (kernels.empty(x, N, wide_type(x.dtype)) for _ in range(2))
    launch(
        "layernorm_forward", x.dtype, math.ceil(N / ROWS), 32 * ROWS,
        rows, g, b, out, mean, rstd, N, C, float(eps), W=width(C, rows, g, b, out),
    )  # fmt: skip
    return out, (rows, mean, rstd, g)


def layernorm_backward(dout, cache, past=None):
    """Return dx (B, T, C), and `past` added to it if given, dg (C,), db (C,)."""
    x, mean, rstd, g = cache
    d, past = rows_of(dout), None if past is None else rows_of(past)
    N, C = d.shape
    wide = wide_type(x.dtype)
    dx = kernels.empty(x, dout.shape)
    W = width(C, d, x, past, g, dx)
    warp_bytes = 2 * math.ceil(C / (32 * W)) * 32 * W * wide.itemsize
    warps = max(1, min(ROWS, SHARED_BYTES // warp_bytes))
    blocks = min(MOST_BLOCKS, math.ceil(N / warps))
    partial = kernels.empty(x, (blocks, 2 * C), wide)
    launch(
        "layernorm_backward", x.dtype, blocks, 32 * warps,
        d, x, past, g, mean, rstd, dx, partial, N, C, shared=warps * warp_bytes, W=W,
    )  # fmt: skip
    sums = column_sum(partial)  # (2C,)
    return dx, sums[:C], sums[C:]


# ---- GELU -----------------------------------------------------------------------------------


def gelu_forward(x):
    """Apply GELU, any shape; the cache is x alone."""
    x = kernels.contiguous(x)
    out = kernels.empty(x, x.shape)
    flat_launch("gelu_forward", [x, out])
    return out, x


def gelu_backward(dout, cache):
    """Return dx, of the shape of dout."""
    x, dout = cache, kernels.contiguous(dout)
    dx = kernels.empty(x, dout.shape)
    flat_launch("gelu_backward", [dout, x, dx])
    return dx


# ---- the loss -------------------------------------------------------------------------------


def next_token_losses(x, w, targets):
    """Return each target's loss (B, T), some rows at a time."""
    rows, which, V = rows_of(x), int32(targets), len(w)
    losses = kernels.empty(x, len(rows), wide_type(x.dtype))  # (N,)
    w = with_whole_lines(w)
    for block in loss_blocks(len(rows), len(w)):
        score(rows[block], w, V, which[block], losses[block])
    return losses.reshape(targets.shape)


def next_token_loss_forward(x, w, targets, n_targets):
    """Return the loss and, as the cache, its gradients, made while the logits are at hand.

    The gradient of the logits takes the logits' place. Only where there are more than LOGITS of
    them they are made in several parts.
    """
    rows, which, wide, V = rows_of(x), int32(targets), wide_type(x.dtype), len(w)
    losses = kernels.empty(x, len(rows), wide)  # (N,)
    w = with_whole_lines(w)  # (P, C)
    dx, dw = kernels.empty(x, rows.shape), kernels.empty(w, w.shape, wide)
    for block in loss_blocks(len(rows), len(w)):
        dlogits = score(rows[block], w, V, which[block], losses[block], 1 / n_targets)  # (n, P)
        gemm.matmul(dlogits, w, out=dx[block])
        gemm.matmul(dlogits.T, rows[block], out=dw, accumulate=block.start > 0)
        del dlogits  # before the next block's are made
    return losses.sum() / n_targets, (dx.reshape(x.shape), dw[:V])


def next_token_loss_backward(dloss, cache):
    """Return dx (B, T, C) and dw (V, C)."""
    if isinstance(dloss, float) and dloss == 1:
        return cache
    return tuple((d * dloss).astype(d.dtype, copy=False) for d in cache)


def next_token_loss_backward_in_pieces(dloss, cache):
    """Return dx (B, T, C) and pairs (ids, dw (n, C)) which cover the rows of w, here at once."""
    dx, dw = next_token_loss_backward(dloss, cache)
    return dx, [(slice(len(dw)), dw)]


def with_whole_lines(w):
    """Return w (V, C) with rows of zeros behind, (P, C), so that P logits take whole lines.

    A vocabulary is of any size, 50257 in GPT-2, and of an odd one no row of logits would begin
    where 16 bytes can be read at once.
    """
    V, n = len(w), LINE // w.itemsize
    if V % n == 0:
        return w
    padded = kernels.zeros(w, (math.ceil(V / n) * n, w.shape[1]))
    padded[:V] = w
    return padded


def loss_blocks(N, P):
    """Return slices of the N rows, as few as make no more than LOGITS logits each.

    They are about equal: a last one of few rows would take the time of many.
    """
    most = max(1, LOGITS // P)
    most -= most % TILE if most > TILE else 0
    size = math.ceil(N / math.ceil(N / most)) if N else 1
    size = math.ceil(size / TILE) * TILE if size > TILE else size
    return [slice(start, min(start + size, N)) for start in range(0, N, size)]


def score(rows, w, V, targets, losses, weight=None):
    """Write the losses (n,) of rows (n, C); return `weight` times their gradient (n, P).

    Of the P rows of w the first V are symbols; the gradient of the others is 0. Without a weight,
    what is returned is nothing of use.
    """
    n, P = len(rows), len(w)
    logits = kernels.empty(rows, (n, P))
    gemm.matmul(rows, w.T, out=logits)
    W = width(P, logits)
    block = 32 * max(1, min(32, math.ceil(V / (32 * W))))
    launch(
        "cross_entropy", rows.dtype, n, block,
        logits, targets, losses, V, P, float(weight or 0), int(weight is not None), W=W,
    )  # fmt: skip
    return logits
