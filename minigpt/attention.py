"""Who looks at whom: the attention weights of one layer, for every head.

In every head, position t spreads the weight 1 over itself and the positions before it:

    att = softmax(q k^T / sqrt(D)), 0 for what is later

Generation does not keep these weights (decode.py), so they are computed once more: the blocks
before the layer as in training, then the layer's queries and keys. A large weight says where a
head takes something from. It does not say why, what it takes, or what becomes of it.

Source: Vaswani et al. 2017, "Attention Is All You Need"; on how far weights explain, Jain and
Wallace 2019, "Attention is not Explanation".
"""

import math

import numpy as np

from minigpt.backend import array_module, to_numpy
from minigpt.ops import softmax, split_heads


def attention_weights(model, ids, layer):
    """Return the weights (H, T, S) of `layer` for `ids` (T,): row t says where t looks.

    Raises ValueError for a layer the model does not have and for ids that `logits` would refuse.
    """
    c, p, ops = model.config, model.weights, model.device.ops
    if not 0 <= layer < c.n_layer:
        raise ValueError(f"layer is {layer}; it must be from 0 to {c.n_layer - 1}")
    ids = model.check_ids(ids)
    x = (p["wte.weight"][ids] + p["wpe.weight"][: len(ids)])[None]  # (1, T, C)
    for l in range(layer):
        x, _ = model._block_forward(x, f"h.{l}.", None, None)
    name = f"h.{layer}."
    h, _ = ops.layernorm_forward(
        x, p[name + "ln_1.weight"], p[name + "ln_1.bias"], c.layer_norm_epsilon
    )
    qkv, _ = ops.linear_forward(h, p[name + "attn.c_attn.weight"], p[name + "attn.c_attn.bias"])
    # bfloat16 has too few digits, and CuPy cannot multiply stacks of its matrices
    qkv = qkv.astype(np.promote_types(qkv.dtype, np.float32), copy=False)
    q, k, _ = split_heads(qkv, c.n_head)  # each (1, H, T, D)
    scores = (q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[-1]))[0]  # (H, T, S)
    xp = array_module(scores)
    later = xp.triu(xp.ones(scores.shape[1:], dtype=bool), k=1)  # (T, S)
    return to_numpy(softmax(xp.where(later, xp.asarray(-xp.inf, scores.dtype), scores)))
