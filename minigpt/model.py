"""GPT-2: the forward pass, and the backward pass read upward.

`forward` calls the operations of ops.py in turn, in its Device's form (on a CPU cpu_ops.py's), and
keeps their caches. `backward` goes through them in reverse and adds up the parameters' gradients.
There is no text here (see dataset.py), and no weight changes (see plain_step.py).

The model, for one window of ids (T,):

    x = wte[ids] + wpe[0..T-1]
    L times, a block:  x = x + attention(layernorm(x));  x = x + mlp(layernorm(x))
    logits = layernorm(x) @ wte.T

x (T, C) has a row of C numbers for each position. A row begins as the sum of what the token is
(wte, "word token embedding") and where it stands (wpe, "word position embedding"), since attention
by itself knows no order. Attention adds to a row what earlier rows know; mlp ("multi-layer
perceptron") adds what follows from the row alone. As both only add, the gradient can also pass a
block unchanged, through the +, and so reaches the first of many blocks. At the end each row,
normalised, is multiplied by the embedding of every symbol. The product is the symbol's logit: the
larger it is, the likelier the symbol comes next. So a window makes T predictions at once, each from
the ids up to its position.

A block's linear operations have GPT-2's names, with c_ because its code calls them conv1d:

    attention: c_attn (queries, keys, values side by side), attention, c_proj (mixes the heads)
    mlp:       c_fc ("fully connected", C to F), GELU, c_proj (F back to C)

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; names and
shapes of the parameters as in Hugging Face's GPT2LMHeadModel, weights stored (in, out).
"""

import math

import numpy as np

from minigpt.backend import open_device, random_generator, to_numpy
from minigpt.params import Params


def param_shapes(config):
    """Return a dict from every parameter's name to its shape, in the order of use.

    h.0, h.1, ... are the blocks, ln_f is the last normalisation. wte is used twice, so there is one
    table to learn instead of two: first to look up what each token is, and at the end, transposed,
    for the logits.
    """
    V, C, F = config.vocab_size, config.n_embd, 4 * config.n_embd
    shapes = {"wte.weight": (V, C), "wpe.weight": (config.n_positions, C)}
    for l in range(config.n_layer):
        shapes |= {
            f"h.{l}.ln_1.weight": (C,),
            f"h.{l}.ln_1.bias": (C,),
            f"h.{l}.attn.c_attn.weight": (C, 3 * C),
            f"h.{l}.attn.c_attn.bias": (3 * C,),
            f"h.{l}.attn.c_proj.weight": (C, C),
            f"h.{l}.attn.c_proj.bias": (C,),
            f"h.{l}.ln_2.weight": (C,),
            f"h.{l}.ln_2.bias": (C,),
            f"h.{l}.mlp.c_fc.weight": (C, F),
            f"h.{l}.mlp.c_fc.bias": (F,),
            f"h.{l}.mlp.c_proj.weight": (F, C),
            f"h.{l}.mlp.c_proj.bias": (C,),
        }
    return shapes | {"ln_f.weight": (C,), "ln_f.bias": (C,)}


class GPT:
    """A GPT-2 of a given ModelConfig on a Device; all parameters are 0 until filled.

    `params` are learned and saved; `weights` are what is computed with. On a CPU both are the same
    object: there read `weights` as `params`. A GPU may compute in bfloat16, numbers of fewer
    digits (backend.py says why). Then `weights` are a copy, and whoever changes `params` must call
    `renew_weights`. Several threads may use a model at once, since `forward` and `backward` keep
    nothing in it.
    """

    def __init__(self, config, device=None, dtype="float32"):
        self.config = config
        self.device = device or open_device("cpu")
        self.params = self.weights = Params(param_shapes(config), self.device.xp, dtype)
        if self.device.low and dtype == "float32":  # low: bfloat16, else None
            self.weights = Params(self.params.shapes, self.device.xp, self.device.low)

    def renew_weights(self):
        """Make `weights` what `params` are now."""
        if self.weights is not self.params:
            self.weights.flat[...] = self.params.flat

    def initialise(self, seed):
        """Fill the parameters as transformers does: normal(0, 0.02), gains 1, biases 0.

        Matrices are random because columns that begin equal get equal gradients, and stay equal for
        ever. Those whose product is added to x (c_proj) start smaller, by 1 / sqrt(2 L): L blocks
        add 2 L products, and a sum of 2 L independent numbers is sqrt(2 L) times as large as one.
        In a model narrower than GPT-2's smallest, all matrices start larger, by sqrt(768 / C).
        Their products, sums of fewer terms, are then as large as there (Glorot and Bengio 2010,
        "Understanding the difficulty of training deep feedforward neural networks"): with 128
        channels this takes more than 0.1 nats off tinyshakespeare's loss after 2000 steps.
        """
        std = 0.02 * max(1.0, math.sqrt(768 / self.config.n_embd))
        rng = random_generator(np, seed)  # NumPy's, for the same weights on every device
        for name, w in self.params.items():
            if name.endswith("bias"):
                w[...] = 0
            elif w.ndim == 1:
                w[...] = 1
            else:
                added = 2 * self.config.n_layer if name.endswith("c_proj.weight") else 1
                start = std / math.sqrt(added) * rng.standard_normal(w.shape, dtype=w.dtype)
                w[...] = self.device.xp.asarray(start)
        self.renew_weights()
        return self

    def new_grads(self):
        """Return zeros in the layout of the parameters."""
        return Params(self.params.shapes, self.device.xp, self.params.flat.dtype)

    def forward(self, ids, targets, n_targets=None, rng=None, positions=None, segments=None):
        """Return the loss of predicting `targets` from `ids`, both (B, T), and a cache.

        A negative target counts for nothing. The sum of the losses is divided by `n_targets`, by
        default the number of targets. With an `rng` there is dropout. Several texts may share a
        row: `segments` (B, T) then numbers them, so that none sees another, and `positions` (B, T)
        says where in its own text each id stands.
        """
        ops, w = self.device.ops, self.weights["wte.weight"]
        if n_targets is None:
            n_targets = max(1, int((targets >= 0).sum()))
        x, body_cache = self._body_forward(ids, rng, positions, segments)  # (B, T, C)
        loss, loss_cache = ops.next_token_loss_forward(x, w, targets, n_targets)
        return loss, (body_cache, loss_cache)

    def backward(self, cache, grads):
        """Add the gradient of the loss with respect to every parameter to `grads`.

        `grads` has the method `add` of Params: what `new_grads` gives, or a worker's Share.
        """
        body_cache, loss_cache = cache
        # d loss / d loss is 1: there the chain begins
        dx, pieces = self.device.ops.next_token_loss_backward_in_pieces(1.0, loss_cache)
        for ids, dw in pieces:  # the token embedding is used here ...
            grads.add("wte.weight", dw, ids)
        self._body_backward(dx, body_cache, grads)  # ... and here: the gradients add up

    def logits(self, ids):
        """Score every symbol as the next one after each prefix of `ids` (T,): -> (T, V).

        A batch (B, T) gives (B, T, V). Raises ValueError for no ids, ids that are not symbols and
        more ids than the window holds.
        """
        ids = self.check_ids(ids)
        x, _ = self._body_forward(ids.reshape(-1, ids.shape[-1]))  # (B, T, C)
        # by `params`, not `weights`: bfloat16 is not exact enough for logits
        return (x @ self.params["wte.weight"].T).reshape(*ids.shape, -1)

    def losses(self, ids, targets, positions=None, segments=None):
        """Return the loss of each target (B, T), in nats, 0 for a negative target."""
        x, _ = self._body_forward(ids, None, positions, segments)  # (B, T, C)
        return self.device.ops.next_token_losses(x, self.weights["wte.weight"], targets)

    def check_ids(self, ids):
        """Return `ids` as an array on the device, or raise ValueError."""
        ids = self.device.xp.asarray(ids)
        T, V = self.config.n_positions, self.config.vocab_size
        if ids.size == 0 or ids.ndim not in (1, 2):
            raise ValueError(f"ids have shape {ids.shape}; they must be (T,) or (B, T), T >= 1")
        if ids.shape[-1] > T:
            raise ValueError(f"{ids.shape[-1]} ids were given; the window holds at most {T}")
        if ids.dtype.kind not in "iu":
            raise ValueError(f"ids are of type {ids.dtype}; they must be integers")
        if int(ids.min()) < 0 or int(ids.max()) >= V:
            bad = to_numpy(ids[(ids < 0) | (ids >= V)])[0]
            raise ValueError(f"id {bad} is no symbol; ids must be from 0 to {V - 1}")
        return ids

    # ---- the network without its last product: ids -> x, what the logits are made of ----------

    def _body_forward(self, ids, rng=None, positions=None, segments=None):
        ops, p, c = self.device.ops, self.weights, self.config
        tok, tok_cache = ops.embedding_forward(ids, p["wte.weight"])  # (B, T, C)
        if positions is None:
            pos, pos_cache = p["wpe.weight"][: ids.shape[1]], None  # (T, C)
        else:
            pos, pos_cache = ops.embedding_forward(positions, p["wpe.weight"])  # (B, T, C)
        x = tok + pos  # (B, T, C)
        x, drop_cache = ops.dropout_forward(x, c.dropout, rng)
        block_caches = []
        for l in range(c.n_layer):
            x, block_cache = self._block_forward(x, f"h.{l}.", rng, segments)
            block_caches.append(block_cache)
        x, ln_cache = ops.layernorm_forward(
            x, p["ln_f.weight"], p["ln_f.bias"], c.layer_norm_epsilon
        )
        return x, (tok_cache, pos_cache, drop_cache, block_caches, ln_cache)

    def _body_backward(self, dx, cache, grads):
        ops = self.device.ops
        tok_cache, pos_cache, drop_cache, block_caches, ln_cache = cache
        dx, dg, db = ops.layernorm_backward(dx, ln_cache)
        grads.add("ln_f.weight", dg)
        grads.add("ln_f.bias", db)
        for l in reversed(range(self.config.n_layer)):
            dx = self._block_backward(dx, block_caches[l], f"h.{l}.", grads)
        dx = ops.dropout_backward(dx, drop_cache)
        if pos_cache is None:
            # all B texts used the same rows, so their gradients add up: in float32, not in bfloat16
            dw = dx.astype(self.params.flat.dtype, copy=False).sum(axis=0)  # (T, C)
            grads.add("wpe.weight", dw, slice(dx.shape[1]))
        else:
            rows, dw = ops.embedding_backward(dx, pos_cache)
            grads.add("wpe.weight", dw, rows)
        rows, dw = ops.embedding_backward(dx, tok_cache)
        grads.add("wte.weight", dw, rows)

    # ---- one block: x + attention(layernorm(x)), then x + mlp(layernorm(x)) -------------------

    def _block_forward(self, x, name, rng, segments):
        ops, c = self.device.ops, self.config

        def p(rest):
            return self.weights[name + rest]

        # every operation returns its output and its cache; caches are named after the layers

        # attention: positions exchange what they know
        h, ln_1 = ops.layernorm_forward(
            x, p("ln_1.weight"), p("ln_1.bias"), c.layer_norm_epsilon
        )  # (B, T, C)
        # (B, T, 3C)
        qkv, c_attn = ops.linear_forward(h, p("attn.c_attn.weight"), p("attn.c_attn.bias"))
        y, attn = ops.attention_forward(qkv, c.n_head, c.dropout, rng, segments)  # (B, T, C)
        # x + linear(y), some of the latter dropped (B, T, C)
        x, attn_drop, attn_proj = ops.linear_and_residual(
            y, p("attn.c_proj.weight"), p("attn.c_proj.bias"), x, c.dropout, rng
        )

        # mlp: every position thinks for itself
        h, ln_2 = ops.layernorm_forward(x, p("ln_2.weight"), p("ln_2.bias"), c.layer_norm_epsilon)
        # linear, then GELU (B, T, F)
        h, gelu, c_fc = ops.linear_and_gelu(h, p("mlp.c_fc.weight"), p("mlp.c_fc.bias"))
        x, mlp_drop, mlp_proj = ops.linear_and_residual(
            h, p("mlp.c_proj.weight"), p("mlp.c_proj.bias"), x, c.dropout, rng
        )  # (B, T, C)
        cache = (ln_1, c_attn, attn, attn_proj, attn_drop)
        return x, (*cache, ln_2, c_fc, gelu, mlp_proj, mlp_drop)

    def _block_backward(self, dx, cache, name, grads):
        ops = self.device.ops
        ln_1, c_attn, attn, attn_proj, attn_drop, ln_2, c_fc, gelu, mlp_proj, mlp_drop = cache

        def add(rest, dw, db):
            grads.add(name + rest + ".weight", dw)
            grads.add(name + rest + ".bias", db)

        # mlp; x goes two ways, through mlp and past it, so the gradients of both add up
        dy = ops.dropout_backward(dx, mlp_drop)  # (B, T, C)
        dh, dw, db = ops.linear_backward(dy, mlp_proj, gelu)  # and through GELU (B, T, F)
        add("mlp.c_proj", dw, db)
        dh, dw, db = ops.linear_backward(dh, c_fc)  # (B, T, C)
        add("mlp.c_fc", dw, db)
        dx, dg, db = ops.layernorm_backward(dh, ln_2, past=dx)  # (B, T, C)
        add("ln_2", dg, db)

        # attention, likewise
        dy = ops.dropout_backward(dx, attn_drop)  # (B, T, C)
        dy, dw, db = ops.linear_backward(dy, attn_proj)  # (B, T, C)
        add("attn.c_proj", dw, db)
        dqkv = ops.attention_backward(dy, attn)  # (B, T, 3C)
        dh, dw, db = ops.linear_backward(dqkv, c_attn)  # (B, T, C)
        add("attn.c_attn", dw, db)
        dx, dg, db = ops.layernorm_backward(dh, ln_1, past=dx)  # (B, T, C)
        add("ln_1", dg, db)
        return dx
