"""HTTP's codings are undone, within limits."""

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.coding import TooLargeError, decode_chunked, decode_content, media_type


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(data) + encoder.flush()


def chunked(data: bytes, size: int) -> bytes:
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_every_coding_is_undone(data):
    assert decode_content(data, "") == data
    assert decode_content(data, "Identity") == data
    assert decode_content(data, "none") == data  # what servers say by mistake
    assert decode_content(gzip.compress(data), "UTF-8, gzip") == data
    assert decode_content(gzip.compress(data), "gzip") == data
    assert decode_content(gzip.compress(data), "X-GZip") == data
    assert decode_content(zlib.compress(data), "deflate") == data
    assert decode_content(raw_deflate(data), "deflate") == data
    assert decode_content(gzip.compress(zlib.compress(data)), "deflate, gzip") == data


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_chunks_are_joined(data, size):
    assert decode_chunked(chunked(data, size)) == data


def test_chunk_extensions_and_trailers_are_ignored():
    assert decode_chunked(b"3;a=b\r\nabc\r\n0\r\nTrailer: x\r\n\r\n") == b"abc"


def test_gzip_may_have_several_members_and_padding():
    assert decode_content(gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0", "gzip") == b"ab"


@pytest.mark.parametrize(
    "body", [b"", b"zz\r\n", b"5\r\nabc", b"3\r\nabc\r\n", b"-3\r\nabc\r\n0\r\n"]
)
def test_broken_chunks_raise(body):
    with pytest.raises(ValueError):
        decode_chunked(body)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(b"abc" * 100, mtime=0)[:-9], "gzip"),
        (b"not compressed", "gzip"),
        (b"\xff\xff\xff", "deflate"),
        (b"abc", "br"),
        (b"abc", "gzip, br"),
    ],
)
def test_broken_and_unknown_codings_raise(body, coding):
    with pytest.raises(ValueError):
        decode_content(body, coding)


def test_a_bomb_is_stopped_at_the_limit():
    bomb = gzip.compress(gzip.compress(bytes(50_000_000)))
    with pytest.raises(TooLargeError):
        decode_content(bomb, "gzip, gzip", max_bytes=1_000_000)
    with pytest.raises(TooLargeError):
        decode_content(b"abc", "", max_bytes=2)
    with pytest.raises(TooLargeError):
        decode_chunked(chunked(b"abcdef", 2), max_bytes=5)
    assert decode_content(gzip.compress(b"abc"), "gzip", max_bytes=3) == b"abc"


def test_a_media_type_is_told_from_its_parameters_and_from_a_second_one():
    assert media_type("Text/HTML ; Charset='UTF-8'") == ("text/html", "utf-8")
    assert media_type("text/html, text/html; charset=koi8-r") == ("text/html", "koi8-r")
    assert media_type("") == ("", None)
