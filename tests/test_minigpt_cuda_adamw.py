"""AdamW, norms and sums on the GPU, beside their plain forms."""

import math

import numpy as np
import pytest
from cuda_on_cpu import emulator
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt import optim
from minigpt.config import TrainConfig
from minigpt.cuda.adamw import adamw_step
from minigpt.cuda.sums import column_sum, squared_norm

some = settings(deadline=None, max_examples=20, derandomize=True)


@pytest.fixture(scope="module", autouse=True)
def kernels_on_cpu():
    with emulator.installed():
        yield


def normal(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def step_numbers(step, lr, factor, config):
    """Return what a step is told (4,): its size, the root in it, lr and the factor."""
    root = math.sqrt(1 - config.beta2**step)
    return np.array([lr * root / (1 - config.beta1**step), root, lr, factor], np.float32)


class Example:
    """Weights, a gradient and moments, (n,) each, and an update of them with CONFIG."""

    config = TrainConfig(beta1=0.9, beta2=0.99, weight_decay=0.1, grad_clip=1.0)

    def __init__(self, n, dtype="float64", scale=1.0, seed=0):
        self.w, self.g, self.m = (normal(n, dtype=dtype, seed=seed + i) for i in range(3))
        self.g *= scale
        self.v = np.square(normal(n, dtype=dtype, seed=seed + 3))
        self.low = None

    def update(self, step=3, lr=1e-2, factor=1.0, clear=False):
        squared = np.full(1, np.nan, self.w.dtype)
        squared_norm(self.g, squared)
        c = self.config
        numbers = step_numbers(step, lr, factor, c).astype(self.w.dtype)
        n_matrix = len(self.w) * 2 // 3
        state = self.w, self.g, self.m, self.v, self.low
        adamw_step(*state, n_matrix, numbers, squared, c, clear)
        return n_matrix


@some
@given(n=st.integers(1, 3000), step=st.integers(1, 999), scale=st.sampled_from([1e-3, 0.1, 10]),
       factor=st.sampled_from([1.0, 0.25]), seed=st.integers(0, 99))  # fmt: skip
def test_an_update_is_that_of_the_plain_optimizer(n, step, scale, factor, seed):
    got, plain = Example(n, scale=scale, seed=seed), Example(n, scale=scale, seed=seed)
    n_matrix = got.update(step, 1e-2, factor)
    c = plain.config
    scale = factor * optim.clip_factor(factor * optim.norm(plain.g), c.grad_clip)
    for part, decay in ((slice(n_matrix), c.weight_decay), (slice(n_matrix, n), 0.0)):
        state = (x[part] for x in (plain.w, plain.g, plain.m, plain.v))
        optim.adamw(*state, step, 1e-2, c.beta1, c.beta2, c.epsilon, decay, scale)
    for name in ("w", "m", "v"):  # step_numbers are of float32
        np.testing.assert_allclose(getattr(got, name), getattr(plain, name), 1e-6, 1e-6)


def test_an_update_in_single_precision_is_as_good_as_that_allows():
    got, plain = Example(1001, "float32"), Example(1001, "float32")
    for name in ("w", "g", "m", "v"):
        setattr(plain, name, getattr(got, name).astype("float64"))
    got.update()
    plain.update()
    np.testing.assert_allclose(got.w, plain.w, 1e-5, 1e-6)


def test_a_copy_of_the_weights_is_rounded_to_bfloat16_in_the_same_pass():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    got = Example(1003, "float32")
    got.low = np.zeros(1003, bfloat16)
    got.update()
    assert (got.low == got.w.astype(bfloat16)).all()


def test_the_gradient_is_cleared_if_that_is_wanted():
    got = Example(70)
    got.update()
    assert got.g.all()
    got.update(clear=True)
    assert not got.g.any()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(bad):
    got, before = Example(70), Example(70)
    got.g[69] = bad
    got.update()
    for name in ("w", "m", "v"):
        assert (getattr(got, name) == getattr(before, name)).all()


@some
@given(N=st.integers(1, 1500), C=st.integers(1, 300), seed=st.integers(0, 99))
def test_columns_are_added_up(N, C, seed):
    x = normal(N, C, seed=seed)
    assert np.abs(column_sum(x) - x.astype("float64").sum(axis=0)).max() < 1e-5 * N


@some
@given(n=st.integers(1, 9000), start=st.integers(0, 3))
def test_squares_are_added_up_wherever_they_start(n, start):
    x, out = normal(n + start)[start:], np.full(1, np.nan, "float32")
    squared_norm(x, out)
    assert abs(out[0] / np.square(x.astype("float64")).sum() - 1) < 1e-5


def test_sums_are_the_same_each_time():
    x = normal(3000, 40, dtype="float32")
    assert (column_sum(x) == column_sum(x.copy())).all()
