"""What training does to the loss, written down while it goes on: metrics.jsonl.

A line for each look at the validation text and for every tenth step between; where steps are slow,
for every ten seconds of training:

    step, tokens               updates made, and tokens read for them
    train_loss                 of what was trained on, in nats a token, a running mean over some
                               twenty steps; None before the first
    val_loss, bits_per_byte    of the validation text: in the line of a look only
    learning_rate, grad_norm   of the step, the norm before clipping
    seconds                    that the run has taken
    tokens_per_s, mfu          of the steps since the line before, and which share of the measured
                               peak was used: model FLOPs utilisation, see forecast.py

A GPU tells the losses of some steps together and later (captured.py): so long the lines wait, and
nothing waits for the GPU.
"""

import json
from collections import deque
from typing import NamedTuple

from minigpt.forecast import step_flops
from minigpt.optim import learning_rate

EVERY = 10  # steps
SLOW_S = 10.0
KEPT = 0.95  # of the running mean, a step


class Moment(NamedTuple):
    """Where a run was, and how fast, when a step had been made."""

    step: int
    seconds: float
    tokens_per_s: float | None
    mfu: float | None


class Metrics:
    """The record at `path` of a run; `progress` is the run's own and gets its train_loss here."""

    def __init__(self, path, model, config, progress, peak):
        self.path, self.config = path, config
        self.progress, self.peak = progress, peak
        self.tokens_per_step = config.windows_per_step() * model.n_positions
        self.flops_per_step = step_flops(model, config)
        self.known_step, self.grad_norm = progress["step"], None  # of the last step told
        self.waiting = deque()  # moments whose loss is not told yet
        self.n_steps, self.trained_s = 0, 0.0  # since the last moment

    def made_step(self):
        """Note that a step was made; its line follows when its loss is told."""
        self.n_steps += 1
        p = self.progress
        if self.config.looks_at(p["step"]):
            return  # its line is that of a look
        if p["step"] % EVERY == 0 or self.trained_s >= SLOW_S:
            self.waiting.append(self.moment())

    def told(self, loss, grad_norm):
        """Take the loss and the gradient's norm of the first step that they are not known of."""
        p, self.grad_norm = self.progress, grad_norm
        before = p["train_loss"]
        p["train_loss"] = loss if before is None else KEPT * before + (1 - KEPT) * loss
        self.known_step += 1
        while self.waiting and self.waiting[0].step <= self.known_step:
            self.write(self.waiting.popleft())

    def looked(self, val_loss, bits_per_byte):
        """Write the line of a look, when the losses of all steps are told."""
        self.write(self.moment(), val_loss=val_loss, bits_per_byte=bits_per_byte)

    def moment(self):
        """Return the moment it is; the next one's speed is measured from here."""
        tokens_per_s = mfu = None
        if self.n_steps:
            steps_per_s = self.n_steps / max(self.trained_s, 1e-9)
            tokens_per_s = round(steps_per_s * self.tokens_per_step, 1)
            mfu = round(steps_per_s * self.flops_per_step / self.peak, 4)
        self.n_steps, self.trained_s = 0, 0.0
        p = self.progress
        return Moment(p["step"], round(p["seconds"], 3), tokens_per_s, mfu)

    def write(self, moment, **looked):
        """Append a line."""
        line = {
            "step": moment.step,
            "tokens": moment.step * self.tokens_per_step,
            "train_loss": self.progress["train_loss"],
            **looked,
            "learning_rate": learning_rate(max(moment.step - 1, 0), self.config),
            "grad_norm": self.grad_norm,
            "seconds": moment.seconds,
            "tokens_per_s": moment.tokens_per_s,
            "mfu": moment.mfu,
        }
        append_line(self.path, line)


def append_line(path, line):
    """Append an object to a file of JSON Lines."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
