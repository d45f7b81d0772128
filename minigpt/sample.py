"""Generation: a distribution over all symbols, one is drawn, appended, and fed back.

The model works on ids, and so does this; completion.py makes text of them. Which symbols may be
drawn, and how likely, is said in distribution.py; how a step is made cheap in decode.py.

The window. A model sees at most T = n_positions ids. Of a longer prompt it sees the last T. When
the window is full and one more id comes, the last T / 2 ids stay, the new one included, and the
others are forgotten. GPT-2 learnt an embedding for each place in the window, so what stays moves
to the front and is read again; done at every token, that would cost a whole window each time,
and so it is done once in T / 2 tokens.

A batch is a set of rows that go on together, so that the weights are read from memory once for all.
A row may join between any two steps and leaves when it is over, and another one takes its place:
this is continuous batching (Yu et al. 2022, "Orca: A Distributed Serving System for
Transformer-Based Generative Models"). Each row has its own ids, window, settings and random
numbers, and gets the ids it would get alone with the same seed, whatever is beside it and whenever
it joined; on a CPU its logits are the same to the last bit, see decode.py.
"""

import math
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import numpy as np

from minigpt.backend import to_numpy
from minigpt.decode import Decoder
from minigpt.distribution import (
    Settings,
    check_integer,
    draw,
    likeliest,
    log_softmax,
    next_token_probabilities,
    penalise,
)
from minigpt.stream import stream_text

__all__ = ["Batch", "Generation", "Row", "Token", "generate", "next_token_probabilities",
           "stream_text"]  # fmt: skip

CHUNK = 256  # ids of a prompt that are read at a time
DRAWN = 1 << 16  # probabilities that are computed at a time, few enough for a core's cache


def generate(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, min_p=None,
    repetition_penalty=1.0, stop=(), seed=None,
):  # fmt: skip
    """Yield up to `max_new_tokens` ids that continue `ids`, one by one; end before one in `stop`.

    A list of lists is a batch: each step yields a list with an id for each row, None for a row
    that has ended, until all have. `seed` is a whole number, with which the same ids come again
    (each row of a batch draws as it would alone), a list of one for each row, or None. Raises
    ValueError, before the first id, for settings out of range and for ids that are no symbols; for
    scores that are no numbers, when they come.
    """
    settings = Settings(temperature, top_k, top_p, min_p, repetition_penalty)
    batch = is_batch(ids)
    generation = Generation(model, ids if batch else [ids], max_new_tokens, settings, stop, seed)

    def continuation():
        while generation.going:
            ids = [None if token is None else token.id for token in generation.step()]
            if any(id is not None for id in ids):
                yield ids if batch else ids[0]

    return continuation()


def is_batch(ids):
    """Tell whether `ids` is a list of lists (or an array of two dimensions)."""
    return is_sequence(ids) and len(ids) > 0 and is_sequence(ids[0])


def is_sequence(x):
    """Tell whether `x` is a list, a tuple or an array of one dimension or more."""
    return isinstance(x, (list, tuple, range)) or getattr(x, "ndim", 0) > 0


def slide(window, n_positions):
    """Return what stays of a list of ids that has just become longer than the window."""
    return window if len(window) <= n_positions else window[-max(1, n_positions // 2) :]


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
        self.slot, self.unread = (
            None,
            True,
        )  # its place in a batch; whether the window is to be read
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


class Generation:
    """Several texts that begin together; `generate` is the simple way to use it."""

    def __init__(
        self, model, prompts, max_new_tokens, settings=None, stop=(), seed=None, n_top=None,
        n_vocab=None,
    ):  # fmt: skip
        """Check everything; raise ValueError as `generate` does. For n_top and n_vocab see Plan."""
        plan = check_plan(model, max_new_tokens, settings, stop, n_top, n_vocab)
        self.rows = new_rows(model, prompts, seed, plan)
        longest = max(len(row.window) for row in self.rows)
        capacity = min(model.config.n_positions, longest + max_new_tokens)
        self.batch = Batch(model, len(self.rows), capacity)
        for row in self.rows:
            self.batch.join(row)

    @property
    def going(self):
        """Whether any row goes on."""
        return any(row.going for row in self.rows)

    def step(self):
        """Draw the next token of every row that goes on; return a list of a Token or None a row."""
        tokens = dict(self.batch.step())
        for row in self.rows:
            if row.error:
                raise row.error
        return [tokens.get(row) for row in self.rows]


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


# ---- what is asked for -----------------------------------------------------------------------


def check_plan(model, max_new_tokens, settings=None, stop=(), n_top=None, n_vocab=None):
    """Return a Plan, or raise ValueError."""
    settings, n_vocab = settings or Settings(), n_vocab or model.config.vocab_size
    settings.check(n_vocab)
    check_integer("max_new_tokens", max_new_tokens, 0)
    if n_top is not None:
        check_integer("n_top", n_top, 0)
    stop = frozenset(check_stop(stop, model.config.vocab_size))
    return Plan(max_new_tokens, settings, stop, n_top, n_vocab)


def new_rows(model, prompts, seed, plan):
    """Return a Row for each prompt, or raise ValueError; `seed` as for `generate`."""
    prompts = [check_prompt(model, ids) for ids in prompts]
    seeds = seeds_of_rows(seed, len(prompts))
    T = model.config.n_positions
    return [Row(ids, T, seed, plan) for ids, seed in zip(prompts, seeds, strict=True)]


def check_prompt(model, ids):
    """Return a prompt as a list of int, or raise ValueError."""
    if not is_sequence(ids) or any(map(is_sequence, ids)):
        raise ValueError(f"a prompt is {short(ids)}; it must be a list of ids")
    if len(ids) == 0:
        raise ValueError("the prompt is empty; it must hold at least one id, as the separator's")
    ids, T = np.asarray(ids), model.config.n_positions
    for start in range(0, len(ids), T):
        model.check_ids(ids[start : start + T])
    return ids.tolist()


def short(value):
    """Return a value as Python writes it, not too long."""
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:39] + "…"


def check_stop(stop, vocab_size):
    """Return the set of stop ids, of one id or several, or raise ValueError."""
    stop = [stop] if isinstance(stop, (str, Integral)) else list(stop)
    for id in stop:
        if isinstance(id, str):
            raise ValueError(f"stop is {id!r}; it must be an id here: complete() takes text")
        check_integer("stop id", id, 0)
        if id >= vocab_size:
            raise ValueError(f"stop id is {id}; it must be at most {vocab_size - 1}, the last id")
    return {int(id) for id in stop}


def seeds_of_rows(seed, n_rows):
    """Return a seed for each row, or raise ValueError."""
    seeds = list(seed) if is_sequence(seed) else [seed] * n_rows
    if len(seeds) != n_rows:
        raise ValueError(f"seed holds {len(seeds)} numbers; it must hold {n_rows}, one for a row")
    for s in seeds:
        if s is not None:
            check_integer("seed", s, 0)
    return seeds
