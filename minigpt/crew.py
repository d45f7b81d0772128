"""A crew: processes that do a piece of work together, each its share, again and again.

Threads of one process (parallel.py) take turns whenever Python itself runs, and to be woken for
one's turn can take longer than an operation of a small model. Processes need no turns: on two
cores a training step of 4 layers of 128 channels takes a quarter less time.

The members are forked, copies of this process as it is when it first has work for them, and have
in common what lies in memory made by `shared_copy` before that. What one is told and answers goes
through a pipe, and so does the word from one to the next that it may go on (see Place). A member
ends when the process that made it ends, however that ends: its pipes are closed then. Where there
is no safe way to fork (Windows, macOS) the members are threads.

This is no pool for just any work (see parallel.py), and it knows of no other machine.
"""

import contextlib
import mmap
import os
import pickle
import signal
import sys
import threading
import traceback
from multiprocessing import Pipe

import numpy as np

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
        self._place, self._others = None, []

    def call(self, name, *args):
        """Call target.name(place, *args) in all members at once; return the results in order."""
        return self._together([(call, name, args)] * self.n)

    def map(self, name, items):
        """Return [target.name(item) for item in items]; each member takes every n-th item."""
        results = [None] * len(items)
        parts = self._together([(call_each, name, items[i :: self.n]) for i in range(self.n)])
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
        try:
            if self._place is None:
                self._start()
            for other, (function, *what) in zip(self._others, work[1:], strict=True):
                other.line.send((function, *what))
            function, *what = work[0]
            mine = function(self.target, self._place, *what)
            return [mine, *(answer(other.line) for other in self._others)]
        except BaseException as error:
            if isinstance(error, ChildProcessError | BrokenPipeError):
                error = self._cause(error)
            self.close(kill=True)
            raise error from None

    def _start(self):
        self._place, *places = ring(self.n)
        ends = [Pipe() for _ in places]
        self._others = [
            self._kind(self.target, place, mine, theirs)
            for place, (mine, theirs) in zip(places, ends, strict=True)
        ]
        if self._kind is Process:  # what the others have copies of is closed when they close it
            for place, (_, theirs) in zip(places, ends, strict=True):
                place.close()
                theirs.close()

    def _cause(self, error):
        """Return why a member is gone, of which `error` is the consequence."""
        for other in self._others:
            with contextlib.suppress(OSError, EOFError):
                while other.line.poll(1):
                    fine, said = other.line.recv()
                    if not fine and not isinstance(said, ChildProcessError | BrokenPipeError):
                        return said
        return error


# ---- what is said --------------------------------------------------------------------------------


def call(target, place, name, args):
    """Do one's share of a call."""
    return getattr(target, name)(place, *args)


def call_each(target, place, name, items):
    """Do one's share of a map."""
    return [getattr(target, name)(item) for item in items]


def answer(line):
    """Return what a member has found; raise what it has raised."""
    try:
        fine, result = line.recv()
    except (EOFError, ConnectionError):
        raise ChildProcessError(GONE) from None
    if not fine:
        raise result
    return result


GONE = (
    "a worker process has been killed; perhaps there was too little memory: a smaller "
    "--batch-size takes less, with --accumulate for the same gradient, and so do fewer --workers"
)


def serve(target, place, line):
    """Do what is asked for, until nobody is left who could ask or something goes wrong."""
    try:
        while True:
            function, *what = line.recv()
            line.send((True, function(target, place, *what)))
    except (EOFError, ConnectionError):
        pass
    except BaseException as error:
        error.add_note("in a worker:\n" + "".join(traceback.format_exception(error)))
        with contextlib.suppress(OSError):
            try:
                line.send((False, error))
            except (pickle.PickleError, TypeError, AttributeError):  # it cannot be sent
                line.send((False, RuntimeError(repr(error))))
    finally:
        place.close()
        line.close()


# ---- the members ---------------------------------------------------------------------------------


class Place:
    """A member's place in the ring: it hears from the one before, and tells the one after.

    `index` counts from 0; the one before the first is the last.
    """

    def __init__(self, index, n, before=None, after=None):
        self.index, self.n = index, n
        self._before, self._after = before, after  # file descriptors of pipes
        self._heard = 0

    def begin(self):
        """Forget what was heard."""
        self._heard = 0

    def wait(self, count):
        """Wait until the one before has passed on `count` times since the beginning."""
        while self._heard < count:
            said = os.read(self._before, 4096)
            if not said:
                raise ChildProcessError(GONE)
            self._heard += len(said)

    def pass_on(self):
        """Let the next one go on; all that was written to shared memory before, it can see."""
        os.write(self._after, b".")

    def files(self):
        """Return the file descriptors that it needs."""
        return {self._before, self._after} - {None}

    def close(self):
        """Let the neighbours know that nothing more will come."""
        for file in self.files():
            os.close(file)
        self._before = self._after = None


def ring(n):
    """Return the `n` Places of a crew."""
    if n == 1:
        return [Place(0, 1)]
    pipes = [os.pipe() for _ in range(n)]  # pipes[i] is from member i - 1 to member i
    return [Place(i, n, pipes[i][0], pipes[(i + 1) % n][1]) for i in range(n)]


class Process:
    """A member that is a process."""

    def __init__(self, target, place, mine, theirs):
        self.line = mine
        sys.stdout.flush()
        sys.stderr.flush()
        self._id = os.fork()
        if self._id == 0:
            try:
                for number in (signal.SIGINT, signal.SIGTERM):  # the first member decides
                    signal.signal(number, signal.SIG_IGN)
                # a lock that this process holds must go with it, whatever becomes of the member
                close_files_but({theirs.fileno(), *place.files()})
                serve(target, place, theirs)
            finally:
                os._exit(0)

    def end(self, kill):
        """Wait until it has ended, once nobody can ask it for more."""
        self.line.close()
        if kill:
            os.kill(self._id, signal.SIGKILL)
        os.waitpid(self._id, 0)


def close_files_but(kept):
    """Close all open files but the standard ones and those with these descriptors."""
    start = 3
    for file in [*sorted(kept), os.sysconf("SC_OPEN_MAX")]:
        if start < file:  # of an empty range CPython 3.11 closes everything
            os.closerange(start, file)
        start = file + 1


class Thread:
    """A member that is a thread of this process."""

    def __init__(self, target, place, mine, theirs):
        self.line = mine
        self._thread = threading.Thread(target=serve, args=(target, place, theirs), daemon=True)
        self._thread.start()

    def end(self, kill):
        """Wait until it has ended; it cannot be killed."""
        self.line.close()
        self._thread.join()
