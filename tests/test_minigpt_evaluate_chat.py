"""The examination of an assistant: what is counted as what."""

import json
import re

import pytest
from chat_examples import make_assistant
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import example_tokenizer, small_model, untimed

from minigpt import report_assistant
from minigpt.chat_format import conversation
from minigpt.chat_verdicts import examples, mistakes, taught, unfit, verdict
from minigpt.evaluate_chat import (
    MAX_NEW_TOKENS,
    answer_all,
    evaluate_chat,
    loops,
    read_questions,
    score,
)
from minigpt.further import CONTENTS
from minigpt.parallel import Workers
from minigpt.report_assistant import assistant_section, print_table
from minigpt.sample import generate
from minigpt.tables import folded


@pytest.mark.parametrize(
    ("ids", "does"),
    [
        ([], False),
        ([1, 1, 1, 1], False),  # one token often: "......" is no loop
        ([1, 1, 1, 1, 1, 1], True),
        ([1, 2, 1, 2], False),
        ([1, 2, 1, 2, 1, 2], True),
        ([9, 1, 2, 3, 1, 2, 3, 1, 2, 3, 9], True),
        ([1, 2, 3, 1, 2, 4, 1, 2, 5], False),
    ],
)
def test_a_loop_is_a_stretch_of_two_or_more_three_times_in_a_row(ids, does):
    assert loops(ids) is does


@untimed
@given(st.lists(st.integers(0, 9), min_size=2, max_size=6), st.lists(st.integers(10, 19)))
def test_whatever_stands_three_times_in_a_row_loops(stretch, before):
    assert loops(before + 3 * stretch)


def question(asks, expected, kind="module", asked="What is x?", name=""):
    messages = conversation(asked, expected)
    return {"messages": messages, "asks": asks, "kind": kind, "name": name}


def test_figures_are_shares_of_what_was_asked():
    tokenizer = example_tokenizer()
    questions = [
        question("known", "the list."),
        question("known", "a key.", kind="home"),
        question("known", "the value."),
        question("invented", "Module ww? I do not know that name.", name="ww"),
        question("invented", "Module yy? I do not know that name.", name="yy"),
        question("invented", "Module zz? I do not know that name.", name="zz"),
        question("held_out", "the file."),
        question("small_talk", "a list.", asked="Hello"),
        question("not_taught", "I was not taught that."),
        question("not_taught", "Not taught."),
        question("follows", "a key."),
        question("general", "the key."),
    ]
    decline = "I do not know that name."
    loop = "a file" + 4 * " a file"
    replies = ["the list.", "a key", f"the? {decline}", f"Module ww? {decline}", "yy: the list.",
               f"Module z? {decline}", loop, "a list.",
               "I was not taught that.", "a key.", "a list.", "the key."]  # fmt: skip
    ids = [tokenizer.encode_ordinary(r) for r in replies]
    figures = score(questions, ids, tokenizer)
    assert figures["exact"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["exact_by_kind"] == {"home": 0.0, "module": 0.5}
    assert figures["real_declined"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["invented_declined"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["invented_named"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["held_out_exact"] == figures["held_out_declined"] == 0
    assert figures["follow_up_exact"] is None
    assert figures["small_talk_exact"] == figures["general_exact"] == 1
    assert (figures["not_taught_said"], figures["follows_exact"]) == (0.5, 0)
    assert figures["loops"] == pytest.approx(1 / 12, abs=1e-4)
    wrong = mistakes(questions, ids, tokenizer)
    assert [m["said"] for m in wrong] == [replies[i] for i in (1, 2, 4, 9, 10)]
    verdicts = [(x["asks"], x["verdict"]) for x in examples(questions, ids, tokenizer)]
    assert verdicts == [
        ("known", "right"), ("known", "wrong"), ("known", "declined"), ("invented", "declined"),
        ("invented", "made up"), ("invented", "misspelt"), ("held_out", "made up"),
        ("small_talk", "right"), ("not_taught", "right"), ("not_taught", "made up"),
        ("follows", "wrong"), ("general", "right"),
    ]  # fmt: skip


def test_the_table_of_an_assistant_fits_a_terminal(capsys):
    report = {key: 1.0 for key, _ in report_assistant.ROWS}
    print_table(report | {"questions": {"known": 1}, "base": report})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(report_assistant.ROWS)
    assert max(map(len, lines)) <= 80


def test_what_is_asked_on_of_modules_and_with_an_article_has_figures_of_its_own():
    tokenizer = example_tokenizer()
    questions = [question("follow_on", "a key."), question("follow_on", "a list."),
                 question("article", "the key.")]  # fmt: skip
    ids = [tokenizer.encode_ordinary(text) for text in ("a key.", "a file.", "the key.")]
    figures = score(questions, ids, tokenizer)
    assert (figures["follow_on_exact"], figures["article_exact"]) == (0.5, 1)
    assert figures["follow_up_exact"] is None
    rows = dict(row[:2] for row in report_assistant.figures(figures))
    assert [n for text, n in rows.items() if "two questions back" in text] == [0.5]
    assert [n for text, n in rows.items() if "a list, a string" in text] == [1]


def test_a_refusal_in_the_wrong_place_makes_nothing_up_but_is_wrong():
    for asks in ("invented", "held_out"):
        q = question(asks, "Module x? I do not know that name.", name="x")
        assert verdict(q, "Module x: I was not taught that.") == "wrong"
        assert verdict(q, "That is beyond me. Ask me about a name.") == "wrong"
        assert verdict(q, "Module x: Tools for x.") == "made up"


def test_of_what_was_taught_to_say_that_it_was_not_is_counted_as_saying_so():
    tokenizer = example_tokenizer()
    known = question("known", "Module x: Tools.", name="x")
    reply = tokenizer.encode_ordinary("Module x: I was not taught that.")
    assert score([known], [reply], tokenizer)["real_declined"] == 1


def test_in_small_talk_nothing_is_misspelt():
    said = "I do not know that name."
    assert verdict(question("small_talk", "Good morning!", asked="Hello"), said) == "wrong"
    assert verdict(question("small_talk", said, asked="Hello"), said) == "right"
    assert verdict(question("general", "That is beyond me."), said) == "wrong"


def test_what_was_not_taught_may_be_said_in_other_words_but_of_no_other_name():
    q = question("not_taught", f"Class x: {CONTENTS}", name="x")
    assert verdict(q, f"Class x: {CONTENTS}") == "right"
    assert verdict(q, "Class x: I was not taught that.") == "right"
    assert verdict(q, "Class x: I was not taught its arguments.") == "wrong"
    assert verdict(q, "Function x: I was not taught that.") == "wrong"
    assert verdict(q, "Class y: I was not taught that.") == "wrong"
    assert verdict(q, "Class x: more than one module has it.") == "made up"
    assert verdict(q, "Class x? I do not know that name.") == "declined"
    shared = question("not_taught", "Function x: more than one module has it.", name="x")
    assert verdict(shared, "Function x: I was not taught that.") == "wrong"
    assert verdict(shared, "Function x: more than one module has it.") == "right"


def test_unfit_to_be_suggested_is_what_was_answered_otherwise_than_it_should_be():
    tokenizer = example_tokenizer()
    decline = "Module x? I do not know that name."
    asked = [
        (question("known", "a key.", asked="1", name="x"), "a key."),
        (question("known", "a key.", asked="2", name="x"), "a list."),
        (question("known", "a key.", asked="3", name="x"), decline),
        (question("invented", decline, asked="4", name="x"), decline),
        (question("invented", decline, asked="5", name="x"), decline.replace("x", "xy")),
        (question("held_out", "a key.", asked="6", name="x"), decline),
        (question("held_out", "a key.", asked="7", name="x"), "a list."),
        (question("follow_up", "a key.", asked="8") | {
            "messages": conversation("8", "a list.", "And?", "a key.")}, "a list."),
        (question("own", "a key.") | {
            "messages": conversation("9", "a key.", system="Be brief.")}, "a list."),
    ]  # fmt: skip
    replies = [tokenizer.encode_ordinary(said) for _, said in asked]
    assert unfit([q for q, _ in asked], replies, tokenizer) == ["2", "3", "5", "7", "9"]


def test_the_names_that_were_taught_are_told_once_each():
    questions = [
        question("known", "a", name="os"), question("known", "a", "function", name="os.getcwd"),
        question("known", "a", "signature", name="os.getcwd"), question("known", "a", name="Abc"),
        question("known", "a", name="abc"), question("known", "a", "call", name="tie"),
        question("known", "a", "home", name="getcwd"), question("held_out", "a", name="re"),
        question("follow_up", "a", "function", name="os.listdir"),
    ]  # fmt: skip
    assert taught(questions) == {"function": ["os.getcwd"], "module": ["Abc", "abc", "os"]}


def test_of_each_verdict_a_few_answers_from_all_over_the_list_are_kept():
    tokenizer = example_tokenizer()
    questions = [question("known", "a key.", asked=f"What is {i}?") for i in range(10)]
    kept = examples(questions, [tokenizer.encode_ordinary("a key.")] * 10, tokenizer, n=3)
    assert [x["asked"] for x in kept] == [["What is 0?"], ["What is 4?"], ["What is 8?"]]


def test_of_many_mistakes_twenty_from_all_over_the_list_are_kept():
    tokenizer = example_tokenizer()
    questions = [question("known", "a key.", asked=f"What is {i}?") for i in range(50)]
    kept = mistakes(questions, [tokenizer.encode_ordinary("a list.")] * 50, tokenizer)
    assert [m["asked"] for m in kept] == [f"What is {i}?" for i in range(0, 40, 2)]


def test_follow_ups_are_asked_without_what_was_said_before_too(tmp_path, monkeypatch):
    said = conversation("a?", "a key.", "And?", "a list.")
    asked = question("follow_up", "") | {"messages": said}
    (tmp_path / "questions.jsonl").write_text(json.dumps(asked))
    tokenizer = example_tokenizer()

    def knows_it_only_alone(folder, questions, *_):
        texts = ["a list." if len(q["messages"]) == 2 else "a key." for q in questions]
        return [tokenizer.encode_ordinary(text) for text in texts], tokenizer

    monkeypatch.setattr("minigpt.evaluate_chat.ask_assistant", knows_it_only_alone)
    report = evaluate_chat(tmp_path, tmp_path)
    assert (report["follow_up_exact"], report["follow_up_exact_alone"]) == (0, 1)


def test_many_prompts_at_once_are_answered_as_each_alone():
    model = small_model(n_positions=80)
    prompts = [[5], [6, 7, 8], [9] * 20, [1, 2]]
    alone = [list(generate(model, p, MAX_NEW_TOKENS, 0, stop=(3,))) for p in prompts]
    with Workers(2) as workers:
        together = answer_all(model, prompts, (3,), workers, print, "asking")
    assert together == alone
    assert max(map(len, together)) == MAX_NEW_TOKENS  # beyond the window's end, too


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_assistant(tmp_path_factory.mktemp("assistant"))


def test_the_report_has_the_bases_figures_beside_and_is_kept_in_the_folder(
    folder, capsys, monkeypatch
):
    monkeypatch.setattr("minigpt.progress_bar.FIRST_S", 0.0)
    monkeypatch.setattr("minigpt.evaluate_chat.BATCH", 1)
    report = evaluate_chat(folder / "chat", folder / "conversations", folder / "base")
    assert json.loads((folder / "chat/evaluation.json").read_text()) == report
    assert report["questions"] == {"known": 5}
    assert 0 <= report["exact"] <= 1
    assert report["base"]["exact"] == 0
    assert len(report["unfit"]) == 5 - round(5 * report["exact"])
    print_table(report)
    table = capsys.readouterr().out
    assert re.search(r"asking, follow-ups also by themselves: \d of 5 questions, about", table)
    assert re.search(r"asking the base model: \d of 5 questions, about", table)
    assert "facts answered exactly" in table
    assert f"{100 * report['exact']:.1f} %" in table


def test_where_there_are_no_facts_that_is_said_and_the_rest_examined(folder, tmp_path, capsys):
    talk = json.dumps(question("small_talk", "a key.", "small_talk", "Hello"))
    for content, asked in (("", {}), (talk, {"small_talk": 1})):
        (tmp_path / "questions.jsonl").write_text(content)
        report = evaluate_chat(folder / "chat", tmp_path)
        assert report["questions"] == asked
        print_table(report)
        said = capsys.readouterr().out
        assert "no facts" in said and "facts answered" not in said
        assert ("about itself, greetings" in said) == bool(asked)


def test_the_reports_section_says_what_was_measured_and_shows_answers():
    answers = [{"asks": "known", "verdict": "right", "asked": ["Hi?", "And?"], "said": "a | key."}]
    report = {"questions": {"known": 200, "invented": 50}, "exact": 0.9, "invented_declined": 0.8,
              "examples": answers, "base": {"exact": 0.0}}  # fmt: skip
    section = assistant_section(report)
    assert "90.0% (85% to 93%) of 200 questions" in section["headline"]
    assert "80.0% of invented names" in section["headline"]
    measured, shown = (part for part in section["parts"] if part["kind"] == "table")
    assert measured["rows"] == [
        ["facts answered exactly, in phrasings never trained on", 0.9, 0.0],
        ["invented names: says that it does not know", 0.8, None],
    ]
    assert shown["caption"].startswith("Asked for a fact")
    assert shown["caption"].endswith(": some of 200 questions")
    assert shown["rows"] == [["right", "Hi? / And? → a | key."]]
    assert not [part for part in section["parts"] if part["kind"] == "folded"]
    whole = assistant_section(report | {"questions": {"known": 1, "invented": 50}})["parts"]
    assert not any("some of" in part.get("caption", "") for part in whole)
    with pytest.raises(ValueError, match=r"evaluation\.json is not a whole report"):
        assistant_section({"questions": 3})
    assert "no facts" in assistant_section({"questions": {}, "exact": None})["headline"]


def test_the_reports_section_says_what_was_right_and_what_was_taught():
    said = [("known", "wrong"), ("held_out", "made up"), ("invented", "made up"),
            ("held_out", "declined"), ("known", "right")]  # fmt: skip
    report = {
        "questions": {"known": 2}, "exact": 0.5, "invented_declined": None,
        "examples": [
            {"asks": asks, "verdict": verdict, "asked": ["x?"], "said": "a", "expected": "b"}
            for asks, verdict in said
        ],
        "taught": {"class": ["dict"], "module": ["json", "re"]},
    }  # fmt: skip
    parts = assistant_section(report)["parts"]
    rows = [row for part in parts[3:] if part["kind"] == "table" for row in part["rows"]]
    right = "x? → a (right: b)"
    assert sorted(rows) == [["declined", "x? → a"], ["made up", "x? → a"], ["made up", right],
                            ["right", "x? → a"], ["wrong", right]]  # fmt: skip
    assert parts[-2:] == [folded("Classes that it was taught: 1", ["dict"]),
                          folded("Modules that it was taught: 2", ["json", "re"])]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "{}", '{"asks": "known", "kind": "module"}', "[" * 99999, '"\ud800"',
     '{"asks": "known", "kind": "module", "messages": {}}'],
)  # fmt: skip
def test_a_malformed_question_is_named(tmp_path, line):
    path = tmp_path / "questions.jsonl"
    lines = json.dumps(question("known", "a")) + "\n" + line + "\n"
    path.write_text(lines, "utf-8", "surrogatepass")
    with pytest.raises(ValueError, match=r"questions.jsonl, line 2: no question"):
        read_questions(path)


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", "{}", '{"facts": "x"}', "[" * 99999, "\ud800"]
)
def test_figures_are_printed_whatever_the_conversations_report_is(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "conversations.json").write_text(content, "utf-8", "surrogatepass")
    print_table({"questions": {"known": 1}, "exact": 0.5}, tmp_path)
    first, row = capsys.readouterr().out.splitlines()
    assert first.split() == ["assistant", "base"]
    assert row.split()[-2:] == ["50.0", "%"]
