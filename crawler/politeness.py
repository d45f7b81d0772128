"""When each host may be asked again: one request at a time, and a pause between two.

All in memory: nothing here needs to survive. Hosts wait in a heap by the time they are next due, so
that they take turns, and a slow or busy one holds up nobody else.
"""

import heapq
import time
from collections.abc import Callable

from crawler.visit import RobotsResult

MAX_FAILURES = 5  # visits in a row without an answer; then the host is given up
MAX_PAUSE_S = 300.0  # a host that asks for more patience with Retry-After is asked after this


class Host:
    """What is known about one server."""

    def __init__(self, netloc: str, delay_s: float):
        self.netloc = netloc
        self.delay_s = delay_s
        self.due = 0.0  # on the turns' clock
        self.in_line = False  # or being asked
        self.robots: dict[str, RobotsResult] = {}  # by origin: http and https have a file each
        self.n_failures = 0
        self.n_tries = 0  # of the visit whose turn it is


class Turns:
    """Say whose turn it is; `delay_of` gives the seconds between two requests to a host."""

    def __init__(
        self, delay_of: Callable[[str], float], clock: Callable[[], float] = time.monotonic
    ):
        self._delay_of = delay_of
        self._clock = clock
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
        if not host.in_line:
            self._push(host)

    def take(self) -> Host | None:
        """Return a host that may be asked now, or None; `give_back` or `rest` ends its turn."""
        if not self._line or self._line[0][0] > self._clock():
            return None
        return heapq.heappop(self._line)[2]

    def give_back(self, host: Host, pause_s: float | None = None) -> None:
        """Put a host that was asked back in line, due after `pause_s` (None: its own delay)."""
        host.due = self._clock() + (host.delay_s if pause_s is None else pause_s)
        self._push(host)

    def rest(self, host: Host) -> None:
        """Leave a host out of line, since there is nothing to ask it."""
        host.in_line = False

    def seconds_to_next(self) -> float | None:
        """Return how long until a host is due, or None if none is in line."""
        return max(0.0, self._line[0][0] - self._clock()) if self._line else None

    def _push(self, host: Host) -> None:
        host.in_line = True
        self._n_lined_up += 1
        heapq.heappush(self._line, (host.due, self._n_lined_up, host))
