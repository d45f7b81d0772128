"""Reading HTTP/1.1 answers from servers of every kind (RFC 9112), with a limit on everything.

A server is a stranger: it may send an endless header, malformed chunks, two lengths that contradict
each other, a thousand provisional answers. Each of these ends in an error whose `kind` is a short
name to count by. What is merely sloppy is read: a missing reason, bare line feeds, blank lines
before the answer, header lines that say nothing.

Not here: the socket and its deadline (`connection.py`), compression (`coding.py`). HTTP/0.9, which
has no header, is taken for what it almost always is: not HTTP.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from crawler.coding import CHUNK_SIZE, TooLargeError

MAX_HEAD_BYTES = 2**16  # status line and header together; also a chunked body's trailer
MAX_PROVISIONAL = 8  # answers like "100 Continue" before the real one
_MAX_SIZE_LINE_BYTES = 4096

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/(\d)(?:\.(\d))? +(\d{3})(?: (.*))?")


class AnswerError(ValueError):
    """The server's answer breaks HTTP; `kind` is a short name to count by."""

    def __init__(self, kind: str, reason: str):
        super().__init__(reason)
        self.kind = kind


class Head(NamedTuple):
    """Status line and header fields, as sent but for blanks around them."""

    version: tuple[int, int]
    status: int
    reason: str
    headers: list[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of that (lower-case) name, split at their commas."""
        found = [value for key, value in self.headers if key.lower() == name]
        return [part.strip() for value in found for part in value.split(",")]


class Reader:
    """Read answers one after the other; `receive` returns the next bytes, b"" at the end.

    `is_reusable` says, after a body, whether the connection can be used for another answer.
    """

    def __init__(self, receive: Callable[[], bytes]):
        self._receive = receive
        self._buffer = b""
        self._at = 0  # what lies before it in the buffer has been read
        self.is_reusable = False
        self.head: Head | None = None

    def read_head(self) -> Head:
        """Read up to the blank line after the header of the first answer that is final."""
        self.is_reusable = False
        for _ in range(MAX_PROVISIONAL + 1):
            self.head = _parse_head(self._head_bytes())
            if not 100 <= self.head.status < 200:
                return self.head
        raise AnswerError("not HTTP", "one provisional answer after the other")

    def read_body(self, max_bytes: int, cut: bool = False) -> bytes:
        """Read the body, still coded; a larger one is cut if `cut`, else raises TooLargeError."""
        if self.head.status in (204, 304):
            self._end_body()
            return b""
        transfer_codings = [coding.lower() for coding in self.head.values("transfer-encoding")]
        if transfer_codings in ([], ["identity"]):
            body = self._sized(max_bytes, cut)
        elif transfer_codings == ["chunked"]:
            body = self._chunked(max_bytes, cut)
        else:
            codings = ", ".join(transfer_codings)[:40]
            raise AnswerError("bad coding", f"the transfer coding is {codings!r}; known is chunked")
        if len(body) > max_bytes and not cut:
            raise TooLargeError(f"more than {max_bytes} bytes")
        return body[:max_bytes]

    # ---- the three ways to say where a body ends (RFC 9112, 6.3) ------------------------------

    def _sized(self, max_bytes: int, cut: bool) -> bytes:
        """Read a body of Content-Length bytes, or up to the end of the connection."""
        lengths = set(self.head.values("content-length"))
        if not lengths:
            return self._up_to(max_bytes + 1)
        length = lengths.pop()
        if lengths or not re.fullmatch("[0-9]+", length):
            raise AnswerError("bad length", f"Content-Length is {length[:20]!r}, or several")
        n_bytes = int(length[-18:]) if len(length.lstrip("0")) <= 18 else 10**18
        if n_bytes > max_bytes:
            if cut:
                return self._up_to(max_bytes)
            raise TooLargeError(f"{n_bytes} bytes; the limit is {max_bytes}")
        body = self._up_to(n_bytes)
        if len(body) < n_bytes:
            raise AnswerError("cut short", f"{n_bytes} bytes were announced, {len(body)} came")
        self._end_body()
        return body

    def _chunked(self, max_bytes: int, cut: bool) -> bytes:
        body = bytearray()
        while True:
            match = CHUNK_SIZE.match(self._line(_MAX_SIZE_LINE_BYTES))
            if not match:
                raise AnswerError("bad chunks", "no chunk size where one must stand")
            size = int(match[1], 16)
            if size == 0:
                break
            if len(body) + size > max_bytes:
                if cut:
                    return bytes(body) + self._up_to(max_bytes - len(body))
                raise TooLargeError(f"the chunks make more than {max_bytes} bytes")
            piece = self._up_to(size)
            if len(piece) < size:
                raise AnswerError("cut short", f"a chunk of {size} bytes has {len(piece)}")
            body += piece
            if self._line(2) not in (b"\r\n", b"\n"):
                raise AnswerError("bad chunks", "a chunk is longer than it says")
        left = MAX_HEAD_BYTES
        with suppress(AnswerError):  # some close right after the last chunk: nothing is missing
            while (line := self._line(left)) not in (b"\r\n", b"\n", b""):  # skip the trailer
                left -= len(line)
            self._end_body()
        return bytes(body)

    def _end_body(self) -> None:
        """Note whether the connection can be used again (RFC 9112, 9.3)."""
        wishes = [wish.lower() for wish in self.head.values("connection")]
        stays = "close" not in wishes and (self.head.version >= (1, 1) or "keep-alive" in wishes)
        has_two_sizes = self.head.values("transfer-encoding") and self.head.values("content-length")
        self.is_reusable = stays and self._n_buffered() == 0 and not has_two_sizes

    # ---- bytes -------------------------------------------------------------------------------

    def _n_buffered(self) -> int:
        return len(self._buffer) - self._at

    def _receive_more(self) -> bool:
        """Append the next bytes to the buffer; return False at the end of the connection."""
        piece = self._receive()
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return bool(piece)

    def _head_bytes(self) -> bytes:
        """Return what comes before the blank line, and pass over blank lines before that."""
        n_searched = 0
        while True:
            while n_searched == 0 and self._buffer[self._at : self._at + 1] in (b"\r", b"\n"):
                self._at += 1
            start = self._buffer[self._at : self._at + 5]
            if not b"HTTP/".startswith(start):
                raise AnswerError("not HTTP", f"the answer begins with {start!r}")
            match = _HEAD_END.search(self._buffer, self._at + max(0, n_searched - 3))
            n_searched = (match.start() - self._at) if match else self._n_buffered()
            if n_searched > MAX_HEAD_BYTES:
                raise AnswerError("header too large", f"more than {MAX_HEAD_BYTES} bytes of header")
            if match:
                head, self._at = self._buffer[self._at : match.start()], match.end()
                return head
            if not self._receive_more():
                if n_searched:
                    raise AnswerError("cut short", "the answer ends within its header")
                raise ConnectionResetError("the server closed the connection without an answer")

    def _up_to(self, n_bytes: int) -> bytes:
        """Return `n_bytes` bytes, or fewer if the connection ends."""
        if self._n_buffered() < n_bytes:
            joined = bytearray(self._buffer[self._at :])
            while len(joined) < n_bytes and (piece := self._receive()):
                joined += piece
            self._buffer, self._at = bytes(joined), 0
        taken = self._buffer[self._at : self._at + n_bytes]
        self._at += len(taken)
        return taken

    def _line(self, max_bytes: int) -> bytes:
        """Return a line with its end, or its first bytes if it is too long."""
        n_searched = 0
        while (end := self._buffer.find(b"\n", self._at + n_searched)) < 0:
            n_searched = self._n_buffered()
            if n_searched >= max_bytes:
                return self._buffer[self._at : self._at + max_bytes]
            if not self._receive_more():
                raise AnswerError("cut short", "the answer ends within its chunks")
        line, self._at = self._buffer[self._at : end + 1], end + 1
        return line


def _parse_head(data: bytes) -> Head:
    status_line, *lines = re.split("\r?\n", data.decode("latin-1"))
    match = _STATUS_LINE.fullmatch(status_line.rstrip())
    if not match:
        raise AnswerError("not HTTP", f"the answer begins with {status_line[:40]!r}")
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t") and headers:  # obsolete line folding (RFC 9112, 5.2)
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {line.strip()}")
        elif colon and name.strip():
            headers.append((name.strip(), value.strip()))
    version = (int(match[1]), int(match[2] or 0))
    return Head(version, int(match[3]), (match[4] or "").strip(), headers)
