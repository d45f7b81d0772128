"""What to ask a model, from the files it was made with."""

import gzip
import json

import pytest

from minigpt.chat_format import conversation
from minigpt.playground_suggestions import LONGEST_OWN, suggestions

SENTENCE = "Nobody counts paper lanterns before the ferry leaves its harbour."


def write(out, questions="", documents=""):
    (out / "conversations").mkdir()
    (out / "conversations" / "questions.jsonl").write_text(questions)
    with gzip.open(out / "documents.jsonl.gz", "wt") as file:
        file.write(documents)


def lines(*objects):
    return "".join(json.dumps(x) + "\n" for x in objects)


def question(asks, text, kind="module", **more):
    return {"asks": asks, "kind": kind, "messages": [{"role": "user", "content": text}], **more}


def test_the_plainest_question_of_each_kind_and_a_sentences_beginning_are_suggested(tmp_path):
    write(
        tmp_path,
        lines(
            question("known", "Please tell me what a lantern is."),
            question("known", "What is a lantern?"),
            question("known", "Where is it?", "home"),
            question("invented", "What is a blorp?"),
            question("follow_up", "And?"),
        ),
        lines({"text": "lanterns | index\n\nShort."}, {"text": f"Ferries\n\n{SENTENCE}"}),
    )
    assert suggestions(tmp_path) == {
        "known": "What is a lantern?",
        "invented": "What is a blorp?",
        "beginning": "Nobody counts paper lanterns",
    }


def test_a_name_that_begins_with_a_letter_is_suggested_and_how_it_is_called_is_no_name(tmp_path):
    names = (".gc", "term"), ("lantern", "term"), ("blorp", "call")
    write(tmp_path, lines(*(question("known", f"What is {x}?", k, name=x) for x, k in names)))
    found = suggestions(tmp_path)
    assert found["known"] == "What is lantern?"
    assert [one["name"] for one in found["taught"]] == [".gc", "lantern"]


@pytest.mark.parametrize("report", ['{"best_known": ["lantern"]}', "[]", "{", '{"best_known": 1}'])
def test_the_suggested_question_is_about_a_well_known_name_if_that_is_known(tmp_path, report):
    long, short = "Please tell me what a lantern is.", "What is gc?"
    questions = question("known", short, name="gc"), question("known", long, name="lantern")
    write(tmp_path, lines(*questions))
    (tmp_path / "conversations" / "conversations.json").write_text(report)
    assert suggestions(tmp_path)["known"] == (long if "lantern" in report else short)


@pytest.mark.parametrize(
    ("report", "suggested"),
    [
        ({"unfit": ["What is gc?", "What is a blorp?"]}, "What is heapq?"),
        ({"unfit": ["What is heapq?"]}, "What is gc?"),
        ({"unfit": ["What is gc?", "What is heapq?"]}, "What is gc?"),  # there is no better one
        ({}, "What is gc?"),
        ([], "What is gc?"),
        ({"unfit": [[]]}, "What is gc?"),
    ],
)
def test_what_the_assistant_answered_wrongly_is_suggested_last(tmp_path, report, suggested):
    asked = (question("known", f"What is {name}?", name=name) for name in ("gc", "heapq"))
    write(tmp_path, lines(*asked, question("invented", "What is a blorp?")))
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "evaluation.json").write_text(json.dumps(report))
    found = suggestions(tmp_path)
    assert (found["known"], found["invented"]) == (suggested, "What is a blorp?")


def own(*said, system=None):
    return {"asks": "own", "kind": "own", "messages": conversation(*said, system=system)}


@pytest.mark.parametrize(
    ("talks", "suggested"),
    [
        ([own("Hello", "Yes?"), own("What does it cost?", "Ten."), own("Who sells it?", "We.")],
         "Who sells it?"),
        ([own(" Hello\n", "Yes?"), own(" ", "Yes?")], "Hello"),
        ([own("Hello", "Yes?") | {"asks": "general"}], None),
        ([own("Hello", "Yes?", "And?", "No.")], None),  # only the last answer was examined
        ([own("Hello", "Yes?", system="Be kind."), own("And?", "No.", "Why?", "So.")], "Hello"),
        ([own("Hello", "Yes?", system=x) for x in ("Be kind.", "Be brief.")], None),
        ([own("Wrong?", "No.")], None),
        ([own("Wrong?", "No.", system="Be kind."), own("Hello", "Yes?")], "Hello"),
        ([own("x" * (LONGEST_OWN + 1), "Yes?"), own("x\ny", "Yes?"), own(" ", "Yes?")], None),
        ([question("own", 5), question("own", "Hello", messages=[]), question("own", "Hello"),
          question("own", "Hello", messages=7)], None),
    ],
)  # fmt: skip
def test_one_of_the_users_own_questions_is_suggested_if_it_can_be_asked_alone(
    tmp_path, talks, suggested
):
    write(tmp_path, lines(*talks))
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "evaluation.json").write_text(json.dumps({"unfit": ["Wrong?"]}))
    assert suggestions(tmp_path).get("own") == suggested


def test_of_many_names_all_are_listed_and_what_comes_after_them_is_suggested(tmp_path):
    known = [question("known", f"What is key{i}?", name=f"key{i}") for i in range(4500)]
    write(tmp_path, lines(*known, question("invented", "What is a blorp?")))
    found = suggestions(tmp_path)
    assert (len(found["taught"]), found["invented"]) == (4500, "What is a blorp?")


def test_documents_that_were_named_come_first(tmp_path):
    write(tmp_path, "", lines({"text": SENTENCE}))
    other = tmp_path / "other.jsonl"
    other.write_text(lines({"text": "Every " + SENTENCE}))
    assert suggestions(tmp_path, [other])["beginning"] == "Every Nobody counts paper"


def test_where_nothing_is_known_nothing_is_suggested(tmp_path):
    assert suggestions(tmp_path) == {}


@pytest.mark.parametrize(
    "rubbish", ["{", "5\n", "null\n", "[]\n", '{"asks": "known"}\n', '{"text": 5}\n', "[" * 10**5]
)
def test_files_of_something_else_are_as_good_as_none(tmp_path, rubbish):
    write(tmp_path, rubbish, rubbish)
    assert suggestions(tmp_path) == {}


def test_a_file_that_is_no_gzip_is_as_good_as_none(tmp_path):
    write(tmp_path)
    (tmp_path / "documents.jsonl.gz").write_bytes(b"\x1f\x8b\x08rubbish")
    assert suggestions(tmp_path) == {}
