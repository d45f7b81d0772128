"""The plain step learns, and what trains in earnest makes the same steps."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from minigpt_examples import MODEL, TRAIN, small_model, trainers_steps

from minigpt.dataset import Windows, load_tokens
from minigpt.plain_step import adamw, train

pytest_plugins = ["minigpt_fixtures"]


@pytest.fixture(scope="module")
def windows(example):
    return Windows(load_tokens(example.tokens / "train.npy"), MODEL.n_positions, TRAIN.seed)


def test_the_loss_falls(windows):
    losses = [loss for loss, _ in train(small_model(), windows, replace(TRAIN, steps=40))]
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "changes",
    [{}, {"accumulate": 3}, {"grad_clip": 0.3}, {"grad_clip": 0.0}, {"weight_decay": 5.0}],
    ids=str,
)
def test_the_trainer_makes_the_same_steps(windows, workers, changes):
    config = replace(TRAIN, workers=workers, steps=6, **changes)
    plain, model = small_model(dtype="float64"), small_model(dtype="float64")
    expected = list(train(plain, windows, config))
    found = trainers_steps(model, windows, config)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(model.params.flat, plain.params.flat, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("ids", "targets"), [([7, 300], [1, 1]), ([7, 8], [-1, 300])])
def test_ids_that_are_no_symbols_of_the_model_are_refused(ids, targets):
    batch = np.array([ids]), np.array([targets])
    windows = SimpleNamespace(batch=lambda index, batch_size: batch)
    with pytest.raises(ValueError, match="id 300 is no symbol; ids must be from 0 to 299"):
        list(train(small_model(), windows, TRAIN))


def test_a_weight_moves_by_the_learning_rate_whatever_the_size_of_its_gradient():
    config = replace(TRAIN, epsilon=1e-30)
    w, m, v = np.zeros((3, 3))
    for step in (1, 2, 3):
        adamw(w, np.array([1e-9, -1.0, 1e9]), m, v, step, 0.5, 0.0, config)
    np.testing.assert_allclose(w, [-1.5, 1.5, -1.5])
