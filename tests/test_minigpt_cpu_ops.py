"""The fast operations give what the plain ones give, for any shape, block size and precision."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt import cpu_attention, cpu_ops, ops

TOLERANCE = {"float32": 2e-5, "float64": 1e-11}

dtypes = st.sampled_from(sorted(TOLERANCE))
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 9)
lengths = st.one_of(st.integers(1, 9), st.sampled_from([63, 64, 65, 128, 130]))
blocks = st.sampled_from([1, 7, 64, 1 << 16])


def same(fast, plain, dtype, conditioning=1):
    """Compare two arrays, or tuples of arrays, relative to the largest value of each.

    `conditioning` is how many times larger than the inputs' rounding errors the outputs' are.
    """
    if not isinstance(fast, tuple):
        fast, plain = (fast,), (plain,)
    for a, b in zip(fast, plain, strict=True):
        assert np.shape(a) == np.shape(b)
        scale = max(1.0, float(np.abs(b).max()))
        np.testing.assert_allclose(
            a / scale, b / scale, rtol=0, atol=TOLERANCE[dtype] * conditioning
        )


def compare(name, dtype, *inputs, block=1 << 16, queries=64, kept=128, cached=1 << 17, seed=0):
    """Run the pair `name` of both implementations, forward and backward, on the same inputs."""
    with (
        mock.patch.object(cpu_ops, "BLOCK", block),
        mock.patch.object(cpu_attention, "QUERIES", queries),
        mock.patch.object(cpu_attention, "KEPT", kept),
        mock.patch.object(cpu_attention, "CACHED", cached),
    ):
        out, cache = getattr(cpu_ops, name + "_forward")(*inputs)
        plain_out, plain_cache = getattr(ops, name + "_forward")(*inputs)
        same(out, plain_out, dtype)
        dout = np.random.default_rng(seed).standard_normal(np.shape(out)).astype(dtype)
        backward = getattr(cpu_ops, name + "_backward")(dout, cache)
        same(backward, getattr(ops, name + "_backward")(dout, plain_cache), dtype)


def normal(rng, dtype, *shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(dtype)


@untimed
@given(B=sizes, T=lengths, V=sizes, C=sizes, dtype=dtypes, seed=seeds)
def test_embedding(B, T, V, C, dtype, seed):
    rng = np.random.default_rng(seed)
    compare("embedding", dtype, rng.integers(0, V, (B, T)), normal(rng, dtype, V, C))


@untimed
@given(B=sizes, T=lengths, C=sizes, F=sizes, dtype=dtypes, seed=seeds)
def test_linear(B, T, C, F, dtype, seed):
    rng = np.random.default_rng(seed)
    x, w, b = normal(rng, dtype, B, T, C), normal(rng, dtype, C, F), normal(rng, dtype, F)
    compare("linear", dtype, x, w, b)


@untimed
@given(
    B=sizes, T=lengths, C=st.integers(1, 40), dtype=dtypes, seed=seeds, block=blocks,
    shift=st.sampled_from([0, 3, -20]),
)  # fmt: skip
def test_layernorm(B, T, C, dtype, seed, block, shift):
    rng = np.random.default_rng(seed)
    x = normal(rng, dtype, B, T, C) + np.asarray(shift, dtype)
    compare("layernorm", dtype, x, normal(rng, dtype, C), normal(rng, dtype, C), 0.1, block=block)


@untimed
@given(
    B=sizes, T=lengths, F=sizes, dtype=dtypes, seed=seeds, block=blocks,
    scale=st.sampled_from([0.1, 1, 10, 1000]),
)  # fmt: skip
def test_gelu(B, T, F, dtype, seed, block, scale):
    x = normal(np.random.default_rng(seed), dtype, B, T, F, scale=scale)
    compare("gelu", dtype, x, block=block)


@untimed
@given(B=sizes, T=lengths, C=sizes, F=sizes, dtype=dtypes, seed=seeds, block=blocks)
def test_linear_and_gelu(B, T, C, F, dtype, seed, block):
    rng = np.random.default_rng(seed)
    x, w, b = normal(rng, dtype, B, T, C), normal(rng, dtype, C, F), normal(rng, dtype, F)
    given = [a.copy() for a in (x, w, b)]
    with mock.patch.object(cpu_ops, "BLOCK", block):
        out, gelu, linear = cpu_ops.linear_and_gelu(x, w, b)
    plain_out, plain_gelu, plain_linear = ops.linear_and_gelu(x, w, b)
    same(out, plain_out, dtype)
    dout = normal(rng, dtype, B, T, F)
    same(cpu_ops.gelu_backward(dout, gelu), ops.gelu_backward(dout, plain_gelu), dtype)
    same(linear, plain_linear, dtype)
    same((x, w, b), tuple(given), dtype)


@untimed
@given(
    B=sizes, T=lengths, C=sizes, F=sizes, dtype=dtypes, seed=seeds, block=blocks,
    rate=st.sampled_from([0.0, 0.4]), draws=st.booleans(),
)  # fmt: skip
def test_linear_and_residual(B, T, C, F, dtype, seed, block, rate, draws):
    rng = np.random.default_rng(seed)
    x, w, b = normal(rng, dtype, B, T, C), normal(rng, dtype, C, F), normal(rng, dtype, F)
    past = normal(rng, dtype, B, T, F)
    given = [a.copy() for a in (x, w, b, past)]
    with mock.patch.object(cpu_ops, "BLOCK", block):
        out, drop, linear = cpu_ops.linear_and_residual(
            x, w, b, past, rate, np.random.default_rng(seed) if draws else None
        )
    plain_out, plain_drop, plain_linear = ops.linear_and_residual(
        x, w, b, past, rate, np.random.default_rng(seed) if draws else None
    )
    same(out, plain_out, dtype)
    same(linear, plain_linear, dtype)
    assert (drop is None) == (plain_drop is None) == (not (rate and draws))
    if drop is not None:
        same(drop, plain_drop, dtype)
    same((x, w, b, past), tuple(given), dtype)


@untimed
@given(
    B=st.integers(1, 3), T=lengths, H=st.integers(1, 4), D=sizes, dtype=dtypes, seed=seeds,
    queries=st.sampled_from([1, 3, 64]), kept=st.sampled_from([0, 128]),
    cached=st.sampled_from([1, 1 << 13, 1 << 17]), scale=st.sampled_from([1, 5]),
)  # fmt: skip
def test_attention(B, T, H, D, dtype, seed, queries, kept, cached, scale):
    qkv = normal(np.random.default_rng(seed), dtype, B, T, 3 * H * D, scale=scale)
    compare("attention", dtype, qkv, H, queries=queries, kept=kept, cached=cached)


@pytest.mark.parametrize("kept", [0, 128])
def test_attention_with_scores_too_large_for_exp(kept):
    qkv = normal(np.random.default_rng(1), "float64", 2, 70, 3 * 2 * 4, scale=60)  # exp(3600)
    compare("attention", "float64", qkv, 2, kept=kept)


@pytest.mark.parametrize("kept", [0, 128])
def test_attention_with_all_scores_too_small_for_exp(kept):
    rng = np.random.default_rng(1)
    k = np.full((2, 70, 4), 8.0)
    qkv = np.concatenate([-20 * k, k, rng.standard_normal(k.shape)], axis=2)  # all scores -2560
    compare("attention", "float64", qkv, 1, kept=kept)


@untimed
@given(B=st.integers(1, 3), T=st.integers(1, 32), H=st.integers(1, 4), dtype=dtypes, seed=seeds)
def test_attention_with_dropout_of_one_block_draws_the_same_zeros(B, T, H, dtype, seed):
    qkv = normal(np.random.default_rng(seed), dtype, B, T, 3 * H * 4)
    fast, fast_cache = cpu_ops.attention_forward(qkv, H, 0.3, np.random.default_rng(seed))
    plain, plain_cache = ops.attention_forward(qkv, H, 0.3, np.random.default_rng(seed))
    same(fast, plain, dtype)
    dqkv = cpu_ops.attention_backward(fast, fast_cache)
    same(dqkv, ops.attention_backward(plain, plain_cache), dtype)


@untimed
@given(B=st.integers(1, 3), T=st.integers(1, 150), H=st.integers(1, 4), dtype=dtypes, seed=seeds)
def test_attention_within_segments(B, T, H, dtype, seed):
    rng = np.random.default_rng(seed)
    qkv, dout = normal(rng, dtype, B, T, 3 * H * 4), normal(rng, dtype, B, T, H * 4)
    segments = np.cumsum(rng.random((B, T)) < 0.1, axis=1)
    fast, fast_cache = cpu_ops.attention_forward(qkv, H, segments=segments)
    plain, plain_cache = ops.attention_forward(qkv, H, segments=segments)
    same(fast, plain, dtype)
    dqkv = cpu_ops.attention_backward(dout, fast_cache)
    same(dqkv, ops.attention_backward(dout, plain_cache), dtype)


@untimed
@given(
    B=sizes, T=lengths, V=st.integers(1, 40), C=sizes, dtype=dtypes, seed=seeds, block=blocks,
    masked=st.sampled_from([0.0, 0.5, 1.0]), scale=st.sampled_from([1, 1e3]),
    dloss=st.sampled_from([1.0, -0.5]), piece=st.sampled_from([1, 30, 1 << 19]),
)  # fmt: skip
def test_next_token_loss(B, T, V, C, dtype, seed, block, masked, scale, dloss, piece):
    rng = np.random.default_rng(seed)
    x, w = normal(rng, dtype, B, T, C, scale=scale), normal(rng, dtype, V, C)
    targets = np.where(rng.random((B, T)) < masked, -1, rng.integers(0, V, (B, T)))
    inputs = x, w, targets, 2 * B * T
    with mock.patch.multiple(cpu_ops, BLOCK=block, PIECE=piece):
        losses = cpu_ops.next_token_losses(x, w, targets)
        loss, cache = cpu_ops.next_token_loss_forward(*inputs)
        gradients = cpu_ops.next_token_loss_backward(dloss, cache)
    assert losses.dtype == dtype
    same(losses, ops.next_token_losses(x, w, targets), dtype)
    plain_loss, plain_cache = ops.next_token_loss_forward(*inputs)
    same(loss, plain_loss, dtype)
    same(gradients, ops.next_token_loss_backward(dloss, plain_cache), dtype, conditioning=scale)


@untimed
@given(n=st.integers(0, 300), row_size=st.integers(1, 70), block=blocks)
def test_row_blocks_cover_every_row_once(n, row_size, block):
    with mock.patch.object(cpu_ops, "BLOCK", block):
        rows = [i for s in cpu_ops.row_blocks(n, row_size) for i in range(n)[s]]
    assert rows == list(range(n))
