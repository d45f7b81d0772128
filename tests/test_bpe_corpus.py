"""Many merges in a step, against one after the other."""

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpe import corpus, naive
from bpe.corpus import Corpus
from bpe.naive import BYTE_ORDER

# Few letters make runs, ties and overlaps.
CHUNKS = st.dictionaries(
    st.text("ab", min_size=1, max_size=30) | st.text("abcdefgh", min_size=1, max_size=12),
    st.integers(1, 3),
    max_size=12,
)


def learn(counts: dict[str, int], num_merges: int) -> tuple[list, Corpus]:
    learner = Corpus([chunk.encode() for chunk in counts], list(counts.values()))
    merges = []
    while step := learner.merge_next(num_merges - len(merges)):
        merges += step
    return merges, learner


def naive_merges(counts: dict[str, int], num_merges: int) -> list:
    text = [chunk.encode() for chunk, count in counts.items() for _ in range(count)]
    return naive.train(text, num_merges)


@given(CHUNKS, st.integers(0, 40), st.sampled_from([1, 2, 5, corpus.CANDIDATES]))
def test_the_merges_are_those_of_the_naive_trainer(counts, num_merges, candidates):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "CANDIDATES", candidates)
        assert learn(counts, num_merges)[0] == naive_merges(counts, num_merges)


@pytest.mark.parametrize("candidates", [3, corpus.CANDIDATES])
def test_the_merges_of_many_words_are_those_of_the_naive_trainer(monkeypatch, candidates):
    monkeypatch.setattr(corpus, "CANDIDATES", candidates)
    choice = random.Random(7)
    syllables = ["ka", "to", "mi", "su", "ren", "lo", "th", "e"]
    words = ["".join(choice.choices(syllables, k=choice.randint(1, 4))) for _ in range(300)]
    counts = Counter(words)
    assert learn(counts, 150)[0] == naive_merges(counts, 150)


def test_pairs_that_cannot_touch_are_merged_in_one_step():
    merges = Corpus([b"ab", b"cd", b"ef"], [3, 2, 1]).merge_next(10)
    assert [bytes(BYTE_ORDER[id] for id in pair) for pair in merges] == [b"ab", b"cd", b"ef"]


@pytest.mark.parametrize("later", [b"bc", b"ca", b"bb", b"aa"])
def test_a_pair_that_could_touch_waits_for_the_next_step(later):
    assert len(Corpus([b"ab", later], [3, 2]).merge_next(10)) == 1


def test_a_step_does_no_more_merges_than_asked():
    learner = Corpus([b"ab", b"cd", b"ef"], [3, 2, 1])
    assert [len(learner.merge_next(2)), len(learner.merge_next(0)), len(learner.merge_next(2))] == [
        2,
        0,
        1,
    ]


def test_nothing_is_left_of_single_bytes():
    assert Corpus([b"a", b"b"], [3, 2]).merge_next(10) == []
    assert Corpus([], []).merge_next(10) == []


@given(CHUNKS, st.integers(0, 40))
def test_pair_counts_are_those_of_the_text(counts, num_merges):
    merges, learner = learn(counts, num_merges)
    expected = Counter()
    for chunk, count in counts.items():
        for pair in pairwise(naive.encode(chunk.encode(), merges)):
            expected[pair] += count
    keys, found = learner.pairs[:2, 1 : learner.num_pairs].tolist()
    assert {divmod(key, 1 << 32): n for key, n in zip(keys, found, strict=True) if n} == expected


def test_a_merge_touches_only_where_it_happens(monkeypatch):
    # A chunk without a space: recounting it for each merge would look at merges x length places.
    touched = 0
    enter = Corpus._enter

    def counting(self, where):
        nonlocal touched
        touched += len(where)
        return enter(self, where)

    monkeypatch.setattr(Corpus, "_enter", counting)
    letters = "".join(random.Random(1).choices("abcdefghij", k=20_000))
    assert len(learn({letters: 1, "a" * 20_000: 1}, 500)[0]) == 500
    assert touched <= 5 * 40_000
