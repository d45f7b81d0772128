"""encode_iterable: the ids of the whole, however the text comes in pieces, in little memory."""

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpe
from bpe import stream

END, TWICE = "<|end|>", "<|end|><|end|>"
SAMPLE = "The ferry's late: 45 minutes!\n\n  Nobody waits. 渡し船 ⛴\n" * 3
TOKENIZERS = {
    name: bpe.train([SAMPLE], 295, name, [END, TWICE]) for name in ("gpt4", "gpt2", r"\s+|\S+")
}
PIECES = st.lists(
    st.sampled_from([END, TWICE, "<|", "end", "|>", "ferry", "'s", " ", "\n", "4567", ").", "渡"])
    | st.text(max_size=3),
)
each = pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=["gpt4", "gpt2", "own"])


@each
@settings(max_examples=40)
@given(pieces=PIECES, size=st.integers(1, 30), cuts=st.lists(st.integers(1, 9), min_size=1))
def test_any_cutting_gives_the_ids_of_the_whole(tokenizer, pieces, size, cuts):
    text, again = "".join(pieces), []
    while text:
        again.append(text[: cuts[len(again) % len(cuts)]])
        text = text[len(again[-1]) :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "PIECE_CHARS", size)
        for allowed in ("all", {END}, ()):
            whole = tokenizer.encode("".join(pieces), allowed, disallowed_special=())
            for texts in (pieces, again, "".join(pieces)):
                ids = tokenizer.encode_iterable(texts, allowed, disallowed_special=())
                assert list(ids) == whole


@each
@pytest.mark.parametrize("size", [1, 5, 6000])
def test_a_special_token_across_pieces_is_refused_at_its_place(tokenizer, size, monkeypatch):
    monkeypatch.setattr(stream, "PIECE_CHARS", size)
    ids = tokenizer.encode_iterable(["the ferry is late. <|e", "nd|> more"])
    with pytest.raises(ValueError, match=r"special token '<\|end\|>' at character 19; pass"):
        list(ids)


def test_a_special_token_of_several_words_is_refused_across_pieces(monkeypatch):
    monkeypatch.setattr(stream, "PIECE_CHARS", 1)
    tokenizer = bpe.train([SAMPLE], 260, special_tokens=["the end."])
    with pytest.raises(ValueError, match=r"special token 'the end.' at character 8; pass"):
        list(tokenizer.encode_iterable("this is the end. No more"))


@pytest.mark.parametrize("unit", ["a", " ", "-"])
def test_what_cannot_be_cut_is_not_looked_at_again_and_again(unit, monkeypatch):
    looked_at = []
    monkeypatch.setattr(stream, "refuse", lambda text, *_: looked_at.append(len(text)))
    parts = list(stream.cut_stream([unit * 1000] * 300, (), (), True))
    assert parts == [(unit * 300_000, None)]
    assert sum(looked_at) < 4 * 300_000


def test_a_special_token_that_begins_inside_another_is_refused(monkeypatch):
    monkeypatch.setattr(stream, "PIECE_CHARS", 1)
    tokenizer = bpe.train([SAMPLE], 260, special_tokens=["ab<|", END])
    for encode in (
        tokenizer.encode,
        lambda *arguments: list(tokenizer.encode_iterable(*arguments)),
    ):
        with pytest.raises(ValueError, match=r"special token '<\|end\|>' at character 3; pass"):
            encode("xab<|end|>" + "y" * 9, {"ab<|"}, {END})


@each
@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([b"bytes"], "bytes"),
        (b"bytes", "bytes"),
        (["a", None], "NoneType"),
        (None, "NoneType"),
        ([SAMPLE, 3], "int"),
    ],
)
def test_what_is_no_text_is_refused(tokenizer, texts, kind):
    with pytest.raises(ValueError, match=f"text is {kind}; it must be str: open a file with"):
        list(tokenizer.encode_iterable(texts))


@each
def test_nothing_gives_nothing(tokenizer):
    assert list(tokenizer.encode_iterable([])) == list(tokenizer.encode_iterable(["", ""])) == []


@pytest.mark.parametrize("name", ["gpt4", "gpt2"])
def test_memory_does_not_grow_with_the_text(name):
    tokenizer = TOKENIZERS[name]
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz'"
    words = ["".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(20_000)]

    def lines(total):
        while total > 0:
            line = " ".join(rng.choices(words, k=12)) + "\n"
            total -= len(line)
            yield line

    assert sum(1 for _ in tokenizer.encode_iterable(lines(50_000)))  # what is made once
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in tokenizer.encode_iterable(lines(1_000_000)):
        pass
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < 1_000_000
