import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from minigpt.config import ModelConfig, TrainConfig
from minigpt.costs import training_bytes, training_memory
from minigpt.dataset import Windows
from minigpt.loop import Loop
from minigpt.model import GPT
from minigpt.muon import make_optimizer
from minigpt.optim import AdamW
from minigpt.parallel import Workers
from minigpt.train import Trainer


def held(model_config, config, n_workers):
    """Return the most bytes that NumPy and Python held during two steps, model included.

    The workers are threads: of processes nothing could be counted from here.
    """
    row = np.random.default_rng(0).integers(0, model_config.vocab_size, 10_000)
    tracemalloc.start()
    try:
        model = GPT(model_config).initialise(0)
        windows = Windows(row, model_config.n_positions, 0)
        with Workers(n_workers, fork=False) as workers:
            trainer = Trainer(model, AdamW(model.params, config), windows, config, workers)
            trainer.step(0)
            trainer.step(1)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("settings", "batch_size"),
    [
        ((65, 128, 128, 4, 4), 8),  # the activations weigh most
        ((20_000, 64, 256, 2, 4), 2),  # the token embedding, and fewer rows than channels
        ((20_000, 128, 64, 2, 4), 4),  # the logits, and more rows than channels
        ((65, 32, 256, 6, 4), 2),  # the blocks' weights
        ((65, 512, 64, 4, 8), 2),  # the attention's scores
        ((65, 512, 64, 2, 16), 2),  # and of many small heads
        ((65, 64, 64, 2, 16), 16),  # which in a short window are kept
        ((65, 128, 128, 4, 4, 0.1), 8),  # dropout
    ],
)
def test_a_step_holds_what_was_predicted(settings, batch_size, workers):
    model, config = ModelConfig(*settings), TrainConfig(batch_size=batch_size, workers=workers)
    predicted = training_memory(model, config, workers)
    most = training_bytes(model, config, workers) - predicted["libraries"]
    # two workers need not be where they hold most at the same moment, nor run at the same time
    alone = sum(predicted[part] for part in ("activations", "loss", "workspace")) / workers
    least = sum(predicted[part] for part in ("parameters", "gradients", "optimizer")) + alone
    assert 0.87 * least < held(model, config, workers) < 1.13 * most


def test_muons_turn_holds_what_was_predicted():
    config, model = TrainConfig(optimizer="muon", batch_size=1), GPT(ModelConfig(65, 16, 192, 1, 4))
    optimizer, grad = make_optimizer(model, config), model.new_grads().flat
    grad += 1
    tracemalloc.start()
    optimizer.step(grad, 1, 0.1)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    predicted = training_memory(model.config, config, 1)["workspace"]
    assert 0.87 * predicted < held < 1.05 * predicted


def test_a_look_holds_no_more_than_a_step(tmp_path):
    config = TrainConfig(batch_size=2, workers=2)
    model_config, rng = ModelConfig(65, 128, 64, 4, 4), np.random.default_rng(0)
    windows = Windows(rng.integers(0, 65, 10_000), 128, 0)
    tracemalloc.start()
    try:
        model = GPT(model_config).initialise(0)
        with Workers(2, fork=False) as workers:
            trainer = Trainer(model, AdamW(model.params, config), windows, config, workers)
            progress = {"step": 0, "seconds": 0.0, "train_loss": None}
            loop = Loop(
                trainer, naming_bytes(65), tmp_path, windows.spread(50), progress, print, 1
            )  # fmt: skip
            loop.look()
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    predicted = training_memory(model_config, config, 2)
    assert held < sum(predicted.values()) - predicted["libraries"]


def naming_bytes(n):
    """Return what a Loop asks a tokenizer for: `n` symbols of a byte each."""
    return SimpleNamespace(n_vocab=n, tokens=dict.fromkeys(range(n), b"x"))


def test_the_parts_are_those_of_the_model():
    memory = training_memory(ModelConfig(), TrainConfig(batch_size=1), 1)
    assert memory["parameters"] == memory["gradients"] == 4 * 124_439_808
    assert memory["optimizer"] == 8 * 124_439_808
