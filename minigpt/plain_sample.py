"""Writing in its simplest form: read this after plain_step.py.

A model scores every symbol as the next one. The scores become probabilities, with which one symbol
is drawn. It is appended, and the model is asked again:

    logits = what the model says of the symbol after `ids`                 (V,)
    p      = softmax(logits / temperature)                                 (V,)
    id     = drawn with the probabilities p
    ids    = ids, then id

At temperature 1 these are the model's own probabilities. A lower temperature makes likely symbols
likelier still. At 0 the likeliest is always taken, and a text soon repeats itself. That is why
symbols are drawn: the likely ones come often, the unlikely ones now and then, as in real text.

This is for reading, not for use: for every new id it computes the whole window again. sample.py
writes the same ids, and computes only what is new (decode.py), for many texts together (batch.py,
engine.py); distribution.py has other ways to draw. Tests take this module as the truth.
"""

import numpy as np

from minigpt.backend import to_numpy


def generate(model, ids, max_new_tokens, temperature=1.0, stop=None, seed=None):
    """Yield up to `max_new_tokens` ids that continue `ids`; end before the id `stop`."""
    rng, T = np.random.default_rng(seed), model.config.n_positions
    window = list(ids)[-T:]  # what the model sees
    for _ in range(max_new_tokens):
        logits = to_numpy(model.logits(window))[-1]  # (V,), those after the last id
        id = draw(probabilities(logits, temperature), rng.random())
        if id == stop:
            return
        yield id
        window.append(id)
        if len(window) > T:
            # The window is full: forget the older half, not a single id. The rest moves to the
            # front, where each id has another position, so decode.py must compute it all anew.
            window = window[-max(1, T // 2) :]


def probabilities(logits, temperature):
    """Return softmax(logits / temperature), (V,) -> (V,).

    exp(x / temperature) = exp(x)^(1 / temperature): at 0.5, odds of 1 : 3 become 1 : 9.

    >>> logits = np.log([1, 3])
    >>> probabilities(logits, 1.0).round(2).tolist(), probabilities(logits, 0.5).round(2).tolist()
    ([0.25, 0.75], [0.1, 0.9])
    """
    if temperature == 0:
        # 1 for the likeliest, 0 for all others
        return (np.arange(len(logits)) == np.argmax(logits)).astype(np.float64)
    e = np.exp((np.float64(logits) - max(logits)) / temperature)
    return e / sum(e)


def draw(p, number):
    """Return the id that a random `number` in [0, 1) chooses.

    Each id has a share of [0, 1) as wide as its probability: first id 0, then id 1, and so on.

    >>> draw([0.25, 0.75], 0.2), draw([0.25, 0.75], 0.3)
    (0, 1)
    """
    end = 0.0
    for id, share in enumerate(p):
        end += share
        if number < end:
            return id
    return int(np.flatnonzero(p)[-1])  # the shares' sum was rounded to less than 1
