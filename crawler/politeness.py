"""When each host may be asked again: how many requests at a time, and how long between two.

All in memory: nothing here needs to survive. Hosts wait in a heap by the time they are next due, so
that they take turns, and a slow or busy one, or one with a hundred thousand links, holds up nobody.
"""

import heapq
import time
from collections.abc import Callable

from crawler.visit import RobotsResult, VisitResult

MAX_TRIES = 3  # of a page or robots.txt, where another try may help
MAX_UNANSWERED = 5  # visits in a row without an answer; then the host is given up
MAX_FAILURES = 20  # visits in a row that failed in any way that may pass
MAX_PAUSE_S = 300.0  # a host whose Retry-After wants a longer pause is asked after this
MAX_BACKOFF_S = 60.0  # our own pause after failures grows up to this
MAX_CRAWL_DELAY_S = 60.0  # a host that asks for a longer delay gets this one
ROBOTS_LAST_S = 24 * 3600.0  # RFC 9309, 2.4: then robots.txt is read again


class Host:
    """What is known about one server: when it is due, what runs, what robots.txt says, failures."""

    def __init__(self, netloc: str, delay_s: float):
        self.netloc = netloc
        self.delay_s = delay_s
        self.due = 0.0  # on the turns' clock
        self.in_line = False
        self.n_running = 0  # requests that are not answered yet
        self.running: set[int] = set()  # ids of the visits that are not settled yet
        self.robots: dict[str, RobotsResult] = {}  # by origin: http and https have a file each
        self._robots_due: dict[str, float] = {}  # when to read them again
        self._n_robots_tries = 0
        self._n_unanswered = 0
        self._n_failures = 0

    def pause_after(self, result: VisitResult | RobotsResult, backoff_s: float) -> float:
        """Note how a request ended; return the pause in seconds before the next one.

        After a failure that may pass, that is what Retry-After wants, else `backoff_s`, doubled
        with each failure in a row; after any other answer, the host's delay.
        """
        self._n_unanswered = 0 if result.answered else self._n_unanswered + 1
        self._n_failures = self._n_failures + 1 if result.passes else 0
        if not result.passes:
            return self.delay_s
        wanted_s = result.retry_after_s
        if wanted_s is None:
            wanted_s = min(backoff_s * 2 ** (self._n_failures - 1), MAX_BACKOFF_S)
        return max(self.delay_s, min(wanted_s, MAX_PAUSE_S))

    @property
    def is_hopeless(self) -> bool:
        """Say whether so much failed in a row that the host is given up."""
        return self._n_unanswered >= MAX_UNANSWERED or self._n_failures >= MAX_FAILURES

    def must_read_robots(self, origin: str, now: float) -> bool:
        """Say whether robots.txt is unread, or was read too long ago."""
        return now >= self._robots_due.get(origin, 0.0)

    def heed(self, result: RobotsResult, now: float) -> bool:
        """Remember what robots.txt says; return False if another try may tell more."""
        self._n_robots_tries += 1
        if result.passes and self._n_robots_tries < MAX_TRIES:
            return False
        self._n_robots_tries = 0
        self._robots_due[result.origin] = now + ROBOTS_LAST_S
        before = self.robots.get(result.origin)
        if not (result.problem and before and not before.problem):
            self.robots[result.origin] = result  # else what it said a day ago holds (RFC 9309, 2.4)
        return True


class Turns:
    """Say whose turn it is; `delay_of` gives the seconds between two requests to a host.

    `take` takes the host that was due first out of the line. If there is something to ask it, call
    `begin`, then `give_back` when the answer is there; else the host stays out until `line_up`.

    >>> now = 0.0
    >>> turns = Turns(delay_of=lambda netloc: 1.0, clock=lambda: now)
    >>> turns.line_up("a.org")
    >>> host = turns.take()
    >>> turns.begin(host)  # it is being asked ...
    >>> turns.give_back(host)  # ... and has answered: due again after its delay
    >>> turns.take(), turns.seconds_to_next()
    (None, 1.0)
    >>> now = 1.0
    >>> turns.take().netloc
    'a.org'
    """

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
