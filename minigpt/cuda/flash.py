"""Flash attention on the GPU: the scores are never in memory, but made twice in the backward.

For bfloat16 and heads of 64 or 128; everything else is attention.py's. What the kernels do stands
in flash_*.cu. Source: Dao 2023, "FlashAttention-2".
"""

import math

from minigpt.cuda import kernels
from minigpt.cuda.kernels import launch, wide_type

HEADS = (64, 128)  # sizes
NO_DRAW = (None, 0, 0.0)  # no seed, no call, no rate: there is no dropout
MOST_BLOCKS_ALONG_Y = 65535  # CUDA's limit; there is one for each head of each window
TILE = 64  # rows that a block of 128 threads has, 16 for each warp


def fits(qkv, n_head):
    """Return whether flash attention can do it."""
    is_aligned = kernels.address(qkv) % 16 == 0  # copies are of 16 bytes
    fits_grid = len(qkv) * n_head <= MOST_BLOCKS_ALONG_Y
    right_size = qkv.shape[-1] // 3 // n_head in HEADS
    return qkv.dtype.name == "bfloat16" and right_size and is_aligned and fits_grid


def shared_bytes(D, resident, other):
    """Return the shared memory for `resident` and twice two times `other` rows of D bf16."""
    return (resident + 4 * other) * D * 2


def flash_forward(qkv, n_head, draw=None):
    """Return causal attention: qkv (B, T, 3C) -> out (B, T, C), and a cache.

    `draw` is (seed, call, rate) of the dropout, or None.
    """
    B, T, C3 = qkv.shape
    C = C3 // 3
    D = C // n_head
    out = kernels.empty(qkv, (B, T, C))
    lse = kernels.empty(qkv, (B, n_head, T), wide_type(qkv.dtype))
    launch(
        "flash_forward", qkv.dtype, (math.ceil(T / TILE), B * n_head), 128,
        qkv, out, lse, T, n_head, 1 / math.sqrt(D), *(draw or NO_DRAW),
        shared=shared_bytes(D, TILE, TILE), D=D, DROPOUT=int(draw is not None), W=8,
    )  # fmt: skip
    return out, (qkv, n_head, out, lse, draw)


def flash_backward(dout, cache):
    """Return dqkv (B, T, 3C)."""
    qkv, n_head, out, lse, draw = cache
    dout = kernels.contiguous(dout)
    dout = dout if kernels.address(dout) % 16 == 0 else dout.copy()
    B, T, C = dout.shape
    D = C // n_head
    delta, dqkv = kernels.empty(lse, lse.shape), kernels.empty(qkv, qkv.shape)
    rows = B * T * n_head
    launch(
        "flash_delta", qkv.dtype, math.ceil(rows * D / 8 / 128), 128,
        dout, out, delta, rows, T, n_head, D=D, W=8,
    )  # fmt: skip
    other = TILE if D == 64 else TILE // 2
    shared = shared_bytes(D, 2 * TILE, other)
    for kernel, statistics in (("keys", 4 * other * 4), ("queries", 0)):
        launch(
            f"flash_backward_{kernel}", qkv.dtype, (math.ceil(T / TILE), B * n_head), 128,
            qkv, dout, lse, delta, dqkv, T, n_head, 1 / math.sqrt(D), *(draw or NO_DRAW),
            shared=shared + statistics, D=D, DROPOUT=int(draw is not None), W=8,
        )  # fmt: skip
    return dqkv
