"""The judging of answers, and what is said of a model that knows, abstains or makes up."""

import numpy as np
import pytest
from minigpt_planted import fresh_model, make_site, subject

from minigpt import hallucination, page_facts
from minigpt.hallucination import ABSTAIN, SHOTS, judge, overlap, prompt, questions
from minigpt.page_facts import GROUPS, Fact, gather
from minigpt.parallel import Workers


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return make_site(tmp_path_factory.mktemp("site"))


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


def test_what_is_shown_with_its_answer_is_never_asked(site):
    asked = questions(gather(site[0], np.random.default_rng(0)))
    assert {group for group, *_ in asked} == set(GROUPS)
    for _, fact, shown in asked:
        assert fact not in shown
        assert len(shown) == SHOTS
        assert [f.answer is None for f in shown] == [False, False, True, False]


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
    monkeypatch.setattr(page_facts, "page_fact", lambda text: None)
    monkeypatch.setattr(page_facts, "function_facts", lambda text: [])
    with Workers(1) as workers:
        examined = subject(fresh_model(), tokenizer, workers)
        section = hallucination.section(examined, corpus, np.random.default_rng(0))
    assert "nothing to ask for" in section["parts"][0]["text"]
    assert section["headline"] is None
