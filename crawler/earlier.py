"""The archives of earlier crawls, so that a page that has not changed need not be sent again.

A server may give a page a version (`ETag`) or a date (`Last-Modified`). Who asks again can name it,
and gets `304 Not Modified` and no page (RFC 9110, 13.1). Then the earlier record is taken over
into the new archive byte for byte, with the date on which it was fetched: the new archive is
complete without the old one, which is why no `revisit` records are written.

Records are found by the gzip member they are; a place where the old archive is broken ends the
list, and what is not listed is fetched as if for the first time.
"""

import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crawler.warc import Page, read_pages

_READ_BYTES = 2**18
_HEAD_BYTES = 2**16  # of a record: enough for its own header and the server's
_FIELD = re.compile(rb"(?im)^(warc-type|warc-target-uri|etag|last-modified):[ \t]*([^\r\n]*)")


class Record(NamedTuple):
    """Where a page's record is, in which file of the folder, and what to ask the server with."""

    url: str
    archive: str
    offset: int
    n_bytes: int
    etag: str
    modified: str

    @property
    def conditions(self) -> dict[str, str]:
        """Return the header fields that ask whether the page has changed."""
        fields = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in fields.items() if value}


def list_records(path: Path) -> Iterator[Record]:
    """Yield the records of pages about which a server can be asked whether they have changed."""
    with open(path, "rb") as file:
        for offset, n_bytes, head in _members(file):
            warc_head, _, answer = head.partition(b"\r\n\r\n")
            http_head = answer.partition(b"\r\n\r\n")[0]
            record = {k.lower(): v for k, v in _FIELD.findall(warc_head)}
            page = {k.lower(): v.decode("latin-1") for k, v in _FIELD.findall(http_head)}
            etag, modified = page.get(b"etag", ""), page.get(b"last-modified", "")
            is_page = record.get(b"warc-type") == b"response" and b" 200" in http_head[:12]
            if is_page and (etag or modified):
                url = record.get(b"warc-target-uri", b"").decode("utf-8", "replace")
                yield Record(url, path.name, offset, n_bytes, etag, modified)


def read_record(folder: Path, record: Record) -> tuple[bytes, Page]:
    """Return a record as it is in its file in `folder`, and the page in it.

    Raises ValueError or OSError if it is not there any more.
    """
    path = folder / record.archive
    with open(path, "rb") as file:
        file.seek(record.offset)
        data = file.read(record.n_bytes)
    pages = list(read_pages(io.BytesIO(data)))
    if len(pages) != 1 or pages[0].url != record.url:
        raise ValueError(f"{path} has changed: {record.url} is not at byte {record.offset}")
    return data, pages[0]


def _members(file) -> Iterator[tuple[int, int, bytes]]:
    """Yield offset, length and the decompressed beginning of each gzip member."""
    data, offset = file.read(_READ_BYTES), 0
    while data:
        member, head, n_bytes = zlib.decompressobj(16 + zlib.MAX_WBITS), b"", 0
        while not member.eof:
            try:
                piece = member.decompress(data, _READ_BYTES)
            except zlib.error:
                return
            head += piece[: _HEAD_BYTES - len(head)]
            rest = member.unused_data if member.eof else member.unconsumed_tail
            n_bytes += len(data) - len(rest)
            data = rest or file.read(_READ_BYTES)
            if not data and not member.eof:
                return
        yield offset, n_bytes, head
        offset += n_bytes
