"""From the engine's threads to the event loop: who waits for pieces, and when they are woken.

An engine's thread draws a token for every row in a step, and says for each Stream that there is
something new. Waking the event loop for each would cost more than the token; here all that came
is noted, and the loop is woken once. Where many wait, it also waits a little between two rounds,
so that a chunk holds several tokens: the more streams, the fewer chunks each gets. Nobody waits so
for his first token.
"""

import asyncio
import contextlib
import threading
from collections import deque

PAUSE_S_PER_STREAM = 0.002  # between two rounds; alone one waits for nothing


class Wakeups:
    """Sets asyncio Events from other threads; one callback of the loop serves all that came."""

    def __init__(self, loop):
        self.loop, self.n_open = loop, 0
        self._rung, self._coming, self._lock = deque(), False, threading.Lock()

    def ring(self, event, at_once=False):
        """Have `event` set soon, or `at_once` though others wait; from any thread."""
        with self._lock:
            if not self._coming:
                self._rung.append(event)
                self._coming, wake = True, self._wake
            elif at_once:
                wake = event.set
            else:  # the loop will see it by itself: waking it costs a system call
                self._rung.append(event)
                return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(wake)

    def _wake(self):
        with self._lock:
            rung, self._rung = self._rung, deque()
            # where many wait it comes back until a round brings nothing
            again = self._coming = bool(rung) and self.n_open > 1
        if again:
            self.loop.call_later(PAUSE_S_PER_STREAM * self.n_open, self._wake)
        for event in rung:
            event.set()


class Writing:
    """What an Asked's engine writes; `rounds` gives it as it comes. Use as a context manager."""

    def __init__(self, asked, wakeups):
        """Submit every request; raise Busy, ValueError as the engine does."""
        self.event, self.wakeups, self.streams, self.stopped = asyncio.Event(), wakeups, [], None
        self._told = False  # whether anything has come
        try:
            for request in asked.requests:
                self.streams.append(asked.served.engine.submit(request, self._tell))
        except Exception:
            self.cancel()
            raise

    def _tell(self):
        first, self._told = not self._told, True
        self.wakeups.ring(self.event, at_once=first)

    def __enter__(self):
        self.wakeups.n_open += 1
        return self

    def __exit__(self, *_):
        self.wakeups.n_open -= 1
        self.cancel()

    def cancel(self):
        """Have nothing more written."""
        for stream in self.streams:
            if not stream.done:
                stream.cancel()

    def stop(self, reason):
        """End `rounds` now; `reason` is what it raises."""
        self.stopped = reason
        self.event.set()

    async def rounds(self):
        """Yield lists of (number of the request, its pieces) until all are done.

        Raises the error that ended a stream, and what `stop` was given.
        """
        while True:
            await self.event.wait()
            self.event.clear()
            if self.stopped:
                raise self.stopped
            done = all(stream.done for stream in self.streams)  # before its last pieces are taken
            yield [(k, stream.take()) for k, stream in enumerate(self.streams)]
            for stream in self.streams:
                if stream.error is not None:
                    raise stream.error
            if done:
                return
