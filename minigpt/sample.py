"""Generation: the model scores all symbols, one is drawn and appended, and so on.

plain_sample.py is this loop in its simplest form. The loop works on ids, as the model does;
completion.py makes text of them. distribution.py says which symbols may be drawn, and how likely;
decode.py makes a step cheap.

The window. A model sees at most T = n_positions ids, of a longer prompt the last T. When there is
one id more than the window holds, the last T / 2 ids stay, the new one included, and the others are
forgotten. GPT-2 learnt an embedding for each place in the window, so the ids that stay move to
the front and are read again. To do so at every token would cost a whole window each time, so it is
done once in T / 2 tokens.

Several texts may be written together, see batch.py: each gets the ids it would get alone.
"""

from numbers import Integral

import numpy as np

from minigpt.batch import Batch, Plan, Row
from minigpt.distribution import Settings, check_integer, next_token_probabilities
from minigpt.drawing import Token
from minigpt.stream import stream_text

__all__ = [
    "Generation", "Token", "generate", "next_token_probabilities", "stream_text", "write",
]  # fmt: skip


def generate(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, min_p=None,
    repetition_penalty=1.0, stop=(), seed=None, frequency_penalty=0.0, presence_penalty=0.0,
):  # fmt: skip
    """Yield up to `max_new_tokens` ids that continue `ids`, one by one; end before one in `stop`.

    A list of lists is a batch: each step yields a list with an id for each row, None for a row
    that has ended, until all have. `seed` is a whole number, with which the same ids come again
    (each row of a batch draws as it would alone), a list with one for each row, or None. Raises
    ValueError before the first id for settings out of range and for ids that are not symbols, and
    later if scores are not numbers.
    """
    settings = Settings(
        temperature, top_k, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty
    )
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
        """Draw the next token of every row that goes on; return a list, a Token or None per row."""
        tokens = dict(self.batch.step())
        for row in self.rows:
            if row.error:
                raise row.error
        return [tokens.get(row) for row in self.rows]


def write(generation):
    """Return all ids that a Generation draws, a list for each row."""
    written = [[] for _ in generation.rows]
    while generation.going:
        for ids, token in zip(written, generation.step(), strict=True):
            if token is not None:
                ids.append(token.id)
    return written


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
