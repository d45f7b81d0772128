"""Where arrays live: NumPy on a CPU or CuPy on a GPU. Outside cuda/ only this file names cupy.

Code follows the array. A function that gets an array asks `array_module(x)` for the library it
belongs to; a model asks its `Device` once for that library and for the module of operations
made for it. So the same `model.py` runs on both, and few other files ask which one it is.

Sources: for memory, mallopt(3) of the GNU C library and madvise(2) of Linux.
"""

import ctypes
import importlib.util
import mmap
import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from minigpt.cuda.checks import check_usable, choose_precision, free_bytes, import_failed

DEVICES = ("cpu", "gpu")
PRECISIONS = ("fp32", "tf32", "bf16")
# Bytes for arrays that are to be in huge pages. Not more: arrays that fit here stay here, and large
# ones leave gaps. With 1 GiB, a step of GPT-2's 124M held a third more memory.
HEAP = 1 << 26


@dataclass(frozen=True)
class Device:
    """A place to compute: `xp` is numpy or cupy, `ops` the operations that are best there.

    `row_ops` are those of generation, see row_ops.py.

    `precision` is the kind of numbers to compute with: the fewer bits, the faster a GPU multiplies.

        fp32: float32, which has 24 significant bits
        tf32: float32 whose matrix products round their factors to 10 bits after the point
        bf16: bfloat16, the upper half of a float32: as wide a range, 8 significant bits

    The next bfloat16 after 1 is 1.0078. Many steps of training are smaller than that, and would be
    rounded away. So weights are kept in float32, and a copy of them in bfloat16 is used to compute
    (see GPT). Sums, losses, gradients of weights and the optimizer are float32, whatever the
    precision.

    `matmul` multiplies matrices in this precision; `graphs` is the module that captures a training
    step, or None.
    """

    name: str
    xp: ModuleType
    ops: ModuleType
    row_ops: ModuleType
    precision: str = "fp32"
    matmul: Callable = operator.matmul
    graphs: ModuleType | None = None

    def n_workers(self, wanted):
        """Return how many worker threads to use where `wanted` were asked for (0: one a core)."""
        return wanted if self.name == "cpu" else 1

    def free_bytes(self):
        """Return the bytes of memory that are free on a GPU, None on a CPU."""
        return free_bytes(self.xp)[0] if self.name == "gpu" else None

    @property
    def low(self):
        """The type that weights are copied to for computing, None if they are used as they are."""
        return "bfloat16" if self.precision == "bf16" else None


def open_device(name="cpu", precision=None):
    """Return the Device called `name`, "cpu" or "gpu", that computes in `precision`.

    By default that is bf16 on a GPU that has it, and fp32 everywhere else. "gpu:tf32" is short for
    a name and a precision. Raises ValueError for any other, and if the GPU, its driver or CuPy is
    missing or too old.
    """
    from minigpt import cpu_ops, cpu_rows  # here, since they import this file

    name, _, short = name.partition(":")
    precision = short or precision
    if name not in DEVICES:
        raise ValueError(f"device is {name!r}; it must be one of {', '.join(DEVICES)}")
    if precision not in (None, *PRECISIONS):
        raise ValueError(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}")
    if name == "gpu":
        return _open_gpu(precision)
    if precision not in (None, "fp32"):
        raise ValueError(
            f"precision is {precision!r}; on the cpu it must be fp32: others need --device gpu"
        )
    return Device("cpu", np, cpu_ops, cpu_rows)


def _open_gpu(precision):
    cupy = _import_cupy()
    precision = choose_precision(cupy, precision)
    import ml_dtypes  # noqa: F401  NumPy then knows bfloat16

    from minigpt import cuda_ops
    from minigpt.cuda import gemm, graph, rows

    gemm.use_tf32(precision == "tf32")
    gemm.handle_of(cupy.empty(1))  # is cublasLt there?
    return Device("gpu", cupy, cuda_ops, rows, precision, gemm.matmul, graph)


def take_gpu(index, n):
    """Make `open_device` open the GPU with this index: n processes here want one each.

    They are a cluster's (cluster.py). This must be called before anything is on a GPU. Raises
    ValueError if there are fewer GPUs, or no NCCL to add up gradients with.
    """
    from minigpt.cuda.nccl import library  # here, since that imports this file

    _import_cupy((index, n))
    library()


def _import_cupy(place=None):
    try:
        import cupy
    except ImportError as error:
        raise import_failed(error, importlib.util.find_spec("cupy") is not None) from error
    check_usable(cupy, place)
    return cupy


def array_module(x):
    """Return numpy or cupy, whichever the array `x` belongs to."""
    if isinstance(x, np.ndarray):
        return np
    return sys.modules["cupy"]  # whoever made the array has imported it


def to_numpy(x):
    """Return `x` in the computer's own memory (copied there from a GPU)."""
    return x if isinstance(x, np.ndarray) else x.get()


def random_generator(xp, *seed):
    """Return a generator on the device of `xp`, the same for the same integers `seed`."""
    state = np.random.SeedSequence(seed)
    if xp is np:
        return np.random.Generator(np.random.PCG64(state))
    return xp.random.default_rng(int(state.generate_state(1)[0]))


def keep_freed_memory():
    """Have the C library keep freed arrays for reuse; return whether it could.

    glibc gives a large block back to the kernel as soon as it is freed, and the kernel hands it
    out again zeroed, page by page. Training makes and frees the same arrays thousands of times, so
    this costs a third of the time. Without glibc nothing is changed.
    """
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
    if not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL(None)
        mallopt = library.mallopt
    except (OSError, AttributeError):
        return False
    settings = {
        M_MMAP_THRESHOLD: 32 << 20,  # bytes, the largest it takes: smaller blocks are in the heap,
        M_TRIM_THRESHOLD: 2**31 - 1,  # which then must not shrink whenever its end is free
        M_ARENA_MAX: 1,  # a thread's own heap would be given back whatever the threshold is
    }
    done = [mallopt(name, value) for name, value in settings.items()]
    if all(done):
        use_huge_pages(library)
    return all(done)


def use_huge_pages(library):
    """Ask the kernel for 2 MB pages for the first HEAP bytes of arrays; tell whether it agreed.

    A processor reads ahead only to the end of a page, and it has to look up where each page is; it
    remembers only some of these places. With pages of 4 kB a pass over an array of 1.5 MB takes a
    sixth longer. What is allocated here is freed at once: the kernel gives memory only where
    something is written, and `keep_freed_memory` has the C library keep the addresses.
    """
    M_MMAP_MAX, MADV_HUGEPAGE = -4, 14
    library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.mallopt(M_MMAP_MAX, 0)  # the next block is in the heap, though it is large
    start = library.malloc(HEAP)
    library.mallopt(M_MMAP_MAX, 1 << 16)  # as it was
    if not start:
        return False
    page = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE  # the first that lies wholly in the block
    done = library.madvise(page, HEAP - (page - start), MADV_HUGEPAGE) == 0
    library.free(start)
    return done
