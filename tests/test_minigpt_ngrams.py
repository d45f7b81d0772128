"""The index of the training text, against a search that tries every place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt.ngrams import STRIDE, WINDOW, NgramIndex

few_symbols = st.lists(st.integers(0, 2), max_size=60)  # so that much is repeated


def stands_at(text, span):
    """Every place of `span` in `text`, by trying all."""
    return [p for p in range(len(text) - len(span) + 1) if text[p : p + len(span)] == span]


shapes = st.sampled_from([(WINDOW, STRIDE), (5, 2), (3, 1), (1, 1), (2, 5)])


def longest_from(text, ids, i):
    """How many of `ids` from `i` on stand together in `text`, by trying all."""
    n = len(ids) - i
    while n and not stands_at(text, ids[i : i + n]):
        n -= 1
    return n


@untimed
@given(few_symbols, few_symbols, shapes)
def test_matches_are_those_of_a_search_at_every_place(text, ids, shape):
    index = NgramIndex(np.array(text, np.uint16), window=shape[0], stride=shape[1])
    lengths, places = index.matches(ids)
    assert index.shortest == sum(shape) - 1
    for i, (length, place) in enumerate(zip(lengths, places, strict=True)):
        expected = longest_from(text, ids, i)
        assert length == (expected if expected >= index.shortest else 0)
        assert text[place : place + length] == ids[i : i + length]


@untimed
@given(few_symbols, st.integers(0, 50), st.integers(1, 20), shapes)
def test_occurrences_are_those_of_a_search_at_every_place(text, start, length, shape):
    index = NgramIndex(np.array(text, np.uint32), window=shape[0], stride=shape[1])
    span = text[start : start + length]
    if len(span) < index.shortest:
        span = [0] * index.shortest
    places = index.occurrences(span)
    assert places.tolist() == stands_at(text, span)


def test_a_window_found_too_often_is_followed_at_its_first_places_only(monkeypatch):
    monkeypatch.setattr("minigpt.ngrams.FOLLOWED", 2)
    text = [7] * 300
    lengths, _ = NgramIndex(np.array(text, np.uint16)).matches([7] * 50)
    assert lengths[0] == 50
    assert len(NgramIndex(np.array(text, np.uint16)).occurrences([7] * 50)) == 251


@pytest.mark.parametrize("compared", [1, 7, 1 << 16])
def test_matches_longer_than_a_block_are_whole(monkeypatch, compared):
    monkeypatch.setattr("minigpt.ngrams.COMPARED", compared)
    text = np.random.default_rng(0).integers(0, 9, 1000, dtype=np.uint16)
    ids = np.concatenate([text[400:700], [9], text[:300], text[701:]]).tolist()
    lengths, places = NgramIndex(text).matches(ids)
    for start, length, place in ((0, 300, 400), (301, 300, 0), (601, 299, 701)):
        assert (lengths[start], places[start]) == (length, place)
        assert (lengths[start + 250], places[start + 250]) == (length - 250, place + 250)


def test_collisions_of_hashes_give_no_wrong_answer(monkeypatch):
    monkeypatch.setattr("minigpt.ngrams.hash_windows", lambda tokens, n, *_: np.zeros(n, "u8"))
    text = np.random.default_rng(0).integers(0, 50, 500, dtype=np.uint16)
    index = NgramIndex(text)
    lengths, places = index.matches(text[100:140])
    assert (lengths[0], places[0]) == (40, 100)
    assert not index.matches(text[::-1][:50])[0].any()
    assert index.occurrences(text[20:40]).tolist() == [20]


def test_what_stands_often_is_drawn_often_and_said_to():
    rare = np.arange(3000, dtype=np.uint32)
    often = np.tile(np.arange(5000, 5030, dtype=np.uint32), 100)
    places, counts = NgramIndex(np.concatenate([rare, often])).sample(
        2000, np.random.default_rng(0)
    )
    is_often = places >= 3000
    assert 0.4 < is_often.mean() < 0.6
    assert counts[places < 2990].max() == 1
    assert counts[is_often].mean() > 20


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9])
def test_texts_shorter_than_a_window_hold_nothing(n):
    index = NgramIndex(np.arange(n, dtype=np.uint16))
    assert not index.matches(list(range(9)))[0].any()
    assert len(index.occurrences(list(range(10)))) == 0
