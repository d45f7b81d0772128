"""An HTTP connection that is held to a deadline and looks where it is going.

`http.client` alone knows one timeout, for a single wait: a server that sends a byte now and then
keeps a reader for ever. Here each wait is given what is left of a deadline. And where `http.client`
connects to whatever a name leads to, here the resolved address itself is judged before we connect
to it, so that no page can send us to machines of the local network by a link, a redirect, or a name
that resolves differently the second time (server-side request forgery, DNS rebinding).

Asking the name server is the one wait without a limit of ours: it has the system's.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable

from crawler.urls import DEFAULT_PORTS, host, split

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


class LocalAddressError(OSError):
    """The name leads only to addresses that are not public."""


class TimedSocket:
    """A connected socket whose every wait ends after `wait_s`, and all of them at `deadline`.

    It has the methods that `http.client` uses; `deadline` is on `time.monotonic()`'s clock.
    """

    def __init__(self, sock: socket.socket, wait_s: float, deadline: float):
        self._sock = sock
        self._wait_s = wait_s
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        self.limit_next_wait()
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self, self._sock.makefile(mode, buffering=0)))

    def close(self) -> None:
        self._sock.close()

    def limit_next_wait(self) -> None:
        self._sock.settimeout(_wait(self._wait_s, self.deadline))


class _TimedReader(io.RawIOBase):
    def __init__(self, timed_socket: TimedSocket, raw: socket.SocketIO):
        self._timed_socket = timed_socket
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        self._timed_socket.limit_next_wait()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class Connection(http.client.HTTPConnection):
    """A connection to the server of one address, opened when it is needed and kept open after.

    A single wait lasts at most `wait_s`. Without `may_be_local` only public addresses are asked.
    """

    def __init__(self, url: str, tls: ssl.SSLContext, wait_s: float, may_be_local: bool):
        scheme, netloc, _, _ = split(url)
        port = netloc.rpartition("]")[2].partition(":")[2]
        super().__init__(host(url), int(port) if port else DEFAULT_PORTS[scheme])
        self._tls = tls if scheme == "https" else None
        self._wait_s = wait_s
        self._may_be_local = may_be_local
        self._deadline = 0.0
        self.ip = ""

    def ask(
        self, target: str, headers: dict[str, str], deadline: float
    ) -> http.client.HTTPResponse:
        """Send a GET request and return the beginning of the answer.

        Raises OSError (LocalAddressError, TimeoutError, ssl.SSLError, ...) and HTTPException.
        """
        self._deadline = deadline
        if self.sock:
            self.sock.deadline = deadline
        self.request("GET", target, headers=headers)
        return self.getresponse()

    def connect(self) -> None:
        """Open the connection; `http.client` calls this before a request if there is none."""
        sock = self._connected_socket()
        try:
            if self._tls:
                sock.settimeout(_wait(self._wait_s, self._deadline))
                sock = self._tls.wrap_socket(sock, server_hostname=self.host)
            self.ip = sock.getpeername()[0]
        except BaseException:
            sock.close()
            raise
        self.sock = TimedSocket(sock, self._wait_s, self._deadline)

    def _connected_socket(self) -> socket.socket:
        """Try the addresses of the host in turn, but none that must not be asked."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        allowed = [entry for entry in found if self._may_be_local or is_public(entry[4][0])]
        failure = LocalAddressError(f"{self.host} is {found[0][4][0]}, which is not public")
        for family, kind, protocol, _, address in allowed:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_wait(self._wait_s, self._deadline))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as error:
                sock.close()
                failure = error
        raise failure


def _wait(wait_s: float, deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the answer took too long as a whole")
    return min(wait_s, left_s)


# ---- which addresses are local --------------------------------------------------------------


def is_public(ip: str) -> bool:
    """Say whether an IP address is one of the public internet, also if IPv6 only wraps an IPv4."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    if address.version == 6:
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
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
