"""The operations of row_ops.py in forms that are faster on a CPU, under the same names.

Decoding multiplies every weight with only a few rows, so it is as fast as the weights come from
memory: about 0.5 GB for each token of a GPT-2 of 124 M parameters. BLAS has two ways to multiply.
Its matrix-vector product reads at the memory's speed, but once for each row; its matrix-matrix
product first copies the matrix into another order, and adds up in another order as well, so a row
would get other last bits in a batch than alone. Blocks of always as many rows are no way out.
With OpenBLAS's kernels for AVX2 a row has the same bits at every place of a block of up to 16 rows
(of x^T, multiplied from the left), and of no larger one. That halves the time of a full block, but
a row alone would have to pay for all 16, some five times what it costs now.

Here a matrix is cut into tiles that fit in a core's cache, and every row is multiplied with a
tile, by the matrix-vector product, while the tile is there. So memory is read once for the whole
batch, and a row goes through exactly the same products whatever else is in the batch: its result
is the same to the last bit. The tiles depend on the matrix's shape alone, not on the number of
threads, each of which takes some of them. Attention is cut likewise, into blocks of keys: see
rows_attention.

This is not for training (see cpu_ops.py): nothing is kept for a backward pass.
"""

import math

import numpy as np

from minigpt.ops import GELU_CUBIC, GELU_SCALE
from minigpt.parallel import slices
from minigpt.team import team

TILE_ROWS, TILE_COLUMNS = 256, 384  # at most so many: 0.4 MB of float32
LEAST = 64  # narrower tiles waste the time they save
WHOLE_BYTES = 1 << 20  # a smaller matrix stays in the cache anyway
SHARE_BYTES = 4 << 20  # less is not worth waking a thread for
CACHED_SHARE_BYTES = 32 << 20  # the same for a matrix that stays in the cache
QUERIES = 64  # rows of queries that attention handles at a time
KEYS = 128  # keys in a block that one query is multiplied with
BLOCK = 1 << 16  # elements that GELU handles at a time


def largest_divisor(n, at_most):
    """Return the largest divisor of n that is at most `at_most`."""
    return next(d for d in range(min(n, at_most), 0, -1) if n % d == 0)


def layernorm(x, g, b, eps):
    """Normalise each row: x (N, C) -> (N, C)."""
    C = x.shape[1]
    x = x - np.add.reduce(x, axis=1, keepdims=True) / C  # (N, C)
    squares = np.vecdot(x, x)[:, None]  # (N, 1); one row's has nothing to do with another's
    x /= np.sqrt(squares / C + eps)
    x *= g
    x += b
    return x


def gelu(x):
    """Apply GELU in place, a block at a time, and return x: any shape, contiguous."""
    flat = x.reshape(-1)
    for start in range(0, len(flat), BLOCK):
        v = flat[start : start + BLOCK]
        tanh = v * v
        tanh *= GELU_SCALE * GELU_CUBIC
        tanh += GELU_SCALE
        tanh *= v
        np.tanh(tanh, out=tanh)
        tanh += 1
        v *= 0.5
        v *= tanh
    return x


def cached_attention(q, k, v):
    """Attention of the last T of S positions, in blocks of queries: see row_ops.py."""
    T, S, D = q.shape[-2], k.shape[-2], q.shape[-1]
    out = np.empty(q.shape, q.dtype)  # (..., T, D)
    keys = k.swapaxes(-1, -2)  # (..., D, S), a view
    for start in range(0, T, QUERIES):
        end = min(start + QUERIES, T)
        seen = S - T + end  # keys that the last query of the block may see
        att = q[..., start:end, :] @ keys[..., :seen]  # (..., t, seen)
        att *= 1 / math.sqrt(D)
        if end - start > 1:
            future = np.triu(np.ones((end - start, end - start), bool), 1)
            att[..., seen - (end - start) :][..., future] = -np.inf
        att -= np.maximum.reduce(att, axis=-1, keepdims=True)
        np.exp(att, out=att)
        att /= np.add.reduce(att, axis=-1, keepdims=True)
        np.matmul(att, v[..., :seen, :], out=out[..., start:end, :])
    return out


def rows_product(w, b):
    """Return a function x (B, K) -> x w + b (B, N), for w (K, N), b (N,) and few rows."""
    K, N = w.shape
    k, n = largest_divisor(K, TILE_ROWS), largest_divisor(N, TILE_COLUMNS)
    if w.nbytes <= WHOLE_BYTES or min(k, n) < LEAST:
        return whole_product(w, b)
    P, Q = K // k, N // n
    tiles = w.reshape(P, k, Q, n).transpose(2, 0, 1, 3)[:, :, None]  # (Q, P, 1, k, n), a view
    threads = team()
    shares = slices(Q, threads.n)

    def product(x):
        B = len(x)
        pieces = x.reshape(B, P, 1, k).transpose(1, 0, 2, 3)  # (P, B, 1, k), a view
        out = np.empty((B, Q, n), w.dtype)  # (B, N)

        def columns(share):
            # order="C": the rows are the innermost loop, so that a tile is used up while it is here
            sums = np.matmul(pieces, tiles[share], order="C")  # (q, P, B, 1, n)
            mine = out[:, share].transpose(1, 0, 2)  # (q, B, n), a view
            np.add.reduce(sums[..., 0, :], axis=1, out=mine)

        threads.run(columns, shares if B * w.nbytes > SHARE_BYTES else [slice(None)])
        out = out.reshape(B, N)
        out += b
        return out

    return product


def whole_product(w, b):
    """Return what rows_product does, for a matrix that is not cut: rows are shared out instead."""
    threads = team()

    def product(x):
        if len(x) * w.nbytes <= CACHED_SHARE_BYTES:
            # (B, N), each row alone; of one row, the same product with less ado
            out = x @ w if len(x) == 1 else np.matmul(x[:, None], w)[:, 0]
            out += b
            return out
        out = np.empty((len(x), len(b)), w.dtype)  # (B, N)

        def some(rows):
            np.matmul(x[rows, None], w, out=out[rows, None])
            out[rows] += b

        threads.run(some, slices(len(x), threads.n))
        return out

    return product


def logits_product(w):
    """Return a function x (B, C) -> x w^T (B, V), for w (V, C) and few rows."""
    V, C = w.shape
    n = min(V, max(1, TILE_ROWS * TILE_COLUMNS // C))  # rows of w in a tile
    T = V // n
    tiles, rest = w[: T * n].reshape(T, 1, n, C), w[T * n :]
    threads = team()
    shares = slices(T, threads.n)

    def product(x):
        B = len(x)
        out = np.empty((B, V), w.dtype)
        tiled = out[:, : T * n].reshape(B, T, n, 1).transpose(1, 0, 2, 3)  # (T, B, n, 1), a view
        columns = x[:, :, None]  # (B, C, 1)
        threads.run(
            lambda share: np.matmul(tiles[share], columns, out=tiled[share], order="C"),
            shares if B * w.nbytes > SHARE_BYTES else [slice(None)],
        )
        if len(rest):
            np.matmul(rest, columns, out=out[:, T * n :, None])
        return out

    return product


def rows_attention(rows, lengths):
    """Return a function for attention of one position of some rows to the cached ones.

    Keys come in blocks of KEYS. Every product is one query with one block, so its shape, and hence
    its rounding, has nothing to do with how long a row is or what is beside it; the blocks' sums
    are added in order. A row that is shorter than its neighbours adds zeros at the end, which
    change nothing.
    """
    runs = [(mine, stretch, *masks_of(lengths[mine])) for mine, stretch in runs_of(rows)]
    threads = team()

    def attend(q, kv):
        B, H, D = q.shape
        out = np.empty((B, H, D), q.dtype)
        q = q[:, :, None, None] * (1 / math.sqrt(D))  # (B, H, 1, 1, D)
        k, v = kv.reshape(2, -1, H, kv.shape[3] // KEYS, KEYS, D)  # (all rows, H, n, KEYS, D)

        def some(heads):
            for mine, stretch, n, mask in runs:
                keys = k[stretch, heads, :n].swapaxes(-1, -2)  # (b, h, n, D, KEYS), a view
                att = q[mine, heads] @ keys  # (b, h, n, 1, KEYS)
                att += mask
                att -= np.maximum.reduce(att, axis=(2, 4), keepdims=True)
                np.exp(att, out=att)
                sums = np.add.reduce(att, axis=4)  # (b, h, n, 1)
                parts = (att @ v[stretch, heads, :n])[..., 0, :]  # (b, h, n, D)
                np.divide(in_order(parts), in_order(sums), out=out[mine, heads])

        much = 2 * B * max(lengths) * H * D * q.itemsize > SHARE_BYTES
        threads.run(some, slices(H, threads.n) if much else [slice(None)])
        return out.reshape(B, H * D)

    return attend


def runs_of(rows):
    """Yield stretches of consecutive numbers, as a slice of the list `rows` and a slice of numbers.

    Rows that lie side by side in the cache are computed at once, without copying them together.
    """
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end] != rows[end - 1] + 1:
            yield slice(start, end), slice(rows[start], rows[end - 1] + 1)
            start = end


def masks_of(lengths):
    """Return how many blocks n there are, and a mask (b, 1, n, 1, KEYS): 0 or -inf for each key."""
    n = -(-max(lengths) // KEYS)
    seen = np.arange(n * KEYS) < np.array(lengths)[:, None]  # (b, n KEYS)
    return n, np.where(seen, np.float32(0), np.float32(-np.inf)).reshape(-1, 1, n, 1, KEYS)


def in_order(parts):
    """Add up along the third axis from its first to its last: (b, h, n, ...) -> (b, h, ...)."""
    total = parts[:, :, 0]
    for j in range(1, parts.shape[2]):
        total = total + parts[:, :, j]
    return total
