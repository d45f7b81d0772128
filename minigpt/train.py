"""One training step, spread over worker threads, and the validation loss.

A step gives each worker a slice of the batch; their gradients add up in one array, which is
clipped, and AdamW moves the weights against it. What a step sees depends on the settings and the
step's number only.

This is not the run: for checkpoints, resuming and what is said meanwhile see pretrain.py.
"""

import math

import numpy as np

from minigpt.backend import random_generator
from minigpt.config import TrainConfig
from minigpt.gradient import SharedGradient
from minigpt.optim import clip_factor, learning_rate, norm
from minigpt.parallel import Workers, slices


class Trainer:
    """A model, its optimizer and its data; `step` makes one update."""

    def __init__(self, model, optimizer, windows, config: TrainConfig, workers: Workers):
        self.model, self.optimizer, self.windows = model, optimizer, windows
        self.config, self.workers = config, workers
        self.grads = model.new_grads()
        self.results = []  # of steps that nobody has asked about

    def step(self, step):
        """Make update number `step` (from 0); return its loss and its gradient's norm."""
        self.start(step)
        return self.finished()[-1]

    def start(self, step):
        """Make update number `step`; what came of it is told by `finished`."""
        c, xp = self.config, self.model.device.xp
        batches = self.batches(step)
        n_targets = count_targets(batches)
        parts = slices(c.batch_size, self.workers.n)
        shared, loss = SharedGradient(self.grads, len(parts)), 0.0
        shares = shared.shares()
        for micro, batch in enumerate(batches):
            arrays = [xp.asarray(x) for x in batch]  # (B, T) each

            def work(worker, rows, arrays=arrays, micro=micro):
                with shares[worker] as grads:
                    rng = None
                    if self.model.config.dropout:
                        rng = random_generator(xp, c.seed, step, micro, worker)
                    ids, targets, *layout = (x[rows] for x in arrays)  # layout: none if unpacked
                    part, cache = self.model.forward(ids, targets, n_targets, rng, *layout)
                    self.model.backward(cache, grads)
                return float(part)

            with shared:
                loss += sum(self.workers.map(work, range(len(parts)), parts))
        grad = self.grads.flat  # (P,)
        grad_norm = norm(grad, self.workers.map)
        self.check_finite(step, loss, grad_norm)
        scale = clip_factor(grad_norm, c.grad_clip)
        lr = learning_rate(step, c)
        self.optimizer.step(grad, step + 1, lr, scale, self.workers.map)
        self.model.renew_weights()
        self.results.append((loss, grad_norm))

    def finished(self, wait=True):
        """Return (loss, gradient's norm) of each step since this was last asked for.

        On a GPU (captured.py) steps are still being computed when `start` returns, and without
        `wait` some may be missing; they will come later.
        """
        found, self.results = self.results, []
        return found

    def batches(self, step):
        """Return the batches of update number `step`: ids, targets (B, T), and more if packed."""
        first = step * self.config.accumulate
        size, n = self.config.batch_size, self.config.accumulate
        return [self.windows.batch(first + i, size) for i in range(n)]

    def check_finite(self, step, loss, grad_norm):
        """Raise ValueError unless the loss and the norm of the gradient are numbers."""
        if not math.isfinite(loss + grad_norm):
            raise ValueError(
                f"step {step + 1}: the loss is {loss} and the gradient's norm {grad_norm}; they "
                f"must be finite: lower --learning-rate, which is {self.config.learning_rate}"
            )


def count_targets(batches):
    """Return what a step's losses are divided by, so that every target weighs the same."""
    return max(1, sum(int((targets >= 0).sum()) for _, targets, *_ in batches))


def evaluate(model, batch, token_bytes, workers, most=8):
    """Return (nats per token, bits per byte) of predicting targets from ids.

    `batch` holds ids and targets (B, T), and positions and segments where windows are packed. A
    negative target counts for nothing. `token_bytes` (V,) is the length of every symbol in bytes,
    0 for special ones, which stand for no text and are left out. Bits per byte compares across
    tokenizers: nats / (bytes ln 2). A worker sees at most `most` windows at a time: as many as when
    training take no more memory than that.
    """
    xp = model.device.xp
    ids, targets, *layout = batch
    lengths = np.where(targets >= 0, token_bytes[targets], 0)  # (B, T)
    n_bytes = int(lengths.sum())
    targets = np.where(lengths > 0, targets, -1)
    n_targets = int((targets >= 0).sum())

    def work(rows):
        arrays = (xp.asarray(x[rows]) for x in (ids, targets, *layout))
        return float(model.losses(*arrays).sum())

    parts = slices(len(ids), max(workers.n, math.ceil(len(ids) / most)))
    nats = sum(workers.map(work, parts))
    return nats / max(n_targets, 1), nats / (max(n_bytes, 1) * math.log(2))


def token_lengths(tokenizer):
    """Return the length of every symbol in bytes (V,), 0 for special ones."""
    lengths = np.zeros(tokenizer.n_vocab, np.int64)  # (V,)
    for i, token in tokenizer.tokens.items():
        lengths[i] = len(token)
    return lengths
