"""The page in a real browser, while a model is still being trained."""

import json

import pytest
from browser import HURRY
from minigpt_examples import TRAIN
from playground_page import go, texts

from minigpt import run_lock
from minigpt.checkpoint import load, save_state
from minigpt.optim import AdamW

pytest_plugins = ["playground_fixtures"]

NOTE = "section:not([hidden]) .number.under"
SO_FAR = "step 10 of 2,580, about 21\u00a0min left"


@pytest.fixture
def models(tmp_path):
    """The folders of two models; `base` has the files of a run that has made ten steps in 5 s."""
    pytest.importorskip("uvicorn", reason="needs the chat extra: pip install .[chat]")
    from playground_server import make_models

    base, chat = make_models(tmp_path / "made")
    lines = [{"step": step, "val_loss": 5.0, "seconds": step / 2} for step in (0, 2, 10)]
    (base / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    model, _ = load(base)
    progress = {"step": 10, "run": {"train": {"steps": 2580}}}
    save_state(base, model, AdamW(model.params, TRAIN), progress)
    return base, chat


def open_page(browser, server):
    browser.resize(1280, 900)
    browser.open("about:blank")  # the page of the test before may ask its server, which has ended
    with browser.beginning_with(HURRY):
        browser.open(server.url + "/")
    browser.wait_until("document.querySelector('#chat:not([hidden]) .hello')")


def note(browser, text):
    """Wait until the note in the view that is seen is this text."""
    browser.wait_until(f"document.querySelector({json.dumps(NOTE)})?.innerText === '{text}'")


def test_where_a_model_is_talked_to_it_is_said_that_it_is_still_being_trained(browser, models):
    from playground_server import serving

    with serving(*models) as server:
        with run_lock.held(models[0]):
            open_page(browser, server)
            note(browser, f"base is being trained: {SO_FAR}.")  # the assistant is not
            browser.evaluate("document.querySelector('.picker').value = 'base'")
            browser.evaluate("document.querySelector('.picker').dispatchEvent(new Event('change'))")
            note(browser, f"base is still being trained: {SO_FAR}; answers get better.")
            go(browser, "compare")
            note(browser, f"base is still being trained: {SO_FAR}; answers get better.")
        browser.wait_until(f"document.querySelector({json.dumps(NOTE)}).hidden")
        browser.wait_until("announcer.textContent === 'The training of base has ended.'")
        browser.evaluate("announcer.textContent = ''; 0")
        go(browser, "chat")
        browser.wait_until(f"document.querySelector({json.dumps(NOTE)}).hidden")
        later = "new Promise((done) => setTimeout(() => done(announcer.textContent), 200))"
        assert browser.evaluate(later) == ""  # it was heard already
        assert browser.problems() == []


def test_a_model_that_has_just_come_is_there_without_a_reload(
    browser, models, tmp_path, monkeypatch
):
    from playground_server import serving

    monkeypatch.setattr("minigpt.serve.LOOK_EVERY_S", 0.05)
    out = tmp_path / "out"
    out.mkdir()
    with serving(out) as server:
        open_page(browser, server)
        assert texts(browser, ".hello") == ["There is no model yet"]
        models[0].rename(out / "base")
        browser.wait_until("document.querySelector('.hello').innerText.startsWith('Begin a text')")
        assert browser.problems() == []


def test_what_is_left_is_no_more_exact_than_it_is_known(page):
    said = {
        0: "less than a minute left",
        49: "less than a minute left",
        50: "about 1\u00a0min left",
        3590: "about 1\u00a0h left",
        5400: "about 1\u00a0h 30\u00a0min left",
    }
    module = "import('/playground/training_progress.js')"
    told = page.evaluate(f"{module}.then((m) => {json.dumps([*said])}.map(m.remaining))")
    assert dict(zip(said, told, strict=True)) == said
