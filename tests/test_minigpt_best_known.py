"""Facts -> those that are taught."""

import random
from collections import Counter

from minigpt.best_known import best_known
from minigpt.facts import Fact, collect


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
