"""The merges played step by step."""

import io
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpe
from bpe import Tokenizer, naive
from bpe.__main__ import main
from bpe.merges import draw_steps, merge_steps
from bpe.split import to_bytes

SAMPLE = "banana bandana; a band, a banana. Äpfel, яблоко, りんご\n" * 3
TOKENIZER = bpe.train([SAMPLE], 285)
PARTS = st.sampled_from(["ban", "ana", "dan", "a", "n", " ", "りん", "\ud800"])
CHUNK = st.text(st.characters()) | st.lists(PARTS).map("".join)


@given(CHUNK)
def test_steps_lead_from_the_bytes_to_the_tokens(chunk):
    steps = list(merge_steps(TOKENIZER, chunk))
    assert steps[0].ids == naive.byte_ids(to_bytes(chunk))
    for step, following in pairwise(steps):
        first, second = step.ids[step.at : step.at + 2]
        assert TOKENIZER.merges[step.rank] == (first, second)
        assert step.new_id == 256 + step.rank
        assert following.ids == [*step.ids[: step.at], step.new_id, *step.ids[step.at + 2 :]]
    assert steps[-1].at is steps[-1].rank is steps[-1].new_id is None
    assert steps[-1].ids == naive.encode(to_bytes(chunk), TOKENIZER.merges)


@given(CHUNK)
def test_what_was_learned_first_is_merged_first(chunk):
    ranks = [step.rank for step in merge_steps(TOKENIZER, chunk)][:-1]
    assert ranks == sorted(ranks)


def test_the_last_ids_of_every_chunk_are_the_encoding():
    chunks = TOKENIZER.splitter.chunks(SAMPLE)
    ids = [id for chunk in chunks for id in list(merge_steps(TOKENIZER, chunk))[-1].ids]
    assert ids == TOKENIZER.encode(SAMPLE)


def test_a_chunk_may_be_bytes():
    assert [*merge_steps(TOKENIZER, b"banana")] == [*merge_steps(TOKENIZER, "banana")]


def test_where_merges_are_ignored_a_token_takes_no_step():
    tokens = dict(enumerate([*naive.vocabulary([]), b"banana"]))
    tokenizer = Tokenizer(tokens, [], ignore_merges=True)
    assert [step.ids for step in merge_steps(tokenizer, "banana")] == [[256]]


# banana: an, then ban (of b and an), then ana (of an and a)
WORKED = Tokenizer.from_merges(naive.train([b"bananabandana"], 3))
LINES = [
    " b[a n]a n a  rank 0: an (256)",
    " b an[a n]a   rank 0: an (256)",
    "[b an]an a    rank 1: ban (257)",
    " ban[an a]    rank 2: ana (258)",
    " ban ana  = 257 258",
]


def test_each_line_marks_the_pair_that_is_merged_next():
    assert list(draw_steps(WORKED, "banana", colour=False)) == LINES


def test_in_colour_it_says_the_same():
    drawn = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in draw_steps(WORKED, "banana", True)]
    assert drawn == [line.replace("[", " ").replace("]", " ") for line in LINES]
    assert "\x1b[38;5;16;48;5;153m a n \x1b[0m" in next(draw_steps(WORKED, "banana", True))


class TestCommand:
    @pytest.fixture
    def path(self, tmp_path):
        WORKED.save(tmp_path / "worked.json")
        return str(tmp_path / "worked.json")

    def test_it_plays_every_chunk(self, path, capsys):
        assert main(["merges", "--tokenizer", path, "banana b"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "chunk 1 of 2: banana", *LINES, "chunk 2 of 2: ·b", " · b  = 220 65",
        ]  # fmt: skip

    def test_step_waits_for_enter_and_ends_with_the_input(self, path, capsys, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))
        assert main(["merges", "--tokenizer", path, "--step", "banana"]) == 0
        # Enter itself ends a line on a terminal; here nothing does.
        assert capsys.readouterr().out == "chunk 1 of 1: banana\n" + "".join(LINES[:3]) + "\n"
