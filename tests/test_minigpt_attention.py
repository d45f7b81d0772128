"""Attention weights for looking at: against the formula, and against the model's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import MODEL, small_model, untimed

from minigpt import ops as plain_ops
from minigpt import row_ops
from minigpt.attention import attention_weights
from minigpt.backend import Device, open_device, to_numpy

pytest_plugins = ["minigpt_fixtures"]

IDS = [5, 9, 5, 120, 0, 299, 17]


def normalised(x, g, b):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * g + b


def weights_of_layer_0(model, ids):
    """softmax(Q K^T / sqrt(D)) with what is later left out, a row at a time, in float64."""
    p = {name: to_numpy(w).astype(np.float64) for name, w in model.params.items()}
    x = p["wte.weight"][ids] + p["wpe.weight"][: len(ids)]
    h = normalised(x, p["h.0.ln_1.weight"], p["h.0.ln_1.bias"])
    q, k, _ = np.split(h @ p["h.0.attn.c_attn.weight"] + p["h.0.attn.c_attn.bias"], 3, axis=1)
    H, D, T = model.config.n_head, model.config.n_embd // model.config.n_head, len(ids)
    weights = np.zeros((H, T, T))
    for head in range(H):
        part = slice(head * D, (head + 1) * D)
        for t in range(T):
            scores = np.exp(k[: t + 1, part] @ q[t, part] / np.sqrt(D))
            weights[head, t, : t + 1] = scores / scores.sum()
    return weights


def shaken(model):
    """Return a model whose weights are far from even attention."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.5, model.params.flat.shape).astype(np.float32)
    model.params.flat += model.device.xp.asarray(noise)
    return model


def test_the_first_layer_is_the_formula(device):
    model = shaken(small_model(device))
    weights = attention_weights(model, IDS, 0)
    assert weights.shape == (MODEL.n_head, len(IDS), len(IDS))
    np.testing.assert_allclose(weights, weights_of_layer_0(model, IDS), atol=1e-5)
    assert weights[0, -1].max() > 2 / len(IDS)  # not even: the formula has something to show


@pytest.mark.parametrize("layer", range(MODEL.n_layer))
def test_every_layer_is_what_the_forward_pass_used(layer):
    model = shaken(small_model(Device("cpu", np, plain_ops, row_ops)))
    block_caches = model._body_forward(np.array([IDS]))[1][3]
    _, _, used, _, _ = block_caches[layer][2]  # the cache of ops.attention_forward
    np.testing.assert_allclose(attention_weights(model, IDS, layer), used[0], atol=1e-6)


@untimed
@given(
    st.lists(st.integers(0, MODEL.vocab_size - 1), min_size=1, max_size=MODEL.n_positions),
    st.integers(0, MODEL.n_layer - 1),
)
def test_every_row_adds_up_to_one_and_nothing_looks_ahead(ids, layer):
    weights = attention_weights(small_model(open_device("cpu")), ids, layer)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert not np.triu(weights, 1).any()
    assert (weights >= 0).all()


@pytest.mark.parametrize(
    ("ids", "layer", "reason"),
    [
        (IDS, 2, "layer is 2; it must be from 0 to 1"),
        (IDS, -1, "layer is -1"),
        ([], 0, "ids have shape"),
        ([300], 0, "id 300 is no symbol"),
        ([1] * 17, 0, "17 ids were given; the window holds at most 16"),
    ],
)
def test_what_the_model_does_not_have_is_refused(ids, layer, reason):
    with pytest.raises(ValueError, match=reason):
        attention_weights(small_model(), ids, layer)
