"""Matrix products through cublasLt's C interface, here with a stand-in that computes on the CPU."""

import numpy as np
import pytest
from fake_cublaslt import FakeCublasLt
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt import ops
from minigpt.cuda import cublaslt, gemm

DTYPES = ["float32", "float64", "float16"]
try:
    import ml_dtypes  # noqa: F401  NumPy then knows bfloat16

    DTYPES.append("bfloat16")
except ImportError:
    pass
TOLERANCE = {"float64": 1e-12, "float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}
SIZES = st.integers(1, 9)
RED = 77.0  # what surrounds an output must still be this afterwards

needs_bfloat16 = pytest.mark.skipif("bfloat16" not in DTYPES, reason="ml_dtypes is not installed")


@pytest.fixture
def lt():
    """A stand-in for cublasLt, used for NumPy's arrays until the test ends."""
    fake = FakeCublasLt()
    with using(fake):
        yield fake


class using:
    """Have NumPy's arrays be multiplied by `fake`."""

    def __init__(self, fake):
        self.workspace = np.empty(64, np.uint8)
        self.lt = cublaslt.Lt(fake, self.workspace.ctypes.data)

    def __enter__(self):
        gemm._handles["cpu"] = self.lt
        return self.lt

    def __exit__(self, *exception):
        gemm._handles.clear()
        gemm.use_tf32(False)


def random(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def aligned(*shape, dtype="float32", seed=0):
    """An array that begins at a multiple of 16 bytes, as those of a GPU do."""
    memory = np.empty(int(np.prod(shape)) + 8, dtype)
    start = -memory.ctypes.data % 16 // memory.itemsize
    x = memory[start : start + int(np.prod(shape))].reshape(shape)
    x[...] = random(shape, dtype, seed)
    return x


def laid_out(how, shape, dtype):
    """A view of this shape in larger memory full of RED, laid out in one of the ways of LAYOUTS."""
    *batch, R, C = shape
    if how == "transposed":
        return np.full((*batch, C, R), RED, dtype).swapaxes(-1, -2)
    if how == "in wider rows":
        return np.full((*batch, R, C + 3), RED, dtype)[..., 1 : C + 1]
    if how == "heads":  # as queries in (B, T, 3, H, D): the batch axes lie between the matrix's
        return np.moveaxis(np.full((R, 3, *batch, C), RED, dtype)[:, 1], 0, -2)
    if how == "every other":
        return np.full((*batch, R, 2 * C), RED, dtype)[..., ::2]
    if how == "reversed":
        return np.full((*batch, R, C), RED, dtype)[..., ::-1, :]
    return np.full((*batch, R, C), RED, dtype)


LAYOUTS = ["rows", "transposed", "in wider rows", "heads", "every other", "reversed"]


@st.composite
def products(draw):
    """Two factors, an output, and what the product is to be."""
    M, K, N = draw(SIZES), draw(SIZES), draw(SIZES)
    batch = draw(st.sampled_from([(), (1,), (3,), (2, 3), (2, 1)]))
    dtype = draw(st.sampled_from(DTYPES))
    wide = draw(st.sampled_from([dtype, "float32"])) if dtype != "float64" else dtype
    a, b, out = (
        laid_out(draw(st.sampled_from(LAYOUTS)), (*lead, *matrix), type)
        for lead, matrix, type in (
            (draw(st.sampled_from([batch, (), batch[1:]])), (M, K), dtype),
            (batch, (K, N), dtype),
            (batch, (M, N), wide),
        )
    )
    a[...], b[...] = random(a.shape, dtype, 1), random(b.shape, dtype, 2)
    out = out if out.shape == (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), M, N) else None
    return a, b, out, draw(st.booleans()), draw(st.sampled_from([1.0, 0.5]))


def close(got, expected, dtype):
    got, expected = got.astype("float64"), expected.astype("float64")
    scale = max(1e-30, np.abs(expected).max(initial=0))
    assert np.abs(got - expected).max(initial=0) <= TOLERANCE[np.dtype(dtype).name] * scale


def expected_product(a, b, scale=1.0):
    return scale * (a.astype("float64") @ b.astype("float64"))


@untimed
@given(products(), st.booleans())
def test_any_views_multiply_as_numpy_multiplies_them(product, with_bias):
    a, b, out, accumulate, scale = product
    expected = expected_product(a, b, scale)
    bias = random(b.shape[-1], a.dtype, 3) if with_bias else None
    if with_bias:
        expected = expected + bias.astype("float64")
    with using(FakeCublasLt()):
        if out is None:
            got = gemm.matmul(a, b, bias=bias, scale=scale)
            assert got.dtype == a.dtype
        else:
            out[...] = 1 if accumulate else np.nan
            expected = expected + accumulate
            assert gemm.matmul(a, b, out, accumulate, bias=bias, scale=scale) is out
            got = out
            if out.base is not None and out.base.size > out.size:
                outside = out.base.copy()
                outside_view = np.lib.stride_tricks.as_strided(
                    outside.reshape(-1)[(out.ctypes.data - out.base.ctypes.data) // out.itemsize :],
                    out.shape, out.strides,
                )  # fmt: skip
                outside_view[...] = RED
                assert (outside == RED).all()
    close(got, expected, min((a.dtype, got.dtype), key=lambda t: t.itemsize))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_transposed_views_are_not_copied_and_batches_are_one_call(
    lt, dtype, transpose_a, transpose_b
):
    a, b = random((2, 3, 8, 16), dtype), random((2, 3, 16, 24), dtype)
    if transpose_a:
        a = a.swapaxes(-1, -2).copy().swapaxes(-1, -2)
    if transpose_b:
        b = b.swapaxes(-1, -2).copy().swapaxes(-1, -2)
    close(gemm.matmul(a, b), expected_product(a, b), dtype)
    compute = 70 if dtype == "float64" else 68
    assert lt.log == [(compute, "none", 6, transpose_b, transpose_a)]


def test_heads_inside_queries_keys_and_values_need_a_call_for_each_of_the_fewer_only(lt):
    B, T, H, D = 5, 8, 3, 8
    qkv, out = random((B, T, 3 * H * D), "float32"), np.full((B, H, T, T), np.nan, "float32")
    q, k, _ = qkv.reshape(B, T, 3, H, D).transpose(2, 0, 3, 1, 4)
    gemm.matmul(q, k.swapaxes(-1, -2), out)
    close(out, expected_product(q, k.swapaxes(-1, -2)), "float32")
    assert [line[2] for line in lt.log] == [B] * H


def test_a_product_can_be_written_into_heads(lt):
    B, T, H, D = 2, 4, 3, 8
    att, v = random((B, H, T, T), "float32"), random((B, H, T, D), "float32")
    y = np.full((B, T, H, D), np.nan, "float32")
    gemm.matmul(att, v, y.transpose(0, 2, 1, 3))
    close(y.transpose(0, 2, 1, 3), expected_product(att, v), "float32")


def test_a_plan_is_made_once_for_all_products_of_a_kind(lt):
    for seed in range(3):
        a, b = aligned(8, 16, seed=seed), aligned(16, 24, seed=seed + 9)
        close(gemm.matmul(a, b), expected_product(a, b), "float32")
    assert lt.heuristics == 1
    gemm.matmul(aligned(16, 8).T, aligned(16, 24))
    assert lt.heuristics == 2


def test_plans_that_were_not_used_for_long_are_given_back_and_made_again(monkeypatch):
    monkeypatch.setattr(cublaslt, "MOST_PLANS", 3)
    fake = FakeCublasLt()
    with using(fake) as lt:
        for turn in range(3):
            for n in range(1, 21):
                a, b = random((n, 8), "float32", turn), random((8, 4), "float32", n)
                close(gemm.matmul(a, b), expected_product(a, b), "float32")
        assert len(lt.plans) == 3 and len(lt.routes) == 6
        assert fake.heuristics == 60  # those of 1 row are gone when 20 were met
        kinds = [content["is"] for content in fake.made.values()]
        assert kinds.count("operation") == 6 and kinds.count("layout") == 18
        a = random((20, 8), "float32")
        gemm.matmul(a, b)
        assert fake.heuristics == 60


def test_arrays_that_begin_anywhere_are_multiplied_by_what_can_read_them(lt):
    memory = aligned(200)
    for start in range(5):
        a, b = (
            memory[start : start + 64].reshape(8, 8),
            memory[start + 65 : start + 129].reshape(8, 8),
        )
        close(gemm.matmul(a, b), expected_product(a, b), "float32")
    assert len(lt.log) == 5


def test_tf32_rounds_the_factors_of_float32_products_while_it_is_on(lt):
    a, b = np.full((8, 8), 1 + 2**-13, "float32"), np.eye(8, dtype="float32")
    assert (gemm.matmul(a, b) == a).all()
    gemm.use_tf32(True)
    assert (gemm.matmul(a, b) == 1).all()
    close(gemm.matmul(a.astype("float64"), b.astype("float64")), a, "float64")
    gemm.use_tf32(False)
    assert (gemm.matmul(a, b) == a).all()
    assert [line[0] for line in lt.log] == [68, 77, 70, 68]


def test_a_sum_of_nothing_is_0_and_nothing_is_called(lt):
    a, b, bias = np.ones((3, 0), "f4"), np.ones((0, 2), "f4"), np.ones(2, "f4")
    assert (gemm.matmul(a, b) == 0).all()
    assert (gemm.matmul(a, b, bias=bias) == 1).all()
    assert (gemm.matmul(a, b, np.full((3, 2), 5, "f4"), accumulate=True) == 5).all()
    assert gemm.matmul(np.ones((0, 4), "f4"), np.ones((4, 2), "f4")).shape == (0, 2)
    assert not lt.log


@pytest.mark.parametrize(
    ("a", "b", "more", "message"),
    [
        ((2, 3), (4, 2), {}, r"shapes \(2, 3\) and \(4, 2\); they must be"),
        ((3,), (3, 2), {}, r"shapes \(3,\) and \(3, 2\)"),
        ((2, 3), (3, 2), {"bias": np.ones(3, "f4")}, r"bias has shape \(3,\); it must be \(2,\)"),
        (
            (2, 3),
            (3, 2),
            {"out": np.ones((2, 3), "f4")},
            r"out has shape \(2, 3\); it must be \(2,",
        ),
        ((2, 3), (3, 2), {"accumulate": True}, r"there must be an `out`"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(a, b, more, message):
    with pytest.raises(ValueError, match=message):
        gemm.matmul(np.ones(a, "f4"), np.ones(b, "f4"), **more)


@pytest.mark.parametrize("types", [("float32", "float64"), ("int32", "int32")])
def test_types_that_do_not_fit_are_refused(types):
    with pytest.raises(ValueError, match=r"the factors are of types"):
        gemm.matmul(*(np.ones((2, 2), t) for t in types))


# ---- a bias in the same pass -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unsupported", [(), ("bias",)])
def test_a_bias_is_added_in_the_same_pass_or_after_it(dtype, unsupported):
    a, b, bias = (aligned(*s, dtype=dtype) for s in ((16, 24), (24, 32), (32,)))
    fake = FakeCublasLt(unsupported)
    with using(fake) as lt:
        close(gemm.matmul(a, b, bias=bias), expected_product(a, b) + bias.astype("f8"), dtype)
        assert [kind.epilogue for kind in lt.without_algorithm()] == list(unsupported)
    assert [line[1] for line in fake.log] == ["none" if unsupported else "bias"]


@pytest.mark.parametrize("status", [7, 15])
def test_what_the_library_will_not_do_though_it_said_so_is_done_in_plain_lines(status):
    a, b = aligned(8, 16), aligned(16, 24)
    asked = []

    def refuse(*given):
        asked.append(given)
        return status

    with using(FakeCublasLt()) as lt:
        lt.library.cublasLtMatmul = refuse
        for _ in range(2):
            close(gemm.matmul(a, b), expected_product(a, b), "float32")
        assert len(asked) == 1  # it is not asked again
        assert len(lt.without_algorithm()) == 1


@needs_bfloat16
def test_a_bias_need_not_be_more_aligned_than_to_16_bytes():
    a, b = (aligned(*s, dtype="bfloat16") for s in ((16, 24), (24, 32)))
    memory = np.zeros(160, a.dtype)
    start = (16 - memory.ctypes.data) % 256 // 2  # 16 bytes beyond a multiple of 256
    bias = memory[start : start + 32]
    workspace = np.empty(512, np.uint8)
    lt = cublaslt.Lt(FakeCublasLt(), -(-workspace.ctypes.data // 256) * 256)
    gemm._handles["cpu"] = lt
    try:
        gemm.matmul(a, b, bias=bias)
        assert gemm.matmul_gelu(a, b, bias) is not None
    finally:
        gemm._handles.clear()
    assert [line[1] for line in lt.library.log] == ["bias", "bias_gelu"]


def test_a_bias_that_no_epilogue_can_read_is_added_after_the_product(lt):
    a, b, bias = aligned(8, 16), aligned(16, 24), aligned(32)[3:27]
    close(gemm.matmul(a, b, bias=bias), expected_product(a, b) + bias, "float32")
    assert [line[1] for line in lt.log] == ["none"]


# ---- another matrix, and sums, in the same pass ----------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unsupported", [(), ("bias",)])
def test_what_goes_past_is_added_in_the_same_pass_or_after_it(dtype, unsupported):
    a, b, bias, past = (aligned(*s, dtype=dtype) for s in ((16, 24), (24, 32), (32,), (16, 32)))
    kept = past.copy()
    expected = expected_product(a, b) + bias.astype("f8") + past.astype("f8")
    fake = FakeCublasLt(unsupported)
    with using(fake):
        close(gemm.matmul_past(a, b, bias, past), expected, dtype)
    assert (past == kept).all()
    assert fake.log[0][1] == ("none" if unsupported else "bias")
    assert fake.added == [(0.0, True) if unsupported else (1.0, False)]


def test_what_goes_past_may_lie_anywhere(lt):
    a, b, bias = aligned(8, 16), aligned(16, 24), aligned(24)
    for past, in_one in (
        (aligned(8, 24), True), (aligned(200)[3:195].reshape(8, 24), True),
        (aligned(24, 8).T, False), (aligned(8, 27)[:, :24], False),
        (aligned(8, 24, dtype="float64"), False),
    ):  # fmt: skip
        expected = expected_product(a, b) + bias + past
        close(gemm.matmul_past(a, b, bias, past), expected, "float32")
        assert lt.added[-1] == ((1.0, False) if in_one else (0.0, True))
    with pytest.raises(ValueError, match=r"past has shape \(24,\); it must be \(8, 24\)"):
        gemm.matmul_past(a, b, bias, np.ones(24, "f4"))


def test_a_library_that_will_not_add_what_goes_past_still_multiplies():
    a, b, bias, past = aligned(8, 16), aligned(16, 24), aligned(24), aligned(8, 24)

    class Elsewhere(FakeCublasLt):
        def Matmul(self, *arguments):
            c, d = arguments[8], arguments[10]
            return super().Matmul(*arguments) if c == d else 15

    with using(Elsewhere()) as lt:
        for _ in range(2):
            expected = expected_product(a, b) + bias + past
            close(gemm.matmul_past(a, b, bias, past), expected, "float32")
        assert [line[1] for line in lt.library.log] == ["bias", "bias"]
        assert [kind.in_place for kind in lt.without_algorithm()] == [False]


@needs_bfloat16
def test_the_columns_of_a_factor_are_added_up_in_the_same_pass(lt):
    a, b = aligned(40, 16, dtype="bfloat16").T, aligned(40, 24, dtype="bfloat16", seed=1)
    out, sums = gemm.matmul_and_sums(a, b, "float32")
    close(out, expected_product(a, b), "float32")
    close(sums, b.astype("f8").sum(axis=0), "float32")
    assert [line[1] for line in lt.log] == ["bias_gradient"]
    assert gemm.matmul_and_sums(a.astype("f4"), b.astype("f4"), "float32") is None
    assert gemm.matmul_and_sums(a, aligned(24, 40, dtype="bfloat16").T, "float32") is None
    with using(FakeCublasLt(("bias_gradient",))):
        assert gemm.matmul_and_sums(a, b, "float32") is None


# ---- through GELU in the same pass -----------------------------------------------------------


@needs_bfloat16
def test_a_product_goes_through_gelu_and_back_in_the_same_pass(lt):
    a, b, bias = (aligned(*s, dtype="bfloat16") for s in ((16, 24), (24, 32), (32,)))
    exact = expected_product(a, b) + bias.astype("f8")
    x, out = gemm.matmul_gelu(a, b, bias)
    close(x, exact, "bfloat16")
    close(out, ops.gelu_forward(exact)[0], "bfloat16")
    before = gemm.matmul_before_gelu(a, b, x)
    slope_of = ops.gelu_forward(x.astype("f8"))[1]
    close(before, ops.gelu_backward(expected_product(a, b), slope_of), "bfloat16")
    assert [line[1] for line in lt.log] == ["bias_gelu", "gelu_backward"]


@needs_bfloat16
def test_what_no_epilogue_can_read_is_left_to_two_passes(lt):
    def ways(N=32, first=0, dtype="bfloat16", of_x=None):
        a, b, bias = (aligned(*s, dtype=dtype) for s in ((16, 24), (24, N), (N + 8,)))
        x = aligned(16 * N + 8, dtype=of_x or dtype)[first : first + 16 * N].reshape(16, N)
        through = gemm.matmul_gelu(a, b, bias[first : first + N])
        return through is not None, gemm.matmul_before_gelu(a, b, x) is not None

    assert ways() == ways(first=8) == (True, True)
    assert ways(first=3) == ways(N=30) == ways(dtype="float32") == (False, False)
    assert ways(of_x="float32") == (True, False)
    with using(FakeCublasLt(("bias_gelu", "gelu_backward"))):
        assert ways() == (False, False)

    class Broken(FakeCublasLt):
        def Matmul(self, *arguments):
            return 15

    with using(Broken()):
        assert ways() == (False, False)


# ---- the library -----------------------------------------------------------------------------


def test_a_product_that_fails_says_what_the_library_said(lt):
    class Broken(FakeCublasLt):
        def Matmul(self, *arguments):
            return 13

    with using(Broken()), pytest.raises(RuntimeError, match=r"cublasLtMatmul: execution failed"):
        gemm.matmul(aligned(8, 8), aligned(8, 8))
