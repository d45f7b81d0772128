"""A CuPy without a GPU: NumPy's arrays, and the parts of `cupy.cuda` that minigpt uses.

Capturing is honest. While a stream captures, every operation on an `Array` is written down with
the arrays it reads and writes, and afterwards all that it changed is as before: nothing has
happened yet, as on a GPU. A graph's launch does the operations again, on the same memory. So what
was a number of Python's while capturing is the same number forever, and what the host would have
to wait for (float, unique, copies from it) raises, as CuPy does.
"""

import contextlib
import types

import numpy as np

from minigpt import ops, row_ops
from minigpt.backend import Device
from minigpt.cuda import gemm, graph

MAKERS = (  # functions of NumPy that return its own arrays whatever they get
    "arange", "asarray", "ascontiguousarray", "empty", "eye", "full", "ones", "zeros", "zeros_like",
)  # fmt: skip

# of what is done now
place = {"stream": None, "captures": None, "allocator": None, "fused": False, "gpu": 0}
tape = None  # the operations captured so far, None while nothing captures
changed = {}  # from the number of an object to (the array, a copy of what it was)


def plain(x):
    """Turn Arrays inside of `x` into NumPy's, of the same memory."""
    if isinstance(x, Array):
        return x.view(np.ndarray)
    return type(x)(map(plain, x)) if isinstance(x, (list, tuple)) else x


def wrap(x):
    """Turn what NumPy returned into Arrays; a number is one without axes, as in CuPy."""
    if isinstance(x, tuple):
        return tuple(map(wrap, x))
    return np.asarray(x).view(Array) if isinstance(x, (np.ndarray, np.generic)) else x


def refuse_to_wait():
    if tape is not None:
        place["spoilt"] = True
        raise RuntimeError("cudaErrorStreamCaptureUnsupported: the host would have to wait")


def check_place():
    """Raise where work of a capture is on another stream, or its memory from another pool."""
    if tape is not None and (place["stream"] is not place["captures"] or not place["allocator"]):
        raise AssertionError("captured work is not on the capturing stream and from its pool")


def refuse_arrays_of_numpy(inputs):
    """Raise TypeError as CuPy does where an array in the computer's own memory is given.

    Only with the GPU's own operations: the plain ones take an Array for one of NumPy's.
    """
    for x in inputs if place["fused"] else ():
        if isinstance(x, (list, tuple)):
            refuse_arrays_of_numpy(x)
        elif isinstance(x, np.ndarray) and not isinstance(x, Array):
            raise TypeError(f"Unsupported type {type(x)}")


def will_change(x):
    """Remember what a whole array was, the first time that it is written to."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    if tape is not None and id(x) not in changed:
        changed[id(x)] = (plain(x), plain(x).copy())


def made(function, arguments, options):
    """Return what a function makes, and have the tape make it again at the same place."""
    check_place()
    arguments, options = plain(arguments), {k: plain(v) for k, v in options.items()}
    result = wrap(function(*arguments, **options))
    views = any(isinstance(x, np.ndarray) and isinstance(result, np.ndarray)
                and np.may_share_memory(x, plain(result)) for x in arguments)  # fmt: skip
    if tape is not None and isinstance(result, np.ndarray) and not views:
        target = plain(result)
        tape.append(lambda: np.copyto(target, function(*arguments, **options), casting="unsafe"))
    return result


def done(function, target, arguments, options):
    """Do what changes `target`, and have the tape do it again."""
    check_place()
    will_change(target)
    arguments, options = plain(arguments), {k: plain(v) for k, v in options.items()}
    function(*arguments, **options)
    if tape is not None:
        tape.append(lambda: function(*arguments, **options))


class Array(np.ndarray):
    """An array that says it is on a GPU."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        refuse_arrays_of_numpy(inputs)
        function = getattr(ufunc, method)
        if method == "at":
            return done(function, inputs[0], inputs, options)
        if out is None:
            return made(function, inputs, options)
        done(function, out[0], inputs, options | {"out": out[0]})
        return out[0]

    def __array_function__(self, function, types, arguments, options):
        refuse_arrays_of_numpy(arguments)
        if function is np.unique:
            refuse_to_wait()
        return made(function, arguments, options)

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        if not any(i is Ellipsis for i in index):
            index = (*index, Ellipsis)  # then an element is an array too
        return made(np.ndarray.__getitem__, (self, index), {})

    def __setitem__(self, index, value):
        if isinstance(value, np.ndarray) and not isinstance(value, Array):
            refuse_to_wait()
        done(np.ndarray.__setitem__, self, (self, index, value), {})

    def astype(self, dtype, copy=True):
        return made(np.ndarray.astype, (self, dtype), {}) if copy or self.dtype != dtype else self

    def reshape(self, *shape):
        return made(np.ndarray.reshape, (self, *shape), {})

    def copy(self, order="C"):
        return made(np.ndarray.copy, (self,), {})

    def __float__(self):
        refuse_to_wait()
        return float(plain(self))

    def __int__(self):
        refuse_to_wait()
        return int(plain(self))

    def get(self, stream=None, out=None, blocking=True):
        refuse_to_wait()
        if out is None:
            return plain(self).copy()
        out[...] = plain(self)
        return out

    def set(self, host, stream=None):
        refuse_to_wait()
        plain(self)[...] = host


@contextlib.contextmanager
def using_allocator(allocator):
    before, place["allocator"] = place["allocator"], allocator
    try:
        yield
    finally:
        place["allocator"] = before


class Stream:
    def __init__(self, non_blocking=False):
        self.synchronised, self.waited, self._before, self.ptr = 0, False, [], id(self)

    def __enter__(self):
        self._before.append(place["stream"])
        place["stream"] = self
        return self

    def __exit__(self, *exception):
        place["stream"], self.waited = self._before.pop(), False

    def record(self, event=None):
        return event or Event()

    def wait_event(self, event):
        self.waited = True

    def synchronize(self):
        refuse_to_wait()
        self.synchronised += 1

    def begin_capture(self):
        global tape
        tape, place["captures"] = [], self
        changed.clear()

    def end_capture(self):
        global tape
        captured, tape = tape, None
        for array, before in changed.values():
            array[...] = before
        if place.pop("spoilt", False):
            raise RuntimeError("cudaErrorStreamCaptureInvalidated")
        return Graph(captured)


class Graph:
    def __init__(self, operations):
        self.operations, self.launches = operations, 0

    def launch(self, stream=None):
        assert place["stream"].waited, "a graph must not overtake the default stream"
        self.launches += 1
        for operation in self.operations:
            operation()


class CUDARuntimeError(RuntimeError):
    pass


class Memory:
    """Memory of a GPU, of which there are `left` bytes."""

    left = 1 << 40

    def __init__(self, n_bytes):
        if n_bytes > Memory.left:
            raise CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")


class MemoryPool:
    def __init__(self, allocator=None):
        self.malloc = allocator or Memory
        self.times_freed = 0

    def free_bytes(self):
        return 0

    def free_all_blocks(self):
        self.times_freed += 1


class Event:
    def __init__(self, disable_timing=False):
        pass

    def synchronize(self):
        pass

    def record(self, stream=None):
        pass


class GpuDevice:
    """A GPU by its number, or the one that is computed on."""

    compute_capability, synchronize = "90", staticmethod(refuse_to_wait)

    def __init__(self, number=None):
        self.id = place["gpu"] if number is None else number

    def use(self):
        place["gpu"] = self.id


class Cupy(types.ModuleType):
    """The module: what is not here is NumPy's."""

    def __init__(
        self, driver=13000, built=13000, devices=1, capability="90", free=8 << 30, broken=None
    ):
        super().__init__("fake_cupy")
        pool = MemoryPool()
        Stream.null = Stream()

        def count():
            if devices is None:
                raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
            return devices

        self.broken, self.get_default_memory_pool = broken, lambda: pool
        self.cuda = types.SimpleNamespace(
            Stream=Stream, Event=Event, MemoryPool=MemoryPool, using_allocator=using_allocator,
            Memory=Memory, MemoryPointer=lambda memory, offset: (memory, offset),
            alloc_pinned_memory=bytearray,
            Device=type("Device", (GpuDevice,), {"compute_capability": capability}),
            get_current_stream=lambda: types.SimpleNamespace(ptr=0),
            runtime=types.SimpleNamespace(
                CUDARuntimeError=CUDARuntimeError,
                driverGetVersion=lambda: driver, runtimeGetVersion=lambda: built,
                getDeviceCount=count, memGetInfo=lambda: (free, 2 * free),
                getDeviceProperties=lambda id: {"name": b"Tesla T4"},
            ),
        )  # fmt: skip

    def __getattr__(self, name):
        function = getattr(np, name)
        if name not in MAKERS:
            return function

        def make(*arguments, **options):
            if self.broken:
                raise self.broken
            return made(function, arguments, options)

        return make


def ops_without_waiting():
    """The plain operations, but for the one whose course depends on what is in an array."""

    def embedding_backward(dout, cache):
        ids, w = cache
        dw = made(np.zeros, (w.shape, "float32"), {})
        np.add.at(dw, ids.reshape(-1), dout.reshape(-1, w.shape[1]))
        return slice(None), dw

    changed = vars(ops) | {"embedding_backward": embedding_backward}
    return types.SimpleNamespace(**changed)


def fake_gpu(precision="fp32", operations=None, rows=row_ops, **properties):
    """A Device that computes with NumPy and captures like a GPU."""
    operations, cupy = operations or ops_without_waiting(), Cupy(**properties)
    return Device("gpu", cupy, operations, rows, precision, gemm.matmul, graph)
