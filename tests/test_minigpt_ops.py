"""Every operation, in every implementation and on every backend: the same tests for all."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt import cpu_attention, cpu_ops, gradcheck
from minigpt import ops as plain_ops
from minigpt.backend import random_generator, to_numpy

pytest_plugins = ["minigpt_fixtures"]

CASES = list(gradcheck.op_cases(plain_ops, np))
for_every_case = pytest.mark.parametrize("case", CASES)


def normal(xp, *shape, seed=0, dtype="float64"):
    return xp.asarray(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def close(a, b, tolerance=1e-12):
    a, b = (x.get() if hasattr(x, "get") else x for x in (a, b))  # a CuPy array has get()
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def directional_errors(ops, xp, case):
    """Yield the relative error of each input's gradient, along three directions."""
    forward, backward, inputs = gradcheck.op_cases(ops, xp)[case]
    out, cache = forward(*inputs)
    r = normal(xp, *out.shape, seed=1)
    gradients = backward(r, cache)
    assert len(gradients) == len(inputs)
    for x, gradient in zip(inputs, gradients, strict=True):
        assert gradient.shape == x.shape
        for seed in range(2, 5):
            u = normal(xp, *x.shape, seed=seed)
            slopes = gradcheck.compare(lambda: (forward(*inputs)[0] * r).sum(), x, gradient, u)
            yield gradcheck.relative_error(*slopes)


@for_every_case
def test_gradient_equals_the_measured_slope_for_every_input(xp, ops, case):
    assert max(directional_errors(ops, xp, case)) < 1e-6


@for_every_case
@pytest.mark.parametrize("kept", [0, 128])
def test_gradient_is_right_where_the_work_is_cut_into_blocks(case, kept):
    with (
        mock.patch.object(cpu_ops, "BLOCK", 8),
        mock.patch.object(cpu_attention, "QUERIES", 2),
        mock.patch.object(cpu_attention, "KEPT", kept),
    ):
        assert max(directional_errors(cpu_ops, np, case)) < 1e-6


def test_every_operation_has_a_pair_and_a_gradient_check():
    forwards = {name for name in vars(plain_ops) if name.endswith("_forward")}
    backwards = {name for name in vars(plain_ops) if name.endswith("_backward")}
    assert {f.removesuffix("_forward") for f in forwards} == {
        b.removesuffix("_backward") for b in backwards
    }
    assert {f.removesuffix("_forward") for f in forwards} <= set(CASES)
    others = {"softmax", "next_token_losses", "next_token_loss_backward_in_pieces"}
    others |= {"linear_and_gelu", "linear_and_residual"}
    assert forwards | backwards | others == set(cpu_ops.__all__)


@for_every_case
def test_no_operation_changes_what_it_was_given(xp, ops, case):
    forward, backward, inputs = gradcheck.op_cases(ops, xp)[case]
    before = [x.copy() for x in inputs]
    out, cache = forward(*inputs)
    dout = normal(xp, *out.shape)
    dout_before = dout.copy()
    first = [dx.copy() for dx in backward(dout, cache)]
    for dx, dx_before in zip(backward(dout, cache), first, strict=True):
        close(dx, dx_before)  # the cache, too, was given
    for x, x_before in zip([*inputs, dout], [*before, dout_before], strict=True):
        close(x, x_before, 0)


@for_every_case
def test_single_precision_stays_single(xp, ops, case):
    forward, backward, inputs = gradcheck.op_cases(ops, xp)[case]
    inputs = [x.astype("float32") for x in inputs]
    out, cache = forward(*inputs)
    for dx in backward(xp.asarray(out).astype("float32"), cache):
        assert dx.dtype == np.float32
    if out.shape:  # a loss is a number and may be wider
        assert out.dtype == np.float32


# ---- embedding and linear -------------------------------------------------------------------


def test_embedding_takes_rows_and_adds_their_gradients_up(xp, ops):
    w = normal(xp, 5, 3)
    ids = xp.asarray([[4, 1, 4], [0, 4, 1]])
    out, cache = ops.embedding_forward(ids, w)
    assert out.shape == (2, 3, 3)
    close(out[1, 1], w[4])
    rows, dw = ops.embedding_backward(xp.ones_like(out), cache)
    whole = xp.zeros_like(w)
    whole[rows] = dw
    close(whole, np.array([[1], [2], [0], [0], [3]]) * np.ones(3))
    if not isinstance(rows, slice):  # which is all of them, since a GPU is not asked for ids
        assert to_numpy(rows).tolist() == [0, 1, 4]  # each once, and only what was used


def test_linear_multiplies_and_adds(xp, ops):
    x, w, b = xp.asarray([[[1.0, 2.0]]]), xp.asarray([[3.0, 4, 5], [6, 7, 8]]), xp.ones(3)
    out, _ = ops.linear_forward(x, w, b)
    close(out, [[[16.0, 19.0, 22.0]]])


# ---- layer normalisation --------------------------------------------------------------------


def test_layernorm_gives_rows_mean_0_and_variance_1_then_scales_and_shifts(xp, ops):
    x = 50 + 7 * normal(xp, 2, 3, 64)
    out, _ = ops.layernorm_forward(x, xp.ones(64), xp.zeros(64))
    close(out.mean(axis=-1), np.zeros((2, 3)), 1e-9)
    close(out.var(axis=-1), np.ones((2, 3)), 1e-5)
    g, b = normal(xp, 64, seed=1), normal(xp, 64, seed=2)
    close(ops.layernorm_forward(x, g, b)[0], out * g + b)


def test_layernorm_of_equal_numbers_is_the_bias(xp, ops):
    out, cache = ops.layernorm_forward(xp.full((1, 1, 8), 3.0), xp.ones(8), xp.arange(8.0))
    close(out, np.arange(8.0).reshape(1, 1, 8))
    assert all(
        bool(xp.isfinite(d).all()) for d in ops.layernorm_backward(xp.ones((1, 1, 8)), cache)
    )


def test_layernorm_uses_its_epsilon(xp, ops):
    x = xp.asarray([[[-1.0, 1.0]]])
    out, _ = ops.layernorm_forward(x, xp.ones(2), xp.zeros(2), eps=3.0)
    close(out, [[[-0.5, 0.5]]])  # 1 / sqrt(1 + 3)


# ---- GELU and dropout -----------------------------------------------------------------------


def test_gelu_is_x_times_the_normal_distribution(xp, ops):
    x = np.linspace(-6, 6, 101)
    exact = [v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x]
    out, _ = ops.gelu_forward(xp.asarray(x[None, None]))
    np.testing.assert_allclose(to_numpy(out)[0, 0], exact, atol=5e-4)  # the tanh form's own error


def test_gelu_is_the_tanh_form_to_the_last_digit(xp, ops):
    x = np.array([-3.0, -1.0, 0.0, 0.5, 2.0])
    expected = [
        0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) for v in x
    ]
    close(ops.gelu_forward(xp.asarray(x[None, None]))[0][0, 0], expected)


def test_gelu_of_large_numbers_is_finite(xp, ops):
    x = xp.asarray([[[-1e4, 1e4]]], dtype="float32")
    out, cache = ops.gelu_forward(x)
    close(out, [[[0, 1e4]]])
    close(ops.gelu_backward(xp.ones_like(x), cache), [[[0, 1]]])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_keeps_the_mean(xp, ops, rate):
    x = xp.ones((100, 1000))
    out, cache = ops.dropout_forward(x, rate, random_generator(xp, 1))
    share = float((out == 0).mean())
    assert abs(share - rate) < 5 * math.sqrt(rate * (1 - rate) / x.size)
    close(out[out != 0], np.full(int((out != 0).sum()), 1 / (1 - rate)))
    close(ops.dropout_backward(x, cache), out)  # the same zeros, the same scale


def test_dropout_without_a_generator_or_a_rate_is_the_identity(xp, ops):
    x, dout = normal(xp, 3, 4), normal(xp, 3, 4, seed=1)
    for rate, rng in ((0.5, None), (0.0, random_generator(xp, 1))):
        out, cache = ops.dropout_forward(x, rate, rng)
        close(out, x, 0)
        close(ops.dropout_backward(dout, cache), dout, 0)
        out, cache = ops.dropout_forward(x, rate, rng, past=dout)
        close(out, x + dout, 0)
        close(ops.dropout_backward(dout, cache), dout, 0)


def test_what_goes_past_dropout_is_added_after_it(xp, ops):
    x, past = normal(xp, 30, 40), normal(xp, 30, 40, seed=1)
    dropped, _ = ops.dropout_forward(x, 0.5, random_generator(xp, 1))
    out, cache = ops.dropout_forward(x, 0.5, random_generator(xp, 1), past)
    close(out, dropped + past, 0)
    close(ops.dropout_backward(x, cache), dropped)


# ---- softmax --------------------------------------------------------------------------------


@untimed
@given(rows=st.lists(st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3), min_size=1))
def test_softmax_rows_are_probabilities_however_large_the_numbers(xp, ops, rows):
    p = to_numpy(ops.softmax(xp.asarray(rows)))
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-12)


def test_softmax_is_the_share_of_exp(xp, ops):
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    expected = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
    close(ops.softmax(xp.asarray(x)), expected)
    close(ops.softmax(xp.asarray(x + 1000)), expected, 1e-9)  # a shift changes nothing


# ---- attention ------------------------------------------------------------------------------


def slow_attention(qkv, n_head):
    """One query at a time, with nothing but the definition."""
    B, T, C3 = qkv.shape
    C = C3 // 3
    D = C // n_head
    out = np.zeros((B, T, C))
    for b in range(B):
        for h in range(n_head):
            columns = slice(h * D, (h + 1) * D)
            q, k, v = (qkv[b, :, part * C : (part + 1) * C][:, columns] for part in range(3))
            for t in range(T):
                weights = [math.exp(q[t] @ k[s] / math.sqrt(D)) for s in range(t + 1)]
                out[b, t, columns] = sum(w * v[s] for s, w in enumerate(weights)) / sum(weights)
    return out


@pytest.mark.parametrize(("B", "T", "H", "D"), [(2, 5, 3, 2), (1, 1, 1, 4), (1, 70, 2, 3)])
def test_attention_is_what_its_definition_says(xp, ops, B, T, H, D):
    qkv = normal(xp, B, T, 3 * H * D)
    out, _ = ops.attention_forward(qkv, H)
    close(out, slow_attention(to_numpy(qkv), H), 1e-10)


@pytest.mark.parametrize("changed", [1, 63, 64, 129])
def test_attention_never_looks_ahead(xp, ops, changed):
    qkv = normal(xp, 1, 130, 12)
    other = qkv.copy()
    other[:, changed:] += 5
    out, cache = ops.attention_forward(qkv, 2)
    assert bool((ops.attention_forward(other, 2)[0][:, :changed] == out[:, :changed]).all())
    dout = xp.zeros_like(out)
    dout[:, :changed] = 1  # ... and what was said earlier has no gradient by what came later
    dqkv = ops.attention_backward(dout, cache)
    assert not bool(dqkv[:, changed:].any())
    assert bool(dqkv[:, :changed].any())


def test_attention_of_equal_keys_is_the_mean_of_the_values_so_far(xp, ops):
    v = np.random.default_rng(0).standard_normal((1, 80, 4))
    qkv = xp.asarray(np.concatenate([np.ones((1, 80, 8)), v], axis=-1))
    means = np.cumsum(v, axis=1) / np.arange(1, 81)[:, None]
    close(ops.attention_forward(qkv, 2)[0], means, 1e-10)


def test_attention_of_huge_scores_is_finite(xp, ops):
    qkv = 1e4 * normal(xp, 2, 9, 12, dtype="float32")
    out, cache = ops.attention_forward(qkv, 2)
    assert bool(xp.isfinite(out).all())
    assert bool(xp.isfinite(ops.attention_backward(out, cache)).all())


# ---- the loss -------------------------------------------------------------------------------


def loss_example(xp, V=11, scale=1.0, dtype="float64"):
    rng = np.random.default_rng(0)
    x, w = scale * normal(xp, 3, 4, 5, dtype=dtype), normal(xp, V, 5, seed=1, dtype=dtype)
    return x, w, xp.asarray(rng.integers(0, V, (3, 4)))


def test_loss_is_minus_the_log_of_each_targets_probability(xp, ops):
    x, w, targets = loss_example(xp)
    p = to_numpy(plain_ops.softmax(x @ w.T))
    expected = -np.log(np.take_along_axis(p, to_numpy(targets)[..., None], -1)[..., 0])
    close(ops.next_token_losses(x, w, targets), expected)
    assert abs(float(ops.next_token_loss_forward(x, w, targets, 12)[0]) - expected.mean()) < 1e-12


def test_loss_of_equal_logits_is_the_log_of_the_vocabulary(xp, ops):
    _, w, targets = loss_example(xp, V=7)
    close(ops.next_token_losses(xp.zeros((3, 4, 5)), w, targets), np.full((3, 4), math.log(7)))


def test_loss_of_huge_logits_is_finite(xp, ops):
    x, w, targets = loss_example(xp, scale=1e6, dtype="float32")
    loss, cache = ops.next_token_loss_forward(x, w, targets, 12)
    assert 1e5 < float(loss) < 1e7
    assert all(bool(xp.isfinite(d).all()) for d in ops.next_token_loss_backward(1.0, cache))


def test_negative_targets_count_for_nothing(xp, ops):
    x, w, targets = loss_example(xp)
    masked = targets.copy()
    masked[1], masked[0, 0] = -1, -100
    losses = ops.next_token_losses(x, w, masked)
    close(losses, xp.where(masked < 0, 0, ops.next_token_losses(x, w, targets)))
    loss, cache = ops.next_token_loss_forward(x, w, masked, 7)
    close(loss, losses.sum() / 7)
    dx, dw = ops.next_token_loss_backward(1.0, cache)
    assert not bool(dx[masked < 0].any())
    rest = x[masked >= 0][None], w, masked[masked >= 0][None], 7
    dx_rest, dw_rest = ops.next_token_loss_backward(1.0, ops.next_token_loss_forward(*rest)[1])
    close(dx[masked >= 0], dx_rest[0])
    close(dw, dw_rest)


def test_loss_where_all_targets_are_masked_is_0_and_so_are_its_gradients(xp, ops):
    x, w, targets = loss_example(xp)
    loss, cache = ops.next_token_loss_forward(x, w, xp.full_like(targets, -1), 5)
    assert float(loss) == 0
    assert not any(bool(d.any()) for d in ops.next_token_loss_backward(1.0, cache))


def test_losses_and_gradients_of_slices_add_up_to_the_whole(xp, ops):
    x, w, targets = loss_example(xp)
    loss, cache = ops.next_token_loss_forward(x, w, targets, 12)
    dx, dw = ops.next_token_loss_backward(2.0, cache)
    parts = [
        ops.next_token_loss_forward(x[rows], w, targets[rows], 12)
        for rows in (slice(0, 1), slice(1, 3))
    ]
    close(sum(part for part, _ in parts), loss)
    gradients = [ops.next_token_loss_backward(2.0, cache) for _, cache in parts]
    close(xp.concatenate([d for d, _ in gradients]), dx)
    close(sum(d for _, d in gradients), dw)
