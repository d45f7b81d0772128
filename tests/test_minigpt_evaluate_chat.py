"""The examination of an assistant: what is counted as what."""

import json

import pytest
from chat_examples import make_assistant
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import example_tokenizer, small_model, untimed

from minigpt.chat_format import conversation
from minigpt.evaluate_chat import (
    MAX_NEW_TOKENS,
    answer_all,
    evaluate_chat,
    loops,
    mistakes,
    print_table,
    read_questions,
    score,
)
from minigpt.parallel import Workers
from minigpt.sample import generate


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


def question(asks, expected, kind="module", asked="What is x?"):
    return {"messages": conversation(asked, expected), "asks": asks, "kind": kind}


def test_figures_are_shares_of_what_was_asked():
    tokenizer = example_tokenizer()
    questions = [
        question("known", "the list."),
        question("known", "a key.", kind="home"),
        question("known", "the value."),
        question("invented", "zz? I do not know that name."),
        question("invented", "yy? I do not know that name."),
        question("held_out", "the file."),
    ]
    decline = "I do not know that name."
    loop = "a file" + 4 * " a file"
    replies = ["the list.", "a key", f"the? {decline}", f"ww? {decline}", "yy: the list.", loop]
    ids = [tokenizer.encode_ordinary(r) for r in replies]
    figures = score(questions, ids, tokenizer)
    assert figures["exact"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["exact_by_kind"] == {"home": 0.0, "module": 0.5}
    assert figures["real_declined"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["invented_declined"] == 0.5
    assert figures["held_out_exact"] == figures["held_out_declined"] == 0
    assert figures["follow_up_exact"] is None
    assert figures["loops"] == pytest.approx(1 / 6, abs=1e-4)
    wrong = mistakes(questions, ids, tokenizer)
    assert [m["said"] for m in wrong] == [replies[1], replies[2], replies[4]]


def test_many_prompts_at_once_are_answered_as_each_alone():
    model = small_model(n_positions=80)
    prompts = [[5], [6, 7, 8], [9] * 20, [1, 2]]
    alone = [list(generate(model, p, MAX_NEW_TOKENS, 0, stop=(3,))) for p in prompts]
    with Workers(2) as workers:
        together = answer_all(model, prompts, (3,), workers)
    for one, other, prompt in zip(alone, together, prompts, strict=True):
        room = model.config.n_positions - len(prompt) + 1  # no window is moved along here
        assert other == one[:room]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_assistant(tmp_path_factory.mktemp("assistant"))


def test_the_report_has_the_bases_figures_beside_and_is_kept_in_the_folder(folder, capsys):
    report = evaluate_chat(folder / "chat", folder / "conversations", folder / "base")
    assert json.loads((folder / "chat/evaluation.json").read_text()) == report
    assert report["questions"] == {"known": 5}
    assert 0 <= report["exact"] <= 1
    assert report["base"]["exact"] == 0
    print_table(report)
    table = capsys.readouterr().out
    assert "facts answered exactly" in table
    assert f"{100 * report['exact']:.1f} %" in table


def test_where_there_are_no_facts_that_is_said(folder, tmp_path, capsys):
    (tmp_path / "questions.jsonl").write_text("")
    report = evaluate_chat(folder / "chat", tmp_path)
    assert report["questions"] == {}
    print_table(report)
    assert "no facts" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"asks": "known", "kind": "module"}'])
def test_a_malformed_question_is_named(tmp_path, line):
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps(question("known", "a")) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=r"questions.jsonl, line 2: no question"):
        read_questions(path)
