"""Equal texts are found whole, by paragraph, and nearly equal by MinHash; never too many."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import dedup

WORDS = [
    f"{a}{b}{c}" for a in "btksm" for b in ("an", "or", "el", "ui") for c in ("ta", "ne", "ro")
]


def random_text(rng, length=120):
    return " ".join(rng.choice(WORDS) + str(rng.randrange(40)) for _ in range(length))


def test_normalisation_hides_case_numbers_punctuation_and_accents():
    assert dedup.normalise("  Déjà-vu: 1,234.5  TIMES\n") == "deja vu 0 times"


def test_digest_hides_case_and_blanks_but_not_numbers():
    assert dedup.digest("A  b,\n1!") == dedup.digest("a b, 1!")
    assert dedup.digest("sha224") != dedup.digest("sha256")


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing_more(text):
    once = dedup.normalise(text)
    assert dedup.normalise(once) == once or not once.isascii()


def test_later_copies_of_a_paragraph_are_dropped():
    paragraphs = dedup.Paragraphs()
    assert paragraphs.drop_repeats("One is here.\n\nTwo is here.") == "One is here.\n\nTwo is here."
    assert paragraphs.drop_repeats("two  is HERE.\n\nThree is here.") == "Three is here."
    assert paragraphs.drop_repeats("One is here.\n\nOne is here.") == ""


def test_an_announcement_stays_only_with_what_follows_it():
    paragraphs = dedup.Paragraphs()
    first = "Functions\n\nMethods defined here:\n\nold(self)\n    Do the old thing."
    assert paragraphs.drop_repeats(first) == first
    again = "Methods inherited from Old:\n\nold(self)\n    Do the old thing."
    fresh = "Functions\n\nMethods defined here:\n\nnew(self)\n    Do the new thing."
    assert paragraphs.drop_repeats(f"{again}\n\n{fresh}\n\n{again}\n\nData") == f"{fresh}\n\nData"
    assert paragraphs.drop_repeats(f"{again}\n\nData") == ""
    paragraphs.drop_repeats("class Box(object)\n\nHolds what is put into it.")
    assert paragraphs.drop_repeats("class Box(object)\n\nHolds the same things.") == (
        "class Box(object)\n\nHolds the same things."
    )


def test_what_is_said_of_a_function_stays_under_its_name():
    paragraphs = dedup.Paragraphs()
    paragraphs.drop_repeats("seek(pos)\n    Change the position.\n\n    The default is 0.")
    again = (
        "tell()\n    Say where.\n\nseek(pos)\n    Change the position.\n\n    Text files: only 0."
    )
    assert paragraphs.drop_repeats(again) == again
    assert paragraphs.drop_repeats(again) == ""


def test_short_paragraphs_may_be_said_again_where_the_profile_says_so():
    talk = "Is it he?\n\nYes.\n\nAre you sure?\n\nYes."
    assert dedup.Paragraphs(shortest=60).drop_repeats(talk) == talk
    assert dedup.Paragraphs().drop_repeats(talk) == "Is it he?\n\nYes.\n\nAre you sure?"


def test_texts_that_differ_in_numbers_are_different_where_numbers_count():
    texts = [
        " ".join(f"the value {n} has the name sha{n}" for n in range(k, k + 9)) for k in (1, 99)
    ]
    assert dedup.keep_one(texts) == {1: 0} or dedup.keep_one(texts) == {0: 1}
    assert dedup.keep_one(texts, keep_numbers=True) == {}


def test_shingles_and_jaccard_by_hand():
    assert dedup.shingles("a b c d e f") == {"a b c d e", "b c d e f"}
    assert dedup.shingles("a b") == {"a b"}
    assert dedup.shingles("...") == set()
    assert dedup.jaccard({1, 2, 3}, {2, 3, 4}) == 0.5
    assert dedup.jaccard(set(), set()) == 0.0


def test_signatures_agree_as_often_as_the_sets_are_similar():
    orders = dedup.random_orders()
    agree, expected = [], []
    for overlap in range(0, 101, 10):
        a = dedup.hashes(map(str, range(100)))
        b = dedup.hashes(map(str, range(100 - overlap, 200 - overlap)))
        agree.append(np.mean(dedup.signature(a, orders) == dedup.signature(b, orders)))
        expected.append(overlap / (200 - overlap))
    # the standard error of 112 draws is at most .047
    assert np.sqrt(np.mean((np.array(agree) - expected) ** 2)) < 0.08
    assert agree[-1] == 1


def test_signature_of_many_hashes_equals_one_minimum_over_all():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**32, 3000, dtype=np.uint64)
    orders = dedup.random_orders()[:5]
    slow = [min((int(a) * int(h) + int(b)) % 2**64 >> 32 for h in values) for a, b in orders]
    assert dedup.signature(values, orders).tolist() == slow


def edited(rng, text, edits):
    words = text.split()
    for _ in range(edits):
        words[rng.randrange(len(words))] = "edit" + str(rng.randrange(1000))
    return " ".join(words)


def all_pairs(texts, threshold):
    sets = [dedup.shingles(text) for text in texts]
    return [
        (i, j)
        for i, j in itertools.combinations(range(len(texts)), 2)
        if dedup.jaccard(sets[i], sets[j]) >= threshold
    ]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_near_duplicates_are_those_of_all_pairs(seed):
    rng = random.Random(seed)
    texts = [random_text(rng) for _ in range(8)]
    texts += [edited(rng, text, edits) for text in texts for edits in (0, 1, 3, 8)]
    found, wanted = dedup.near_duplicates(texts), all_pairs(texts, 0.8)
    assert set(found) <= set(wanted)
    assert found == sorted(found)
    # what may be missed has a similarity close to the threshold
    assert set(all_pairs(texts, 0.93)) <= set(found)
    assert len(found) >= 0.8 * len(wanted)


@pytest.mark.parametrize("threshold", [0.2, 1.5, -1])
def test_a_threshold_that_bands_cannot_find_is_refused(threshold):
    with pytest.raises(ValueError, match=f"threshold is {threshold}; it must be 0.5 to 1"):
        dedup.near_duplicates([], threshold)


def test_empty_texts_have_no_duplicates():
    assert dedup.near_duplicates(["", "", "..."]) == []


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
