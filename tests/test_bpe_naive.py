"""The algorithm itself, on examples small enough to follow by hand."""

from hypothesis import given
from hypothesis import strategies as st

from bpe import naive

A, B, D, N = naive.byte_ids(b"abdn")


def test_the_256_bytes_come_first_in_the_order_of_gpt2():
    assert sorted(naive.BYTE_ORDER) == list(range(256))
    assert naive.byte_ids(b"!Aa ~") == [0, 32, 64, 220, 93]
    assert naive.vocabulary([])[220] == b" "


def test_overlapping_pairs_are_all_counted():
    assert naive.count_pairs([[7, 7, 7], [7, 8]]) == {(7, 7): 2, (7, 8): 1}


def test_a_merge_goes_from_left_to_right():
    assert naive.merge([1, 1, 1], (1, 1), 9) == [9, 1]
    assert naive.merge([1, 1, 1, 1], (1, 1), 9) == [9, 9]
    assert naive.merge([1, 2, 1, 2, 2], (1, 2), 9) == [9, 9, 2]
    assert naive.merge([2, 1], (1, 2), 9) == [2, 1]


def test_worked_example():
    # banana|bandana: (a, n) stands four times, more than any other pair
    assert naive.count_pairs([naive.byte_ids(b"bananabandana")])[A, N] == 4
    merges = naive.train([b"bananabandana"], 3)
    # X = an:  b X X a b X d X a: now (b, X) and (X, a) stand twice, and (b, X) is lower
    # Y = bX:  Y X a Y d X a:     (X, a) twice
    # Z = Xa:  Y Z Y d Z
    assert merges == [(A, N), (B, 256), (256, A)]
    assert naive.vocabulary(merges)[256:] == [b"an", b"ban", b"ana"]
    assert naive.encode(b"bananabandana", merges) == [257, 258, 257, D, 258]
    assert naive.encode(b"cabana", merges) == [*naive.byte_ids(b"ca"), 257, A]


def test_the_example_of_the_docstring():
    merges = naive.train([b"low", b"lower", b"new"], 2)
    tokens = naive.vocabulary(merges)
    assert tokens[256:] == [b"lo", b"low"]
    assert [tokens[id] for id in naive.encode(b"slow", merges)] == [b"s", b"low"]


def test_equal_counts_are_decided_by_the_lowest_pair():
    assert naive.train([b"dn", b"ab"], 1) == [(A, B)]
    assert naive.train([b"ab", b"dn"], 1) == [(A, B)]


def test_no_pair_reaches_across_chunks():
    assert naive.train([b"ab", b"ab", b"ba"], 9) == [(A, B), (B, A)]


def test_training_ends_where_every_chunk_is_one_token():
    merges = naive.train([b"abab"], 100)
    assert merges == [(A, B), (256, 256)]
    assert naive.encode(b"abab", merges) == [257]


@given(st.lists(st.binary(max_size=12), max_size=4), st.binary(max_size=20))
def test_decode_inverts_encode(chunks, data):
    merges = naive.train(chunks, 20)
    assert naive.decode(naive.encode(data, merges), merges) == data
