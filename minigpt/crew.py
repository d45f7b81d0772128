"""A crew: processes that do a piece of work together, each its share, again and again.

Threads of one process (parallel.py) take turns whenever Python itself runs, and to be woken for
one's turn can take longer than an operation of a small model. Processes need no turns: on two
cores a training step of 4 layers of 128 channels takes a quarter less time.

The members are forked, copies of this process as it is when it first has work for them, and have
in common what lies in memory made by `shared_copy` before that. What one is told and answers goes
through a pipe, and so does the word from one to the next that it may go on: gradient.py says what
for. A member ends when the process that made it ends, however that ends: its pipes are closed then.
Other threads of this process are not copied, and what they were doing stays undone in the copies,
which is harmless here: a member only computes. Where forking is not to be relied on (Windows,
macOS) the members are threads.

This is no pool for just any work (see parallel.py), and it knows of no other machine.
"""

import contextlib
import mmap
import sys
from multiprocessing import Pipe

import numpy as np

from minigpt.crew_members import GONE, Process, Thread, close_all, receive, ring, send, wait_for

CAN_FORK = sys.platform.startswith("linux")


def shared_copy(x):
    """Return a copy of the array `x` in memory that processes forked from now on have in common."""
    copy = np.frombuffer(mmap.mmap(-1, max(1, x.nbytes)), x.dtype, x.size).reshape(x.shape)
    copy[...] = x
    return copy


class Crew:
    """`n` members, of which this process is the first, each with a copy of `target`.

    The copies have shared memory in common; other changes made to `target` after the first work
    are seen by nobody else. What a member raises is raised here, and ends the crew; that one was
    killed is a ChildProcessError.
    """

    def __init__(self, target, n, fork=CAN_FORK):
        self.target, self.n, self._kind = target, n, Process if fork else Thread
        self.forks = fork and n > 1  # then what they are to have in common must be shared memory
        self._place, self._others = None, []

    def call(self, name, *args):
        """Call target.name(place, *args) in all members at once; return the results in order."""
        return self._together([(call_method, name, args)] * self.n)

    def map(self, name, items):
        """Return [target.name(item) for item in items]; each member takes every n-th item."""
        results = [None] * len(items)
        parts = self._together([(call_for_each, name, items[i :: self.n]) for i in range(self.n)])
        for i, part in enumerate(parts):
            results[i :: self.n] = part
        return results

    def close(self, kill=False):
        """End the other members; more work would start new ones."""
        others, self._others = self._others, []
        if self._place is not None:
            self._place.close()
            self._place = None
        for other in others:
            other.end(kill)

    def _together(self, work):
        """Have member i do work[i]; return what they return."""
        if self._place is None:
            self._start()
        try:
            for other, what in zip(self._others, work[1:], strict=True):
                tell(other.line, what)
            function, *what = work[0]
            mine = function(self.target, self._place, *what)
            return [mine, *(answer(other.line) for other in self._others)]
        except ChildProcessError as error:
            cause = self._cause(error)
            self.close(kill=True)
            raise cause from None
        except BaseException:
            self.close(kill=True)
            raise

    def _start(self):
        self._place, *places = ring(self.n)
        ends = [Pipe() for _ in places]
        theirs = [end for _, end in ends]
        try:
            for place, (mine, end) in zip(places, ends, strict=True):
                self._others.append(self._kind(self.target, place, mine, end))
        except BaseException as error:
            close_all([*places, *(end for pair in ends for end in pair)])
            self.close(kill=True)
            if isinstance(error, OSError):
                raise OSError(f"no worker can be started ({error}); fewer --workers?") from None
            raise
        if self._kind is Process:  # what the others have copies of is closed when they close it
            close_all([*places, *theirs])

    def _cause(self, error):
        """Return why a member is gone, of which `error` is the consequence."""
        for other in self._others:
            with contextlib.suppress(OSError, EOFError):
                while other.line.poll(1):
                    fine, said = receive(other.line)
                    if not fine and not isinstance(said, ChildProcessError):
                        return said
        return error


# ---- what is said --------------------------------------------------------------------------------


def call_method(target, place, name, args):
    """Do one's share of a call."""
    return getattr(target, name)(place, *args)


def call_for_each(target, place, name, items):
    """Do one's share of a map."""
    return [getattr(target, name)(item) for item in items]


def tell(line, what):
    """Send a member what it is to do."""
    try:
        send(line, what)
    except ConnectionError:
        raise ChildProcessError(GONE) from None


def answer(line):
    """Return what a member has found; raise what it has raised."""
    try:
        wait_for(line)
        fine, result = receive(line)
    except (EOFError, ConnectionError):
        raise ChildProcessError(GONE) from None
    if not fine:
        raise result
    return result
