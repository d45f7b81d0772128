"""Threads that fetch, so that a crawl can wait for many servers at once.

Jobs go in, results come out in the order in which they are done. The main thread alone calls what
is here; the threads touch neither the frontier nor the new archive.
"""

import queue
import threading
from pathlib import Path

from crawler.earlier import Record
from crawler.fetch import Fetcher
from crawler.frontier import Visit
from crawler.politeness import Host
from crawler.robots import Robots
from crawler.visit import RobotsResult, VisitResult, read_robots, visit_page, visit_sitemap


class Workers:
    """So many threads, at work inside a `with` block; earlier archives are in `folder`."""

    def __init__(self, fetcher: Fetcher, folder: Path, n_workers: int):
        self._fetcher = fetcher
        self._folder = folder
        self._n_workers = n_workers
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        self._results: queue.SimpleQueue = queue.SimpleQueue()
        self.n_running = 0  # jobs whose results were not taken yet

    def __enter__(self) -> "Workers":
        for _ in range(self._n_workers):
            threading.Thread(target=self._work, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        for _ in range(self._n_workers):
            self._jobs.put(None)
        self._fetcher.close()

    def ask(self, host: Host, what: Visit | str, record: Record | None = None) -> None:
        """Have a page fetched, or the robots.txt of an origin; `record` is the page's last one."""
        self.n_running += 1
        self._jobs.put((host, what, record))

    def next_result(self, timeout_s: float) -> tuple[Host, VisitResult | RobotsResult] | None:
        """Wait for a result; return None if there is none in time."""
        try:
            host, result = self._results.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self.n_running -= 1
        return host, result

    def _work(self) -> None:
        """Be a thread: do one job after the other."""
        while (job := self._jobs.get()) is not None:
            host, what, record = job
            try:
                if isinstance(what, str):
                    result = read_robots(self._fetcher, what)
                elif what.is_sitemap:
                    result = visit_sitemap(self._fetcher, what)
                else:
                    result = visit_page(self._fetcher, what, record, self._folder)
            except Exception as error:  # a defect of ours must not end a crawl of a million pages
                result = _internal_error(what, error)
            self._results.put((host, result))


def _internal_error(what: Visit | str, error: Exception) -> VisitResult | RobotsResult:
    """Return the result of a job in which we ourselves failed; robots.txt then allows nothing."""
    problem = f"internal {type(error).__name__}"
    if isinstance(what, str):
        return RobotsResult(what, Robots("User-agent: *\nDisallow: /"), problem)
    return VisitResult(what, f"error: {problem}")
