"""The stand-in for a GPU: does it do what a GPU does, and find what would go wrong there?"""

import numpy as np
import pytest
from cuda_on_cpu import emulator
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.cuda import kernels


@pytest.fixture(scope="module", autouse=True)
def compiler():
    if not emulator.compiler():
        pytest.skip("kernels are run on the CPU by g++, which is not installed")


def kernel(body, parameters="const T *x, T *out", type_name="float"):
    """Return a kernel of this body, with the headers of all kernels before it."""
    constants = f"#define T {type_name}\n#define W 1\n#define D 64\n"
    headers = (emulator.FOLDER / "ptx.cuh").read_text() + "".join(
        (kernels.FOLDER / name).read_text() for name in ("common.cuh", "random.cuh", "tiles.cuh")
    )
    text = f'{constants}{headers}\nextern "C" __global__ void k({parameters}) {{\n{body}\n}}'
    return emulator.EmulatedKernel("k", text)


def floats(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def nans(*shape):
    return np.full(shape, np.nan, "float32")


# ---- what a kernel may rely on --------------------------------------------------------------


def test_every_thread_of_every_block_runs_once():
    body = """atomicAdd(out + (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x,
                        x[threadIdx.x]);"""
    x, out = np.ones(64, "float32"), np.zeros((2, 3, 4), "float32")
    kernel(body)((4, 3, 2), (64,), (x, out))
    assert (out == 64).all()


def test_threads_meet_at_a_barrier_and_lanes_at_a_shuffle():
    body = """__shared__ float shared[64];
              shared[threadIdx.x] = x[threadIdx.x];
              __syncthreads();
              out[threadIdx.x] = warp_sum(shared[63 - threadIdx.x]);"""
    x, out = floats(64), nans(2, 32)
    kernel(body)((1,), (64,), (x, out))
    expected = x.reshape(2, 32).sum(axis=1)[::-1]
    np.testing.assert_allclose(out, expected[:, None] * np.ones(32), rtol=1e-5)


def test_votes_are_counted_in_the_warp_and_in_the_block():
    body = """const unsigned votes = __ballot_sync(ALL, threadIdx.x % 3 == 0);
              const bool any = __syncthreads_or(threadIdx.x == 40);
              const bool none = __syncthreads_or(threadIdx.x == 99);
              out[threadIdx.x] = votes + any * 0.5f + none * 0.25f;"""
    out = nans(64)
    kernel(body)((1,), (64,), (floats(1), out))
    votes = [sum(1 << i for i in range(32) if (first + i) % 3 == 0) for first in (0, 32)]
    assert (out.reshape(2, 32) == np.float32(votes)[:, None] + np.float32(0.5)).all()


def test_bfloat16_is_rounded_as_everywhere():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    exact = np.arange(1 << 16, dtype="uint16").view(bfloat16).astype("float32")
    between = (exact.view("uint32") + np.uint32(0x8000)).view("float32")  # ties
    below = (exact.view("uint32") + np.uint32(0x7FFF)).view("float32")
    body = "const int i = blockIdx.x * 256 + threadIdx.x; narrow(wide(x[i]), out[i]);"
    for x in (exact, between, below):
        out = np.zeros(1 << 16, bfloat16)
        kernel(body, "const float *x, bf16 *out")((256,), (256,), (x, out))
        finite = np.isfinite(x)
        assert (out[finite] == x[finite].astype(bfloat16)).all()
        assert np.isnan(out[np.isnan(x)].astype("float32")).all()


def test_fragments_of_a_product_are_where_the_instruction_wants_them():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    a, b = floats(16, 16).astype(bfloat16), floats(8, 16).astype(bfloat16)  # b^T
    body = """const int g = threadIdx.x / 4, t = threadIdx.x % 4;
              const unsigned *wa = (const unsigned *)a, *wb = (const unsigned *)b;  // 8 a row
              const unsigned x[4] = {wa[8 * g + t], wa[8 * (g + 8) + t], wa[8 * g + t + 4],
                                     wa[8 * (g + 8) + t + 4]};
              float c[4] = {1, 1, 1, 1};
              multiply_add(c, x, wb[8 * g + t], wb[8 * g + t + 4]);
              for (int i = 0; i < 4; i++) out[8 * (g + i / 2 * 8) + 2 * t + i % 2] = c[i];"""
    out = nans(16, 8)
    kernel(body, "const bf16 *a, const bf16 *b, float *out")((1,), (32,), (a, b, out))
    expected = 1 + a.astype("float64") @ b.astype("float64").T
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_four_matrices_are_loaded_and_spread_over_the_lanes(transposed):
    load = "load_matrices" + "_transposed" * transposed
    body = f"""__shared__ __align__(16) unsigned short shared[32 * 8];
               for (int i = 0; i < 8; i++)
                   shared[threadIdx.x * 8 + i] = x[threadIdx.x * 8 + i];
               __syncwarp();
               unsigned m[4];
               {load}(m, shared + 8 * threadIdx.x);
               for (int i = 0; i < 4; i++)
                   for (int j = 0; j < 2; j++)
                       out[(i * 32 + threadIdx.x) * 2 + j] = m[i] >> 16 * j & 0xffff;"""
    x, out = np.arange(256, dtype="int32").reshape(4, 8, 8), np.zeros((4, 8, 8), "int32")
    kernel(body, "const int *x, int *out")((1,), (32,), (x, out))
    assert (out == (x.swapaxes(1, 2) if transposed else x)).all()


def test_rows_in_a_tile_overlap_nowhere_and_neighbours_differ_in_their_banks():
    body = "for (int c = 0; c < D / 8; c++) out[threadIdx.x * (D / 8) + c] = at(threadIdx.x, c);"
    out = np.full((64, 8), -1, "int32")
    kernel(body, "int *out")((1,), (64,), (out,))
    assert sorted(out.reshape(-1)) == list(range(0, 64 * 64, 8))
    banks = out * 2 // 16 % 8  # groups of four banks, 16 bytes
    for first in range(0, 64, 8):
        for chunk in range(8):
            assert len(set(banks[first : first + 8, chunk])) == 8


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**62), rate=st.floats(0.1, 0.9))
def test_random_numbers_of_dropout_are_spread_evenly(seed, rate):
    body = """const Dropout drop(seed, call, rate);
              const int i = blockIdx.x * 256 + threadIdx.x;
              out[i] = drop.keep(i);"""
    parameters = "const long long *seed, int call, float rate, float *out"
    drop, masks = kernel(body, parameters), []
    for call in (0, 1):
        out = nans(16, 256)
        args = (np.array([seed]), np.int32(call), np.float32(rate), out)
        drop((16,), (256,), args)
        assert set(np.unique(out)) <= {np.float32(0), 1 / (1 - np.float32(rate))}
        masks.append(out == 0)
        assert abs(masks[-1].mean() - rate) < 6 * np.sqrt(rate * (1 - rate) / out.size)
    both = (masks[0] & masks[1]).mean()  # independent
    assert abs(both - rate**2) < 6 * np.sqrt(rate**2 / masks[0].size)


# ---- what is found out ----------------------------------------------------------------------


def test_a_missing_barrier_is_found_out():
    body = """__shared__ float shared[64];
              shared[threadIdx.x] = x[threadIdx.x];
              out[blockIdx.x * 64 + threadIdx.x] = shared[63 - threadIdx.x];"""
    out = nans(2, 64)
    kernel(body)((2,), (64,), (floats(64), out))
    assert np.isnan(out).any(axis=1).all()


@pytest.mark.parametrize("body", [
    "if (threadIdx.x < 32) __syncthreads();",
    "if (threadIdx.x == 40) return; __syncthreads();",
    "if (threadIdx.x == 0) warp_sum(1);",
    "if (threadIdx.x < 32) { __syncthreads(); } else {\n __syncthreads(); }",
    "if (threadIdx.x % 2) __syncwarp();\nelse\n__syncwarp();",
])  # fmt: skip
def test_barriers_that_not_all_threads_reach_are_an_error(body):
    with pytest.raises(RuntimeError, match=r"k: block \(0, 0, 0\), thread \d+, line \d+: "):
        kernel(body)((1,), (64,), (floats(1), nans(1)))


@pytest.mark.parametrize("place", [-1, 64, 100])
def test_writing_beyond_an_array_is_an_error(place):
    body = f"if (threadIdx.x == 0) out[{place}] = 1;"
    with pytest.raises(RuntimeError, match="wrote beyond an array of 256 bytes"):
        kernel(body)((1,), (32,), (floats(64), nans(64)))
    with pytest.raises(RuntimeError, match="wrote beyond an array"):  # in the same memory, too
        kernel(body)((1,), (32,), (floats(64), nans(3, 64)[1]))


def test_reading_beyond_an_array_spoils_the_result():
    out = nans(32)
    kernel("out[threadIdx.x] = x[threadIdx.x + 1];")((1,), (32,), (floats(32), out))
    assert np.isnan(out).tolist() == [False] * 31 + [True]


def test_shared_memory_is_full_of_nan_and_may_not_be_exceeded():
    body = """__shared__ float fixed[32];
              DYNAMIC_SHARED(float, given);
              out[threadIdx.x] = fixed[threadIdx.x] * 0 + given[threadIdx.x] * 0;
              fixed[threadIdx.x] = given[threadIdx.x] = 1;"""
    out = np.zeros(32, "float32")
    kernel(body)((2,), (32,), (floats(1), out), shared_mem=128)  # nor in the second block
    assert np.isnan(out).all()
    with pytest.raises(RuntimeError, match="wrote beyond its shared memory"):
        kernel(body)((1,), (32,), (floats(1), out), shared_mem=124)


def test_a_copy_that_is_not_waited_for_is_not_there():
    body = """__shared__ __align__(16) float shared[128];
              copy_async(shared + 4 * threadIdx.x, x + 4 * threadIdx.x, threadIdx.x < 31);
              commit_copies();
              commit_copies();
              wait_for_copies<N>();
              __syncthreads();
              for (int i = 0; i < 4; i++) out[4 * threadIdx.x + i] = shared[4 * threadIdx.x + i];"""
    x, out = floats(128), nans(128)
    kernel(body.replace("N", "1"))((1,), (32,), (x, out))
    assert (out == np.where(np.arange(128) < 124, x, 0)).all()
    kernel(body.replace("N", "2"))((1,), (32,), (x, out))
    assert np.isnan(out).all()


@pytest.mark.parametrize("args", [
    (floats(1).astype("float64"), nans(1)), (nans(1), np.float32(1)), (nans(2, 2).T, nans(1)),
    (np.int32(1), nans(1)),
])  # fmt: skip
def test_arguments_of_other_types_than_the_parameters_are_an_error(args):
    with pytest.raises(TypeError, match=r"k takes|k: arrays must be contiguous"):
        kernel("")((1,), (32,), args)


def test_grids_and_blocks_that_a_gpu_would_refuse_are_an_error():
    for grid, block in (((0,), 32), ((1, 65536), 32), ((1,), 2048), ((1,), 0)):
        with pytest.raises(ValueError, match="there are no grids"):
            kernel("")(grid, (block,), (nans(1), nans(1)))
    with pytest.raises(ValueError, match="of shared memory are too many"):
        kernel("")((1,), (32,), (nans(1), nans(1)), shared_mem=50 << 10)
