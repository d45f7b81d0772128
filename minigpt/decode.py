"""The model with a memory: keys and values of the positions read so far, for several texts.

To predict the next token, attention needs the keys and values of all earlier positions, and those
never change: a position sees none after it. So they are kept, and each further token costs one
position instead of the whole window. `GPT.logits` is the plain twin that keeps nothing; the two
agree but for rounding. Read row_ops.py next: the operations, for a few rows, without a backward.

Each row is a text of its own length and begins at position 0: there is no padding and nothing to
mask. A prompt is read by itself, all its positions at once (prefill); then the rows go on
together, one position each (decode), so that the weights are read from memory once for all.

On a CPU a row's result is the same to the last bit whatever other rows there are (cpu_rows.py
says how). On a GPU the library chooses its product by the number of rows: rounding may differ.

This draws nothing and knows no window: see sample.py. Source: Pope et al. 2022, "Efficiently
Scaling Transformer Inference" (prefill, decode and their costs).
"""

from typing import Any, NamedTuple

from minigpt.cpu_rows import KEYS
from minigpt.parallel import slices
from minigpt.team import one_blas_thread, team

CACHE_BYTES = 24 << 20  # what is larger is read from memory, which once for all rows is better
FEW = 32  # fewer positions are not worth sharing out: each thread would read all the weights
FEW_IN_CACHE = 96  # the same for a small model: threads meet twice in a layer


class Block(NamedTuple):
    """A block's normalisations as (gain, bias), its matrices as (w, b), and their products."""

    ln_1: tuple
    attn: tuple
    attn_proj: tuple
    ln_2: tuple
    fc: tuple
    mlp_proj: tuple
    products: Any


class Decoder:
    """Keys and values of `n_rows` texts of up to `capacity` positions, read by a GPT."""

    def __init__(self, model, n_rows=1, capacity=None):
        """Make room: 2 L C numbers for each position of each row."""
        c, self.model = model.config, model
        self.capacity = capacity or c.n_positions
        assert self.capacity <= c.n_positions
        self.lengths = [0] * n_rows
        T = -(-self.capacity // KEYS) * KEYS  # rounded up: attention goes through whole blocks
        shape = (c.n_layer, 2, n_rows, c.n_head, T, c.n_embd // c.n_head)
        xp, dtype = model.device.xp, model.weights.flat.dtype
        # zeros: what is not read yet counts for nothing, but nothing times NaN would be NaN
        self.kv = xp.zeros(shape, dtype)  # (L, 2, B, H, T, D)
        self.in_cache = xp.__name__ == "numpy" and model.weights.flat.nbytes <= CACHE_BYTES
        self.blocks = [self._block(f"h.{l}.") for l in range(c.n_layer)]
        self.logits = model.device.row_ops.logits_product(model.weights["wte.weight"])

    def _block(self, name):
        def pair(rest):
            p = self.model.weights
            return p[f"{name}{rest}.weight"], p[f"{name}{rest}.bias"]

        matrices = [pair(x) for x in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]
        attn, attn_proj, fc, mlp_proj = matrices
        products = [self.model.device.row_ops.rows_product(*matrix) for matrix in matrices]
        return Block(pair("ln_1"), attn, attn_proj, pair("ln_2"), fc, mlp_proj, products)

    def forget(self, row):
        """Let `row` begin anew."""
        self.lengths[row] = 0

    def erase(self, row):
        """Let `row` begin anew, after numbers that were not finite."""
        self.lengths[row] = 0
        self.kv[:, :, row] = 0

    def copy(self, row, to):
        """Make row `to` what `row` is: the same ids read would give the same bits."""
        S = self.lengths[to] = self.lengths[row]
        self.kv[:, :, to, :, :S] = self.kv[:, :, row, :, :S]

    # ---- one more position of several rows ----------------------------------------------------

    def step(self, rows, ids):
        """Append ids[i] to row rows[i]; return the logits of what comes next, (len(rows), V)."""
        at = [self.lengths[row] for row in rows]
        assert max(at) < self.capacity
        for row in rows:
            self.lengths[row] += 1
        with one_blas_thread():
            return self._step(rows, ids, at)

    def _step(self, rows, ids, at):
        ops, p, c = self.model.device.row_ops, self.model.weights, self.model.config
        xp, eps, H, D = self.model.device.xp, c.layer_norm_epsilon, c.n_head, c.n_embd // c.n_head
        attend = ops.rows_attention(rows, [t + 1 for t in at])  # each sees itself, too
        slots, places = xp.asarray(rows), xp.asarray(at)  # (B,) each: where in kv it is written
        if len(rows) == 1:
            slots, places = rows[0], at[0]  # the same, faster
        x = p["wte.weight"][xp.asarray(ids)] + p["wpe.weight"][places]  # (B, C)
        for l, block in enumerate(self.blocks):
            c_attn, c_proj, c_fc, mlp_proj = block.products
            kv = self.kv[l]  # (2, all rows, H, T, D)
            qkv = c_attn(ops.layernorm(x, *block.ln_1, eps)).reshape(-1, 3, H, D)  # (B, 3, H, D)
            # (B, 2, H, D): B comes first, for a slice stands between the two arrays of indices
            kv[:, slots, :, places] = qkv[:, 1:]
            x += c_proj(attend(qkv[:, 0], kv))  # (B, C)
            x += mlp_proj(ops.gelu(c_fc(ops.layernorm(x, *block.ln_2, eps))))  # (B, C)
        x = ops.layernorm(x, p["ln_f.weight"], p["ln_f.bias"], eps)
        return self.logits(x)  # (B, V)

    # ---- several more positions of one row ----------------------------------------------------

    def read(self, row, ids):
        """Append `ids`, at least one, to `row`; return the logits of what comes next, (V,)."""
        ops, p, c = self.model.device.row_ops, self.model.weights, self.model.config
        xp, eps = self.model.device.xp, c.layer_norm_epsilon
        start, T = self.lengths[row], len(ids)
        S = start + T  # positions seen, these included
        assert T >= 1 and self.capacity >= S
        self.lengths[row] = S
        threads = team()
        few = FEW_IN_CACHE if self.in_cache else FEW
        shares = slices(T, threads.n if few <= T and xp.__name__ == "numpy" else 1)
        heads = (T, 3, c.n_head, c.n_embd // c.n_head)  # of which t are a thread's part
        with one_blas_thread():
            x = p["wte.weight"][xp.asarray(ids)] + p["wpe.weight"][start:S]  # (T, C)
            qkv = xp.empty((T, 3 * c.n_embd), x.dtype)  # (T, 3C)
            for l, block in enumerate(self.blocks):
                k, v = self.kv[l, :, row, :, :S]  # (H, S, D)

                # block=block: what it is now, not when the loop has gone on
                def remember(part, block=block, k=k, v=v):
                    h = ops.layernorm(x[part], *block.ln_1, eps)
                    qkv[part] = linear(h, *block.attn)
                    new = qkv.reshape(heads)[part].transpose(1, 2, 0, 3)  # (3, H, t, D)
                    k[:, start + part.start : start + part.stop] = new[1]
                    v[:, start + part.start : start + part.stop] = new[2]

                def go_on(part, block=block, k=k, v=v):  # attention, then mlp
                    q = qkv.reshape(heads)[part, 0].swapaxes(0, 1)  # (H, t, D)
                    seen = start + part.stop
                    y = ops.cached_attention(xp.ascontiguousarray(q), k[:, :seen], v[:, :seen])
                    y = y.swapaxes(0, 1).reshape(-1, c.n_embd)  # (t, C)
                    x[part] += linear(y, *block.attn_proj)
                    h = linear(ops.layernorm(x[part], *block.ln_2, eps), *block.fc)  # (t, F)
                    x[part] += linear(ops.gelu(h), *block.mlp_proj)

                # all keys and values must be there before anyone attends to them
                threads.run(remember, shares)
                if l == c.n_layer - 1:
                    shares = [slice(T - 1, T)]  # of the last block only the last position counts
                threads.run(go_on, shares)
            x = ops.layernorm(x[-1:], p["ln_f.weight"], p["ln_f.bias"], eps)
            return self.logits(x)[0]


def linear(x, w, b):
    """Return x w + b."""
    out = x @ w
    out += b
    return out
