"""Read and write WARC, the archive format of the web (WARC/1.1: ISO 28500:2017).

A file is a row of records; a record has a version line, header lines, a blank line, a block of
`Content-Length` bytes, and two line ends. Compressed files (`.warc.gz`) hold one gzip member a
record, so that a reader can start at any of them (Annex D).

What `Writer` writes, and the crawl leaves behind:

    warcinfo    once, at the start: which program wrote this
    response    a page: the HTTP status line, header and body, as a server could have sent them, but
                without chunks and compression, under `WARC-Target-URI` and `WARC-Date`, with the
                SHA-1 of the block and of the body ("payload") in base 32

`read_records` reads any WARC, also Common Crawl's and its WET files, whose `conversion` records
hold plain text; `read_pages` gives what a cleaner wants from either. Not here: request and revisit
records, indexes, and repair: a broken file is an error that says where.
"""

import gzip
import hashlib
import re
import uuid
from base64 import b32encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from crawler.coding import MAX_BODY_BYTES, decode_chunked, decode_content, media_type
from crawler.gzipreader import GzipReader

MAX_HEADER_BYTES = 2**20
PAGE_TYPES = frozenset(["text/html", "application/xhtml+xml", "text/plain"])

_HTTP_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HTTP_STATUS = re.compile(r"HTTP/\d(?:\.\d)? +(\d{3})(?!\d)")


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


class Page(NamedTuple):
    """A page as a cleaner wants it: `is_text` where another's program extracted it (WET)."""

    url: str
    date: str
    content_type: str
    charset: str | None
    body: bytes
    is_text: bool


# ---- writing --------------------------------------------------------------------------------


class Writer:
    """Append records to a binary file, one gzip member each; the file begins with a warcinfo.

    Every call hands whole members to `fileobj`, so its position is always a place to cut the file.
    """

    def __init__(self, fileobj: BinaryIO, software: str = "minigpt"):
        self.fileobj = fileobj
        if fileobj.tell() == 0:
            fields = f"software: {software}\r\nformat: WARC File Format 1.1\r\n"
            self._write("warcinfo", "application/warc-fields", fields.encode("utf-8"))

    def write_response(
        self,
        url: str,
        body: bytes,
        headers: Iterable[tuple[str, str]] = (),
        status: int = 200,
        reason: str = "OK",
        date: datetime | None = None,
        ip: str | None = None,
    ) -> None:
        """Write one HTTP response whose `body` is decoded; `headers` must not say otherwise."""
        lines = [f"HTTP/1.1 {status} {_one_line(reason)}"]
        lines += [f"{_one_line(name)}: {_one_line(value)}" for name, value in headers]
        head = "".join(line + "\r\n" for line in lines) + "\r\n"
        more = {"WARC-Target-URI": url, "WARC-Payload-Digest": _sha1(body)}
        if ip:
            more["WARC-IP-Address"] = ip
        block = head.encode("latin-1", "replace") + body
        self._write("response", "application/http; msgtype=response", block, more, date)

    def _write(
        self,
        record_type: str,
        content_type: str,
        block: bytes,
        more: dict[str, str] | None = None,
        date: datetime | None = None,
    ) -> None:
        date = (date or datetime.now(UTC)).astimezone(UTC)
        headers = {
            "WARC-Type": record_type,
            "WARC-Record-ID": f"<urn:uuid:{uuid.uuid4()}>",
            "WARC-Date": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **(more or {}),
            "WARC-Block-Digest": _sha1(block),
            "Content-Type": content_type,
            "Content-Length": str(len(block)),
        }
        lines = ["WARC/1.1", *(f"{name}: {_one_line(value)}" for name, value in headers.items())]
        head = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"
        self.fileobj.write(gzip.compress(head + block + b"\r\n\r\n", 6, mtime=0))


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", text)


def _sha1(data: bytes) -> str:
    return "sha1:" + b32encode(hashlib.sha1(data).digest()).decode("ascii")


# ---- reading --------------------------------------------------------------------------------


def read_records(source: str | Path | BinaryIO) -> Iterator[Record]:
    """Yield the records of a WARC or WET file, compressed or not, whose block has up to 64 MiB.

    Raises OSError if it cannot be opened, ValueError with the place where it is cut short or is no
    WARC.
    """
    is_path = isinstance(source, str | Path)
    name = source if is_path else getattr(source, "name", "the archive")
    with open(source, "rb") if is_path else nullcontext(source) as file:
        reader = GzipReader(file)
        while True:
            offset = reader.offset
            try:
                line = reader.line()
                record = _read_record(reader, line, offset) if line.strip() else None
            except ValueError as error:
                place = f"in the record at byte {offset} (counted after decompression)"
                raise ValueError(f"{name} is broken {place}: {error}") from None
            if not line:
                return
            if record:
                yield record


def read_pages(
    source: str | Path | BinaryIO, on_error: Callable[[ValueError], None] | None = None
) -> Iterator[Page]:
    """Yield HTML and plain-text pages that were answered with status 200, and WET's texts.

    A page whose body cannot be decoded raises ValueError; if `on_error` is given it gets that error
    and the page is passed over. A broken archive raises in any case, as in `read_records`.
    """
    for record in read_records(source):
        try:
            page = _page(record)
        except ValueError as error:
            error = ValueError(f"the page {record.url} at byte {record.offset}: {error}")
            if on_error is None:
                raise error from None
            on_error(error)
            continue
        if page:
            yield page


def _page(record: Record) -> Page | None:
    """Return the page in a record, or None if there is none to read."""
    date = record.headers.get("warc-date", "")
    if record.type == "conversion":
        content_type, charset = media_type(record.headers.get("content-type", ""))
        if content_type != "text/plain":
            return None
        return Page(record.url, date, content_type, charset or "utf-8", record.block, True)
    if record.type != "response" or not record.url.lower().startswith(("http:", "https:")):
        return None
    head_end = _HTTP_HEAD_END.search(record.block)
    if not head_end:
        return None
    status, *lines = record.block[: head_end.start()].decode("latin-1").splitlines()
    match = _HTTP_STATUS.match(status)
    headers = _header_fields(lines)
    content_type, charset = media_type(headers.get("content-type", ""))
    if not match or match[1] != "200" or content_type not in PAGE_TYPES:
        return None
    body = record.block[head_end.end() :]
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = decode_chunked(body)
    body = decode_content(body, headers.get("content-encoding", ""))
    return Page(record.url, date, content_type, charset, body, False)


def _read_record(reader: GzipReader, line: bytes, offset: int) -> Record | None:
    """Read the rest of the record that begins with `line`; None if its block is too large."""
    if not line.startswith((b"WARC/0.", b"WARC/1.")):
        raise ValueError(f"a record begins with WARC/1.0 or WARC/1.1, not with {line[:40]!r}")
    headers = _header_fields(_header_lines(reader))
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise ValueError(f"Content-Length is {length[:20]!r}; a record must say how long it is")
    if int(length) > MAX_BODY_BYTES:
        reader.skip(int(length))
        return None
    block = reader.take(int(length))
    if offset < reader.member_start < reader.offset:
        raise ValueError(
            f"a gzip member ends in the midst of it, at byte {reader.member_start}, so the file "
            "was not written record by record; if that is all, gunzip it and read that"
        )
    return Record(headers.get("warc-type", ""), headers, block, offset)


def _header_lines(reader: GzipReader) -> Iterator[str]:
    """Yield lines up to the blank one that ends the header."""
    start = reader.offset
    while line := reader.line().rstrip(b"\r\n"):
        if reader.offset - start > MAX_HEADER_BYTES:
            raise ValueError(f"the header has more than {MAX_HEADER_BYTES} bytes")
        yield line.decode("utf-8", "replace")


def _header_fields(lines: Iterable[str]) -> dict[str, str]:
    """Return fields by lower-case name, the first of each; a line that begins blank goes on."""
    fields, name = {}, ""
    for line in lines:
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] += " " + line.strip()
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields.setdefault(name, value.strip())
    return fields
