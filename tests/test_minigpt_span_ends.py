"""Spans are made to begin and end at whole words."""

from hypothesis import given
from hypothesis import strategies as st

from minigpt.span_ends import agreeing, neighbours, trim, widen, word_edges


def test_a_span_is_widened_by_whole_words_all_documents_share():
    text = "One two three four, five six."
    start, end = text.index("three"), text.index(",")
    documents = ["xx two three four, five seven", "a two three four, five six"]

    def widened(documents, room=(0, 29)):
        found = widen(text, start, end, room, word_edges(text), documents)
        return text[slice(*found)]

    assert widened(documents) == "two three four, five"
    assert widened(documents[1:]) == "two three four, five six"
    assert widened([text]) == text
    assert widened([text], (start, end + 2)) == "three four,"
    assert widened(["three four"]) == "three four"
    assert widened(["something else"]) == "three four"


@given(st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_agreeing_counts_the_common_beginning(a, b):
    n = agreeing(a, b)
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


def test_trim_leaves_out_white_space_at_the_ends():
    assert trim("  ab c \n", 1, 8) == (2, 6)


def test_the_neighbours_of_a_span_are_those_around_it_in_the_text():
    spans = [(5, 9), (0, 2), (9, 12)]
    assert [neighbours(spans, n, 20) for n in range(3)] == [(2, 9), (0, 5), (9, 20)]
