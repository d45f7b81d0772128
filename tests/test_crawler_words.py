"""Words and sentences are counted as the tokenizer does on which the thresholds were set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.words import TERMINAL, WORD, sentences


@pytest.mark.parametrize(
    "text, words",
    [
        ("It's 5%, (no)!", ["It", "'s", "5", "%", ",", "(", "no", ")", "!"]),
        ("Mr. J. Mill of the U.S. left.", ["Mr.", "J.", "Mill", "of", "the", "U.S.", "left", "."]),
        ("1,000.50 at 10:30", ["1,000.50", "at", "10:30"]),
        ("a well-known 3-year covid-19", ["a", "well", "-", "known", "3", "-", "year", "covid-19"]),
        ("wait... what--no", ["wait", "...", "what", "--", "no"]),
        ("see https://a.example/b?c=1, then", ["see", "https://a.example/b?c=1", ",", "then"]),
        ("f(x) of name.part, end.Next", ["f(x", ")", "of", "name.part", ",", "end", ".", "Next"]),
        ("AT&T in 10km for 4K", ["AT&T", "in", "10", "km", "for", "4", "K"]),
        ("“They’ve gone,” _he_", ["“", "They", "’ve", "gone", ",", "”", "_", "he", "_"]),
        ("naïve café 東京", ["naïve", "café", "東京"]),
    ],
)  # fmt: skip
def test_text_is_cut_into_words(text, words):
    assert WORD.findall(text) == words


@given(st.text())
def test_no_character_is_lost_but_blanks(text):
    assert "".join("".join(WORD.findall(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "line, count",
    [
        ("", 1),
        ("no full stop", 1),
        ("One. Two! Three? Four", 4),
        ("He said “No.” Then he left.", 2),
        ("It is 3.5 for Mr. Mill and J. Mill.", 1),
        ("Well... yes", 1),
        ("What?! Really.", 2),
    ],
)
def test_sentences_of_a_line_are_counted(line, count):
    assert sentences(line) == count


def test_quotes_and_brackets_end_no_sentence():
    assert TERMINAL.isdisjoint("\"'”’»)]:;,…")
    assert TERMINAL.issuperset(".!?。؟।")


@pytest.mark.parametrize("text", ["a." * 100_000, "'" * 100_000, "(x" * 50_000, "1-" * 100_000])
def test_hostile_text_is_cut_in_time(text):
    assert WORD.findall(text)
    assert sentences(text) >= 1


@pytest.mark.peer
def test_words_are_counted_as_spacy_counts_them():
    spacy = pytest.importorskip("spacy")
    text = "It's the U.S.'s 5% (or 1,000.50), isn't it? Mr. Mill's well-known AT&T shares fell..."
    peer = [str(word) for word in spacy.blank("en")(text)]
    assert len(WORD.findall(text)) == pytest.approx(len(peer), abs=1)
