"""Read the records of WARC files, whole and broken ones (WARC/1.1: ISO 28500:2017).

A file is a row of records; a record has a version line, header lines, a blank line, a block of
`Content-Length` bytes, and two line ends. Compressed files (`.warc.gz`) hold one gzip member a
record, so that a reader can start at any of them (Annex D); a file compressed as a whole is read
too. Versions 0.17 to 1.1 differ in nothing that matters here.

Archives of whole crawls are hundreds of megabytes each, fetched over a network: some are damaged.
Damage is an error that says where it is, of one of these kinds:

    no record      something else where a record should begin: garbage, or a wrong length before it
    bad header     no length, or a header without end
    cut short      the record is longer than what follows; what there is of it is given
    broken gzip    the compressed data is damaged; reading goes on at the next member
    members        gzip members that are not records, as another program's; the record is given
    too large      a block of over 64 MiB, passed over

Strict reading raises the first of them. With `on_error` each is told, and reading goes on at the
next place where a record begins.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple

from crawler.coding import MAX_BODY_BYTES
from crawler.gzipreader import GzipReader

MAX_HEADER_BYTES = 2**20
VERSION = re.compile(rb"WARC/(?:0\.1[78]|1\.[01])\s*$")


class ArchiveError(ValueError):
    """What is wrong in an archive; `kind` is for counting."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


class Record(NamedTuple):
    """One record: `headers` by lower-case name, `offset` where it begins (bytes, decompressed)."""

    type: str
    headers: dict[str, str]
    block: bytes
    offset: int

    @property
    def url(self) -> str:
        """Return the target's address; some writers put it between angle brackets."""
        url = self.headers.get("warc-target-uri", "")
        return url[1:-1] if url.startswith("<") and url.endswith(">") else url


def read_records(
    source: str | Path | BinaryIO, on_error: Callable[[ArchiveError], None] | None = None
) -> Iterator[Record]:
    """Yield the records of a WARC or WET file, compressed or not, whose block has up to 64 MiB.

    Raises OSError if it cannot be opened, and, without `on_error`, ArchiveError (a ValueError) with
    the place where it is broken; records that are too large are no error then.
    """
    is_path = isinstance(source, str | Path)
    name = source if is_path else getattr(source, "name", "the archive")
    told: set[str] = set()

    def tell(kind: str, reason: str, offset: int) -> None:
        place = f"in the record at byte {offset} (counted after decompression)"
        error = ArchiveError(kind, f"{name} is broken {place}: {reason}")
        if on_error is None and kind != "too large":
            raise error
        if on_error and not (kind == "members" and kind in told):  # so all through the file
            on_error(error)
        told.add(kind)

    with open(source, "rb") if is_path else nullcontext(source) as file:
        reader = GzipReader(file)
        is_more = True
        while is_more:
            reader.cross()
            offset = reader.offset
            record, broken, is_more = _try_record(reader, offset)
            broken = broken or reader.problem
            if broken:
                tell(*broken, offset)
            if record:
                yield record
            if reader.problem:
                is_more = reader.recover()
            elif broken and broken[0] not in ("members", "too large"):
                reader.skip_to_record()


def _try_record(
    reader: GzipReader, offset: int
) -> tuple[Record | None, tuple[str, str] | None, bool]:
    """Return the next record, if there is one, what is wrong with it, and whether more may come."""
    try:
        line = reader.line()
        return (_read_record(reader, line, offset) if line.strip() else None), None, bool(line)
    except _BrokenError as error:
        broken, record = error.args
        return record, broken, True
    except ValueError as error:  # a line without end
        return None, ("no record", str(error)), True


class _BrokenError(Exception):
    """A record with something wrong: (kind, reason), and what there is of the record or None."""


def _read_record(reader: GzipReader, line: bytes, offset: int) -> Record | None:
    """Read the record whose first line this is; raises _BrokenError."""
    headers = header_fields(_header_lines(reader, line))
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        reason = f"Content-Length is {length[:20]!r}; a record must say how long it is"
        raise _BrokenError(("bad header", reason), None)
    is_large = int(length) > MAX_BODY_BYTES
    block = b"" if is_large else reader.take(int(length))
    missing = int(length) - (reader.skip(int(length)) if is_large else len(block))
    record = None if is_large else Record(headers.get("warc-type", ""), headers, block, offset)
    if missing:
        kind, reason = reader.problem or ("cut short", "the file ends, or the next record begins")
        reason = f"{length} bytes are announced, {missing} of them are missing: {reason}"
        raise _BrokenError((kind, reason), record)
    if is_large:
        raise _BrokenError(("too large", f"it has {length} bytes; it is passed over"), None)
    if offset < reader.member_start < reader.offset:
        reason = "so the file was not written record by record; if that is all, gunzip it"
        reason = f"a gzip member ends in the midst of it, at byte {reader.member_start}, {reason}"
        raise _BrokenError(("members", reason), record)
    return record


def _header_lines(reader: GzipReader, line: bytes) -> Iterator[str]:
    """Yield lines up to the blank one that ends the header."""
    if not VERSION.match(line):
        reason = f"a record begins with WARC/1.0 or WARC/1.1, not with {line[:16]!r}"
        raise _BrokenError(("no record", reason), None)
    start = reader.offset
    try:
        while (line := reader.line()).rstrip(b"\r\n"):
            if reader.offset - start > MAX_HEADER_BYTES:
                reason = f"the header has more than {MAX_HEADER_BYTES} bytes"
                raise _BrokenError(("bad header", reason), None)
            yield line.decode("utf-8", "replace")
    except ValueError as error:
        raise _BrokenError(("bad header", str(error)), None) from None
    if not line:
        raise _BrokenError(
            reader.problem or ("cut short", "the header is cut short at this byte"), None
        )


def header_fields(lines: Iterable[str]) -> dict[str, str]:
    """Return fields by lower-case name, the first of each; a line that begins blank goes on."""
    fields: dict[str, list[str]] = {}
    parts: list[str] = []  # of the value that a line may go on with
    for line in lines:
        if line[:1] not in (" ", "\t"):
            name, _, line = line.rstrip("\r\n").partition(":")
            parts = []
            fields.setdefault(name.strip().lower(), parts)
        parts.append(line.strip())
    return {name: " ".join(parts) for name, parts in fields.items()}
