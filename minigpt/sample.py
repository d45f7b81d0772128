"""Generation: a distribution over all symbols, one is drawn, appended, and fed back.

The model works on ids; `stream_text` turns them into text as they come. Every step computes the
whole window again, the plainest form: there is no cache of keys and values.

Sources: Fan et al. 2018, "Hierarchical Neural Story Generation" (top-k); Holtzman et al. 2020,
"The Curious Case of Neural Text Degeneration" (top-p, or nucleus).
"""

import codecs

import numpy as np

from minigpt.backend import to_numpy


def next_token_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    """Return the probability of every symbol: logits (V,) -> (V,), which add up to 1.

    Logits are divided by `temperature`: below 1 the likely becomes likelier; 0 leaves only the
    likeliest. `top_k` keeps the k likeliest symbols, `top_p` the smallest set of likeliest ones
    whose probability is at least p; what is cut away has probability 0.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if temperature == 0:
        return (np.arange(len(logits)) == logits.argmax()).astype(np.float64)
    p = np.exp((logits - logits.max()) / temperature)  # (V,)
    order = np.argsort(-p, kind="stable")  # (V,) likeliest first; of equals, the lowest id
    if top_k is not None:
        p[order[top_k:]] = 0
    if top_p is not None:
        before = np.cumsum(p[order]) - p[order]  # (V,) probability of what is likelier
        p[order[before >= top_p * p.sum()]] = 0
    return p / p.sum()


def check_settings(temperature, top_k, top_p, max_new_tokens, seed):
    """Raise ValueError for a setting outside its range."""
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}; it must be 0 or more")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}; it must be at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}; it must be above 0 and at most 1")
    if seed is not None and seed < 0:
        raise ValueError(f"seed is {seed}; it must be at least 0")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens is {max_new_tokens}; it must be at least 0")


def generate(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, stop=(), seed=None
):
    """Yield up to `max_new_tokens` ids that continue `ids`, one by one; end before one in `stop`.

    The same seed gives the same ids. Where the window is full its oldest ids are forgotten.
    Raises ValueError for settings out of range and for ids that are no symbols.
    """
    check_settings(temperature, top_k, top_p, max_new_tokens, seed)
    ids = [int(i) for i in ids]
    T = model.config.n_positions
    model.check_ids(ids[-T:])
    rng = np.random.default_rng(seed)

    def continuation():
        for _ in range(max_new_tokens):
            logits = to_numpy(model.logits(ids[-T:])[-1])  # (V,)
            p = next_token_probabilities(logits, temperature, top_k, top_p)
            chosen = int(np.searchsorted(np.cumsum(p), rng.random(), side="right"))
            chosen = min(chosen, int(np.flatnonzero(p)[-1]))  # where rounding ends below 1
            if chosen in stop:
                return
            ids.append(chosen)
            yield chosen

    return continuation()


def stream_text(tokenizer, ids):
    """Yield text for an iterable of ids, holding back bytes until a character is whole."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for i in ids:
        text = decoder.decode(tokenizer.decode_bytes([i]))
        if text:
            yield text
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest
