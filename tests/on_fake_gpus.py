"""Runs of minigpt in a process of an MPI program, on a computer that seems to have GPUs.

    mpiexec -n 2 python on_fake_gpus.py '[[{"devices": 2}, ["pretrain", "--device", "gpu"]]]'

The argument lists the runs, made one after the other: what the GPUs are like, and the words of the
command. A run that fails is the last. A machine that is not the first says the hash of its weights.
"""

import contextlib
import hashlib
import json
import sys
import types
from unittest import mock

import fake_cupy
import fake_nccl
from fake_cupy import fake_gpu, plain
from fused_gpu import fused_gpu, module_of
from tqdm import tqdm
from training_runs import stop_at

from minigpt import checkpoint, cluster_trainer, muon, pretrain
from minigpt.__main__ import main
from minigpt.cuda import gemm


@contextlib.contextmanager
def gpus(devices=4, nccl=True, precision="fp32", fused=False, captures=True, stop=None):
    """Have `devices` GPUs, with NCCL or not, that compute with NumPy or, `fused`, as cuda_ops do.

    The run is stopped when step `stop` is looked at.
    """
    if precision == "bf16":
        import ml_dtypes  # noqa: F401  NumPy then knows bfloat16
    with contextlib.ExitStack() as patches:
        if fused:
            device = patches.enter_context(fused_gpu(precision, devices=devices))
        else:
            device = fake_gpu(precision, devices=devices)
        cuda = device.xp.cuda
        cuda.nccl = fake_nccl if nccl else types.SimpleNamespace(available=False)

        def patch(*what):
            patches.enter_context(mock.patch.object(*what))

        patches.enter_context(mock.patch.dict(sys.modules, {"cupy": device.xp, "cupy.cuda": cuda}))
        for module in (pretrain, checkpoint):
            patch(module, "open_device", lambda name: device)
        for module in (muon, gemm):
            patch(module, "array_module", module_of(device))
        patch(pretrain, "measure_peak", lambda device, workers: 1e15)
        patch(pretrain, "follow", follow)
        if not captures:
            patch(fake_cupy.Stream, "begin_capture", spoilt)
        if stop is not None:
            patch(tqdm, "write", stop_at(stop))
        yield


def spoilt(self):
    raise RuntimeError("capturing is not to be")


def follow(parts, cluster):
    cluster_trainer.follow(parts, cluster)
    found = hashlib.sha256(plain(parts[0].params.flat)).hexdigest()
    sys.stdout.write(f"weights {found}\n")  # in one piece, or another's may come between


if __name__ == "__main__":
    for options, words in json.loads(sys.argv[1]):
        with gpus(**options):
            status = main(words)
        if status not in (0, 130):  # 130: the first machine was stopped
            break
    sys.exit(status)
