"""Text in, text out, as it comes: a prompt is encoded, ids are generated, text is streamed.

This knows nothing of conversations (see chat.py) or HTTP. What is held back while streaming, and
why, is said in stream.py.
"""

import re
from dataclasses import dataclass
from numbers import Integral

from minigpt.batch import Batch
from minigpt.distribution import Settings, check_integer
from minigpt.drawing import Token, token_of
from minigpt.sample import check_plan, new_rows
from minigpt.stream import TextStream


@dataclass(frozen=True)
class Piece:
    """What a step adds to a completion.

    `row`: which of the completions, from 0. `text` may be empty: it is held back or over. `token`
    is the Token drawn, None in a row's last piece if it ended without one. `finish_reason` is None
    until the row's last piece: "stop" after a stop id or string, "length" at max_new_tokens. `end`
    is the Token of a stop id that ended the row.
    """

    row: int
    text: str
    token: Token | None = None
    finish_reason: str | None = None
    end: Token | None = None


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


class Completion:
    """One text being written: its Row, and what of it may be shown."""

    def __init__(self, number, row, text):
        self.number, self.row, self.text = number, row, text

    def piece(self, token):
        """Return the Piece that a Token adds, or None if the row ended; raise the row's error.

        Where a stop string has come the row ends here.
        """
        row, stream = self.row, self.text
        if row.error:
            raise row.error
        text = "" if token is None else stream.push(token.id)
        if stream.stopped:
            row.end("stop")
        if not row.going:
            text += stream.close()
            if stream.stopped:  # it came with the last character, which was not whole
                row.end("stop")
        end = token_of(row, row.stopped_by) if token is None else None
        return Piece(self.number, text, token, row.finish_reason, end)

    def cut(self):
        """End the row here; return its last Piece."""
        self.row.end("length")
        return self.piece(None)


def completions(
    model, tokenizer, prompt, max_new_tokens=200, stop=(), n=1, seed=None, n_top=None,
    settings=None,
):  # fmt: skip
    """Return `n` Completions of a prompt that have not begun; for the rest see `complete`."""
    check_integer("n", n, 1)
    stop = [stop] if isinstance(stop, (str, Integral)) else list(stop)
    strings = [s for s in stop if isinstance(s, str)]
    if isinstance(prompt, str):
        prompt = [tokenizer.eot_token, *encode_prompt(tokenizer, prompt)]
    if seed is not None:
        check_integer("seed", seed, 0)
        seed = [seed + i for i in range(n)]
    ids = [s for s in stop if not isinstance(s, str)]
    plan = check_plan(model, max_new_tokens, settings, ids, n_top, tokenizer.n_vocab)
    rows = new_rows(model, [prompt] * n, seed, plan)
    return [Completion(i, row, TextStream(tokenizer, strings)) for i, row in enumerate(rows)]


def complete(
    model, tokenizer, prompt, max_new_tokens=200, stop=(), n=1, seed=None, n_top=None, **settings
):
    """Yield the Pieces of `n` completions of a prompt, a text or a list of ids, as they come.

    `stop` holds ids and strings; a completion ends before them. The text's ids follow the
    separator's, as in training. With n above 1 and a seed, completion i is what seed + i gives
    alone. `n_top`: how many alternatives each token has, None: no log-probabilities. Further
    settings are those of `generate`. Raises ValueError, before the first piece, for bad input.
    """
    texts = completions(
        model, tokenizer, prompt, max_new_tokens, stop, n, seed, n_top, Settings(**settings)
    )
    batch = Batch(
        model, n, min(model.config.n_positions, len(texts[0].row.window) + max_new_tokens)
    )
    of_row = {text.row: text for text in texts}
    for row in of_row:
        batch.join(row)

    def pieces():
        if max_new_tokens == 0:
            yield from [text.cut() for text in texts]
        while batch.rows:
            for row, token in batch.step():
                yield of_row[row].piece(token)

    return pieces()
