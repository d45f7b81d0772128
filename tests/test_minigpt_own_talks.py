"""The user's own conversations: how often they are trained on, how they are examined."""

import json
import random
from itertools import pairwise

import pytest
from chat_examples import write_conversations, write_documents

from minigpt.__main__ import main
from minigpt.chat_data import PAGES, make
from minigpt.chat_format import conversation, read_conversations
from minigpt.evaluate_chat import score
from minigpt.own_talks import LEAST, TIMES, copies, questions, split


def talks(n, system=None):
    said = [
        conversation(f"What does part {i} cost?", f"{i} euros.", system=system) for i in range(n)
    ]
    return [(messages, "my.jsonl") for messages in said]


def users_texts(conversations):
    return [m["content"] for messages, _ in conversations for m in messages if m["role"] == "user"]


def test_few_come_as_often_as_facts_and_of_many_all_come():
    few, times = copies(talks(10), 30_000, random.Random(1))
    assert times == TIMES and len(few) == 10 * TIMES
    many, times = copies(talks(2000), 30_000, random.Random(1))
    assert times == 30_000 * 0.15 // 2000 and len(many) == 2000 * times
    all_of_them, times = copies(talks(9000), 0, random.Random(1))
    assert times == 1 and len(all_of_them) == 9000 > LEAST


def test_they_are_typed_in_several_ways_and_as_written_among_them():
    texts = users_texts(copies(talks(1), 0, random.Random(1))[0])
    assert texts.count("What does part 0 cost?") >= 1
    assert len(set(texts)) > 5 and all("part 0" in text.lower() for text in texts)
    long = conversation("def f():\n    return 1", "f returns 1.")
    assert set(users_texts(copies([(long, "x")], 0, random.Random(1))[0])) == {long[0]["content"]}


def test_a_message_of_the_system_that_all_share_is_left_out_every_second_time():
    made, _ = copies(talks(3, "You sell parts."), 0, random.Random(1))
    assert sum(messages[0]["role"] == "system" for messages, _ in made) == len(made) / 2
    made, _ = copies(talks(3, "You sell parts.") + talks(3, "You mend them."), 0, random.Random(1))
    assert all(messages[0]["role"] == "system" for messages, _ in made)


def test_only_of_very_many_some_are_held_out_at_random():
    few, none = split(talks(999), random.Random(1))
    assert len(few) == 999 and not none
    kept, held = split(talks(2000), random.Random(1))
    assert len(held) == 100 and len(kept) == 1900
    places = [talks(2000).index(talk) for talk in held]
    assert len({b - a for a, b in pairwise(places)}) > 5


def test_the_examination_asks_them_as_they_are_written_and_counts_exact_answers():
    asked = questions(talks(2), random.Random(1))
    assert [q["asks"] for q in asked] == ["own", "own"]
    assert len(questions(talks(500), random.Random(1))) == 150

    class Bytes:
        def decode(self, ids):
            return bytes(ids).decode()

    right, wrong = (list(text.encode()) for text in (asked[0]["messages"][-1]["content"], "No."))
    assert score(asked, [right, wrong], Bytes())["own_exact"] == 0.5


@pytest.fixture
def mine(tmp_path):
    said = [m for m, _ in talks(4, "You sell parts.")]
    return write_conversations(tmp_path / "my.jsonl", *said)


def test_they_are_in_every_file_but_what_is_held_out(tmp_path, mine, capsys):
    documents = write_documents(tmp_path / "documents.jsonl")
    assert main(["conversations", str(documents), "--chat", str(mine), "-o", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "80 of your own: 4, each 20 times, typed in several ways" in said
    assert "4 of your 4 conversations begin with what the system says: every second time" in said
    lines = {
        part: [json.loads(x) for x in (tmp_path / f"{part}.jsonl").read_text().splitlines()]
        for part in ("train", "val", "questions")
    }
    assert sum("my.jsonl" in line["source"] for line in lines["train"]) > 40  # some are chained
    assert not any("my.jsonl" in line["source"] for line in lines["val"])
    assert sum(line["asks"] == "own" for line in lines["questions"]) == 4


def test_different_messages_of_the_system_are_to_be_given_later_which_is_said(tmp_path, capsys):
    said = [talks(1, who)[0][0] for who in ("You sell parts.", "You mend them.")]
    mine = write_conversations(tmp_path / "my.jsonl", *said)
    assert main(["conversations", "--chat", str(mine), "-o", str(tmp_path)]) == 0
    assert "as it differs, give it to the assistant, too" in capsys.readouterr().out


def test_without_facts_nothing_is_said_of_pages_that_were_read(tmp_path):
    make([], tmp_path)
    for part in ("train", "val", "questions"):
        for _, messages in read_conversations(tmp_path / f"{part}.jsonl"):
            for m in messages:
                assert m["role"] != "assistant" or not PAGES.search(m["content"])
    answers = (tmp_path / "train.jsonl").read_text()
    assert "I was trained on the text that I was given." in answers


def test_openais_newer_name_of_the_system_and_parts_of_text_are_read(tmp_path):
    path = tmp_path / "my.jsonl"
    parts = [{"type": "text", "text": "Where is "}, {"type": "text", "text": "Rome?"}]
    messages = [
        {"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts},
        {"role": "assistant", "content": "In Italy."},
    ]  # fmt: skip
    path.write_text(json.dumps({"messages": messages}) + "\n")
    ((_, found),) = read_conversations(path)
    assert found == conversation("Where is Rome?", "In Italy.", system="Be brief.")
    picture = [{"type": "image_url", "image_url": {"url": "x"}}]
    messages[1]["content"] = picture
    path.write_text(json.dumps({"messages": messages}) + "\n")
    with pytest.raises(ValueError, match=r"line 1: message 2: content is .*; it must be text"):
        list(read_conversations(path))
