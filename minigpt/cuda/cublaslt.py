"""cublasLt through ctypes: the library, its descriptors, and plans for matrix products.

This knows addresses and sizes, no arrays: see gemm.py. cublasLt's matrices are column-major: the
element (i, j) of a matrix with the leading dimension ld stands at i + j ld. A product is

    D = epilogue(alpha op(A) op(B) + beta C),  D (m, n), op(A) (m, k), op(B) (k, n)

where op leaves a matrix as it is or transposes it. The epilogue does nothing; or adds a bias (m,);
or adds a bias, writes the sum to another matrix like D, and GELU of it to D; or multiplies with the
slope of GELU at the numbers of such a matrix; or writes the sums of op(A)'s rows where a bias would
stand, since that is the bias's gradient where A is the gradient after it.

A plan is made once for each kind of product: descriptors, and the algorithm that the library thinks
fastest. Running one enqueues it on a stream and waits for nothing, so it can be captured in a CUDA
graph, which CuPy's own products cannot.

Source: NVIDIA, cuBLAS documentation, "Using the cuBLASLt API"; numbers from cublasLt.h.
"""

import ctypes
import importlib.util
import threading
import weakref
from ctypes import byref, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import NamedTuple

from minigpt.cuda.recent import Recent

WORKSPACE_BYTES = 32 << 20  # what NVIDIA recommends for Hopper
MOST_PLANS = 512  # a training step has some 30; a server meets other lengths all the time

# cudaDataType, by NumPy's names
TYPES = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}
BYTES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}
# cublasComputeType_t
COMPUTE = {"fp32": 68, "fp64": 70, "tf32": 77}
# cublasLtEpilogue_t
EPILOGUES = {"none": 1, "bias": 4, "bias_gelu": 164, "gelu_backward": 192, "bias_gradient": 256}
# cublasLtMatmulDescAttributes_t
TRANSA, TRANSB, EPILOGUE, BIAS_POINTER, AUX_POINTER, AUX_LD = 3, 4, 7, 8, 11, 12
# what an epilogue reads or writes besides; the addresses are those of a call
POINTERS = {
    "none": (), "bias": (BIAS_POINTER,), "bias_gelu": (BIAS_POINTER, AUX_POINTER),
    "gelu_backward": (AUX_POINTER,), "bias_gradient": (BIAS_POINTER,),
}  # fmt: skip
# cublasLtMatrixLayoutAttribute_t
BATCH_COUNT, BATCH_STRIDE = 5, 6
# cublasLtMatmulPreferenceAttributes_t
MAX_WORKSPACE, MIN_ALIGNMENT_A = 1, 5

STATUS = {
    1: "not initialised", 3: "out of memory", 7: "invalid value", 8: "no such architecture",
    13: "execution failed", 14: "internal error", 15: "not supported",
}  # fmt: skip
REFUSALS = (7, 8, 15)


class Refused(RuntimeError):
    """The library does not do what it said that it can; nothing was enqueued."""


class Heuristic(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t: an algorithm and the workspace it needs."""

    _fields_ = (
        ("algorithm", c_uint64 * 8), ("workspace_bytes", c_size_t), ("state", c_int),
        ("waves", c_float), ("reserved", c_int * 4),
    )  # fmt: skip


SIGNATURES = {
    "cublasLtCreate": (c_void_p,),
    "cublasLtMatmulDescCreate": (c_void_p, c_int, c_int),
    "cublasLtMatmulDescSetAttribute": (c_void_p, c_int, c_void_p, c_size_t),
    "cublasLtMatrixLayoutCreate": (c_void_p, c_int, c_uint64, c_uint64, c_int64),
    "cublasLtMatrixLayoutSetAttribute": (c_void_p, c_int, c_void_p, c_size_t),
    "cublasLtMatmulPreferenceCreate": (c_void_p,),
    "cublasLtMatmulPreferenceSetAttribute": (c_void_p, c_int, c_void_p, c_size_t),
    "cublasLtMatmulPreferenceDestroy": (c_void_p,),
    "cublasLtMatmulDescDestroy": (c_void_p,),
    "cublasLtMatrixLayoutDestroy": (c_void_p,),
    "cublasLtMatmulAlgoGetHeuristic": (
        c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int, c_void_p,
        c_void_p,
    ),
    "cublasLtMatmul": (
        c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p,
        c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p,
    ),
}  # fmt: skip


class Matrix(NamedTuple):
    """A stored matrix (rows, columns), column-major; a batch has one every `stride` elements."""

    type: str
    rows: int
    columns: int
    ld: int
    stride: int = 0


class Kind(NamedTuple):
    """All that a plan depends on: `alignment` in bytes is that of A, B, C and D.

    `in_place` says that C is D.
    """

    compute: str
    a: Matrix
    b: Matrix
    d: Matrix
    transpose_a: bool
    transpose_b: bool
    batch: int
    epilogue: str
    alignment: tuple
    in_place: bool = True


class Plan:
    """Descriptors and an algorithm, ready to be run; they are destroyed with it."""

    def __init__(self, library, operation, layouts, found, scalar, pointers=()):
        self.operation, (self.a, self.b, self.d) = operation, layouts
        self.found, self.scalar, self.pointers = found, scalar, pointers
        self.is_refused = False  # the library would not run it
        self._end = weakref.finalize(self, destroy, library, operation, layouts)
        self._end.atexit = False  # then all memory goes, and the library may be gone before


def destroy(library, operation, layouts):
    """Give back the memory of descriptors: work that was enqueued needs them no more."""
    library.cublasLtMatmulDescDestroy(operation)
    for layout in layouts:
        library.cublasLtMatrixLayoutDestroy(layout)


def open_library():
    """Return cublasLt, loaded; raise ValueError where it is not installed."""
    for name in library_paths():
        try:
            return ctypes.CDLL(str(name))
        except OSError:
            continue
    raise ValueError(
        "the library cublasLt was not found, with which the GPU multiplies matrices; install it: "
        "pip install 'cupy-cuda13x[ctk]' or 'cupy-cuda12x[ctk]'"
    )


def library_paths():
    """Yield where cublasLt may be: where CuPy finds it, in NVIDIA's packages, in the system."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        yield load_nvidia_dynamic_lib("cublasLt").abs_path
    except (ImportError, RuntimeError):
        pass
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations if spec else ():
        yield from sorted(Path(folder).glob("*/lib/libcublasLt.so.*"), reverse=True)
    yield from ("libcublasLt.so.13", "libcublasLt.so.12")


class Lt:
    """The library's handle on one device, a workspace there, and the plans made so far.

    There is one workspace: products of one process must not run on two streams at once.
    """

    def __init__(self, library, workspace, workspace_bytes=WORKSPACE_BYTES):
        """`workspace` is the address of memory on the current device."""
        for name, types in SIGNATURES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = types, c_int
        self.library, self.workspace, self.workspace_bytes = library, workspace, workspace_bytes
        self.handle = self._new("cublasLtCreate")
        self.plans = Recent(MOST_PLANS)  # from Kind to Plan, None where there is no algorithm
        self.routes = Recent(2 * MOST_PLANS)  # what gemm.py has found out about arrays
        self.lock = threading.Lock()  # a bias's and GELU's addresses are set in the plan

    def _call(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        if status:
            kind = Refused if status in REFUSALS else RuntimeError
            raise kind(f"{name}: {STATUS.get(status, 'failed')} (status {status})")

    def _new(self, create, *arguments):
        made = c_void_p()
        self._call(create, byref(made), *arguments)
        return made

    def _set(self, what, made, attribute, value):
        self._call(f"cublasLt{what}SetAttribute", made, attribute, byref(value),
                   ctypes.sizeof(value))  # fmt: skip

    def plan(self, kind):
        """Return the Plan of a Kind, None where the library cannot do it."""
        return self.plans.get(kind, lambda: self._make_if_possible(kind))

    def without_algorithm(self):
        """Return the Kinds that were asked for lately and the library cannot do."""
        return [kind for kind, plan in self.plans.items() if plan is None or plan.is_refused]

    def _make_if_possible(self, kind):
        try:
            return self._make(kind)
        except RuntimeError:  # a combination that it refuses to describe
            return None

    def _make(self, kind):
        double = kind.compute == "fp64"
        operation = self._new(
            "cublasLtMatmulDescCreate", COMPUTE[kind.compute],
            TYPES["float64" if double else "float32"],
        )  # fmt: skip
        for attribute, value in (
            (TRANSA, c_int32(kind.transpose_a)),
            (TRANSB, c_int32(kind.transpose_b)),
            (EPILOGUE, c_uint32(EPILOGUES[kind.epilogue])),
        ):
            self._set("MatmulDesc", operation, attribute, value)
        pointers = POINTERS[kind.epilogue]
        for pointer in pointers:
            # without an address the library finds no algorithm, and it expects the true one, that
            # `run` sets, to be a multiple of what this is: of 16 and no more (layouts.py)
            self._set("MatmulDesc", operation, pointer, c_void_p(self.workspace // 256 * 256 + 16))
        if AUX_POINTER in pointers:
            self._set("MatmulDesc", operation, AUX_LD, c_int64(kind.d.rows))
        layouts = [self._layout(matrix, kind.batch) for matrix in (kind.a, kind.b, kind.d)]
        scalar = ctypes.c_double if double else c_float
        plan = Plan(self.library, operation, layouts, Heuristic(), scalar, pointers)
        preference = self._new("cublasLtMatmulPreferenceCreate")
        limit = c_uint64(self.workspace_bytes)
        self._set("MatmulPreference", preference, MAX_WORKSPACE, limit)
        for i, alignment in enumerate(kind.alignment):
            self._set("MatmulPreference", preference, MIN_ALIGNMENT_A + i, c_uint32(alignment))
        n_found = c_int()
        status = self.library.cublasLtMatmulAlgoGetHeuristic(
            self.handle, operation, plan.a, plan.b, plan.d, plan.d, preference, 1,
            byref(plan.found), byref(n_found),
        )  # fmt: skip
        self._call("cublasLtMatmulPreferenceDestroy", preference)
        return None if status or not n_found.value or plan.found.state else plan

    def _layout(self, matrix, batch):
        layout = self._new("cublasLtMatrixLayoutCreate", TYPES[matrix.type], *matrix[1:4])
        if batch > 1:
            self._set("MatrixLayout", layout, BATCH_COUNT, c_int32(batch))
            self._set("MatrixLayout", layout, BATCH_STRIDE, c_int64(matrix.stride))
        return layout

    def run(self, plan, a, b, c, d, alpha=1.0, beta=0.0, others=(), stream=0):
        """Enqueue D = epilogue(alpha op(A) op(B) + beta C) for matrices at these addresses.

        C is laid out as D is, and may be D. `others` are those of what the epilogue reads or writes
        besides, as in POINTERS. Raises Refused where the library will not, and notes that in the
        plan.
        """
        with self.lock:
            for pointer, other in zip(plan.pointers, others, strict=True):
                self._set("MatmulDesc", plan.operation, pointer, c_void_p(other))
            try:
                self._call(
                    "cublasLtMatmul", self.handle, plan.operation, byref(plan.scalar(alpha)),
                    a, plan.a, b, plan.b, byref(plan.scalar(beta)), c, plan.d, d, plan.d,
                    byref(plan.found.algorithm), self.workspace, self.workspace_bytes, stream,
                )  # fmt: skip
            except Refused:
                plan.is_refused = True
                raise
