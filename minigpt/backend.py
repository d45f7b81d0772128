"""Where arrays live: NumPy on a CPU or CuPy on a GPU. The only file that names cupy.

Code follows the array. A function that gets an array asks `array_module(x)` for the library it
belongs to; a model asks its `Device` once for that library and for the module of operations
made for it. So the same `model.py` runs on both, and no other file asks which one it is.

Source: for memory, mallopt(3) of the GNU C library.
"""

import ctypes
import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np

DEVICES = ("cpu", "gpu")


@dataclass(frozen=True)
class Device:
    """A place to compute: `xp` is numpy or cupy, `ops` the operations that are best there."""

    name: str
    xp: ModuleType
    ops: ModuleType

    def n_workers(self, wanted):
        """Return how many worker threads to use where `wanted` were asked for (0: one a core)."""
        return wanted if self.name == "cpu" else 1


def open_device(name="cpu"):
    """Return the Device called `name`, "cpu" or "gpu".

    Raises ValueError for another name, and where the GPU, its driver or CuPy is missing.
    """
    from minigpt import cpu_ops, cuda_ops

    if name == "cpu":
        return Device("cpu", np, cpu_ops)
    if name == "gpu":
        return Device("gpu", _import_cupy(), cuda_ops)
    raise ValueError(f"device is {name!r}; it must be one of {', '.join(DEVICES)}")


def _import_cupy():
    try:
        import cupy
    except ImportError as error:
        raise ValueError(
            "device is 'gpu', which needs CuPy, and CuPy is not installed; install it with "
            "pip install -e '.[gpu]' (CUDA 13) or '.[gpu-cuda12]', or use the device 'cpu'"
        ) from error
    if not cupy.is_available():
        raise ValueError(
            "device is 'gpu', but no GPU or no NVIDIA driver was found; `nvidia-smi` must list "
            "one; or use the device 'cpu'"
        )
    try:
        float((cupy.ones((2, 2)) @ cupy.ones((2, 2))).sum())  # compiles a kernel, loads cuBLAS
    except (ImportError, OSError, RuntimeError) as error:
        raise ValueError(
            f"device is 'gpu', but CuPy cannot compute ({error}); install the CuPy made for your "
            f"CUDA, with its libraries: pip install 'cupy-cuda13x[ctk]' or 'cupy-cuda12x[ctk]'"
        ) from error
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
    out again zeroed, page by page. A training step makes and frees the same arrays thousands of
    times, so this costs a third of the time. Elsewhere than under glibc nothing is changed.
    """
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = {
        M_MMAP_THRESHOLD: 32 << 20,  # the largest it takes; alone, the heap grows and shrinks
        M_TRIM_THRESHOLD: 2**31 - 1,  # at every array
        M_ARENA_MAX: 1,  # a thread's own heap would be given back whatever the threshold is
    }
    done = [mallopt(name, value) for name, value in settings.items()]
    return all(done)
