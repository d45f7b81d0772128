"""Tokens in the terminal: what is drawn, and that no text can command the terminal."""

import io
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpe
from bpe import Tokenizer
from bpe.__main__ import main
from bpe.show import BACKGROUNDS, count, draw_tokens, visible, wants_colour

SAMPLE = "The mill wheel turns, the wheel turns.\n\tThe miller's wheel; Mühle, 水車 \x1b[31m\n" * 3
END = "<|endoftext|>"
TOKENIZER = bpe.train([SAMPLE], 290, special_tokens=[END])
SGR = re.compile(r"\x1b\[[0-9;]*m")
TOKENS = st.lists(st.binary(min_size=1, max_size=6) | st.text(min_size=1).map(str.encode))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    TOKENIZER.save(path)
    return str(path)


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (b" a b", "·a·b"),
        (b"\n\t", "↵→"),
        (b"\r\x1b[2J\x00", r"\r\x1b[2J\x00"),
        ("é 水".encode(), "é·水"),
        (b" \xe6\xb0", r"·\xe6\xb0"),
        ("\u0301x".encode(), "◌\u0301x"),
        ("\u202eabc\u200b\xa0".encode(), r"\u202eabc\u200b\xa0"),
        ("\ud800".encode("utf-8", "surrogatepass"), r"\xed\xa0\x80"),
    ],
)
def test_a_token_is_written_so_that_all_of_it_is_seen(token, shown):
    assert visible(token) == shown


@given(TOKENS)
def test_no_token_can_command_the_terminal(tokens):
    assert all(visible(token).isprintable() for token in tokens)
    drawn = SGR.sub("", draw_tokens(tokens, colour=True))
    assert drawn.replace("\n", "").isprintable()


@given(TOKENS)
def test_every_token_is_drawn_in_order(tokens):
    shown = [visible(token) for token in tokens]
    assert draw_tokens(tokens, colour=False).replace("\n", "") == "|".join(shown)
    assert SGR.sub("", draw_tokens(tokens, colour=True)).replace("\n", "") == "".join(shown)


@given(st.lists(st.sampled_from([b"a", b"b\n", b"\n\nc", b"\n"]), max_size=20))
def test_neighbours_have_different_colours_which_end_with_the_line(tokens):
    lines = draw_tokens(tokens, colour=True).split("\n")
    assert len(lines) == 1 + b"".join(tokens).count(b"\n")
    for line in lines:
        colours = re.findall(r"48;5;(\d+)m", line)
        assert all(a != b for a, b in pairwise(colours))
        assert not line or line.endswith("\x1b[0m")


def test_the_colours_are_all_different_and_light():
    assert len(set(BACKGROUNDS)) == len(BACKGROUNDS)
    for colour in BACKGROUNDS:  # 16 + 36 r + 6 g + b, each from 0 to 5
        levels = [(colour - 16) // 36, (colour - 16) // 6 % 6, (colour - 16) % 6]
        assert sum(levels) >= 9


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "")
    assert wants_colour(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colour(Terminal())


def test_counts():
    assert count("Mühle", 2) == "5 characters, 6 bytes, 2 tokens, 3.00 bytes per token"
    assert count("", 0) == "0 characters, 0 bytes, 0 tokens"


class TestCommand:
    def test_it_prints_tokens_and_counts(self, path, capsys):
        assert main(["show", "--tokenizer", path, "The wheel\nturns."]) == 0
        first, *drawn = capsys.readouterr().out.splitlines()
        ids = TOKENIZER.encode("The wheel\nturns.")
        assert first == f"{path}: 290 symbols; {count('The wheel.turns.', len(ids))}"
        assert drawn == ["The|·wheel|↵", "|t|urns|."]

    def test_several_tokenizers_follow_each_other(self, path, tmp_path, capsys):
        other = tmp_path / "other.json"
        few = bpe.train([SAMPLE], 260)
        few.save(other)
        main(["show", "The wheel", "--tokenizer", path, "--tokenizer", str(other)])
        lines = capsys.readouterr().out.splitlines()
        tokens = few.decode_tokens_bytes(few.encode("The wheel"))
        assert lines[1::2] == ["The|·wheel", draw_tokens(tokens, colour=False)]
        assert [line.split(" symbols")[0] for line in lines[::2]] == [
            f"{path}: 290",
            f"{other}: 260",
        ]

    def test_text_comes_from_a_file_or_from_standard_input(
        self, path, tmp_path, capsys, monkeypatch
    ):
        file = tmp_path / "text.txt"
        file.write_bytes(b"The\r wheel")
        main(["show", "--tokenizer", path, "--file", str(file)])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
        main(["show", "--tokenizer", path])
        lines = capsys.readouterr().out.splitlines()
        assert lines[:2] == lines[2:]
        assert lines[1] == r"The|\r|·wheel"

    def test_special_tokens_are_text_unless_told(self, path, capsys):
        main(["show", "--tokenizer", path, END])
        assert END not in capsys.readouterr().out
        main(["show", "--tokenizer", path, "--allow-special", END])
        assert END in capsys.readouterr().out

    def test_a_page_is_written(self, path, tmp_path, capsys):
        html = tmp_path / "new" / "page.html"
        main(["show", "--tokenizer", path, "The wheel <b>", "--html", str(html)])
        assert html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
        assert "<title>Tokens: The wheel &lt;b&gt;</title>" in html.read_text(encoding="utf-8")
        assert capsys.readouterr().out.startswith(f"{html}\n{path}: 290 symbols; 13 characters")

    def test_a_text_without_a_space_has_a_short_title(self, path, tmp_path):
        html = tmp_path / "page.html"
        main(["show", "--tokenizer", path, "a" * 99, "--html", str(html)])
        assert f"<title>Tokens: {'a' * 79}&#8230;</title>" in html.read_text(encoding="utf-8")

    def test_what_the_terminal_has_no_letter_for_is_written_as_python_would(
        self, path, monkeypatch
    ):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr("sys.stdout", stream)
        assert main(["show", "--tokenizer", path, "The é"]) == 0
        stream.flush()
        assert rb"The|\xb7|" in stream.buffer.getvalue()

    def test_a_rank_file_gets_a_word_about_what_it_does_not_say(self, tmp_path, capsys):
        ranks = tmp_path / "a.tiktoken"
        Tokenizer.from_merges(TOKENIZER.merges).save(ranks)
        main(["show", "--tokenizer", str(ranks), "a"])
        assert "taken to be: pattern gpt4, special tokens none" in capsys.readouterr().err

    def test_text_and_file_exclude_each_other(self, path, capsys):
        with pytest.raises(SystemExit) as caught:
            main(["show", "text", "--file", "text.txt"])
        assert caught.value.code == 2
