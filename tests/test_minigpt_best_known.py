"""Facts -> those that are taught."""

import random
from collections import Counter

from minigpt.best_known import best_known, choose, told
from minigpt.facts import Fact, collect, keys_of_function


def test_the_best_known_come_first_and_pages_share_the_places():
    """Square roots are 10, 3 and 1: as many of 14 places."""
    facts = [
        Fact("function", f"{page}.{i}", "text", page, in_degree)
        for page, in_degree in (("rare", 1), ("common", 100), ("some", 9))
        for i in range(10)
    ]
    ordered = best_known(facts, Counter({"common.7": 3, "common.4": 2}), random.Random(1))
    assert sorted(f.name for f in ordered) == sorted(f.name for f in facts)
    assert [f.name for f in ordered[:2]] == ["common.7", "common.4"]
    assert Counter(f.source for f in ordered[:14]) == {"common": 10, "some": 3, "rare": 1}


def test_built_in_names_count_where_they_are_called_not_where_a_word_of_english_stands():
    facts = [Fact("function", name, "text", "builtins", 9) for name in ("any", "len")]
    facts.append(Fact("function", "os.any", "text", "os", 1))
    names = Counter({"any": 9, "len": 2, "len(": 2, "any(": 1})
    found = [f.name for f in best_known(facts, names, random.Random(1))]
    assert found == ["len", "any", "os.any"]
    _, names = collect([{"text": "any key: len(keys), x.any(keys)"}])
    assert (names["len("], names["any("]) == (1, 0)


def some_facts(modules=12, functions=12):
    """Return facts of so many modules and functions; the higher its number, the better known."""
    found = [Fact("module", f"m{i}", "text", f"page {i}", i + 1) for i in range(modules)]
    for i in range(functions):
        keys = keys_of_function(f"m{i}.f{i}")
        found += [Fact(kind, name, "text", f"page {i}", i + 1) for kind, name in keys]
    return found


def test_a_third_are_modules_and_functions_come_whole_or_not_at_all():
    trained, held_out, _ = choose(some_facts(), Counter(), 20, random.Random(1))
    assert Counter(f.kind for f in trained + held_out) == {
        "module": 6, "function": 4, "signature": 4, "home": 4
    }  # fmt: skip


def test_where_there_are_no_functions_all_are_modules():
    trained, held_out, _ = choose(some_facts(12, 0), Counter(), 10, random.Random(1))
    assert {f.name for f in trained + held_out} == {f"m{i}" for i in range(2, 12)}


def test_more_than_there_are_is_all_and_one_is_one():
    for n, found in ((1000, 48), (1, 1)):
        trained, held_out, _ = choose(some_facts(), Counter(), n, random.Random(1))
        assert len(trained + held_out) == found
    assert choose([], Counter(), 10, random.Random(1)) == ([], [], {})


def test_held_out_are_lesser_known_ones():
    facts = some_facts(40, 0)
    for seed in range(20):
        _, held_out, _ = choose(facts, Counter(), 40, random.Random(seed))
        assert len(held_out) == 2
        assert all(f.in_degree <= 20 for f in held_out)


def test_what_is_not_taught_is_listed_the_best_known_first():
    _, _, untaught = choose(some_facts(6, 0), Counter(), 3, random.Random(1))
    assert untaught == {"module": ["m2", "m1", "m0"]}


def test_a_long_name_is_not_taught_but_one_of_those_not_to_be_known():
    facts = [Fact("class", "m." + "x" * n, "text", "page", 1) for n in (28, 29)]
    trained, _, untaught = choose(facts, Counter(), 10, random.Random(1))
    assert ([f.name for f in trained], untaught) == ([facts[0].name], {"class": [facts[1].name]})


def test_the_best_known_are_told_where_links_say_which():
    assert told(some_facts(20, 3))[:3] == ["m19", "m18", "m17"]
    assert len(told(some_facts(20, 3))) == 12
    assert told([Fact("module", "m", "text", "page")]) == []
