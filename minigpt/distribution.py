"""From logits to the probabilities that the next token is drawn with.

Read plain_sample.py first, which has only temperature. Other settings keep the model from repeating
itself, and unlikely symbols from being drawn at all: there are so many of them that together they
are drawn too often. The order is repetition, frequency and presence penalty, temperature, top-k,
top-p, min-p; each works on what the one before it left. Nothing here knows about text.

Sources: Fan et al. 2018, "Hierarchical Neural Story Generation" (top-k); Holtzman et al. 2020,
"The Curious Case of Neural Text Degeneration" (top-p, or nucleus); Nguyen et al. 2024, "Turning
Up the Heat: Min-p Sampling" (min-p); Keskar et al. 2019, "CTRL", section 4.1 (repetition penalty);
OpenAI's API reference, "Frequency and presence penalties".
"""

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np


@dataclass(frozen=True)
class Settings:
    """How to draw; the defaults leave the model's own distribution as it is."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0

    def check(self, vocab_size):
        """Raise ValueError for a setting outside its range."""
        t, penalty = self.temperature, self.repetition_penalty
        if not (is_number(t) and 0 <= t < math.inf):
            raise ValueError(f"temperature is {t}; it must be 0 or more")
        if self.top_k is not None:
            check_integer("top_k", self.top_k, 1)
            if self.top_k > vocab_size:
                raise ValueError(
                    f"top_k is {self.top_k}; it must be at most {vocab_size}, the number of symbols"
                )
        if self.top_p is not None and not (is_number(self.top_p) and 0 < self.top_p <= 1):
            raise ValueError(f"top_p is {self.top_p}; it must be above 0 and at most 1")
        if self.min_p is not None and not (is_number(self.min_p) and 0 <= self.min_p <= 1):
            raise ValueError(f"min_p is {self.min_p}; it must be at least 0 and at most 1")
        if not (is_number(penalty) and 0 < penalty < math.inf):
            raise ValueError(f"repetition_penalty is {penalty}; it must be above 0, 1 for none")
        for name in ("frequency_penalty", "presence_penalty"):
            value = getattr(self, name)
            if not (is_number(value) and math.isfinite(value)):
                raise ValueError(f"{name} is {value}; it must be a number, 0 for none")


def is_number(x):
    """Tell whether `x` is a real number; True and False are not."""
    return isinstance(x, Real) and not isinstance(x, bool)


def check_integer(name, value, least):
    """Raise ValueError unless `value` is a whole number of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}; it must be at least {least}, a whole number")


def likeliest(scores, n):
    """Return the ids of the n highest scores (V,), highest first; of equals, the lowest id first.

    Sorting all of a large vocabulary would take longer than the model's own step.
    """
    n = min(n, len(scores))
    least = np.partition(scores, len(scores) - n)[len(scores) - n]
    above = np.flatnonzero(scores > least)
    equal = np.flatnonzero(scores == least)[: n - len(above)]
    ids = np.concatenate([above, equal])  # both ascending, so a stable sort keeps the lowest first
    return ids[np.argsort(-scores[ids], kind="stable")]


def penalise(logits, seen, penalty):
    """Return logits (V,) with those of the ids `seen` made less likely, for a penalty above 1.

    CTRL divides a logit by the penalty. That would raise a negative one, so here it is multiplied,
    as in transformers. A penalty below 1 makes what was seen likelier.
    """
    logits = np.array(logits, dtype=np.float64)
    before = logits[seen]
    logits[seen] = np.where(before > 0, before / penalty, before * penalty)
    return logits


def penalise_counts(logits, counts, frequency, presence):
    """Return logits (V,) less `frequency` for each time that an id was written, by `counts`.

    From the logit of each id that was written at all, `presence` is subtracted once.
    """
    logits = np.array(logits, dtype=np.float64)
    ids, times = list(counts), np.array([*counts.values()], dtype=np.float64)  # (n,) each
    logits[ids] -= frequency * times + presence
    return logits


def next_token_probabilities(logits, temperature=1.0, top_k=None, top_p=None, min_p=None):
    """Return the probability of every symbol: logits (V,) -> (V,), which add up to 1.

    Logits are divided by `temperature`: below 1 the likely becomes likelier; 0 leaves only the
    likeliest. `top_k` keeps the k likeliest symbols. `top_p` keeps the fewest likeliest symbols
    that together have probability p. `min_p` keeps the symbols that are at least min_p times as
    likely as the likeliest. What is cut away has probability 0. Logits may be (b, V), of b texts.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if temperature == 0:
        best = logits.argmax(axis=-1, keepdims=True)
        return (np.arange(logits.shape[-1]) == best).astype(np.float64)
    p = logits - logits.max(axis=-1, keepdims=True)
    with np.errstate(over="ignore"):  # divided by a tiny temperature: -inf, and exp(-inf) is 0
        p /= temperature
    np.exp(p, out=p)  # (..., V), the likeliest has 1
    if top_k is not None and top_k < p.shape[-1]:
        p = each(p, lambda p: keep(p, likeliest(p, top_k)))
    if top_p is not None:
        p = each(p, lambda p: keep(p, nucleus(p, top_p)))
    if min_p is not None:
        p = np.where(p >= min_p, p, 0)
    p /= p.sum(axis=-1, keepdims=True)
    return p


def each(x, function):
    """Apply a function of (V,) to each row of x (..., V)."""
    return np.stack([function(row) for row in x.reshape(-1, x.shape[-1])]).reshape(x.shape)


def keep(p, ids):
    """Return p (V,) with 0 for every id that is not in `ids`."""
    kept = np.zeros_like(p)
    kept[ids] = p[ids]
    return kept


def nucleus(p, top_p):
    """Return the fewest likeliest ids that hold the share `top_p` of p (V,)."""
    enough, n = top_p * p.sum(), 64  # mostly few ids are enough: look at 64, then at more
    while True:
        ids = likeliest(p, n)
        before = np.cumsum(p[ids]) - p[ids]  # (n,), the share of the ids that are likelier
        if n >= len(p) or before[-1] >= enough:
            return ids[before < enough]
        n *= 8


def log_softmax(logits):
    """Return the logarithm of every symbol's probability, in nats: logits (V,) -> (V,)."""
    logits = np.asarray(logits, dtype=np.float64)
    logits = logits - logits.max()
    return logits - math.log(np.exp(logits).sum())


def draw(p, uniforms):
    """Return an id for each row of p (b, V), drawn by the row's number of `uniforms` (b,).

    It is the id whose share of [0, 1) holds the number, as in plain_sample.draw.
    """
    before = p.cumsum(axis=1) <= uniforms[:, None]  # (b, V), whether the share ends before it
    chosen = before.sum(axis=1).tolist()
    for row, id in enumerate(chosen):
        if id == p.shape[1]:  # the sum was rounded below 1: take the last that may be drawn
            chosen[row] = int(np.flatnonzero(p[row])[-1])
    return chosen
