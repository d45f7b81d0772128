"""Read and write WARC, the archive format of the web (WARC/1.1: ISO 28500:2017).

What `Writer` writes, and the crawl leaves behind, is a row of records (see `records.py`):

    warcinfo    once, at the start: which program wrote this
    response    a page: the HTTP status line, header and body, as a server could have sent them, but
                without chunks and compression, under `WARC-Target-URI` and `WARC-Date`, with the
                SHA-1 of the block and of the body ("payload") in base 32

`read_pages` gives what a cleaner wants from any WARC: the pages of `response` records, in Common
Crawl's archives as in ours, and the plain text of WET files' `conversion` records. Other records,
of requests, repeated visits and the crawl itself, are passed over. Not here: indexes.
"""

import gzip
import hashlib
import re
import uuid
from base64 import b32encode
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from crawler.coding import decode_chunked, decode_content, media_type
from crawler.records import ArchiveError, Record, header_fields, read_records

__all__ = ["PAGE_TYPES", "ArchiveError", "Page", "Record", "Writer", "read_pages", "read_records"]

PAGE_TYPES = frozenset(["text/html", "application/xhtml+xml", "text/plain"])

_HTTP_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HTTP_STATUS = re.compile(r"HTTP/\d(?:\.\d)? +(\d{3})(?!\d)")
_CHUNK = re.compile(rb"[ \t]*[0-9A-Fa-f]{1,15}[ \t]*(?:;[^\n]*)?\r?\n")
_MARKUP = re.compile(rb"\s*<[!?a-zA-Z]")
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!--|(?:!doctype html|html|head|body|title|script|style|iframe|table"
    rb"|div|font|h1|p|a|b|br)[\s>])",
    re.I,
)


class Page(NamedTuple):
    """A page as a cleaner wants it; `is_text`: another program has extracted its text (WET)."""

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


def read_pages(
    source: str | Path | BinaryIO, on_error: Callable[[ArchiveError], None] | None = None
) -> Iterator[Page]:
    """Yield HTML and plain-text pages that were answered with status 200, and WET's texts.

    Without `on_error`, a broken archive and a page whose body cannot be decoded raise ArchiveError.
    Otherwise it is called with each error, and what can be read is read; see `records.py`.
    """
    for record in read_records(source, on_error):
        try:
            page = _page(record)
        except ValueError as reason:
            error = ArchiveError(
                "undecodable body", f"the page {record.url} at byte {record.offset}: {reason}"
            )
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
    headers = header_fields(lines)
    content_type, charset = media_type(headers.get("content-type", ""))
    if not match or match[1] != "200" or content_type not in PAGE_TYPES | {""}:
        return None
    body = _decoded(record.block[head_end.end() :], headers)
    content_type = content_type or sniffed(body)
    if content_type not in PAGE_TYPES:
        return None
    return Page(record.url, date, content_type, charset, body, False)


def sniffed(body: bytes) -> str:
    """Return the type of a page whose server names none: HTML by its first tag, or "".

    Source: WHATWG MIME Sniffing Standard, section 7.1.
    """
    return "text/html" if _HTML.match(body) else ""


def _decoded(body: bytes, headers: dict[str, str]) -> bytes:
    """Undo chunks and compression, unless the archive's writer did and left the headers as is."""
    transfer = headers.get("transfer-encoding", "").lower().rpartition(",")[2].strip()
    if transfer == "chunked" and _CHUNK.match(body):
        body = decode_chunked(body)
    coding = headers.get("content-encoding", "")
    if _MARKUP.match(body) and media_type(coding)[0] in ("gzip", "x-gzip", "deflate", "br", "zstd"):
        return body
    return decode_content(body, coding)
