"""The names that were taught, and what can be asked of each."""

import pytest

from minigpt import further, phrasings
from minigpt.phrasings import TRAINED
from minigpt.playground_names import ASK, CALLED, CONTENTS, taught, to_begin_with


def known(kind, name, text="It lights a way."):
    said = f"Which {kind} is {name}?", phrasings.answer(kind, name, text)
    return {"asks": "known", "kind": kind, "name": name, "messages": [{"content": x} for x in said]}


def described(*questions, unfit=()):
    return {one["name"]: one for one in taught(questions, unfit)}


def test_every_name_is_listed_once_in_the_order_of_the_alphabet():
    some = [("module", "os"), ("function", "os.remove"), ("class", "Abc"),
            ("signature", "os.remove"), ("home", "remove"), ("class", "abc")]  # fmt: skip
    names = taught([*(known(*one) for one in some), known("module", "re") | {"asks": "held_out"}])
    assert [one["name"] for one in names] == ["Abc", "abc", "os", "os.remove"]


@pytest.mark.parametrize("kind", ASK)
def test_a_name_is_asked_for_as_it_was_taught(kind):
    assert ASK[kind] in TRAINED[kind]
    assert taught([known(kind, "lantern")])[0]["ask"] == ASK[kind].format("lantern")


def test_of_a_function_its_arguments_are_asked_for_if_they_were_taught():
    assert CALLED in TRAINED["signature"] and CALLED in TRAINED["call"]
    found = described(known("function", "abs"), known("function", "bin"), known("signature", "abs"),
                      known("term", "OPT_BIT"), known("call", "OPT_BIT"))  # fmt: skip
    assert {name: one["more"] for name, one in found.items()} == {
        "abs": ["How do I call abs?"], "bin": [], "OPT_BIT": ["How do I call OPT_BIT?"]
    }  # fmt: skip


def test_of_a_module_its_functions_are_asked_for_if_that_was_taught():
    assert CONTENTS in further.DIRECT["functions"]
    found = described(known("module", "json"), known("function", "json.dumps"),
                      known("module", "bz2"), known("module", "os"), known("class", "os.stat"),
                      known("module", "gc", "it has the function collect."),
                      known("function", "gc.collect"))  # fmt: skip
    more = {name: one["more"] for name, one in found.items() if one["kind"] == "module"}
    asked = {name: [CONTENTS.format(name)] for name in ("json", "os")}
    assert more == {"bz2": [], "gc": [], **asked}


def test_what_was_answered_wrongly_is_not_offered_further():
    question = known("function", "abs"), known("signature", "abs"), known("function", "bin")
    found = described(*question, unfit={q["messages"][0]["content"] for q in question[:2]})
    assert (found["abs"]["right"], found["abs"]["more"], found["bin"]["right"]) == (False, [], True)


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
        known("module", "os") | {"messages": 7},
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
