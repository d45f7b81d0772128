import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import example_tokenizer, lively_model, small_model, untimed

import bpe
from minigpt.completion import Completion, Piece, complete, encode_prompt
from minigpt.drawing import Token
from minigpt.sample import check_plan, generate, new_rows
from minigpt.stream import TextStream

BYTES = bpe.Tokenizer({i: bytes([i]) for i in range(256)}, [])  # every byte is a symbol


def pushed(data, stop):
    """Stream bytes one by one; return the pieces and the stream."""
    stream, pieces = TextStream(BYTES, stop), []
    for byte in data:
        pieces.append(stream.push(byte))
    return [*pieces, stream.close()], stream


# ---- stop strings ----------------------------------------------------------------------------

few_letters = st.text("ab€", max_size=30)
stops = st.lists(st.text("ab€", min_size=1, max_size=4), min_size=1, max_size=3)


@untimed
@given(text=few_letters, stop=stops)
def test_streamed_text_ends_before_the_first_stop_string(text, stop):
    pieces, stream = pushed(text.encode(), stop)
    found = [text.find(s) for s in stop if s in text]
    assert stream.stopped == bool(found)
    # With several, the one that is complete first counts; it may begin inside another.
    shown = "".join(pieces)
    assert text.startswith(shown)
    if len(stop) == 1:
        assert shown == text.partition(stop[0])[0]
    elif not found:
        assert shown == text
    else:
        assert not any(s in shown for s in stop)


@untimed
@given(text=few_letters, stop=stops)
def test_what_is_shown_is_never_taken_back(text, stop):
    stream, shown = TextStream(BYTES, stop), ""
    for byte in text.encode():
        shown += stream.push(byte)
        assert not any(s in shown for s in stop)
        assert text.startswith(shown)


def test_the_beginning_of_a_stop_string_is_held_back_until_it_is_certain():
    pieces, stream = pushed(b"ab\nHuhu\nHuman: hi", ["\nHuman:"])
    assert pieces[:2] == ["a", "b"]
    assert pieces[2:5] == ["", "", ""]  # "\nHu"
    assert pieces[5] == "\nHuh"
    assert "".join(pieces) == "ab\nHuhu"
    assert stream.stopped


def test_the_beginning_of_a_stop_string_at_the_end_is_shown_after_all():
    pieces, stream = pushed(b"ab\nHu", ["\nHuman:"])
    assert "".join(pieces) == "ab\nHu"
    assert not stream.stopped


def test_a_stop_string_of_replaced_characters_is_found_at_the_end():
    pieces, stream = pushed("a€".encode()[:-1], ["\ufffd"])
    assert "".join(pieces) == "a"
    assert stream.stopped


def test_an_empty_stop_string_is_refused():
    with pytest.raises(ValueError, match="a stop string is empty"):
        TextStream(BYTES, ["x", ""])


# ---- completions -----------------------------------------------------------------------------


def joined(pieces, row=0):
    return "".join(piece.text for piece in pieces if piece.row == row)


def test_a_completion_is_the_text_of_what_is_generated():
    model, tokenizer = lively_model(), example_tokenizer()
    pieces = list(complete(model, tokenizer, "the list", 30, seed=5, temperature=0.9, top_k=50))
    ids = [tokenizer.eot_token, *tokenizer.encode("the list")]
    expected = list(generate(model, ids, 30, temperature=0.9, top_k=50, seed=5))
    assert [piece.token.id for piece in pieces] == expected
    assert joined(pieces) == tokenizer.decode(expected)
    assert [piece.finish_reason for piece in pieces] == [None] * 29 + ["length"]
    assert joined(complete(model, tokenizer, ids, 30, seed=5, temperature=0.9, top_k=50)) == joined(
        pieces
    )


def test_several_completions_are_those_of_following_seeds():
    model, tokenizer = lively_model(), example_tokenizer()
    together = list(complete(model, tokenizer, "the", 12, n=3, seed=4))
    texts = [joined(together, row) for row in range(3)]
    assert texts == [joined(complete(model, tokenizer, "the", 12, seed=4 + i)) for i in range(3)]
    assert len(set(texts)) == 3
    reasons = [p.row for p in together if p.finish_reason]
    assert sorted(reasons) == [0, 1, 2]


def test_a_stop_string_ends_one_completion_and_not_the_others():
    model, tokenizer = lively_model(), example_tokenizer()
    free = [joined(complete(model, tokenizer, "the", 40, n=3, seed=4), row) for row in range(3)]
    stop = free[1][5:15]
    assert not any(stop in free[row] for row in (0, 2))
    pieces = list(complete(model, tokenizer, "the", 40, stop=stop, n=3, seed=4))
    assert [joined(pieces, row) for row in (0, 2)] == [free[0], free[2]]
    assert joined(pieces, 1) == free[1].partition(stop)[0]
    assert {p.row: p.finish_reason for p in pieces if p.finish_reason} == {
        0: "length", 1: "stop", 2: "length",
    }  # fmt: skip
    last = {p.row: p for p in pieces}
    assert all(piece.finish_reason for piece in last.values())  # nothing comes after the reason


def test_ids_and_strings_may_both_stop():
    model, tokenizer = lively_model(), example_tokenizer()
    ids = [p.token.id for p in complete(model, tokenizer, "the", 20, temperature=0)]
    stop = ids[6]
    pieces = list(complete(model, tokenizer, "the", 20, stop=("never", stop), temperature=0))
    assert [p.token.id for p in pieces if p.token] == ids[: ids.index(stop)]
    assert pieces[-1].finish_reason == "stop"
    assert pieces[-1].token is None
    assert pieces[-1].end.id == stop
    assert not any(p.end for p in pieces[:-1])


def test_only_ids_that_the_tokenizer_has_are_drawn():
    model, tokenizer = small_model(vocab_size=4000), example_tokenizer()  # room for more
    pieces = list(complete(model, tokenizer, "the", 30, seed=1, repetition_penalty=1.2, n_top=2))
    ids = [id for p in pieces for id in (p.token.id, *(id for id, _ in p.token.top))]
    assert max(ids) < tokenizer.n_vocab
    with pytest.raises(ValueError, match="top_k is 301; it must be at most 300"):
        complete(model, tokenizer, "the", top_k=301)


def test_alternatives_come_where_asked_for():
    model, tokenizer = lively_model(), example_tokenizer()
    [piece] = complete(model, tokenizer, "the", 1, temperature=0, n_top=2)
    assert len(piece.token.top) == 2
    assert piece.token.top[0] == (piece.token.id, piece.token.logprob)
    [piece] = complete(model, tokenizer, "the", 1, temperature=0)
    assert (piece.token.logprob, piece.token.top) == (None, ())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n is 0; it must be at least 1"),
        ({"seed": -1}, "seed is -1"),
        ({"n_top": -1}, "n_top is -1"),
        ({"stop": ("",)}, "a stop string is empty"),
        ({"stop": (300,)}, "stop id is 300"),
        ({"prompt": []}, "the prompt is empty"),
        ({"top_p": 2}, "top_p is 2"),
    ],
)
def test_bad_input_is_refused_before_the_first_piece(settings, message):
    arguments = {"prompt": "the"} | settings
    with pytest.raises(ValueError, match=message):
        complete(lively_model(), example_tokenizer(), **arguments)


# ---- special tokens in a prompt --------------------------------------------------------------


def test_a_prompts_special_tokens_are_text_unless_asked_for():
    tokenizer = example_tokenizer()
    prompt = "the<|endoftext|>list"
    assert tokenizer.eot_token not in encode_prompt(tokenizer, prompt)
    assert encode_prompt(tokenizer, prompt, special=True).count(tokenizer.eot_token) == 1
    assert encode_prompt(tokenizer, "a <| b |> c", special=True)


def test_an_unknown_special_token_is_named_with_the_known_ones():
    with pytest.raises(
        ValueError, match=r"<\|im_start\|> is no special token here; .* <\|endoftext\|>"
    ):
        encode_prompt(example_tokenizer(), "<|im_start|>user", special=True)
    with pytest.raises(ValueError, match="one of: none"):
        encode_prompt(BYTES, "<|im_start|>", special=True)


def test_a_stop_string_in_the_mark_of_an_unfinished_character_counts():
    model = lively_model()
    [row] = new_rows(model, [[1]], 0, check_plan(model, 1))
    row.end("length")
    last = Token("€".encode()[0])
    text = Completion(0, row, TextStream(BYTES, ["\ufffd"]))
    assert text.piece(last) == Piece(0, "", last, "stop")
