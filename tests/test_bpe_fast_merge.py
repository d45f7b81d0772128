"""Merging many chunks at once, long ones too, and the two tables: as `merge_by_rank` and `dict`."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpe import fast_long, fast_table, naive
from bpe.fast_merge import Merger
from bpe.fast_ranks import NO_RANK, PairRanks
from bpe.fast_table import Table, distinct_keys
from bpe.ranks import merge_by_rank


def example(merges):
    """A merger of `merges`, and the plain way to do the same."""
    tokens = naive.vocabulary(merges)
    ids = {token: id for id, token in enumerate(tokens)}
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    made = [ids[tokens[a] + tokens[b]] for a, b in merges]
    return Merger(dict(enumerate(tokens)), ranks, made), (
        lambda chunk: merge_by_rank(naive.byte_ids(chunk), ranks, made)
    )


TEXT = b"the thin thing that thinks, then thanks the others; aaaaaaaaaaaaaaaaaaaaaaa abababab"
LEARNED = naive.train([TEXT], 60)
EXAMPLES = {"learned": example(LEARNED)}
# The same merges in an order in which some come before what makes their parts.
shuffled = random.Random(1).sample(range(len(LEARNED)), len(LEARNED))
tokens = naive.vocabulary(LEARNED)
ranks = {LEARNED[i]: rank for rank, i in enumerate(shuffled)}
made = [256 + i for i in shuffled]
EXAMPLES["shuffled"] = (
    Merger(dict(enumerate(tokens)), ranks, made),
    lambda chunk: merge_by_rank(naive.byte_ids(chunk), ranks, made),
)
each = pytest.mark.parametrize(("merger", "plain"), EXAMPLES.values(), ids=EXAMPLES.keys())
FEW_LETTERS = st.lists(st.sampled_from(b"thinka b"), min_size=1, max_size=60).map(bytes)
REPEATED = st.tuples(FEW_LETTERS, st.integers(1, 300)).map(lambda pair: pair[0][:7] * pair[1])
WORDS = st.lists(st.sampled_from([b"the", b"th", b"thin", b"aaa", b"ab", b"x"]), min_size=1)
CHUNKS = FEW_LETTERS | REPEATED | WORDS.map(b"".join) | st.binary(min_size=1)


@each
@given(chunks=st.lists(CHUNKS, max_size=60))
def test_many_chunks_are_merged_as_one_by_one(merger, plain, chunks):
    ids, counts = merger.merge(chunks)
    assert [row.tolist() for row in np.split(ids, np.cumsum(counts))[:-1]] == [*map(plain, chunks)]


@each
def test_more_chunks_than_fit_one_batch(merger, plain, monkeypatch):
    monkeypatch.setattr(merger, "cells", 300)
    rng = random.Random(0)
    chunks = [bytes(rng.choices(b"thinka b", k=rng.randint(1, 100))) for _ in range(200)]
    ids, counts = merger.merge(chunks)
    assert ids.tolist() == [id for chunk in chunks for id in plain(chunk)]
    assert counts.tolist() == [len(plain(chunk)) for chunk in chunks]


@each
@pytest.mark.parametrize("unit", [b"a", b"ab", b"the", b"thin", b"aab", b"x", b"thinkthe" * 3])
def test_long_repetition_is_merged_right(merger, plain, unit):
    chunk = unit * (3000 // len(unit))
    for shift in range(0, len(unit), 5):
        ids, _ = merger.merge([chunk[shift:], b"a"])
        assert ids.tolist() == [*plain(chunk[shift:]), *plain(b"a")]


@given(st.integers(0, 1000), st.sampled_from([b"thinka b", b"abn", bytes(range(256))]))
def test_windows_put_together_are_the_whole(seed, letters):
    merger, plain = EXAMPLES["learned"]
    chunk = bytes(random.Random(seed).choices(letters, k=2500))
    [ids] = fast_long.merge_long([chunk], merger)
    assert ids.tolist() == plain(chunk)


@each
def test_windows_are_put_together_at_the_same_token_not_only_at_the_same_place(merger, plain):
    for seed in range(150):
        chunk = bytes(random.Random(seed).choices(b"abx", k=200))
        [ids] = fast_long.merge_long([chunk], merger, 8)  # so small that tokens reach across
        assert ids.tolist() == plain(chunk)


def test_repetition_takes_few_steps(monkeypatch):
    """Not a merge at a time: what is left to go through one by one is short."""
    merger, _ = EXAMPLES["learned"]
    left = []
    one_by_one = merger.merge_one_by_one
    monkeypatch.setattr(
        merger, "merge_one_by_one", lambda ids: left.append(len(ids)) or one_by_one(ids)
    )
    for unit in (b"a", b"ab", b"thinks", b"abcdefghijklmnopqrstuvwxyz"):
        merger.merge([unit * (100_000 // len(unit))])
    assert sum(left) < 200_000


@given(st.sets(st.tuples(st.integers(0, 99), st.integers(0, 99))), st.data())
def test_ranks_are_those_of_a_dict(pairs, data):
    pairs = sorted(pairs)
    asked = pairs + data.draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99))))
    first, second = np.array(asked, np.uint32).reshape(-1, 2).T
    expected = [pairs.index(pair) if pair in pairs else NO_RANK for pair in asked]
    assert PairRanks(pairs).get(first, second).tolist() == expected


KEYS = st.dictionaries(
    st.tuples(st.integers(0, 2**64 - 1) | st.integers(0, 9), st.integers(1, 9)),
    st.just(0),
    max_size=40,
)


def columns(keys):
    return np.array(list(keys), np.uint64).reshape(-1, 2).T.copy()


def hash_alike(low, high):
    """A hash that sends every key to the last row."""
    return np.full_like(low, 2**64 - 1)


hashes = pytest.mark.parametrize("hash_keys", [fast_table.hash_keys, hash_alike])


@hashes
@given(parts=st.lists(KEYS, max_size=6), others=KEYS)
def test_a_table_is_a_dict(hash_keys, parts, others):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_table, "FIRST_ROWS", 4)  # it has to grow
        patch.setattr(fast_table, "hash_keys", hash_keys)
        table, known = Table(), {}
        for part in parts:
            new = [key for key in part if key not in known]
            values = np.arange(len(known) + 1, len(known) + 1 + len(new), dtype=np.uint64)
            known |= dict(zip(new, values.tolist(), strict=True))
            table.add(*columns(new), values)
            asked = [*known, *others]
            assert table.get(*columns(asked)).tolist() == [known.get(key, 0) for key in asked]
            assert table.size == len(known)


def test_a_row_that_another_thread_fills_meanwhile_is_not_taken_for_another_key(monkeypatch):
    monkeypatch.setattr(fast_table, "hash_keys", hash_alike)
    table = Table()
    rows = table._rows

    class Interrupted(np.ndarray):
        """Behind the first look at it, a key is added; the one looked for differs in `low`."""

        def take(self, at):
            seen = self.view(np.ndarray).take(at)
            if not table.size:
                table._rows = rows
                table.add(*columns([(7, 1)]), np.array([1], np.uint64))
            return seen

    table._rows = [row.view(Interrupted) for row in rows]
    assert table.get(*columns([(0, 1)])).tolist() == [0]
    assert table.get(*columns([(0, 1), (7, 1)])).tolist() == [0, 1]


@hashes
@given(keys=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3))))
def test_distinct_keys_are_numbered(hash_keys, keys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_table, "hash_keys", hash_keys)
        first, numbers = distinct_keys(*columns(keys))
    assert len(first) == len(set(keys))
    assert [keys[first[number]] for number in numbers] == keys


def test_a_merge_before_those_of_its_parts_comes_as_soon_as_it_can():
    """In "abab" it is "ab", then "aba", then "b"; all "ab" at once would leave no "a" for it."""
    a, b = naive.byte_ids(b"ab")
    tokens = naive.vocabulary([(a, b), (256, a)])
    ranks, made = {(256, a): 0, (a, b): 1}, [257, 256]
    merger = Merger(dict(enumerate(tokens)), ranks, made)
    for length in (4, 100, 1000, 1001):
        chunk = (b"ab" * length)[:length]
        for ids in (merger.merge([chunk])[0], fast_long.merge_everywhere(chunk, merger)):
            assert ids.tolist() == merge_by_rank(naive.byte_ids(chunk), ranks, made)
    assert ids.tolist()[:2] == [257, b]
