"""Read lines and byte counts from a file that may be compressed with gzip (RFC 1952).

Unlike `gzip.GzipFile` it does not mind whether there is compression, says where in the decompressed
data it stands, skips without keeping, and leaves the file it reads from open. It cannot seek.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

READ_BYTES = 2**18
MAX_LINE_BYTES = 2**20


class GzipReader:
    """A forward reader; raises ValueError where the gzip data is broken or ends too early.

    `offset` counts the bytes given so far; `member_start` is the offset at which the latest gzip
    member begins.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._pieces = self._decompressed()
        self._buffer = b""
        self._at = 0  # what lies before it in the buffer has been given
        self.offset = 0
        self.member_start = 0

    def line(self) -> bytes:
        """Return the next line with its line end, or what is left, or b"" at the end."""
        searched = 0
        while (found := self._buffer.find(b"\n", self._at + searched)) < 0:
            searched = len(self._buffer) - self._at
            if searched > MAX_LINE_BYTES:
                raise ValueError(f"a line has more than {MAX_LINE_BYTES} bytes")
            if not self._read_more():
                return self._give(searched)
        return self._give(found + 1 - self._at)

    def take(self, n_bytes: int) -> bytes:
        """Return exactly so many bytes."""
        return b"".join(self._portions(n_bytes))

    def skip(self, n_bytes: int) -> None:
        """Pass over so many bytes."""
        for _ in self._portions(n_bytes):
            pass

    def _portions(self, n_bytes: int) -> Iterator[bytes]:
        missing = n_bytes
        while missing:
            if self._at == len(self._buffer) and not self._read_more():
                raise ValueError(f"{n_bytes} bytes are announced, {missing} of them are missing")
            portion = self._give(min(missing, len(self._buffer) - self._at))
            missing -= len(portion)
            yield portion

    def _give(self, n_bytes: int) -> bytes:
        start, self._at = self._at, self._at + n_bytes
        self.offset += n_bytes
        return self._buffer[start : self._at]

    def _read_more(self) -> bool:
        piece = next(self._pieces, b"")
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return bool(piece)

    def _decompressed(self) -> Iterator[bytes]:
        """Yield the content in pieces that are not empty and never span two members."""
        data = self._file.read(READ_BYTES)
        if data[:2] != b"\x1f\x8b":
            while data:
                yield data
                data = self._file.read(READ_BYTES)
        while data:
            self.member_start = self.offset + len(self._buffer) - self._at
            member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            while not member.eof:
                try:
                    piece = member.decompress(data, 4 * READ_BYTES)
                except zlib.error as error:
                    raise ValueError(f"broken gzip data ({error})") from None
                if piece:
                    yield piece
                data = member.unused_data or member.unconsumed_tail or self._file.read(READ_BYTES)
                if not data and not member.eof:
                    raise ValueError("the gzip data is cut short")
            data = data.lstrip(b"\0") or self._file.read(READ_BYTES).lstrip(b"\0")  # padding
