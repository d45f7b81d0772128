"""From scores to tokens: the next id of each of some rows, drawn with the row's own numbers.

Rows with the same settings are drawn for together, a few operations for all of them. What each gets
has nothing to do with who is beside it: probabilities are computed along rows of one length, the
vocabulary's, which rounds the same for one row and for many.
"""

from dataclasses import dataclass

import numpy as np

from minigpt.distribution import (
    draw,
    likeliest,
    log_softmax,
    next_token_probabilities,
    penalise,
    penalise_counts,
)

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
    if settings.frequency_penalty or settings.presence_penalty:
        both = settings.frequency_penalty, settings.presence_penalty
        counts = [row.counts for row in rows]  # only of ids that were drawn, all below V
        logits = np.stack(
            [penalise_counts(*each, *both) for each in zip(logits, counts, strict=True)]
        )
    if settings.temperature == 0:
        ids = logits.argmax(axis=1).tolist()
    else:
        s = settings
        p = next_token_probabilities(logits, s.temperature, s.top_k, s.top_p, s.min_p)  # (b, V)
        ids = draw(p, np.array([row.rng.random() for row in rows]))
    return [id if row.going else None for row, id in zip(rows, ids, strict=True)]


def token_of(row, id):
    """Return the Token of an id drawn for `row`, or None for None."""
    n_top = row.plan.n_top
    if id is None or n_top is None:
        return None if id is None else Token(id)
    return score(row.logits[: row.plan.n_vocab], id, n_top)


def score(logits, id, n_top):
    """Return the Token of an id with its log-probability by logits (V,), and the likeliest."""
    logprobs = log_softmax(logits)
    top = likeliest(logprobs, n_top) if n_top else ()
    return Token(id, float(logprobs[id]), tuple((int(t), float(logprobs[t])) for t in top))
