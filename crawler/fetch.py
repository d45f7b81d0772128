"""A polite HTTP client: one page at a time, bounded in time and in size, and no surprises.

Built on `http.client` alone. What it adds: connections kept open for a host's next page, a limit on
the size before and after decompression, and what `connection.py` does about slow servers and local
addresses. It sends no cookies and no passwords, asks for no coding but gzip and deflate, and gives
redirects to its caller, who knows where it wants to go.

Not here: robots.txt, delays and second tries (`crawl.py`).
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection
from importlib import metadata
from typing import NamedTuple

from crawler.coding import MAX_BODY_BYTES, TooLargeError, decode_content, media_type
from crawler.connection import Connection, LocalAddressError
from crawler.urls import canonical, split

PRODUCT = "minigpt"
REDIRECTS = frozenset([301, 302, 303, 307, 308])
MAX_IDLE_CONNECTIONS = 64
MAX_WAIT_S = 10.0  # for the connection, and between two pieces of an answer
MAX_DRAINED_BYTES = 2**16  # read an unwanted body up to here, to keep the connection
READ_BYTES = 2**16

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
    (http.client.IncompleteRead, "cut short"),
    (ConnectionError, "connection broken"),
    (http.client.HTTPException, "not HTTP"),
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
        if self.status not in REDIRECTS or not (target := self.header("location")):
            return None
        raw = target.encode("latin-1", "replace")  # http.client decoded what is UTF-8, if not ASCII
        return canonical(raw.decode("utf-8", "replace"), self.url)

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
        self._tls = ssl.create_default_context()
        self._idle: dict[tuple[str, str], Connection] = {}
        self._lock = threading.Lock()

    def get(
        self, url: str, media_types: Collection[str] = (), cut_bytes: int | None = None
    ) -> Response:
        """Send one GET request, following no redirect.

        The body is read if the status is 200 and its type is among `media_types` (none: any type);
        with `cut_bytes` only its first so many bytes. Raises FetchError, and ValueError for what is
        no web address.
        """
        url = canonical(url)
        try:
            return self._get(url, media_types, cut_bytes)
        except (OSError, http.client.HTTPException, ValueError) as error:
            kind = next((k for cls, k in _KINDS if isinstance(error, cls)), "cannot connect")
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
        """Close all connections."""
        with self._lock:
            while self._idle:
                self._idle.popitem()[1].close()

    # ---- one request ------------------------------------------------------------------------

    def _get(self, url: str, media_types: Collection[str], cut_bytes: int | None) -> Response:
        connection, answer = self._ask(url)
        keep = False
        try:
            headers = answer.getheaders()
            response = Response(url, answer.status, answer.reason, headers, b"", connection.ip)
            if answer.status == 200 and (not media_types or response.media_type in media_types):
                response = response._replace(body=self._body(answer, cut_bytes))
            elif answer.length is not None and answer.length <= MAX_DRAINED_BYTES:
                answer.read()
            keep = answer.isclosed() and not answer.will_close
            return response
        finally:
            answer.close()
            if keep:
                self._keep(connection, url)
            else:
                connection.close()

    def _ask(self, url: str) -> tuple[Connection, http.client.HTTPResponse]:
        """Send the request, on a connection kept from before if there is one."""
        scheme, netloc, path, query = split(url)
        headers = {
            "Host": netloc,
            "User-Agent": self.user_agent,
            "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.1",
            "Accept-Encoding": "gzip, deflate",
        }
        target = f"{path}?{query}" if query else path
        deadline = time.monotonic() + self._timeout_s
        with self._lock:
            connection = self._idle.pop((scheme, netloc), None)
        was_kept = connection is not None
        if not was_kept:
            may_be_local = netloc in self._local_netlocs
            connection = Connection(url, self._tls, MAX_WAIT_S, may_be_local)
        try:
            try:
                return connection, connection.ask(target, headers, deadline)
            except (ConnectionError, http.client.BadStatusLine):
                if not was_kept:
                    raise
                connection.close()  # the server had closed it before our request came
                return connection, connection.ask(target, headers, deadline)
        except BaseException:
            connection.close()
            raise

    def _body(self, answer: http.client.HTTPResponse, cut_bytes: int | None) -> bytes:
        """Read the body up to the limit, and decode it."""
        limit = cut_bytes or self._max_bytes
        if cut_bytes is None and answer.length is not None and answer.length > limit:
            raise TooLargeError(f"{answer.length} bytes; the limit is {limit}")
        parts, n_bytes = [], 0
        while n_bytes <= limit and (part := answer.read(READ_BYTES)):
            parts.append(part)
            n_bytes += len(part)
        if n_bytes > limit and cut_bytes is None:
            raise TooLargeError(f"more than {limit} bytes")
        if n_bytes <= limit and answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        coding = ",".join(answer.headers.get_all("content-encoding", []))
        limit = MAX_BODY_BYTES if cut_bytes else self._max_bytes
        return decode_content(b"".join(parts), coding, limit)[:cut_bytes]

    def _keep(self, connection: Connection, url: str) -> None:
        """Keep a connection for the next request; the one unused for longest makes room."""
        scheme, netloc, _, _ = split(url)
        with self._lock:
            old = self._idle.pop((scheme, netloc), None)
            self._idle[scheme, netloc] = connection
            if old is None and len(self._idle) > MAX_IDLE_CONNECTIONS:
                old = self._idle.pop(next(iter(self._idle)))
        if old:
            old.close()
