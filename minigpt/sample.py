"""Generation: a distribution over all symbols, one is drawn, appended, and fed back.

The model works on ids, and so does this; completion.py makes text of them. Which symbols may be
drawn, and how likely, is said in distribution.py; how a step is made cheap in decode.py.

The window. A model sees at most T = n_positions ids. Of a longer prompt it sees the last T. When
the window is full and one more id comes, the last T / 2 ids stay, the new one included, and the
others are forgotten. GPT-2 learnt an embedding for each place in the window, so what stays moves
to the front and is read again; done at every token, that would cost a whole window each time,
and so it is done once in T / 2 tokens.

A batch. Each row has its own ids, window and random numbers, and gets the ids it would get alone
with the same seed; on a CPU its logits are the same to the last bit, see decode.py.
"""

from dataclasses import dataclass
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

__all__ = ["Generation", "Token", "generate", "next_token_probabilities", "stream_text"]


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


class Row:
    """One text of a batch: what the model sees of it, and how it goes on."""

    def __init__(self, ids, n_positions, seed):
        self.window = ids[-n_positions:]
        self.rng = np.random.default_rng(seed)
        self.seen = set(ids)  # for the repetition penalty
        self.logits = None  # (V,) of what comes next, when known
        self.n_new, self.finish_reason = 0, None


class Generation:
    """Several texts that are continued at the same time; `generate` is the simple way to use it."""

    def __init__(
        self, model, prompts, max_new_tokens, settings=None, stop=(), seed=None, n_top=None,
        n_vocab=None,
    ):  # fmt: skip
        """Check everything; raise ValueError as `generate` does.

        `n_top`: how many alternatives each Token has; None: neither those nor log-probabilities.
        `n_vocab`: how many symbols there are, where the model has room for more that mean nothing.
        """
        c, self.model, self.max_new_tokens = model.config, model, max_new_tokens
        self.settings, self.n_top = settings or Settings(), n_top
        self.n_vocab = n_vocab or c.vocab_size
        self.settings.check(self.n_vocab)
        check_integer("max_new_tokens", max_new_tokens, 0)
        if n_top is not None:
            check_integer("n_top", n_top, 0)
        self.stop = check_stop(stop, c.vocab_size)
        prompts = [check_prompt(model, ids) for ids in prompts]
        seeds = seeds_of_rows(seed, len(prompts))
        self.rows = [
            Row(ids, c.n_positions, seed) for ids, seed in zip(prompts, seeds, strict=True)
        ]
        longest = max(len(row.window) for row in self.rows)
        self.decoder = Decoder(model, len(prompts), min(c.n_positions, longest + max_new_tokens))
        if max_new_tokens == 0:
            for i in range(len(prompts)):
                self.end(i, "length")

    @property
    def going(self):
        """Whether any row goes on."""
        return any(row.finish_reason is None for row in self.rows)

    def end(self, i, reason):
        """End row `i`: "length" if it was long enough, "stop" if it came to its end."""
        self.rows[i].finish_reason = reason

    def step(self):
        """Draw the next token of every row that goes on; return a list of a Token or None a row."""
        self._compute_logits([i for i, row in enumerate(self.rows) if row.finish_reason is None])
        return [self._next(i, row) for i, row in enumerate(self.rows)]

    def _compute_logits(self, going):
        """Have the decoder read what it has not read yet."""
        decode = []
        for i in going:
            window, T = self.rows[i].window, self.model.config.n_positions
            kept = slide(window, T)
            if kept is not window:
                self.rows[i].window = kept
                self.decoder.forget(i)
            if self.decoder.lengths[i] == 0:
                self.rows[i].logits = to_numpy(self.decoder.read(i, kept))
            else:
                decode.append(i)
        if decode:
            logits = self.decoder.step(decode, [self.rows[i].window[-1] for i in decode])
            for i, of_row in zip(decode, to_numpy(logits), strict=True):
                self.rows[i].logits = of_row

    def _next(self, i, row):
        if row.finish_reason is not None:
            return None
        s, logits = self.settings, row.logits[: self.n_vocab]
        if not np.isfinite(logits.max()):  # the largest of numbers and a NaN is NaN
            raise ValueError("the model's scores are not finite; its weights must be damaged")
        if s.repetition_penalty != 1:
            seen = [id for id in row.seen if id < self.n_vocab]
            logits = penalise(logits, seen, s.repetition_penalty)
        if s.temperature == 0:
            id = int(logits.argmax())
        else:
            p = next_token_probabilities(logits, s.temperature, s.top_k, s.top_p, s.min_p)
            id = draw(p, row.rng.random())
        if id in self.stop:
            self.end(i, "stop")
            return None
        row.window.append(id)
        row.seen.add(id)
        row.n_new += 1
        if row.n_new == self.max_new_tokens:
            self.end(i, "length")
        return self._token(id, row.logits[: self.n_vocab])

    def _token(self, id, logits):
        if self.n_top is None:
            return Token(id)
        logprobs = log_softmax(logits)
        top = likeliest(logprobs, self.n_top) if self.n_top else ()
        return Token(id, float(logprobs[id]), tuple((int(t), float(logprobs[t])) for t in top))


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
