"""NVIDIA's run-time compiler, as a library alone: it compiles for GPUs that are not there.

Source: NVIDIA, "NVRTC" (API documentation).
"""

import ctypes
import re
from functools import cache
from pathlib import Path

WHEELS = "nvidia"  # the namespace package that NVIDIA's wheels put their libraries into


class CompileError(Exception):
    """What the compiler said."""


@cache
def library():
    """Return the library from the wheel nvidia-cuda-nvrtc; raise OSError if it is not there."""
    try:
        import nvidia
    except ImportError:
        raise OSError("the wheel nvidia-cuda-nvrtc is not installed") from None
    folders = [Path(folder) for folder in nvidia.__path__]
    found = [path for folder in folders for path in sorted(folder.rglob("libnvrtc.so*"))]
    if not found:
        raise OSError("the wheel nvidia-cuda-nvrtc is not installed")
    for path in sorted(found[0].parent.glob("libnvrtc-builtins.so*")):
        ctypes.CDLL(str(path))  # which CUDA 13.0's compiler would look for elsewhere
    nvrtc = ctypes.CDLL(str(found[0]))
    nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
    return nvrtc


def check(code, log=""):
    if code:
        reason = library().nvrtcGetErrorString(code).decode()
        raise CompileError(f"{reason}\n{log}" if log else reason)


def compile_for(architecture, text, options=()):
    """Compile CUDA for an architecture, as sm_90; return the log of the compiler and assembler.

    Raises CompileError, with the log, if it cannot be compiled.
    """
    nvrtc, program = library(), ctypes.c_void_p()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"k.cu", 0, None, None))
    try:
        options = [f"-arch={architecture}", "--ptxas-options=-v", *options]
        words = (ctypes.c_char_p * len(options))(*(word.encode() for word in options))
        code = nvrtc.nvrtcCompileProgram(program, len(options), words)
        size = ctypes.c_size_t()
        check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
        log = ctypes.create_string_buffer(size.value)
        check(nvrtc.nvrtcGetProgramLog(program, log))
        check(code, log.value.decode())
        return log.value.decode()
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def resources(log):
    """Return {what: number} of the assembler's report: registers, bytes of spills and so on."""
    found = {"spills": 0, "registers": 0, "shared": 0}
    for stores, loads in re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log):
        found["spills"] += int(stores) + int(loads)
    for key, pattern in (("registers", r"Used (\d+) registers"), ("shared", r"(\d+) bytes smem")):
        found[key] = max(map(int, re.findall(pattern, log)), default=0)
    return found


def ptx_for(architecture, text):
    """Return what CUDA becomes for an architecture, as compute_90, in PTX."""
    nvrtc, program = library(), ctypes.c_void_p()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"k.cu", 0, None, None))
    try:
        words = (ctypes.c_char_p * 1)(f"-arch={architecture}".encode())
        check(nvrtc.nvrtcCompileProgram(program, 1, words))
        size = ctypes.c_size_t()
        check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)))
        ptx = ctypes.create_string_buffer(size.value)
        check(nvrtc.nvrtcGetPTX(program, ptx))
        return ptx.value.decode()
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
