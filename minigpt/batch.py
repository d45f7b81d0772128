"""A running batch: rows that go on together, each of which may come and go between two steps.

Rows share a step so that the weights are read from memory once for all. What is over leaves at
once, and what waits takes its place, instead of all waiting for the longest text: continuous
batching (Yu et al. 2022, "Orca: A Distributed Serving System for Transformer-Based Generative
Models"). Each row has its own window, settings and random numbers.

A row gets the ids it would get alone with the same seed, whatever is beside it and whenever it
joined. On a CPU its logits are the same to the last bit (cpu_rows.py says how); they are drawn from
along rows of one length, the vocabulary's, which rounds the same for one row and for many; and a
prompt is read by itself, in chunks that depend on nothing but its own length.

This knows ids only and checks nothing: sample.py says what may be asked for.
"""

import math
from collections import deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minigpt.backend import to_numpy
from minigpt.decode import Decoder
from minigpt.distribution import (
    Settings,
    draw,
    likeliest,
    log_softmax,
    next_token_probabilities,
    penalise,
)

CHUNK = 256  # ids of a prompt that are read at a time
DRAWN = 1 << 16  # probabilities that are computed at a time, few enough for a core's cache


@dataclass(frozen=True, slots=True)
class Token:
    """A generated id.

    `logprob` is the logarithm (nats) of the probability that the model itself gives it, before
    temperature and limits, and `top` the likeliest ids with theirs; both only where asked for.
    """

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Plan:
    """How rows are to go on, as `check_plan` has found it right.

    `stop` holds ids; `n_top` is how many alternatives each Token has, None: neither those nor
    log-probabilities; of the model's symbols only the first `n_vocab` mean something.
    """

    max_new_tokens: int
    settings: Settings
    stop: frozenset[int]
    n_top: int | None
    n_vocab: int

    @cached_property
    def alike(self):
        """What rows must have in common to be drawn for together."""
        return (*vars(self.settings).values(), self.n_vocab)


class Row:
    """One text: what the model sees of it, and how it goes on."""

    def __init__(self, ids, n_positions, seed, plan):
        self.prompt, self.window, self.plan = ids, ids[-n_positions:], plan
        self.rng = np.random.default_rng(seed)
        self.seen = set(ids)  # for the repetition penalty
        self.slot = None  # its place in a batch
        self.unread = True  # whether its window has to be read into the cache
        self.logits = None  # (V,) of what comes next, when known
        self.n_new, self.error = 0, None
        self.finish_reason = None if plan.max_new_tokens else "length"

    @property
    def going(self):
        """Whether it goes on."""
        return self.finish_reason is None

    def end(self, reason):
        """End it: "length" if it was long enough, "stop" if it came to its end."""
        self.finish_reason = reason

    def append(self, id):
        """Take the next id; return whether it belongs to the text, as one to stop at does not."""
        if id in self.plan.stop:
            self.end("stop")
            return False
        self.window.append(id)
        self.seen.add(id)
        self.n_new += 1
        if self.n_new == self.plan.max_new_tokens:
            self.end("length")
        return True


class Batch:
    """Rows that go on together; any may join, and be ended, between two steps."""

    def __init__(self, model, n_rows, capacity=None):
        """Make room for `n_rows` rows of up to `capacity` positions."""
        self.model, self.decoder = model, Decoder(model, n_rows, capacity)
        self.slots = [None] * n_rows  # the Row that is there
        self._unread = deque()  # rows whose window is not in the cache, first come first served

    @property
    def rows(self):
        """The rows that go on."""
        return [row for row in self.slots if row is not None and row.going]

    @property
    def n_free(self):
        """How many rows may join."""
        return len(self.slots) - len(self.rows)

    def join(self, row):
        """Let a Row take part from the next step on; there must be room."""
        self._release()
        row.slot = self.slots.index(None)  # the lowest, so that rows lie side by side
        self.slots[row.slot] = row
        self._unread.append(row)
        self.decoder.forget(row.slot)

    def _release(self):
        for slot, row in enumerate(self.slots):
            if row is not None and not row.going:
                self.slots[slot] = None
                if row.error:
                    self.decoder.erase(slot)

    def step(self, most=math.inf):
        """Draw the next token of the rows; return a list of (Row, Token or None if it ended).

        At most about `most` ids of prompts are read, so that the other rows need not wait long: a
        row whose prompt is not read yet is not in the list. A row whose scores are no numbers ends
        with its `error` set.
        """
        self._release()
        rows = self.rows
        self._slide(rows)
        decoded = [row for row in rows if not row.unread]
        ready = self._read(most)
        if decoded:
            logits = self.decoder.step(
                [row.slot for row in decoded], [row.window[-1] for row in decoded]
            )
            for row, of_row in zip(decoded, to_numpy(logits), strict=True):
                row.logits = of_row
        return draw_tokens(ready + decoded)

    def _slide(self, rows):
        T = self.model.config.n_positions
        for row in rows:
            if len(row.window) > T:
                row.window, row.unread = slide(row.window, T), True
                self.decoder.forget(row.slot)
                self._unread.append(row)

    def _read(self, most):
        """Read windows that are not in the cache; return the rows that are ready now.

        A long window is read in chunks, always the same ones whatever else is going on; and one
        that has just been read is copied.
        """
        ready, n = [], 0
        while self._unread and n < most:
            row = self._unread[0]
            if row.going:
                start = self.decoder.lengths[row.slot]
                chunk = row.window[start : start + CHUNK]
                if ready and row.window == ready[-1].window:
                    self.decoder.copy(ready[-1].slot, row.slot)
                    row.logits = ready[-1].logits
                else:
                    row.logits = to_numpy(self.decoder.read(row.slot, chunk))
                    n += len(chunk)
                    if start + len(chunk) < len(row.window):
                        continue
                row.unread = False
                ready.append(row)
            self._unread.popleft()
        return ready


def slide(window, n_positions):
    """Return what stays of a list of ids that has just become longer than the window."""
    return window if len(window) <= n_positions else window[-max(1, n_positions // 2) :]


# ---- from scores to tokens -------------------------------------------------------------------


def draw_tokens(rows):
    """Draw the next token of each of some Rows; return a list of (row, Token or None)."""
    groups = {}
    for row in rows:
        groups.setdefault(row.plan.alike, []).append(row)
    drawn = {}
    for group in groups.values():
        settings, n_vocab = group[0].plan.settings, group[0].plan.n_vocab
        n = max(1, DRAWN // n_vocab)
        for start in range(0, len(group), n):
            some = group[start : start + n]
            logits = np.stack([row.logits[:n_vocab] for row in some])  # (b, V)
            for row, id in zip(some, draw_ids(some, logits, settings), strict=True):
                drawn[row] = None if id is None or not row.append(id) else id
    return [(row, token_of(row, drawn[row])) for row in rows]


def draw_ids(rows, logits, settings):
    """Return an id for each row, all with the same settings, by its logits (b, V), or None."""
    finite = np.isfinite(logits.max(axis=1))  # (b,); the largest of numbers and a NaN is NaN
    if not finite.all():
        for row in (row for row, good in zip(rows, finite, strict=True) if not good):
            row.error = ValueError("the model's scores are not finite; its weights must be damaged")
            row.end("error")
        logits = np.where(finite[:, None], logits, 0)
    if settings.repetition_penalty != 1:
        seen = [[id for id in row.seen if id < logits.shape[1]] for row in rows]
        penalty = settings.repetition_penalty
        logits = np.stack([penalise(*each, penalty) for each in zip(logits, seen, strict=True)])
    if settings.temperature == 0:
        ids = logits.argmax(axis=1).tolist()
    else:
        s = settings
        p = next_token_probabilities(logits, s.temperature, s.top_k, s.top_p, s.min_p)  # (b, V)
        ids = [draw(each, row.rng.random()) for each, row in zip(p, rows, strict=True)]
    return [id if row.going else None for row, id in zip(rows, ids, strict=True)]


def token_of(row, id):
    """Return the Token of an id drawn for `row`, or None for None."""
    n_top = row.plan.n_top
    if id is None or n_top is None:
        return None if id is None else Token(id)
    logprobs = log_softmax(row.logits[: row.plan.n_vocab])
    top = likeliest(logprobs, n_top) if n_top else ()
    return Token(id, float(logprobs[id]), tuple((int(t), float(logprobs[t])) for t in top))
