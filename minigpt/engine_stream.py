"""What goes into an engine and what comes out: a Request, and a Stream of Pieces or an error.

A Stream has two sides. The engine's thread puts Pieces in and never waits; whoever asked takes them
out when he likes, so a slow reader gets several at once and holds up nobody.
"""

import threading
from dataclasses import dataclass, field

from minigpt.distribution import Settings


@dataclass(frozen=True)
class Request:
    """What somebody wants written; the fields are those of `complete`.

    `timeout_s` counts from `submit`, waiting included.
    """

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


class TimedOut(Exception):
    """A request's time was over before its turn came."""


class Closed(Exception):
    """The engine has been closed, or broke down."""


class Stream:
    """What comes of a request: Pieces, taken by somebody else than who makes them.

    `notify` is called by the engine's thread when there is something to take, and again only after
    it was taken. Once `done`, nothing more comes (so ask that first, and `take` then); `error` is
    what ended it, or None.
    """

    def __init__(self, texts, end, notify=None):
        self.texts, self.notify = texts, notify or (lambda: None)
        self.prompt_ids = texts[0].row.prompt
        self.done, self.error, self.cancelled = False, None, False
        self.end, self.begun = end, False  # when its time is over; whether any row has begun
        self._pieces, self._changed = [], threading.Condition()

    def take(self):
        """Return the Pieces that came since the last time; never wait."""
        with self._changed:
            pieces, self._pieces = self._pieces, []
            return pieces

    def cancel(self):
        """Have nothing more written; may be called by any thread."""
        self.cancelled = True

    def __iter__(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self.done)
            pieces = self.take()
            yield from pieces
            if not pieces:
                if self.error:
                    raise self.error
                return

    def put(self, pieces=(), done=False, error=None):
        """Add what is new: the engine's thread alone does it."""
        with self._changed:
            untold = not self._pieces
            self._pieces += pieces
            self.done, self.error = done, error
            self._changed.notify_all()
        if untold or done:
            try:
                self.notify()
            except Exception:  # whoever was to be told is gone
                self.cancelled = True
