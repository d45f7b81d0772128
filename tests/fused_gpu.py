"""The GPU's own operations on a CPU, captured: fake_cupy.py's arrays and the emulator's kernels."""

import contextlib
import functools
from unittest import mock

import fake_cupy
import numpy as np
from cuda_on_cpu import emulator
from fake_cupy import plain

from minigpt import cuda_ops, muon, ops
from minigpt.cuda import gemm, kernels, rows


class Kernel:
    """A kernel whose launches are captured: any array it gets may be one that it changes."""

    def __init__(self, kernel):
        self.__dict__["kernel"] = kernel

    def __setattr__(self, name, value):
        setattr(self.kernel, name, value)

    def __call__(self, grid, block, arguments, **options):
        fake_cupy.check_place()
        for x in arguments:
            if isinstance(x, np.ndarray):
                fake_cupy.will_change(x)
        launch = functools.partial(self.kernel, grid, block, plain(arguments), **options)
        launch()
        if fake_cupy.tape is not None:
            fake_cupy.tape.append(launch)


def multiply(function, a, b, out, *rest, **options):
    """Multiply as gemm.multiply, `function`, does with the cublasLt of NumPy's arrays, captured."""
    fake_cupy.check_place()
    fake_cupy.will_change(out)
    for name in ("gelu", "sums"):  # the first is written by the forward, the second always
        if options.get(name) is not None:
            fake_cupy.will_change(options[name])
    arguments = plain((a, b, out, *rest))
    call = functools.partial(function, *arguments, **{k: plain(v) for k, v in options.items()})
    could = call()
    if could and fake_cupy.tape is not None:
        fake_cupy.tape.append(call)
    return could


@contextlib.contextmanager
def fused_gpu(precision="fp32", **properties):
    """Give a `fake_gpu` with cuda_ops, its kernels run on the CPU as the emulator does.

    Products are NumPy's, or those of the cublasLt that a test gives to NumPy's arrays.
    """
    with emulator.installed():
        compiled, empty = kernels.compiled, kernels.empty
        device = fake_cupy.fake_gpu(precision, cuda_ops, rows, **properties)
        with contextlib.ExitStack() as patches:

            def patch(module, name, value):
                patches.enter_context(mock.patch.object(module, name, value))

            patch(gemm, "multiply", functools.partial(multiply, gemm.multiply))
            patch(kernels, "compiled", lambda *which: Kernel(compiled(*which)))
            patch(kernels, "empty", lambda *given: fake_cupy.made(empty, given, {}))
            for module in (gemm, kernels, muon, rows, ops):
                patch(module, "array_module", module_of(device))
            patches.enter_context(mock.patch.dict(fake_cupy.place, fused=True))
            yield device


def module_of(device):
    """Return an `array_module` that knows the device's arrays."""
    return lambda x: device.xp if isinstance(x, fake_cupy.Array) else np
