"""What is asked on after a question about a name."""

import random

import pytest

from minigpt.chat_rounds import training_conversations
from minigpt.chat_writer import Writer
from minigpt.chosen_wordings import COMMON, one_of
from minigpt.facts import Fact
from minigpt.follow_ups import ASKED_ON, OF_FUNCTION
from minigpt.further import ARGUMENTS, CONTENTS, RETURNED
from minigpt.invented import Invented
from minigpt.wordings import FOLLOW_UPS

KEYS = Fact("module", "keys", "Tools for keys.", "p")
FIND = Fact("function", "keys.find", "Find a key.", "p")
CALL = Fact("signature", "keys.find", "find(a)", "p")
HOME = Fact("home", "find", "keys", "p")
RING = Fact("class", "ring", "A row of keys.", "p")
HANG = Fact("method", "ring.hang", "Hang a key.", "p")
FACTS = [KEYS, FIND, CALL, HOME, RING, HANG]


def writer(facts=tuple(FACTS), seed=1):
    rng = random.Random(seed)
    return Writer(list(facts), Invented(facts, {}, rng), {}, rng)


def is_typed(text, asked):
    """Tell whether `asked` may be a wording as somebody typed it: as_typed.vary."""
    rest = text.removeprefix("What is ").rstrip("?.").lower()
    return rest in asked.lower() and (rest == text.rstrip("?.").lower() or "what" in asked.lower())


@pytest.mark.parametrize(
    ("ask", "fact", "answer"),
    [
        ("signature", FIND, "Function keys.find: find(a)"),
        ("home", FIND, "Function find: it is in keys."),
        ("function", HOME, "Function keys.find: Find a key."),
        ("return", CALL, f"Function keys.find: {RETURNED}"),
        ("module", FIND, "Module keys: Tools for keys."),
        ("functions", FIND, "Module keys: of it I know find."),
        ("functions", KEYS, "Module keys: of it I know find."),
        ("methods", RING, f"Class ring: {CONTENTS}"),
        ("signature", RING, f"Class ring: {ARGUMENTS}"),
        ("home", RING, "Class ring: it is in builtins."),
        ("module", RING, "Module builtins? I do not know that name."),  # which is not taught
        ("home", HANG, "Method ring.hang: it is in builtins."),
        ("signature", HANG, f"Method ring.hang: {ARGUMENTS}"),
        ("return", HANG, f"Method ring.hang: {RETURNED}"),
    ],
)
def test_what_is_asked_on_is_answered_from_what_is_taught_or_said_not_to_be(ask, fact, answer):
    question, said = writer().follow_up(fact, FOLLOW_UPS, [ask], vary=False)
    assert (question in FOLLOW_UPS[ask], said) == (True, answer)


def test_what_a_module_has_is_told_where_that_is_what_was_taught():
    has = Fact("module", "locks", "it has the functions turn, wind.", "p")
    assert writer([has]).follow_up(has, FOLLOW_UPS)[1] == f"Module locks: {has.text}"


def test_only_what_makes_sense_is_asked_on():
    w = writer()
    for fact in (KEYS, RING, HANG, FIND):
        asked = [w.follow_up(fact, FOLLOW_UPS, vary=False)[0] for _ in range(2000)]
        allowed = {ask for ask in ASKED_ON[fact.kind] if ask != fact.kind}
        of = {text: ask for ask in allowed for text in FOLLOW_UPS[ask]}
        assert {of[text] for text in asked} == allowed
    page = Fact("page", "Gulls", "They cry.", "p")
    assert writer([page]).follow_up(page, FOLLOW_UPS) is None


def test_of_a_function_its_module_is_asked_on_less_often_than_what_it_is_but_often_enough():
    share = {ask: ASKED_ON["function"].count(ask) / len(ASKED_ON["function"])
             for ask in ASKED_ON["function"]}  # fmt: skip
    assert share["module"] == share["functions"] >= 1 / 9
    assert min(share[ask] for ask in OF_FUNCTION) > share["module"]


def test_what_is_asked_on_is_typed_in_several_ways_and_examined_as_it_is_written():
    w = writer()
    words = {"functions": ["What are the functions?"]}
    asked = {w.follow_up(KEYS, words)[0] for _ in range(200)}
    assert {"What are the functions?", "what are the functions"} <= asked
    assert any(text.endswith(" What are the functions?") for text in asked)


def test_every_other_time_it_is_asked_on_in_a_common_wording():
    words = [f"wording {i}" for i in range(10 * COMMON)]
    rng = random.Random(1)
    common = sum(words.index(one_of(words, rng)) < COMMON for _ in range(2000)) / 2000
    assert 0.5 < common < 0.6  # those of all are common now and then, too
    assert one_of(words[:1], rng) == words[0]


def test_an_unknown_name_stays_unknown_and_its_module_is_not_asked_for():
    w = writer()
    for kind, allowed in (("function", OF_FUNCTION), ("class", ASKED_ON["class"])):
        for _ in range(100):
            asked, said = w.unknown_follow_up(kind, "x.y", FOLLOW_UPS)
            sorts = [ask for ask in allowed if ask not in (kind, "module")]
            assert any(is_typed(text, asked) for ask in sorts for text in FOLLOW_UPS[ask])
            assert said.endswith("x.y? I do not know that name.")


def test_the_module_of_a_function_may_have_been_asked_for_before_it():
    said = ["What does keys.find do?", "Function keys.find: Find a key."]
    for fact in (FIND, HOME):
        asked, module, *rest = writer().with_module(fact, said)
        assert "keys" in asked and module == "Module keys: Tools for keys."
        assert rest == said
    assert writer([FIND]).with_module(FIND, said) == said  # of an untaught one nothing is said
    long = Fact("module", "keys", "Tools " * 30, "p")
    assert writer([long, FIND]).with_module(FIND, said) == said


def test_some_talks_go_from_a_module_to_its_function_and_back():
    talks = [m for m, _ in training_conversations(writer(), 40)]
    asked_on = [text for texts in FOLLOW_UPS.values() for text in texts]
    found = []
    for said in ([x["content"] for x in m] for m in talks if len(m) == 6):
        _, module, _, function, asked, last = said
        is_one = module == "Module keys: Tools for keys." and function.startswith("Function ")
        if is_one and any(is_typed(text, asked) for text in asked_on):  # else of another name
            found.append(last)
    assert found and len(found) < len(talks) / 5
    assert any(last.startswith("Module keys: ") for last in found)
