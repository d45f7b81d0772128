"""One spelling for each web address, what belongs to one site, and which addresses to leave alone.

The same page is linked in many spellings (`HTTP://Example.org:80/a/../b#top` is
`http://example.org/b`); a crawler that does not see this visits it again and again. `canonical`
parses an address as browsers do (WHATWG URL Standard, 4.4) and goes further where two spellings
surely mean the same page: what must be escaped is escaped, and nothing else (RFC 3986, 2 and
6.2.2); fragments and empty queries are dropped. What a server may tell apart stays apart: the order
of the query, capitals in the path, a slash at the end. Only http and https exist here.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from crawler import blocklist
from crawler.hosts import canonical_host

MAX_URL_CHARS = 2083  # longer ones are traps that grow link by link; also Scrapy's limit
MAX_WRITTEN_CHARS = 16 * MAX_URL_CHARS  # with blanks, fragment and all that canonical form drops
DEFAULT_PORTS = {"http": 80, "https": 443}

_C0_AND_SPACE = "".join(map(chr, range(0x21)))
_TAB_OR_NEWLINE = str.maketrans("", "", "\t\n\r")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CREDENTIALS = re.compile(r"[\x00-\x20]*(?:https?:/*|//+)[^/?#]*@", re.I)
_BEFORE_HOST = re.compile(r"\A([\x00-\x20]*+(?:[A-Za-z][A-Za-z0-9+.-]*+:)?[\\/]*+)[^/?#\\]*@")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# An escape, or a byte that must become one: everything outside the class. A lone % is such a byte.
_PATH_BYTE = re.compile(rb"%([0-9A-Fa-f]{2})|[^!$&'()*+,./0-9:;=@A-Z_a-z~-]")
_QUERY_BYTE = re.compile(rb"%([0-9A-Fa-f]{2})|[^!$&()*+,./0-9:;=?@A-Z_a-z~-]")
# Second-level names under which countries let sites register: co.uk, ac.jp, com.au, ...
_SECOND_LEVELS = frozenset(["ac", "co", "com", "edu", "gov", "ne", "net", "or", "org", "sch"])


class Parts(NamedTuple):
    """An address taken apart; `netloc` is host or host:port, `query` lacks its question mark."""

    scheme: str
    netloc: str
    path: str
    query: str


def canonical(url: str, base: str | None = None) -> str:
    """Return the one spelling of `url`, resolved against `base` if given.

    Raises ValueError for what cannot be crawled: other schemes, a missing or impossible host, a bad
    port, more than MAX_URL_CHARS characters.
    """
    if len(url) > MAX_WRITTEN_CHARS:
        raise ValueError(
            f"the address {_shown(url)} has {len(url)} characters; the limit is {MAX_WRITTEN_CHARS}"
        )
    scheme, netloc, path, query = split(url, base)
    result = f"{scheme}://{netloc}{path}" + (f"?{query}" if query else "")
    if len(result) > MAX_URL_CHARS:
        raise ValueError(
            f"the address {_shown(url)} has {len(result)} characters; the limit is {MAX_URL_CHARS}"
        )
    return result


def link(url: str, base: str) -> str:
    """Return the canonical address of a link found in the page at `base`.

    Raises ValueError as `canonical` does, and for an address with a user name or password in it:
    these were given to somebody else.
    """
    if "@" in url and _CREDENTIALS.match(url.translate(_TAB_OR_NEWLINE).replace("\\", "/")):
        raise ValueError(f"{_shown(url)} holds somebody's user name; it is not followed")
    return canonical(url, base)


def split(url: str, base: str | None = None) -> Parts:
    """Take `url` apart, every part in canonical form (WHATWG URL, 4.4); raises ValueError.

    >>> split("HTTP://Example.org:80/a/../b?x#top")
    Parts(scheme='http', netloc='example.org', path='/b', query='x')
    >>> split("../c", base="http://example.org/a/b/")
    Parts(scheme='http', netloc='example.org', path='/a/c', query='')
    """
    text = url.strip(_C0_AND_SPACE).translate(_TAB_OR_NEWLINE).partition("#")[0]
    before, mark, query = text.partition("?")
    against = _split_base(base) if base is not None else None
    scheme, rest, names_host = _take_scheme(url, before.replace("\\", "/"), against)
    if names_host:
        authority, slash, path = rest.lstrip("/").partition("/")
        path = slash + path
        try:
            location = _netloc(authority, scheme)
        except ValueError as error:
            raise ValueError(f"the address {_shown(url)} {error}") from None
    else:
        location = against.netloc
        if not rest:
            path = against.path
            query = query if mark else against.query
        elif rest.startswith("/"):
            path = rest
        else:
            path = against.path[: against.path.rindex("/") + 1] + rest
    path = _resolve_dots(normalise_escapes(_utf8(path or "/"), _PATH_BYTE))
    return Parts(scheme, location, path, normalise_escapes(_utf8(query), _QUERY_BYTE))


def _take_scheme(url: str, before: str, against: Parts | None) -> tuple[str, str, bool]:
    """Return the scheme, the rest of `before`, and whether that begins with a host.

    `before` is what stands before the query. Without a host, the rest is a path `against` the base.
    """
    match = _SCHEME.match(before)
    if not match:
        if against is None:
            raise ValueError(f"{_shown(url)} is no web address; write it as https://example.org/")
        return against.scheme, before, before.startswith("//")
    scheme, rest = match[1].lower(), before[match.end() :]
    if scheme not in DEFAULT_PORTS:
        if rest[:1].isdigit():  # localhost:8000
            address = f"http://{url.strip()}"
            raise ValueError(f"{_shown(url)} is no web address; write it as {_shown(address)}")
        raise ValueError(f"{_shown(url)} is an address of {scheme}; only http and https are read")
    return scheme, rest, not against or scheme != against.scheme or rest.startswith("//")


def host(url: str) -> str:
    """Return the host name of `url` without port (and an IPv6 address without brackets)."""
    return _without_port(split(url).netloc)


def origin(url: str) -> str:
    """Return scheme and netloc of `url`: what one robots.txt speaks for (RFC 9309, 2.3)."""
    parts = split(url)
    return f"{parts.scheme}://{parts.netloc}"


def site(url: str) -> str:
    """Return a name shared by all hosts of one domain: `docs.example.co.uk` -> `example.co.uk`.

    An approximation that needs no Public Suffix List: the last two labels, or three where the last
    is a country and the one before it a usual second level. A numeric address is a site of its own.
    """
    parts = split(url)
    name = _without_port(parts.netloc)
    if ":" in name or name.rpartition(".")[2].isdigit():
        return parts.netloc
    labels = name.split(".")
    is_national = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVELS
    return ".".join(labels[-3 if is_national else -2 :])


def scope_key(url: str, scope: str) -> str:
    """Return what two addresses have in common if a crawl of one may go on to the other.

    `scope` is host (where `www.example.org` and `example.org` are one), domain, or any.
    """
    if scope == "any":
        return ""
    return site(url) if scope == "domain" else split(url).netloc.removeprefix("www.")


def blocked(url: str, rules: blocklist.Rules | None = None) -> str | None:
    """Return why `url` must not be fetched or kept, or None; `rules` default to the files in data/.

    Reasons look like `domain:ads.example`, `word:casino`, `words:adult+cam` and `malformed`.
    """
    try:
        parts = split(url)
    except ValueError:
        return "malformed"
    return (rules or blocklist.default_rules()).reason(
        _without_port(parts.netloc), "/".join(parts[1:])
    )


# ---- parsing --------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _split_base(base: str) -> Parts:
    return split(base)  # one page's base is used for each of its links


def normalise_escapes(text: bytes, pattern: re.Pattern) -> str:
    """Percent-encode what must be, decode what need not be, write escapes in capitals.

    `pattern` matches an escape, with its digits as group 1, or a byte that must become one.
    """

    def escape(match: re.Match) -> bytes:
        byte = int(match[1], 16) if match[1] else match[0][0]
        return bytes([byte]) if match[1] and byte in _UNRESERVED else b"%%%02X" % byte

    return pattern.sub(escape, text).decode("ascii")


def _utf8(text: str) -> bytes:
    """Encode, with U+FFFD for halves of surrogate pairs, which UTF-8 cannot hold."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", text).encode("utf-8")


def _resolve_dots(path: str) -> str:
    """Remove `.` and `..` segments (RFC 3986, 5.2.4)."""
    if "/." not in path:
        return path
    kept = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


@lru_cache(maxsize=4096)
def _netloc(authority: str, scheme: str) -> str:
    """Return host[:port] without credentials and default port, the host in canonical form."""
    location = authority.rpartition("@")[2]
    colon = location.find(":", location.find("]") + 1)
    port = location[colon + 1 :] if colon >= 0 else ""
    name = canonical_host(location[:colon] if colon >= 0 else location)
    if not port:
        return name
    number = port.lstrip("0")
    if not re.fullmatch("[0-9]{1,5}", number) or int(number) > 65535:
        raise ValueError(f"has the port {port[:20]!r}; it must be between 1 and 65535")
    return name if int(number) == DEFAULT_PORTS[scheme] else f"{name}:{number}"


def _without_port(location: str) -> str:
    if location.startswith("["):
        return location[1 : location.index("]")]
    return location.partition(":")[0]


def _shown(url: str) -> str:
    """Return the start of an address for a message, with no user name or password in it."""
    return repr(_BEFORE_HOST.sub(r"\1", url.translate(_TAB_OR_NEWLINE))[:80])
