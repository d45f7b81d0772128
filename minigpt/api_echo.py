"""`echo`: the prompt, given back before what was written, and how likely the model found it.

With `logprobs` every token of the prompt has its log-probability after those before it. So other
programs examine a model behind an API: they send a question with each of its answers and
"max_tokens": 1, and add up what the tokens of the answer have (EleutherAI's lm-evaluation-harness).

The separator that is put before a text is not given back. So the first token of a text has a
probability, after the separator; that of a prompt of ids has none: null. Where what was written
came to its end, the token that ended it stands in the lists, too, as vLLM has it.

Source: OpenAI's API reference, "Create completion (legacy)", `echo`.
"""

import numpy as np

from minigpt.api_errors import ApiError
from minigpt.backend import to_numpy
from minigpt.drawing import Token, score


def echo(asked, k):
    """Return (text, Tokens) of prompt `k` of an Asked; no Tokens without log-probabilities."""
    served, ids = asked.served, asked.requests[k].prompt
    model, tokenizer = served.model, served.tokenizer
    start = asked.echo[k]
    text = tokenizer.decode_bytes(ids[start:]).decode("utf-8", "replace")
    if asked.n_top is None or len(ids) == start:
        return text, []
    tokens = [] if start else [Token(ids[0])]
    if len(ids) > 1:
        logits = to_numpy(model.logits(ids[:-1]))[:, : tokenizer.n_vocab]  # (T - 1, V)
        if not np.isfinite(logits).all():
            raise ApiError(500, "the model's scores are not finite; its weights must be damaged")
        tokens += [score(*pair, asked.n_top) for pair in zip(logits, ids[1:], strict=True)]
    return text, tokens
