"""Reading documents, whole and in pieces."""

import gzip
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bpe import documents as module
from bpe.documents import documents, documents_in_pieces
from bpe.split import to_bytes


@given(text=st.text(min_size=1), size=st.integers(1, 7))
@example(text="\ufeff", size=1)
@example(text="a\r\r\nb\r", size=1)
@example(text="a\r\r\nb\r", size=2)
@example(text="a\r\r\nb\r", size=3)
@example(text="\ufeffa", size=2)
@example(text="\ufeff\ufeffé", size=4)
def test_pieces_are_the_text_wherever_they_are_cut(tmp_path_factory, text, size):
    text = text.replace("\0", "0").encode("utf-8", "replace").decode()
    path = tmp_path_factory.mktemp("pieces") / "a.txt"
    path.write_bytes(to_bytes(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_BYTES", size)
        text = text.removeprefix("\ufeff")
        assert list(documents(path, exact=True)) == [text]
        assert list(documents(path)) == [text.replace("\r\n", "\n")]


def test_a_long_text_is_read_piece_by_piece(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * (3 * module.PIECE_BYTES // 2) + b"\xff")
    texts = documents_in_pieces(path)
    pieces = iter(next(texts))
    assert next(pieces) == "a" * module.PIECE_BYTES
    with pytest.raises(ValueError, match=f"byte 0xff at offset {3 * module.PIECE_BYTES // 2} is"):
        next(pieces)


@pytest.mark.parametrize(
    ("data", "offset"), [(b"ab\xc3", 2), (b"ab\xe2\x82", 2), (b"a\xe2\x82b", 1)]
)
def test_half_a_character_is_found_at_any_size_of_pieces(tmp_path, monkeypatch, data, offset):
    (tmp_path / "a.txt").write_bytes(data)
    for size in range(1, 5):
        monkeypatch.setattr(module, "PIECE_BYTES", size)
        with pytest.raises(ValueError, match=f"at offset {offset} is not text"):
            list(documents(tmp_path / "a.txt"))


def test_a_text_file_is_one_document(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\ntwo \xc3\xa9\n")
    assert list(documents(path, exact=True)) == ["one\r\n\r\ntwo é\n"]


def test_line_ends_of_windows_are_read_as_those_of_everybody_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\n\r\ntwo\rthree\r\n")
    assert list(documents(path)) == ["one\n\ntwo\rthree\n"]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "one\\r\\n"}\r\n')  # what is written there is meant
    assert list(documents(path)) == ["one\r\n"]


@pytest.mark.parametrize("name", ["A.JSONL", "a.jsonl.GZ"])
def test_the_ending_may_be_in_capitals(tmp_path, name):
    data = b'{"text": "one"}\n'
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("GZ") else data)
    assert list(documents(tmp_path / name)) == ["one"]


def test_json_lines_are_a_document_each(tmp_path):
    path = tmp_path / "a.jsonl"
    texts = ["one\u2028two", "", "\u0000 and \ud800"]
    lines = [json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)]
    path.write_text("\ufeff" + "\n\n".join(lines), encoding="utf-8")
    assert list(documents(path)) == texts


def test_either_may_be_gzipped(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("naïve".encode()))
    two_members = gzip.compress(b'{"text": "a"}\n') + gzip.compress(b'{"text": "b"}\n')
    (tmp_path / "a.jsonl.gz").write_bytes(two_members)
    assert list(documents(tmp_path / "a.txt.gz")) == ["naïve"]
    assert list(documents(str(tmp_path / "a.jsonl.gz"))) == ["a", "b"]


def test_json_lines_are_read_one_by_one(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\nbroken\n', encoding="utf-8")
    assert next(documents(path)) == "a"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "a.txt: empty; a document must have text"),
        ("a.jsonl", b"", "a.jsonl: empty; it must hold documents"),
        ("a.txt.gz", gzip.compress(b"", mtime=0), "a.txt.gz: empty"),
        (
            "a.txt",
            b"ab\0c",
            "a.txt: byte 0x00 at offset 2 is not text; a document must be UTF-8; a binary file",
        ),
        (
            "a.txt",
            b"ab\xe9c",
            "a.txt: byte 0xe9 at offset 2 is not text; .* Latin-1.*: "
            "iconv -f LATIN1 -t UTF-8 .*a.txt > .*a-utf8.txt$",
        ),
        (
            "a.txt",
            "ab".encode("utf-16"),
            "a.txt: byte 0xff at .*: iconv -f UTF-16 -t UTF-8 .*a.txt",
        ),
        (
            "a.txt.gz",
            gzip.compress(b"\xfe\xff\0a", mtime=0),
            "gzip -dc .*a.txt.gz | iconv -f UTF-16 ",
        ),
        ("a.jsonl", b'{"text": "a"}\n\xff\n', "a.jsonl, line 2: byte 0xff at offset 14 is not"),
        ("a.jsonl", b'{"text": "a"}\n{"text"\n', "a.jsonl, line 2: no valid JSON"),
        (
            "a.jsonl",
            b'{"texts": "a"}',
            'a.jsonl, line 1: .*a line must be like {"text": "..."}',
        ),
        ("a.jsonl", b'{"text": 3}', "a.jsonl, line 1: "),
        ("a.jsonl", b"[]", "a.jsonl, line 1: "),
        ("a.jsonl", b"[" * 100_000, "a.jsonl, line 1: no valid JSON"),
        (
            "a.txt.gz",
            gzip.compress(b"abc" * 99, mtime=0)[:-9],
            "a.txt.gz: damaged or truncated gzip",
        ),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"text": "a"}', mtime=0)[:-9],
            "a.jsonl.gz: damaged or truncated",
        ),
        ("a.txt.gz", b"plain text", "a.txt.gz: damaged or truncated gzip"),
        (
            "a.txt.gz",
            gzip.compress(b"", mtime=0)[:10] + b"\xff" * 9,
            "a.txt.gz: damaged or truncated",
        ),
    ],
)
def test_a_bad_file_is_refused(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        list(documents(tmp_path / name))


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(documents(tmp_path / "none.txt"))
