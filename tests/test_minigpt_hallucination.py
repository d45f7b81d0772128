"""Facts off pages, names that do not exist, and the judging of answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed
from minigpt_planted import fresh_model, make_site, pages, subject

from minigpt import hallucination
from minigpt.hallucination import (
    ABSTAIN,
    Fact,
    absent,
    function_facts,
    gather,
    judge,
    overlap,
    page_fact,
    prompt,
    recombine,
)
from minigpt.parallel import Workers

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


def test_a_function_belongs_to_the_one_page_that_defines_it():
    other = "drawer\n\nopen_it(name)\n\nclose_it(name, /)\n"
    assert function_facts([PAGE, other]) == [Fact("function", "close_it", "drawer")]


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


@pytest.mark.parametrize(
    ("answer", "truth", "verdict"),
    [
        ("Keep things on disk.", "Keep things on disk.", "right"),
        ("It keeps things on disk, always", "Keep things on disk.", "right"),
        ("A kind of bird.", "Keep things on disk.", "wrong"),
        ("a", "A kind of bird.", "wrong"),
        ("xml.dom", "xml.dom.", "right"),
        ("xml.sax", "xml.dom", "wrong"),
        (ABSTAIN, "xml.dom", "abstained"),
        ("I don't know!", None, "abstained"),
        ("", None, "abstained"),
        ("There is no such module", None, "abstained"),
        ("A kind of bird.", None, "made up"),
    ],
)
def test_answers_are_judged(answer, truth, verdict):
    assert judge(answer, truth) == verdict


def test_the_overlap_is_the_f1_of_words():
    assert overlap("a b c", "b c d e") == pytest.approx(2 * 2 / 7)
    assert overlap("", "a") == 0


def test_prompts_fit_into_the_window_and_end_with_the_question(site):
    with Workers(1) as workers:
        examined = subject(fresh_model(), site[1], workers)
        shown = [Fact("page", f"name{i}", "A thing to be said of it.") for i in range(4)]
        ids = prompt(examined, Fact("page", "bana", None), shown)
    assert len(ids) <= examined.window - examined.window // 4
    assert examined.decode(ids).endswith("What is bana?\nA:")


def test_a_model_that_always_abstains_makes_nothing_up(site, monkeypatch):
    corpus, tokenizer = site
    with Workers(1) as workers:
        examined = subject(fresh_model(), tokenizer, workers)
        said = tokenizer.encode(" I do not know.")
        monkeypatch.setattr(
            examined, "write", lambda title, prompts, *a, **k: [said] * len(prompts)
        )
        section = hallucination.section(examined, corpus, np.random.default_rng(0))
    (rows,) = [
        p["rows"] for p in section["parts"] if p.get("caption") == "Answers in its own words"
    ]
    assert {row[0] for row in rows} == {"page", "function"}
    for row in rows:
        assert row[5] == 1  # abstained
        assert not any(share for share in (row[3], row[4], row[6]))
    assert "made up 0." in section["headline"]


def test_pages_without_facts_are_said_to_have_none(site, monkeypatch):
    corpus, tokenizer = site
    monkeypatch.setattr(hallucination, "page_fact", lambda text: None)
    monkeypatch.setattr(hallucination, "function_facts", lambda texts: [])
    with Workers(1) as workers:
        examined = subject(fresh_model(), tokenizer, workers)
        section = hallucination.section(examined, corpus, np.random.default_rng(0))
    assert "nothing to ask for" in section["parts"][0]["text"]
