"""Facts off pages, and names that do not exist."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed
from minigpt_planted import make_site, pages

from minigpt.page_facts import (
    HELD_OUT,
    TRAINING,
    Fact,
    absent,
    function_facts,
    gather,
    page_fact,
    read_facts,
    recombine,
)

PAGE = (
    "shelf (version 1.2)\n\nKeep things on disk,\nlike a cupboard. More of it.\n\n"
    "open_it(name)\n    Open.\n"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return make_site(tmp_path_factory.mktemp("site"))


def test_a_page_says_its_name_and_a_sentence_about_it():
    assert page_fact(PAGE) == Fact("page", "shelf", "Keep things on disk, like a cupboard.")


@pytest.mark.parametrize(
    "text", ["", "shelf", "shelf\n\nno sentence here", "x\n\nKeep things on disk, like a cup."]
)
def test_pages_without_a_name_and_a_sentence_have_no_fact(text):
    assert page_fact(text) is None


def test_a_function_belongs_to_the_page_that_defines_it():
    text = PAGE + "async close_it(name, /)\n\nopen_it(name, mode)\n    open_not(x)\n"
    assert function_facts(text) == [
        Fact("function", "open_it", "shelf"),
        Fact("function", "close_it", "shelf"),
    ]


class Texts(list):
    """Documents, as read_facts sees a part."""

    def document_text(self, i):
        return self[i]


def test_names_of_which_two_pages_say_different_things_are_no_facts():
    drawer = "drawer\n\nIt keeps things in a desk.\n\nopen_it(name)\n\nclose_it(name, /)\n"
    again = "shelf\n\nIt keeps things on a wall.\n\nhang_it(name)\n"
    short = "x\n\nlock_it(name)\n"
    corpus = SimpleNamespace(train=Texts([PAGE, short]), val=Texts([drawer, again]), is_cut=False)
    assert read_facts(corpus) == {
        ("page", TRAINING): [],
        ("page", HELD_OUT): [Fact("page", "drawer", "It keeps things in a desk.")],
        ("function", TRAINING): [],
        ("function", HELD_OUT): [
            Fact("function", "close_it", "drawer"),
            Fact("function", "hang_it", "shelf"),
        ],
    }


def test_the_tail_of_a_document_is_no_page():
    tail = "Chapter\n\nIt keeps things in a desk.\n\nclose_it(name)\n"
    corpus = SimpleNamespace(train=Texts([PAGE]), val=Texts([tail]), is_cut=True)
    facts = read_facts(corpus)
    assert [fact.name for fact in facts["page", TRAINING]] == ["shelf"]
    assert not facts["page", HELD_OUT] + facts["function", HELD_OUT]


def test_facts_come_in_an_order_that_does_not_depend_on_the_process(site):
    corpus, _ = site
    found = read_facts(corpus)
    text = corpus.train.text(corpus.train.ids)
    places = [text.index(f"\n{fact.name}(") for fact in found["function", TRAINING]]
    assert places == sorted(places)


def test_made_up_names_stand_nowhere(site):
    corpus, _ = site
    facts = gather(corpus, np.random.default_rng(0))
    everything = "".join(text for _, text in pages()).lower()
    for kind in ("page", "function"):
        made = facts[kind, "made-up names"]
        assert len(made) >= 10
        for fact in made:
            assert fact.answer is None
            assert fact.name not in everything
        for fact in facts[kind, "training pages"]:
            assert fact.name in everything
            assert fact.answer in everything or kind == "page"


def test_held_out_facts_are_of_held_out_pages(site):
    corpus, _ = site
    facts = gather(corpus, np.random.default_rng(0))
    (fact,) = facts["page", "held-out pages"]
    assert fact.name == corpus.val.document_text(0).partition("\n")[0]


@untimed
@given(st.lists(st.text("abc_", min_size=3, max_size=9), max_size=9, unique=True))
def test_recombined_names_are_halves_of_two(names):
    for made in recombine(names, np.random.default_rng(0), 20):
        assert any(made.startswith(name[: (len(name) + 1) // 2]) for name in names)
        assert any(made.endswith(name[len(name) // 2 :]) for name in names)


def test_a_name_inside_of_a_word_is_not_absent(site):
    corpus, _ = site
    name = corpus.train.document_text(0)[1:9].upper()
    assert absent([name, "qqqq"], [corpus.val, corpus.train]) == ["qqqq"]
