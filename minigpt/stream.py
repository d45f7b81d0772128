"""From ids to text that may be shown at once.

Two things are held back while streaming: the bytes of a character that is not whole yet, for a
token may end inside one, and text that may turn out to be the beginning of a stop string.
"""

import codecs
import re


def stream_text(tokenizer, ids):
    """Yield text for an iterable of ids, holding back bytes until a character is whole."""
    stream = TextStream(tokenizer)
    for id in ids:
        if text := stream.push(id):
            yield text
    if rest := stream.close():
        yield rest


class TextStream:
    """Turns ids into text that may be shown at once; ends before the first stop string."""

    def __init__(self, tokenizer, stop=()):
        """Raise ValueError for an empty stop string."""
        self.stop = [stop] if isinstance(stop, str) else list(stop)
        if "" in self.stop:
            raise ValueError("a stop string is empty; it must have a character at least")
        self.stopped = False  # whether a stop string has come
        self._tokenizer, self._held = tokenizer, ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._stop_regex = re.compile("|".join(map(re.escape, self.stop))) if self.stop else None

    def push(self, id):
        """Take the next id; return the text that is certain now, which may be empty."""
        return self._advance(self._decoder.decode(self._tokenizer.decode_bytes([id])))

    def close(self):
        """Return what was held back: the text is over. An unfinished character becomes U+FFFD."""
        text = self._advance(self._decoder.decode(b"", final=True))
        held, self._held = self._held, ""
        return text if self.stopped else text + held

    def _advance(self, text):
        if self._stop_regex is None or self.stopped:
            return "" if self.stopped else text
        text = self._held + text
        if found := self._stop_regex.search(text):
            self.stopped, self._held = True, ""
            return text[: found.start()]
        certain = len(text) - max(beginning_at_end(text, stop) for stop in self.stop)
        self._held = text[certain:]
        return text[:certain]


def beginning_at_end(text, stop):
    """Return how many characters of `stop`, not all, `text` ends with: the most there are."""
    longest = min(len(stop) - 1, len(text))
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
