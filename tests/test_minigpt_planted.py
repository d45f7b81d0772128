"""What was planted must be found: a page learnt by heart, and answers that were shuffled."""

import json

import numpy as np
import pytest
from minigpt_planted import (
    EPOCHS,
    PLANTED,
    fresh_model,
    make_site,
    planted_model,
    subject,
    train_on,
)

from minigpt import choices, losses, regurgitation
from minigpt.ngrams import NgramIndex
from minigpt.parallel import Workers
from minigpt.tables import interval


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as workers:
        yield workers


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """(corpus, tokenizer) of a site of which one page is to be learnt."""
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def by_heart(site, workers):
    """A Subject that went fifty times over one page."""
    return subject(planted_model(site[0]), site[1], workers)


@pytest.fixture(scope="module")
def fresh(site, workers):
    """A Subject that has learnt nothing."""
    return subject(fresh_model(), site[1], workers)


def copies(subject, corpus):
    rng = np.random.default_rng(0)
    section = regurgitation.section(subject, corpus, rng, temperature=0.3, samples=4)
    tables = {part["caption"]: part["rows"] for part in section["parts"] if "rows" in part}
    return tables, section


def test_a_page_that_was_seen_fifty_times_is_written_again_and_named(site, by_heart):
    corpus, _ = site
    tables, section = copies(by_heart, corpus)
    rows = {row[0]: row for row in tables["Share of spans that stand in the training text"]}
    assert rows["written from nothing"][3] >= 15  # tokens of the longest match
    assert rows["written from nothing"][5] > 0.1  # of the spans of ten
    assert rows["held-out text itself"][5] == 0
    longest = tables["The longest matches, and where they came from"]
    assert {row[2] for row in longest[:3]} == {corpus.name(corpus.train.addresses[PLANTED])}
    assert longest[0][3][:40].strip() in " ".join(corpus.train.document_text(PLANTED).split())
    assert "stand in its training text, against 0.0%" in section["headline"]


def test_a_fresh_model_repeats_nothing(site, fresh):
    tables, section = copies(fresh, site[0])
    for row in tables["Share of spans that stand in the training text"]:
        assert row[3] == 0
    assert "The longest matches, and where they came from" not in tables
    assert any("Nothing it wrote repeats" in part.get("text", "") for part in section["parts"])


def test_what_stands_in_many_pages_is_known_by_heart_and_what_stands_once_is_not(tmp_path, workers):
    corpus, tokenizer = make_site(tmp_path, shared=12)
    passage = corpus.train.document_text(0).partition("\n\n")[0] + "\n\n"
    model = train_on(tokenizer.encode(passage) * 2, EPOCHS)
    rows, *_ = regurgitation.by_times(
        subject(model, tokenizer, workers), corpus, NgramIndex(corpus.train.ids),
        np.random.default_rng(0),
    )  # fmt: skip
    share = {row[0]: row[2] for row in rows}
    assert share["10 times or more"] > 0.8
    assert share["once"] == share["never (held out)"] == 0


def test_the_page_that_was_learnt_has_the_lowest_loss(site, by_heart):
    corpus, _ = site
    documents = [corpus.train.document_ids(i) for i in range(len(corpus.train))]
    found = [loss.figures()[1] for loss in losses.document_losses(by_heart, "", documents)]
    assert int(np.argmin(found)) == PLANTED
    assert sorted(found)[0] < 0.3 * sorted(found)[1]


@pytest.fixture(scope="module")
def task(site):
    """Questions whose answers stand in the planted page, and wrong answers from another."""
    corpus, _ = site
    rng = np.random.default_rng(1)
    words = corpus.train.document_text(PLANTED).split()
    others = corpus.train.document_text(PLANTED + 1).split()
    items = []
    for i in range(5, len(words) - 3):
        wrong = [" ".join(others[j : j + 3]) for j in rng.permutation(len(others) - 3)[:3]]
        gold = int(rng.integers(4))
        answers = [*wrong[:gold], " ".join(words[i : i + 3]), *wrong[gold:]]
        items.append({"query": " ".join(words[i - 5 : i]), "choices": answers, "gold": gold})
    return items


def accuracy(subject, items, tmp_path):
    path = tmp_path / "task.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    (row,) = choices.section(choices.answer_all(subject, [path]))["parts"][1]["rows"]
    return row[3], row[4], row[6]


def test_answers_shuffled_fall_to_chance(task, by_heart, tmp_path):
    right, _, centred = accuracy(by_heart, task, tmp_path)
    assert right > 0.8
    assert centred > 0.7
    rng = np.random.default_rng(0)
    shuffled = [item | {"gold": int(rng.integers(4))} for item in task]
    right, shown, centred = accuracy(by_heart, shuffled, tmp_path)
    assert shown == interval(round(right * len(task)), len(task))
    low, high = (float(share.rstrip("%")) / 100 for share in shown.split(" to "))
    assert low <= 0.25 <= high
    assert abs(centred) < 0.25


def test_a_fresh_model_is_at_chance(task, fresh, tmp_path):
    _, shown, _ = accuracy(fresh, task, tmp_path)
    low, high = (float(share.rstrip("%")) / 100 for share in shown.split(" to "))
    assert low <= 0.25 <= high
