"""Facts -> those that are taught."""

import random
from collections import Counter

from minigpt.best_known import (
    DATA,
    NAME,
    built_in,
    choose,
    modules,
    others,
    read_first,
    renown,
    terms,
    told,
)
from minigpt.facts import Fact, keys_of, keys_of_function


def fact(kind, name, in_degree=1, source=None):
    return Fact(kind, name, "text", source or name.rpartition(".")[0], in_degree)


def names_of(facts):
    return [f.name for f in facts]


def test_a_module_is_known_by_links_and_uses_but_part_of_a_package_not_by_links():
    names = Counter({"os.": 3, "os.path.": 2})
    assert renown("os", 10, names) == 14
    assert renown("os.path", 10, names) == 3
    assert renown("", 10, names) == 11  # a page


def test_the_parts_of_a_package_count_half_as_much_each():
    parts = [fact("module", f"codes.c{i}", 0, f"page {i}") for i in range(4)]
    found = [*parts, fact("module", "web.get"), fact("module", "rare", 1), fact("module", "os", 5)]
    names = Counter({f"codes.c{i}.": 15 for i in range(4)}) + Counter({"web.get.": 9})
    # 16, 16, 16, 16 -> 8, 4, 2, 1;  10 -> 5;  2;  6
    ordered = names_of(modules(found, names))
    assert ordered[1:3] == ["os", "web.get"]
    assert {ordered[0], ordered[3]} < {f.name for f in parts}
    assert set(ordered[4:6]) > {"rare"} and len(ordered) == 7


def test_of_equally_known_parts_of_a_package_the_page_that_says_most_comes_first():
    parts = [fact("module", f"codes.c{i}", 9, f"page {i}") for i in range(4)]
    found = [*parts, fact("class", "codes.c2.Big", 9, "page 2")]
    assert names_of(modules(found, Counter()))[0] == "codes.c2"


def test_pages_are_ordered_by_the_links_to_them_dots_or_not():
    found = [fact("page", "Gulls, U.S.", 3), fact("page", "Terns", 2), fact("page", "No.1", 4)]
    assert names_of(modules(found, Counter())) == ["No.1", "Gulls, U.S.", "Terns"]


def test_built_in_names_count_where_they_are_called_not_where_a_word_of_english_stands():
    found = [fact("function", "any"), fact("function", "len"), fact("class", "KeyError"),
             fact("method", "list.append"), fact("method", "bytes.append"),
             fact("method", "list.sort"), fact("function", "os.any")]  # fmt: skip
    names = Counter({"any": 9, "len(": 2, "any(": 1, "KeyError": 3, "KeyError(": 0,
                     ".append(": 3, ".sort(": 4, "list": 9, "bytes": 2})  # fmt: skip
    assert names_of(built_in(found, names)) == [
        "KeyError", "len", "any", "list.sort", "list.append", "bytes.append"
    ]  # fmt: skip


def test_of_other_names_those_of_known_modules_that_are_called_and_short_come_first():
    def first(*pairs, names=()):
        found = [fact("function", name, in_degree) for name, in_degree in pairs]
        return names_of(others(found, Counter(dict(names))))[0]

    assert first(("os.find", 9), ("uu.find", 1)) == "os.find"
    assert first(("os.find", 9), ("os.finder", 9)) == "os.find"
    assert first(("os.find", 9), ("os.finder", 9), names=[("find(", 1), (".finder(", 9)]) == (
        "os.finder"
    )
    assert first(("time.time", 9), ("time.sleep", 9), names=[("time(", 1), ("sleep(", 1)]) == (
        "time.time"
    )


def test_a_call_of_a_name_that_is_built_in_is_taken_for_that():
    found = [fact("function", "open"), fact("function", "os.open"), fact("function", "os.close")]
    names = Counter({"open(": 99, "close(": 2})
    assert names_of(others(found, names)) == ["os.close", "os.open"]


def test_no_module_has_more_than_a_few():
    found = [fact("function", f"os.{name}", 9) for name in "abcdefghij"] + [fact("class", "uu.A")]
    assert len(others(found, Counter())) == 7


def some_facts(n_modules=12, functions=12, classes=0):
    """Return facts of so many modules and functions; the higher its number, the better known."""
    found = [Fact("module", f"m{i}", "text", f"page {i}", i + 1) for i in range(n_modules)]
    for i in range(functions):
        keys = keys_of_function(f"m{i}.f{i}")
        found += [Fact(kind, name, "text", f"page {i}", i + 1) for kind, name in keys]
    return found + [Fact("class", f"C{i}", "text", "builtins", 9) for i in range(classes)]


def test_a_fifth_are_modules_a_quarter_built_in_and_functions_come_whole_or_not_at_all():
    trained, held_out, _ = choose(some_facts(40, 40, 40), Counter(), 60, random.Random(1))
    assert Counter(f.kind for f in trained + held_out) == {
        "module": 12, "class": 16, "function": 10, "signature": 10, "home": 10
    }  # fmt: skip


def test_where_there_is_less_of_one_sort_there_is_more_of_another():
    trained, held_out, _ = choose(some_facts(12, 0), Counter(), 10, random.Random(1))
    assert {f.name for f in trained + held_out} == {f"m{i}" for i in range(2, 12)}
    trained, held_out, _ = choose(some_facts(12, 0, 12), Counter(), 20, random.Random(1))
    assert Counter(f.kind for f in trained + held_out) == {"module": 8, "class": 12}


def test_more_than_there_are_is_all_and_one_is_one():
    for n, found in ((1000, 60), (1, 1)):
        trained, held_out, _ = choose(some_facts(classes=12), Counter(), n, random.Random(1))
        assert len(trained + held_out) == found
    assert choose([], Counter(), 10, random.Random(1)) == ([], [], {})


def test_held_out_are_the_least_known_of_those_there_is_room_for():
    for seed in range(5):
        _, held_out, _ = choose(some_facts(60, 0), Counter(), 40, random.Random(seed))
        assert {f.name for f in held_out} == {"m20", "m21"}


def test_names_that_people_ask_for_first_come_first_however_little_known():
    facts, first = some_facts(40, 20, 20), {"m1", "m3.f3", "C7"}
    trained, _, untaught = choose(facts, Counter(), 40, random.Random(1), first)
    assert {"m1", "m3.f3", "f3", "C7"} <= {f.name for f in trained}
    assert "m2" in untaught["module"] and "m4.f4" in untaught["function"]


def test_they_may_be_more_of_a_module_than_are_taught_of_others():
    found = [fact("function", f"os.{name}", 9) for name in "abcdefghij"]
    first = {f"os.{name}" for name in "abcdefgh"}
    assert set(names_of(others(found, Counter(), first))) >= first
    assert len(others(found, Counter(), first)) < 10


def test_the_projects_own_list_has_each_name_once_and_comments(tmp_path):
    own = read_first()
    assert {"print", "json", "os.listdir", "list.append"} <= own.keys()
    words = [w for line in (DATA / NAME).read_text("utf-8").splitlines()
             for w in line.partition("#")[0].split()]  # fmt: skip
    assert len(words) == len(own) > 500
    file = tmp_path / "names.txt"
    file.write_text("# a comment\none two # three\n\n", "utf-8")
    assert list(read_first(file)) == ["one", "two"]


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


def term(name, in_degree=0, source="p", is_whole=False):
    return Fact("term", name, "text", source, in_degree, is_whole)


def test_terms_that_many_documents_have_and_that_are_short_come_first():
    names = Counter({"tie_up": 4, "hitch_up": 4, "knot-tie": 9, "knot-end": 9, "--force": 2})
    found = [term("hitch_up"), term("tie_up"), term("knot-tie --force"), term("knot-end")]
    assert names_of(terms(found, names)) == ["knot-end", "tie_up", "hitch_up", "knot-tie --force"]
    assert names_of(terms([term("rope"), term("tie_")], Counter({"rope": 9, "tie_": 4}))) == [
        "tie_",
        "rope",
    ]  # a common word stands everywhere
    assert terms([fact("module", "os")], names) == []


def test_the_name_of_a_page_is_known_by_its_links_and_does_not_wait_for_its_terms():
    own = term("knot-tie", 20, is_whole=True)
    many = [term(f"t_{i:02}", 20) for i in range(40)]
    other = term("u_long_name", 0, "q")
    names = Counter({f.name: 3 for f in many} | {"u_long_name": 3})
    ordered = names_of(terms([*many, other, own], names))
    assert ordered[0] == "knot-tie"
    assert ordered.index("u_long_name") < 30  # though each of the others alone is before it


def test_a_term_is_taught_with_how_it_is_called_and_the_best_known_are_named():
    facts = [
        term("tie"),
        Fact("call", "tie", "tie(rope)", "p"),
        term("knot-tie", 3, "q", True),
    ]
    assert keys_of(facts[0]) == (("term", "tie"), ("call", "tie"))
    assert keys_of(fact("module", "os")) == (("module", "os"),)
    trained, _, _ = choose(facts, Counter({"tie": 9}), 3, random.Random(1))
    assert {(f.kind, f.name) for f in trained} >= {("term", "tie"), ("call", "tie")}
    assert told(facts) == ["knot-tie"]
    topic = Fact("page", "On knots", "They hold.", "r", 9)
    assert told([topic, *facts]) == ["knot-tie", "On knots"]


def test_no_term_is_untaught_that_seems_another_spelling_of_a_taught_one():
    terms = [Fact("term", name, "A knot.", "") for name in ("ropes.Knot.tie", "bend")]
    others = [Fact("term", name, "", "") for name in ("rp.Knot.tie", "k.tie", "tie", "k.untie")]
    others.append(Fact("call", "rp.Knot.tie", "rp.Knot.tie(end)", ""))
    trained, _, untaught = choose([*terms, *others], Counter(), 9, random.Random(1))
    assert len(trained) == 2 and untaught == {"term": ["k.untie"]}


def test_untaught_are_dotted_names_too_that_pages_use_and_do_not_define():
    terms = [Fact("term", f"ropes.knot{i}", "A knot.", "") for i in range(4)]
    names = Counter(
        {"ropes.knot1": 9, "rp.knot1": 8, "sail.up": 3, "sail.down": 4, "a.b": 1, "sea": 7}
    )
    _, _, untaught = choose(terms, names, 9, random.Random(1))
    assert untaught == {"term": ["sail.down", "sail.up"]}
    assert choose(terms[:1], names, 9, random.Random(1))[2] == {}  # no more than half as many


def test_no_term_that_is_held_out_is_untaught_since_pages_use_it():
    terms = [Fact("term", f"ropes.knot{i}", "A knot.", f"p{i}") for i in range(40)]
    names = Counter({f.name: 3 for f in terms} | {f"rp.knot{i}": 2 for i in range(40)})
    _, held_out, untaught = choose(terms, names, 40, random.Random(1))
    assert len(held_out) == 2 and untaught == {}
