"""Kernels of this folder: their source put together, compiled when first used, and launched.

A kernel `name` is the one function of `name.cu`. It is compiled once for each type of arrays and
each width of loads that are asked for (common.cuh says what these are), by NVRTC through CuPy,
which keeps what it compiled in ~/.cupy/kernel_cache.

What the kernels compute is said in the files, and when they are called in cuda_ops.py.
"""

import math
import re
from functools import cache
from pathlib import Path

import numpy as np

from minigpt.backend import array_module

FOLDER = Path(__file__).parent
TYPES = {"float32": "float", "float64": "double", "bfloat16": "bf16"}  # NumPy's names and CUDA's
VECTOR_BYTES = 16  # the most that a thread reads at once
STATIC_SHARED_BYTES = 48 << 10  # a block that wants more shared memory must say so
FLAT_BLOCK = 256  # threads of a block where any number would do
NULL = np.uint64(0)


def launch(name, dtype, grid, block, *args, shared=0, **defines):
    """Run kernel `name` for arrays of `dtype`: `grid` blocks (a number or up to 3) of `block`
    threads.

    Of `args`, arrays must be contiguous from where they start on, None is a null pointer, an int
    becomes an `int` and a float the type that the kernel computes in. `shared` is in bytes.
    `defines` are further constants of the source. Returns at once, as the GPU works by itself.
    """
    type_name = TYPES.get(np.dtype(dtype).name)
    if type_name is None:
        raise ValueError(f"arrays are of type {dtype}; kernels take {', '.join(TYPES)}")
    real = wide_type(dtype).type
    values = [
        NULL if x is None else np.int32(x) if type(x) is int else real(x) if type(x) is float else x
        for x in args
    ]
    kernel = compiled(name, type_name, tuple(sorted(defines.items())))
    if shared > STATIC_SHARED_BYTES:
        kernel.max_dynamic_shared_size_bytes = shared
    grid = grid if isinstance(grid, tuple) else (grid,)
    kernel(grid, (block,), tuple(values), shared_mem=shared)


@cache
def compiled(name, type_name, defines=()):
    """Return kernel `name` as CuPy's RawKernel."""
    import cupy

    return cupy.RawKernel(source(name, type_name, defines), name)


def source(name, type_name, defines=(), headers=FOLDER):
    """Return the text of kernel `name` with its headers in place, a header from `headers` first.

    The headers are put in here and not by the compiler, since CuPy knows a kernel by its text.
    """
    constants = [f"#define {key} {value}\n" for key, value in [*defines, ("T", type_name)]]

    def include(match):
        file = headers / match[1]
        return (file if file.exists() else FOLDER / match[1]).read_text("utf-8")

    text = (FOLDER / f"{name}.cu").read_text("utf-8")
    return "".join(constants) + re.sub(r'^#include "(.+)"$', include, text, flags=re.M)


def wide_type(dtype):
    """Return the type that kernels sum in: float64 for float64, else float32."""
    return np.dtype("float64" if dtype == np.float64 else "float32")


def width(row_size, *arrays):
    """Return how many elements to read at once of arrays whose rows have `row_size` elements.

    That is 16 bytes of them if every row of every array starts at a multiple of 16 bytes, else 1.
    """
    n = VECTOR_BYTES // arrays[0].itemsize
    if row_size % n or any(address(x) % VECTOR_BYTES for x in arrays if x is not None):
        return 1
    return n


def flat_launch(name, arrays, *args):
    """Run kernel `name` once for each element of `arrays`, which are of one size and type.

    Its parameters are the arrays, then `args`, then the number of elements.
    """
    x = arrays[0]
    W = width(x.size, *arrays)
    blocks = math.ceil(x.size / (W * FLAT_BLOCK))
    launch(name, x.dtype, blocks, FLAT_BLOCK, *arrays, *args, np.int64(x.size), W=W)


def int32(ids):
    """Return `ids`, of any shape and type of integer, as the kernels want them: (N,) `int`."""
    return contiguous(ids.reshape(-1).astype("int32", copy=False))


def contiguous(x):
    """Return `x`, or a copy of it if its elements are not one after the other."""
    return x if x.flags.c_contiguous else array_module(x).ascontiguousarray(x)


def address(x):
    """Return where array `x` starts in the memory of its device, 0 for None."""
    if x is None:
        return 0
    return x.ctypes.data if isinstance(x, np.ndarray) else x.data.ptr


def empty(like, shape, dtype=None):
    """Return an array whose contents are anything, on the device and of the type of `like`."""
    return array_module(like).empty(shape, dtype or like.dtype)


def zeros(like, shape, dtype=None):
    """Return an array of zeros, on the device and of the type of `like`."""
    return array_module(like).zeros(shape, dtype or like.dtype)
