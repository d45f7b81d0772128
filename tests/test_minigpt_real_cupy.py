"""What is asked of CuPy is there, and the stand-in for it has no more: of names, without a GPU.

CuPy is installed where there is a GPU (extra `gpu`), but can be imported without one.
"""

import ast
import functools
import importlib
import inspect
import re
from pathlib import Path

import fake_cupy
import fake_nccl
import pytest

import minigpt
from minigpt.cuda import nccl as nccl_of_ours

TESTS = Path(__file__).parent
FILES = [*Path(minigpt.__file__).parent.rglob("*.py"), *TESTS.glob("bench_gpu*.py")]
STARTS = {  # variables' names
    "cupy": "", "xp": "", "cuda": "cuda", "runtime": "cuda.runtime", "nccl": "cuda.nccl",
}  # fmt: skip


@pytest.fixture(scope="module")
def cupy():
    return pytest.importorskip("cupy", reason="CuPy is not installed")


@pytest.fixture(scope="module")
def nccl(cupy):
    found = importlib.import_module("cupy.cuda.nccl")  # CuPy does not by itself
    if not found.available:
        pytest.skip("NCCL is not installed")
    return found


def names_asked_for():
    """Return {dotted name: where} of what the product and its GPU benchmark take from CuPy."""
    found = {}
    for file in FILES:
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and (name := name_in_cupy(node)):
                found[name] = f"{file.name}:{node.lineno}"
    return found


def name_in_cupy(node):
    """Return "cuda.Stream" of the node of `device.xp.cuda.Stream`, "" of what is not CuPy's."""
    names = ast.unparse(node).split(".")
    at = [i for i, name in enumerate(names) if name in STARTS]
    if not at or "torch" in names or not all(map(str.isidentifier, names)):
        return ""
    return ".".join([STARTS[names[at[-1]]], *names[at[-1] + 1 :]]).strip(".")


def look_up(cupy, name):
    """Return what is called so, None if there is nothing."""
    return functools.reduce(lambda x, part: getattr(x, part, None), name.split("."), cupy)


def test_every_name_is_found_that_is_asked_for():
    asked = names_asked_for()
    assert {"zeros", "RawKernel", "cuda.Stream.null", "cuda.runtime.memGetInfo"} <= set(asked)
    assert {"cuda.nccl.get_unique_id", "cuda.nccl.NCCL_FLOAT32", "cuda.Device"} <= set(asked)


def test_cupy_has_every_name_that_is_asked_of_it(cupy):
    asked = {n: where for n, where in names_asked_for().items() if ".nccl" not in n}
    assert not {n: where for n, where in asked.items() if look_up(cupy, n) is None}


def test_cupys_nccl_has_every_name_that_is_asked_of_it(cupy, nccl):
    asked = {n: where for n, where in names_asked_for().items() if ".nccl" in n}
    assert not {n: where for n, where in asked.items() if look_up(cupy, n) is None}


def test_the_stand_in_for_nccl_has_no_more_and_takes_the_same(nccl):
    """Positions count, for arguments are not named; where more can be given, it comes last."""
    theirs, fake = nccl.NcclCommunicator, fake_nccl.NcclCommunicator
    for name in ("get_unique_id", "get_version", "groupStart", "groupEnd", "NcclError"):
        assert hasattr(nccl, name)
    for name in ("NCCL_FLOAT32", "NCCL_SUM", "NCCL_AVG"):
        assert getattr(nccl, name) == getattr(fake_nccl, name)
    assert issubclass(nccl.NcclError, RuntimeError)
    for method in ("allReduce", "broadcast", "destroy"):
        given = list(inspect.signature(getattr(fake, method)).parameters)
        assert parameters(getattr(theirs, method)) == given
    given = list(inspect.signature(fake).parameters)
    assert parameters(theirs)[: len(given)] == given


def parameters(function):
    """Return the names of what a compiled function takes, as its documentation begins."""
    first = function.__doc__.partition(")")[0].partition("(")[2]
    return [re.findall(r"\w+", part.partition("=")[0])[-1] for part in first.split(",")]


def test_nccl_makes_an_id_without_a_gpu(nccl):
    assert isinstance(nccl.get_unique_id(), bytes)
    assert nccl_of_ours.library() is nccl


def test_the_stand_in_has_no_more_than_cupy(cupy):
    fake = fake_cupy.Cupy()
    pairs = [("cuda.", vars(fake.cuda)), ("cuda.runtime.", vars(fake.cuda.runtime))]
    names = [prefix + name for prefix, members in pairs for name in members]
    names += fake_cupy.MAKERS
    classes = (
        ("cuda.Stream", fake_cupy.Stream), ("cuda.Event", fake_cupy.Event),
        ("cuda.MemoryPool", fake_cupy.MemoryPool), ("cuda.Graph", fake_cupy.Graph),
        ("ndarray", fake_cupy.Array), ("cuda.Device", fake_cupy.GpuDevice),
    )  # fmt: skip
    for name, fake_class in classes:
        names += [f"{name}.{member}" for member, x in vars(fake_class).items() if callable(x)]
    assert [name for name in names if look_up(cupy, name) is None] == []


@pytest.mark.parametrize(("name", "wanted"), [
    ("cuda.Stream", ["non_blocking"]), ("cuda.Event", ["disable_timing"]),
    ("cuda.Stream.begin_capture", []), ("cuda.Stream.wait_event", ["event"]),
    ("ndarray.get", ["stream", "out", "blocking"]), ("ndarray.set", ["arr", "stream"]),
    ("RawKernel.__call__", ["grid", "block", "args", "shared_mem"]),
    ("cuda.Graph.launch", []), ("unique", ["return_inverse"]),
])  # fmt: skip
def test_calls_take_the_arguments_that_are_given(cupy, name, wanted):
    function = look_up(cupy, name)
    try:
        known = set(inspect.signature(function).parameters)
    except ValueError:  # compiled: its documentation begins with how it is called
        known = set(re.findall(r"\w+", function.__doc__.partition("\n\n\n")[0][:400]))
    assert set(wanted) <= known


def test_shared_memory_beyond_48_kb_can_be_asked_for(cupy):
    assert hasattr(cupy.RawKernel, "max_dynamic_shared_size_bytes")


@pytest.mark.parametrize("name", ["add", "multiply", "sqrt", "greater", "equal"])
def test_bfloat16_is_computed_with_as_it_is(cupy, name):
    assert any(types.startswith("E") for types in look_up(cupy, name).types)
