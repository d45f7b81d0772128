"""A training step of the GPU's own kernels, run by g++, captured and replayed."""

from contextlib import contextmanager
from unittest import mock

import fake_cupy
import numpy as np
import pytest
from cuda_on_cpu import emulator
from test_minigpt_captured import PLAIN, new_trainer

from minigpt import cuda_ops
from minigpt.backend import to_numpy
from minigpt.cuda import gemm, kernels
from minigpt.dataset import load_tokens

pytest_plugins = ["minigpt_fixtures"]


class TapedKernel:
    """A kernel whose launches are written down while a stream captures."""

    max_dynamic_shared_size_bytes = None

    def __init__(self, *what):
        self.kernel = emulator.compiled(*what)

    def __call__(self, grid, block, args, shared_mem=0):
        self.kernel.max_dynamic_shared_size_bytes = self.max_dynamic_shared_size_bytes or 48 << 10
        for x in args:
            if isinstance(x, np.ndarray):
                fake_cupy.will_change(x)
        given = tuple(map(fake_cupy.plain, args))
        self.kernel(grid, block, given, shared_mem)
        if fake_cupy.tape is not None:
            fake_cupy.tape.append(lambda: self.kernel(grid, block, given, shared_mem))


@contextmanager
def taped_kernels():
    def empty(like, shape, dtype=None):
        return fake_cupy.wrap(emulator.poisoned(like, shape, dtype))

    if not emulator.compiler():
        pytest.skip("kernels are run on the CPU by g++, which is not installed")
    library = fake_cupy.Cupy()
    with (
        mock.patch.multiple(kernels, compiled=TapedKernel, empty=empty),
        mock.patch.object(gemm, "array_module", lambda x: library),
    ):
        yield


@pytest.fixture(scope="session")
def row(example):
    return load_tokens(example.tokens / "train.npy")


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}, {"packed": True}])
def test_replayed_steps_of_the_kernels_are_the_plain_steps(row, changes):
    plain = new_trainer(row, PLAIN, **changes)
    with taped_kernels():
        captured = new_trainer(row, fake_cupy.fake_gpu(operations=cuda_ops), **changes)
        for step in range(5):
            np.testing.assert_allclose(captured.step(step), plain.step(step), rtol=1e-4)
    assert captured.graphs.failure is None and captured.update.graph.launches == 4
    of_both = (to_numpy(trainer.model.params.flat) for trainer in (captured, plain))
    np.testing.assert_allclose(*of_both, rtol=0, atol=2e-3)


def test_in_bf16_the_kernels_learn_as_the_plain_steps_do(row):
    pytest.importorskip("ml_dtypes")
    plain = new_trainer(row, PLAIN)
    with taped_kernels():
        captured = new_trainer(row, fake_cupy.fake_gpu("bf16", operations=cuda_ops))
        for step in range(8):
            np.testing.assert_allclose(captured.step(step), plain.step(step), rtol=5e-2)
        weights, params = captured.model.weights.flat, captured.model.params.flat
        assert (to_numpy(weights) == to_numpy(params).astype(weights.dtype)).all()


def test_a_replayed_step_draws_other_zeros_for_dropout(row):
    still = {"learning_rate": 1e-30, "min_learning_rate": 0.0, "dropout": 0.5}
    with taped_kernels():
        trainers = [
            new_trainer(row, fake_cupy.fake_gpu(operations=cuda_ops), **still) for _ in range(2)
        ]
        batch = trainers[0].windows.batch(0, 4)
        for trainer in trainers:
            trainer.windows.batch = lambda index, size: batch
        losses, again = ([t.step(step)[0] for step in range(5)] for t in trainers)
    assert trainers[0].graphs.failure is None
    assert len(set(losses)) == 5 and losses == again
