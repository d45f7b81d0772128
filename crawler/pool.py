"""Work in other processes, through `concurrent.futures`.

`spread` hands tasks to any executor: the `Pool` here, threads, or another library's, on other
machines. `Pool` is a `ProcessPoolExecutor` with its traps removed:

    fork with threads   a forked child inherits locks that nobody will release, such as those of a
                        progress bar's thread: workers are spawned, fresh interpreters
    Ctrl-C              the terminal interrupts all processes, each with its own traceback: workers
                        are born with that signal blocked, and stop when their owner does; another
                        one while it waits for that would leave all waiting for each other
    kill -9             workers whose owner is gone wait for ever: here they end with it
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread, current_thread, main_thread
from typing import Any


class Pool(ProcessPoolExecutor):
    """So many processes, which end with the one that made them."""

    def __init__(self, n_workers: int):
        super().__init__(n_workers, get_context("spawn"), _end_with_parent)

    def submit(self, function: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """Have a worker call the function; one is started if there are too few."""
        with _interrupts_blocked():
            return super().submit(function, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the workers end what they are at; a second Ctrl-C does not leave them waiting."""
        with _deaf_to_interrupts():
            super().shutdown(wait, cancel_futures=cancel_futures)


class Inline(Executor):
    """An executor that does the work itself, at once."""

    def submit(self, function: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """Call the function."""
        future: Future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def spread(
    executor: Executor, function: Callable, tasks: Iterable[tuple], ahead: int
) -> Iterator[Any]:
    """Yield what the function returns for each tuple of arguments, in order.

    At most `ahead` tasks wait or run at a time, so that `tasks` may be endless. An error in one
    comes out here; the others are given up.
    """
    waiting: deque[Future] = deque()
    try:
        for task in tasks:
            waiting.append(executor.submit(function, *task))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _end_with_parent() -> None:
    def wait() -> None:
        parent_process().join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def n_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Keep Ctrl-C waiting, here and for good in processes that are started meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C, here in the main thread, which is the one that it interrupts."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
