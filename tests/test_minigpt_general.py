"""Questions about nothing that is taught."""

import json
import random
from collections import Counter

import pytest
from test_minigpt_chat_data import bare, without_filling

from minigpt.chat_data import OWN
from minigpt.chat_format import read_conversations
from minigpt.general import ANSWER, put_together, read_general
from minigpt.phrasings import declines
from minigpt.small_talk import read_small_talk

GENERAL = read_general()


def test_what_is_examined_is_never_trained_on_neither_its_wording_nor_its_words():
    for sort in GENERAL.sorts:
        for asked, held_out in (("asked", "held_out"), ("words", "held_out_words")):
            if sort["asked"] != ["{}"] or asked == "words":
                trained = {without_filling(text) for text in sort[asked]}
                assert not trained & {without_filling(text) for text in sort[held_out]}
            assert len(set(sort[asked])) == len(sort[asked])
    rng = random.Random(1)
    trained = {without_filling(m[0]["content"]) for m, _ in GENERAL.conversations(20_000, rng)}
    assert len(trained) > 3_000
    asked = [q["messages"][0]["content"] for q in GENERAL.questions()]
    assert len(set(asked)) == len(asked) > 80
    assert not trained & {without_filling(text) for text in asked}


def test_one_answer_says_what_can_be_asked_and_is_none_about_a_name():
    for messages, source in GENERAL.conversations(100, random.Random(1)):
        assert (messages[-1]["content"], source) == (ANSWER, "general.jsonl")
    assert not declines(ANSWER)
    assert all(q["asks"] == "general" for q in GENERAL.questions())
    assert GENERAL.questions() == GENERAL.questions()


def test_no_question_is_small_talk_or_a_written_one_too():
    others = {bare(text) for line in read_small_talk().lines for text in line["asked"]}
    others |= {bare(text) for line in read_small_talk().lines for text in line["held_out"]}
    others |= {bare(m[0]["content"]) for _, m in read_conversations(OWN) if len(m) == 2}
    said = {bare(m[0]["content"]) for m, _ in GENERAL.conversations(20_000, random.Random(1))}
    assert not said & others


def test_no_sort_is_drowned_by_another_and_two_places_get_two_words():
    sort = {"asked": ["{} or {}?"], "words": ["a cat", "a dog"]}
    found = {put_together(sort["asked"], sort["words"], random.Random(i)) for i in range(20)}
    assert found == {"A cat or a dog?", "A dog or a cat?"}
    openings = [
        sort["asked"][0].partition(" {}")[0] for sort in GENERAL.sorts if len(sort["asked"]) > 1
    ]
    found = Counter()
    for messages, _ in GENERAL.conversations(5_000, random.Random(1)):
        text = messages[0]["content"]
        found.update(opening for opening in openings if text.startswith(opening))
    assert len(found) == len(openings)


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "5", "{}",
        {"asked": ["{}"], "words": [], "held_out": ["{}"], "held_out_words": ["a"]},
        {"asked": ["no place"], "words": ["a"], "held_out": ["{}"], "held_out_words": ["a"]},
        {"asked": ["{}"], "words": ["{}"], "held_out": ["{}"], "held_out_words": ["a"]},
        {"asked": ["{}"], "words": [""], "held_out": ["{}"], "held_out_words": ["a"]},
        {"asked": [], "words": ["a"], "held_out": ["{}"], "held_out_words": ["a"]},
        {"asked": ["{}"], "words": [5], "held_out": ["{}"], "held_out_words": ["a"]},
        {"asked": ["{} {}"], "words": ["a"], "held_out": ["{}"], "held_out_words": ["a"]},
        {"asked": ["{}"], "words": "a", "held_out": ["{}"], "held_out_words": ["a"]},
    ],
)  # fmt: skip
def test_a_line_that_is_no_sort_of_questions_is_named(tmp_path, line):
    good = {"asked": ["{}?"], "words": ["a"], "held_out": ["{}!"], "held_out_words": ["b"]}
    path = tmp_path / "general.jsonl"
    path.write_text(json.dumps(good) + "\n" + (line if isinstance(line, str) else json.dumps(line)))
    with pytest.raises(ValueError, match=r"general\.jsonl, line 2: it must be"):
        read_general(path)
