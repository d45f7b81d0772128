"""Read lines and byte counts from a file that may be compressed with gzip (RFC 1952).

Unlike `gzip.GzipFile` it does not mind whether there is compression, says where in the decompressed
data it stands, skips without keeping, leaves the file it reads from open, and goes on after damage.
It cannot seek. What it knows of WARC is how a record begins: a gzip member that begins with `WARC/`
is taken for a new record, so that one with a wrong length cannot swallow the next (see `cross`).
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

READ_BYTES = 2**18
MAX_LINE_BYTES = 2**20
MAX_SAVED_BYTES = 2**24
MAGIC = b"\x1f\x8b\x08"
RECORD = b"WARC/"


class GzipReader:
    """A forward reader; where the data is broken it ends, says why in `problem`, and can `recover`.

    `offset` counts the bytes given so far; `member_start` is the offset at which the latest gzip
    member begins.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._raw = file.read(READ_BYTES)  # compressed bytes not looked at yet
        self._is_plain = not self._raw.startswith(MAGIC[:2]) and not _hides_record(self._raw)
        self._member = None  # the decompressor, while within a member
        self._fed = b""  # the last compressed bytes it was given, to search for a member in
        self._buffer = b""
        self._at = 0  # what lies before it in the buffer has been given
        self._ahead = b""  # a piece read but not in the buffer yet
        self._at_record = False  # a record begins with the piece ahead
        self._problem: tuple[str, str] | None = None
        self.offset = 0
        self.member_start = 0

    @property
    def problem(self) -> tuple[str, str] | None:
        """Return the kind of damage and a reason, once all before it has been given."""
        return self._problem if self._at == len(self._buffer) and not self._ahead else None

    # ---- what a caller asks for ----

    def cross(self) -> None:
        """Let what is read next come from the next record's gzip member."""
        if self._at == len(self._buffer):
            self._look_ahead()
            self._at_record = False

    def line(self) -> bytes:
        """Return the next line with its line end, or what is left, or b"" at the end.

        Raises ValueError for more than MAX_LINE_BYTES without a line end.
        """
        searched = 0
        while (found := self._buffer.find(b"\n", self._at + searched)) < 0:
            searched = len(self._buffer) - self._at
            if searched > MAX_LINE_BYTES:
                raise ValueError(f"a line has more than {MAX_LINE_BYTES} bytes")
            if not self._read_more():
                return self._give(searched)
        return self._give(found + 1 - self._at)

    def take(self, n_bytes: int) -> bytes:
        """Return so many bytes, or what is left of them."""
        return b"".join(self._portions(n_bytes))

    def skip(self, n_bytes: int) -> int:
        """Pass over so many bytes and return how many there were."""
        return sum(map(len, self._portions(n_bytes)))

    def skip_to_record(self) -> int:
        """Pass over what is not the start of a record, and return how many bytes that was."""
        start = self.offset
        while True:
            found = self._buffer.find(RECORD, self._at)
            while found > self._at and self._buffer[found - 1 : found] != b"\n":
                found = self._buffer.find(RECORD, found + 1)
            if found >= 0:
                self._give(found - self._at)
                return self.offset - start
            self._give(max(0, len(self._buffer) - self._at - len(RECORD)))
            if not self._read_more():
                self._give(len(self._buffer) - self._at)
                return self.offset - start

    def recover(self) -> bool:
        """Go to the next gzip member that begins a record; say whether there is one."""
        self._problem = None
        if self._is_plain:
            return False
        self._raw = self._fed[1:] + self._raw
        self._fed, self._member = b"", None
        at = -1
        while True:
            while (at := self._raw.find(MAGIC, at + 1)) >= 0:
                if _begins_record(self._raw[at : at + 2**16]):
                    self._raw = self._raw[at:]
                    return True
            more = self._file.read(READ_BYTES)
            if not more:
                self._raw = b""
                return False
            keep = 2**16  # so that a member's beginning is seen whole
            self._raw, at = self._raw[-keep:] + more, -1

    # ---- how it is found ----

    def _portions(self, n_bytes: int) -> Iterator[bytes]:
        missing = n_bytes
        while missing and (self._at < len(self._buffer) or self._read_more()):
            portion = self._give(min(missing, len(self._buffer) - self._at))
            missing -= len(portion)
            yield portion

    def _give(self, n_bytes: int) -> bytes:
        start, self._at = self._at, self._at + n_bytes
        self.offset += n_bytes
        return self._buffer[start : self._at]

    def _read_more(self) -> bool:
        """Add a piece to the buffer; return False at the end and where a record begins."""
        self._look_ahead()
        if self._at_record or not self._ahead:
            return False
        self._buffer, self._at = self._buffer[self._at :] + self._ahead, 0
        self._ahead = b""
        return True

    def _look_ahead(self) -> None:
        """Have a piece ahead, unless there is none."""
        while not self._ahead and not self._problem:
            if self._is_plain:
                self._ahead, self._raw = self._raw or self._file.read(READ_BYTES), b""
                return
            is_new = self._member is None
            if is_new and not self._begin_member():
                return
            piece = self._decompressed(2 * READ_BYTES)
            while is_new and len(piece) < len(RECORD) and self._member and not self._problem:
                piece += self._decompressed(2 * READ_BYTES)
            self._ahead = piece
            self._at_record = is_new and piece.startswith(RECORD)

    def _begin_member(self) -> bool:
        """Start on the next member; return False at the end of the file."""
        self._raw = self._raw.lstrip(b"\0") or self._file.read(READ_BYTES).lstrip(b"\0")  # padding
        self.member_start = self.offset + len(self._buffer) - self._at
        if self._raw:
            self._member = _inflater()
            self._fed = b""
        return bool(self._raw)

    def _decompressed(self, max_bytes: int) -> bytes:
        """Return the next piece of the member; b"" where it ends or is broken."""
        data = self._raw or self._file.read(READ_BYTES)
        if not data:
            self._problem = ("cut short", "the gzip data is cut short")
            return b""
        before = self._member.copy() if self._fed else _inflater()
        try:
            piece = self._member.decompress(data, max_bytes)
        except zlib.error as error:
            self._problem = ("broken gzip", f"broken gzip data ({error})")
            self._fed, self._raw = self._fed + data, b""
            return _up_to_damage(before, data)
        self._raw = self._member.unused_data or self._member.unconsumed_tail
        self._fed = (self._fed + data[: len(data) - len(self._raw)])[-2 * READ_BYTES :]
        if self._member.eof:
            self._member = None
        return piece


def _inflater():
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _up_to_damage(inflater, data: bytes) -> bytes:
    """Return what can be decompressed; zlib throws away what one call gave before the damage."""
    found = bytearray()
    for size in (1024, 1):
        try:
            while data and len(found) < MAX_SAVED_BYTES:
                before = inflater.copy()
                found += inflater.decompress(data[:size])
                data = data[size:]
        except zlib.error:
            inflater = before
    return bytes(found)


def _hides_record(data: bytes) -> bool:
    """Say whether a gzip member that begins a record comes after something else."""
    at = -1 if data.lstrip().startswith(RECORD) else data.find(MAGIC)
    while at >= 0 and not _begins_record(data[at:]):
        at = data.find(MAGIC, at + 1)
    return at >= 0


def _begins_record(data: bytes) -> bool:
    try:
        return _inflater().decompress(data, 64).startswith(RECORD)
    except zlib.error:
        return False
