"""What is asked behind a name: another that stands beside it, by its end."""

import random
import re

import pytest

from minigpt import phrasings
from minigpt.chat_writer import LONGEST, Writer
from minigpt.facts import Fact
from minigpt.invented import Invented
from minigpt.other_names import OtherNames
from minigpt.phrasings import declines


def beside_one_another():
    kinds = [("module", "json"), ("function", "json.dumps"), ("function", "json.loads"),
             ("module", "pickle"), ("function", "pickle.dumps"), ("module", "time"),
             ("function", "time.time"), ("class", "list"), ("method", "list.pop"),
             ("method", "list.sort"), ("method", "dict.pop"), ("function", "len")]  # fmt: skip
    facts = {name: Fact(kind, name, f"Of {name}.", "") for kind, name in kinds}
    rng = random.Random(1)
    untaught = {kind: ["x.odd", "x.even"] for kind in ("module", "class", "method", "function")}
    writer = Writer([*facts.values()], Invented([*facts.values()], set(), rng), untaught, rng)
    return facts, OtherNames(writer)


@pytest.mark.parametrize(
    ("name", "found"),
    [("json", {"json.dumps", "json.loads"}), ("json.dumps", {"json.loads", "json"}),
     ("list", {"list.pop", "list.sort", "len"}), ("list.pop", {"list.sort", "list"}),
     ("dict.pop", {None}), ("time", {None}), ("pickle.dumps", {"pickle"}), ("len", {"list"})],
)  # fmt: skip
def test_beside_a_name_stands_what_is_in_it_or_in_what_it_is_in(name, found):
    facts, others = beside_one_another()
    beside = {others.neighbour(facts[name]) for _ in range(100)}
    assert {f and f.name for f in beside} == found


def test_behind_a_name_one_beside_it_is_asked_for_by_its_end():
    facts, others = beside_one_another()
    for before, end, known in [
        ("json", "dumps", "json.dumps"), ("pickle", "dumps", "pickle.dumps"),
        ("list.sort", "pop", "list.pop"), ("json.loads", "json", "json"),
    ]:  # fmt: skip
        said = [x for _ in range(800) if (x := others.another(facts[before])[0])]
        answers = {x[1] for x in said if re.search(rf"(?<![.\w]){end}\b(?!\.)", x[0])}
        fact = facts[known]
        assert answers == {phrasings.answer(fact.kind, known, fact.text)}, (before, end)


def test_of_names_behind_another_some_are_not_known_of_the_same_module_too_and_some_are_asked_on():
    facts, others = beside_one_another()
    said = [x for _ in range(1500) if (x := others.another(facts["json.dumps"])[0])]
    assert {len(x) for x in said} == {2, 4}
    unknown = [x for x in said if declines(x[1])]
    assert 0.2 < len(unknown) / len(said) < 0.5 and {len(x) for x in unknown} == {2}
    assert any(x[1].startswith("Function json.") for x in unknown)
    ends = {x[1].partition("?")[0].partition(" ")[2] for x in unknown}
    assert any("." not in end for end in ends) and not ends & {"dumps", "loads"}


def test_an_invented_name_is_moved_to_where_it_is_none():
    facts = [Fact("function", name, "Of use.", "") for name in ("json.dumps", "math.sqrt")]
    invented = Invented(facts, {"json.load"}, random.Random(1))
    assert invented.moved("math.dump", "json") == "json.dump"
    assert invented.moved("math.dump", "json") == "math.dump"  # given once
    for name, place in (("math.load", "json"), ("math.dumps", "json"), ("dump", "json"),
                        ("math.at", "math"), ("math.at", "")):  # fmt: skip
        assert invented.moved(name, place) == name


def test_names_are_asked_for_one_behind_another_as_many_as_have_room():
    facts, others = beside_one_another()
    first = ["What is json?", "Module json: Of json."]
    said = [others.behind(facts["json"], first) for _ in range(400)]
    assert all(x[:2] == first and sum(map(len, x)) <= LONGEST for x in said)
    assert {2, 4, 6, 8} <= {len(x) for x in said}
    full = ["What is json?", "Module json: " + "of use " * 40]
    assert others.behind(facts["json"], full) == full


def test_behind_a_name_that_nobody_knows_no_end_is_asked_for_that_only_another_would_explain():
    facts, others = beside_one_another()
    said = [others.behind(facts["json"], [], beside=0) for _ in range(400)]
    asked = " ".join(text for x in said for text in x[::2])
    assert "pickle" in asked and not re.search(r"(?<![.\w])(dumps|loads|pop)\b", asked)


def test_what_has_a_neighbour_is_asked_for_by_its_end_behind_that():
    facts, others = beside_one_another()
    for name, before in [("json.dumps", {"json", "json.loads"}), ("pickle.dumps", {"pickle"}),
                         ("list.pop", {"list", "list.sort"})]:  # fmt: skip
        said = [others.by_its_end(facts[name]) for _ in range(100)]
        answers = {phrasings.answer(facts[x].kind, x, facts[x].text) for x in before}
        assert {x[1] for x in said} == answers
        fact, end = facts[name], name.rpartition(".")[2]
        assert {x[3] for x in said} == {phrasings.answer(fact.kind, name, fact.text)}
        assert all(re.search(rf"(?<![.\w]){end}\b", x[2]) for x in said)
    assert others.by_its_end(facts["dict.pop"]) == others.by_its_end(facts["len"]) == []
