"""What else is asked of taught names: what was not taught of them, and what follows."""

import json
import random

import pytest
from chat_examples import page, pages, write_documents

from minigpt import wordings as module
from minigpt.chat_data import make
from minigpt.chat_questions import EXAMINED_FURTHER
from minigpt.chat_writer import Writer
from minigpt.facts import Fact, collect
from minigpt.further import (
    ARGUMENTS,
    CONTENTS,
    MOST_TOLD,
    OTHER,
    RETURNED,
    SHARED,
    contents,
    further,
)
from minigpt.phrasings import declines, put


def said_of(facts):
    return {(one.asks, one.answer): one.follows for one in further(facts)}


def test_of_a_function_what_was_not_taught_is_said_and_what_follows():
    name, text = "keys.find", "Find the key."
    function = Fact("function", name, text, "")
    assert said_of([function]) == {
        ("signature", f"Function keys.find: {ARGUMENTS}"): False,
        ("home", f"Function find: {SHARED}"): False,
        ("home", "Function keys.find: it is in keys."): True,
        ("return", f"Function keys.find: {RETURNED}"): False,
        ("other", f"Function keys.find: {OTHER}"): False,
    }
    whole = [function, Fact("signature", name, "find(a)", ""), Fact("home", "find", "keys", "")]
    assert {asks for asks, _ in said_of(whole)} == {"home", "return", "other"}
    assert not any(SHARED in answer for _, answer in said_of(whole))


def test_what_a_function_returns_follows_where_its_sentence_says_it():
    said = said_of([Fact("function", "len", "Return the length.", "")])
    assert said["return", "Function len: Return the length."] is True
    said = said_of([Fact("function", "len", "Returned values are lengths.", "")])
    assert said["return", f"Function len: {RETURNED}"] is False


def test_of_a_class_and_a_module_what_they_are_was_taught_and_no_more():
    said = said_of([Fact("class", "keys.Key", "A key.", ""), Fact("module", "keys", "Tools.", "")])
    assert said == {
        ("signature", f"Class keys.Key: {ARGUMENTS}"): False,
        ("methods", f"Class keys.Key: {CONTENTS}"): False,
        ("home", "Class keys.Key: it is in keys."): True,
        ("other", f"Class keys.Key: {OTHER}"): False,
        ("functions", "Module keys: of it I know Key."): True,
        ("other", f"Module keys: {OTHER}"): False,
    }
    has = Fact("module", "keys", "it has the functions find, turn.", "")
    assert {asks for asks, _ in said_of([has])} == {"other"}  # what is in it was taught


def test_what_may_be_asked_in_most_ways_is_asked_oftener():
    times = {one.asks: one.times for one in further([Fact("class", "keys.Key", "A key.", "")])}
    times |= {one.asks: one.times for one in further([Fact("method", "list.pop", "Pop.", "")])}
    times |= {one.asks: one.times for one in further([Fact("module", "keys", "Tools.", "")])}
    assert times["other"] == times["return"] == times["functions"] > times["signature"]
    assert times["methods"] == times["signature"]
    most = len(module.DIRECT["other"])
    assert all(most > 1.5 * len(module.DIRECT[asks]) for asks in ("signature", "methods", "home"))


def test_what_is_in_a_module_is_what_is_taught_of_it():
    keys = [Fact("module", "keys", "Tools.", ""), Fact("class", "keys.Ring", "A ring.", "")]
    keys += [Fact("function", f"keys.{name}", "Find.", "") for name in ("turn", "find", "wind")]
    assert contents(keys) == {"keys": "of it I know find, Ring, turn and wind."}
    assert contents(keys[:2]) == {"keys": "of it I know Ring."}
    assert contents(keys[:1]) == {"keys": CONTENTS}
    many = [Fact("function", f"keys.f{i}", "Find.", "") for i in range(MOST_TOLD)]
    assert contents([keys[0], *many])["keys"].endswith(f"f{MOST_TOLD - 2} and f{MOST_TOLD - 1}.")
    said = contents([*keys[:2], *many])["keys"]  # one too many to learn
    assert said.endswith(f"f{MOST_TOLD - 2} and others.") and "Ring" not in said
    has = Fact("module", "locks", "it has the functions turn, wind.", "")
    assert contents([has]) == {"locks": has.text}
    (one,) = [one for one in further(keys) if one.asks == "functions"]
    assert one.follows and one.answer == "Module keys: of it I know find, Ring, turn and wind."


def test_of_a_method_as_of_a_function_but_it_is_in_its_class_and_in_builtins():
    assert said_of([Fact("method", "list.pop", "Return and remove an item.", "")]) == {
        ("signature", f"Method list.pop: {ARGUMENTS}"): False,
        ("return", "Method list.pop: Return and remove an item."): True,
        ("home", "Method list.pop: it is in builtins."): True,
        ("other", f"Method list.pop: {OTHER}"): False,
    }


def test_a_question_has_one_answer_where_a_class_and_a_function_share_a_name():
    facts = [Fact("class", "filter", "Some.", ""), Fact("function", "keys.filter", "Few.", "")]
    homes = [one.answer for one in further(facts) if one.asks == "home" and one.name == "filter"]
    assert homes == [f"Function filter: {SHARED}"]
    assert "Class dict: it is in builtins." in dict.fromkeys(
        one.answer for one in further([Fact("class", "dict", "A dictionary.", "")])
    )
    assert further([Fact("page", "Gulls", "Birds.", "")]) == []


LONG = "a_very_long_argument, another_very_long_argument=1, a_third=None"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of conversations about pages where some functions are short of a fact."""
    folder = tmp_path_factory.mktemp("made")
    records = pages()
    for name, argument in (("alpha", "a"), ("omega", "b")):
        records.append(
            page(name, f"Tools of {name}.", shared=(argument, f"Do what {name} does."),
                 **{f"long_{name}": (LONG, f"Open the {name}.")})
        )  # fmt: skip
    make([write_documents(folder / "d.jsonl", records)], folder, n_facts=500)
    return folder


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_what_was_not_taught_is_trained_and_examined_in_other_words(made):
    answers = [m["content"] for x in lines(made / "train.jsonl") for m in x["messages"][1::2]]
    known = [q for q in lines(made / "questions.jsonl") if q["asks"] == "known"]
    taught = {(q["kind"], q["name"]) for q in known}
    short = [name for name in ("alpha.long_alpha", "omega.long_omega")
             if ("function", name) in taught]  # fmt: skip
    assert short
    assert all(answers.count(f"Function {name}: {ARGUMENTS}") >= 12 for name in short)
    assert answers.count(f"Function shared: {SHARED}") >= 12
    found = [q for q in lines(made / "questions.jsonl") if q["asks"] in ("not_taught", "follows")]
    assert {q["kind"] for q in found} >= {"signature", "home", "return", "functions", "other"}
    for q in found:
        question, answer = (m["content"] for m in q["messages"])
        assert question in [put(q["name"], text) for text in module.HELD_OUT[q["kind"]]]
        assert answer in answers
        assert (RETURNED in answer or "I was not taught" in answer or SHARED in answer) == (
            q["asks"] == "not_taught"
        )
    sorts = [(q["asks"], q["kind"], q["messages"][1]["content"].split(" ")[0]) for q in found]
    assert max(sorts.count(sort) for sort in sorts) == EXAMINED_FURTHER


def test_the_same_is_asked_of_names_that_are_not_to_be_known(made, tmp_path):
    make([made / "d.jsonl"], tmp_path, n_facts=500, rounds=4)  # so many that chance counts little
    asked = {text for kind in ("return", "functions", "other") for text in module.DIRECT[kind]}
    declined = known = 0
    for x in lines(tmp_path / "train.jsonl"):
        for question, answer in zip(x["messages"][::2], x["messages"][1::2], strict=False):
            name = answer["content"].partition(" ")[2].partition(" ")[0].rstrip(":?")
            if name and question["content"].replace(name, "{}") in asked:
                declined += declines(answer["content"])
                known += not declines(answer["content"])
    assert 0.3 < declined / known < 1


def test_follow_ups_say_what_was_not_taught_and_which_module_follows():
    fact = Fact("function", "keys.find", "Find the key.", "")
    writer = Writer([fact], None, {}, random.Random(1))
    for ask, answer in (
        ("signature", f"Function keys.find: {ARGUMENTS}"),
        ("home", "Function find: it is in keys."),
        ("return", f"Function keys.find: {RETURNED}"),
    ):
        assert writer.follow_up(fact, {ask: ["And?"]}, vary=False) == ["And?", answer]


def test_names_of_pages_that_have_all_facts_are_asked_for_their_module_by_their_whole_name():
    facts, _ = collect(pages())
    found = [one for one in further(facts) if one.asks == "home"]
    assert found and all(one.follows and one.answer.endswith(
        f"it is in {one.name.partition('.')[0]}.") for one in found)  # fmt: skip
