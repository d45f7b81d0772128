"""CUDA kernels on a CPU: the same .cu files, compiled by g++ with emulator.hpp before them.

A kernel gets copies of its arrays with a zone of NaN before and behind each. What it writes there
is an error; what it reads there spoils its results.
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from minigpt.backend import array_module
from minigpt.cuda import kernels

FOLDER = Path(__file__).parent
OPTIONS = ["-std=c++17", "-O1", "-fPIC", "-w", "-fno-strict-aliasing"]
CACHE = FOLDER.parents[1] / ".pytest_cache" / "cuda_on_cpu"
ZONE = 256  # bytes
MOST_SHARED_BYTES = 99 << 10  # of a block, on the GPUs that have least (8.6, 8.9, 12.0)
MOST_BLOCKS_ALONG_Y = 65535  # and along z, as the CUDA C++ Programming Guide says
compiled_for_gpu = kernels.compiled
_lock = threading.Lock()  # blocks have their shared memory in one place


def compiler():
    """Return the path of g++, or None."""
    return shutil.which("g++")


@cache
def compiled(name, type_name, defines=()):
    """Return kernel `name` as a function that is called as CuPy's RawKernel is."""
    text = kernels.source(name, type_name, defines, headers=FOLDER)
    return EmulatedKernel(name, text)


class EmulatedKernel:
    """A kernel of the source `text`, compiled for this processor."""

    def __init__(self, name, text):
        self.name = name
        self.max_dynamic_shared_size_bytes = kernels.STATIC_SHARED_BYTES
        head, entry = ((FOLDER / file).read_text("utf-8") for file in ("emulator.hpp", "entry.hpp"))
        whole = f'{head}\n#line 1 "{name}.cu"\n{text}\n#define KERNEL {name}\n{entry}'
        self.library = ctypes.CDLL(str(build(whole, ["-shared", runtime()], "so")))
        described = ctypes.create_string_buffer(300)
        self.library.emulator_describe(described)
        self.signature = described.value.decode().split()

    def __call__(self, grid, block, args, shared_mem=0):
        if shared_mem > min(self.max_dynamic_shared_size_bytes, MOST_SHARED_BYTES):
            raise ValueError(f"{self.name}: {shared_mem} bytes of shared memory are too many")
        fits = min(grid) >= 1 and max(grid[1:], default=1) <= MOST_BLOCKS_ALONG_Y
        if not 0 < block[0] <= 1024 or block[0] % 32 or not fits:
            raise ValueError(f"{self.name}: there are no grids {grid} of blocks {block}")
        self.check(args)
        with _lock:
            guarded = Guarded([x for x in args if isinstance(x, np.ndarray)])
            pointers = [guarded.argument(x) for x in args]
            grid = (ctypes.c_uint * 3)(*grid, *(1,) * (3 - len(grid)))
            message = ctypes.create_string_buffer(300)
            failed = self.library.emulator_run(
                grid, block[0], ctypes.c_size_t(shared_mem),
                (ctypes.c_void_p * len(args))(*map(ctypes.addressof, pointers)), message, 300,
            )  # fmt: skip
            if failed:
                raise RuntimeError(f"{self.name}: {message.value.decode()}")
            guarded.finish(self.name)

    def check(self, args):
        """Raise TypeError unless the arguments are of the types of the kernel's parameters."""
        given = []
        if not all(x.flags.c_contiguous for x in args if isinstance(x, np.ndarray)):
            raise TypeError(f"{self.name}: arrays must be contiguous")
        for x, wanted in zip(args, self.signature, strict=True):
            is_null = not isinstance(x, np.ndarray) and wanted[0] == "*" and x == kernels.NULL
            dtype = "E" if x.dtype.name == "bfloat16" else np.dtype(x.dtype.str).char
            dtype = "q" if x.dtype == np.int64 else dtype
            given.append(wanted if is_null else "*" * isinstance(x, np.ndarray) + dtype)
        if given != self.signature:
            raise TypeError(f"{self.name} takes {self.signature}; it got {given}")


class Guarded:
    """Copies of the memory of some arrays, with zones around them; what overlaps is one piece."""

    def __init__(self, arrays):
        self.pieces = []  # (first address, the one behind the last, the copy, where in it)
        for start, end in merged(sorted(np.lib.array_utils.byte_bounds(x) for x in arrays)):
            copy = np.full(end - start + 2 * ZONE + 64, 255, np.uint8)
            at = ZONE + (start - copy.ctypes.data - ZONE) % 64  # aligned as it is
            copy[at : at + end - start] = bytes_at(start, end)
            self.pieces.append((start, end, copy, at))

    def argument(self, x):
        """Return what the kernel gets for `x`, as an object of ctypes."""
        if not isinstance(x, np.ndarray):
            return (ctypes.c_char * x.itemsize).from_buffer_copy(x.tobytes())
        address = x.ctypes.data
        for start, end, copy, at in self.pieces:
            if start <= address < end:
                return ctypes.c_void_p(copy.ctypes.data + at + address - start)
        return ctypes.c_void_p(address)  # of no size

    def finish(self, name):
        """Copy the memory back; raise RuntimeError if a zone was written to."""
        for start, end, copy, at in self.pieces:
            size = end - start
            if (copy[:at] != 255).any() or (copy[at + size :] != 255).any():
                raise RuntimeError(f"{name}: wrote beyond an array of {size} bytes")
            bytes_at(start, end)[:] = copy[at : at + size]


def merged(intervals):
    """Return sorted intervals with those that overlap made one."""
    result = []
    for start, end in intervals:
        if result and start < result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        elif end > start:
            result.append((start, end))
    return result


def bytes_at(start, end):
    return np.ctypeslib.as_array((ctypes.c_uint8 * (end - start)).from_address(start))


@cache
def runtime():
    """Return the path of what runs kernels, compiled."""
    header, text = ((FOLDER / f"emulator.{kind}").read_text("utf-8") for kind in ("hpp", "cpp"))
    return build(text.replace('#include "emulator.hpp"', header), ["-c"], "o")


def build(text, options, suffix):
    """Compile C++; return the file. What was compiled is kept, by its text."""
    command = [compiler(), *OPTIONS, "-x", "c++", "-", "-x", "none", *map(str, options)]
    key = hashlib.sha256(" ".join([*command, text]).encode()).hexdigest()[:32]
    file = CACHE / f"{key}.{suffix}"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            made = Path(folder) / file.name
            command += ["-o", str(made)]
            done = subprocess.run(command, input=text, text=True, capture_output=True)
            if done.returncode:
                raise RuntimeError(re.sub(r"^(.{3000}).*", r"\1", done.stderr, flags=re.S))
            os.replace(made, file)
    return file


def poisoned(like, shape, dtype=None):
    """Return an array full of NaN, for kernels.empty."""
    xp = array_module(like)
    x = xp.empty(shape, dtype or like.dtype)
    x.reshape(-1).view(np.uint8)[...] = 255
    return x


class EitherKernel:
    """A kernel that runs here for NumPy's arrays and on the GPU for CuPy's."""

    max_dynamic_shared_size_bytes = None

    def __init__(self, *what):
        self.what = what

    def __call__(self, grid, block, args, shared_mem=0):
        here = any(isinstance(x, np.ndarray) for x in args)
        kernel = (compiled if here else compiled_for_gpu)(*self.what)
        if self.max_dynamic_shared_size_bytes:
            kernel.max_dynamic_shared_size_bytes = self.max_dynamic_shared_size_bytes
        kernel(grid, block, args, shared_mem=shared_mem)


def installed():
    """Return a context in which the kernels of NumPy arrays run here, their outputs full of NaN.

    Skips the test if there is no g++.
    """
    if not compiler():
        pytest.skip("kernels are run on the CPU by g++, which is not installed")
    return mock.patch.multiple(kernels, compiled=EitherKernel, empty=poisoned)
