"""Every near-duplicate pair is found and none that is not; of each group one stays."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import dedup, minhash, verify
from crawler.shingles import jaccard, shingles

WORDS = [
    f"{a}{b}{c}" for a in "btksm" for b in ("an", "or", "el", "ui") for c in ("ta", "ne", "ro")
]


def random_text(rng, length=120):
    return " ".join(rng.choice(WORDS) + "abcdefghij"[rng.randrange(10)] for _ in range(length))


def test_texts_that_differ_in_numbers_are_different_where_numbers_count():
    texts = [
        " ".join(f"the value {n} has the name sha{n}" for n in range(k, k + 9)) for k in (1, 99)
    ]
    assert dedup.keep_one(texts) == {1: 0} or dedup.keep_one(texts) == {0: 1}
    assert dedup.keep_one(texts, keep_numbers=True) == {}


def edited(rng, text, edits):
    words = text.split()
    for _ in range(edits):
        words[rng.randrange(len(words))] = "edit" + rng.choice(WORDS)
    return " ".join(words)


def all_pairs(texts, threshold):
    """Return the pairs by comparing each text with each, as sets of tuples of words."""
    runs = []
    for text in texts:
        words = text.split()
        n_runs = max(1, len(words) - 4)
        runs.append({tuple(words[i : i + 5]) for i in range(n_runs)} if words else set())
    return [
        (i, j)
        for i, j in itertools.combinations(range(len(texts)), 2)
        if runs[i] and len(runs[i] & runs[j]) / len(runs[i] | runs[j]) >= threshold
    ]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.6, 0.8, 0.9, 1.0]))
def test_near_duplicates_are_those_of_all_pairs(seed, threshold):
    rng = random.Random(seed)
    texts = [random_text(rng, length) for length in (3, 7, 30, 60, 120, 200, 300)]
    texts += [edited(rng, text, edits) for text in texts for edits in (0, 1, 3, 5, 8)]
    texts += ["", "one two", "One, two!"]
    assert dedup.near_duplicates(texts, threshold) == all_pairs(
        [" ".join(text.lower().replace(",", "").replace("!", "").split()) for text in texts],
        threshold,
    )


def test_pairs_just_at_the_threshold_are_found_and_just_below_are_not():
    words = [f"w{'abcdefghij'[i // 10]}{'abcdefghij'[i % 10]}" for i in range(100)]
    text = " ".join(words[:49])  # 45 shingles
    at = " ".join([*words[:45], *words[60:64]])  # 41 in common, 4 + 4 others
    below = " ".join([*words[:44], *words[60:65]])  # 40 in common, 5 + 5 others
    assert jaccard(shingles(text), shingles(at)) == 41 / 49
    assert dedup.near_duplicates([text, at], 41 / 49) == [(0, 1)]
    assert dedup.near_duplicates([text, at, below], 41 / 49) == [(0, 1)]


@pytest.mark.parametrize("threshold", [0.2, 1.5, -1])
def test_a_threshold_that_is_none_is_refused(threshold):
    with pytest.raises(ValueError, match=f"threshold is {threshold}; it must be 0.5 to 1"):
        dedup.near_duplicates([], threshold)


def test_empty_texts_have_no_duplicates():
    assert dedup.near_duplicates(["", "", "..."]) == []
    assert dedup.keep_one(["", "", "..."]) == {}
    assert dedup.near_duplicates([]) == []


def test_clusters_are_connected_components():
    pairs = [(0, 3), (3, 5), (1, 2)]
    assert sorted(dedup.clusters(7, pairs)) == [[0, 3, 5], [1, 2]]
    assert dedup.clusters(3, []) == []


def test_the_longest_of_a_cluster_stays_and_the_first_of_equals():
    rng = random.Random(1)
    text = random_text(rng, 300)
    texts = [text, f"{text} one more", random_text(rng), text, "other"]
    assert dedup.keep_one(texts) == {0: 1, 3: 1}
    assert dedup.keep_one([text, text]) == {1: 0}


def test_many_equal_texts_take_as_many_steps(monkeypatch):
    monkeypatch.setattr(verify, "jaccard", lambda a, b: pytest.fail("equal texts are compared"))
    texts = ["The same few words of a text that is copied again and again."] * 5_000
    assert dedup.keep_one(texts) == dict.fromkeys(range(1, 5_000), 0)
    assert dedup.near_duplicates(texts) == [(0, i) for i in range(1, 5_000)]


def test_many_texts_of_one_make_are_one_group(monkeypatch):
    rng = random.Random(5)
    text = random_text(rng, 200)
    texts = [f"{text} {a} {b}" for a in WORDS[:40] for b in WORDS[:30]]  # 1,200, J > .97
    compared = []

    def counted(a, b):
        compared.append(1)
        return jaccard(a, b)

    monkeypatch.setattr(verify, "jaccard", counted)
    many = verify._jaccards
    monkeypatch.setattr(
        verify, "_jaccards", lambda pairs, *more: compared.extend(pairs) or many(pairs, *more)
    )
    monkeypatch.setattr(minhash, "LARGE", 100)
    kept = set(range(1200)) - set(dedup.keep_one(texts))
    assert len(kept) == 1
    assert len(compared) < 10_000  # of 719,400 pairs


def test_copies_of_similar_texts_make_all_pairs():
    rng = random.Random(6)
    text = random_text(rng, 200)
    other = f"{text} more"
    assert dedup.near_duplicates([text, other, text, other]) == list(
        itertools.combinations(range(4), 2)
    )


def test_texts_are_asked_for_one_by_one_and_not_kept():
    class Texts:
        def __len__(self):
            return 50

        def __getitem__(self, index):
            if index >= 50:
                raise IndexError
            return random_text(random.Random(index % 25))

    assert dedup.near_duplicates(Texts()) == [(i, i + 25) for i in range(25)]


def test_groups_are_known_as_joined():
    groups = dedup.Groups(4)
    groups.join(0, 1)
    groups.join(1, 3)
    assert groups.are_joined(0, 3)
    assert not groups.are_joined(0, 2)


@pytest.mark.peer
def test_datasketch_finds_nothing_that_is_missing_here():
    datasketch = pytest.importorskip("datasketch")
    rng = random.Random(7)
    texts = [random_text(rng) for _ in range(40)]
    texts += [edited(rng, text, edits) for text in texts for edits in (1, 2, 4)]
    index, theirs = datasketch.MinHashLSH(threshold=0.8, num_perm=112), set()
    for number, text in enumerate(texts):
        words = text.split()
        sketch = datasketch.MinHash(num_perm=112)
        sketch.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])
        theirs.update((other, number) for other in index.query(sketch))
        index.insert(number, sketch)
    similar = set(all_pairs(texts, 0.8))
    assert theirs & similar <= set(dedup.near_duplicates(texts)) == similar


def test_texts_may_come_from_an_iterator():
    texts = ["one two three four five six", "seven", "One two three, four five six."]
    assert dedup.near_duplicates(iter(texts)) == dedup.near_duplicates(texts) == [(0, 2)]
