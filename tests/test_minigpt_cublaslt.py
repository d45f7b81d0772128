"""cublasLt's library itself, where it is installed: it takes what it is told, its header agrees."""

import ctypes
import importlib.util
import re
from pathlib import Path

import pytest

from minigpt.cuda import cublaslt


def test_without_the_library_the_cure_is_said(monkeypatch):
    def nothing(name):
        raise OSError(name)

    monkeypatch.setattr(cublaslt.ctypes, "CDLL", nothing)
    with pytest.raises(
        ValueError, match=r"cublasLt was not found.*pip install 'cupy-cuda13x\[ctk\]"
    ):
        cublaslt.open_library()


def test_the_real_library_takes_every_attribute_that_is_set():
    """Descriptors are plain memory: cublasLt makes and checks them without a GPU."""
    try:
        library = cublaslt.open_library()
    except ValueError as error:
        pytest.skip(str(error).partition(";")[0])
    asked = []

    def heuristic(handle, operation, *given):
        for pointer in (cublaslt.BIAS_POINTER, cublaslt.AUX_POINTER):
            lt._set("MatmulDesc", operation, pointer, ctypes.c_void_p(1 << 20))
        asked.append(operation)
        return 15

    library.cublasLtCreate = lambda handle: 0  # that would need a GPU, as would this:
    library.cublasLtMatmulAlgoGetHeuristic = heuristic
    lt = cublaslt.Lt(library, 0)
    matrix = cublaslt.Matrix("bfloat16", 16, 16, 16, 256)
    for epilogue in cublaslt.EPILOGUES:
        kind = ("fp32", matrix, matrix, matrix, True, False, 2, epilogue, (16, 8, 4, 2))
        assert lt._make(cublaslt.Kind(*kind)) is None
    assert len(asked) == len(cublaslt.EPILOGUES)


HEADER_NAMES = {
    "CUBLAS_COMPUTE_32F": cublaslt.COMPUTE["fp32"],
    "CUBLAS_COMPUTE_64F": cublaslt.COMPUTE["fp64"],
    "CUBLAS_COMPUTE_32F_FAST_TF32": cublaslt.COMPUTE["tf32"],
    "CUDA_R_32F": cublaslt.TYPES["float32"],
    "CUDA_R_64F": cublaslt.TYPES["float64"],
    "CUDA_R_16F": cublaslt.TYPES["float16"],
    "CUDA_R_16BF": cublaslt.TYPES["bfloat16"],
    "CUBLASLT_EPILOGUE_DEFAULT": cublaslt.EPILOGUES["none"],
    "CUBLASLT_EPILOGUE_BIAS": cublaslt.EPILOGUES["bias"],
    "CUBLASLT_EPILOGUE_BGRADA": cublaslt.EPILOGUES["bias_gradient"],
    "CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER": cublaslt.AUX_POINTER,
    "CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD": cublaslt.AUX_LD,
    "CUBLASLT_MATMUL_DESC_TRANSA": cublaslt.TRANSA,
    "CUBLASLT_MATMUL_DESC_TRANSB": cublaslt.TRANSB,
    "CUBLASLT_MATMUL_DESC_EPILOGUE": cublaslt.EPILOGUE,
    "CUBLASLT_MATMUL_DESC_BIAS_POINTER": cublaslt.BIAS_POINTER,
    "CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT": cublaslt.BATCH_COUNT,
    "CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET": cublaslt.BATCH_STRIDE,
    "CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES": cublaslt.MAX_WORKSPACE,
    "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES": cublaslt.MIN_ALIGNMENT_A,
    "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES": cublaslt.MIN_ALIGNMENT_A + 3,
}


STATUS_NAMES = {
    "NOT_INITIALIZED": 1, "ALLOC_FAILED": 3, "INVALID_VALUE": 7, "ARCH_MISMATCH": 8,
    "EXECUTION_FAILED": 13, "INTERNAL_ERROR": 14, "NOT_SUPPORTED": 15,
}  # fmt: skip


@pytest.fixture(scope="module")
def header():
    """The text of cublasLt.h and of what it includes, without comments."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(f) for f in spec.submodule_search_locations] if spec else []

    def find(name):
        # of CUDA 13 all are in one folder; of CUDA 12 each package has its own
        return next((p for f in folders for p in sorted(f.glob(f"*/include/{name}"))), None)

    found = [find(name) for name in ("cublasLt.h", "cublas_api.h", "library_types.h")]
    if None in found:
        pytest.skip("cublasLt.h is in no package of NVIDIA's that is installed")
    text = "\n".join(path.read_text("utf-8", "replace") for path in found)
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def test_the_numbers_and_functions_are_those_of_the_librarys_header(header):
    for name, number in HEADER_NAMES.items():
        assert int(re.search(rf"\b{name} *= *(\d+)", header)[1]) == number, name
    for name, number in STATUS_NAMES.items():
        assert int(re.search(rf"\bCUBLAS_STATUS_{name} *= *(\d+)", header)[1]) == number, name
        assert number in cublaslt.STATUS
    gelu, dgelu = (
        re.search(rf"\bCUBLASLT_EPILOGUE_{name} *= *(\d+)(?: *\| *(\d+))?", header).groups("0")
        for name in ("GELU", "DGELU")  # each a number, or two with | between
    )
    bias, aux = cublaslt.EPILOGUES["bias"], int(dgelu[1])
    assert int(dgelu[0]) | aux == cublaslt.EPILOGUES["gelu_backward"]
    assert int(gelu[0]) | aux | bias == cublaslt.EPILOGUES["bias_gelu"]
    for name, types in cublaslt.SIGNATURES.items():
        wanted = re.search(rf"CUBLASWINAPI\s+{name}\((.*?)\)", header, flags=re.S)[1].split(",")
        assert [*map(ctypes.sizeof, types)] == [*map(size_in_c, wanted)], name


def test_an_algorithm_is_laid_out_as_in_the_librarys_header(header):
    fields = {
        name: re.search(rf"typedef struct \{{([^}}]*)\}} {name};", header)[1].split(";")[:-1]
        for name in ("cublasLtMatmulAlgo_t", "cublasLtMatmulHeuristicResult_t")
    }
    (algorithm,) = fields["cublasLtMatmulAlgo_t"]
    result = [algorithm, *fields["cublasLtMatmulHeuristicResult_t"][1:]]  # whose first it is
    of_ours = [type_ for _, type_ in cublaslt.Heuristic._fields_]
    assert fields["cublasLtMatmulHeuristicResult_t"][0].split()[0] == "cublasLtMatmulAlgo_t"
    assert len(result) == len(of_ours)
    for field, ours in zip(result, of_ours, strict=True):
        type_, n = re.fullmatch(r"\s*(\w+)\s+\w+(?:\[(\d+)\])?\s*", field).groups()
        size = {"uint64_t": 8, "size_t": 8}.get(type_, 4)  # else an int, an enum or a float
        assert ctypes.sizeof(ours) == size * int(n or 1), field


def size_in_c(parameter):
    """Return the bytes of a parameter of a C function on a 64-bit machine."""
    small = r"\s*(int|cudaDataType\w*|cublas\w+(Type|Attributes?)_t)\s+\w+$"
    return 4 if re.match(small, parameter) else 8
