"""Sitemaps: a site's own list of its pages (sitemaps.org), where its robots.txt names one.

Three forms: XML with a `<loc>` for each page, an index with a `<loc>` for each further sitemap, and
plain text with an address a line; each perhaps packed with gzip. No XML parser is used: nothing but
`<loc>` is wanted, a broken file still lists pages, and entities cannot explode.

Not here: priorities and dates of change, which are seldom true; RSS and Atom, which are feeds.
"""

import re
import zlib
from typing import NamedTuple

from crawler.charset import decode
from crawler.html_chars import unescape_attribute
from crawler.urls import link

MAX_CODED_BYTES = 10 * 2**20
MAX_BYTES = 50 * 2**20  # the protocol's limits, per file: 50 MiB
MAX_URLS = 50_000
MAX_LEVELS = 2  # sitemaps that an index names; the protocol has one level

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_LOC = re.compile(r"<(?!image:)(?:\w+:)?loc\s*+>\s*+(?:<!\[CDATA\[)?\s*+([^<\]]+)", re.I)
_LINE = re.compile(r"^[ \t]*+(https?:\S+)", re.M)
_IS_INDEX = re.compile(r"<(?:\w+:)?sitemapindex[\s>]", re.I)


class Sitemap(NamedTuple):
    """Canonical addresses of pages, or of further sitemaps."""

    pages: list[str]
    sitemaps: list[str]


def read(body: bytes, url: str) -> Sitemap:
    """Return what the sitemap at `url` lists; what is no web address is passed over."""
    text = decode(_unpacked(body))
    if "<" in text[:1000]:
        text = _COMMENT.sub("", text)
        # as in attributes: what XML forbids, `?a=1&section=2`, is written all the same
        found = [unescape_attribute(match[1].strip()) for match in _limited(_LOC.finditer(text))]
    else:
        found = [match[1] for match in _limited(_LINE.finditer(text))]
    urls = {}
    for address in found:
        try:
            urls[link(address, url)] = None
        except ValueError:
            continue
    is_index = _IS_INDEX.search(text, 0, 10_000) is not None
    return Sitemap([], list(urls)) if is_index else Sitemap(list(urls), [])


def _limited(matches):
    return (match for match, _ in zip(matches, range(MAX_URLS), strict=False))


def _unpacked(body: bytes) -> bytes:
    """Undo gzip as far as the data go."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, MAX_BYTES)
    except zlib.error:
        return b""
