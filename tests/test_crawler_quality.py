"""Each rule rejects its own sample; prose passes as web text and an API page as reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import quality

PROSE = """The old mill stands where the two rivers meet, and it has been empty for forty years. \
Nobody in the village remembers when its wheel last turned.

Last spring a group of neighbours decided that they would have it repaired. They asked the council \
for a small sum of money, and to their surprise it was granted within a month.

Since then there has been work to do every weekend. Some people bring tools, others bring soup and \
bread, and the children carry stones from one heap to another with great energy.

If all goes well, flour will be ground here again before winter. The first loaf is to be shared \
among everybody who lent a hand."""

API = """class Basket(builtins.object)

Basket(size=10, *, strict=False)

Methods defined here:

__init__(self, size=10, *, strict=False)
    Make a basket for up to size things.

add(self, thing, /)
    Put a thing into the basket. Raises ValueError if it is full.

    >>> Basket(1).add({'apple': 1})

Data

__all__ = ['Basket', 'FULL', 'EMPTY']
FULL = 1
EMPTY = 0"""

# 28 different words, none of them common ones, so that counts can be steered
STARTS = ["bal", "cor", "dun", "fel", "gim", "hos", "jat"]
WORDS = [f"{a}{b}" for a in STARTS for b in ("ira", "oma", "une", "esto")]

TRIPLES = [(WORDS[i], WORDS[(i * 5 + 1) % 28], WORDS[(i * 11 + 2) % 28]) for i in range(28)]
LONG = (
    "It is a long line that was written down twice, by mistake, and nobody has noticed it so far."
)


def sentences(count, ending="."):
    """Return lines of running text, all different."""
    return "\n".join(
        " ".join(WORDS[(7 * i + 3 * j) % len(WORDS)] + str(i) * (j == 2) for j in range(8))
        + f" the and{ending}"
        for i in range(count)
    )


def test_prose_passes_both_profiles():
    assert quality.reject(PROSE, "web") is None
    assert quality.reject(PROSE, "reference") is None


def test_an_api_page_passes_as_reference_and_not_as_web():
    assert quality.reject(API, "reference") is None
    assert quality.reject(API, "web") is not None


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "empty"),
        ("The cat and the dog.", "too few words"),
        (PROSE + " word" * 100_001, "too many words"),
        ("a b c the of " * 30, "words too short"),
        ("supercalifragilistic of the unbelievabilities " * 40, "words too long"),
        (PROSE + " #tag" * 40, "many hashes"),
        (PROSE + " and ..." * 60, "many ellipses"),
        ("\n".join(f"- {line}" for line in sentences(12).split("\n")), "mostly bullet points"),
        (sentences(4) + "\n" + sentences(8, "…"), "lines cut short"),
        (PROSE + " 1234 , 5678 ;" * 40, "few words with letters"),
        (" ".join(WORDS * 3), "no common words"),
        ("\n\n".join([PROSE.split("\n\n")[0]] * 4), "repeated paragraphs"),
        ("\n".join([*PROSE.split("\n\n"), *["Buy the book now."] * 4]), "repeated lines"),
        (sentences(4) + f"\n{LONG}\n{LONG}", "repeated line characters"),
        (sentences(3).replace("\n", "\n\n") + f"\n\n{LONG}\n\n{LONG}",
         "repeated paragraph characters"),
        (PROSE + " yellow submarine" * 30, "one 2-gram too often"),
        (PROSE + "\nLorem ipsum dolor sit amet.", "lorem ipsum"),
        (PROSE + "\nfunction f() { return the and }", "curly bracket"),
        (PROSE.replace(". ", ", ").replace(".\n", ",\n"), "too few sentences"),
        (" ".join(PROSE.split()) + "\n" + "\n".join(f"{a} {b} {c} {a}{b}" for a, b, c in TRIPLES),
         "few sentence lines"),
        (PROSE + "\n" + "\n".join(f"{a} {b} {c}." for a, b, c in TRIPLES), "short lines"),
        (PROSE + "\nA line that is said twice.\nA line that is said twice.", "a repeated line"),
    ],
)  # fmt: skip
def test_each_web_rule_rejects_its_sample(text, reason):
    assert quality.reject(text, "web") == reason


def test_repeated_ngrams_are_counted_once_each():
    words = list("abcdefabcdexabcde")
    assert quality._repeated_ngrams(words, 5) == 10
    assert quality._repeated_ngrams(list("aaaaaa"), 2) == 4
    assert quality._repeated_ngrams(["a"], 5) == 0


def test_many_phrases_said_twice_are_rejected():
    phrase = "because of that the people who live near the river were very often afraid of floods"
    text = PROSE + "".join(f" In year {i} it was so {phrase}." for i in range(6))
    assert "-grams" in quality.reject(text) or "-gram " in quality.reject(text)


def test_many_line_ends_are_rejected():
    rules = quality.Rules(short_lines=None)
    words = ["one", "two", "three."] * 20
    lines = ["one two three."] * 20
    found = [
        name for broken, name in quality._fineweb(rules, " ".join(words), words, lines) if broken
    ]
    assert "many line ends" in found


def test_lines_that_are_no_sentences_are_taken_out():
    text = (
        "Read the mill's story here.[1]\nHome\nPlease enable JavaScript in your browser.\n"
        "We have a privacy policy for that.\n" + "x" * 1001 + " and more\n\nIt is a long story."
    )
    assert quality.drop_lines(text) == "Read the mill's story here.\n\nIt is a long story."
    assert quality.drop_lines(text, "reference") == text


@pytest.mark.parametrize(
    "text, reason",
    [
        ("Index\n\nabc\nxyz", "too few words"),
        ("\n".join(WORDS * 2), "no common words"),
        ("\n".join(f"{word} of" for word in WORDS), "too few sentences"),
        (API.replace("Basket", "lorem ipsum"), "lorem ipsum"),
        ("The list of numbers. " + "100, 222, 333, " * 60, "few words with letters"),
    ],
)
def test_reference_still_asks_for_language(text, reason):
    assert quality.reject(text, "reference") == reason


def test_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="'prose'; it must be one of: web, reference"):
        quality.reject("text", "prose")


@given(st.text(), st.sampled_from(sorted(quality.PROFILES)))
def test_any_text_gets_an_answer(text, profile):
    text = quality.drop_lines(text, profile)
    assert (quality.reject(text, profile) == "empty") == (not text.strip())


@given(st.text(alphabet="ab [1]\n.", max_size=80))
def test_dropping_lines_twice_changes_nothing(text):
    once = quality.drop_lines(text)
    assert quality.drop_lines(once) == once
