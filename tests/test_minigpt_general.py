"""Questions about nothing that is taught."""

import itertools
import json
import random
import re
from collections import Counter
from dataclasses import replace

import pytest
from test_minigpt_chat_data import bare, without_filling

from minigpt.chat_data import OWN
from minigpt.chat_format import read_conversations
from minigpt.general import BEYOND, answer, put_together, read_general
from minigpt.phrasings import declines
from minigpt.small_talk import read_small_talk

GENERAL = read_general()


def test_what_is_examined_is_never_trained_on():
    for sort in GENERAL.sorts:
        for field in ("asked", "words"):
            assert len(set(sort[field])) == len(sort[field])
    rng = random.Random(1)
    trained = {without_filling(m[0]["content"]) for m, _ in GENERAL.conversations(20_000, rng)}
    assert len(trained) > 14_000
    trained |= {without_filling(text) for sort in GENERAL.sorts for text in sort["words"]}
    asked = [q["messages"][0]["content"] for q in GENERAL.questions()]
    assert len(set(asked)) == len(asked) > 70
    assert not trained & {without_filling(text) for text in asked}


def test_one_answer_says_what_can_be_asked_and_is_none_about_a_name():
    for messages, source in GENERAL.conversations(100, random.Random(1)):
        assert (messages[-1]["content"], source) == (GENERAL.answer, "general.jsonl")
    assert GENERAL.answer == answer(["function", "page"])
    assert "classes" in GENERAL.answer and not declines(GENERAL.answer)
    assert "what some pages are about" in read_general(kinds=["page"]).answer
    assert "what some names in the pages mean" in read_general(kinds=["page", "term"]).answer
    assert all(q["asks"] == "general" for q in GENERAL.questions())
    assert GENERAL.questions() == GENERAL.questions()


def test_no_question_is_small_talk_or_a_written_one_too():
    others = {bare(text) for line in read_small_talk().lines for text in line["asked"]}
    others |= {bare(text) for line in read_small_talk().lines for text in line["held_out"]}
    others |= {
        bare(asked["content"])
        for _, m in read_conversations(OWN)
        for asked, said in itertools.pairwise(m)
        if asked["role"] == "user" and not said["content"].startswith(BEYOND)
    }
    said = {bare(m[0]["content"]) for m, _ in GENERAL.conversations(20_000, random.Random(1))}
    assert not said & others


def test_no_sort_is_drowned_by_another_and_two_places_get_two_words():
    sort = {"asked": ["{} or {}?"], "words": ["a cat", "a dog"]}
    found = {put_together(sort["asked"], sort["words"], random.Random(i)) for i in range(20)}
    assert found == {"A cat or a dog?", "A dog or a cat?"}
    sorts = tuple(
        {"asked": [f"sort{i} {{}}"] * len(sort["asked"]), "words": sort["words"]}
        for i, sort in enumerate(GENERAL.sorts)
    )
    said = replace(GENERAL, sorts=sorts).conversations(5_000, random.Random(1))
    found = Counter(re.search(r"sort(\d+)", m[0]["content"].lower())[1] for m, _ in said)
    assert len(found) == len(sorts)
    assert min(found.values()) > 0.01 * 5_000


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "5", "{}",
        {"asked": ["{}"], "words": [], "held_out": []},
        {"asked": ["no place"], "words": ["a"], "held_out": []},
        {"asked": ["{}"], "words": ["{}"], "held_out": []},
        {"asked": ["{}"], "words": [""], "held_out": []},
        {"asked": [], "words": ["a"], "held_out": []},
        {"asked": ["{}"], "words": [5], "held_out": []},
        {"asked": ["{} {}"], "words": ["a"], "held_out": []},
        {"asked": ["{}"], "words": "a", "held_out": []},
        {"asked": ["{}"], "words": ["a"], "held_out": ["a {}"]},
        {"asked": ["{}"], "words": ["a"], "held_out": "a"},
        {"asked": ["{}"], "words": ["a"], "held_out": [5]},
    ],
)  # fmt: skip
def test_a_line_that_is_no_sort_of_questions_is_named(tmp_path, line):
    good = {"asked": ["{}?"], "words": ["a"], "held_out": ["b"]}
    path = tmp_path / "general.jsonl"
    path.write_text(json.dumps(good) + "\n" + (line if isinstance(line, str) else json.dumps(line)))
    with pytest.raises(ValueError, match=r"general\.jsonl, line 2: it must be"):
        read_general(path)
