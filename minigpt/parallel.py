"""Workers that share work, each on a core of its own.

NumPy lets go of Python's global lock while it computes, so threads that each take a part use all
cores, for the elementwise operations too, which NumPy alone runs on one. The BLAS library's own
threads are switched off meanwhile: two kinds of threads would fight for the cores. For the steps
of a training the workers are processes: see crew.py.

Source: Apple, "Determining system capabilities": hw.perflevel0 is of the fastest kind of cores.
"""

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from threadpoolctl import threadpool_limits

from minigpt.backend import keep_freed_memory
from minigpt.crew import CAN_FORK, Crew


def count_cores():
    """Return the number of cores this process may use, on a Mac that of its fast ones.

    Workers have equal shares and wait for each other: one on a slow core would hold up the others.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return fast_cores() or os.cpu_count() or 1


@cache
def fast_cores():
    """Return how many cores of its fastest kind a Mac has, None where it does not tell."""
    if sys.platform != "darwin":
        return None
    ask = ["/usr/sbin/sysctl", "-n", "hw.perflevel0.physicalcpu"]
    try:
        return int(subprocess.run(ask, capture_output=True, timeout=5, check=True).stdout)
    except (OSError, ValueError, subprocess.SubprocessError):  # an older Mac does not know the name
        return None


class Workers:
    """`n` workers (0: one a core), to be used in a `with` statement."""

    def __init__(self, n=0, fork=CAN_FORK):
        """Have crews of processes if `fork`, else of threads."""
        self.n, self._fork, self._crews = n or count_cores(), fork, []

    def __enter__(self):
        keep_freed_memory()
        self._blas = threadpool_limits(limits=1, user_api="blas")
        self._pool = ThreadPoolExecutor(self.n)
        return self

    def __exit__(self, *exception):
        with contextlib.ExitStack() as last:
            last.callback(self._blas.restore_original_limits)
            last.callback(self._pool.shutdown)
            for crew in self._crews:
                last.callback(crew.close)

    def map(self, function, *items):
        """Apply `function` to the items, in threads; return the results in order."""
        if self.n == 1:
            return list(map(function, *items))
        return list(self._pool.map(function, *items))

    def crew(self, target, most):
        """Return a Crew with `target`, of at most `most` members, that lasts as long as these."""
        self._crews.append(Crew(target, min(self.n, most), self._fork))
        return self._crews[-1]


def slices(n, parts, start=0):
    """Cut `n` things, counted from `start`, into at most `parts` slices of nearly equal length.

    None is empty.
    """
    parts = min(n, parts)
    return [slice(start + n * i // parts, start + n * (i + 1) // parts) for i in range(parts)]
