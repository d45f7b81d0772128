"""A part of bench_gpu.py: NCCL with the one GPU there is. Can it be used, and what does it cost?

With one GPU nothing goes anywhere: a sum in its own place is no work, one to another place is a
copy, and only for a mean does NCCL run a kernel. So this says whether the library is there, takes
what it is given and fits between the graphs of a step. How fast several GPUs add up it cannot say.
"""

import contextlib
import time

import numpy as np
from bench_gpu_common import guarded, seconds_of, waiter
from bench_gpu_training import gpt2, measure, our_steps

from minigpt.backend import open_device
from minigpt.cuda.kernels import address
from minigpt.cuda.nccl import Gpus, library


class Alone:
    """A Cluster (cluster.py) of one process, without MPI."""

    leads, index, n = True, 0, 1

    def __init__(self):
        self.last = contextlib.ExitStack()

    def share_of(self, n):
        return slice(0, n)

    def first(self, value):
        return value

    def work(self, *order):
        return contextlib.nullcontext()


def part_nccl(arguments, note):
    """Sum an array as large as GPT-2's gradient, and make steps of GPT-2 with and without NCCL."""
    config, B = gpt2(arguments.toy)
    device = open_device("gpu", "bf16")
    nccl = library()
    began = time.perf_counter()
    with contextlib.closing(Gpus(Alone())) as gpus:
        found = {"nccl": nccl.get_version(), "connect_s": time.perf_counter() - began}
        print(f"  NCCL {found['nccl']}, connected in {found['connect_s']:.1f} s", flush=True)
        note(**found)
        n = config.n_params()
        for name, function in sums(device, gpus, n).items():
            seconds = guarded(seconds_of, waiter(device), function)
            note(**{f"s {name}": seconds})
            said = seconds
            if not isinstance(seconds, str):
                said = f"{1e3 * seconds:.3f} ms"
                if name != "in its place":
                    said += f", {8 * n / seconds / 1e9:,.0f} GB/s read and written"
            print(f"  a sum of {n / 1e6:.0f} M, {name}: {said}", flush=True)
    found = {}
    for name, cluster in (("without NCCL", None), ("with NCCL", Alone())):
        with cluster.last if cluster else contextlib.nullcontext():
            found[name] = measure(
                lambda c=cluster: our_steps(config, B, device, cluster=c), B * config.n_positions
            )
        note(**{f"step {name}": found[name]})
        print(f"  a step of GPT-2 124M {name}: {found[name]['ms']:.2f} ms, loss "
              f"{found[name]['first_loss']:.4f}, {found[name].get('not_captured', 'captured')}",
              flush=True)  # fmt: skip
    more = found["with NCCL"]["ms"] - found["without NCCL"]["ms"]
    note(ms_more=more)
    print(f"  NCCL costs {more:.2f} ms a step here", flush=True)


def sums(device, gpus, n):
    """Return {name: function} of sums of n numbers, which read and write each once, or nothing.

    Raises ValueError where one GPU's sum is not what was given.
    """
    graphs, nccl = device.graphs.Graphs(device.xp), gpus.nccl
    x = device.xp.ones(n, np.float32)
    other = device.xp.zeros(n, np.float32)

    def reduce(target, op):
        with graphs.on():
            gpus.communicator.allReduce(
                address(x), address(target), n, nccl.NCCL_FLOAT32, op, graphs.stream.ptr
            )

    reduce(x, nccl.NCCL_SUM)
    reduce(other, nccl.NCCL_SUM)
    graphs.wait()
    for array in (x, other):
        if float(array.min()) != 1 or float(array.max()) != 1:
            raise ValueError("the sum of one GPU's ones is not 1 everywhere")
    return {
        "in its place": lambda: reduce(x, nccl.NCCL_SUM),
        "to another place": lambda: reduce(other, nccl.NCCL_SUM),
        "as a mean": lambda: reduce(x, nccl.NCCL_AVG),
    }
