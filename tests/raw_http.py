"""Bare sockets for tests of the server: what no client library would send."""

import contextlib
import json
import socket
from dataclasses import dataclass

PATIENCE_S = 20


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def connect(port):
    """Return a connected socket."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def exchange(port, data):
    """Send bytes, and return the Answer that comes until the server closes."""
    with connect(port) as s:
        with contextlib.suppress(OSError):  # it may refuse before all is sent
            s.sendall(data)
        return read_answer(s)


def read_all(s):
    """Return what comes until the other side closes."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := s.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def read_answer(s):
    """Read until the other side closes; status 0 where it says nothing."""
    head, _, body = read_all(s).partition(b"\r\n\r\n")
    if not head:
        return Answer(0, {}, b"")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return Answer(int(first.split()[1]), {k.lower(): v for k, v in pairs}, body)


def request(method, path, body=b"", **headers):
    """Return a request in bytes; in headers' names, _ stands for -; None leaves one out."""
    given = {"Host": "127.0.0.1", "Connection": "close"}
    if body:
        given |= {"Content-Type": "application/json", "Content-Length": len(body)}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}\r\n" for name, value in given.items() if value is not None]
    return f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1") + body


def get(port, path, **headers):
    return exchange(port, request("GET", path, **headers))


def post(port, path, body, **headers):
    """Send a body: bytes as they are, anything else as JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return exchange(port, request("POST", path, body, **headers))
