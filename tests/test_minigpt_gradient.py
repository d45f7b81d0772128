import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigpt import train
from minigpt.config import ModelConfig, TrainConfig
from minigpt.dataset import Windows
from minigpt.gradient import SharedGradient
from minigpt.model import GPT
from minigpt.optim import AdamW
from minigpt.parallel import Workers
from minigpt.params import Params

SHAPES = {"w": (4, 3), "b": (3,)}


def together(n, work):
    """Run work(0) ... work(n - 1), each in a thread, the last one started first."""
    with ThreadPoolExecutor(n) as pool:
        futures = [pool.submit(work, worker) for worker in reversed(range(n))]
        return [future.exception(timeout=30) for future in futures][::-1]


def filled(n):
    """Return a gradient for `n` workers that still holds an earlier step's."""
    grads = Params(SHAPES, np)
    grads.flat[...] = 77
    return grads, SharedGradient(grads, n).shares()


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_what_the_workers_add_is_summed_in_their_order_whoever_comes_first(n):
    parts = np.random.default_rng(0).standard_normal((2, n, 4, 3)).astype("float32")
    grads, shares = filled(n)

    def work(worker):
        with shares[worker] as share:
            share.add("w", parts[0, worker])
            share.add("b", parts[0, worker, 0])
            share.add("w", parts[1, worker])

    assert together(n, work) == [None] * n
    w, b = parts[0, 0].copy(), parts[0, 0, 0].copy()
    for worker in range(1, n):
        w += parts[0, worker]
        b += parts[0, worker, 0]
    for worker in range(n):
        w += parts[1, worker]
    assert (grads["w"] == w).all()  # to the bit
    assert (grads["b"] == b).all()


def test_rows_that_nobody_added_to_are_zero():
    grads, [share] = filled(1)
    share.add("w", np.ones((2, 3), "float32"), np.array([3, 1]))
    share.add("w", np.ones((1, 3), "float32"), slice(1))
    assert grads["w"][:, 0].tolist() == [1, 1, 0, 1]


def test_a_worker_that_fails_stops_those_that_wait_for_it():
    _, shares = filled(3)

    def work(worker):
        with shares[worker] as share:
            if worker == 0:
                raise ZeroDivisionError("worker 0")
            share.add("b", np.ones(3))

    errors = together(3, work)
    assert [type(error) for error in errors] == [ZeroDivisionError] * 3


def test_a_worker_that_was_never_started_is_not_waited_for():
    grads = Params(SHAPES, np)
    shared = SharedGradient(grads, 2)
    share = shared.shares()[1]
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt), shared:
            future = pool.submit(share.add, "b", np.ones(3))
            raise KeyboardInterrupt  # before worker 0 is there
        assert isinstance(future.exception(timeout=30), KeyboardInterrupt)


def test_a_step_whose_first_worker_fails_at_once_ends(monkeypatch):
    real, other = train.random_generator, threading.Event()

    def fail(xp, *seed):
        if seed[-1] == 0:  # worker 0, when the other has begun
            other.wait(30)
            raise MemoryError("worker 0")
        other.set()
        return real(xp, *seed)

    monkeypatch.setattr(train, "random_generator", fail)
    model = GPT(ModelConfig(50, 8, 8, 1, 2, dropout=0.1)).initialise(0)
    config = TrainConfig(batch_size=2)
    windows = Windows(np.arange(50), 8, 0)
    with Workers(2) as workers, pytest.raises(MemoryError, match="worker 0"):
        train.Trainer(model, AdamW(model.params, config), windows, config, workers).step(0)
