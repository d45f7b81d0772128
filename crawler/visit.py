"""One visit, as a worker thread does it: ask for a page, and say what came of it.

Nothing here touches the frontier or a file: a thread gets an address and gives back a result, and
only the main thread decides. What a missing robots.txt means is in RFC 9309, 2.3.1.
"""

import email.utils
import time
from typing import NamedTuple

from crawler import links, robots
from crawler.charset import decode
from crawler.coding import media_type
from crawler.fetch import Fetcher, FetchError, Response
from crawler.frontier import Visit
from crawler.robots import Robots
from crawler.warc import PAGE_TYPES

_ANSWERED = frozenset(["too large", "bad coding"])  # kinds of error that no other page will have
BUSY = frozenset([429, 503])  # "come back later", perhaps with Retry-After


class PageResult(NamedTuple):
    """What came of a visit: `outcome` as in the frontier, `response` where a page is to be kept.

    `links` are canonical addresses, `target` is where a redirect leads; `answered` is False where
    the server did not do its work at all.
    """

    visit: Visit
    outcome: str
    response: Response | None = None
    links: tuple[str, ...] = ()
    target: str | None = None
    is_busy: bool = False
    retry_after_s: float | None = None
    answered: bool = True


class RobotsResult(NamedTuple):
    """What a site allows; `problem` says why nothing, if that is not its own will."""

    origin: str
    robots: Robots
    problem: str | None = None
    is_busy: bool = False
    retry_after_s: float | None = None


def visit_page(fetcher: Fetcher, visit: Visit) -> PageResult:
    """Fetch a page and find its links."""
    try:
        response = fetcher.get(visit.url, PAGE_TYPES)
    except FetchError as error:
        return PageResult(visit, f"error: {error.kind}", answered=error.kind in _ANSWERED)
    try:
        target = response.location
    except ValueError:
        return PageResult(visit, "skipped: redirect to no web page")
    if target:
        return PageResult(visit, "redirect", target=target)
    if response.status in BUSY:
        pause_s = _retry_after_s(response.header("retry-after"))
        outcome = f"error: http {response.status}"
        return PageResult(visit, outcome, is_busy=True, retry_after_s=pause_s, answered=False)
    if response.status != 200:
        return PageResult(visit, f"error: http {response.status}")
    content_type, charset = media_type(response.header("content-type"))
    if content_type not in PAGE_TYPES:
        return PageResult(visit, "skipped: no text")
    noindex, nofollow = links.wishes(response.header("x-robots-tag"))
    found = links.Links([], False, False)
    if content_type != "text/plain":
        found = links.find(decode(response.body, charset), visit.url)
    urls = () if nofollow else tuple(found.urls)
    if noindex or found.noindex:
        return PageResult(visit, "skipped: noindex", links=urls)
    return PageResult(visit, "page", response, urls)


def read_robots(fetcher: Fetcher, origin: str) -> RobotsResult:
    """Ask a site what it allows.

    No file (status 4xx) allows everything; no answer, or status 5xx, forbids everything.
    """
    nothing = Robots("User-agent: *\nDisallow: /")
    try:
        response = fetcher.get_following(f"{origin}/robots.txt", cut_bytes=robots.MAX_BYTES)
    except FetchError as error:
        return RobotsResult(origin, nothing, error.kind)
    if response.status >= 500 or response.status in BUSY:
        problem = f"http {response.status} for robots.txt"
        pause_s = _retry_after_s(response.header("retry-after"))
        return RobotsResult(origin, nothing, problem, response.status in BUSY, pause_s)
    return RobotsResult(origin, Robots(response.body if response.status == 200 else b""))


def _retry_after_s(value: str) -> float | None:
    """Return the seconds in a Retry-After header: a number or a date (RFC 9110, 10.2.3)."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = email.utils.parsedate_to_datetime(value)
        return max(0.0, date.timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None
