"""A running batch: rows that go on together, each of which may come and go between two steps.

Rows share a step so that the weights are read from memory once for all of them. A row that is over
leaves at once and one that waits takes its place, instead of all waiting for the longest text:
continuous batching (Yu et al. 2022, "Orca: A Distributed Serving System for Transformer-Based
Generative Models"). Each row has its own window, settings and random numbers.

A row gets the ids it would get alone with the same seed, whatever is beside it and whenever it
joined. On a CPU its logits are the same to the last bit (cpu_rows.py says how). Drawing works along
rows of one length, the vocabulary's, which rounds the same for one row and for many. And a prompt
is read by itself, in chunks that depend on nothing but its own length. So a step may be shared out
to the cores: see shares.py.

This knows ids only and checks nothing: sample.py checks what is asked for.
"""

import math
from collections import Counter, deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minigpt.backend import to_numpy
from minigpt.decode import Decoder
from minigpt.distribution import Settings
from minigpt.drawing import draw_tokens
from minigpt.shares import Reading, share_out
from minigpt.team import team

CHUNK = 256  # ids of a prompt that are read at a time


@dataclass(frozen=True)
class Plan:
    """How rows are to go on, already checked by `check_plan`.

    `stop` holds ids. `n_top` is how many alternatives each Token has; None means neither those nor
    log-probabilities. Of the model's symbols only the first `n_vocab` mean something.
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
        self.counts = Counter()  # how often it wrote each id, for the two other penalties
        self.slot = None  # its place in a batch
        self.unread = True  # whether its window has to be read into the cache
        self.logits = None  # (V,) of what comes next, when known
        self.n_new, self.error, self.stopped_by = 0, None, None  # stopped_by: an id of plan.stop
        self.finish_reason = None if plan.max_new_tokens else "length"

    @property
    def going(self):
        """Whether it goes on."""
        return self.finish_reason is None

    def end(self, reason):
        """End it: "length" if it was long enough, "stop" if it came to its end."""
        self.finish_reason = reason

    def append(self, id):
        """Take the next id; return whether it belongs to the text: an id to stop at does not."""
        if id in self.plan.stop:
            self.stopped_by = id
            self.end("stop")
            return False
        self.window.append(id)
        self.seen.add(id)
        self.counts[id] += 1
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
        """Free the slots of rows that have ended."""
        for slot, row in enumerate(self.slots):
            if row is not None and not row.going:
                self.slots[slot] = None
                if row.error:
                    self.decoder.erase(slot)

    def step(self, most=math.inf):
        """Draw the next token of the rows; return a list of (Row, Token or None if it ended).

        At most about `most` ids of prompts are read, so that the other rows need not wait long. A
        row whose prompt is not wholly read yet is not in the list. A row whose scores are not
        numbers ends with its `error` set.
        """
        self._release()
        rows = self.rows
        self._slide(rows)
        going = [row for row in rows if not row.unread]
        readings = self._readings(most)
        drawn = {}
        threads = team()
        n = threads.n if self.decoder.in_cache else 1  # else each would read all weights anew
        threads.run(lambda share: drawn.update(self._work(*share)), share_out(readings, going, n))
        ready = [row for reading in readings if reading.whole for row in reading.rows]
        return [(row, drawn[row]) for row in ready + going]

    def _work(self, readings, going):
        """Read, go on and draw: a share of a step, done by one thread; return what `step` does."""
        ready = []
        for reading in readings:
            ready += self._read(reading)
        if going:
            slots, last = [row.slot for row in going], [row.window[-1] for row in going]
            logits = to_numpy(self.decoder.step(slots, last))  # (B, V)
            for row, of_row in zip(going, logits, strict=True):
                row.logits = of_row
        return draw_tokens(ready + going)

    def _slide(self, rows):
        """Have rows whose window has grown too long keep its last half, to be read anew."""
        T = self.model.config.n_positions
        for row in rows:
            if len(row.window) > T:
                row.window, row.unread = slide(row.window, T), True
                self.decoder.forget(row.slot)
                self._unread.append(row)

    def _readings(self, most):
        """Return what is read in this step, about `most` ids of those that wait to be read.

        A long window is read in chunks, always the same ones whatever else is going on.
        """
        readings, n = [], 0
        while self._unread and n < most:
            row = self._unread[0]
            if row.going and readings and row.window == readings[-1].rows[0].window:
                readings[-1].rows.append(row)
            elif row.going:
                chunks, start = [], self.decoder.lengths[row.slot]
                while start < len(row.window) and n < most:
                    chunks.append(row.window[start : start + CHUNK])
                    start, n = start + CHUNK, n + len(chunks[-1])
                readings.append(Reading([row], chunks, whole=start >= len(row.window)))
                if not readings[-1].whole:
                    break
            row.unread = False
            self._unread.popleft()
        return readings

    def _read(self, reading):
        """Read chunks into the cache; return the rows that are ready now."""
        row, *others = reading.rows
        for chunk in reading.chunks:
            row.logits = to_numpy(self.decoder.read(row.slot, chunk))
        for other in others:  # their windows are the same: so are their keys, values and scores
            self.decoder.copy(row.slot, other.slot)
            other.logits = row.logits
        return reading.rows if reading.whole else []


def slide(window, n_positions):
    """Return what stays of a list of ids that has just become longer than the window."""
    return window if len(window) <= n_positions else window[-max(1, n_positions // 2) :]
