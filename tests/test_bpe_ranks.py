"""Merging by rank against replaying the merges one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpe import naive
from bpe.ranks import merge_by_rank, merges_from_ranks

CHUNKS = st.lists(st.text("abc", max_size=20).map(str.encode), min_size=1, max_size=5)


class CountingDict(dict):
    """Counts how often it is looked into."""

    lookups = 0

    def __contains__(self, key):
        self.lookups += 1
        return super().__contains__(key)

    def get(self, key):
        self.lookups += 1
        return super().get(key)


def by_rank(chunk: bytes, merges: list[naive.Pair], kind=dict) -> tuple[list[int], dict]:
    ranks = kind({pair: rank for rank, pair in enumerate(merges)})
    made = range(256, 256 + len(merges))
    return merge_by_rank(naive.byte_ids(chunk), ranks, made), ranks


@given(CHUNKS, st.text("abcd", max_size=60).map(str.encode))
def test_merging_by_rank_is_replaying_the_merges(chunks, chunk):
    merges = naive.train(chunks, 30)
    assert by_rank(chunk, merges)[0] == naive.encode(chunk, merges)


@pytest.mark.parametrize("length", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("letters", [b"a", b"ab", b"abcaabbcc"])
def test_work_grows_with_the_length_of_the_chunk(letters, length):
    merges = naive.train([b"abcaabbcc" * 5, b"a" * 64], 40)
    chunk = (letters * length)[:length]
    ids, ranks = by_rank(chunk, merges, CountingDict)
    assert naive.decode(ids, merges) == chunk
    assert ranks.lookups < 8 * length


@given(CHUNKS)
def test_merges_are_found_again_from_what_they_made(chunks):
    merges = naive.train(chunks, 30)
    tokens = dict(enumerate(naive.vocabulary(merges)))
    if len(set(tokens.values())) == len(tokens):
        assert merges_from_ranks(tokens) == merges


def test_a_token_no_merge_could_make_is_refused():
    tokens = [*naive.vocabulary([]), b"abc"]
    with pytest.raises(
        ValueError, match=r"token 256 \(YWJj\) is 3 tokens before it; it must be tw"
    ):
        merges_from_ranks(dict(enumerate(tokens)))


def test_a_missing_byte_is_refused():
    tokens = {id: token for id, token in enumerate(naive.vocabulary([])) if token != b"A"}
    with pytest.raises(ValueError, match="no token is byte 0x41; every byte must be one"):
        merges_from_ranks(tokens)
