"""Generation's operations on a GPU are the plain ones, and generation draws the same ids there."""

from types import SimpleNamespace

import numpy as np
import pytest
from fake_cublaslt import FakeCublasLt
from fake_cupy import fake_gpu
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import MODEL, small_model, untimed
from test_minigpt_gemm import DTYPES, TOLERANCE, random, using

from minigpt import ops, row_ops
from minigpt.backend import Device, to_numpy
from minigpt.cpu_rows import KEYS
from minigpt.cuda import rows as gpu_rows
from minigpt.distribution import Settings
from minigpt.sample import Generation, generate

PLAIN = Device("cpu", np, ops, row_ops)
NAMES = ("cached_attention", "logits_product", "rows_attention", "rows_product")
# what needs no kernel: cublasLt's products have a stand-in here, kernels have tests of their own
WITHOUT_KERNELS = SimpleNamespace(
    **vars(row_ops) | {name: getattr(gpu_rows, name) for name in NAMES}
)


def both(name, *arguments):
    """Return what the GPU's form gives, through cublasLt's stand-in, and what the plain form."""
    with using(FakeCublasLt()) as lt:
        got = getattr(gpu_rows, name)(*arguments)
        got = got(*SECOND[name]) if callable(got) else got
        assert lt.library.log  # it was asked
    wide = [x.astype("float64") if hasattr(x, "dtype") else x for x in arguments]
    expected = getattr(row_ops, name)(*wide)
    if callable(expected):
        expected = expected(*(x.astype("float64") for x in SECOND[name]))
    return got, expected


SECOND = {}


def close(got, expected, dtype):
    error = np.abs(got.astype("float64") - expected).max()
    assert error <= 3 * TOLERANCE[np.dtype(dtype).name] * np.abs(expected).max()


@untimed
@given(st.sampled_from(DTYPES), st.integers(1, 9), st.integers(0, 20))
def test_a_prompt_attends_as_the_plain_form_says(dtype, T, before):
    q, kv = random((3, T, 8), dtype), random((2, 3, before + T, 8), dtype, 1)
    close(*both("cached_attention", q, *kv), dtype)


@untimed
@given(st.sampled_from(DTYPES), st.data())
def test_rows_attend_to_their_own_cache_up_to_their_length(dtype, data):
    chosen = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True).map(sorted))
    n = st.integers(1, 2 * KEYS)
    lengths = data.draw(st.lists(n, min_size=len(chosen), max_size=len(chosen)))
    SECOND["rows_attention"] = (
        random((len(chosen), 2, 8), dtype), random((2, 6, 2, 2 * KEYS, 8), dtype, 1),
    )  # fmt: skip
    close(*both("rows_attention", chosen, lengths), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_of_few_rows(dtype):
    x, w, b = random((3, 16), dtype), random((16, 24), dtype, 1), random(24, dtype, 2)
    SECOND["rows_product"] = SECOND["logits_product"] = (x,)
    close(*both("rows_product", w, b), dtype)
    got, expected = both("logits_product", w.T.copy())
    close(got, expected, dtype)
    assert got.dtype == ("float64" if dtype == "float64" else "float32")


@pytest.mark.parametrize(
    "settings", [{"temperature": 0}, {"top_k": 20}, {"top_p": 0.9, "min_p": 0.02}]
)
def test_a_gpu_draws_the_ids_that_a_cpu_draws(settings):
    texts = []
    for device in (PLAIN, fake_gpu(rows=WITHOUT_KERNELS)):
        model = small_model(device)
        with using(FakeCublasLt()):
            texts.append(list(generate(model, [[5, 9], [7], [5, 9]], 40, seed=3, **settings)))
    assert texts[0] == texts[1]
    assert len(texts[0]) == 40  # more than the window


def test_of_equal_logits_a_gpu_draws_what_a_cpu_draws():
    logits = random((50, MODEL.vocab_size), "float32")
    texts = []
    for device in (PLAIN, fake_gpu()):
        model, scores = small_model(device), iter(logits)
        generation = Generation(model, [[1]], 40, Settings(top_p=0.9), seed=11)
        decoder = generation.batch.decoder
        decoder.read = lambda row, ids, xp=device.xp, s=scores: xp.asarray(next(s))
        decoder.step = lambda rows, ids, xp=device.xp, s=scores: xp.asarray(next(s))[None]
        texts.append([generation.step()[0].id for _ in range(14)])
    assert texts[0] == texts[1] and len(set(texts[0])) > 7


@pytest.mark.skipif("bfloat16" not in DTYPES, reason="ml_dtypes is not installed")
def test_in_bf16_logits_are_float32_and_near_the_exact_ones():
    low, exact = small_model(fake_gpu("bf16", rows=WITHOUT_KERNELS)), small_model(PLAIN)
    ids = [3, 1, 4, 1, 5]
    expected = exact.logits(ids)
    got = to_numpy(low.logits(ids))
    decoded = Generation(low, [ids], 1).batch.decoder.read(0, ids)
    for logits, of_all in ((got, expected), (to_numpy(decoded), expected[-1])):
        assert logits.dtype == np.float32
        assert np.linalg.norm(logits - of_all) < 2e-2 * np.linalg.norm(of_all)
