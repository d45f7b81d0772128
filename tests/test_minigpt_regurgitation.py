"""The shares of spans; the rest is tried on a planted model in test_minigpt_planted.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt.ngrams import NgramIndex
from minigpt.regurgitation import BUCKETS, SPANS, name_of, shares

rows_of_ids = st.lists(st.integers(0, 1), max_size=70)


@untimed
@given(rows_of_ids, st.lists(rows_of_ids, max_size=3), st.integers(0, 60))
def test_shares_are_those_of_all_spans_that_stand_in_the_text(training, written, n_copied):
    written = [*written, training[:n_copied]]
    index = NgramIndex(np.array(training, np.uint16))
    found = shares([index.matches(np.array(ids, np.int64))[0] for ids in written])
    for span, share in zip(SPANS, found, strict=True):
        there = {tuple(training[i : i + span]) for i in range(len(training) - span + 1)}
        spans = [tuple(ids[i : i + span]) for ids in written for i in range(len(ids) - span + 1)]
        expected = sum(s in there for s in spans) / len(spans) if spans else None
        assert share == (expected if expected is None else pytest.approx(expected))


def test_numbers_of_times_are_told_in_words():
    names = [name_of(low, high) for low, high in BUCKETS]
    assert names == ["once", "2 to 3 times", "4 to 9 times", "10 times or more"]
