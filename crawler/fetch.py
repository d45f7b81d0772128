"""A polite HTTP client: one page at a time, bounded in time and in size, and no surprises.

Connections are kept open for a host's next page; size is limited before and after decompression;
`connection.py` sees to slow servers and local addresses, `http1.py` to those that break HTTP. It
sends no cookies and no passwords, asks for no coding but gzip and deflate, and gives redirects to
its caller, who knows where it wants to go.

Not here: robots.txt, delays and second tries (`crawl.py`).
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from importlib import metadata
from typing import NamedTuple

from crawler.coding import MAX_BODY_BYTES, TooLargeError, decode_content, media_type
from crawler.connection import Connection, LocalAddressError, tls_context
from crawler.http1 import AnswerError, Head
from crawler.urls import canonical, link, split

PRODUCT = "minigpt"
REDIRECTS = frozenset([301, 302, 303, 307, 308])
MAX_IDLE_CONNECTIONS = 64
MAX_DRAINED_BYTES = 2**16  # read an unwanted body up to here, to keep the connection

# True of the connection or of the coded body, but not of the page; and cookies are secrets.
_NOT_OF_THE_PAGE = {"connection", "keep-alive", "trailer", "transfer-encoding"}
_NOT_OF_THE_PAGE |= {"content-encoding", "content-length", "set-cookie"}
_KINDS = [
    (LocalAddressError, "local address"),
    (socket.gaierror, "no such host"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "connection refused"),
    (ssl.SSLCertVerificationError, "bad certificate"),
    (ssl.SSLError, "TLS error"),
    (ConnectionError, "connection broken"),
    (TooLargeError, "too large"),
    (ValueError, "bad coding"),
]


def user_agent(contact: str | None = None) -> str:
    """Return `minigpt/0.1.0 (+...)`, where `contact` tells a site's owner whom to ask."""
    try:
        version = metadata.version(PRODUCT)
    except metadata.PackageNotFoundError:
        version = "0"  # a checkout that is not installed
    return f"{PRODUCT}/{version} (+{contact or 'crawler of a small language-model project'})"


class FetchError(OSError):
    """No usable answer; `kind` is a short name to count by, such as `timeout`."""

    def __init__(self, kind: str, url: str, reason: object):
        super().__init__(f"{url}: {kind} ({reason})")
        self.kind = kind


class Response(NamedTuple):
    """An answer; `body` is decoded, and empty where nobody wanted it."""

    url: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    ip: str

    def header(self, name: str) -> str:
        """Return all headers of that name (any case) in one, separated by commas."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def media_type(self) -> str:
        return media_type(self.header("content-type"))[0]

    @property
    def location(self) -> str | None:
        """Return where a redirect leads, or None; raises ValueError for what cannot be crawled."""
        targets = (value for key, value in self.headers if key.lower() == "location")
        if self.status not in REDIRECTS or not (target := next(targets, "")):
            return None
        raw = target.encode("latin-1", "replace")  # read as Latin-1; if not ASCII, it is UTF-8
        return link(raw.decode("utf-8", "replace"), self.url)

    def page_headers(self) -> list[tuple[str, str]]:
        """Return the headers that are still true of the decoded body."""
        return [(k, v) for k, v in self.headers if k.lower() not in _NOT_OF_THE_PAGE]


class Fetcher:
    """Fetch pages over connections that are kept open; may be shared between threads.

    A request lasts at most `timeout_s`, a body has at most `max_bytes`. Servers that are not on the
    public internet are asked only if `local_netlocs` (host or host:port) has them.
    """

    def __init__(
        self,
        user_agent: str,
        timeout_s: float = 30.0,
        max_bytes: int = 5 * 2**20,
        local_netlocs: Collection[str] = (),
    ):
        self.user_agent = user_agent
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._local_netlocs = frozenset(local_netlocs)
        self._tls = tls_context()
        self._idle: dict[Connection, tuple[str, str]] = {}  # the one unused for longest first
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        media_types: Collection[str] = (),
        cut_bytes: int | None = None,
        conditions: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one GET request, following no redirect.

        The body is read if the status is 200 and its type is among `media_types` (none: any type);
        of the body, only the first `cut_bytes` if given. `conditions` are more header fields, such
        as If-None-Match. Raises FetchError, and ValueError for what is no web address.
        """
        url = canonical(url)
        try:
            return self._get(url, media_types, cut_bytes, conditions or {})
        except (OSError, ValueError) as error:
            kind = next((k for cls, k in _KINDS if isinstance(error, cls)), "cannot connect")
            if isinstance(error, AnswerError):
                kind = error.kind
            raise FetchError(kind, url, error) from error

    def get_following(
        self,
        url: str,
        may_follow: Callable[[str], bool] = lambda url: True,
        max_redirects: int = 5,
        **options,
    ) -> Response:
        """Get, and go where redirects lead while `may_follow` agrees; may return a redirect."""
        response = self.get(url, **options)
        for _ in range(max_redirects):
            try:
                target = response.location
            except ValueError:
                break
            if target is None or not may_follow(target):
                break
            response = self.get(target, **options)
        return response

    def close(self) -> None:
        """Close the connections that wait to be used again."""
        with self._lock:
            while self._idle:
                self._idle.popitem()[0].close()

    # ---- one request ------------------------------------------------------------------------

    def _get(
        self,
        url: str,
        media_types: Collection[str],
        cut_bytes: int | None,
        conditions: Mapping[str, str],
    ) -> Response:
        connection, head = self._ask(url, conditions)
        try:
            _, status, reason, headers = head
            response = Response(url, status, reason, headers, b"", connection.ip)
            if status == 200 and (not media_types or response.media_type in media_types):
                return response._replace(body=self._body(connection, response, cut_bytes))
            with suppress(ValueError, OSError):  # too large or broken: nobody wanted it
                connection.read_body(MAX_DRAINED_BYTES)
            return response
        finally:
            if connection.is_reusable:
                self._keep(connection, url)
            else:
                connection.close()

    def _ask(self, url: str, conditions: Mapping[str, str]) -> tuple[Connection, Head]:
        """Send the request, on a connection kept from before if there is one."""
        scheme, netloc, path, query = split(url)
        lines = [
            f"GET {path}{'?' if query else ''}{query} HTTP/1.1",
            f"Host: {netloc}",
            f"User-Agent: {self.user_agent}",
            "Accept: text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.1",
            "Accept-Encoding: gzip, deflate",
            *(f"{name}: {value}" for name, value in conditions.items()),
        ]
        request = "\r\n".join([*lines, "", ""]).encode("latin-1")
        deadline = time.monotonic() + self._timeout_s
        with self._lock:
            to_here = (c for c, key in reversed(self._idle.items()) if key == (scheme, netloc))
            if connection := next(to_here, None):
                del self._idle[connection]
        was_kept = connection is not None
        if not was_kept:
            connection = Connection(url, self._tls, netloc in self._local_netlocs)
        try:
            try:
                return connection, connection.ask(request, deadline)
            except (ConnectionError, ssl.SSLError, AnswerError):
                if not was_kept:
                    raise
                connection.close()  # the server had closed it, or said more than it announced
                return connection, connection.ask(request, deadline)
        except BaseException:
            connection.close()
            raise

    def _body(self, connection: Connection, response: Response, cut_bytes: int | None) -> bytes:
        """Read the body up to the limit, and decode it."""
        body = connection.read_body(cut_bytes or self._max_bytes, cut=cut_bytes is not None)
        limit = MAX_BODY_BYTES if cut_bytes else self._max_bytes
        return decode_content(body, response.header("content-encoding"), limit)[:cut_bytes]

    def _keep(self, connection: Connection, url: str) -> None:
        """Keep a connection for a later request; the one unused for longest makes room."""
        scheme, netloc, _, _ = split(url)
        with self._lock:
            self._idle[connection] = (scheme, netloc)
            oldest = next(iter(self._idle)) if len(self._idle) > MAX_IDLE_CONNECTIONS else None
            if oldest:
                del self._idle[oldest]
        if oldest:
            oldest.close()
