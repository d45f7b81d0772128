"""How kernels are put together, compiled and launched; and that they compile for every GPU."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_on_cpu import emulator, nvrtc
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt.cuda import kernels

NAMES = sorted(path.stem for path in kernels.FOLDER.glob("*.cu"))
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")  # Ampere, Hopper, Blackwell
FLASH = [("bf16", (("D", D), ("DROPOUT", x), ("W", 8))) for D in (64, 128) for x in (0, 1)]
DELTA = [("bf16", (("D", D), ("W", 8))) for D in (64, 128)]
FLAT = [(t, (("W", w),)) for t, w in (("float", 4), ("float", 1), ("bf16", 8), ("bf16", 1))]
FLAT += [("double", (("W", 2),))]
MOST_REGISTERS = 255
CUPY_OPTIONS = ("-std=c++17", "-ftz=true", "--device-as-default-execution-space")  # CuPy 14 adds


def variants(name):
    """Return all (type, constants) that kernel `name` is compiled for."""
    if name.startswith("flash"):
        return DELTA if name == "flash_delta" else FLASH
    if name in ("embedding_count", "embedding_starts", "embedding_place"):
        return [("float", ())]  # of whole numbers
    return [v for v in FLAT if name != "adamw" or v[0] != "bf16"]


def keeps_less(variant):
    """Return whether another variant does all that this one does, and draws zeros besides."""
    return ("DROPOUT", 0) in variant[1]


# ---- compiling, without a GPU ---------------------------------------------------------------


@pytest.fixture(scope="module")
def compile_for():
    try:
        nvrtc.library()
    except OSError as error:
        pytest.skip(f"kernels are not compiled for GPUs: {error}")
    return nvrtc.compile_for


def asked_of():
    """Yield (kernel, architecture); before Ampere there is no bf16, and so no flash attention."""
    for name in NAMES:
        yield from ((name, architecture) for architecture in ARCHITECTURES)
        if not name.startswith("flash"):
            yield name, "sm_75"


@pytest.mark.parametrize(("name", "architecture"), list(asked_of()))
def test_every_kernel_compiles_and_keeps_all_in_registers(compile_for, name, architecture):
    for type_name, constants in variants(name):
        if architecture == "sm_75" and type_name == "bf16":
            continue
        rare = type_name == "double" or ("W", 1) in constants  # and small: once will do
        if (rare or keeps_less((type_name, constants))) and architecture != "sm_90":
            continue
        fits_in_registers(compile_for, architecture, name, type_name, constants)


@pytest.mark.peer  # a second each: they are not compiled at every `make test`
@pytest.mark.parametrize("architecture", ["sm_80", "sm_100"])
@pytest.mark.parametrize("name", [name for name in NAMES if any(map(keeps_less, variants(name)))])
def test_attention_without_dropout_keeps_all_in_registers_too(compile_for, name, architecture):
    for type_name, constants in filter(keeps_less, variants(name)):
        fits_in_registers(compile_for, architecture, name, type_name, constants)


def fits_in_registers(compile_for, architecture, name, type_name, constants):
    log = compile_for(architecture, kernels.source(name, type_name, constants), CUPY_OPTIONS)
    used = nvrtc.resources(log)
    assert 0 < used["registers"] <= MOST_REGISTERS, log
    assert used["spills"] == 0, f"{name} {type_name} {constants}: {used}\n{log}"
    assert used["shared"] <= kernels.STATIC_SHARED_BYTES, log


def test_spills_would_be_seen(compile_for):
    text = kernels.source("adamw", "double", (("W", 2),))
    assert nvrtc.resources(compile_for("sm_90", text, ["-maxrregcount=24"]))["spills"] > 0


def test_an_error_is_reported_with_what_the_compiler_says(compile_for):
    with pytest.raises(nvrtc.CompileError, match="error: identifier"):
        compile_for("sm_90", "__global__ void f() { nonsense(); }")


def test_memory_is_read_and_written_16_bytes_at_a_time(compile_for):
    for type_name, constants in (("float", (("W", 4),)), ("bf16", (("W", 8),))):
        ptx = nvrtc.ptx_for("compute_90", kernels.source("gelu_forward", type_name, constants))
        assert "ld.global.v4" in ptx or "ld.global.nc.v4" in ptx
        assert "st.global.v4" in ptx


# ---- the files ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_file_has_the_kernel_of_its_name_and_says_what_it_replaces(name):
    text = (kernels.FOLDER / f"{name}.cu").read_text("utf-8")
    assert text.count("__global__") == 1
    assert f" {name}(" in text
    header = text.partition("#include")[0]
    assert "replaces" in header and "Memory: " in header and "not yet measured" in header
    assert max(map(len, text.splitlines())) <= 100


def test_a_source_is_whole_and_begins_with_its_constants():
    text = kernels.source("gelu_forward", "float", (("W", 4),))
    assert text.startswith("#define W 4\n#define T float\n")
    assert "#include" not in text
    assert "warp_sum" in text and "cvt.rn.bf16.f32" in text


# ---- launching ------------------------------------------------------------------------------


@pytest.fixture
def launched(monkeypatch):
    """Collect what is launched instead of running it."""
    calls = []

    class Kernel:
        max_dynamic_shared_size_bytes = None

        def __init__(self, *what):
            self.what = what

        def __call__(self, grid, block, args, shared_mem):
            calls.append((*self.what, grid, block, args, shared_mem, self))

    monkeypatch.setattr(kernels, "compiled", Kernel)
    return calls


def test_arguments_become_what_a_kernel_takes(launched):
    x = np.zeros(3, "float32")
    kernels.launch("k", x.dtype, 5, 64, x, None, 7, 0.5, np.int64(9), W=4, D=2)
    name, type_name, constants, grid, block, args, shared, _ = launched[0]
    assert (name, type_name, constants) == ("k", "float", (("D", 2), ("W", 4)))
    assert (grid, block, shared) == ((5,), (64,), 0)
    assert args[0] is x
    assert [a.dtype.name for a in args[1:]] == ["uint64", "int32", "float32", "int64"]
    assert args[1:] == (0, 7, 0.5, 9)
    kernels.launch("k", np.dtype("float64"), (2, 3), 64, 0.5)
    assert launched[1][5][0].dtype == np.float64 and launched[1][3] == (2, 3)


def test_much_shared_memory_is_asked_for(launched):
    kernels.launch("k", np.dtype("float32"), 1, 32, shared=48 << 10)
    kernels.launch("k", np.dtype("float32"), 1, 32, shared=64 << 10)
    assert [call[-1].max_dynamic_shared_size_bytes for call in launched] == [None, 64 << 10]


def test_a_type_no_kernel_takes_is_refused():
    with pytest.raises(ValueError, match="of type float16; kernels take float32, float64, bfl"):
        kernels.launch("gelu_forward", np.dtype("float16"), 1, 32)


def test_cupy_compiles_a_kernel_once(monkeypatch):
    made = []

    def raw_kernel(code, name):
        made.append((code, name))
        return made[-1]

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(RawKernel=raw_kernel))
    compiled = emulator.compiled_for_gpu  # what is there if nothing is put in its place
    compiled.cache_clear()
    try:
        first = compiled("gelu_forward", "float", (("W", 4),))
        assert compiled("gelu_forward", "float", (("W", 4),)) is first
        assert made == [(kernels.source("gelu_forward", "float", (("W", 4),)), "gelu_forward")]
    finally:
        compiled.cache_clear()


@untimed
@given(start=st.integers(0, 8), row_size=st.integers(1, 40))
def test_rows_are_read_16_bytes_at_a_time_where_each_starts_at_a_multiple(start, row_size):
    memory = np.zeros(200, "float32")
    start += -(memory.ctypes.data // 4) % 4  # so many elements behind a multiple of 16 bytes
    x = memory[start : start + 3 * row_size].reshape(3, row_size)
    aligned = all(row.ctypes.data % 16 == 0 for row in x)
    assert (kernels.width(row_size, x, None) == 4) == (aligned and row_size % 4 == 0)


def test_every_variant_that_cuda_ops_asks_for_is_one_that_was_compiled(monkeypatch):
    """The list above is not forgotten when cuda_ops changes."""
    import test_minigpt_cuda_ops as users

    asked = set()

    def compiled(*what):
        asked.add(what)
        return emulator.compiled(*what)

    with emulator.installed():
        monkeypatch.setattr(kernels, "compiled", compiled)
        for dtype in users.DTYPES:
            model, ids, targets = users.model_and_batch(np, dtype)
            _, cache = model.forward(ids, targets, 45)
            model.backward(cache, users.Params(model.params.shapes, np, "float32"))
    assert {what[0] for what in asked} > {"cross_entropy", "layernorm_backward", "flash_forward"}
    for name, *variant in asked:
        assert tuple(variant) in variants(name)
