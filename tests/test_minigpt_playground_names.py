"""The names that were taught, and what can be asked of each."""

import re
from pathlib import Path

import pytest

from minigpt import phrasings, playground_names, wordings
from minigpt.best_known import read_first
from minigpt.playground_names import (
    ASK,
    ASK_CALL,
    ASK_CONTENTS,
    LONGEST_NAME,
    MOST,
    MOST_OF_A_KIND,
    taught,
    to_begin_with,
)


def known(kind, name, text="It lights a way."):
    said = f"Which {kind} is {name}?", phrasings.answer(kind, name, text)
    return {"asks": "known", "kind": kind, "name": name, "messages": [{"content": x} for x in said]}


def described(*questions, unfit=()):
    return {one["name"]: one for one in taught(questions, unfit)}


def asked(*questions, unfit=()):
    found = described(*questions, unfit=unfit)
    return {name: [more["ask"] for more in one["more"]] for name, one in found.items()}


def text_of(question):
    return question["messages"][0]["content"]


def test_every_name_is_listed_once_in_the_order_of_the_alphabet():
    some = [("module", "os"), ("function", "os.remove"), ("class", "Abc"),
            ("signature", "os.remove"), ("home", "remove"), ("class", "abc")]  # fmt: skip
    names = taught([*(known(*one) for one in some), known("module", "re") | {"asks": "held_out"}])
    assert [one["name"] for one in names] == ["Abc", "abc", "os", "os.remove"]


@pytest.mark.parametrize("kind", ASK)
def test_a_name_is_asked_for_as_it_was_taught(kind):
    assert ASK[kind] in wordings.DIRECT[kind]
    assert taught([known(kind, "lantern")])[0]["ask"] == ASK[kind].format("lantern")


def test_of_a_function_its_arguments_are_asked_for_if_they_were_taught():
    assert ASK_CALL in wordings.DIRECT["signature"] and ASK_CALL in wordings.DIRECT["call"]
    found = described(known("function", "abs"), known("function", "bin"),
                      known("signature", "abs", "abs(x)."), known("term", "OPT_BIT"),
                      known("call", "OPT_BIT", "opt OPT_BIT"))  # fmt: skip
    assert {name: one["more"] for name, one in found.items()} == {
        "abs": [{"ask": "How do I call abs?", "answer": "Function abs: abs(x)."}], "bin": [],
        "OPT_BIT": [{"ask": "How do I call OPT_BIT?", "answer": "OPT_BIT: opt OPT_BIT"}],
    }  # fmt: skip


def test_of_a_module_its_functions_are_asked_for_if_that_was_taught():
    assert ASK_CONTENTS in wordings.DIRECT["functions"]
    found = described(known("module", "json"), known("function", "json.dumps"),
                      known("module", "bz2"), known("module", "os"), known("class", "os.stat"),
                      known("module", "gc", "it has the function collect."),
                      known("function", "gc.collect"))  # fmt: skip
    more = {name: one["more"] for name, one in found.items() if one["kind"] == "module"}
    told = {"json": "Module json: of it I know dumps.", "os": "Module os: of it I know stat."}
    assert more == {
        name: [{"ask": ASK_CONTENTS.format(name), "answer": told[name]}] if name in told else []
        for name in ("json", "bz2", "os", "gc")
    }


def test_what_was_answered_wrongly_is_not_offered_further():
    question = known("function", "abs"), known("signature", "abs"), known("function", "bin")
    unfit = {text_of(q) for q in question[:2]}
    found = described(*question, unfit=unfit)
    assert (found["abs"]["right"], found["abs"]["more"], found["bin"]["right"]) == (False, [], True)
    assert to_begin_with(taught(question), []) == ["abs", "bin"]
    assert to_begin_with(taught(question, unfit), []) == ["bin"]
    terms = known("term", "git"), known("term", "git-log")
    assert to_begin_with(taught(terms, {text_of(terms[0])}), ["git", "git-log"]) == ["git-log"]


def test_the_page_knows_how_answers_begin():
    script = (
        Path(playground_names.__file__).parent / "playground" / "next_questions.js"
    ).read_text()
    nouns = re.search(r"const NOUN = /\^\(([\w|]+)\) /", script)[1].split("|")
    assert {*nouns, ""} == {*phrasings.NOUN.values()}


def test_what_is_in_a_module_is_not_asked_for_if_that_or_the_module_was_answered_wrongly():
    said = "What is in json?", "Module json: of it I know dumps."
    follows = {"asks": "follows", "kind": "functions", "name": "json",
               "messages": [{"content": x} for x in said]}  # fmt: skip
    lines = known("module", "json"), known("function", "json.dumps"), follows
    assert asked(*lines)["json"] == ["Which functions does json have?"]
    assert asked(*lines, unfit={"What is in json?"})["json"] == []
    assert asked(*lines, unfit={text_of(lines[0])})["json"] == []
    assert described(*lines).keys() == {"json", "json.dumps"}


def test_a_name_belongs_to_the_longest_that_it_begins_with():
    terms = "git-commit", "git-commit --amend", "git-commit-tree", "os", "os.path", "os.path.join"
    found = described(*(known("term", name) for name in terms), known("page", "os or not"))
    assert {name: one["parent"] for name, one in found.items()} == {
        "git-commit": "", "git-commit --amend": "git-commit", "git-commit-tree": "",
        "os": "", "os.path": "os", "os.path.join": "os.path", "os or not": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        5, None, [], "known", {"asks": "known"}, {"asks": "known", "kind": "module", "name": "os"},
        known("module", "os") | {"name": 5}, known("module", "os") | {"kind": []},
        known("module", "os") | {"messages": []}, known("module", "os") | {"messages": [{}, {}]},
        known("module", "os") | {"messages": [{"content": 1}, {"content": 2}]},
        known("module", "os") | {"messages": 7}, known("module", "os") | {"asks": "follows"},
        known("module", ""), known("module", " "), known("term", "." * (LONGEST_NAME + 1)),
    ],
)  # fmt: skip
def test_what_is_no_question_is_left_out(line):
    assert described(line, known("module", "re")).keys() == {"re"}


def test_one_begins_with_what_learners_ask_for_and_elsewhere_with_the_best_known():
    python = taught([known("function", name) for name in ("zip", "abs", "print", "len")])
    assert to_begin_with(python, ["abs"]) == ["print", "len"]
    terms = taught([known("term", name) for name in ("git", "print", "git-log")])
    assert to_begin_with(terms, ["git-log", "git-push", "git"]) == ["git-log", "git"]
    assert to_begin_with([], ["git"]) == []


def test_one_begins_with_a_few_names():
    terms = [f"git-{i}" for i in range(20)]
    assert to_begin_with(taught(known("term", x) for x in terms), terms) == terms[:MOST]
    kinds = "module", "class", "method", "function", "term", "page"
    named = dict(zip(read_first(), kinds * 3, strict=False))  # three names of each kind
    found = to_begin_with(taught(known(kind, name) for name, kind in named.items()), [])
    assert len(found) == MOST < len(kinds) * MOST_OF_A_KIND
    assert [named[name] for name in found] == [kind for kind in kinds for _ in range(2)][:MOST]
