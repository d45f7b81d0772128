"""Requests from many people at once, each answered as if it were alone.

`submit` gives a Stream at once; a thread draws tokens and puts them there as they come.
"""

import threading
import time
from dataclasses import dataclass, field

from minigpt.completion import complete, encode_prompt
from minigpt.distribution import Settings


@dataclass(frozen=True)
class Request:
    """What somebody wants written; the fields are those of `complete`."""

    prompt: str | list[int]
    max_new_tokens: int = 200
    settings: Settings = field(default_factory=Settings)
    stop: tuple = ()
    n: int = 1
    seed: int | None = None
    n_top: int | None = None
    timeout_s: float | None = None


class Busy(Exception):
    """Too many are waiting; try again after `retry_after_s` seconds."""

    def __init__(self, retry_after_s):
        super().__init__(f"too many requests are waiting; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Stream:
    """What comes of a request: Pieces, taken by somebody else than who makes them."""

    def __init__(self, prompt_ids, notify):
        self.prompt_ids, self.notify = prompt_ids, notify or (lambda: None)
        self.done, self.error, self.cancelled = False, None, False
        self._pieces, self._changed = [], threading.Condition()

    def take(self):
        """Return the Pieces that came since the last time; never wait."""
        with self._changed:
            pieces, self._pieces = self._pieces, []
            return pieces

    def cancel(self):
        """Have nothing more written."""
        self.cancelled = True

    def __iter__(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self.done)
                pieces, self._pieces = self._pieces, []
            yield from pieces
            if not pieces:
                if self.error:
                    raise self.error
                return

    def _put(self, pieces=(), done=False, error=None):
        with self._changed:
            self._pieces += pieces
            self.done, self.error = self.done or done, error
            self._changed.notify_all()
        self.notify()


class Engine:
    """A model that many may ask."""

    def __init__(self, model, tokenizer, n_rows=64, max_waiting=128):
        self.model, self.tokenizer, self.max_waiting = model, tokenizer, max_waiting
        self._running, self._n_tokens = 0, 0

    def submit(self, request, notify=None):
        """Return a Stream at once; raise ValueError for a bad request, Busy for a full queue."""
        if self._running >= self.max_waiting:
            raise Busy(1)
        ids = request.prompt
        if isinstance(ids, str):
            ids = [self.tokenizer.eot_token, *encode_prompt(self.tokenizer, ids)]
        pieces = complete(
            self.model, self.tokenizer, ids, request.max_new_tokens, request.stop, request.n,
            request.seed, request.n_top, **vars(request.settings),
        )  # fmt: skip
        stream = Stream(ids, notify)
        self._running += 1
        threading.Thread(target=self._write, args=(stream, pieces, request), daemon=True).start()
        return stream

    def _write(self, stream, pieces, request):
        end = time.monotonic() + (request.timeout_s or 1e9)
        error = None
        try:
            for piece in pieces:
                self._n_tokens += piece.token is not None
                stream._put([piece])
                if stream.cancelled or time.monotonic() > end:
                    break
        except Exception as e:
            error = e
        self._running -= 1
        stream._put(done=True, error=error)

    def stats(self):
        """Return how much is going on."""
        return {"rows": 0, "running": self._running, "waiting": 0, "tokens": self._n_tokens}

    def close(self):
        """Write nothing more."""
