"""Flash attention on the GPU: the scores are never in memory, but made twice in the backward.

For bfloat16 and heads of 64 or 128; everything else is attention.py's. What the kernels do stands
in flash_*.cu. Source: Dao 2023, "FlashAttention-2".
"""

import math

from minigpt.cuda import kernels
from minigpt.cuda.dropout import NO_DRAW
from minigpt.cuda.kernels import launch, wide_type

HEADS = (64, 128)  # sizes
MOST_BLOCKS_ALONG_Y = 65535  # CUDA's limit; there is one for each head of each window
TILES = {64: 128, 128: 64}  # rows that a block has, by the size of heads: TILE in tiles.cuh
# with how many rows of the other side it works at once, at most: KEYS, and QUERIES of one kernel
OTHER = {"flash_forward": 64, "flash_backward_keys": 32, "flash_backward_queries": 32}


def fits(qkv, n_head):
    """Return whether flash attention can do it."""
    is_aligned = kernels.address(qkv) % 16 == 0  # copies are of 16 bytes
    fits_grid = len(qkv) * n_head <= MOST_BLOCKS_ALONG_Y
    right_size = qkv.shape[-1] // 3 // n_head in HEADS
    return qkv.dtype.name == "bfloat16" and right_size and is_aligned and fits_grid


def shared_bytes(name, D, resident):
    """Return the shared memory of a kernel.

    It is for rows of D bf16, `resident` times those of a block and twice two times those of the
    other side; of each two of these one kernel has two float32 besides.
    """
    other = 4 * OTHER[name]
    statistics = other // 2 * 2 * 4 if name == "flash_backward_keys" else 0
    return (resident * TILES[D] + other) * D * 2 + statistics


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
        "flash_forward", qkv.dtype, (math.ceil(T / TILES[D]), B * n_head), 128,
        qkv, out, lse, T, n_head, 1 / math.sqrt(D), *(draw or NO_DRAW),
        shared=shared_bytes("flash_forward", D, 1), D=D, DROPOUT=int(draw is not None), W=8,
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
    for name in ("flash_backward_keys", "flash_backward_queries"):
        launch(
            name, qkv.dtype, (math.ceil(T / TILES[D]), B * n_head), 128,
            qkv, dout, lse, delta, dqkv, T, n_head, 1 / math.sqrt(D), *(draw or NO_DRAW),
            shared=shared_bytes(name, D, 2), D=D, DROPOUT=int(draw is not None), W=8,
        )  # fmt: skip
    return dqkv
