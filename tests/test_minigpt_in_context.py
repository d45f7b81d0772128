"""Patterns inside the prompt: what is asked, and what guessing gives."""

import numpy as np
import pytest
from minigpt_examples import example_tokenizer, small_model

from minigpt.in_context import CHOICES, PATTERNS, SHOTS, WORDS, ask, headline, question, section
from minigpt.parallel import Workers
from minigpt.subject import Scored, Subject


@pytest.fixture(scope="module")
def subject():
    with Workers(2) as workers:
        yield Subject(small_model(n_positions=128), example_tokenizer(), workers, quiet=True)


RULES = {
    "word pairs": lambda a: a + "s",
    "copying": lambda a: a,
    "counting": lambda a: str(int(a) + 1),
}


@pytest.mark.parametrize(
    ("pattern", "shots"), [(p, n) for p in PATTERNS for n in SHOTS if n or p != "look-up"]
)
def test_examples_and_answer_follow_the_pattern(pattern, shots):
    for seed in range(20):
        before, item = question(pattern, shots, np.random.default_rng(seed))
        pairs = [line.split(": ") for line in before.splitlines()]
        assert len(pairs) == shots
        assert len(set(item.choices)) == CHOICES
        asked = item.query.removesuffix(":")
        rule = RULES.get(pattern) or dict(pairs).__getitem__
        assert all(rule(a) == b for a, b in pairs)
        assert item.answer == rule(asked)
        if pattern != "look-up":
            assert asked not in dict(pairs)


def test_every_place_of_the_right_answer_comes_up():
    golds = {question("copying", 2, np.random.default_rng(i))[1].gold for i in range(60)}
    assert golds == set(range(CHOICES))


def test_words_are_words_once():
    assert len(set(WORDS)) == len(WORDS) >= 2 * (max(SHOTS) + CHOICES)


def test_a_fresh_model_guesses(subject):
    found = ask(subject, np.random.default_rng(0), questions=40)
    right = [chosen for results in found.values() for chosen, _ in results]
    assert 0.18 < np.mean(right) < 0.32
    assert not any(written for results in found.values() for _, written in results)


def test_a_model_that_knows_the_answer_is_always_right(subject, monkeypatch):
    def knowing(title, sequences, greedy):
        found = []
        for ids, n in sequences:
            *shown, (a, b) = [line.split(": ") for line in subject.decode(ids[1:]).splitlines()]
            right = b == dict(shown).get(a, a)  # copying and look-up
            found.append(Scored(np.full(n, 0.1 if right else 5.0), np.full(n, right)))
        return found

    monkeypatch.setattr(subject, "score", knowing)
    found = ask(subject, np.random.default_rng(0), questions=5)
    assert all(all(result) for result in found["copying", 4] + found["look-up", 8])


def test_a_small_window_leaves_the_longest_prompts_out():
    with Workers(1) as workers:
        small = Subject(small_model(n_positions=24), example_tokenizer(), workers, quiet=True)
        made = section(small, np.random.default_rng(0), questions=4)
    shots = {row[1] for row in made["parts"][1]["rows"]}
    assert 0 in shots
    assert max(SHOTS) not in shots
    assert "guessing gives 25%" in made["headline"]


@pytest.mark.parametrize(
    ("few", "many", "said"),
    [(0.25, 0.3, "do not clearly help it"), (0.25, 0.9, "help it"),
     (0.9, 0.3, "do not clearly help it")],
)  # fmt: skip
def test_examples_help_if_more_of_them_give_clearly_more_right_answers(few, many, said):
    curves = {name: [[0, few], [2, 0.5], [8, many]] for name in PATTERNS}
    told = headline(curves, questions=32)
    assert told.startswith(f"Examples in the prompt {said}: ")
    assert f"in {few:.0%} of cases after one" in told
    assert f"in {many:.0%} after 8" in told


def test_a_window_without_room_for_any_question_is_said_to_be_too_small():
    with Workers(1) as workers:
        small = Subject(small_model(n_positions=2), example_tokenizer(), workers, quiet=True)
        made = section(small, np.random.default_rng(0), questions=4)
    assert made["headline"] is None
    assert "The window of 2 tokens has no room" in made["parts"][0]["text"]
