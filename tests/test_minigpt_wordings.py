"""The wordings of data/wordings.json: many of each sort, others held out; each asks one thing."""

import itertools
import json
import re
from collections import Counter

import pytest
from test_minigpt_chat_data import bare, plain, without_filling

from minigpt.chosen_wordings import COMPOSED, USUAL, Composed
from minigpt.wordings import (
    ANOTHER,
    DIRECT,
    FOLLOW_UPS,
    HEADS,
    HELD_OUT,
    HELD_OUT_ANOTHER,
    HELD_OUT_FOLLOW_UPS,
    NAME,
    SAID,
    TAILS,
    WHAT,
    read_wordings,
)

# how a term is called is asked as of functions; what is in it, of classes as of modules
ALIKE = {"call": "signature", "methods": "functions", "elsewhere": "other"}
FEWEST, FEWEST_HELD_OUT = 400, 17


@pytest.mark.parametrize(
    ("trained", "held_out"), [(DIRECT, HELD_OUT), (FOLLOW_UPS, HELD_OUT_FOLLOW_UPS)]
)
def test_every_sort_is_asked_in_many_wordings_and_examined_in_others(trained, held_out):
    assert trained.keys() == held_out.keys()
    for sort, texts in trained.items():
        assert len(set(texts)) == len(texts) >= FEWEST, sort
        assert len(set(held_out[sort])) == len(held_out[sort]) >= FEWEST_HELD_OUT, sort
    every = {without_filling(text) for texts in (*trained.values(), ANOTHER) for text in texts}
    assert not every & {without_filling(text) for texts in held_out.values() for text in texts}


def test_another_name_is_asked_for_in_many_wordings_and_examined_in_others():
    texts = {plain(text.replace("{}", "name")) for text in ANOTHER}
    assert len(texts) > 150 and len({*ANOTHER}) == len(ANOTHER)
    assert {"And {}?", "{}", "{}?"} < set(ANOTHER[:USUAL])
    every = {without_filling(text) for words in (ANOTHER, *DIRECT.values()) for text in words}
    assert not every & {without_filling(text) for text in HELD_OUT_ANOTHER}
    assert len({*HELD_OUT_ANOTHER}) == len(HELD_OUT_ANOTHER) > 30


def test_what_is_examined_is_not_composed_either():
    for sort, texts in HELD_OUT.items():
        heads = {without_filling(text) for text in COMPOSED[sort].heads}
        tails = {without_filling(text) for text in COMPOSED[sort].tails}
        for text in texts:
            parts = [text[: m.start()] for m in re.finditer(", ", text)]
            assert not any(
                without_filling(head) in heads and without_filling(text[len(head) :]) in tails
                for head in parts
            ), text


@pytest.mark.parametrize("words", [DIRECT, HELD_OUT, FOLLOW_UPS, HELD_OUT_FOLLOW_UPS])
def test_a_wording_asks_for_one_thing(words):
    asks = {}
    for sort, texts in words.items():
        named = words in (DIRECT, HELD_OUT)
        thing = what_is_asked(sort) if named else ALIKE.get(sort, sort)
        for text in texts:
            assert asks.setdefault(plain(text), thing) == thing, text


def what_is_asked(sort):
    return "what" if sort in WHAT else ALIKE.get(sort, sort)


def typed(texts):
    """Return the texts as none is typed otherwise, by marks or case; of {} remains "name"."""
    return {" ".join(bare(text.replace("{}", "name")).split()) for text in texts}


def test_what_is_composed_asks_for_one_thing_too():
    for (sort, texts), (other, others) in itertools.combinations(COMPOSED.items(), 2):
        if what_is_asked(sort) != what_is_asked(other):
            heads = typed(texts.heads) & typed(others.heads)
            tails = typed(texts.tails) & typed(others.tails)
            assert not heads or not tails, (sort, other, tails)
    plain_ones = {text: what_is_asked(sort) for sort in DIRECT for text in typed(DIRECT[sort])}
    for sort, texts in COMPOSED.items():
        heads, tails = typed(texts.heads), typed(texts.tails)
        for text, asks in plain_ones.items():
            for blank in re.finditer(" ", text):
                if text[: blank.start()] in heads and text[blank.end() :] in tails:
                    assert asks == what_is_asked(sort), text


def test_a_context_is_said_in_several_words_and_each_once():
    for words in (HEADS, TAILS):
        for sort, texts in words.items():
            assert len(typed(texts)) == len(texts) > 25, sort


@pytest.mark.parametrize("words", [DIRECT, FOLLOW_UPS])
def test_wordings_begin_in_many_ways(words):
    for sort, texts in words.items():
        first = Counter(plain(text).partition(" ")[0] for text in texts)
        assert len(first) > 40 and max(first.values()) < len(texts) / 2, sort


def test_what_is_composed_says_where_the_name_was_met_and_then_asks():
    assert COMPOSED.keys() == DIRECT.keys()
    for sort, texts in COMPOSED.items():
        assert len(texts) == len(texts.heads) * len(texts.tails) > 2000, sort
        assert texts[0] == f"{texts.heads[0]}, {texts.tails[0]}"
        assert not any(re.search(", (And|What|Which|Is|Could)\\b", text) for text in texts)
        assert texts[-1] == f"{texts.heads[-1]}, {texts.tails[-1]}"
        some = list(texts)[::97]
        assert len(set(some)) == len(some) and all(text.count("{}") == 1 for text in some)
        with pytest.raises(IndexError):
            texts[len(texts)]
    assert HEADS.keys() == TAILS.keys()
    some = [*Composed(["{} is new"], ["And then?", "I ask.", "NameError, why?", "It is?", "is it"])]
    assert [text.partition(", ")[2] for text in some] == [
        "and then?", "I ask.", "NameError, why?", "it is?", "is it"
    ]  # fmt: skip


def test_anything_else_may_be_asked_on_too():
    assert {"Who wrote it?", "Is it deprecated?"} < set(FOLLOW_UPS["other"])
    no_name = re.compile(r"\b(an?|the|this|that|my|one|own|faster|it|called|named) it\b|\bit code")
    for words in (FOLLOW_UPS, HELD_OUT_FOLLOW_UPS):
        assert not [text for text in words["other"] if no_name.search(text)]
    assert DIRECT["call"] == DIRECT["signature"]


def test_of_a_term_nothing_is_asked_about_python():
    for words in (DIRECT, HELD_OUT, FOLLOW_UPS, HELD_OUT_FOLLOW_UPS):
        assert any("Python" in text for text in words["other"])
        assert set(words["elsewhere"]) < set(words["other"])
        assert len(words["elsewhere"]) > 0.8 * len(words["other"])
        for sort in {"term", "page", "call", "signature", "return", "elsewhere"} & words.keys():
            assert not [text for text in words[sort] if re.search("python|pandas", text.lower())]


def spoiled(change):
    said = json.loads(json.dumps(SAID))
    change(said)
    return json.dumps(said)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", r"it must be JSON"),
        ("[]", r"echoes: it must be a list of texts"),
        (spoiled(lambda said: said.pop("echoes")), r"echoes: it must be a list of texts"),
        (spoiled(lambda said: said.update(names=3)), r"names: it must be a list of texts"),
        (spoiled(lambda said: said.pop("another")), r"another, asked: it must be a list of texts"),
        (spoiled(lambda said: said["another"].pop("held_out")), r"another, held_out: it must be a"),
        (spoiled(lambda said: said["another"]["asked"].append("And?")), r"another.*'And\?'.*once"),
        (spoiled(lambda said: said["names"].pop("home")), r"names, home, asked: it must be a list"),
        (spoiled(lambda said: said["contexts"].pop("page")), r"contexts, page, heads: it must be"),
        (spoiled(lambda said: said["names"].update(home=[])), r"names, home, asked: it must be"),
        (spoiled(lambda said: said["contexts"]["home"].pop("tails")), r"contexts, home, tails: it"),
        (spoiled(lambda said: said["contexts"]["home"]["heads"].append("So?")), r"'So\?'.*once"),
        (spoiled(lambda said: said["names"]["home"]["asked"].append("Where?")), r"'Where\?'.*once"),
        (spoiled(lambda said: said["names"]["home"]["asked"].append("{} {}")), r"'{} {}'.*once"),
        (spoiled(lambda said: said["follow_ups"]["home"]["held_out"].append("{}?")), r"nowhere"),
        (spoiled(lambda said: said["follow_ups"]["home"]["asked"].append(" ")), r"' '.*nowhere"),
        (spoiled(lambda said: said["echoes"].append(3)), r"echoes: 3; it must be a text"),
    ],
)
def test_a_file_that_is_none_is_refused_and_the_place_is_said(tmp_path, text, why):
    path = tmp_path / NAME
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=re.escape(str(path)) + ".*" + why):
        read_wordings(path)
