"""WARC files: what we write others read, and the other way round."""

import functools
import gzip
import io
import random
import re
import subprocess
import sys
import tracemalloc
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("warcio", reason="warcio is not installed (pip install .[test])")
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler import gzipreader, records, warc
from crawler.warc import Page, Writer, read_pages, read_records

compress = functools.partial(gzip.compress, mtime=0)  # the same bytes whenever it runs

DATE = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
HTML = [("Content-Type", "text/html; charset=utf-8")]


def written(*pages: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = Writer(file)
    for url, body in pages:
        writer.write_response(url, body, HTML, date=DATE)
    return file.getvalue()


def pages_of(data: bytes, **options) -> list[Page]:
    return list(read_pages(io.BytesIO(data), **options))


def record(fields: dict[str, str], block: bytes, version: str = "WARC/1.0") -> bytes:
    fields = {**fields, "Content-Length": str(len(block))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{version}\r\n{head}\r\n".encode() + block + b"\r\n\r\n"


def response(http: bytes, url: str = "http://example.org/") -> bytes:
    fields = {"WARC-Type": "response", "WARC-Target-URI": url, "WARC-Date": "2024-05-06T07:08:09Z"}
    return record(fields, http)


def test_a_page_comes_back_as_it_was_written():
    data = written(("http://example.org/a", "<p>für</p>".encode()))
    assert pages_of(data) == [
        Page(
            "http://example.org/a",
            "2024-05-06T07:08:09Z",
            "text/html",
            "utf-8",
            "<p>für</p>".encode(),
            False,
        )
    ]


urls = st.from_regex(r"https?://[a-z]{1,8}\.example/[!-~]{0,30}", fullmatch=True)


@settings(deadline=None)
@given(st.lists(st.tuples(urls, st.binary(max_size=300)), max_size=5))
def test_any_pages_survive_the_round_trip_and_warcio_agrees(pages):
    data = written(*pages)
    assert [(page.url, page.body) for page in pages_of(data)] == pages
    theirs = [
        (entry.rec_headers.get_header("WARC-Target-URI"), entry.content_stream().read())
        for entry in ArchiveIterator(io.BytesIO(data), check_digests="raise")
        if entry.rec_type == "response"
    ]
    assert theirs == pages


def test_warcio_check_finds_nothing_wrong(tmp_path):
    file = tmp_path / "pages.warc.gz"
    file.write_bytes(written(("http://example.org/", b"one"), ("http://example.org/2", b"")))
    command = [sys.executable, "-c", "from warcio.cli import main; main()", "check", "-v", file]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("digest pass") == 3


def test_the_file_begins_with_warcinfo_and_each_record_is_a_gzip_member():
    data = written(("http://example.org/", b"one"))
    assert [entry.type for entry in read_records(io.BytesIO(data))] == ["warcinfo", "response"]
    assert data.count(b"\x1f\x8b\x08") == 2
    again = io.BytesIO(data)
    again.seek(0, io.SEEK_END)
    Writer(again).write_response("http://example.org/2", b"two", HTML)
    types = [entry.type for entry in read_records(io.BytesIO(again.getvalue()))]
    assert types == ["warcinfo", "response", "response"]


def test_headers_cannot_break_out_of_their_line():
    file = io.BytesIO()
    Writer(file).write_response("http://a.example/\r\nX: y", b"b", [("A", "b\r\nEvil: 1\r\n\r\n")])
    entry = list(read_records(io.BytesIO(file.getvalue())))[1]
    assert "x" not in entry.headers
    assert entry.block == b"HTTP/1.1 200 OK\r\nA: b Evil: 1 \r\n\r\nb"


@pytest.mark.parametrize("compress", [False, True])
def test_what_warcio_writes_is_read(compress):
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=compress)
    body = b"<p>Hello</p>"
    coded = gzip.compress(body)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(coded), coded)
    for payload, fields in [
        (body, [("Content-Type", "text/html")]),
        (coded, [("Content-Type", "text/html"), ("Content-Encoding", "gzip")]),
        (
            chunked,
            [
                ("Content-Type", "text/html"),
                ("Content-Encoding", "gzip"),
                ("Transfer-Encoding", "chunked"),
            ],
        ),
    ]:
        http = StatusAndHeaders("200 OK", fields, protocol="HTTP/1.1")
        writer.write_record(
            writer.create_warc_record(
                "http://example.org/", "response", payload=io.BytesIO(payload), http_headers=http
            )
        )
    assert [page.body for page in pages_of(file.getvalue())] == [body] * 3


def test_wet_texts_are_pages_marked_as_text():
    fields = {
        "WARC-Type": "conversion",
        "WARC-Target-URI": "http://example.org/",
        "WARC-Date": "2024-05-06T07:08:09Z",
        "Content-Type": "text/plain",
    }
    data = record({"WARC-Type": "warcinfo"}, b"x") + record(fields, "Hällo".encode())
    assert pages_of(data) == [
        Page(
            "http://example.org/",
            "2024-05-06T07:08:09Z",
            "text/plain",
            "utf-8",
            "Hällo".encode(),
            True,
        )
    ]


@pytest.mark.parametrize(
    "http",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\nx",
        b"HTTP/1.1 2000 Odd\r\nContent-Type: text/html\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html",
        b"",
    ],
)
def test_only_good_answers_with_text_are_pages(http):
    assert pages_of(response(http)) == []


def test_other_records_are_no_pages():
    good = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx"
    for kind in ["request", "revisit", "metadata", "resource", "continuation"]:
        fields = {"WARC-Type": kind, "WARC-Target-URI": "http://example.org/"}
        assert pages_of(record(fields, good)) == []
    assert pages_of(response(good, "dns:example.org")) == []


def test_headers_are_read_as_they_are_met_in_the_wild():
    http = b"HTTP/1.0 200\nCONTENT-TYPE: Text/HTML;\n\tCharset='ISO-8859-1'\nOdd line\n\nx"
    page = pages_of(b"\r\n\r\n" + response(http, "<http://example.org/a b>"))[0]
    assert page.url == "http://example.org/a b"
    assert (page.content_type, page.charset, page.body) == ("text/html", "iso-8859-1", b"x")


def test_a_body_already_uncompressed_or_not_is_told_by_its_headers_only():
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Crawl-Content-Encoding: gzip\r\n\r\nx"
    assert pages_of(response(http))[0].body == b"x"


def test_plain_files_and_one_member_for_all_are_read():
    data = response(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nx") * 3
    assert [page.body for page in pages_of(data)] == [b"x"] * 3
    assert [page.body for page in pages_of(compress(data))] == [b"x"] * 3


def test_paths_and_open_files_are_read(tmp_path):
    file = tmp_path / "pages.warc.gz"
    file.write_bytes(written(("http://example.org/", b"one")))
    assert len(list(read_pages(file))) == len(list(read_pages(str(file)))) == 1
    with open(file, "rb") as opened:
        assert len(list(read_pages(opened))) == 1
        assert not opened.closed


def test_an_empty_file_has_no_records():
    assert list(read_records(io.BytesIO(b""))) == []


def test_every_cut_of_an_archive_is_an_error_or_whole_records():
    data = written(("http://example.org/", b"one"), ("http://example.org/2", b"two"))
    whole = [match.start() for match in re.finditer(b"\x1f\x8b\x08", data)]
    assert len(whole) == 3
    for length in range(len(data)):
        if length in whole:
            list(read_records(io.BytesIO(data[:length])))
        else:
            with pytest.raises(ValueError, match="byte"):
                list(read_records(io.BytesIO(data[:length])))


good = record({"WARC-Type": "metadata"}, b"abc")
last = record({"WARC-Type": "resource"}, b"the last one")


def read_damaged(data: bytes) -> tuple[list[str], list[str]]:
    """Return the types of the records that can be read, and the kinds of what is wrong."""
    errors: list[warc.ArchiveError] = []
    types = [entry.type for entry in read_records(io.BytesIO(data), errors.append)]
    return types, [error.kind for error in errors]


too_long = good.replace(b"Content-Length: 3", b"Content-Length: 999")
too_short = good.replace(b"Content-Length: 3", b"Content-Length: 1")
damaged = bytearray(compress(record({"WARC-Type": "response"}, bytes(range(256)) * 40)))
damaged[-40:-30] = bytes(10)


@pytest.mark.parametrize(
    ("data", "types", "kinds"),
    [
        (good + b"\0garbage\nmore" * 9 + b"\r\n" + last, ["metadata", "resource"], ["no record"]),
        (b"garbage WARC/1.0\r\n" + last, ["resource"], ["no record"]),
        (too_short + last, ["metadata", "resource"], ["no record"]),
        (good.replace(b"Content-Length", b"X") + last, ["resource"], ["bad header"]),
        (good + last[:-10], ["metadata", "resource"], ["cut short"]),
        (good + last[:30], ["metadata"], ["cut short"]),
        (b"WARC/1.0\r\n" + b"A" * 2**21 + b"\r\n" + last, ["resource"], ["bad header"]),
        (good + b"A" * 2**21 + b"\r\n" + last, ["metadata", "resource"], ["no record"]),
        (compress(b"") * 3000 + compress(last), ["resource"], []),
        # each record a gzip member: the next one is always found
        (compress(too_long) + compress(last), ["metadata", "resource"], ["cut short"]),
        (compress(too_short) + compress(last), ["metadata", "resource"], ["no record"]),
        (compress(good[:30]) + compress(last), ["resource"], ["cut short"]),
        (compress(good)[:-8] + compress(last), ["metadata", "resource"], ["broken gzip"]),
        (compress(good)[20:] + compress(last), ["resource"], ["broken gzip"]),
        (compress(good) + b"garbage" + compress(last), ["metadata", "resource"],
         ["broken gzip"]),
        (compress(good) + bytes(damaged) + compress(last),
         ["metadata", "response", "resource"], ["broken gzip"]),
        (compress(good) + compress(last)[:-10], ["metadata", "resource"], ["cut short"]),
        # all in one member, or in members that are no records
        (compress(good + b"garbage\n" + last), ["metadata", "resource"], ["no record"]),
        (compress(good * 3)[:-4], ["metadata"] * 3, ["cut short"]),
        (compress((good * 9)[:500]) + compress((good * 9)[500:]), ["metadata"] * 9,
         ["members"]),
    ],
)  # fmt: skip
def test_what_can_be_read_of_a_damaged_archive_is_read_and_the_rest_is_told(data, types, kinds):
    assert read_damaged(data) == (types, kinds)


def test_a_cut_record_comes_with_what_there_is_of_it():
    entries = list(read_records(io.BytesIO(last[:-10]), lambda error: None))
    assert entries[0].block == b"the la"


@pytest.mark.parametrize("version", ["WARC/0.17", "WARC/0.18", "WARC/1.0", "WARC/1.1"])
def test_all_versions_are_read(version):
    data = record({"WARC-Type": "response"}, b"x", version)
    assert [entry.block for entry in read_records(io.BytesIO(data * 2))] == [b"x", b"x"]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damage_never_hides_records_that_are_far_from_it(data):
    # so different that no damage can make one body into another
    bodies = [random.Random(i).randbytes(750).hex().encode() * 2 for i in range(8)]
    pieces = [compress(record({"WARC-Type": "response"}, body), mtime=0) for body in bodies]
    hit = data.draw(st.integers(0, 7))
    piece = bytearray(pieces[hit])
    for _ in range(data.draw(st.integers(1, 5))):
        piece[data.draw(st.integers(0, len(piece) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 20))
    pieces[hit] = bytes(piece[: len(piece) - cut])
    errors: list[warc.ArchiveError] = []
    found = [e.block for e in read_records(io.BytesIO(b"".join(pieces)), errors.append)]
    others = [body for i, body in enumerate(bodies) if i != hit]
    assert [body for body in found if body in others] == others


def test_records_that_a_cut_member_has_swallowed_are_found():
    size = 2 * gzipreader.READ_BYTES
    noise = compress(record({"WARC-Type": "response"}, random.Random(1).randbytes(size)))
    data = noise[: gzipreader.READ_BYTES - 3000] + compress(good) * 40 + noise
    types, kinds = read_damaged(data)
    assert types == ["response"] + ["metadata"] * 40 + ["response"]
    assert len(kinds) == 1


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(0, 400), st.binary(max_size=30))
def test_reading_on_after_garbage_always_ends(blocks, at, garbage):
    data = b"".join(record({"WARC-Type": "response"}, block) for block in blocks)
    for whole in (data, compress(data)):
        list(read_pages(io.BytesIO(whole[:at] + garbage + whole[at:]), lambda error: None))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>no archive</html>", "begins with WARC"),
        (good + b"garbage\r\n", f"byte {len(good)} .*begins with WARC"),
        (good[:-6], "missing"),
        (good.replace(b"Content-Length: 3", b"X: 3"), "Content-Length"),
        (good.replace(b"Content-Length: 3", b"Content-Length: -3"), "Content-Length"),
        (good.replace(b"Content-Length: 3", b"Content-Length: " + b"9" * 30), "Content-Length"),
        (good.replace(b"Content-Length: 3", b"Content-Length: 999999999999"), "missing"),
        (good.replace(b"Content-Length: 3", b"Content-Length: 1"), "begins with WARC"),
        (b"WARC/1.0\r\n" + b"A: b\r\n" * 200_000, "header"),
        (b"WARC/1.0\r\n" + b"A" * 2_000_000, "line"),
        (compress(good)[:-4], "cut short"),
        (compress(good)[:-8] + b"12345678", "broken gzip"),
        (compress(good) + b"garbage", "broken gzip"),
        (compress(good[:20]) + compress(good[20:]), "member ends .* byte 20"),
        (good.replace(b"WARC/1.0", b"WARC/9.9"), "begins with WARC"),
    ],
)
def test_a_broken_archive_raises_and_says_where(tmp_path, data, reason):
    file = tmp_path / "broken.warc.gz"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=reason) as caught:
        list(read_records(file))
    assert str(file) in str(caught.value)


def test_a_missing_file_raises(tmp_path):
    with pytest.raises(OSError):
        list(read_records(tmp_path / "missing.warc.gz"))


def test_a_record_too_large_to_hold_is_passed_over(monkeypatch):
    monkeypatch.setattr(records, "MAX_BODY_BYTES", 100)
    large = record({"WARC-Type": "resource"}, b"x" * 101)
    assert [entry.type for entry in read_records(io.BytesIO(large + good))] == ["metadata"]
    assert read_damaged(large + good) == (["metadata"], ["too large"])


def test_a_record_of_half_a_gigabyte_needs_little_memory(tmp_path):
    file = tmp_path / "large.warc.gz"
    size = 2**29
    head = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n" % size
    packer = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    with open(file, "wb") as out:
        out.write(packer.compress(head))
        for _ in range(size >> 24):
            out.write(packer.compress(bytes(2**24)))
        out.write(packer.compress(b"\r\n\r\n") + packer.flush() + compress(good))
    tracemalloc.start()
    types = [entry.type for entry in read_records(file)]
    assert types == ["metadata"]
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_page_that_cannot_be_decoded_raises_or_is_told_and_passed_over():
    bad = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\nno gzip"
    fine = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx"
    chunks = fine.replace(b"\r\n\r\nx", b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    data = response(bad) + response(chunks) + response(fine)
    with pytest.raises(ValueError, match=r"http://example.org/ at byte 0"):
        pages_of(data)
    errors = []
    assert [page.body for page in pages_of(data, on_error=errors.append)] == [b"x"]
    assert [error.kind for error in errors] == ["undecodable body"] * 2


@pytest.mark.parametrize(
    "headers", [b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Content-Encoding: br"]
)
def test_a_body_that_the_archives_writer_has_decoded_is_taken_as_it_is(headers):
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + headers + b"\r\n\r\n<p>x</p>"
    assert pages_of(response(http))[0].body == b"<p>x</p>"


@pytest.mark.parametrize(
    ("body", "is_page"),
    [
        (b"<!DOCTYPE html><p>x", True),
        (b"\xef\xbb\xbf\n <HTML lang=en>", True),
        (b"<!-- x --><p>", True),
        (b"<?xml version='1.0'?><rss/>", False),
        (b"<pre-release>", False),
        (b"plain text", False),
        (b"\x89PNG", False),
    ],
)
def test_a_page_of_no_type_is_one_if_it_begins_with_a_tag(body, is_page):
    pages = pages_of(response(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + body))
    assert [page.content_type for page in pages] == ["text/html"] * is_page


@settings(deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(gzip.compress))
def test_garbage_never_raises_anything_else(data):
    try:
        list(read_pages(io.BytesIO(b"WARC/1.0\r\n" + data)))
        list(read_pages(io.BytesIO(data)))
    except ValueError:
        pass
