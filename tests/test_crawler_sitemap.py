"""Sitemaps: XML, indexes, text, packed, and broken."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import sitemap
from crawler.sitemap import Sitemap, read

URL = "http://example.org/sitemap.xml"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def urlset(*locations: str) -> bytes:
    urls = "".join(f"<url><loc>{loc}</loc><lastmod>2026-01-01</lastmod></url>" for loc in locations)
    return f'{HEAD}<urlset xmlns="http://www.sitemaps.org/x">{urls}</urlset>'.encode()


def test_pages_are_listed_in_order_and_once():
    body = urlset("http://example.org/b", " http://example.org/a\n", "http://example.org/b")
    assert read(body, URL) == Sitemap(["http://example.org/b", "http://example.org/a"], [])


def test_addresses_are_unescaped_and_made_canonical():
    body = urlset("http://EXAMPLE.org/?a=1&amp;b=ü", "/relative", "mailto:x", "<![CDATA[/c?d&e]]>")
    assert read(body, URL).pages == [
        "http://example.org/?a=1&b=%C3%BC",
        "http://example.org/relative",
        "http://example.org/c?d&e",
    ]


def test_what_only_begins_like_a_character_reference_is_none():
    assert read(urlset("/?a=1&section=2"), URL).pages == ["http://example.org/?a=1&section=2"]


def test_what_is_commented_out_is_not_listed():
    body = urlset("/a").replace(b"<url>", b"<!-- <url><loc>/old</loc></url> --><url>")
    assert read(body, URL).pages == ["http://example.org/a"]
    assert read(b"<urlset><loc>/a</loc><!-- <loc>/old</loc>", URL).pages == ["http://example.org/a"]


def test_an_index_lists_sitemaps():
    body = f"{HEAD}<sitemapindex><sitemap><loc>/1.xml</loc></sitemap></sitemapindex>".encode()
    assert read(body, URL) == Sitemap([], ["http://example.org/1.xml"])


def test_text_has_an_address_a_line():
    body = b"\xef\xbb\xbfhttp://example.org/a\r\n\r\n  https://example.org/b \nnoise\n"
    assert read(body, URL).pages == ["http://example.org/a", "https://example.org/b"]


def test_packed_and_cut_short_sitemaps_are_read_as_far_as_they_go():
    body = urlset(*(f"http://example.org/{i}" for i in range(5000)))
    packed = gzip.compress(body)
    assert len(read(packed, URL).pages) == 5000
    assert 100 < len(read(packed[: len(packed) // 2], URL).pages) < 5000
    assert 100 < len(read(body[: len(body) // 2], URL).pages) < 5000


def test_prefixed_names_are_read_and_those_of_images_are_not():
    image = b"<image:image><image:loc>/no</image:loc></image:image>"
    body = b"<s:urlset><s:url><s:loc>/a</s:loc>%b</s:url></s:urlset>" % image
    assert read(body, URL).pages == ["http://example.org/a"]


def test_bombs_and_long_lists_are_bounded(monkeypatch):
    monkeypatch.setattr(sitemap, "MAX_BYTES", 100_000)
    monkeypatch.setattr(sitemap, "MAX_URLS", 10)
    bomb = gzip.compress(b"<loc>/a</loc>" + bytes(10_000_000) + b"<loc>/b</loc>")
    assert read(bomb, URL).pages == ["http://example.org/a"]
    assert len(read(urlset(*map(str, range(100))), URL).pages) == 10
    lol = b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><loc>/&b;</loc></urlset>'
    assert read(lol, URL).pages == ["http://example.org/&b;"]


@given(st.binary(max_size=200))
@pytest.mark.parametrize("start", [b"", b"<loc>", b"\x1f\x8b"])
def test_noise_lists_something_or_nothing(start, noise):
    assert isinstance(read(start + noise, URL), Sitemap)
