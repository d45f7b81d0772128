"""Texts become sets of numbers that depend on nothing a reader would not notice."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import shingles as module
from crawler.shingles import jaccard, normalise, shingles, words


def slow_words(text, keep_numbers=False):
    """Return the words of a text, character by character."""
    text = text.lower() if keep_numbers else module.NUMBER.sub("0", text.lower())
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return "".join(c if c.isalnum() else " " for c in text).split()


def test_normalisation_hides_case_numbers_punctuation_and_accents():
    assert normalise("  Déjà-vu: 1,234.5  TIMES\n") == "deja vu 0 times"
    assert normalise("SHA-256", keep_numbers=True) == "sha 256"
    assert normalise("an_underscore — “quoted”") == "an underscore quoted"


@given(st.text(max_size=80), st.booleans())
def test_words_are_those_of_the_slow_way(text, keep_numbers):
    assert [w.decode() for w in words(text, keep_numbers)] == slow_words(text, keep_numbers)


def test_no_character_is_an_accent_before_the_first_that_is_looked_at():
    assert not any(unicodedata.category(chr(c)) == "Mn" for c in range(0x300))
    assert not module.BEYOND_LATIN.search("".join(map(chr, range(0x300))))
    assert module.BEYOND_LATIN.fullmatch("\u0300\U0010ffff")


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), max_size=30))
def test_shingles_are_as_many_as_runs_of_five_words_and_sorted(found):
    runs = {tuple(found[i : i + 5]) for i in range(max(1, len(found) - 4))} if found else set()
    hashes = shingles(" ".join(found))
    assert len(hashes) == len(runs)
    assert hashes.dtype == np.uint64
    assert (hashes[1:] > hashes[:-1]).all()


@given(st.lists(st.sampled_from("abcdef"), max_size=40), st.lists(st.sampled_from("abcdef")))
def test_jaccard_is_that_of_the_sets_of_runs(a, b):
    def runs(found):
        return {tuple(found[i : i + 5]) for i in range(max(1, len(found) - 4))} if found else set()

    either = runs(a) | runs(b)
    wanted = len(runs(a) & runs(b)) / len(either) if either else 0.0
    assert jaccard(shingles(" ".join(a)), shingles(" ".join(b))) == wanted


def test_a_short_text_is_one_shingle_and_an_empty_one_none():
    assert len(shingles("a b")) == len(shingles("a b c d e")) == 1
    assert len(shingles("...")) == len(shingles("")) == 0
    assert jaccard(shingles("a b"), shingles("A, b!")) == 1
    assert jaccard(shingles("a b"), shingles("a b c")) == 0
    assert jaccard(shingles(""), shingles("")) == 0


def test_hashes_are_the_same_on_every_machine():
    assert (
        shingles("the cat sat on the mat").tolist() == shingles("The cat sat on the mat").tolist()
    )
    # a number worked out once, with Python's own integers
    word = int.from_bytes(module.blake2b(b"mat", digest_size=8).digest(), "little")
    mask = 2**64 - 1
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & mask
    word = (word ^ word >> 27) * 0x94D049BB133111EB & mask
    assert shingles("mat").tolist() == [word ^ word >> 31]


def test_known_words_are_forgotten_when_they_are_too_many(monkeypatch):
    monkeypatch.setattr(module, "MAX_KNOWN_WORDS", 3)
    monkeypatch.setattr(module, "_WORD_HASHES", module._WordHashes())
    text = "one two three four five six seven"
    before = shingles(text).tolist()
    assert shingles(text).tolist() == before
    assert len(module._WORD_HASHES) <= 3


@pytest.mark.parametrize("numbers", [[], [5], [3, 1, 3, 2**64 - 1, 0]])
def test_sorted_set_equals_numpys_unique(numbers):
    array = np.array(numbers, np.uint64)
    assert module.sorted_set(array).tolist() == np.unique(array).tolist()
