"""The members of a crew (crew.py): how they are started, what they do, how they end.

Each has a line, a pipe to the first member, on which it is told what to do and answers; and a
Place in a ring of pipes, by which all go through a step in one order.
"""

import contextlib
import os
import pickle
import select
import signal
import sys
import threading
import time

GONE = (
    "a worker process has been killed; perhaps there was too little memory: a smaller "
    "--batch-size takes less, with --accumulate for the same gradient, and so do fewer --workers"
)

AWAKE = 0.002  # seconds


def wait_for(file):
    """Wait until there is something to read in `file`, an open file or its descriptor.

    Awake at first, though others may go before: to be woken takes 50 microseconds, as long as an
    operation of a small model. Could no other program go before, a step that takes 18 ms alone on
    two cores (3 layers, 96 channels) would take 49 instead of 36 beside one that computes.
    """
    if not hasattr(select, "poll"):  # Windows, where the members are threads: to read is to wait
        return
    poll = select.poll()
    poll.register(file, select.POLLIN)
    until = time.perf_counter() + AWAKE
    while not poll.poll(0 if time.perf_counter() < until else None):
        os.sched_yield()


def send(line, what):
    """Send what can be pickled.

    Not by `line.send`: where that fails, what it leaves behind crashes CPython 3.12.1, and makes
    others complain, as soon as garbage is collected (python/cpython, issue 111049).
    """
    line.send_bytes(pickle.dumps(what))


def receive(line):
    """Return what was sent."""
    return pickle.loads(line.recv_bytes())


def serve(target, place, line):
    """Do what is asked for, until nobody is left who could ask or something goes wrong."""
    try:
        while True:
            try:
                wait_for(line)
                function, *what = receive(line)
            except (EOFError, ConnectionError):
                return
            try:
                said = (True, function(target, place, *what))
            except BaseException as error:
                said = (False, sendable(error))
            send(line, said)
            if not said[0]:
                return
    except ConnectionError:
        pass
    finally:
        place.close()
        line.close()


def sendable(error):
    """Return an exception, or a description of one that would not arrive as it is."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(repr(error))
    return error


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
            wait_for(self._before)
            said = os.read(self._before, 4096)
            if not said:
                raise ChildProcessError(GONE)
            self._heard += len(said)

    def pass_on(self):
        """Let the next one go on; all that was written to shared memory before, it can see."""
        try:
            os.write(self._after, b".")
        except BrokenPipeError:
            raise ChildProcessError(GONE) from None

    def files(self):
        """Return the file descriptors that it needs."""
        return {self._before, self._after} - {None}

    def close(self):
        """Let the neighbours know that nothing more will come."""
        files, self._before, self._after = self.files(), None, None
        for file in files:
            os.close(file)


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
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._id, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # the system does not keep who has ended
            os.waitpid(self._id, 0)


def close_files_but(kept):
    """Close all open files but the standard ones and those with these descriptors."""
    start = 3
    for file in [*sorted(kept), os.sysconf("SC_OPEN_MAX")]:
        if start < file:  # of an empty range CPython 3.11 closes everything
            os.closerange(start, file)
        start = max(start, file + 1)


def close_all(things):
    """Close places and ends of pipes."""
    for thing in things:
        thing.close()


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
