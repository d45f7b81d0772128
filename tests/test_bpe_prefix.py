"""The first merges of a tokenizer are the tokenizer of a shorter training."""

from functools import cache, partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpe
from bpe import Tokenizer
from bpe.prefix import first_merges

TEXTS = [
    "the cat and the hat and the cat's mat\n" * 3,
    "größer als drei, kleiner als acht: größer, größer\n",
    "數據 🙂🙂 1234567 1234\n\n  the end of the text, the end\n",
]
SPECIAL = ["<|endoftext|>", "<|other|>"]
WHOLE = bpe.train(TEXTS, 310, special_tokens=SPECIAL)
smaller = cache(partial(first_merges, WHOLE))


@pytest.mark.parametrize("n", [0, 1, 30, len(WHOLE.merges)])
def test_first_merges_are_what_training_to_that_size_gives(n):
    trained, made = bpe.train(TEXTS, 258 + n, special_tokens=SPECIAL), first_merges(WHOLE, n)
    assert made.tokens == trained.tokens
    assert made.merges == trained.merges
    assert made.special_tokens == trained.special_tokens
    assert made.splitter.pattern == trained.splitter.pattern
    for text in TEXTS:
        assert made.encode_ordinary(text) == trained.encode_ordinary(text)


@settings(deadline=None)
@given(st.text(max_size=40), st.integers(0, len(WHOLE.merges)))
def test_every_text_comes_back_from_any_number_of_merges(text, n):
    made = smaller(n)
    assert made.decode(made.encode_ordinary(text)) == text
    assert len(made.encode_ordinary(text)) >= len(WHOLE.encode_ordinary(text))


def test_a_vocabulary_that_numbers_otherwise_gets_the_ids_of_training():
    moved = {id: id + 1 for id in WHOLE.tokens}  # as where a special token has id 0
    tokens = {moved[id]: token for id, token in WHOLE.tokens.items()}
    merges = [(moved[first], moved[second]) for first, second in WHOLE.merges]
    made = first_merges(Tokenizer(tokens, merges, special_tokens={"<|first|>": 0}), 5)
    assert made.tokens == first_merges(WHOLE, 5).tokens
    assert made.merges == WHOLE.merges[:5]
    assert made.special_tokens == {"<|first|>": 256 + 5}


@pytest.mark.parametrize("n", [-1, len(WHOLE.merges) + 1])
def test_a_number_of_merges_there_is_not_is_refused(n):
    with pytest.raises(ValueError, match=rf"n is {n}; it must be from 0 to {len(WHOLE.merges)}"):
        first_merges(WHOLE, n)
