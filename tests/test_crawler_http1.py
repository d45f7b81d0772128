"""Answers in pieces: where they are cut must not matter; `http.client` is the judge."""

import http.client
import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.coding import TooLargeError
from crawler.http1 import AnswerError, Reader

FIELDS = ["Content-Type: text/html", "Connection: close", "X: a:b", "X:", "Set-Cookie: a, b"]


def reader_of(data: bytes, *cuts: int) -> Reader:
    """Return a reader that gets the data in pieces."""
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[a:b] for a, b in itertools.pairwise(bounds)]
    return Reader(lambda: pieces.pop(0) if pieces else b"")


def chunked(body: bytes, size: int) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def oracle(data: bytes) -> tuple[int, str, list[tuple[str, str]], bytes]:
    class Socket:
        def makefile(self, mode):
            return io.BytesIO(data)

    response = http.client.HTTPResponse(Socket())
    response.begin()
    return response.status, response.reason, response.getheaders(), response.read()


@settings(deadline=None)
@given(
    st.sampled_from([200, 301, 404, 500]),
    st.lists(st.sampled_from(FIELDS), max_size=4),
    st.binary(max_size=60),
    st.sampled_from(["length", "chunked", "close"]),
    st.integers(1, 20),
    st.lists(st.integers(0, 400), max_size=8),
)
def test_answers_are_read_as_the_standard_library_reads_them(
    status, fields, body, framing, size, cuts
):
    framed = body
    if framing == "length":
        fields = [*fields, f"Content-Length: {len(body)}"]
    elif framing == "chunked":
        fields, framed = [*fields, "Transfer-Encoding: chunked"], chunked(body, size)
    head = "\r\n".join([f"HTTP/1.1 {status} Some reason", *fields, "", ""])
    data = head.encode() + framed
    reader = reader_of(data, *cuts)
    head = reader.read_head()
    found = (head.status, head.reason, head.headers, reader.read_body(10_000))
    assert found == oracle(data)
    assert reader.is_reusable == (framing != "close" and "Connection: close" not in fields)


@settings(deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=200).map(b"HTTP/1.1 200 OK\r\n".__add__))
def test_noise_is_an_answer_or_an_error_with_a_kind(data):
    reader = reader_of(data, 1, 3, 20)
    try:
        reader.read_head()
        reader.read_body(1000)
    except AnswerError as error:
        assert error.kind
    except (TooLargeError, ConnectionError):
        pass


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 9), st.integers(1, 70), st.booleans())
def test_a_body_can_be_cut_at_any_place(body, size, limit, is_chunked):
    fields, framed = f"Content-Length: {len(body)}", body
    if is_chunked:
        fields, framed = "Transfer-Encoding: chunked", chunked(body, size)
    data = f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + framed
    reader = reader_of(data)
    reader.read_head()
    assert reader.read_body(limit, cut=True) == body[:limit]
    if limit < len(body):
        reader = reader_of(data)
        reader.read_head()
        with pytest.raises(TooLargeError):
            reader.read_body(limit)


def test_a_second_answer_on_one_connection_is_read():
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    pieces = [one + b"a", one + b"b"]
    reader = Reader(lambda: pieces.pop(0))
    for expected in (b"a", b"b"):
        reader.read_head()
        assert reader.read_body(10) == expected
        assert reader.is_reusable


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_never_have_a_body(status):
    reader = reader_of(f"HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\n".encode())
    reader.read_head()
    assert reader.read_body(10) == b""
    assert reader.is_reusable


def test_a_server_may_close_right_after_the_last_chunk():
    reader = reader_of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
    reader.read_head()
    assert reader.read_body(10) == b"abc"
    assert not reader.is_reusable


def test_small_chunks_are_counted():
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100_000
    reader = reader_of(data, *range(0, len(data), 65536))
    reader.read_head()
    with pytest.raises(TooLargeError):
        reader.read_body(90_000)


@pytest.mark.parametrize(("more", "is_reusable"), [(b"", True), (b"Content-Length: 3\r\n", False)])
def test_a_connection_is_not_used_again_after_an_answer_with_two_sizes(more, is_reusable):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + more + b"\r\n"
    reader = reader_of(head + chunked(b"abc", 3))
    reader.read_head()
    assert reader.read_body(99) == b"abc"
    assert reader.is_reusable is is_reusable
