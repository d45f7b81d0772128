"""When each host may be asked again: so many requests at a time, and a pause between two.

All in memory: nothing here needs to survive. Hosts wait in a heap by the time they are next due, so
that they take turns, and a slow or busy one, or one with a hundred thousand links, holds up nobody.
"""

import heapq
import time
from collections.abc import Callable

from crawler.visit import RobotsResult

MAX_UNANSWERED = 5  # visits in a row without an answer; then the host is given up
MAX_FAILURES = 20  # visits in a row that failed in any way that may pass
MAX_PAUSE_S = 300.0  # a host that asks for more patience with Retry-After is asked after this
MAX_BACKOFF_S = 60.0  # our own pause after failures grows up to this
MAX_CRAWL_DELAY_S = 60.0  # a host that asks for a longer delay gets this one
ROBOTS_LAST_S = 24 * 3600.0  # RFC 9309, 2.4: then robots.txt is read again


class Host:
    """What is known about one server."""

    def __init__(self, netloc: str, delay_s: float):
        self.netloc = netloc
        self.delay_s = delay_s
        self.due = 0.0  # on the turns' clock
        self.in_line = False
        self.n_running = 0  # requests that are not answered yet
        self.running: set[int] = set()  # ids of the visits that are not settled yet
        self.robots: dict[str, RobotsResult] = {}  # by origin: http and https have a file each
        self.robots_due: dict[str, float] = {}  # when to read them again
        self.n_robots_tries = 0
        self.n_unanswered = 0
        self.n_failures = 0


class Turns:
    """Say whose turn it is; `delay_of` gives the seconds between two requests to a host."""

    def __init__(
        self,
        delay_of: Callable[[str], float],
        n_per_host: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._delay_of = delay_of
        self._n_per_host = n_per_host
        self.clock = clock
        self._hosts: dict[str, Host] = {}
        self._line: list[tuple[float, int, Host]] = []
        self._n_lined_up = 0

    def __len__(self) -> int:
        """Return how many hosts were ever in line."""
        return len(self._hosts)

    def line_up(self, netloc: str) -> None:
        """Put a host in line, if it is not yet: there is something to ask."""
        host = self._hosts.get(netloc)
        if host is None:
            host = self._hosts[netloc] = Host(netloc, self._delay_of(netloc))
        if not host.in_line and host.n_running < self._n_per_host:
            self._push(host)

    def take(self) -> Host | None:
        """Return a host that may be asked now, or None; it is out of line until `begin`."""
        while self._line and self._line[0][0] <= self.clock():
            host = heapq.heappop(self._line)[2]
            host.in_line = False
            if host.due <= self.clock():
                return host
            self._push(host)  # its pause was made longer meanwhile
        return None

    def begin(self, host: Host) -> None:
        """Note that a host is being asked; `give_back` ends this."""
        host.n_running += 1
        if host.n_running < self._n_per_host:
            host.due = self.clock() + host.delay_s
            self._push(host)

    def give_back(self, host: Host, pause_s: float | None = None) -> None:
        """Put a host that was asked in line, due after `pause_s` (None: its own delay)."""
        host.n_running -= 1
        pause_s = host.delay_s if pause_s is None else pause_s
        if self._n_per_host == 1 or pause_s > host.delay_s:
            host.due = max(host.due, self.clock() + pause_s)
        if not host.in_line:
            self._push(host)

    def seconds_to_next(self) -> float | None:
        """Return how long until a host is due, or None if none is in line."""
        return max(0.0, self._line[0][0] - self.clock()) if self._line else None

    def _push(self, host: Host) -> None:
        host.in_line = True
        self._n_lined_up += 1
        heapq.heappush(self._line, (host.due, self._n_lined_up, host))
