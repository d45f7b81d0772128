"""Which questions stand in the training text: against a search by hand, and what was planted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed
from minigpt_planted import PLANTED, fresh_model, make_site, subject

from minigpt.choices import Item
from minigpt.contamination import contaminated, parts, row, shares
from minigpt.ngrams import SHORTEST, NgramIndex
from minigpt.parallel import Workers


def by_hand(text, ids):
    """Return the share of `ids` that lie in a span of SHORTEST that stands in `text`."""
    spans = {tuple(text[i : i + SHORTEST]) for i in range(len(text) - SHORTEST + 1)}
    inside = np.zeros(len(ids), bool)
    for i in range(len(ids) - SHORTEST + 1):
        inside[i : i + SHORTEST] |= tuple(ids[i : i + SHORTEST]) in spans
    return inside.mean()


@untimed
@given(
    text=st.lists(st.integers(0, 2), min_size=1, max_size=120),
    ids=st.lists(st.integers(0, 2), min_size=1, max_size=60),
    cut=st.tuples(st.integers(0, 119), st.integers(0, 40)),
)
def test_the_share_is_what_a_search_by_hand_finds(text, ids, cut):
    start, length = cut
    ids = ids[:20] + text[start : start + length] + ids[20:]
    lengths, _ = NgramIndex(np.array(text)).matches(ids)
    assert contaminated(lengths) == by_hand(text, ids)


def test_nothing_is_contaminated_by_nothing():
    assert contaminated(np.zeros(0, np.int64)) == 0


def test_accuracy_is_told_of_seen_and_unseen_questions_apart():
    right = np.array([True, True, False, True, False])
    share = np.array([1.0, 0.8, 0.5, 0.1, 0.0])
    assert row("birds", right, share) == ["birds", 5, 0.48, 2, 1.0, 2, 0.5]
    assert row("birds", right[:1], share[:1]) == ["birds", 1, 1.0, 1, 1.0, 0, None]


def test_of_a_question_that_is_too_short_nothing_is_told():
    class Digits:
        def encode(self, text):
            return [int(digit) for digit in text if digit != " "]

    index = NgramIndex(np.arange(200) % 10)
    items = [Item("01234567", (answer, "5"), 0) for answer in ("8", "89", "99")]
    share = shares(Digits(), index, items)
    np.testing.assert_array_equal(share, [np.nan, 1.0, 0.0])
    assert row("digits", np.array([True, True, False]), share)[2:] == [0.5, 1, 1.0, 1, 0.0]
    assert row("digits", np.array([True]), share[:1])[2:] == [None, 0, None, 0, None]


def test_questions_out_of_a_page_are_seen_and_others_are_not(tmp_path):
    corpus, tokenizer = make_site(tmp_path)
    texts = corpus.train.document_text(PLANTED), corpus.val.document_text(0)
    items = [
        Item(text[i : i + 150], (text[i + 150 : i + 200], "no"), 0)
        for text in texts
        for i in (0, 30)
    ]
    right = np.array([True, True, False, True])
    with Workers(1) as workers:
        model = subject(fresh_model(), tokenizer, workers)
        said, found = parts(model, corpus.train, [("birds", items, right)])
    assert "as seen if 80% of its tokens" in said["text"]
    (values,) = found["rows"]
    assert values[3:] == [2, 1.0, 2, 0.5]
