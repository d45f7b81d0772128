"""The wordings of data/wordings.json: many of each sort, others held out, each asks for one thing."""

import json
import re
from collections import Counter

import pytest
from test_minigpt_chat_data import without_filling

from minigpt.follow_ups import COMPOSED_FOLLOW_UPS
from minigpt.phrasings import COMPOSED, TRAINED
from minigpt.wordings import (
    DIRECT,
    FOLLOW_UPS,
    HELD_OUT,
    HELD_OUT_FOLLOW_UPS,
    NAME,
    SAID,
    read_wordings,
)

FOLLOWED = {sort: FOLLOW_UPS[sort] + COMPOSED_FOLLOW_UPS[sort] for sort in FOLLOW_UPS}
WHAT = ("module", "function", "class", "method", "page", "term")  # what is it? of any of these
FEWEST, FEWEST_HELD_OUT = 400, 17


@pytest.mark.parametrize(
    ("plain", "trained", "held_out"),
    [(DIRECT, TRAINED, HELD_OUT), (FOLLOW_UPS, FOLLOWED, HELD_OUT_FOLLOW_UPS)],
)
def test_every_sort_is_asked_in_many_wordings_and_examined_in_others(plain, trained, held_out):
    assert plain.keys() == trained.keys() == held_out.keys()
    for sort, texts in plain.items():
        assert len(set(texts)) == len(texts) >= FEWEST, sort
        assert len(set(trained[sort])) == len(trained[sort]) > 1.5 * FEWEST, sort
        assert len(set(held_out[sort])) == len(held_out[sort]) >= FEWEST_HELD_OUT, sort
    every = {without_filling(text) for texts in trained.values() for text in texts}
    assert not every & {without_filling(text) for texts in held_out.values() for text in texts}


@pytest.mark.parametrize("words", [TRAINED, HELD_OUT, FOLLOWED, HELD_OUT_FOLLOW_UPS])
def test_a_wording_asks_for_one_thing(words):
    asks = {}
    for sort, texts in words.items():
        # of whatever stands there, "What is {}?" asks the same
        thing = "what" if words in (TRAINED, HELD_OUT) and sort in WHAT else sort
        thing = {"call": "signature", "methods": "functions"}.get(thing, thing)  # what is in it
        for text in texts:
            assert asks.setdefault(without_filling(text), thing) == thing, text


@pytest.mark.parametrize("words", [DIRECT, FOLLOW_UPS])
def test_wordings_begin_in_many_ways(words):
    for sort, texts in words.items():
        first = Counter(without_filling(text).partition(" ")[0] for text in texts)
        assert len(first) > 20 and max(first.values()) < len(texts) / 2, sort


def test_what_is_composed_is_a_start_and_a_clause():
    assert "Do you know what json is good for?" in [x.format("json") for x in COMPOSED["module"]]
    assert "Do you know what one does with it?" in COMPOSED_FOLLOW_UPS["function"]
    assert not [text for texts in COMPOSED_FOLLOW_UPS.values() for text in texts if "{" in text]


def spoiled(change):
    said = json.loads(json.dumps(SAID))
    change(said)
    return json.dumps(said)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", r"it must be JSON"),
        ("[]", r"starts: it must be a list of texts"),
        (spoiled(lambda said: said.pop("echoes")), r"echoes: it must be a list of texts"),
        (spoiled(lambda said: said.update(names=3)), r"names: it must be a list of texts"),
        (spoiled(lambda said: said["names"].update(home=[])), r"names, home, asked: it must be"),
        (spoiled(lambda said: said["names"]["home"].pop("clauses")), r"names, home, clauses: it"),
        (spoiled(lambda said: said["names"]["home"]["asked"].append("Where?")), r"'Where\?'.*once"),
        (spoiled(lambda said: said["names"]["home"]["asked"].append("{} {}")), r"'{} {}'.*once"),
        (spoiled(lambda said: said["follow_ups"]["home"]["held_out"].append("{}?")), r"nowhere"),
        (spoiled(lambda said: said["follow_ups"]["home"]["asked"].append(" ")), r"' '.*nowhere"),
        (spoiled(lambda said: said["starts"].append(3)), r"starts: 3; it must be a text"),
        (spoiled(lambda said: said["starts"].append("Say")), r"starts: 'Say'; it must have \.\.\."),
    ],
)
def test_a_file_that_is_none_is_refused_and_the_place_is_said(tmp_path, text, why):
    path = tmp_path / NAME
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=re.escape(str(path)) + ".*" + why):
        read_wordings(path)
