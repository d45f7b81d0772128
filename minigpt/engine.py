"""Requests from many people at once, answered in one running batch: continuous batching.

A thread owns a Batch of rows and steps it for ever. A request's rows wait in line for a free
place, join between two steps, and leave when they are over, so that the next in line begins at
once and nobody waits for the longest text (Yu et al. 2022, "Orca: A Distributed Serving System for
Transformer-Based Generative Models"). Between two steps only a bounded piece of a prompt is read,
so that long prompts do not hold up the texts being written.

On a CPU no request changes a bit of what another gets: see batch.py and cpu_rows.py for why.

This knows nothing of HTTP. Whoever submits a request gets a Stream at once, and takes Pieces from
it at any time: a slow reader holds up nobody.
"""

import math
import threading
import time
from collections import deque

from minigpt.batch import Batch
from minigpt.completion import completions
from minigpt.distribution import check_integer
from minigpt.engine_stream import Busy, Closed, Request, Stream, TimedOut
from minigpt.team import one_blas_thread

__all__ = ["Busy", "Closed", "Engine", "Request", "Stream", "TimedOut"]

CACHE_BYTES = 1 << 30  # for keys and values; a row that does not fit waits
READ_TOKENS = 256  # about so many ids of prompts are read between two steps
RECENT = 64  # ends of rows by which the speed is estimated
LONGEST_WAIT_S = 60  # the longest that refused requests are told to wait


class Engine:
    """A model that many may ask."""

    def __init__(self, model, tokenizer, n_rows=64, max_waiting=128):
        """Start a thread that writes up to `n_rows` texts at once, as far as memory allows."""
        self.model, self.tokenizer, self.max_waiting = model, tokenizer, max_waiting
        self.n_rows = rows_that_fit(model, n_rows)
        self._begin_anew()
        self._waiting = deque()  # (Stream, Completion) in the order they came
        self._n_tokens, self._ends = 0, deque(maxlen=RECENT)  # ends: times at which rows ended
        self._changed, self._why_closed = threading.Condition(), None
        self._thread = threading.Thread(target=self._work, daemon=True, name="engine")
        self._thread.start()

    def submit(self, request, notify=None):
        """Return a Stream at once; raise ValueError for a bad request, Busy for a full queue.

        `notify` is called without arguments by another thread; it must not wait. Raises Closed
        after `close`.
        """
        r = request
        check_integer("n", r.n, 1)
        if r.n > self.max_waiting:
            raise ValueError(f"n is {r.n}; it must be at most {self.max_waiting}, the queue's size")
        texts = completions(
            self.model, self.tokenizer, r.prompt, r.max_new_tokens, r.stop, r.n, r.seed, r.n_top,
            r.settings,
        )  # fmt: skip
        end = time.monotonic() + (math.inf if r.timeout_s is None else r.timeout_s)
        stream = Stream(texts, end, notify)
        with self._changed:
            if self._why_closed:
                raise Closed(self._why_closed)
            if len(self._waiting) + r.n > self.max_waiting:
                raise Busy(self._retry_after_s())
            self._waiting.extend((stream, text) for text in texts)
            self._changed.notify()
        return stream

    def stats(self):
        """Return how much is going on: rows there are, running and waiting, tokens so far."""
        return {
            "rows": self.n_rows, "running": len(self._running), "waiting": len(self._waiting),
            "tokens": self._n_tokens,
        }  # fmt: skip

    @property
    def alive(self):
        """Whether it takes requests: it was not closed and has not broken down."""
        return self._why_closed is None

    def close(self):
        """Write nothing more: every Stream ends with Closed."""
        with self._changed:
            self._why_closed = self._why_closed or "the engine has been closed"
            self._changed.notify()
        self._thread.join()

    def _retry_after_s(self):
        """Return in how many seconds those who wait now will have begun, by the recent speed."""
        if len(self._ends) < 2:
            return 1
        seconds_a_row = (time.monotonic() - self._ends[0]) / len(self._ends)
        return max(1, min(LONGEST_WAIT_S, math.ceil(seconds_a_row * len(self._waiting))))

    # ---- the engine's thread ------------------------------------------------------------------

    def _begin_anew(self):
        self._batch = Batch(self.model, self.n_rows)
        self._running = {}  # Row: (Stream, Completion)

    def _work(self):
        """Step the batch until `close`; whatever happens, no Stream is left without an end."""
        why = None
        try:
            while self._wait_for_work():
                with one_blas_thread():  # around all steps: each would switch it back and forth
                    while self._busy():
                        self._try_round()
        except BaseException as error:
            why = f"the engine broke down: {type(error).__name__}"
            raise
        finally:
            with self._changed:
                self._why_closed = why or self._why_closed
            streams = {stream for stream, _ in [*self._running.values(), *self._waiting]}
            self._running = {}
            self._drop(streams, Closed(self._why_closed))

    def _wait_for_work(self):
        """Wait until there is something to write; return False once the engine is closed."""
        with self._changed:
            if not self._running and not self._waiting:
                self._ends.clear()  # an idle hour says nothing of the speed
            self._changed.wait_for(lambda: self._why_closed or self._running or self._waiting)
            return not self._why_closed

    def _busy(self):
        return (self._running or self._waiting) and not self._why_closed

    def _try_round(self):
        try:
            self._round()
        except Exception as error:  # of the batch as a whole: those in it cannot go on
            streams = {stream for stream, _ in self._running.values()}
            self._begin_anew()
            self._drop(streams, error)

    def _round(self):
        """End what has run over its limits, let others begin, and step once."""
        self._heed_limits()
        while self._waiting and self._batch.n_free:
            stream, text = self._waiting.popleft()
            stream.begun = True
            if text.row.going:
                self._running[text.row] = stream, text
                self._batch.join(text.row)
            else:  # nothing at all was asked for
                self._give(stream, [text.cut()])
        pieces, broken = {}, {}
        for row, token in self._batch.step(READ_TOKENS):
            stream, text = self._running[row]
            try:
                pieces.setdefault(stream, []).append(text.piece(token))
            except Exception as error:
                broken[stream] = error
            self._n_tokens += token is not None
        for stream, error in broken.items():
            self._drop([stream], error)
        for stream, new in pieces.items():
            if stream not in broken:
                self._give(stream, new)

    def _give(self, stream, pieces):
        """Hand over Pieces, and the stream's end where all its rows are over."""
        ended = [stream.texts[p.row].row for p in pieces if p.finish_reason]
        for row in ended:
            self._running.pop(row, None)
            self._ends.append(time.monotonic())
        stream.put(pieces, done=bool(ended) and not any(t.row.going for t in stream.texts))

    def _heed_limits(self):
        """End what was cancelled and what has taken too long."""
        now = time.monotonic()
        with self._changed:
            streams = {stream for stream, _ in [*self._running.values(), *self._waiting]}
        for stream in streams:
            if stream.cancelled:
                self._drop([stream])
            elif now > stream.end and not stream.begun:
                self._drop([stream], TimedOut("the time was over before anything was written"))
            elif now > stream.end:
                going = [text for text in stream.texts if text.row.going]
                self._forget(stream)
                self._give(stream, [text.cut() for text in going])

    def _drop(self, streams, error=None):
        """End streams before their time."""
        for stream in streams:
            self._forget(stream)
            for text in stream.texts:
                text.row.end("error")
            stream.put(done=True, error=error)

    def _forget(self, stream):
        """Let no row of a stream wait or run any longer."""
        with self._changed:
            if any(waiting is stream for waiting, _ in self._waiting):
                self._waiting = deque(pair for pair in self._waiting if pair[0] is not stream)
        for text in stream.texts:
            self._running.pop(text.row, None)


def rows_that_fit(model, n_rows):
    """Return how many rows, at most `n_rows`, have room for their keys and values; at least 1."""
    c = model.config
    a_row = 2 * c.n_layer * c.n_positions * c.n_embd * model.weights.flat.itemsize
    return max(1, min(n_rows, CACHE_BYTES // a_row))
