"""Whether conversations fit a window at all, and what becomes of an assistant if they do not."""

import pytest
from chat_examples import write_conversations
from minigpt_examples import TRAIN, example_tokenizer, save_example_model

from minigpt import summary
from minigpt.__main__ import main
from minigpt.chat_format import conversation, render, with_control_tokens
from minigpt.sft import make_none, sft
from minigpt.window_fit import too_narrow

SHORT = conversation("the?", "the.")
LONG = conversation("the list " * 30, "a")
LONG_ANSWER = conversation("a", "the list " * 30)
# of a system's message the first exchange counts, too
LONG_SYSTEM = conversation("a", "the", system="the list " * 30)


@pytest.fixture
def out(tmp_path):
    """A folder with a base model whose window is 16 tokens, and a place for conversations."""
    save_example_model(tmp_path / "base")
    (tmp_path / "conversations").mkdir()
    return tmp_path


def write(out, *talks):
    for part in ("train", "val"):
        write_conversations(out / "conversations" / f"{part}.jsonl", *talks)


def asked(out):
    return too_narrow(out / "base", out / "conversations")


def sft_if_fits(out):
    words = ["sft", out / "base", "--conversations", out / "conversations", "-o", out / "chat"]
    return main([*map(str, words), "--if-fits", "--steps", "2", "--batch-size", "2"])


@pytest.mark.parametrize("long", [LONG, LONG_ANSWER, LONG_SYSTEM])
def test_half_of_the_conversations_must_fit(out, long):
    write(out, SHORT, long)
    assert asked(out) is None
    write(out, SHORT, long, long)
    tokenizer = with_control_tokens(example_tokenizer())
    needed = len(render(tokenizer, long)[0]) - 1
    said = asked(out)
    assert said.startswith(
        "no assistant is made: the window is 16 tokens, and of 3 conversations 1"
    )
    wider = int(said.split("--n-positions ")[1].split()[0])
    assert max(needed, 64) <= wider < 2 * max(needed, 64)  # the cure is one
    assert f'(with make: TRAIN="--n-positions {wider}")' in said


def test_of_a_long_conversation_the_first_exchange_counts(out):
    write(out, [*SHORT, *LONG])
    assert asked(out) is None


def test_a_window_that_is_just_enough_is_enough(out):
    tokenizer = with_control_tokens(example_tokenizer())
    for n in range(1, 20):
        talk = conversation("a" * n, "the")
        write(out, talk)
        assert (asked(out) is None) == (len(render(tokenizer, talk)[0]) <= 17)


def test_where_nothing_fits_sft_says_so_and_leaves_no_assistant(out, capsys):
    write(out, SHORT, LONG, LONG)
    assert sft_if_fits(out) == 0
    assert "no assistant is made: the window is 16 tokens" in "".join(capsys.readouterr())
    assert not (out / "chat").exists()
    write(out, SHORT)
    assert sft_if_fits(out) == 0
    assert (out / "chat/model.safetensors").exists()


def test_without_the_flag_what_fits_is_taken_as_ever(out):
    write(out, SHORT, LONG, LONG)
    report = sft(
        out / "base", out / "conversations", out / "chat", TRAIN.with_steps(1), say=lambda text: 0
    )
    assert report["stage"] == "sft"


def test_an_earlier_assistant_is_kept_and_comes_back_when_it_is_asked_for_again(out, capsys):
    write(out, SHORT)
    assert sft_if_fits(out) == 0
    before = (out / "chat/model.safetensors").read_bytes()
    write(out, LONG)
    assert sft_if_fits(out) == 0
    assert not (out / "chat").exists()
    assert (out / "chat.previous/model.safetensors").read_bytes() == before
    write(out, SHORT)
    capsys.readouterr()
    assert sft_if_fits(out) == 0
    assert "chat is complete" in "".join(capsys.readouterr())
    assert (out / "chat/model.safetensors").read_bytes() == before
    assert not (out / "chat.previous").exists()


def test_the_records_of_an_assistant_whose_model_was_deleted_go_too(out):
    (out / "chat").mkdir()
    for name in ("training.json", "evaluation.json"):
        (out / "chat" / name).write_text("{}")
    make_none(out / "base", out / "chat", "why", lambda text: None)
    assert list((out / "chat").iterdir()) == []


def test_the_base_is_not_set_aside(out):
    with pytest.raises(ValueError, match="it must be another folder"):
        make_none(out / "base", out / "base", "why", lambda text: None)


def test_the_summary_says_what_is_not_taught(out, capsys):
    write(out, LONG)
    summary.print_what_is_not_taught(out, {"facts": 0})
    assert "no assistant is made: " in capsys.readouterr().out
    write(out, SHORT)
    summary.print_what_is_not_taught(out, {"facts": 0})
    assert "an assistant will know nothing of the text; `sample`" in capsys.readouterr().out
    summary.print_what_is_not_taught(out, {"facts": 3})
    summary.print_what_is_not_taught(out, {"facts": 0, "own": 5})  # these may tell of the text
    assert capsys.readouterr().out == ""


def test_conversations_without_facts_say_that_nothing_of_the_text_is_taught(tmp_path, capsys):
    assert main(["conversations", "-o", str(tmp_path / "made")]) == 0
    assert summary.NO_FACTS in capsys.readouterr().out.splitlines()
