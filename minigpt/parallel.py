"""Worker threads that share the work of one step.

NumPy lets go of Python's global lock while it computes, so threads that each take a slice of the
batch use all cores, for the elementwise operations too, which NumPy alone runs on one. The BLAS
library's own threads are switched off meanwhile: two kinds of threads would fight for the cores.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from minigpt.backend import keep_freed_memory


def count_cores():
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """`n` threads (0: one a core), to be used in a `with` statement."""

    def __init__(self, n=0):
        self.n = n or count_cores()

    def __enter__(self):
        keep_freed_memory()
        self._blas = threadpool_limits(limits=1, user_api="blas")
        self._pool = ThreadPoolExecutor(self.n)
        return self

    def __exit__(self, *exception):
        self._pool.shutdown()
        self._blas.restore_original_limits()

    def map(self, function, *items):
        """Apply `function` to the items, at the same time; return the results in order."""
        if self.n == 1:
            return list(map(function, *items))
        return list(self._pool.map(function, *items))


def slices(n, parts):
    """Cut range(n) into at most `parts` slices of nearly equal length, none empty."""
    parts = min(n, parts)
    return [slice(n * i // parts, n * (i + 1) // parts) for i in range(parts)]
