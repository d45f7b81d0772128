"""The model with a memory: keys and values of the positions read so far, for several texts.

To predict the next token, attention needs the keys and values of all earlier positions, and those
never change: a position sees none after it. So they are kept (a KV cache), and each further token
costs one position instead of the whole window. `GPT.logits` is the plain twin that keeps nothing;
the two agree but for rounding. Read row_ops.py next: the operations, for a few rows, without a
backward.

Each row is a text of its own length and begins at position 0: there is no padding and nothing to
mask. A prompt is read by itself, all its positions at once (prefill); then the rows go on
together, one position each (decode), so that the weights are read from memory once for all rows.

On a CPU a row's result is the same to the last bit whatever other rows there are (cpu_rows.py
says how). On a GPU the number of rows decides how the library multiplies: rounding may differ.

Drawing is in sample.py, and so is what happens when the window is full. Source: Pope et al. 2022,
"Efficiently Scaling Transformer Inference" (prefill, decode and their costs).
"""

from typing import Any, NamedTuple

from minigpt.cpu_rows import KEYS
from minigpt.parallel import slices
from minigpt.team import one_blas_thread, team

CACHE_BYTES = 24 << 20  # larger weights are read from memory, at best once for all rows
FEW = 32  # fewer positions are not worth sharing out: each thread would read all the weights
FEW_IN_CACHE = 96  # the same where the weights are in cache: threads meet twice in a layer


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
    """Keys and values of `n_rows` texts of up to `capacity` positions, read by a GPT.

    >>> from minigpt.config import ModelConfig
    >>> from minigpt.model import GPT
    >>> model = GPT(ModelConfig(vocab_size=9, n_positions=5, n_embd=4, n_layer=2, n_head=2))
    >>> decoder = Decoder(model.initialise(seed=1), n_rows=2)
    >>> after_prompt = decoder.read(0, [7, 3, 8])  # (V,): prefill
    >>> after_5 = decoder.step([0], [5])[0]  # (V,): decode
    >>> decoder.lengths  # how many positions of each row are read
    [4, 0]
    >>> bool(abs(after_5 - model.logits([7, 3, 8, 5])[-1]).max() < 1e-6)
    True
    """

    def __init__(self, model, n_rows=1, capacity=None):
        """Make room: 2 L C numbers for each position of each row."""
        c, self.model, self.ops = model.config, model, model.device.row_ops
        self.capacity = capacity or c.n_positions
        assert self.capacity <= c.n_positions
        self.lengths = [0] * n_rows
        T = -(-self.capacity // KEYS) * KEYS  # rounded up: attention goes through whole blocks
        shape = (c.n_layer, 2, n_rows, c.n_head, T, c.n_embd // c.n_head)
        xp, dtype = model.device.xp, model.weights.flat.dtype
        # zeros: what is not read yet has weight 0, but 0 times NaN would be NaN
        self.kv = xp.zeros(shape, dtype)  # (L, 2, B, H, T, D)
        self.in_cache = xp.__name__ == "numpy" and model.weights.flat.nbytes <= CACHE_BYTES
        self.blocks = [self._block(f"h.{l}.") for l in range(c.n_layer)]
        self.logits = self.ops.logits_product(model.weights["wte.weight"])

    def _block(self, name):
        def pair(rest):
            p = self.model.weights
            return p[f"{name}{rest}.weight"], p[f"{name}{rest}.bias"]

        matrices = [pair(x) for x in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]
        attn, attn_proj, fc, mlp_proj = matrices
        products = [self.ops.rows_product(*matrix) for matrix in matrices]
        return Block(pair("ln_1"), attn, attn_proj, pair("ln_2"), fc, mlp_proj, products)

    def forget(self, row):
        """Let `row` begin anew."""
        self.lengths[row] = 0

    def erase(self, row):
        """Let `row` begin anew, after numbers that were not finite."""
        self.lengths[row] = 0
        self.kv[:, :, row] = 0

    def copy(self, row, to):
        """Make row `to` a copy of `row`: reading the same ids would give the same bits."""
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
        """Do as `step`; ids[i] stands at position at[i] of its text."""
        ops, p, c, xp = self.ops, self.model.weights, self.model.config, self.model.device.xp
        eps, H, D = c.layer_norm_epsilon, c.n_head, c.n_embd // c.n_head
        attend = ops.rows_attention(rows, [t + 1 for t in at])  # each sees itself, too
        x = p["wte.weight"][xp.asarray(ids)] + p["wpe.weight"][xp.asarray(at)]  # (B, C)
        written, places = xp.asarray(rows), xp.asarray(at)  # (B,) each
        if len(rows) == 1:
            written, places = rows[0], at[0]  # the same, faster
        for l, block in enumerate(self.blocks):
            c_attn, c_proj, c_fc, mlp_proj = block.products
            qkv = c_attn(ops.layernorm(x, *block.ln_1, eps)).reshape(-1, 3, H, D)  # (B, 3, H, D)
            k, v = self.kv[l]  # (all rows, H, T, D) each
            k[written, :, places] = qkv[:, 1]  # k[rows[i], :, at[i]] = qkv[i, 1], for every i
            v[written, :, places] = qkv[:, 2]
            x += c_proj(attend(qkv[:, 0], self.kv[l]))  # (B, C)
            x += mlp_proj(ops.gelu(c_fc(ops.layernorm(x, *block.ln_2, eps))))  # (B, C)
        return self._to_logits(x)  # (B, V)

    # ---- several more positions of one row ----------------------------------------------------

    def read(self, row, ids):
        """Append `ids`, at least one, to `row`; return the logits of what comes next, (V,)."""
        p, start, T = self.model.weights, self.lengths[row], len(ids)
        S = start + T  # positions seen, these included
        assert T >= 1 and self.capacity >= S
        self.lengths[row] = S
        parts = wanted = self._parts(T)
        ids = self.model.device.xp.asarray(ids)
        with one_blas_thread():
            x = p["wte.weight"][ids] + p["wpe.weight"][start:S]  # (T, C)
            for l, block in enumerate(self.blocks):
                k, v = self.kv[l, :, row, :, :S]  # (H, S, D) each
                if l == len(self.blocks) - 1:
                    wanted = [slice(T - 1, T)]  # after the last block, only its logits matter
                self._read_block(x, block, k, v, parts, wanted)
            return self._to_logits(x[-1:])[0]

    def _read_block(self, x, block, k, v, parts, wanted):
        """Take x (T, C), the last T of S positions, through a block; x is changed in place.

        k and v (H, S, D) hold what earlier positions left; these T write theirs behind it, in
        `parts`, one per thread. Only the parts `wanted` go on: only there is x right afterwards.
        """
        ops, xp, eps = self.ops, self.model.device.xp, self.model.config.layer_norm_epsilon
        (H, S, D), (T, C) = k.shape, x.shape
        start = S - T
        q = xp.empty((H, T, D), x.dtype)  # (H, T, D)

        def remember(part):
            """Compute queries, keys and values of t positions."""
            h = linear(ops.layernorm(x[part], *block.ln_1, eps), *block.attn)  # (t, 3C)
            there = slice(start + part.start, start + part.stop)
            q[:, part], k[:, there], v[:, there] = h.reshape(-1, 3, H, D).transpose(1, 2, 0, 3)

        def go_on(part):
            """Let t positions look at those before them, then through the mlp."""
            seen = start + part.stop
            mine = xp.ascontiguousarray(q[:, part])  # (H, t, D)
            y = ops.cached_attention(mine, k[:, :seen], v[:, :seen])  # (H, t, D)
            x[part] += linear(y.swapaxes(0, 1).reshape(-1, C), *block.attn_proj)  # (t, C)
            h = linear(ops.layernorm(x[part], *block.ln_2, eps), *block.fc)  # (t, F)
            x[part] += linear(ops.gelu(h), *block.mlp_proj)  # (t, C)

        team().run(remember, parts)  # all keys must be there before anyone looks at them
        team().run(go_on, wanted)

    def _parts(self, T):
        """Cut T positions into a part for each thread; few positions, and a GPU's, are one part."""
        few = FEW_IN_CACHE if self.in_cache else FEW
        is_shared = few <= T and self.model.device.xp.__name__ == "numpy"
        return slices(T, team().n if is_shared else 1)

    def _to_logits(self, x):
        """Return the logits (N, V) that x (N, C) makes after the last block."""
        p, eps = self.model.weights, self.model.config.layer_norm_epsilon
        return self.logits(self.ops.layernorm(x, p["ln_f.weight"], p["ln_f.bias"], eps))


def linear(x, w, b):
    """Return x w + b."""
    out = x @ w
    out += b
    return out
