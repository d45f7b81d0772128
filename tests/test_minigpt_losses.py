"""Losses by document: every token is predicted once, and the figures are those of the model."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed
from minigpt_planted import fresh_model, make_site, subject

from minigpt import losses
from minigpt.losses import Loss, total, windows
from minigpt.parallel import Workers


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def fresh(site):
    with Workers(2) as workers:
        yield subject(fresh_model(), site[1], workers)


@untimed
@given(st.integers(1, 200), st.integers(1, 40))
def test_every_token_is_predicted_once_from_half_a_window_at_least(length, window):
    ids, predicted = list(range(length)), []
    for part, n in windows(ids, window):
        assert len(part) <= window + 1
        assert part == ids[part[0] : part[0] + len(part)]
        predicted += part[-n:]
        assert part[0] == 0 or len(part) - n >= window // 2
    assert predicted == ids[1:]


def test_figures_are_nats_perplexity_and_bits():
    tokens, nats, perplexity, bits = Loss(nats=20.0, tokens=10, bytes=40).figures()
    assert (tokens, nats) == (10, 2.0)
    assert perplexity == pytest.approx(math.exp(2))
    assert bits == pytest.approx(20 / 40 / math.log(2))
    assert Loss(0, 0, 0).figures() == [0, None, None, None]
    assert total([Loss(1, 2, 3), Loss(4, 5, 6)]) == (5, 7, 9)
    assert total([]) == (0, 0, 0)


def test_a_short_document_has_the_loss_of_the_model(site, fresh):
    ids = site[0].train.document_ids(0)[:20]
    (loss,) = losses.document_losses(fresh, "", [ids])
    model = fresh.model
    expected = model.losses(np.array([ids[:-1]]), np.array([ids[1:]])).sum()
    assert loss.nats == pytest.approx(float(expected), rel=1e-5)
    assert (loss.tokens, loss.bytes) == (19, len(fresh.tokenizer.decode_bytes(ids[1:])))


def test_separators_inside_are_not_counted(site, fresh):
    ids = site[0].train.document_ids(0)[:10]
    (plain,) = losses.document_losses(fresh, "", [ids])
    (ended,) = losses.document_losses(fresh, "", [[*ids, fresh.separator]])
    assert ended == pytest.approx(plain, rel=1e-5)


def test_a_fresh_model_is_as_surprised_as_ignorance(site, fresh):
    section = losses.section(fresh, site[0], np.random.default_rng(0))
    rows = {row[0]: row for row in section["parts"][2]["rows"]}
    for part in ("held out", "training"):
        assert rows[part][4] == pytest.approx(fresh.model.config.vocab_size, rel=0.5)
    why = section["parts"][0]["text"] + section["parts"][1].get("text", "")
    assert "validation loss while training is another figure" in why
    captions = [part.get("caption", "") for part in section["parts"]]
    assert any(caption.startswith("By source") for caption in captions)
    assert any(caption.startswith("By document") for caption in captions)


def test_sources_with_both_kinds_of_text_come_first(site):
    corpus, _ = site
    loss = Loss(1.0, 10, 30)
    pairs = {
        "held out": [("http://site.test/b.html", loss)],
        "training": [("http://site.test/a.html", loss), ("http://site.test/b.x.html", loss)],
    }
    rows = losses.by_source(pairs, corpus)
    assert [row[:3] for row in rows] == [
        ["b", "held out", 1], ["b", "training", 1], ["a", "training", 1],
    ]  # fmt: skip
