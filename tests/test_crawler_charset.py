"""Which encoding a page is in: marks, zeros, header, declaration, guess."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.charset import KNOWN, LABELS, decode


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_recognised_whatever_the_header_says(encoding):
    page = "<html><p>The harbour bridge, naïve 日本</p></html>"
    assert decode(page.encode(encoding), "utf-8") == page


def test_xhtml_declares_its_encoding():
    page = '<?xml version="1.0" encoding="koi8-r"?><html xmlns="x"><p>да</p></html>'
    assert decode(page.encode("koi8-r")) == page


@given(st.binary(), st.one_of(st.none(), st.text(max_size=12)))
def test_any_bytes_are_decoded(body, charset):
    assert isinstance(decode(body, charset), str)


@pytest.mark.parametrize(
    "body, charset, text",
    [
        ("naïve 日本".encode(), None, "naïve 日本"),
        ("naïve".encode("latin-1"), None, "naïve"),
        ("naïve €".encode("cp1252"), "ISO-8859-1", "naïve €"),
        ("日本".encode("shift_jis"), "x-unknown", None),
        (b'<meta charset="shift_jis">' + "日本".encode("shift_jis"), None, "日本"),
        (b"<meta content='text/html; charset=koi8-r'>" + "да".encode("koi8-r"), None, "да"),
        (b"<meta charset=utf-16>" + "né".encode(), None, "né"),
        (codecs.BOM_UTF16_LE + "né".encode("utf-16-le"), "latin-1", "né"),
        (codecs.BOM_UTF8 + "né".encode(), "latin-1", "né"),
        ("né".encode("utf-16-be"), "utf-16be", "né"),
        (("漢字仮名" + "<p>tag" * 9).encode("utf-16-le"), None, "漢字仮名" + "<p>tag" * 9),
        (b"41", "hex", "41"),
        ("日本".encode("cp932"), "x-sjis", "日本"),
        ("日本".encode("cp932"), "Windows-31J", "日本"),
        ("ไทย".encode("cp874"), "windows-874", "ไทย"),
        ("שלום".encode("iso8859-8"), "iso-8859-8-i", "שלום"),
        (b"<meta charset=x-mac-cyrillic>" + "да".encode("mac-cyrillic"), None, "да"),
        (b"<meta charset=unicode>" + "né".encode(), None, "né"),
        (b"<!-- <meta charset=shift_jis> --><meta charset=utf-8>" + "né".encode(), None, "né"),
        (b"abc\xff", "utf-8", "abc\ufffd"),
    ],
)
def test_charset_comes_from_mark_then_header_then_meta_then_guess(body, charset, text):
    decoded = decode(body, charset)
    assert text is None or decoded.endswith(text)


def test_every_label_of_the_table_names_an_encoding_that_is_known():
    wrong = {
        label for label, name in LABELS.items() if not KNOWN.fullmatch(codecs.lookup(name).name)
    }
    assert wrong == set()
