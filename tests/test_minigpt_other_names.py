"""What is asked behind a name: another that stands beside it, by its end."""

import random
import re

import pytest

from minigpt import phrasings
from minigpt.chat_writer import LONGEST, Writer, end_of
from minigpt.facts import Fact
from minigpt.invented import Invented
from minigpt.other_names import OtherNames
from minigpt.phrasings import declines

BESIDE_ONE_ANOTHER = [
    ("module", "json"), ("function", "json.dumps"), ("function", "json.loads"),
    ("module", "pickle"), ("function", "pickle.dumps"), ("module", "time"),
    ("function", "time.time"), ("class", "list"), ("method", "list.pop"),
    ("method", "list.sort"), ("method", "dict.pop"), ("function", "len"),
]  # fmt: skip
CALLED_ALIKE = [
    ("module", "abc"), ("module", "collections"), ("module", "collections.abc"),
    ("class", "collections.Counter"), ("module", "os"), ("function", "os.open"),
    ("function", "os.getcwd"), ("function", "open"), ("class", "str"), ("method", "str.format"),
    ("method", "str.join"), ("function", "format"), ("module", "copy"), ("method", "str.copy"),
]  # fmt: skip


def beside_one_another(kinds=BESIDE_ONE_ANOTHER):
    facts = {name: Fact(kind, name, f"Of {name}.", "") for kind, name in kinds}
    rng = random.Random(1)
    untaught = {kind: ["x.odd", "x.even"] for kind, _ in kinds}
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
        assert {len(x) for x in said} == {4, 6}
        answers = {phrasings.answer(facts[x].kind, x, facts[x].text) for x in before}
        assert {x[1] for x in said} == answers
        fact, end = facts[name], name.rpartition(".")[2]
        assert {x[3] for x in said} == {phrasings.answer(fact.kind, name, fact.text)}
        assert all(re.search(rf"(?<![.\w]){end}\b", x[2]) for x in said)
    for name in ("dict.pop", "len", "json", "time.time"):  # "time" behind time is itself
        assert all(others.by_its_end(facts[name]) == [] for _ in range(50)), name


def test_no_follow_up_is_asked_that_has_no_room():
    long = [("module", "json"), ("function", "json.dumps"), ("function", "json.loads")]
    facts = [Fact(kind, name, "Of use. " * 16, "") for kind, name in long]
    rng = random.Random(1)
    others = OtherNames(Writer(facts, Invented(facts, set(), rng), {}, rng))
    assert {len(others.by_its_end(facts[1])) for _ in range(100)} == {4}


def test_an_end_means_the_same_wherever_it_is_asked_for_behind_a_name():
    facts, others = beside_one_another(CALLED_ALIKE)
    found = {}
    for name in facts:
        before = "os.getcwd" if name in ("os.open", "open") else "str"
        said = [others.by_its_end(facts[name])[2:4] for _ in range(60)]
        said += [others.another(facts[before])[0][:2] for _ in range(200)]
        for text, answer in filter(None, said):
            for end in re.findall(r"(?<![.\w])(?:abc|open|format|copy)\b(?!\.)", text.lower()):
                found.setdefault((before, end), set()).add(answer.partition(":")[0])
    assert found["os.getcwd", "open"] == {"Function os.open"}
    assert found["str", "format"] == {"Method str.format"}
    assert found["str", "copy"] == {"Method str.copy"} and ("str", "abc") not in found
    beside = {others.neighbour(facts["str"]) for _ in range(200)}
    assert facts["str.format"] in beside and facts["format"] not in beside
    assert facts["open"] in beside  # nothing of str is called so
    beside = {others.neighbour(facts["collections"]) for _ in range(50)}
    assert beside == {facts["collections.Counter"]}  # "abc" is a module by itself


def test_behind_an_unknown_name_of_another_module_no_end_is_asked_for():
    facts, others = beside_one_another()
    asked = [others.another(facts["json.dumps"]) for _ in range(1500)]
    unknown = [(said[1], other) for said, other in asked if said and declines(said[1])]
    assert any(other for _, other in unknown) and any(other is None for _, other in unknown)
    for answer, other in unknown:
        name = answer.partition("?")[0].partition(" ")[2]
        assert other is None or "." not in name or name.startswith("json."), name


TERMS = ["rope.Knot", "rope.Knot.tie", "rope.Knot.ends", "rope.Knot.loose", "rope.Bend",
         "rope.Bend.join", "rope.Bend.pull", "Rope 2.1 manual", "rope.*"]  # fmt: skip


def test_terms_are_asked_for_behind_what_they_are_in_unknown_ones_by_their_end_as_well():
    facts, others = beside_one_another([("term", name) for name in TERMS])
    said = [others.by_its_end(facts["rope.Knot.tie"]) for _ in range(100)]
    assert any(x[1].startswith("rope.Knot: ") for x in said)
    said = [others.another(facts["rope.Knot"])[0] for _ in range(2000)]
    unknown = [x[1].partition("?")[0] for x in said if x and declines(x[1])]
    assert sum("." not in name for name in unknown) > 0.45 * len(unknown) > 100


@pytest.mark.parametrize(
    ("name", "end"),
    [("json.dumps", "dumps"), ("os.path.join", "join"), ("len", "len"), (".loc", "loc"),
     ("Rope 2.1 manual", "Rope 2.1 manual"), ("rope.*", "rope.*"), ("core.", "core.")],
)  # fmt: skip
def test_the_end_of_a_name_is_a_word(name, end):
    assert end_of(name) == end
