"""One visit, as a worker thread does it: ask for a page, and say what came of it.

Nothing here touches the frontier or a file: a thread gets an address and gives back a result, and
only the main thread decides. (The archive of an earlier crawl is read, but never written.) What a
missing robots.txt means is in RFC 9309, 2.3.1.
"""

import email.utils
import re
import time
from pathlib import Path
from typing import NamedTuple

from crawler import links, robots, sitemap
from crawler.charset import decode
from crawler.coding import media_type
from crawler.earlier import Record, read_record
from crawler.fetch import Fetcher, FetchError, Response
from crawler.frontier import Visit
from crawler.robots import Robots
from crawler.warc import PAGE_TYPES, Page, sniffed

# Kinds of error that say nothing about the next try: the network's, not the page's.
_PASSING = {"no such host", "timeout", "connection refused", "connection broken"}
_PASSING |= {"cannot connect", "TLS error", "cut short"}
BUSY = frozenset([429, 503])  # "come back later", perhaps with Retry-After
_PASSING_STATUS = BUSY | {408, 425, 500, 502, 504, 520, 521, 522, 523, 524}
# What begins like this is no text, whatever its server says.
_BINARY = re.compile(
    rb"\x89PNG|GIF8[79]a|\xff\xd8\xff|%PDF-|PK\x03\x04|\x1f\x8b\x08|RIFF|\x7fELF|MZ\x90\0|7z\xbc\xaf"
    rb"|Rar!|BZh\d|\xfd7zXZ|OggS|ID3|fLaC|\0\0\0.ftyp|\0\0\x01\0|wOF[F2]|\x28\xb5\x2f\xfd",
    re.S,
)


class VisitResult(NamedTuple):
    """What came of a visit: `outcome` as in the frontier, and with "page" what is to be kept.

    That is a `response`, or the `record` of an earlier crawl; the page has `n_bytes`. `links` are
    canonical addresses, `sitemaps` those of an index, `target` is where a redirect leads. `passes`
    says that another try may help, `answered` that the server did its work at all.
    """

    visit: Visit
    outcome: str
    response: Response | None = None
    record: bytes | None = None
    n_bytes: int = 0
    links: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()
    target: str | None = None
    passes: bool = False
    retry_after_s: float | None = None
    answered: bool = True


class RobotsResult(NamedTuple):
    """What a site allows; `problem` says why robots.txt could not be read, if it could not."""

    origin: str
    robots: Robots
    problem: str | None = None
    passes: bool = False
    retry_after_s: float | None = None
    answered: bool = True


def visit_page(
    fetcher: Fetcher, visit: Visit, record: Record | None = None, folder: Path | None = None
) -> VisitResult:
    """Fetch a page and find its links; a `record` in `folder` stands for one that is unchanged."""
    conditions = record.conditions if record else None
    try:
        response = fetcher.get(visit.url, PAGE_TYPES | {""}, conditions=conditions)
    except FetchError as error:
        return _failed(visit, error)
    if response.status == 304 and record:
        try:
            return _unchanged(visit, response, *read_record(folder, record))
        except (OSError, ValueError):
            return visit_page(fetcher, visit)
    if no_page := _no_page(visit, response):
        return no_page
    content_type, charset = media_type(response.header("content-type"))
    content_type = content_type or sniffed(response.body)
    if content_type not in PAGE_TYPES:
        return VisitResult(visit, "skipped: no text")
    if _BINARY.match(response.body):
        return VisitResult(visit, "skipped: no text, though it says so")
    result = VisitResult(visit, "page", response, n_bytes=len(response.body))
    return _with_links(result, response.body, content_type, charset, response)


def visit_sitemap(fetcher: Fetcher, visit: Visit) -> VisitResult:
    """Fetch a sitemap and give the pages and sitemaps in it."""
    try:
        response = fetcher.get(visit.url, cut_bytes=sitemap.MAX_CODED_BYTES)
    except FetchError as error:
        return _failed(visit, error)
    if no_page := _no_page(visit, response):
        return no_page
    found = sitemap.read(response.body, visit.url)
    return VisitResult(visit, "sitemap", links=tuple(found.pages), sitemaps=tuple(found.sitemaps))


def read_robots(fetcher: Fetcher, origin: str) -> RobotsResult:
    """Ask a site what it allows.

    No file (status 4xx) allows everything; no answer, or status 5xx or 429, forbids everything.
    """
    nothing = Robots("User-agent: *\nDisallow: /")
    try:
        response = fetcher.get_following(f"{origin}/robots.txt", cut_bytes=robots.MAX_BYTES)
    except FetchError as error:
        passes = error.kind in _PASSING
        return RobotsResult(origin, nothing, error.kind, passes, answered=not passes)
    if response.status >= 500 or response.status in BUSY:
        problem = f"http {response.status} for robots.txt"
        pause_s = _retry_after_s(response.header("retry-after"))
        return RobotsResult(origin, nothing, problem, True, pause_s, response.status not in BUSY)
    return RobotsResult(origin, Robots(response.body if response.status == 200 else b""))


# ---- what an answer means -------------------------------------------------------------------


def _failed(visit: Visit, error: FetchError) -> VisitResult:
    passes = error.kind in _PASSING
    return VisitResult(visit, f"error: {error.kind}", passes=passes, answered=not passes)


def _no_page(visit: Visit, response: Response) -> VisitResult | None:
    """Return what a redirect or an error means; None for the page itself."""
    try:
        target = response.location
    except ValueError:
        return VisitResult(visit, "skipped: redirect to no web page")
    if target:
        return VisitResult(visit, "redirect", target=target)
    if response.status == 200:
        return None
    return VisitResult(
        visit,
        f"error: http {response.status}",
        passes=response.status in _PASSING_STATUS,
        retry_after_s=_retry_after_s(response.header("retry-after")),
        answered=response.status not in BUSY,
    )


def _unchanged(visit: Visit, response: Response, record: bytes, page: Page) -> VisitResult:
    """Return the page of an earlier crawl, which is still the same."""
    result = VisitResult(visit, "page", record=record, n_bytes=len(page.body))
    return _with_links(result, page.body, page.content_type, page.charset, response)


def _with_links(
    result: VisitResult, body: bytes, content_type: str, charset: str | None, response: Response
) -> VisitResult:
    """Add the page's links, and heed what its author wants crawlers to leave alone."""
    noindex, nofollow = links.wishes(
        *(value for name, value in response.headers if name.lower() == "x-robots-tag")
    )
    found = links.Links([], False, False)
    if content_type != "text/plain":
        found = links.find(decode(body, charset), result.visit.url)
    urls = () if nofollow else tuple(found.urls)
    if noindex or found.noindex:
        return VisitResult(result.visit, "skipped: noindex", links=urls)
    return result._replace(links=urls)


def _retry_after_s(value: str) -> float | None:
    """Return the seconds in a Retry-After header: a number or a date (RFC 9110, 10.2.3)."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = email.utils.parsedate_to_datetime(value)
        return max(0.0, date.timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None
