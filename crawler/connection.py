"""A connection to a web server that is held to a deadline and looks where it is going.

A socket's timeout is for a single wait: a server that sends a byte now and then keeps a reader for
ever. Here each wait is given what is left of a deadline. And the address that a name resolves to is
judged before we connect to it, so that no page can send us to machines of the local network by a
link, a redirect, or a name that resolves differently the second time (server-side request forgery,
DNS rebinding).

Asking the name server is the one wait without a limit of ours: it has the system's.
"""

import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Iterable

from crawler.http1 import Head, Reader
from crawler.urls import DEFAULT_PORTS, host, split

READ_BYTES = 2**16
# IPv6 addresses that carry an IPv4 address in their last 32 bits: NAT64 (RFC 6052; RFC 8215, for
# use within a network) and the long obsolete "IPv4-compatible" ones (RFC 4291, 2.5.5.1).
_WRAPPERS = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")]
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")  # RFC 3879: obsolete, and still inside
_AUTHORITIES = "/etc/ssl/cert.pem"  # on macOS: the certificates of those who vouch for servers


class LocalAddressError(OSError):
    """The name leads only to addresses that are not public."""


class Connection:
    """A connection to the server of one address, opened when it is needed and kept open after.

    Without `may_be_local` only public addresses are asked. `ip` is the address connected to.
    """

    def __init__(self, url: str, tls: ssl.SSLContext, may_be_local: bool):
        scheme, netloc, _, _ = split(url)
        port = netloc.rpartition("]")[2].partition(":")[2]
        self._host, self._port = host(url), int(port) if port else DEFAULT_PORTS[scheme]
        self._tls = tls if scheme == "https" else None
        self._may_be_local = may_be_local
        self._deadline = 0.0
        self._sock: socket.socket | None = None
        self._reader: Reader | None = None
        self.ip = ""

    def ask(self, request: bytes, deadline: float) -> Head:
        """Send a request and return the beginning of the answer; all until `deadline`.

        `deadline` is on `time.monotonic()`'s clock, and holds for the body as well. Raises OSError
        (LocalAddressError, TimeoutError, ssl.SSLError, ...) and AnswerError.
        """
        self._deadline = deadline
        if self._sock is None:
            self._connect()
        self._limit_next_wait(self._sock)
        self._sock.sendall(request)
        return self._reader.read_head()

    def read_body(self, max_bytes: int, cut: bool = False) -> bytes:
        """Read the body of the answer, as `Reader.read_body` does."""
        return self._reader.read_body(max_bytes, cut)

    @property
    def is_reusable(self) -> bool:
        """Say whether another request can be sent."""
        return self._reader is not None and self._reader.is_reusable

    def close(self) -> None:
        """Close it; the next request opens it again."""
        if self._sock:
            self._sock.close()
        self._sock = self._reader = None

    def _connect(self) -> None:
        sock = self._connected_socket()
        try:
            if self._tls:
                self._limit_next_wait(sock)
                sock = self._tls.wrap_socket(sock, server_hostname=self._host)
            self.ip = sock.getpeername()[0]
        except BaseException:
            sock.close()
            raise
        self._sock, self._reader = sock, Reader(self._receive)

    def _receive(self) -> bytes:
        self._limit_next_wait(self._sock)
        return self._sock.recv(READ_BYTES)

    def _limit_next_wait(self, sock: socket.socket) -> None:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer took too long as a whole")
        sock.settimeout(left_s)

    def _connected_socket(self) -> socket.socket:
        """Try the addresses of the host in turn, but none that must not be asked."""
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        allowed = [entry for entry in found if self._may_be_local or is_public(entry[4][0])]
        failure = LocalAddressError(f"{self._host} is {found[0][4][0]}, which is not public")
        for family, kind, protocol, _, address in allowed:
            sock = socket.socket(family, kind, protocol)
            try:
                self._limit_next_wait(sock)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as error:
                sock.close()
                failure = error
        raise failure


def tls_context() -> ssl.SSLContext:
    """Return what checks the certificates of servers.

    python.org's Python for macOS knows of no authorities until one has run its "Install
    Certificates.command", and would trust no server; so it is given the system's.
    """
    context = ssl.create_default_context()
    known = ssl.get_default_verify_paths()
    if not (known.cafile or known.capath) and os.path.exists(_AUTHORITIES):
        context.load_verify_locations(_AUTHORITIES)
    return context


# ---- which addresses are local --------------------------------------------------------------


def is_public(ip: str) -> bool:
    """Say whether an IP address is one of the public internet, also if IPv6 only wraps an IPv4."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    if address.version == 6:
        inner = address.ipv4_mapped or address.sixtofour
        if any(address in network for network in _WRAPPERS):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _SITE_LOCAL:
            return False
        address = inner or address
    return address.is_global and not address.is_multicast


def local_netlocs(urls: Iterable[str]) -> frozenset[str]:
    """Return the servers among `urls` that are not on the public internet (asks the name server).

    What the user names as a seed may be local; what a page links to may not.
    """
    return frozenset(split(url).netloc for url in urls if not all(map(is_public, _resolve(url))))


def is_loopback(url: str) -> bool:
    """Say whether `url` names this machine, without asking the name server."""
    name = host(url)
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _resolve(url: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host(url), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []  # the crawl will find out
    return [entry[4][0] for entry in found]
