import builtins
import sys
import types

import numpy as np
import pytest

from minigpt import backend, cpu_ops
from minigpt.backend import array_module, open_device, random_generator, to_numpy

pytest_plugins = ["minigpt_fixtures"]


def test_the_cpu_computes_with_numpy_and_the_fast_operations():
    device = open_device("cpu")
    assert (device.name, device.xp, device.ops) == ("cpu", np, cpu_ops)


def test_an_unknown_device_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"device is 'tpu'; it must be one of cpu, gpu"):
        open_device("tpu")


def test_the_gpu_without_cupy_is_refused_with_the_cure(monkeypatch):
    def no_cupy(name, *rest):
        if name == "cupy":
            raise ImportError(name)
        return real_import(name, *rest)

    real_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", no_cupy)
    with pytest.raises(ValueError, match=r"CuPy is not installed; install it with"):
        open_device("gpu")


def test_the_gpu_without_a_driver_is_refused_with_the_cure(monkeypatch):
    cupy = types.SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with pytest.raises(ValueError, match=r"no NVIDIA driver was found; `nvidia-smi` must"):
        open_device("gpu")


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
