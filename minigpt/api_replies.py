"""From Pieces to what OpenAI's clients expect: one object, or chunks of one.

A Reply is one answer. While streaming, `chunk` makes one object of all the pieces that came since
the last one, so that whoever reads slowly gets fewer and larger chunks; `whole` makes one object
of all there are. With return_token_ids there are `prompt_token_ids` and `token_ids`, as vLLM names
them; log-probabilities have the token's id too. In /v1/completions these have OpenAI's old shape,
whose `text_offset` counts from where the answer's text begins, and beside it `content`, as in a
chat.

Source: OpenAI's API reference, "The chat completion object", "The chat completion chunk object",
"The completion object".
"""

import json
import secrets
import time

LEAST_LOGPROB = -9999.0  # OpenAI's, for a probability of 0: JSON has no infinity

# what str.splitlines takes for the end of a line, though neither JSON nor server-sent events do
LINE_ENDS = {"\u0085": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode_json(value):
    """Return JSON that is one line, however a client cuts lines."""
    text = to_json(value)
    for end, escaped in LINE_ENDS.items():
        text = text.replace(end, escaped)
    return text


class Choice:
    """One of the texts of a Reply: what came of it and was not given out yet.

    With `echo` it begins with a prompt's (text, Tokens), and the Token that ended it counts.
    """

    def __init__(self, index, echo=None):
        self.index, self.tokens, self.finish_reason = index, [], None
        self.texts, self.echo = ([echo[0]], echo[1]) if echo else ([], [])
        self.shows_end, self.end = echo is not None, None
        self.n_tokens, self.n_chars, self.given_out = 0, 0, False

    def add(self, piece):
        """Keep the text and the token of a piece, for `take`, and why it is the last, if it is."""
        if piece.text:
            self.texts.append(piece.text)
        if piece.token is not None:
            self.tokens.append(piece.token)
            self.n_tokens += 1
        self.finish_reason = piece.finish_reason
        self.end = piece.end if self.shows_end else None

    def take(self):
        """Return (text, tokens, those to be shown with their log-probabilities) since last time."""
        shown = [*self.echo, *self.tokens, *([self.end] if self.end else [])]
        taken = "".join(self.texts), self.tokens, shown
        self.texts, self.tokens, self.echo, self.end = [], [], [], None
        return taken


class Reply:
    """The answer to an Asked; subclasses say how a choice looks."""

    def __init__(self, asked, echoes=None):
        """`echoes`: (text, Tokens) of each prompt, where they are asked for; see api_echo.py."""
        self.asked, self.text_of = asked, asked.served.text_of
        self.head = {
            "id": f"{self.id_prefix}-{secrets.token_hex(12)}",
            "object": self.chunk_object if asked.stream else self.object,
            "created": int(time.time()),
            "model": asked.served.name,
        }
        echoes = echoes or [None] * len(asked.requests)
        self.choices = [Choice(i, echoes[i // asked.n]) for i in range(asked.n * len(echoes))]
        self.shows_tokens = asked.n_top is not None or asked.return_token_ids

    def add(self, k, pieces):
        """Add pieces that came of request `k`."""
        first = k * self.asked.n
        for piece in pieces:
            self.choices[first + piece.row].add(piece)

    def start(self):
        """Return the object that a stream begins with, None where it needs none."""
        if not self.asked.chat and not self.asked.return_token_ids:
            return None
        choices = [self.choice_start(choice.index) for choice in self.choices]
        return self._object(choices) | self._prompt()

    def chunk(self):
        """Return an object of what came since the last one, or None where that is nothing yet."""
        choices = []
        for choice in self.choices:
            ends = choice.finish_reason is not None and not choice.given_out
            if ends or choice.texts or (choice.tokens and self.shows_tokens):
                choice.given_out = ends or choice.given_out
                choices.append(self._choice(choice))
        return self._object(choices) if choices else None

    def usage_chunk(self):
        """Return the chunk after the last, with what was used."""
        return self._object([]) | {"usage": self.usage()}

    def whole(self):
        """Return the one object of an answer that is not streamed."""
        choices = [self._choice(choice) for choice in self.choices]
        return self._object(choices) | self._prompt() | {"usage": self.usage()}

    def usage(self):
        """Return how many tokens were read and written."""
        read = sum(len(request.prompt) for request in self.asked.requests)
        written = sum(choice.n_tokens for choice in self.choices)
        return {
            "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written
        }  # fmt: skip

    def _object(self, choices):
        made = self.head | {"choices": choices}
        if self.asked.include_usage:
            made["usage"] = None
        return made

    def _prompt(self):
        if not self.asked.return_token_ids:
            return {}
        prompts = [request.prompt for request in self.asked.requests]
        return {"prompt_token_ids": prompts[0] if len(prompts) == 1 else prompts}

    def _choice(self, choice):
        text, tokens, shown = choice.take()
        logprobs = None
        if self.asked.n_top is not None and (shown or not self.asked.stream):
            logprobs = self.logprobs(choice, shown)
        made = self.choice(choice.index, text) | {
            "logprobs": logprobs, "finish_reason": choice.finish_reason
        }  # fmt: skip
        if self.asked.return_token_ids:
            made["token_ids"] = [token.id for token in tokens]
        return made

    def content(self, tokens):
        """Return the log-probabilities of tokens, as a chat has them."""
        return [
            self._entry(token.id, token.logprob)
            | {"top_logprobs": [self._entry(id, logprob) for id, logprob in token.top]}
            for token in tokens
        ]

    def _entry(self, id, logprob):
        text, data = self.text_of(id)
        logprob = None if logprob is None else max(logprob, LEAST_LOGPROB)
        return {"token": text, "id": id, "logprob": logprob, "bytes": data}


class ChatReply(Reply):
    """Of /v1/chat/completions."""

    id_prefix, object, chunk_object = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def choice_start(self, index):
        """Return who speaks."""
        delta = {"role": "assistant", "content": ""}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def choice(self, index, text):
        """Return the part of a choice that holds the text."""
        if self.asked.stream:
            return {"index": index, "delta": {"content": text} if text else {}}
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message}

    def logprobs(self, choice, tokens):
        """Return the log-probabilities of a choice."""
        return {"content": self.content(tokens), "refusal": None}


class CompletionReply(Reply):
    """Of /v1/completions."""

    id_prefix, object, chunk_object = "cmpl", "text_completion", "text_completion"

    def choice_start(self, index):
        """Return a choice without text."""
        return {"index": index, "text": "", "logprobs": None, "finish_reason": None}

    def choice(self, index, text):
        """Return the part of a choice that holds the text."""
        return {"index": index, "text": text}

    def logprobs(self, choice, tokens):
        """Return the log-probabilities of a choice in OpenAI's old shape."""
        content = self.content(tokens)
        offsets = []
        for entry in content:
            offsets.append(choice.n_chars)
            # UTF-8 continues a character with bytes 0x80 to 0xBF
            choice.n_chars += sum(not 0x80 <= byte < 0xC0 for byte in entry["bytes"])
        return {
            "tokens": [entry["token"] for entry in content],
            "token_logprobs": [entry["logprob"] for entry in content],
            "top_logprobs": [
                None
                if entry["logprob"] is None
                else {top["token"]: top["logprob"] for top in reversed(entry["top_logprobs"])}
                for entry in content
            ],
            "text_offset": offsets,
            "content": content,
        }
