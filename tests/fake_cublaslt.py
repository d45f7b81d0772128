"""A cublasLt that computes on the CPU: the C entry points that cublaslt.py calls, and no GPU.

Each is a real C function pointer, so arguments go through ctypes as to the library itself.
Descriptors keep the bytes that were set, attributes have the sizes that cublasLt.h documents, and
`cublasLtMatmul` reads and writes column-major matrices at raw addresses, exactly as described:
leading dimensions, batch distances, transposes, alpha and beta, epilogues. It answers with an
error what the documentation forbids, and what an algorithm was not chosen for.
"""

import ctypes
import itertools
from ctypes import CFUNCTYPE, c_int

import numpy as np

from minigpt import ops
from minigpt.cuda import cublaslt

OK, INVALID_VALUE, NOT_SUPPORTED = 0, 7, 15
SIZES = {  # of attributes, in bytes, from the documentation
    "operation": {3: 4, 4: 4, 7: 4, 8: 8, 11: 8, 12: 8},
    "layout": {5: 4, 6: 8},
    "preference": {1: 8, 5: 4, 6: 4, 7: 4, 8: 4},
}
NAMES = {number: name for name, number in cublaslt.TYPES.items()}
EPILOGUES = {number: name for name, number in cublaslt.EPILOGUES.items()}


def dtype_of(number):
    if NAMES[number] == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(NAMES[number])


def store(pointer, value, of=ctypes.c_void_p):
    ctypes.cast(pointer, ctypes.POINTER(of))[0] = value


def load(pointer, of):
    return ctypes.cast(pointer, ctypes.POINTER(of))[0]


class FakeCublasLt:
    """`log` has (compute type, epilogue, batch, transposes) of every product, `added` its beta and
    whether C is D.
    """

    def __init__(self, unsupported=()):
        """`unsupported`: names of epilogues that no algorithm exists for."""
        self.made, self.numbers, self.log, self.added = {}, itertools.count(0x1000), [], []
        self.unsupported, self.heuristics = unsupported, 0
        for name, types in cublaslt.SIGNATURES.items():
            prototype = CFUNCTYPE(c_int, *types)
            setattr(self, name, prototype(getattr(self, name.removeprefix("cublasLt"))))

    def new(self, pointer, **content):
        number = next(self.numbers)
        self.made[number] = content | {"set": {}}
        store(pointer, number)
        return OK

    def set(self, made, attribute, buffer, size):
        content = self.made[made]
        if SIZES[content["is"]].get(attribute) != size:
            return INVALID_VALUE
        content["set"][attribute] = int.from_bytes(ctypes.string_at(buffer, size), "little")
        return OK

    def Create(self, handle):
        return self.new(handle, **{"is": "handle"})

    def MatmulDescCreate(self, made, compute, scale):
        return self.new(made, **{"is": "operation", "compute": compute, "scale": scale})

    def MatrixLayoutCreate(self, made, type, rows, columns, ld):
        if ld < rows:
            return INVALID_VALUE
        return self.new(made, **{"is": "layout", "type": type, "shape": (rows, columns), "ld": ld})

    def MatmulPreferenceCreate(self, made):
        return self.new(made, **{"is": "preference"})

    MatmulDescSetAttribute = MatrixLayoutSetAttribute = MatmulPreferenceSetAttribute = set

    def destroy(self, made):
        del self.made[made]
        return OK

    MatmulPreferenceDestroy = MatmulDescDestroy = MatrixLayoutDestroy = destroy

    # ---- choosing an algorithm ----------------------------------------------------------------

    def MatmulAlgoGetHeuristic(self, handle, operation, a, b, c, d, preference, n, found, n_found):
        self.heuristics += 1
        op, wanted = self.made[operation], self.made[preference]["set"]
        epilogue = EPILOGUES[op["set"][7]]
        m, n_columns, k = self.sizes(op, a, b)
        if self.made[d]["shape"] != (m, n_columns) or k is None or wanted[1] < 32 << 20:
            return INVALID_VALUE
        if not all(op["set"].get(pointer) for pointer in cublaslt.POINTERS[epilogue]):
            return INVALID_VALUE
        if epilogue == "bias_gradient" and op["set"][3]:  # as an RTX 3060 says of a transposed A
            return NOT_SUPPORTED
        if "gelu" in epilogue:
            ld = op["set"].get(cublaslt.AUX_LD, 0)
            if ld % 8 or ld < m:
                return INVALID_VALUE
        if epilogue in self.unsupported:
            return NOT_SUPPORTED
        result = ctypes.cast(found, ctypes.POINTER(cublaslt.Heuristic))[0]
        chosen = (operation, a, b, c, d, *(wanted[i] for i in (5, 6, 7, 8)))
        result.algorithm[0] = next(self.numbers)
        # it expects the bias and GELU's matrix to be as aligned as the addresses it was shown
        shown = {pointer: op["set"][pointer] for pointer in cublaslt.POINTERS[epilogue]}
        promised = {pointer: address & -address for pointer, address in shown.items()}
        self.made[result.algorithm[0]] = {"is": "algorithm", "for": chosen, "promised": promised}
        store(n_found, 1, c_int)
        return OK

    def sizes(self, op, a, b):
        (m, k), (k_of_b, n) = (
            self.made[x]["shape"][:: -1 if op["set"].get(t) else 1] for x, t in ((a, 3), (b, 4))
        )
        return m, n, k if k == k_of_b else None

    # ---- the product --------------------------------------------------------------------------

    def matrices(self, layout, address):
        """View the batch of matrices of a layout at an address: (batch, rows, columns)."""
        x, dtype = self.made[layout], dtype_of(self.made[layout]["type"])
        (rows, columns), n, step = x["shape"], x["set"].get(5, 1), x["set"].get(6, 0)
        reach = (n - 1) * step + (columns - 1) * x["ld"] + rows  # elements
        memory = (ctypes.c_byte * (reach * dtype.itemsize)).from_address(address)
        strides = [s * dtype.itemsize for s in (step, 1, x["ld"])]
        flat = np.frombuffer(memory, dtype)
        return np.lib.stride_tricks.as_strided(flat, (n, rows, columns), strides)

    def Matmul(
        self, handle, operation, alpha, a, a_layout, b, b_layout, beta, c, c_layout, d, d_layout,
        algorithm, workspace, workspace_bytes, stream,
    ):  # fmt: skip
        op = self.made[operation]
        found = self.made[load(algorithm, ctypes.c_uint64)]
        *chosen, align_a, align_b, align_c, align_d = found["for"]
        if chosen != [operation, a_layout, b_layout, c_layout, d_layout]:
            return INVALID_VALUE
        if a % align_a or b % align_b or c % align_c or d % align_d or not workspace:
            return INVALID_VALUE
        if any(op["set"][pointer] % n for pointer, n in found["promised"].items()):
            return INVALID_VALUE
        number = ctypes.c_double if op["scale"] == 1 else ctypes.c_float
        wide = np.float64 if op["scale"] == 1 else np.float32
        A, B = (self.matrices(*x).astype(wide) for x in ((a_layout, a), (b_layout, b)))
        if op["set"][3]:
            A = A.swapaxes(1, 2)
        if op["set"][4]:
            B = B.swapaxes(1, 2)
        if op["compute"] == cublaslt.COMPUTE["tf32"]:
            A, B = ten_bits(A), ten_bits(B)
        result = load(alpha, number) * (A @ B)  # (batch, m, n)
        if load(beta, number):
            result += load(beta, number) * self.matrices(c_layout, c).astype(wide)
        epilogue = EPILOGUES[op["set"][7]]
        if "bias" in epilogue:  # one number a row of D, of its type
            vector, dtype = op["set"].get(8, 0), dtype_of(self.made[d_layout]["type"])
            if not vector or vector % 16:
                return INVALID_VALUE
            bias = at(vector, dtype, result.shape[1])
            if epilogue == "bias_gradient":
                bias[...] = A[0].sum(axis=1)
            else:
                result = result + bias[:, None].astype(result.dtype)
        if "gelu" in epilogue:  # at a matrix like D, of its type
            vector, dtype = op["set"].get(11, 0), dtype_of(self.made[d_layout]["type"])
            (_, m, n), ld = result.shape, op["set"][12]
            if not vector or vector % 16:
                return INVALID_VALUE
            x = at(vector, dtype, ld * n).reshape(n, ld)[:, :m].T
            if epilogue == "bias_gelu":
                x[...], result = result[0], ops.gelu_forward(result)[0]
            else:
                result = ops.gelu_backward(result, ops.gelu_forward(x.astype(wide))[1])
        self.matrices(d_layout, d)[...] = result
        self.log.append((op["compute"], epilogue, len(result), op["set"][3], op["set"][4]))
        self.added.append((load(beta, number), c == d))
        return OK


def at(address, dtype, n):
    """View n numbers at an address."""
    memory = (ctypes.c_byte * (n * dtype.itemsize)).from_address(address)
    return np.frombuffer(memory, dtype)


def ten_bits(x):
    """Round float32 numbers to the 10 bits after the first that TF32 keeps."""
    return ((x.view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)
