"""What the parts of bench_gpu.py share: seconds of a call, errors as text, distances, peaks."""

import math
import statistics
import time
import traceback
from pathlib import Path

import numpy as np

from minigpt.backend import to_numpy

PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # bf16, NVIDIA's data sheets
PEAK_BYTES_PER_S = {"H200": 4.8e12, "H100": 3.35e12, "A100": 2.0e12}
ROOT = Path(__file__).parents[1]


def cause(error):
    """Return in one line what an error says, and the last place of ours that it came through."""
    text = f"{type(error).__name__}: {error}".partition("\n")[0]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(ROOT) and "venv" not in f.filename]
    if not ours:
        return text
    return f"{text} ({Path(ours[-1].filename).name}:{ours[-1].lineno})"


def guarded(function, *arguments):
    """Return what a function returns, or its error as text: the next line must go on."""
    try:
        return function(*arguments)
    except Exception as error:
        return cause(error)


def seconds_of(wait, function, n=20, turns=3):
    """Return the median seconds of a call of `function`, which enqueues work; `wait` ends it."""
    function()
    taken = []
    for _ in range(turns):
        wait()
        began = time.perf_counter()
        for _ in range(n):
            function()
        wait()
        taken.append((time.perf_counter() - began) / n)
    return statistics.median(taken)


def waiter(device):
    """Return a function that waits until the GPU is done."""
    return device.xp.cuda.Device().synchronize


def name_of(device):
    """Return what the GPU is called."""
    cuda = device.xp.cuda
    return cuda.runtime.getDeviceProperties(cuda.Device().id)["name"].decode()


def peak(device, peaks):
    """Return what NVIDIA promises of the GPU, None where that is not known here."""
    return next((value for part, value in peaks.items() if part in name_of(device)), None)


def random(device, *shape, dtype=None, seed=0):
    """Return normal numbers on the GPU, of the type that is computed with there.

    They repeat after a million, which takes a hundredth of the time that hundreds of millions do.
    """
    n = math.prod(shape)
    x = np.random.default_rng(seed).standard_normal(min(n, 1_000_003), dtype=np.float32)
    many = device.xp.tile(device.xp.asarray(x), -(-n // len(x)))[:n].reshape(shape)
    return many.astype(dtype or device.low or "float32")


def relative(a, b):
    """Return |a - b| / |b| of two arrays, the second exact; NaN is as far as can be."""
    a, b = (to_numpy(x).astype(np.float64) for x in (a, b))
    error = np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30)
    return math.inf if math.isnan(error) else float(error)
