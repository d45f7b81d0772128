"""Cutting text with NumPy: the chunks of `Splitter`, for any text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpe.fast_split import fast_chunks
from bpe.split import GPT2, GPT4, Splitter

# What the patterns tell apart, thickly sown; of few kinds at a time, so that runs are long.
MARKS = "'sStTdDmMlLvVrReEſ1２½ \n\r\t\u00a0\u2028\x85a日é\u0301.,!()\ud83d😀\0"
RUNS = st.lists(st.sampled_from(MARKS), min_size=1, max_size=4).flatmap(
    lambda few: st.text(st.sampled_from(few), max_size=30)
)
PIECES = st.sampled_from(
    ["'ll", "'VE", "'re", "'ſ", "'s", " 'tis", "12345", ")\n \n", " \n\n  ", "};\r\n\r\n", "(word"]
)
ANY_TEXT = st.text(st.characters()) | RUNS | st.text(st.sampled_from(MARKS))
ANY_TEXT |= st.lists(PIECES | RUNS).map("".join)
named = pytest.mark.parametrize("pattern", [GPT4, GPT2], ids=["gpt4", "gpt2"])


# By name, for chance seldom finds them.
LINE_ENDS = [")\n \n", " )\n \n", " \n \n", "a)\n\n  \n", " ).\n \n", "\n \n", " \n", ")\n "]


def spelled(texts, pattern, escaped=False):
    """The chunks of each text as bytes."""
    chunks = fast_chunks(texts, pattern, escaped)
    words = iter(chunks.spell(np.arange(len(chunks.starts))))
    rows = [[next(words) for _ in range(count)] for count in chunks.per_text.tolist()]
    assert list(words) == []
    return rows


@named
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_chunks_of_several_texts_are_those_of_each(pattern, texts):
    chunks = Splitter(pattern).chunks
    expected = [[chunk.encode("utf-8", "surrogatepass") for chunk in chunks(t)] for t in texts]
    assert spelled(texts, pattern) == expected


@named
def test_blank_lines_are_of_the_mark_before_or_of_their_own(pattern):
    chunks = Splitter(pattern).chunks
    assert spelled(LINE_ENDS, pattern) == [[c.encode() for c in chunks(t)] for t in LINE_ENDS]


@named
@given(texts=st.lists(st.binary() | ANY_TEXT.map(lambda t: t.encode("utf-8", "ignore") + b"\xff"),
                      min_size=1, max_size=3))  # fmt: skip
def test_escaped_bytes_come_back_as_bytes(pattern, texts):
    texts = [data.decode("utf-8", "surrogateescape") for data in texts]
    chunks = Splitter(pattern).chunks
    expected = [[chunk.encode("utf-8", "surrogateescape") for chunk in chunks(t)] for t in texts]
    assert spelled(texts, pattern, escaped=True) == expected


@named
def test_every_character_is_of_the_right_kind(pattern):
    """Beside a letter, a digit, a mark and a space, all that is in Unicode."""
    text = "".join(f"{chr(code)}a{chr(code)}1{chr(code)}. {chr(code)}\n" for code in range(0x30000))
    [words] = spelled([text], pattern)
    assert words == [chunk.encode("utf-8", "surrogatepass") for chunk in
                     Splitter(pattern).chunks(text)]  # fmt: skip
