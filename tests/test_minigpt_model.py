import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from minigpt_examples import MODEL, small_model

from minigpt import gradcheck
from minigpt.backend import random_generator, to_numpy
from minigpt.config import ModelConfig, TrainConfig
from minigpt.model import GPT, param_shapes
from minigpt.optim import AdamW

pytest_plugins = ["minigpt_fixtures"]

V = MODEL.vocab_size


def batch(xp, B=3, T=16, seed=0, high=V):
    """Return ids and targets, (B, T) each."""
    both = np.random.default_rng(seed).integers(0, high, (2, B, T))
    return xp.asarray(both[0]), xp.asarray(both[1])


def loss_and_grads(model, ids, targets, n_targets=None, rng=None):
    loss, cache = model.forward(ids, targets, n_targets, rng)
    grads = model.new_grads()
    model.backward(cache, grads)
    return float(loss), to_numpy(grads.flat)


def small_in_every_way(device, **changes):
    """A float64 model away from gains of 1 and biases of 0, where mistakes can hide."""
    sizes = {"vocab_size": 13, "n_positions": 7, "n_embd": 8, "n_head": 2} | changes
    model = small_model(device, "float64", **sizes)
    noise = np.random.default_rng(5).standard_normal(len(model.params.flat))
    model.params.flat += 0.2 * device.xp.asarray(noise)
    return model


# ---- gradients ------------------------------------------------------------------------------


def test_gradient_of_every_parameter_equals_the_measured_slope(device):
    errors = {name: gradcheck.relative_error(a, n) for name, a, n in gradcheck.check_model(device)}
    assert set(errors) == set(param_shapes(ModelConfig(n_layer=2)))
    assert max(errors.values()) < 1e-6


def test_gradients_are_right_with_dropout_masked_targets_and_a_short_window(device):
    xp = device.xp
    model = small_in_every_way(device, dropout=0.2)
    ids, targets = batch(xp, B=2, T=5, high=13)
    targets[0, :3] = -1

    def loss():  # the same generator each time, so the same zeros
        return model.forward(ids, targets, rng=random_generator(xp, 7))[0]

    grads = model.new_grads()
    model.backward(model.forward(ids, targets, rng=random_generator(xp, 7))[1], grads)
    rng = np.random.default_rng(8)
    for name, w in model.params.items():
        u = xp.asarray(rng.standard_normal(w.shape))
        slopes = gradcheck.compare(loss, w, grads[name], u)
        assert gradcheck.relative_error(*slopes) < 1e-6, name


def test_backward_adds_to_what_the_gradients_hold(device):
    model, (ids, targets) = small_in_every_way(device), batch(device.xp, T=7, high=13)
    _, once = loss_and_grads(model, ids, targets)
    _, cache = model.forward(ids, targets)
    grads = model.new_grads()
    model.backward(cache, grads)
    model.backward(cache, grads)
    np.testing.assert_allclose(to_numpy(grads.flat), 2 * once)


def test_the_token_embedding_gets_the_gradients_of_both_its_uses(device):
    model = small_in_every_way(device)
    ids, targets = batch(device.xp, T=7, high=6)  # ids 6 .. 12 are never looked up
    _, cache = model.forward(ids, targets)
    grads = model.new_grads()
    model.backward(cache, grads)
    # rows that are only scored have a gradient, from the logits ...
    assert bool((grads["wte.weight"][6:] != 0).any())
    # ... and rows that are looked up have more than that one
    _, from_logits = device.ops.next_token_loss_backward(1.0, cache[1])
    difference = to_numpy(grads["wte.weight"] - from_logits)
    used = np.unique(to_numpy(ids))
    assert (difference[used] != 0).any(axis=1).all()
    assert not difference[np.setdiff1d(np.arange(13), used)].any()


def test_forward_and_backward_leave_the_parameters_as_they_are(device):
    model, (ids, targets) = small_in_every_way(device), batch(device.xp, T=7, high=13)
    before, ids_before = model.params.flat.copy(), ids.copy()
    loss_and_grads(model, ids, targets)
    model.logits(ids)
    assert bool((model.params.flat == before).all())
    assert bool((ids == ids_before).all())


# ---- batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [[0, 1, 4], [0, 2, 3, 4]])
def test_slices_of_a_batch_add_up_to_the_whole(device, cuts):
    model, (ids, targets) = small_in_every_way(device), batch(device.xp, B=4, T=7, high=13)
    targets[1:3, :4] = -1  # an unequal number of targets in the slices
    n_targets = int((targets >= 0).sum())
    loss, grads = loss_and_grads(model, ids, targets)
    parts = [loss_and_grads(model, ids[a:b], targets[a:b], n_targets) for a, b in pairwise(cuts)]
    assert math.isclose(sum(part for part, _ in parts), loss, rel_tol=1e-12)
    np.testing.assert_allclose(sum(part for _, part in parts), grads, rtol=1e-9, atol=1e-12)


def test_several_threads_may_use_one_model(device):
    model = small_in_every_way(device)
    batches = [batch(device.xp, T=7, high=13, seed=seed) for seed in range(8)]
    one_by_one = [loss_and_grads(model, *b) for b in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda b: loss_and_grads(model, *b), batches))
    for (loss, grads), (expected_loss, expected) in zip(together, one_by_one, strict=True):
        assert math.isclose(loss, expected_loss, rel_tol=1e-12)
        np.testing.assert_allclose(grads, expected, rtol=1e-9, atol=1e-12)


def test_the_loss_is_the_mean_surprise_of_the_targets(device):
    model, (ids, targets) = small_in_every_way(device), batch(device.xp, T=7, high=13)
    targets[0, :3] = -1
    p = to_numpy(device.ops.softmax(model.logits(ids)))
    which = to_numpy(targets)
    expected = -np.log(np.take_along_axis(p, np.maximum(which, 0)[..., None], -1)[..., 0])
    expected[which < 0] = 0
    np.testing.assert_allclose(to_numpy(model.losses(ids, targets)), expected, rtol=1e-9)
    loss = float(model.forward(ids, targets)[0])
    assert math.isclose(loss, expected.sum() / (which >= 0).sum(), rel_tol=1e-9)


def test_a_batch_without_a_target_has_no_loss_and_no_gradient(device):
    model, (ids, targets) = small_in_every_way(device), batch(device.xp, T=7, high=13)
    loss, grads = loss_and_grads(model, ids, device.xp.full_like(targets, -1))
    assert loss == 0
    assert not grads.any()


# ---- logits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [1, 7, 15])
def test_a_later_id_never_changes_earlier_logits(device, changed):
    model, (ids, other) = small_model(device), batch(device.xp)
    other[:, :changed] = ids[:, :changed]
    other[:, changed] = (ids[:, changed] + 1) % V
    logits, other_logits = to_numpy(model.logits(ids)), to_numpy(model.logits(other))
    np.testing.assert_array_equal(logits[:, :changed], other_logits[:, :changed])
    assert (logits[:, changed] != other_logits[:, changed]).any(axis=-1).all()


def test_logits_of_one_window_and_of_a_batch(device):
    model, (ids, _) = small_model(device), batch(device.xp)
    logits = model.logits(ids)
    assert logits.shape == (3, 16, V)
    alone = model.logits(ids[1])
    assert alone.shape == (16, V)
    np.testing.assert_allclose(to_numpy(alone), to_numpy(logits[1]), rtol=1e-5, atol=1e-6)
    assert model.logits([5]).shape == (1, V)  # a list, and a window that is not full
    prefix = to_numpy(model.logits(ids[1, :4]))
    np.testing.assert_allclose(prefix, to_numpy(alone[:4]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], r"ids have shape \(0,\); they must be \(T,\) or \(B, T\)"),
        ([[], []], r"ids have shape \(2, 0\)"),
        (7, r"ids have shape \(\)"),
        ([[[1]]], r"ids have shape \(1, 1, 1\)"),
        ([0] * 17, r"17 ids were given; the window holds at most 16"),
        ([[0] * 17], r"17 ids were given"),
        ([0.5], r"ids are of type float64; they must be integers"),
        ([True], r"ids are of type bool"),
        ([0, -1], r"id -1 is no symbol; ids must be from 0 to 299"),
        ([300, 1], r"id 300 is no symbol"),
        ([[1, 2], [3, 999]], r"id 999 is no symbol"),
    ],
)
def test_ids_that_cannot_be_are_refused_with_the_reason(device, ids, message):
    with pytest.raises(ValueError, match=message):
        small_model(device).logits(ids)


def test_unsigned_ids_as_they_stand_on_disk_are_welcome(device):
    ids = np.array([0, 299], np.uint16)
    assert small_model(device).logits(device.xp.asarray(ids)).shape == (2, V)


# ---- parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [{}, {"n_layer": 3, "n_embd": 24, "n_head": 3, "vocab_size": 64}])
def test_the_formula_for_the_number_of_parameters_is_what_is_stored(sizes):
    model = small_model(**sizes)
    assert model.config.n_params() == len(model.params.flat)
    assert model.config.n_params() == sum(w.size for w in model.params.values())


def test_initial_weights_are_those_of_gpt2(device):
    model = small_model(device, n_embd=64, n_layer=8, vocab_size=1000)
    wider = math.sqrt(768 / 64)  # as many terms less has a sum in this model
    for name, w in model.params.items():
        w = to_numpy(w)
        if name.endswith("bias"):
            assert not w.any()
        elif w.ndim == 1:
            assert (w == 1).all()
        else:
            std = 0.02 * wider
            std /= math.sqrt(2 * 8) if name.endswith("c_proj.weight") else 1
            assert abs(w.std() / std - 1) < 0.1, name
            assert abs(w.mean()) < 5 * std / math.sqrt(w.size), name


@pytest.mark.parametrize("n_embd", [768, 832])
def test_initial_weights_of_published_widths_are_the_published_ones(n_embd):
    weights = small_model(n_embd=n_embd, n_layer=1, n_head=2).params["h.0.attn.c_attn.weight"]
    assert abs(weights.std() / 0.02 - 1) < 0.01


def test_initial_weights_follow_from_the_seed(device):
    first, same, other = (to_numpy(small_model(device, seed=s).params.flat) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_an_untrained_model_finds_every_symbol_about_equally_likely(device):
    loss, _ = small_model(device).forward(*batch(device.xp))
    assert abs(float(loss) - math.log(V)) < 0.4  # with 16 channels, logits differ by about 0.5


def test_gradients_have_the_parameters_layout(device):
    model = small_model(device, "float64")
    grads = model.new_grads()
    assert list(grads) == list(model.params)
    assert grads.flat.dtype == model.params.flat.dtype == np.float64
    assert not grads.flat.any()


def test_a_model_without_a_device_is_on_the_cpu():
    assert GPT(MODEL).device.name == "cpu"


# ---- dropout and learning --------------------------------------------------------------------


def test_dropout_needs_a_generator_and_follows_from_its_seed(device):
    xp = device.xp
    model, plain = small_model(device, dropout=0.5), small_model(device)
    ids, targets = batch(xp)

    def loss(model, *seed):
        rng = random_generator(xp, *seed) if seed else None
        return float(model.forward(ids, targets, rng=rng)[0])

    assert loss(model) == loss(plain) == loss(plain, 1)
    assert loss(model, 1) == loss(model, 1)
    assert len({loss(model), loss(model, 1), loss(model, 2)}) == 3


def test_dropout_is_where_gpt2_has_it(device):
    """On the embedding, the attention's weights, and what attention and mlp add."""
    rates = []

    def dropout_forward(x, rate, rng, past=None):
        rates.append(rate)
        return device.ops.dropout_forward(x, rate, rng, past)

    def attention_forward(qkv, n_head, dropout, rng, segments):
        rates.append(("attention", dropout))
        return device.ops.attention_forward(qkv, n_head, dropout, rng, segments)

    def linear_and_residual(*given):
        rates.append(given[-2])
        return device.ops.linear_and_residual(*given)

    watched = {
        "dropout_forward": dropout_forward, "attention_forward": attention_forward,
        "linear_and_residual": linear_and_residual,
    }  # fmt: skip
    ops = SimpleNamespace(**{**vars(device.ops), **watched})
    model = small_model(replace(device, ops=ops), dropout=0.25)
    model.forward(*batch(device.xp), rng=random_generator(device.xp, 0))
    assert rates == [0.25, *[("attention", 0.25), 0.25, 0.25] * 2]


def test_a_very_small_model_learns_one_batch_by_heart(device):
    model = small_model(device, vocab_size=64)
    ids, targets = batch(device.xp, B=4, T=8, high=64)
    optimizer = AdamW(model.params, TrainConfig(weight_decay=0.0))
    for step in range(1, 301):
        loss, cache = model.forward(ids, targets)
        if loss < 0.1:
            break
        grads = model.new_grads()
        model.backward(cache, grads)
        optimizer.step(grads.flat, step, lr=1e-2)
    assert loss < 0.1
    assert (model.logits(ids).argmax(axis=-1) == targets).all()
