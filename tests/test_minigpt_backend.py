import builtins
import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from fake_cupy import Cupy

from minigpt import backend, cpu_ops, cpu_rows
from minigpt.backend import array_module, open_device, random_generator, to_numpy
from minigpt.cuda import gemm

pytest_plugins = ["minigpt_fixtures"]


def test_the_cpu_computes_with_numpy_and_the_fast_operations():
    device = open_device("cpu")
    assert (device.name, device.xp) == ("cpu", np)
    assert (device.ops, device.row_ops) == (cpu_ops, cpu_rows)


def test_an_unknown_device_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"device is 'tpu'; it must be one of cpu, gpu"):
        open_device("tpu")


def test_an_unknown_precision_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"precision is 'fp8'; it must be one of fp32, tf32, bf16"):
        open_device("cpu", "fp8")


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_cpu_computes_in_fp32_only(precision):
    with pytest.raises(
        ValueError, match=rf"precision is '{precision}'; on the cpu it must be fp32"
    ):
        open_device("cpu", precision)
    assert open_device("cpu:fp32").precision == "fp32"


# ---- a GPU that cannot be used: what is wrong, and the cure ----------------------------------


def open_gpu(monkeypatch, precision=None, **properties):
    """Open the device "gpu" where `cupy` is a stand-in with these properties."""
    monkeypatch.setitem(sys.modules, "cupy", Cupy(**properties))
    monkeypatch.setattr(gemm, "handle_of", lambda x: None)
    monkeypatch.setitem(sys.modules, "ml_dtypes", types.ModuleType("ml_dtypes"))
    try:
        return open_device("gpu", precision)
    finally:
        gemm.use_tf32(False)


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (None, r"CuPy is not installed; install it with pip install '\.\[gpu\]'"),
        (types.SimpleNamespace(), r"cannot be loaded \(libcudart\.so\.12 is not there\); install"),
    ],
)
def test_a_cupy_that_cannot_be_imported_is_refused_with_the_cure(monkeypatch, installed, message):
    def no_cupy(name, *rest):
        if name == "cupy":
            raise ImportError("libcudart.so.12 is not there\nand more lines")
        return real_import(name, *rest)

    real_import = builtins.__import__
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: installed)
    monkeypatch.setattr(builtins, "__import__", no_cupy)
    with pytest.raises(ValueError, match=message):
        open_device("gpu")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"driver": 0}, r"no NVIDIA driver was found; `nvidia-smi` must list a GPU: install"),
        (
            {"driver": 12080, "built": 13000},
            r"driver is made for CUDA 12\.8 and this CuPy for CUDA 13\.0; they must belong",
        ),
        ({"devices": 0}, r"the driver finds no GPU; `nvidia-smi` must list one"),
        ({"devices": None}, r"the driver finds no GPU; `nvidia-smi` must list one"),
        (
            {"broken": RuntimeError("libnvrtc.so.13\nwas not found")},
            r"CuPy cannot compute \(libnvrtc\.so\.13\); install the CuPy made for your CUDA",
        ),
    ],
)
def test_a_gpu_that_cannot_compute_is_refused_with_the_cure(monkeypatch, properties, message):
    with pytest.raises(ValueError, match=message) as raised:
        open_gpu(monkeypatch, **properties)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_gpu_too_old_for_a_precision_is_refused_with_the_one_it_can(monkeypatch, precision):
    with pytest.raises(
        ValueError,
        match=rf"'{precision}', which needs a GPU of compute capability 8\.0 or more, and the "
        r"Tesla T4 has 7\.5; use --precision fp32",
    ):
        open_gpu(monkeypatch, precision, capability="75")


@pytest.mark.parametrize(
    ("capability", "wanted", "chosen"),
    [
        ("90", None, "bf16"), ("80", None, "bf16"), ("120", None, "bf16"), ("75", None, "fp32"),
        ("90", "fp32", "fp32"), ("90", "tf32", "tf32"), ("75", "fp32", "fp32"),
    ],
)  # fmt: skip
def test_a_gpu_computes_in_what_was_asked_for_or_the_fastest_it_can(
    monkeypatch, capability, wanted, chosen
):
    device = open_gpu(monkeypatch, wanted, capability=capability)
    assert (device.name, device.precision) == ("gpu", chosen)
    assert device.low == ("bfloat16" if chosen == "bf16" else None)
    assert device.graphs is not None


def test_a_device_and_its_precision_can_be_said_in_one_word(monkeypatch):
    asked = []
    monkeypatch.setattr(backend, "_open_gpu", asked.append)
    open_device("gpu:tf32")
    open_device("gpu")
    assert asked == ["tf32", None]


def test_free_memory_of_a_gpu_is_what_it_and_cupy_have(monkeypatch):
    assert open_gpu(monkeypatch, free=5 << 30).free_bytes() == 5 << 30
    assert open_device("cpu").free_bytes() is None


# ---- arrays, generators, memory --------------------------------------------------------------


def test_arrays_know_their_library_and_come_home(xp):
    x = xp.arange(3)
    assert array_module(x) is xp
    assert isinstance(to_numpy(x), np.ndarray)
    assert to_numpy(x).tolist() == [0, 1, 2]


def test_a_generator_follows_from_all_its_seeds(xp):
    def draw(*seed):
        return to_numpy(random_generator(xp, *seed).random(4)).tolist()

    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({tuple(draw(*seed)) for seed in [(1,), (2,), (1, 2), (2, 1), (1, 2, 3)]}) == 5


def test_keeping_freed_memory_says_whether_it_could(monkeypatch):
    assert backend.keep_freed_memory() in (True, False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert backend.keep_freed_memory() is False


def test_keeping_freed_memory_does_nothing_where_the_c_library_cannot(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(backend.ctypes, "CDLL", lambda name: types.SimpleNamespace())
    assert backend.keep_freed_memory() is False


ARRAY_IN_HUGE_PAGES = r"""
import re
from pathlib import Path
import numpy as np
from minigpt.backend import keep_freed_memory
assert keep_freed_memory()
x = np.ones(3 << 18, "float32")  # 3 MB: NumPy itself asks from 4 MB on
mapping = r"^([0-9a-f]+)-([0-9a-f]+) .*?^VmFlags: ([a-z ]*)$"
for found in re.finditer(mapping, Path("/proc/self/smaps").read_text(), re.M | re.S):
    if int(found[1], 16) <= x.ctypes.data + x.nbytes // 2 < int(found[2], 16):
        print(found[3].split())
status = Path("/proc/self/status").read_text()
print(int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) // 1024, "MB")
"""


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(), reason="no huge pages here"
)
def test_arrays_are_in_huge_pages_and_take_no_more_memory():
    command = [sys.executable, "-c", ARRAY_IN_HUGE_PAGES]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    flags, memory = said.splitlines()
    assert "'hg'" in flags  # "huge page advise flag", proc_pid_smaps(5)
    assert int(memory.split()[0]) < 200


def test_without_memory_for_huge_pages_freed_memory_is_kept(monkeypatch):
    calls = []
    library = types.SimpleNamespace(
        mallopt=lambda name, value: calls.append((name, value)) or 1,
        malloc=Function(None), free=Function(None), madvise=Function(-1),
    )  # fmt: skip
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(backend.ctypes, "CDLL", lambda name: library)
    assert backend.keep_freed_memory() is True
    assert calls[-1] == (-4, 1 << 16)  # M_MMAP_MAX is glibc's again
    library.malloc = Function(1 << 20)
    assert backend.use_huge_pages(library) is False  # a kernel without them
    assert library.free.called_with == (1 << 20,)


class Function:
    """A function of the C library that always returns the same."""

    def __init__(self, result):
        self.result = result

    def __call__(self, *args):
        self.called_with = args
        return self.result
