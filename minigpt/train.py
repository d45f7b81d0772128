"""One training step, shared by several workers, and the validation loss.

A step gives each worker a slice of the batch; their gradients add up in one array, which is
clipped, and the optimizer moves the weights against it. What a step sees depends on the settings
and the step's number only.

plain_step.py has the same step in its simplest form: read that first.

The run, with its checkpoints, resuming and messages, is in pretrain.py and loop.py.
"""

import math

import numpy as np

from minigpt.backend import random_generator
from minigpt.config import TrainConfig
from minigpt.gradient import Share
from minigpt.optim import NORM_CHUNK, chunks, clip_factor, learning_rate, squares
from minigpt.parallel import Workers, slices


class NotFinite(ValueError):
    """A step whose loss or gradient is not finite."""


class Trainer:
    """A model, its optimizer and its data; `step` makes one update.

    `remark` is what the run should say once, None for nothing.

    With several processes the weights, the gradient and the optimizer's memory move to memory that
    all share, and the methods that take a `place` or a part are called in each process. `rows` are
    the windows of each batch that are this machine's work: all, unless there are several machines
    (cluster.py).
    """

    remark = None

    def __init__(self, model, optimizer, windows, config: TrainConfig, workers: Workers, rows=None):
        self.model, self.optimizer, self.windows = model, optimizer, windows
        self.config, self.grads = config, model.new_grads()
        self.results = []  # of steps that `finished` has not told yet
        self.rows = rows or slice(0, config.batch_size)
        self.crew = workers.crew(self, most=self.rows.stop - self.rows.start)
        if self.crew.forks:
            for arrays in (model.params, optimizer, self.grads):
                arrays.share()

    def step(self, step):
        """Make update number `step` (from 0); return its loss and its gradient's norm."""
        self.start(step)
        return self.finished()[-1]

    def start(self, step):
        """Make update number `step`; `finished` tells what came of it."""
        c, n = self.config, len(self.grads.flat)
        loss = self.summed(sum(self.crew.call("add_gradient", step)))
        grad_norm = math.sqrt(sum(self.crew.map("squares", chunks(0, n, NORM_CHUNK))))
        self.check_finite(step, loss, grad_norm)
        scale = clip_factor(grad_norm, c.grad_clip)
        self.crew.call("move", step, *self.agreed(learning_rate(step, c), scale))
        self.model.renew_weights()
        self.results.append((loss, grad_norm))

    def summed(self, loss):
        """Return the loss of a step, of which this machine's part is `loss`: here it is the whole.

        With several machines, this is where their gradients are added (cluster_trainer.py).
        """
        return loss

    def agreed(self, *numbers):
        """Return the numbers that all machines compute with: a single one uses its own."""
        return numbers

    def finished(self, wait=True):
        """Return (loss, gradient's norm) of each step since the last call.

        On a GPU (captured.py) steps are still being computed when `start` returns, and without
        `wait` some may be missing; they will come later.
        """
        found, self.results = self.results, []
        return found

    def batches(self, step):
        """Return the batches of update number `step`: ids, targets (B, T), and more if packed."""
        size, n = self.config.batch_size, self.config.accumulate
        return [self.windows.batch(step * n + i, size) for i in range(n)]

    def check_finite(self, step, loss, grad_norm):
        """Raise NotFinite unless the loss and the norm of the gradient are numbers."""
        if not math.isfinite(loss + grad_norm):
            raise NotFinite(
                f"step {step + 1}: the loss is {loss} and the gradient's norm {grad_norm}; they "
                f"must be finite: lower --learning-rate, which is {self.config.learning_rate}"
            )

    # ---- a worker's part -----------------------------------------------------------------------

    def add_gradient(self, place, step):
        """Add the gradient of a worker's windows of a step to the common one; return their loss.

        The losses of all workers add up to the mean over the step's targets.
        """
        c, xp, batches = self.config, self.model.device.xp, self.batches(step)
        n_targets = count_targets(batches)
        rows = self.rows
        mine = slices(rows.stop - rows.start, place.n, rows.start)[place.index]
        share, loss = Share(self.grads, place), 0.0
        for micro, batch in enumerate(batches):
            rng = None
            if self.model.config.dropout:
                rng = random_generator(xp, c.seed, step, micro, mine.start)
            # (B, T) each; layout is empty where windows are not packed
            ids, targets, *layout = (xp.asarray(x[mine]) for x in batch)
            part, cache = self.model.forward(ids, targets, n_targets, rng, *layout)
            self.model.backward(cache, share)
            del cache  # before the next forward makes another
            loss += float(part)
        share.finish()
        return loss

    def squares(self, part):
        """Return the sum of the squares of a part of the gradient."""
        return squares(self.grads.flat[part])

    def move(self, place, step, lr, scale):
        """Move a worker's share of the weights."""
        self.optimizer.step(self.grads.flat, step + 1, lr, scale, place.index, place.n)

    # ---- the validation loss -------------------------------------------------------------------

    def evaluate(self, batch, token_bytes):
        """Return (nats per token, bits per byte) of predicting targets from ids.

        `batch` holds ids and targets (B, T), and positions and segments where windows are packed.
        A negative target counts for nothing. `token_bytes` (V,) is the length of every symbol in
        bytes, 0 for special ones, which stand for no text and are left out. Bits per byte compares
        across tokenizers: nats / (bytes ln 2). A worker gets no more windows at a time than in
        training, which takes more memory.
        """
        ids, targets, *layout = batch
        lengths = np.where(targets >= 0, token_bytes[targets], 0)  # (B, T)
        n_bytes = int(lengths.sum())
        targets = np.where(lengths > 0, targets, -1)
        n_targets = int((targets >= 0).sum())
        n = self.crew.n
        most = min(8, math.ceil((self.rows.stop - self.rows.start) / n))
        rows = slices(len(ids), max(n, math.ceil(len(ids) / most)))
        parts = [tuple(x[part] for x in (ids, targets, *layout)) for part in rows]
        nats = self.total_nats(parts)
        return nats / max(n_targets, 1), nats / (max(n_bytes, 1) * math.log(2))

    def total_nats(self, parts):
        """Return the sum of the losses of lists of windows."""
        return sum(self.crew.map("nats", parts))

    def nats(self, windows):
        """Return the sum of the losses of some windows: ids, targets and layout (B, T) each."""
        return float(self.model.losses(*map(self.model.device.xp.asarray, windows)).sum())


def count_targets(batches):
    """Return what a step's losses are divided by, so that every target weighs the same."""
    return max(1, sum(int((targets >= 0).sum()) for _, targets, *_ in batches))


def token_lengths(tokenizer):
    """Return the length of every symbol in bytes (V,), 0 for special ones."""
    lengths = np.zeros(tokenizer.n_vocab, np.int64)  # (V,)
    for i, token in tokenizer.tokens.items():
        lengths[i] = len(token)
    return lengths
