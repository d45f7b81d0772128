"""Text in, text out, as it comes: a prompt is encoded, ids are generated, text is streamed.

This knows nothing of conversations (see chat.py) or HTTP. What is held back while streaming, and
why, is said in stream.py.
"""

import re
from dataclasses import dataclass
from numbers import Integral

from minigpt.distribution import Settings, check_integer
from minigpt.sample import Generation, Token
from minigpt.stream import TextStream


@dataclass(frozen=True)
class Piece:
    """What a step adds to a completion.

    `row`: which of the completions, from 0. `text` may be empty: it is held back or over. `token`
    is the Token drawn, None in a row's last piece if it ended without one. `finish_reason` is None
    until the row's last piece: "stop" after a stop id or string, "length" at max_new_tokens.
    """

    row: int
    text: str
    token: Token | None = None
    finish_reason: str | None = None


def encode_prompt(tokenizer, prompt, special=False):
    """Return the ids of a text; with `special`, special tokens in it are encoded as such.

    Raises ValueError, with `special`, for what is written like a special token and is none.
    """
    if not special:
        return tokenizer.encode_ordinary(prompt)
    for found in re.findall(r"<\|[^|<>\s]*\|>", prompt):
        if found not in tokenizer.special_tokens:
            known = ", ".join(tokenizer.special_tokens) or "none"
            raise ValueError(f"{found} is no special token here; it must be one of: {known}")
    return tokenizer.encode(prompt, allowed_special="all")


def complete(
    model, tokenizer, prompt, max_new_tokens=200, stop=(), n=1, seed=None, n_top=None, **settings
):
    """Yield the Pieces of `n` completions of a prompt, a text or a list of ids, as they come.

    `stop` holds ids and strings; a completion ends before them. The text's ids follow the
    separator's, as in training. With n above 1 and a seed, completion i is what seed + i gives
    alone. `n_top`: how many alternatives each token has, None: no log-probabilities. Further
    settings are those of `generate`. Raises ValueError, before the first piece, for bad input.
    """
    check_integer("n", n, 1)
    stop = [stop] if isinstance(stop, (str, Integral)) else list(stop)
    stop_ids = [s for s in stop if not isinstance(s, str)]
    if isinstance(prompt, str):
        prompt = [tokenizer.eot_token, *encode_prompt(tokenizer, prompt)]
    if seed is not None:
        check_integer("seed", seed, 0)
        seed = [seed + i for i in range(n)]
    generation = Generation(
        model, [prompt] * n, max_new_tokens, Settings(**settings), stop_ids, seed, n_top,
        tokenizer.n_vocab,
    )  # fmt: skip
    streams = [TextStream(tokenizer, [s for s in stop if isinstance(s, str)]) for _ in range(n)]

    def pieces():
        while generation.going:
            before = [row.finish_reason for row in generation.rows]
            for row, token in enumerate(generation.step()):
                if before[row] is None:
                    yield piece(generation, streams[row], row, token)

    return pieces()


def piece(generation, stream, row, token):
    """Return the Piece that a token adds, and end its row where a stop string has come."""
    text = "" if token is None else stream.push(token.id)
    if stream.stopped:
        generation.end(row, "stop")
    reason = generation.rows[row].finish_reason
    if reason is not None:
        text += stream.close()
        if stream.stopped:  # it came with the last character, which was not whole
            reason = "stop"
    return Piece(row, text, token, reason)
