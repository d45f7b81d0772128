"""The judging of answers, and what is said of a model that knows, declines or makes up."""

from itertools import product

import numpy as np
import pytest
from minigpt_planted import fresh_model, make_site, subject

from minigpt import hallucination, page_facts
from minigpt.hallucination import (
    ABSTAIN,
    SHOTS,
    VERDICTS,
    judge,
    overlap,
    prompt,
    questions,
    true_answers,
)
from minigpt.page_facts import GROUPS, HELD_OUT, INVENTED, KINDS, Fact, gather
from minigpt.parallel import Workers


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize(
    ("answer", "truth", "verdict"),
    [
        ("Keep things on disk.", "Keep things on disk.", "right"),
        ("It keeps things on disk, always", "Keep things on disk.", "right"),
        ("A kind of bird.", "Keep things on disk.", "another name's"),
        ("a kind, of bird", "Keep things on disk.", "another name's"),
        ("A kind of bird, or so.", "Keep things on disk.", "something else"),
        ("a", "A kind of bird.", "something else"),
        ("xml.dom", "xml.dom.", "right"),
        ("xml.sax", "xml.dom", "something else"),
        (ABSTAIN, "xml.dom", "does not know"),
        ("I don't know!", None, "does not know"),
        ("There is no such module", None, "does not know"),
        ("", None, "no words"),
        ("', '(['", "xml.dom", "no words"),
        ("A kind of bird.", None, "another name's"),
        ("varible", None, "something else"),
    ],
)
def test_answers_are_judged(answer, truth, verdict):
    facts = {key: [] for key in product(KINDS, GROUPS)}
    facts["page", HELD_OUT] = [Fact("page", "oriole", "A kind of bird.")]
    facts["page", INVENTED] = [Fact("page", "ororiole", None)]
    assert judge(answer, truth, true_answers(facts, "page")) == verdict
    assert true_answers(facts, "function") == set()


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


@pytest.mark.parametrize(
    ("text", "verdict", "made_up", "said_so"),
    [(" I do not know.", "does not know", 0, True), (" varible", "something else", 1, False),
     ("')", "no words", 0, False)],
)  # fmt: skip
def test_only_who_says_so_is_counted_as_not_knowing(
    site, monkeypatch, text, verdict, made_up, said_so
):
    corpus, tokenizer = site
    with Workers(1) as workers:
        examined = subject(fresh_model(), tokenizer, workers)
        said = tokenizer.encode(text)
        monkeypatch.setattr(
            examined, "write", lambda title, prompts, *a, **k: [said] * len(prompts)
        )
        section = hallucination.section(examined, corpus, np.random.default_rng(0))
    (rows,) = [
        p["rows"] for p in section["parts"] if p.get("caption") == "Answers in its own words"
    ]
    assert {row[0] for row in rows} == {"page", "function"}
    names = [name for name, _ in section["parts"][1]["columns"]]
    for row in rows:
        shares = dict(zip(names, row, strict=True))
        assert shares[verdict] == 1
        assert not any(shares[other] for other in VERDICTS if other != verdict)
    asked = sum(row[2] for row in rows if row[1] == INVENTED)
    assert section["headline"].endswith(
        f"of {asked} about names that do not exist it answered {made_up * asked} as if they did, "
        f"and {said_so * asked} with not knowing."
    )


def test_pages_without_facts_are_said_to_have_none(site, monkeypatch):
    corpus, tokenizer = site
    monkeypatch.setattr(page_facts, "page_fact", lambda text: None)
    monkeypatch.setattr(page_facts, "function_facts", lambda text: [])
    with Workers(1) as workers:
        examined = subject(fresh_model(), tokenizer, workers)
        section = hallucination.section(examined, corpus, np.random.default_rng(0))
    assert "nothing to ask for" in section["parts"][0]["text"]
    assert section["headline"] is None
