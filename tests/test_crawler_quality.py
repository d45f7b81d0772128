"""Each rule rejects its own sample; prose passes as web text and an API page as reference."""

import itertools
import math

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
        (PROSE.split("\n\n")[0], "too few words"),
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


def broken(check):
    """Return the names of all rules that a check finds broken."""
    return {name for is_broken, name in check if is_broken}


def plain(count, length=5):
    """Return different words of letters, all of one length."""
    letters = itertools.product("bcdfghjklm", repeat=length)
    return ["".join(next(letters)) for _ in range(count)]


def lines_with(marked, total, mark="{}", length=5):
    return "\n".join((mark if i < marked else "{}").format(w) for i, w in enumerate(plain(total)))


WEB = quality.PROFILES["web"]


def gopher_quality(words, text="x y"):
    return broken(quality._gopher_quality(WEB, text, words))


def gopher_repetition(text):
    return broken(quality._gopher_repetition(WEB, text, ["word"]))


def fineweb(text, words=None):
    return broken(quality._fineweb(WEB, text, words))


# each rule, its measure exactly at the threshold, and one step over it
@pytest.mark.parametrize(
    "reason, at, over",
    [
        ("too few words", gopher_quality(plain(50)), gopher_quality(plain(49))),
        ("too many words", gopher_quality(["ab"] * 100_000), gopher_quality(["ab"] * 100_001)),
        ("words too short", gopher_quality(["abc"] * 60), gopher_quality(["abc"] * 59 + ["ab"])),
        ("words too long", gopher_quality(plain(60, 10)),
         gopher_quality([*plain(60, 10), "b" * 11])),
        ("many hashes", gopher_quality(plain(100), "#" * 10), gopher_quality(plain(100), "#" * 11)),
        ("many ellipses", gopher_quality(plain(100), "... …" * 5),
         gopher_quality(plain(100), "... …" * 5 + "…")),
        ("mostly bullet points", gopher_quality(plain(9), lines_with(90, 100, "- {}")),
         gopher_quality(plain(9), lines_with(91, 100, " • {}"))),
        ("lines cut short", gopher_quality(plain(9), lines_with(30, 100, "{}...")),
         gopher_quality(plain(9), lines_with(31, 100, "{}… "))),
        ("few words with letters", gopher_quality(plain(80) + [",", "12"] * 10),
         gopher_quality(plain(79) + [",", "12", "."] * 7)),
        ("no common words", gopher_quality(["the", "of"]), gopher_quality(["the", "the", "Of"])),
        ("repeated lines", gopher_repetition("\n".join(plain(70) + plain(1) * 30)),
         gopher_repetition("\n".join(plain(69) + plain(1) * 31))),
        ("repeated line characters", gopher_repetition(f"{'a' * 598}\n{'b' * 200}\n{'b' * 200}"),
         gopher_repetition(f"{'a' * 597}\n{'b' * 200}\n{'b' * 200}")),
        ("repeated paragraphs", gopher_repetition("\n\n".join(plain(70) + plain(1) * 30)),
         gopher_repetition("\n\n".join(plain(69) + plain(1) * 31))),
        ("repeated paragraph characters",
         gopher_repetition(f"{'a' * 596}\n\n{'b' * 200}\n\n{'b' * 200}"),
         gopher_repetition(f"{'a' * 595}\n\n{'b' * 200}\n\n{'b' * 200}")),
        ("few sentence lines", fineweb(lines_with(12, 100, "{}.")),
         fineweb(lines_with(11, 100, "{}."))),
        ("short lines",
         fineweb("\n".join(plain(67, 30) + [w + "x" for w in plain(33, 30)])),
         fineweb("\n".join(plain(68, 30) + [w + "x" for w in plain(32, 30)]))),
        ("a repeated line", fineweb(f"{'a' * 980}\n{'b' * 10}\n{'b' * 10}"),
         fineweb(f"{'a' * 979}\n{'b' * 10}\n{'b' * 10}")),
        ("many line ends", fineweb("\n".join(plain(31)), plain(100)),
         fineweb("\n".join(plain(32)), plain(100))),
        ("too few sentences", broken(quality._c4(WEB, "\n".join(plain(5)))),
         broken(quality._c4(WEB, "\n".join(plain(4))))),
    ],
)  # fmt: skip
def test_each_threshold_from_both_sides(reason, at, over):
    assert reason not in at
    assert reason in over


@pytest.mark.parametrize("n, percent", [(2, 20), (3, 18), (4, 16)])
def test_a_frequent_ngram_may_be_so_much_of_a_text(n, percent):
    rest = iter(plain(200))
    phrase = plain(n, 6)
    words = [word for _ in range(9) for word in (*phrase, next(rest))]
    characters = 9 * (7 * n - 1)
    for n_characters, is_broken in (
        (math.ceil(characters * 100 / percent), False),
        (math.ceil(characters * 100 / percent) - 1, True),
    ):
        found = broken(quality._top_ngrams(WEB, words, n_characters))
        assert (f"one {n}-gram too often" in found) == is_broken


@pytest.mark.parametrize("n, percent", [(5, 15), (6, 14), (7, 13), (8, 12), (9, 11), (10, 10)])
def test_ngrams_said_before_may_be_so_much_of_a_text(n, percent):
    phrase = plain(n)
    words = [*phrase, "and", *phrase]
    for n_characters, is_broken in (
        (math.ceil(5 * n * 100 / percent), False),
        (math.ceil(5 * n * 100 / percent) - 1, True),
    ):
        found = broken(quality._repeated_ngrams(WEB, words, n_characters))
        assert (f"repeated {n}-grams" in found) == is_broken


def test_repeated_ngrams_are_counted_once_each():
    words = list("abcdefabcdexabcde")
    assert quality._in_repeats(words, 5) == 10
    assert quality._in_repeats(list("aaaaaa"), 2) == 4
    assert quality._in_repeats(["a"], 5) == 0


@given(st.lists(st.sampled_from("abc"), max_size=60), st.integers(2, 4), st.integers(0, 3))
def test_longer_repeats_lie_within_shorter_ones(words, n, more):
    assert quality._in_repeats(words, n + more) <= quality._covered_by_repeats(words, n)


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=40), st.integers(1, 400))
def test_skipped_ngrams_would_not_have_been_too_frequent(words, n_characters):
    found = broken(quality._top_ngrams(WEB, words, n_characters))
    for n, share in WEB.top_ngrams:
        is_broken = quality._top_ngram(words, n) / n_characters > share
        assert (f"one {n}-gram too often" in found) == is_broken


def test_many_phrases_said_twice_are_rejected():
    phrase = "because of that the people who live near the river were very often afraid of floods"
    text = PROSE + "".join(f" In year {i} it was so {phrase}." for i in range(6))
    assert "-grams" in quality.reject(text) or "-gram " in quality.reject(text)


def test_lines_that_are_no_sentences_are_taken_out():
    text = (
        "Read the mill's story here.[1]\nHome\nPlease enable JavaScript in your browser.\n"
        "We have a privacy policy for that.\n" + "x" * 1001 + " and more\n\nIt is a long story."
    )
    assert quality.drop_lines(text) == "Read the mill's story here.\n\nIt is a long story."
    assert quality.drop_lines(text, "reference") == text


@pytest.mark.parametrize(
    "line, is_kept",
    [
        ("three short words", True),
        ("two words", False),
        ("a b " + "x" * 1000, True),
        ("a b " + "x" * 1001, False),
        ("is written in JavaScript here", False),
        *[(f"it is about {phrase.title()} here", False) for phrase in quality.NOTICES],
        ("it is about the use of cookie cutters", True),
    ],
)
def test_which_lines_are_taken_out(line, is_kept):
    assert (line in quality.drop_lines(f"It is a line.\n{line}\nIt is another.")) == is_kept


def test_citation_marks_are_taken_out():
    text = "So it was.[1] And so[23][edit] it is[citation needed] to this day [see 4]."
    assert quality.drop_lines(text) == "So it was. And so it is to this day [see 4]."


def test_what_is_judged_last_is_what_is_left():
    text = PROSE + "\nSign up here\nSign up here"
    assert quality.judge(text)[1] == "a repeated line"
    text = PROSE + "\nSign up\nSign up"
    assert quality.judge(text) == (PROSE, None)
    assert quality.reject(PROSE + "\nx {") is None
    assert quality.reject(PROSE + "\nx { the y") == "curly bracket"


def test_reference_takes_constants_for_no_lines_and_ends_sentences_within_lines():
    wrapped = "It opens a file that is on the other disk. The\ncaller has to close it, as with open"
    filler = "\n".join(f"{word} of the other disk, as many of them as it has" for word in WORDS)
    page = f"{wrapped}\n{filler}"
    assert quality.reject(page.replace(". The", ", the"), "reference") == "few sentence lines"
    assert quality.reject(page, "reference") is None
    constants = "\n".join(f"{word.upper()} = {n}" for n, word in enumerate(WORDS * 5))
    assert quality.reject(f"{page}\n{constants}", "reference") is None
    only_data = constants + "\nTEXT = 'the list of the names.'"
    assert quality.reject(only_data, "reference") == "few sentence lines"


@pytest.mark.parametrize(
    "text, reason",
    [
        ("Index\n\nabc\nxyz", "too few words"),
        ("\n".join(WORDS * 2), "no common words"),
        ("\n".join(f"{word} of" for word in WORDS), "few sentence lines"),
        (API.replace("Basket", "lorem ipsum"), "lorem ipsum"),
        ("The list of numbers. " + "100, 222, 333, " * 60, "few words with letters"),
    ],
)
def test_reference_still_asks_for_language(text, reason):
    assert quality.reject(text, "reference") == reason


def test_a_reference_may_have_a_short_page_for_each_of_its_names():
    page = "knots.Knot.ends\n\nKnot.ends\n    The ends of a knot."
    assert quality.reject(page, "reference") is None
    for text in (PROSE[:170] + ".", "The ends\n    " + PROSE[:170] + "."):
        assert quality.reject(text, "web") == "too few words"
    assert quality.reject("Knot.ends\n    The ends of it.", "reference") == "too few words"
    assert quality.reject("Knot.ends\n    The ends of it all.", "reference") is None
    assert quality.reject(page.replace("    ", ""), "reference") == "too few words"
    assert quality.reject(page.replace("The ends of a", "Ends, every"), "reference") == (
        "no common words"
    )


def test_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="'prose'; it must be one of: web, reference"):
        quality.reject("text", "prose")


@given(st.text(), st.sampled_from(sorted(quality.PROFILES)))
def test_any_text_gets_an_answer(text, profile):
    text = quality.drop_lines(text, profile)
    assert (quality.reject(text, profile) == "empty") == (not text.strip())


@given(st.text(alphabet="ab [1]\n.", max_size=80))
def test_dropping_lines_adds_nothing(text):
    lines = {quality.CITATION.sub("", line).strip() for line in text.splitlines()}
    assert {line.strip() for line in quality.drop_lines(text).split("\n")} <= {*lines, ""}
