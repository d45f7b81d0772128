import math
from dataclasses import replace

import numpy as np
import pytest
from minigpt_examples import MODEL, TRAIN, example_tokenizer, small_model

import bpe
from minigpt import train
from minigpt.backend import to_numpy
from minigpt.crew import CAN_FORK
from minigpt.dataset import Windows, load_tokens
from minigpt.optim import AdamW, clip_factor, learning_rate, norm
from minigpt.parallel import Workers
from minigpt.train import Trainer, token_lengths

pytest_plugins = ["minigpt_fixtures"]


@pytest.fixture(scope="session")
def row(example):
    return load_tokens(example.tokens / "train.npy")


def losses_and_weights(row, n_steps=3, device=None, dropout=0.0, fork=CAN_FORK, **changes):
    """Train a small model; return the losses of its steps and its weights afterwards."""
    config = replace(TRAIN, **changes)
    model = small_model(device, dropout=dropout)
    with Workers(config.workers, fork) as workers:
        windows = Windows(row, MODEL.n_positions, config.seed)
        trainer = Trainer(model, AdamW(model.params, config), windows, config, workers)
        losses = [trainer.step(step)[0] for step in range(n_steps)]
    return losses, to_numpy(model.params.flat)


def test_the_loss_falls(device, row):
    losses, _ = losses_and_weights(row, n_steps=40, device=device, steps=40)
    assert losses[-1] < losses[0] - 0.5


def test_a_step_reports_loss_and_norm_of_its_batch(device, row):
    model, windows = small_model(device), Windows(row, MODEL.n_positions, TRAIN.seed)
    ids, targets = map(device.xp.asarray, windows.batch(0, TRAIN.batch_size))
    expected, cache = model.forward(ids, targets)
    grads = model.new_grads()
    model.backward(cache, grads)
    with Workers(1) as workers:
        trainer = Trainer(model, AdamW(model.params, TRAIN), windows, TRAIN, workers)
        loss, norm = trainer.step(0)
    assert math.isclose(loss, float(expected), rel_tol=1e-6)
    assert math.isclose(norm, float(np.linalg.norm(to_numpy(grads.flat))), rel_tol=1e-5)


def test_steps_are_forward_backward_clip_and_adamw_at_the_schedules_rate(device, row):
    losses, weights = losses_and_weights(row, n_steps=5, device=device, grad_clip=0.3)
    model, windows = small_model(device), Windows(row, MODEL.n_positions, TRAIN.seed)
    optimizer = AdamW(model.params, TRAIN)
    for step in range(5):
        loss, cache = model.forward(*map(device.xp.asarray, windows.batch(step, TRAIN.batch_size)))
        grads = model.new_grads()
        model.backward(cache, grads)
        scale = clip_factor(norm(grads.flat), 0.3)
        optimizer.step(grads.flat, step + 1, learning_rate(step, TRAIN), scale)
        assert losses[step] == pytest.approx(float(loss), abs=1e-5)
    np.testing.assert_allclose(weights, to_numpy(model.params.flat), rtol=0, atol=1e-3)


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_the_number_of_workers_changes_the_rounding_only(row, workers):
    losses, weights = losses_and_weights(row)
    other_losses, other_weights = losses_and_weights(row, workers=workers)
    np.testing.assert_allclose(losses, other_losses, rtol=0, atol=1e-5)
    np.testing.assert_allclose(weights, other_weights, rtol=0, atol=1e-3)


def test_accumulated_batches_are_one_large_batch(device, row):
    whole = losses_and_weights(row, device=device, batch_size=6)
    parts = losses_and_weights(row, device=device, batch_size=2, accumulate=3)
    np.testing.assert_allclose(whole[0], parts[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(whole[1], parts[1], rtol=0, atol=1e-3)


def test_the_same_seed_gives_the_same_bytes_with_dropout_and_by_threads_or_processes(row):
    first, *others = (
        losses_and_weights(row, dropout=0.2, workers=2, fork=fork) for fork in (True, True, False)
    )
    for other in others:
        assert first[0] == other[0]
        assert (first[1] == other[1]).all()


@pytest.mark.parametrize("fork", [CAN_FORK, False])
def test_a_step_one_of_whose_workers_fails_ends(row, fork, monkeypatch):
    real = train.random_generator

    def fail(xp, *seed):
        if seed[-1] == 0:
            raise MemoryError("worker 0")
        return real(xp, *seed)

    monkeypatch.setattr(train, "random_generator", fail)
    with pytest.raises(MemoryError, match="worker 0"):
        losses_and_weights(row, dropout=0.2, workers=2, fork=fork)


def test_dropout_is_on_while_training_only_and_differs_from_step_to_step(row):
    without, half = losses_and_weights(row), losses_and_weights(row, dropout=0.5)
    assert without[0][0] != half[0][0]
    windows = Windows(row[:17], MODEL.n_positions, 0)  # one window: the same batch again and again
    model, still = small_model(dropout=0.5), replace(TRAIN, learning_rate=0, min_learning_rate=0)
    with Workers(1) as workers:
        trainer = Trainer(model, AdamW(model.params, still), windows, still, workers)
        assert len({trainer.step(step)[0] for step in range(3)}) == 3


@pytest.mark.parametrize("limit", [0.05, 0.0])
def test_a_long_gradient_is_clipped_before_it_moves_the_weights(row, limit):
    config = replace(TRAIN, grad_clip=limit)
    model, windows = small_model(), Windows(row, MODEL.n_positions, TRAIN.seed)
    optimizer = AdamW(model.params, config)
    with Workers(1) as workers:
        _, norm = Trainer(model, optimizer, windows, config, workers).step(0)
    assert norm > 0.05
    seen = np.linalg.norm(optimizer.m) / (1 - config.beta1)  # the first moment's only gradient
    assert math.isclose(seen, limit or norm, rel_tol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_stop_the_step_before_it_does_more_harm(row, bad):
    model, windows = small_model(), Windows(row, MODEL.n_positions, TRAIN.seed)
    model.params["ln_f.bias"][3] = bad
    before = model.params.flat.copy()
    with Workers(1) as workers:
        trainer = Trainer(model, AdamW(model.params, TRAIN), windows, TRAIN, workers)
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"step 6: the loss is nan"):
            trainer.step(5)
    np.testing.assert_array_equal(model.params.flat, before)
    assert not trainer.optimizer.m.any()


# ---- validation ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_windows", [1, 7, 40])
def test_bits_per_byte_are_the_surprise_of_the_text_over_its_bytes(device, row, n_windows):
    tokenizer, model = example_tokenizer(), small_model(device)
    ids, targets = Windows(row, MODEL.n_positions, 0).spread(n_windows)
    with Workers(2 if device.name == "cpu" else 1) as workers:
        trainer = Trainer(model, AdamW(model.params, TRAIN), None, TRAIN, workers)
        nats_per_token, bits_per_byte = trainer.evaluate((ids, targets), token_lengths(tokenizer))
    nats = n_tokens = n_bytes = 0
    for window, following in zip(ids, targets, strict=True):
        p = to_numpy(device.ops.softmax(model.logits(window)))
        for t, target in enumerate(following.tolist()):
            if target != tokenizer.eot_token:  # the separator stands for no text
                nats -= math.log(p[t, target])
                n_tokens += 1
                n_bytes += len(tokenizer.decode_bytes([target]))
    assert math.isclose(nats_per_token, nats / n_tokens, rel_tol=1e-5)
    assert math.isclose(bits_per_byte, nats / math.log(2) / n_bytes, rel_tol=1e-5)


def test_a_look_takes_no_more_windows_at_a_time_than_a_step(monkeypatch):
    """Where there are several machines, so many as this one's share."""
    model, seen = small_model(), []
    windows = Windows(np.arange(400) % MODEL.vocab_size, MODEL.n_positions, 0)
    monkeypatch.setattr(Trainer, "nats", lambda self, part: seen.append(len(part[0])) or 0.0)
    config = replace(TRAIN, batch_size=16)
    with Workers(1) as workers:
        trainer = Trainer(model, AdamW(model.params, config), windows, config, workers, slice(4, 7))
        trainer.evaluate(windows.spread(20), np.ones(MODEL.vocab_size, int))
    assert sum(seen) == 20
    assert max(seen) == 3


def test_bits_per_byte_of_targets_that_stand_for_no_text_are_0():
    tokenizer = example_tokenizer()
    ids, model = np.full((2, 4), tokenizer.eot_token), small_model()
    with Workers(1) as workers:
        trainer = Trainer(model, AdamW(model.params, TRAIN), None, TRAIN, workers)
        assert trainer.evaluate((ids, ids), token_lengths(tokenizer)) == (0, 0)


def test_symbols_are_as_long_as_their_bytes_and_special_ones_and_gaps_have_none():
    tokenizer = bpe.Tokenizer(
        {**{i: bytes([i]) for i in range(256)}, 256: "né".encode()},
        [],
        special_tokens={"<|endoftext|>": 260},
        ignore_merges=True,
    )
    lengths = token_lengths(tokenizer)
    assert lengths.tolist() == [1] * 256 + [3, 0, 0, 0, 0]
