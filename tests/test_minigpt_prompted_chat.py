"""A base model in a conversation: it is stopped where it begins to speak for the human."""

import numpy as np
import pytest
from minigpt_examples import example_tokenizer, small_model

from minigpt.parallel import Workers
from minigpt.prompted_chat import EXAMPLES, INTRODUCTION, converse, cut, prompt, section
from minigpt.subject import Subject


@pytest.fixture
def subject():
    with Workers(1) as workers:
        yield Subject(small_model(n_positions=400), example_tokenizer(), workers, quiet=True)


def say(subject, monkeypatch, text):
    """Have the model always write `text`; return the prompts it got."""
    prompts = []

    def write(title, asked, n_tokens, *settings, **named):
        prompts.extend(asked)
        return [subject.encode(text)[:n_tokens] for _ in asked]

    monkeypatch.setattr(subject, "write", write)
    return prompts


@pytest.mark.parametrize(
    ("text", "whole", "found"),
    [
        (" Yes.\n\nHuman: And?", True, ("Yes.", "human")),
        (" Yes.\n\nHuman: And?", False, ("Yes.", "human")),
        (" Yes.\n", True, ("Yes.", "document")),
        (" Yes and", False, ("Yes and", "limit")),
        ("", True, ("", "document")),
    ],
)
def test_an_answer_ends_where_the_human_would_speak(text, whole, found):
    assert cut(text, whole) == found


def test_what_it_wrote_for_the_human_is_told_and_not_said(subject, monkeypatch):
    say(subject, monkeypatch, " Yes.\n\nHuman: And then?\nAssistant: No.")
    made = section(subject, np.random.default_rng(0), ("Is it?",))
    kinds = {part.get("caption"): part for part in made["parts"]}
    assert kinds["The conversation"]["text"] == "Human: Is it?\nAssistant: Yes."
    (row,) = kinds["How each answer ended"]["rows"]
    assert row == ["Is it?", "began to speak for the human", "And then?"]


def test_every_question_is_asked_after_what_was_said(subject, monkeypatch):
    prompts = say(subject, monkeypatch, " Yes.\n\nHuman:")
    converse(subject, ("Is it?", "Really?"))
    last = subject.decode(prompts[-1])
    assert INTRODUCTION in last
    assert EXAMPLES[0][0] in last
    assert last.endswith("Human: Is it?\nAssistant: Yes.\n\nHuman: Really?\nAssistant:")


def test_where_the_window_is_full_the_oldest_turns_are_left_out(subject):
    turns = [(f"Question number {i}?", "An answer.") for i in range(40)]
    ids = prompt(subject, turns, "And now?", 60)
    text = subject.decode(ids)
    assert len(ids) + 60 <= subject.window
    assert "number 39" in text
    assert "number 0?" not in text


def test_a_window_too_small_for_a_prompt_still_answers():
    with Workers(1) as workers:
        small = Subject(small_model(), example_tokenizer(), workers, quiet=True)
        assert len(converse(small)) == 3
