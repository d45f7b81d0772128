"""The GPU's operations against the plain ones in float64, in the types a GPU computes in."""

import math
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from cuda_on_cpu import emulator
from hypothesis import given, settings
from hypothesis import strategies as st
from minigpt_examples import MODEL

from minigpt import cpu_ops, cuda_ops, ops, row_ops
from minigpt.backend import Device, open_device, to_numpy
from minigpt.cuda import attention, embedding, flash, kernels, rows
from minigpt.cuda.dropout import Seed
from minigpt.model import GPT
from minigpt.params import Params

few = settings(deadline=None, max_examples=12, derandomize=True)
DTYPES = {"float32": 1e-5, "bfloat16": 1e-2}  # the largest relative error
small = st.integers(1, 40)
seeds = st.integers(0, 999)
channels = st.one_of(st.integers(1, 80), st.integers(1, 12).map(lambda n: 8 * n))
for_every_type = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture(scope="module", params=["on-cpu", "gpu"])
def xp(request):
    """NumPy, with kernels that g++ compiled, or CuPy; whatever a kernel must write is NaN first."""
    if request.param == "on-cpu":
        with emulator.installed():
            yield np
    else:
        try:
            library = open_device("gpu").xp
        except ValueError as error:
            pytest.skip(str(error).partition(";")[0])
        with mock.patch.object(kernels, "empty", emulator.poisoned):
            yield library


def normal(xp, dtype, seed, *shape):
    """Return random numbers as `dtype` holds them."""
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    return xp.asarray(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def wide(x):
    return to_numpy(x).astype("float64")


def relative(x, expected):
    """Return |x - expected| / |expected|, in lengths; NaN counts as infinite."""
    error = np.linalg.norm(wide(x) - expected) / max(np.linalg.norm(expected), 1e-30)
    return error if error == error else math.inf


def assert_like_plain(name, dtype, inputs, forward_args=(), dout=None, backward="_backward"):
    """Compare a pair of cuda_ops with that of ops on the same numbers in float64."""
    tolerance = DTYPES[dtype]
    out, cache = getattr(cuda_ops, name + "_forward")(*inputs, *forward_args)
    args = [to_numpy(a) if hasattr(a, "dtype") else a for a in forward_args]
    expected, plain = getattr(ops, name + "_forward")(*map(wide, inputs), *args)
    assert relative(out, expected) < tolerance
    gradients = getattr(cuda_ops, name + backward)(dout, cache)
    plain_dout = wide(dout) if hasattr(dout, "dtype") else dout
    expected = getattr(ops, name + backward)(plain_dout, plain)
    if not isinstance(gradients, tuple):
        gradients, expected = (gradients,), (expected,)
    largest = max(np.linalg.norm(g) for g in expected)
    for got, wanted in zip(gradients, expected, strict=True):
        error = np.linalg.norm(wide(got) - wanted)
        assert error < tolerance * max(np.linalg.norm(wanted), 1e-3 * largest)
    return gradients


# ---- every kernel ---------------------------------------------------------------------------


@for_every_type
@few
@given(n=st.integers(1, 90), C=channels, seed=seeds)
def test_layernorm_is_that_of_float64(xp, dtype, n, C, seed):
    x, dout, past = (normal(xp, dtype, seed + i, 1, n, C) for i in range(3))
    g, b = normal(xp, dtype, seed + 3, C), normal(xp, dtype, seed + 4, C)
    if C < 4:  # of one or two numbers there is little but rounding
        assert bool(xp.isfinite(cuda_ops.layernorm_forward(x, g, b)[0].astype("float32")).all())
        return
    gradients = assert_like_plain("layernorm", dtype, (x, g, b), dout=dout)
    assert gradients[1].dtype == gradients[2].dtype == np.float32
    _, cache = cuda_ops.layernorm_forward(x, g, b)
    _, plain = ops.layernorm_forward(wide(x), wide(g), wide(b))
    dx, *_ = cuda_ops.layernorm_backward(dout, cache, past)
    expected, *_ = ops.layernorm_backward(wide(dout), plain, wide(past))
    assert relative(dx, expected) < DTYPES[dtype]


def test_cuda_ops_has_every_operation():
    assert set(cuda_ops.__all__) >= set(cpu_ops.__all__)
    assert all(hasattr(cuda_ops, name) for name in cuda_ops.__all__)


def test_layernorm_takes_rows_as_wide_as_those_of_gpt2_xl(xp):
    x, g = normal(xp, "float32", 0, 1, 3, 1600), normal(xp, "float32", 1, 1600)
    assert_like_plain("layernorm", "float32", (x, g, g), dout=x)


@for_every_type
@few
@given(n=st.integers(30, 700), seed=seeds)
def test_gelu_is_that_of_float64(xp, dtype, n, seed):
    x, dout = 3 * normal(xp, "float32", seed, n), normal(xp, dtype, seed + 1, n)
    assert_like_plain("gelu", dtype, (x.astype(dout.dtype),), dout=dout)


def test_gelu_of_large_numbers_is_the_number_or_nothing(xp):
    x = xp.asarray(np.array([-1e30, -1e9, -60, -0.0, 1e-20, 60, 1e9], "float32"))
    out, _ = cuda_ops.gelu_forward(x)
    np.testing.assert_allclose(to_numpy(out), [0, 0, 0, 0, 5e-21, 60, 1e9], rtol=1e-6, atol=1e-30)


@for_every_type
def test_the_slope_of_gelu_is_0_far_below_and_1_far_above(xp, dtype):
    x = normal(xp, dtype, 0, 8)
    x[:] = xp.asarray([-1e18, -1e4, -100, -12, 12, 100, 1e4, 1e18], "float32").astype(x.dtype)
    dx = cuda_ops.gelu_backward(xp.ones_like(x), cuda_ops.gelu_forward(x)[1])
    np.testing.assert_allclose(wide(dx), [0, 0, 0, 0, 1, 1, 1, 1], atol=1e-6)


@for_every_type
def test_what_is_no_number_stays_none_in_gelu(xp, dtype):
    x = normal(xp, dtype, 0, 9)
    x[4] = np.nan
    for out in (cuda_ops.gelu_forward(x)[0], cuda_ops.gelu_backward(xp.ones_like(x), x)):
        assert np.flatnonzero(np.isnan(wide(out))).tolist() == [4]


@for_every_type
@few
@given(T=small, C=channels, F=channels, seed=seeds)
def test_linear_is_that_of_float64(xp, dtype, T, C, F, seed):
    x, w, b, dout = (
        normal(xp, dtype, seed + i, *shape)
        for i, shape in enumerate([(2, T, C), (C, F), (F,), (2, T, F)])
    )
    _, dw, db = assert_like_plain("linear", dtype, (x, w, b), dout=dout)
    assert dw.dtype == db.dtype == np.float32


@for_every_type
@pytest.mark.parametrize("draws", [False, True])
@few
@given(T=small, C=channels, F=channels, seed=seeds)
def test_linear_with_what_goes_past_is_that_of_float64(xp, dtype, draws, T, C, F, seed):
    x, w, b, past = (
        normal(xp, dtype, seed + i, *shape)
        for i, shape in enumerate([(2, T, C), (C, F), (F,), (2, T, F)])
    )
    rng = Seed(xp.asarray([seed])) if draws else None
    out, drop, linear = cuda_ops.linear_and_residual(x, w, b, past, 0.4, rng)
    added, _ = ops.linear_forward(wide(x), wide(w), wide(b))
    if draws:  # the zeros and the scale, as the backward has them
        added = added * wide(cuda_ops.dropout_backward(xp.ones_like(past), drop))
    assert (drop is None) != draws
    assert relative(out, wide(past) + added) < DTYPES[dtype]
    assert all(got is given for got, given in zip(linear, (x, w), strict=True))


@for_every_type
@few
@given(B=st.integers(1, 3), T=small, H=st.integers(1, 3), D=st.integers(1, 16), seed=seeds,
       packed=st.booleans())  # fmt: skip
def test_attention_is_that_of_float64(xp, dtype, B, T, H, D, seed, packed):
    qkv, dout = normal(xp, dtype, seed, B, T, 3 * H * D), normal(xp, dtype, seed + 1, B, T, H * D)
    segments = None
    if packed:
        segments = np.sort(np.random.default_rng(seed).integers(0, 3, (B, T)), axis=1)
        segments = xp.asarray(segments)
    args = (H, 0.0, None, segments)
    assert_like_plain("attention", dtype, (qkv,), args, dout=dout)


@settings(deadline=None, max_examples=6, derandomize=True)
@given(B=st.integers(1, 2), T=st.integers(1, 300), H=st.integers(1, 2),
       D=st.sampled_from([64, 128]), seed=seeds)  # fmt: skip
def test_flash_attention_is_that_of_float64(xp, B, T, H, D, seed):
    qkv = normal(xp, "bfloat16", seed, B, T, 3 * H * D)
    dout = normal(xp, "bfloat16", seed + 1, B, T, H * D)
    with mock.patch.object(attention, "scores_forward", side_effect=AssertionError):
        assert_like_plain("attention", "bfloat16", (qkv,), (H,), dout=dout)


@pytest.mark.parametrize("D", [64, 128])
def test_flash_attention_never_looks_ahead_and_takes_large_scores(xp, D):
    qkv = normal(xp, "bfloat16", 0, 1, 260, 3 * D)
    out, _ = cuda_ops.attention_forward(qkv, 1)
    for n in (65, 165):
        other = qkv.copy()
        other[:, n:] = 7
        assert bool((cuda_ops.attention_forward(other, 1)[0][:, :n] == out[:, :n]).all())
    huge = (qkv.astype("float32") * 1e4).astype(qkv.dtype)
    out, cache = cuda_ops.attention_forward(huge, 1)
    for x in (out, cuda_ops.attention_backward(qkv[..., :D], cache)):
        assert np.isfinite(wide(x)).all()


@for_every_type
@few
@given(T=small, C=channels, V=st.integers(20, 300), seed=seeds, parts=st.booleans())
def test_the_loss_is_that_of_float64_in_one_part_or_many(xp, dtype, T, C, V, seed, parts):
    x, w = normal(xp, dtype, seed, 2, T, C), normal(xp, dtype, seed + 1, V, C)
    w = (w.astype("float32") / math.sqrt(C)).astype(w.dtype)  # logits about as large as 1
    targets = np.random.default_rng(seed).integers(-1, V, (2, T))
    expected = ops.next_token_losses(wide(x), wide(w), targets)
    expected_loss, plain = ops.next_token_loss_forward(wide(x), wide(w), targets, 7)
    with mock.patch.object(cuda_ops, "LOGITS", 5 * V if parts else 1 << 29):
        losses = cuda_ops.next_token_losses(x, w, xp.asarray(targets))
        loss, cache = cuda_ops.next_token_loss_forward(x, w, xp.asarray(targets), 7)
    assert relative(losses, expected) < DTYPES[dtype]
    assert abs(float(loss) - expected_loss) < DTYPES[dtype] * max(1, expected_loss)
    gradients = cuda_ops.next_token_loss_backward(1.0, cache)
    assert gradients[1].dtype == np.float32
    wanted = ops.next_token_loss_backward(1.0, plain)
    for got, true in zip(gradients, wanted, strict=True):
        assert relative(got, true) < DTYPES[dtype]


@few
@given(N=st.integers(0, 10**6), P=st.integers(1, 1 << 17), logits=st.integers(1, 1 << 30))
def test_rows_are_scored_in_as_few_parts_as_there_is_room_for_and_these_are_about_equal(
    N, P, logits
):
    N = min(N, 5000 * max(1, logits // P))
    with mock.patch.object(cuda_ops, "LOGITS", logits):
        blocks = cuda_ops.loss_blocks(N, P)
    sizes = [block.stop - block.start for block in blocks]
    assert [block.start for block in blocks] == [sum(sizes[:i]) for i in range(len(sizes))]
    assert sum(sizes) == N and max(sizes, default=1) <= max(1, logits // P)
    assert len(sizes) <= 1 + 2 * N * P / logits or logits < 2 * P
    assert len(set(sizes[:-1])) <= 1
    assert not sizes or sizes[0] - sizes[-1] < 128 * len(sizes)  # each was made whole tiles


def test_the_rows_of_gpt2_are_scored_in_four_equal_parts():
    sizes = [block.stop - block.start for block in cuda_ops.loss_blocks(64 * 1024, 50304)]
    assert sizes == [16384] * 4


@for_every_type
@pytest.mark.parametrize("V", [31, 257])
@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_a_loss_of_large_logits_is_exact_and_what_is_beyond_the_vocabulary_is_not_in_it(
    xp, dtype, V, size
):
    x = normal(xp, dtype, 0, 1, 3, 1)
    w = normal(xp, dtype, 1, V, 1)
    x[...], w[...] = size, 1  # rows of zeros in w have the largest or the smallest logits
    w[0] = 2
    targets = np.array([[0, V - 1, -1]])
    expected, plain = ops.next_token_loss_forward(wide(x), wide(w), targets, 2)
    loss, cache = cuda_ops.next_token_loss_forward(x, w, xp.asarray(targets), 2)
    assert abs(float(loss) - expected) < DTYPES[dtype] * expected
    wanted = ops.next_token_loss_backward(1.0, plain)
    for got, true in zip(cuda_ops.next_token_loss_backward(1.0, cache), wanted, strict=True):
        np.testing.assert_allclose(wide(got), true, rtol=DTYPES[dtype], atol=0.01)


@pytest.mark.parametrize(("dtype", "lines"), [("float32", 32), ("bfloat16", 64)])
def test_products_of_a_vocabulary_of_any_size_are_of_whole_lines(xp, dtype, lines, monkeypatch):
    sizes, matmul = set(), cuda_ops.gemm.matmul
    x, w = normal(xp, dtype, 0, 1, 5, 8), normal(xp, dtype, 1, 257, 8)

    def counted(a, b, *rest, **more):
        sizes.update((*a.shape, *b.shape))
        return matmul(a, b, *rest, **more)

    monkeypatch.setattr(cuda_ops.gemm, "matmul", counted)
    _, (_, dw) = cuda_ops.next_token_loss_forward(x, w, xp.asarray([[0, 256, 3, 3, -1]]), 4)
    assert sizes == {5, 8, math.ceil(257 / lines) * lines}
    assert dw.shape == w.shape and dw.flags.c_contiguous


@for_every_type
@few
@given(n=st.integers(1, 50), V=st.integers(1, 60), C=channels, seed=seeds)
def test_embedding_gathers_rows_and_adds_up_their_gradients(xp, dtype, n, V, C, seed):
    ids = np.random.default_rng(seed).integers(0, V, (2, n))
    w, dout = normal(xp, dtype, seed, V, C), normal(xp, dtype, seed + 1, 2, n, C)
    out, cache = cuda_ops.embedding_forward(xp.asarray(ids), w)
    assert (wide(out) == wide(w)[ids]).all()
    rows, dw = cuda_ops.embedding_backward(dout, cache)
    expected = np.zeros((V, C))
    np.add.at(expected, ids, wide(dout))
    assert rows == slice(None) and dw.dtype == np.float32
    assert relative(dw, expected) < 1e-5


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint16"])
def test_the_gradient_of_a_small_table_is_added_up_in_parts(xp, dtype):
    ids = np.random.default_rng(0).integers(0, 5, (2, 2500)).astype(dtype)
    w, dout = normal(xp, "float32", 0, 5, 40), normal(xp, "float32", 1, 2, 2500, 40)
    _, cache = cuda_ops.embedding_forward(xp.asarray(ids), w)
    _, dw = cuda_ops.embedding_backward(dout, cache)
    expected = np.zeros((5, 40))
    np.add.at(expected, ids, wide(dout))
    assert relative(dw, expected) < 1e-5


@for_every_type
@pytest.mark.parametrize("id", [0, 7, 2999])
def test_the_gradient_of_one_id_at_all_places_is_that_of_float64(xp, dtype, id):
    ids = np.full((2, 700), id)
    w, dout = normal(xp, dtype, 0, 3000, 24), normal(xp, dtype, 1, 2, 700, 24)
    _, cache = cuda_ops.embedding_forward(xp.asarray(ids), w)
    _, dw = cuda_ops.embedding_backward(dout, cache)
    assert relative(dw[id], wide(dout).sum(axis=(0, 1))) < 1e-5
    dw[id] = 0
    assert not to_numpy(dw).any()


@pytest.mark.parametrize(("N", "V"), [(1, 1), (256, 3), (257, 600), (700, 40), (17000, 90)])
def test_places_are_sorted_by_their_ids_and_equal_ids_stay_in_their_order(xp, N, V):
    rng = np.random.default_rng(N)
    ids = np.where(rng.random(N) < 0.4, V // 2, rng.integers(-1, V + 1, N)).astype("int32")
    order, starts, total = map(to_numpy, embedding.sorted_places(xp.asarray(ids), V))
    symbols = ids[(ids >= 0) & (ids < V)]
    assert (total == np.bincount(symbols, minlength=V)).all()
    assert (starts == np.cumsum(total) - total).all()
    known = np.argsort(ids, kind="stable")[(ids < 0).sum() :][: len(symbols)]
    assert (order[: len(symbols)] == known).all()


def test_what_is_no_symbol_shows_in_the_result(xp):
    """Nobody can raise an error on a GPU, but NaN is seen where losses are looked at."""
    w = normal(xp, "float32", 0, 5, 8)
    out, _ = cuda_ops.embedding_forward(xp.asarray([[4, 5, -1]]), w)
    assert np.isnan(to_numpy(out)).all(axis=-1).tolist() == [[False, True, True]]
    losses = cuda_ops.next_token_losses(w[None], w, xp.asarray([[0, 5, -1, 4, 99]]))
    assert np.isnan(to_numpy(losses)).tolist() == [[False, True, False, False, True]]


def test_more_heads_than_a_grid_has_place_for_are_not_left_to_flash_attention(xp, monkeypatch):
    monkeypatch.setattr(flash, "MOST_BLOCKS_ALONG_Y", 3)
    for B, H, fits in ((1, 3, True), (2, 2, False)):
        qkv, dout = (normal(xp, "bfloat16", 0, B, 5, n * H * 64) for n in (3, 1))
        assert flash.fits(qkv, H) == fits
        assert_like_plain("attention", "bfloat16", (qkv,), (H,), dout=dout)


# ---- dropout --------------------------------------------------------------------------------


def test_a_seed_on_the_gpu_gives_each_call_its_own_zeros(xp):
    x, seed = xp.ones((50, 40)), xp.asarray([7])

    def zeros():
        rng = Seed(seed)
        return [to_numpy(cuda_ops.dropout_forward(x, 0.5, rng)[0] == 0) for _ in range(2)]

    first, again = zeros(), zeros()
    assert (first[0] == again[0]).all() and (first[1] == again[1]).all()
    assert 0.4 < (first[0] != first[1]).mean() < 0.6
    seed[...] = 8
    assert 0.4 < (zeros()[0] != first[0]).mean() < 0.6


@for_every_type
@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 3, 16)])  # one by one, and 16 bytes at a time
def test_what_goes_past_a_layer_is_added_in_the_same_kernel(xp, dtype, rate, shape):
    x, past = normal(xp, dtype, 0, *shape), normal(xp, dtype, 1, *shape)
    draw = xp.asarray([3])
    dropped, _ = cuda_ops.dropout_forward(x.astype("float64"), rate, Seed(draw))
    with mock.patch.object(kernels, "launch", wraps=kernels.launch) as launch:
        out, cache = cuda_ops.dropout_forward(x, rate, Seed(draw), past)
    assert launch.call_count == 1 and out.dtype == x.dtype
    assert relative(out, wide(dropped) + wide(past)) < DTYPES[dtype]
    assert (cache is None) == (rate == 0)


def test_a_generator_gives_its_next_zeros_each_time(xp):
    x, rng = xp.ones((50, 40)), np.random.default_rng(0) if xp is np else xp.random.default_rng(0)
    a, b = (to_numpy(cuda_ops.dropout_forward(x, 0.5, rng)[0] == 0) for _ in range(2))
    assert 0.4 < (a != b).mean() < 0.6


class Drawn:
    """A generator that draws what `keep` says is kept, for the plain operations."""

    def __init__(self, keep):
        self.keep = keep

    def random(self, shape, dtype):
        return (self.keep.reshape(shape) > 0).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "T", "D"),
    [("float32", 9, 8), ("bfloat16", 9, 8), ("bfloat16", 150, 64), ("bfloat16", 70, 128)],
)
def test_attention_drops_what_the_same_draw_drops_elsewhere(xp, dtype, T, D):
    B, H = 2, 2
    qkv, dout = normal(xp, dtype, 0, B, T, 3 * H * D), normal(xp, dtype, 1, B, T, H * D)
    keep, _ = cuda_ops.dropout_forward(xp.ones(B * H * T * T), 0.3, Seed(xp.asarray([5])))
    out, cache = cuda_ops.attention_forward(qkv, H, 0.3, Seed(xp.asarray([5])))
    expected, plain = ops.attention_forward(wide(qkv), H, 0.3, Drawn(to_numpy(keep)))
    assert relative(out, expected) < DTYPES[dtype]
    dqkv = cuda_ops.attention_backward(dout, cache)
    assert relative(dqkv, ops.attention_backward(wide(dout), plain)) < DTYPES[dtype]


# ---- a whole model --------------------------------------------------------------------------

CONFIG = replace(MODEL, vocab_size=101, n_positions=24, n_embd=128)  # two heads of 64


class OnDevice(np.ndarray):
    """An array that nobody can read a number from: what would wait for a GPU is an error."""

    def _waits(self, *args):
        raise AssertionError("this waits for the GPU")

    __float__ = __int__ = __bool__ = __index__ = item = tolist = _waits


@contextmanager
def on_device():
    """Make NumPy arrays such arrays, where a model and cuda_ops get theirs."""

    def empty(like, shape, dtype=None):
        return emulator.poisoned(like, shape, dtype).view(OnDevice)

    def zeros(shape, dtype):
        return np.zeros(shape, dtype).view(OnDevice)

    with mock.patch.object(kernels, "empty", empty):
        yield SimpleNamespace(zeros=zeros)


def model_and_batch(xp, dtype):
    model = GPT(CONFIG, Device("test", xp, cuda_ops, rows), normal(xp, dtype, 0, 1).dtype)
    rng = np.random.default_rng(0)
    flat = 0.1 * rng.standard_normal(len(model.params.flat))
    model.params.flat[...] = xp.asarray(flat).astype(model.params.flat.dtype)
    ids, targets = rng.integers(0, 101, (2, 2, 24))
    targets[0, :3] = -1
    return model, ids, targets


@for_every_type
def test_the_gradient_of_a_whole_model_is_that_of_float64(xp, dtype):
    model, ids, targets = model_and_batch(xp, dtype)
    grads = Params(model.params.shapes, xp, "float32")
    loss, cache = model.forward(xp.asarray(ids), xp.asarray(targets), 45)
    model.backward(cache, grads)
    plain = GPT(CONFIG, Device("cpu", np, ops, row_ops), "float64")
    plain.params.flat[...] = wide(model.params.flat)
    expected = plain.new_grads()
    expected_loss, cache = plain.forward(ids, targets, 45)
    plain.backward(cache, expected)
    assert abs(float(loss) / float(expected_loss) - 1) < DTYPES[dtype]
    assert relative(grads.flat, expected.flat) < DTYPES[dtype] * 2
    for name in grads:
        assert relative(grads[name], expected[name]) < DTYPES[dtype] * 5, name


@for_every_type
def test_a_training_step_waits_for_nothing(dtype):
    with emulator.installed(), on_device() as xp:
        model, ids, targets = model_and_batch(np, dtype)
        model.params = Params(model.params.shapes, xp, model.params.flat.dtype)
        grads = Params(model.params.shapes, xp, "float32")
        _, cache = model.forward(ids.view(OnDevice), targets.view(OnDevice), 45)
        model.backward(cache, grads)
    with pytest.raises(AssertionError, match="waits"):
        float(grads.flat[0:1])
