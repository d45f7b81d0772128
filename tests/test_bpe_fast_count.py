"""Counting with NumPy, against a Counter of the chunks."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bpe.fast import chunk_keys
from bpe.fast_count import FastCounter
from bpe.fast_table import hash_keys
from bpe.split import PATTERNS, Splitter, to_bytes

# Chunks around the 15 bytes of a key, and characters of one to four bytes.
WORD = st.text("ab\x00", min_size=13, max_size=18) | st.text("aé日😀' \n1\ud800", max_size=12)
TEXTS = st.lists(st.lists(WORD, max_size=6).map(" ".join), min_size=1, max_size=5)


def plain(texts: list[str], pattern: str) -> Counter[bytes]:
    chunks = Splitter(pattern).chunks
    return Counter(to_bytes(chunk) for text in texts for chunk in chunks(text))


@given(TEXTS, st.sampled_from(["gpt2", "gpt4"]))
def test_counts_are_those_of_a_counter(texts, name):
    counter = FastCounter()
    assert counter.add_texts(texts, PATTERNS[name]) == sum(len(to_bytes(text)) for text in texts)
    assert counter.chunks() == plain(texts, name)


@given(st.lists(TEXTS, max_size=4))
def test_what_others_have_counted_is_added(batches):
    together = FastCounter()
    for texts in batches:
        counter = FastCounter()
        counter.add_texts(texts, PATTERNS["gpt4"])
        together.add(*counter.result())
    assert together.chunks() == plain([text for texts in batches for text in texts], "gpt4")


def test_counts_are_kept_while_the_table_grows():
    num_words = 10_000
    words = [f"{number:x}q" for number in range(num_words)]
    counter = FastCounter()
    for start in range(0, num_words, 700):
        counter.add_texts([" ".join(words[start : start + 700])] * 2, PATTERNS["gpt4"])
    texts = [" ".join(words[start : start + 700]) for start in range(0, num_words, 700)] * 2
    assert counter.chunks() == plain(texts, "gpt4")


def test_words_that_share_a_hash_are_counted_apart():
    words = ["ZkxcaqbWiWwSkjY", "AXcDKtlmLrUFfUK"]
    keys = chunk_keys("".join(words).encode(), np.array([0, 15]), np.array([15, 15]))
    assert len(set(hash_keys(*keys).tolist())) == 1
    counter = FastCounter()
    counter.add_texts(["\n".join(words * 100)], PATTERNS["gpt4"])
    assert counter.chunks() == {b"\n": 199} | {word.encode(): 100 for word in words}
