"""Threads that share one small piece of work: a matrix times a few vectors, some heads' attention.

Generating a token is a chain of such pieces, each some ten microseconds long, so what counts is
how fast a thread is woken. The threads here are kept for the life of the process and wait for
work at a queue of their own. For a training step, whose slices take milliseconds, see parallel.py.

NumPy lets go of Python's global lock while it computes. The BLAS library's own threads are
switched off meanwhile: they wait by spinning, which a busy machine punishes heavily.
"""

import os
import threading
from contextlib import contextmanager
from queue import SimpleQueue

from threadpoolctl import ThreadpoolController

from minigpt.parallel import count_cores


class Team:
    """`n` threads, the caller's being the first (0: one a core)."""

    def __init__(self, n=0):
        self.n = n or count_cores()
        self._free = threading.Lock()
        self._inboxes = [SimpleQueue() for _ in range(self.n - 1)]
        for inbox in self._inboxes:
            threading.Thread(target=work, args=(inbox,), daemon=True).start()

    def run(self, function, parts):
        """Call function(part) for each of the parts at the same time; there are at most `n`.

        What no thread has begun when the caller is done with its own, the caller does: on a busy
        machine a thread may be woken late. What a part raises, raises here.
        """
        if len(parts) <= 1 or self._free.locked():  # others are using it
            for part in parts:
                function(part)
            return
        with self._free:  # not acquire() and then try: an interrupt between them would keep it
            jobs = [Job(function, part) for part in parts[1:]]
            for inbox, job in zip(self._inboxes, jobs, strict=False):
                inbox.put(job)
            try:
                function(parts[0])
            finally:
                for job in jobs:  # all of them, whatever one raises: nobody must be left at work
                    job.do()
                    job.wait()
            for job in jobs:
                if job.error is not None:
                    raise job.error


class Job:
    """A call that whoever comes first makes."""

    def __init__(self, function, part):
        self.function, self.part, self.error = function, part, None
        self._begun, self._done = threading.Lock(), threading.Lock()
        self._done.acquire()

    def do(self):
        """Make the call, unless somebody has begun it."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            self.function(self.part)
        except BaseException as error:
            self.error = error
        self._done.release()

    def wait(self):
        """Wait until it is done."""
        self._done.acquire()


def work(inbox):
    """Do the jobs of an inbox for ever: what a thread of a team does."""
    while True:
        inbox.get().do()


_team = None


def team():
    """Return the team of this process."""
    global _team
    if _team is None:
        _team = Team()
    return _team


def forget_team():
    """Have the next `team()` make a new one: threads do not survive a fork."""
    global _team
    _team = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_team)


class BlasLimit:
    """BLAS's own threads switched off, as long as anybody here wants it so."""

    def __init__(self):
        self._lock, self._users, self._libraries, self._before = threading.Lock(), 0, None, []

    @contextmanager
    def __call__(self):
        """Switch them off inside a `with` statement."""
        with self._lock:
            if self._libraries is None:  # finding them takes a while: once
                self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            if self._users == 0:
                self._before = [library.get_num_threads() for library in self._libraries]
                for library in self._libraries:
                    set_blas_threads(library, 1)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    for library, n in zip(self._libraries, self._before, strict=True):
                        set_blas_threads(library, n)


def set_blas_threads(library, n):
    """Set how many threads a BLAS library uses, in the whole process.

    From version 3.8 on threadpoolctl listens only to the first thread that asked, and says nothing
    to the others, unless that thread is made to step down.
    """
    step_down = getattr(library, "clear_controlling_thread", lambda force: None)
    step_down(force=True)
    library.set_num_threads(n)
    step_down(force=True)


one_blas_thread = BlasLimit()
