"""Work captured in CUDA graphs, and numbers that go to and from the GPU without waiting.

A small model's step is hundreds of kernels of some microseconds each, and Python takes longer to
launch them than the GPU to run them. A graph is all of those launches as one. What is captured must
do the same each time: its arrays stay at their places, nothing of its course depends on a number
on the GPU, and what does change from step to step, ids or the learning rate, is read from arrays
that are filled before (Upload).

Arrays made while capturing come from a pool of the graphs' own: the graph will use their memory
whenever it is replayed, so nobody else may ever be given it.

Sources: CUDA C++ Programming Guide, "CUDA Graphs"; PyTorch's documentation, "CUDA semantics", on
private memory pools.
"""

import contextlib
from functools import partial

import numpy as np


class Graphs:
    """A stream and a memory pool for pieces of work that follow one another."""

    def __init__(self, cupy):
        self.cupy = cupy
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self._blocks = []  # kept: a graph may use them whenever it is replayed
        self.pool = cupy.cuda.MemoryPool(partial(allocate, cupy, self._blocks))
        self._asked = cupy.cuda.Event(disable_timing=True)
        self.failure = None  # why work is not captured, if it cannot be

    @contextlib.contextmanager
    def on(self):
        """Run on the stream, after all that was asked of the default stream until now."""
        self.stream.wait_event(self.cupy.cuda.Stream.null.record(self._asked))
        with self.stream, self.cupy.cuda.using_allocator(self.pool.malloc):
            yield

    def wait(self):
        """Wait until all that was enqueued is done."""
        self.stream.synchronize()


def allocate(cupy, blocks, n_bytes):
    """Return memory that not even a pool may give back, as pools do when there is no more.

    The list `blocks` keeps it. That knows no pool, or each would keep the other alive, and whoever
    comes next would find no memory.
    """
    cuda = cupy.cuda
    try:
        memory = cuda.Memory(n_bytes)
    except cuda.runtime.CUDARuntimeError:  # what others have kept and do not use may suffice
        cupy.get_default_memory_pool().free_all_blocks()
        memory = cuda.Memory(n_bytes)
    blocks.append(memory)
    return cuda.MemoryPointer(memory, 0)


class Work:
    """A function without arguments and results, run on the stream of `graphs`: call it.

    The first call is an ordinary one, in which kernels are compiled and memory is found. The
    second captures, and from then on the graph is launched. Where it cannot be captured, also for
    want of memory, or `capture` is false, every call is an ordinary one.
    """

    def __init__(self, graphs, function, capture=True):
        self.graphs, self.function, self.capture = graphs, function, capture
        self.warm, self.graph = False, None

    def __call__(self):
        with self.graphs.on():
            if self.warm and self.capture and self.graph is None:
                self._capture()
            if self.graph is None:
                self.function()
            else:
                self.graph.launch()
        self.warm = True

    def _capture(self):
        stream = self.graphs.stream
        try:
            stream.begin_capture()
            try:
                self.function()
            finally:
                graph = stream.end_capture()
        except (RuntimeError, MemoryError) as error:
            # With a context: without it only that the capture was spoilt. No name is given to that,
            # or this frame and the error would keep each other, and all that was made, alive.
            why = str(error.__context__ or error)
            self.capture, self.graphs.failure = False, why.partition("\n")[0]
        else:
            self.graph = graph


class Upload:
    """Arrays on the GPU that stay at their places, and are filled from here without waiting.

    Copies come from pinned memory, `n` sets of it: a set is written again only when the copy made
    from it is done, which also keeps this program from running more than n steps ahead.
    """

    def __init__(self, graphs, arrays, n=3):
        """Make room for arrays of the shapes and types of NumPy's `arrays`."""
        self.graphs, cuda = graphs, graphs.cupy.cuda
        self.arrays = [graphs.cupy.empty(x.shape, x.dtype) for x in arrays]
        self._sets = [([pinned(cuda, x) for x in arrays], cuda.Event()) for _ in range(n)]
        self._next = 0

    def __call__(self, *arrays):
        """Enqueue the copying of `arrays`."""
        hosts, copied = self._sets[self._next]
        self._next = (self._next + 1) % len(self._sets)
        copied.synchronize()
        with self.graphs.on():
            for host, array, x in zip(hosts, self.arrays, arrays, strict=True):
                host[...] = x
                array.set(host, stream=self.graphs.stream)
            copied.record(self.graphs.stream)


class Download:
    """Copies of a small array on the GPU as it was at several times, read when they are there."""

    def __init__(self, graphs, array, n=32):
        """Keep up to `n` copies."""
        self.graphs, self.array, cuda = graphs, array, graphs.cupy.cuda
        self._free = [(pinned(cuda, array), cuda.Event()) for _ in range(n)]
        self._taken = []

    @property
    def is_full(self):
        """Whether no further copy can be kept before some are read."""
        return not self._free

    def take(self, label):
        """Enqueue a copy of the array as it will be then; it is called `label`."""
        host, copied = self._free.pop()
        with self.graphs.on():
            self.array.get(stream=self.graphs.stream, out=host, blocking=False)
            copied.record(self.graphs.stream)
        self._taken.append((label, host, copied))

    def read(self):
        """Wait for all copies that were taken; return them as a list of (label, list)."""
        found = []
        for label, host, copied in self._taken:
            copied.synchronize()
            found.append((label, host.tolist()))
            self._free.append((host, copied))
        self._taken = []
        return found


def pinned(cuda, like):
    """Return an array of NumPy's like `like` in memory that the GPU can copy from by itself."""
    memory = cuda.alloc_pinned_memory(max(1, like.nbytes))
    return np.frombuffer(memory, like.dtype, like.size).reshape(like.shape)
