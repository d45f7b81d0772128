"""Endless sites: addresses that a server makes up faster than anybody can read them.

Three kinds are common. A *session* in the address makes every page new for every visitor: it is
taken out. A *calendar* has a next month for ever, and a *filter* (colour, size, order, ...) has
more combinations than there are goods: so many addresses at one place, and no more. A *broken
relative link* leads one level deeper each time it is followed: repeated and very long paths are
refused. (The oldest trap of all, an address that grows, ends at `urls.MAX_URL_CHARS`.)

What a trap is and what a large site cannot be told apart by an address alone: every refusal is
counted in the report under its name, and the number at one place is the user's to set.
"""

import re

from crawler.urls import Parts, split

MAX_SEGMENTS = 40
MAX_CALENDAR_PAGES = 200  # at one place: some sixteen years of months

# Names that web servers and shops give to a visitor's session, and to where a visitor came from.
_SESSION_NAMES = (
    r"[a-z_]*sess(?:ion)?_?id|phpsessid|jsessionid|aspsessionid[a-z]*|cfid|cftoken|sid(?==[0-9a-f]{16})"
    r"|zenid|oscsid|utm_[a-z]+|gclid|fbclid|msclkid|mc_[ce]id"
)
_SESSION_IN_QUERY = re.compile(rf"(?:^|(?<=&))(?:{_SESSION_NAMES})(?:=[^&]*)?(?:&|$)", re.I)
_SESSION_IN_PATH = re.compile(r";(?:[a-z_]*sess(?:ion)?id|phpsessid|sid)=[^/;]*", re.I)
_ASP_SESSION = re.compile(r"/\([SsAaFf]\([A-Za-z0-9]{20,}\)\)(?=/)")
# one to four segments, not all digits, three times; possessive, so that a segment fits in one way
_REPEATED = re.compile(r"((?:/[0-9]*+[^/0-9][^/]*+){1,4})\1{2,}(?=/|$)")
_CALENDAR = re.compile(
    r"calendar|(?<![a-z])(?:cal|events?|agenda|schedule|month|week|day|date|year)(?![a-z])", re.I
)
_DATE = re.compile(
    r"(?<!\d)(?:19|20|21)\d\d(?:[-/_.]?(?:0?[1-9]|1[0-2]))(?!\d\d?\d)|(?<![a-z])(?:month|week|day|date|year)=",
    re.I,
)
_DIGITS = re.compile(r"\d+")


def without_session(url: str) -> str:
    """Return a canonical address without a visitor's session or trail in it.

    >>> without_session("http://example.org/a;jsessionid=5F?page=2&utm_source=news")
    'http://example.org/a?page=2'
    """
    if ";" not in url and "?" not in url and "/(" not in url:
        return url
    start, mark, query = url.partition("?")
    path_at = start.index("/", len("http://") + 1)  # a host may hold a `;`, and stays as it is
    path = _ASP_SESSION.sub("", _SESSION_IN_PATH.sub("", start[path_at:]))
    if mark:
        query = _SESSION_IN_QUERY.sub("", query).removesuffix("&")
    return start[:path_at] + path + (f"?{query}" if query else "")


def refusal(parts: Parts) -> str | None:
    """Return the trap that an address shows by itself, or None."""
    if parts.path.count("/") > MAX_SEGMENTS:
        return "trap: a path without end"
    if _REPEATED.search(parts.path):
        return "trap: a path that repeats itself"
    return None


def place(url: str) -> tuple[str, bool] | None:
    """Return where to count an address that may be one of too many, and whether in a calendar.

    The place of a query is its path; that of a calendar's page is the address without its numbers.
    None for all that has neither.
    """
    _, netloc, path, query = split(url)
    address = f"{path}?{query}" if query else path
    if _CALENDAR.search(address) and _DATE.search(address):
        return f"{netloc}{_DIGITS.sub('0', address)}", True
    return (f"{netloc}{path}", False) if query else None
