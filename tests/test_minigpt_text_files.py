"""What TEXT= refuses, and with which words."""

import gzip
import json

import pytest

from minigpt.__main__ import main
from minigpt.text_files import check_names, check_text

TEXT = b"It was late in the evening when the boat came in.\n"


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a", "a.txt.gz"])
def test_a_text_is_taken_by_any_other_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(TEXT) if name.endswith("gz") else TEXT)
    check_text(path)


def test_json_lines_are_taken(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "[1]"}) + "\n")
    check_text(path)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.html", TEXT, "a.html is HTML; .*python -m crawler extract .*a.html > .*a.txt; .*SITE="),
        ("A.HTM", TEXT, "A.HTM is HTML"),
        ("a.pdf", TEXT, "a.pdf is a PDF; .*pdftotext .*a.pdf .*a.txt$"),
        ("a.txt", b"%PDF-1.7\n\xe2\xe3", "a.txt is a PDF"),
        ("a.epub", b"PK\3\4", "a.epub is no plain text; .*pandoc -t plain .*a.epub -o .*a.txt$"),
        ("a.docx", b"PK\3\4", "a.docx is no plain text"),
        ("a.zip", b"PK\3\4", "a.zip is packed"),
        ("a.warc.gz", gzip.compress(TEXT, mtime=0), "an archive of pages; .*: give it by WARC=$"),
        ("a.json", b'[{"text": "a"}]', "a.json is JSON; .*jq -c .* .*a.json > .*a-lines.jsonl"),
        ("a.json.gz", gzip.compress(b"[]", mtime=0), "gunzip .*a.json.gz, then .*a.json > .*a-l"),
        ("a.json", b'{"text": "a"}', "a.json is JSON Lines .*: mv .*a.json .*a.jsonl"),
        ("a.ndjson", b'{"text": "a"}', "mv .*a.ndjson .*a.jsonl"),
        ("a.jsonl", b'\xef\xbb\xbf \n[{"text": "a"}]', "a.jsonl is JSON; .*an object a line"),
        ("a.jsonl", b'{"title": "a"}', 'a line must be like {"text": "..."}'),
        ("a.txt", b"", "empty"),
        ("a.txt", "a".encode("utf-16"), "iconv -f UTF-16 "),
        ("a.txt", b"caf\xe9", "iconv -f LATIN1 "),
        ("a.txt.gz", TEXT, "damaged or truncated gzip"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_with_what_helps(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=said):
        check_text(tmp_path / name)


def test_a_missing_file_is_said_to_be_missing_whatever_its_ending(tmp_path):
    for name in ("a.pdf", "a.txt"):
        with pytest.raises(FileNotFoundError):
            check_text(tmp_path / name)


def test_a_name_with_blanks_is_told_from_missing_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "my old novel.txt"):
        (tmp_path / name).write_bytes(TEXT)
    said = "'my old novel.txt' has blanks .* 3 files; .*: mv 'my old novel.txt' my-old-novel.txt$"
    with pytest.raises(ValueError, match=said):
        check_names(["a.txt", "my", "old", "novel.txt"])
    check_names(["a.txt"])
    check_names(["a.txt", "missing.txt"])  # who opens it says so


def test_check_looks_at_texts_archives_and_conversations(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").write_bytes(TEXT)
    for flag in ("--text", "--files", "--chat"):
        assert main(["check", flag, "a", "b"]) == 2
        assert "'a b' has blanks in its name" in capsys.readouterr().err
    assert main(["check", "--text", "a b"]) == 0
