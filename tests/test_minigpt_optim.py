import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt.backend import to_numpy
from minigpt.config import TrainConfig
from minigpt.optim import AdamW, chunks, clip_factor, learning_rate, norm
from minigpt.params import Params

pytest_plugins = ["minigpt_fixtures"]

SHAPES = {"w": (5, 4), "b": (4,), "g": (3,)}
CONFIG = TrainConfig(beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.2)


def filled(xp, dtype="float64"):
    params = Params(SHAPES, xp, dtype)
    params.flat[...] = xp.asarray(np.random.default_rng(0).standard_normal(len(params.flat)))
    return params


def gradient(step, n=27):
    return np.random.default_rng([1, step]).standard_normal(n)


def adamw_of_the_paper(theta, gradients, rates, decay, c):
    """Algorithm 2 of Loshchilov and Hutter 2019 on one number, the schedule in `rates`."""
    m = v = 0.0
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = c.beta1 * m + (1 - c.beta1) * g
        v = c.beta2 * v + (1 - c.beta2) * g**2
        m_hat, v_hat = m / (1 - c.beta1**t), v / (1 - c.beta2**t)
        theta = theta - rate * (m_hat / (math.sqrt(v_hat) + c.epsilon) + decay * theta)
    return theta


def test_adamw_is_the_papers_algorithm_and_only_matrices_decay(xp):
    params = filled(xp)
    before = to_numpy(params.flat).copy()
    optimizer, rates = AdamW(params, CONFIG), [0.1, 0.3, 0.2, 0.01]
    for step, rate in enumerate(rates, start=1):
        optimizer.step(xp.asarray(gradient(step)), step, rate)
    for i, theta in enumerate(before):
        gradients = [gradient(step)[i] for step in range(1, 5)]
        decay = CONFIG.weight_decay if i < 20 else 0.0  # w is the only matrix
        expected = adamw_of_the_paper(theta, gradients, rates, decay, CONFIG)
        assert math.isclose(float(params.flat[i]), expected, rel_tol=1e-12)


def test_without_a_gradient_matrices_shrink_and_vectors_stay(xp):
    params = filled(xp)
    before = to_numpy(params.flat).copy()
    AdamW(params, CONFIG).step(xp.zeros(27), 1, lr=0.5)
    after = to_numpy(params.flat)
    np.testing.assert_allclose(after[:20], before[:20] * (1 - 0.5 * 0.2))
    assert (after[20:] == before[20:]).all()


def test_scale_multiplies_the_gradient(xp):
    one, other, g = filled(xp), filled(xp), xp.asarray(gradient(1))
    AdamW(one, CONFIG).step(g, 1, 0.1, scale=0.25)
    AdamW(other, CONFIG).step(0.25 * g, 1, 0.1)
    assert bool((one.flat == other.flat).all())
    assert to_numpy(g).tolist() == gradient(1).tolist()  # itself it stays


@pytest.mark.parametrize("size", [1, 3, 7, 20, 1000])
@pytest.mark.parametrize("n", [2, 3, 40])
def test_updating_in_chunks_or_by_several_workers_changes_nothing(monkeypatch, size, n):
    plain, cut, shared = (filled(np, "float32") for _ in range(3))
    g = gradient(1).astype("float32")
    AdamW(plain, CONFIG).step(g, 1, 0.1)
    monkeypatch.setattr(AdamW, "CHUNK", size)
    AdamW(cut, CONFIG).step(g, 1, 0.1)
    optimizer = AdamW(shared, CONFIG)
    for index in range(n):
        optimizer.step(g, 1, 0.1, index=index, n=n)
    assert (cut.flat == plain.flat).all()
    assert (shared.flat == plain.flat).all()


def test_moments_have_the_parameters_layout_and_precision(xp):
    params = filled(xp, "float32")
    optimizer = AdamW(params, CONFIG)
    optimizer.step(xp.asarray(gradient(1).astype("float32")), 1, 0.1)
    for array in (params.flat, optimizer.m, optimizer.v):
        assert (array.shape, array.dtype) == ((27,), np.float32)


# ---- clipping -------------------------------------------------------------------------------


def test_norm_is_the_length_of_the_vector(xp):
    assert norm(xp.asarray([3.0, -4.0])) == 5
    assert norm(xp.zeros(3)) == 0


@untimed
@given(length=st.floats(1e-6, 1e6), limit=st.floats(1e-6, 1e6))
def test_clipping_shortens_what_is_too_long_and_nothing_else(length, limit):
    clipped = clip_factor(length, limit) * length
    assert math.isclose(clipped, min(length, limit), rel_tol=1e-12)
    assert clip_factor(length, 0) == 1


def test_a_gradient_of_zero_is_not_divided_by():
    assert clip_factor(0.0, 1.0) == 1


# ---- the schedule ---------------------------------------------------------------------------

SCHEDULE = TrainConfig(steps=101, warmup_steps=10, learning_rate=1.0, min_learning_rate=0.2)


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (55, 0.6), (100, 0.2), (101, 0.2), (5000, 0.2)],
)
def test_the_learning_rate_rises_then_follows_half_a_cosine_to_its_end(step, rate):
    assert math.isclose(learning_rate(step, SCHEDULE), rate, rel_tol=1e-12)


def test_the_learning_rate_never_rises_after_the_warmup():
    rates = [learning_rate(step, SCHEDULE) for step in range(10, 101)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (2, 1), (1, 5), (3, 100)])
def test_the_learning_rate_of_very_short_runs_is_within_its_bounds(steps, warmup):
    config = TrainConfig(steps=steps, warmup_steps=warmup, learning_rate=1.0, min_learning_rate=0)
    assert all(0 <= learning_rate(step, config) <= 1 for step in range(steps))


# ---- chunks ---------------------------------------------------------------------------------


@untimed
@given(start=st.integers(0, 50), length=st.integers(0, 200), size=st.integers(1, 70))
def test_chunks_cover_everything_once_in_order(start, length, size):
    end = start + length
    cut = chunks(start, end, size)
    assert [i for s in cut for i in range(end)[s]] == list(range(start, end))
    assert all(s.stop - s.start <= size for s in cut)
