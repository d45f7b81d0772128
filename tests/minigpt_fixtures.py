"""A pytest plugin, for test files that say `pytest_plugins = ["minigpt_fixtures"]`."""

import numpy as np
import pytest
from cuda_on_cpu import emulator
from minigpt_examples import make_example
from training_runs import run

from minigpt import cuda_ops, row_ops
from minigpt import ops as plain_ops
from minigpt import pretrain as pretrain_module
from minigpt.backend import Device, open_device
from minigpt.cuda import rows


@pytest.fixture(scope="session", params=["numpy-ops", "numpy-cpu_ops", "cuda_ops-on-cpu", "gpu"])
def device(request):
    """Every backend, and every implementation of the operations there is for it.

    "cuda_ops-on-cpu" is what runs on a GPU, its kernels made by g++ and its products by NumPy.
    """
    if request.param == "numpy-ops":
        yield Device("cpu", np, plain_ops, row_ops)
    elif request.param == "cuda_ops-on-cpu":
        with emulator.installed():
            yield Device("cpu", np, cuda_ops, rows)
    else:
        try:
            # tests compare exactly; lower precisions have tests of their own
            yield open_device({"numpy-cpu_ops": "cpu"}.get(request.param, "gpu"), "fp32")
        except ValueError as error:
            pytest.skip(str(error).partition(";")[0])


@pytest.fixture(scope="session")
def xp(device):
    return device.xp


@pytest.fixture(scope="session")
def ops(device):
    return device.ops


@pytest.fixture(scope="session")
def example(tmp_path_factory):
    """An Example that tests only read."""
    return make_example(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def peak():
    """What the machine can do at most is not measured here: that takes a fifth of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain_module, "measure_peak", lambda device, workers: 1e11)
        yield


@pytest.fixture(scope="module")
def whole(example, peak, tmp_path_factory):
    """The folder of an uninterrupted run, that tests only read."""
    out = tmp_path_factory.mktemp("whole") / "base"
    run(example, out)
    return out
