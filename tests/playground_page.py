"""The playground's page in a real browser, for tests: fixtures, and what a person does.

A test file says `pytest_plugins = ["playground_page"]` and takes the fixture `page`: the page as
somebody sees it who was never there. The models are minute and untrained, so what they say is
gibberish, but real tokens of the real server; what a model must not be able to do to the page is
said by a fake `reply`.
"""

import json
from pathlib import Path

import pytest
from browser import Browser, find

FOLDER = Path(__file__).parent.parent / "minigpt" / "playground"
VIEWS = [
    f"{name}.{kind}"
    for name in ("tokenizer", "training", "attention", "sources")
    for kind in ("js", "css")
]


@pytest.fixture(scope="session")
def browser():
    if find() is None:
        pytest.skip("needs chromium on the path")
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    pytest.importorskip("uvicorn", reason="needs the chat extra: pip install .[chat]")
    from playground_server import make_models

    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def playground(folders):
    from playground_server import serving

    with serving(*folders) as server:
        yield server


@pytest.fixture(scope="session")
def slow_playground(folders):
    """A token takes long enough for an answer to be stopped."""
    from playground_server import serving

    with serving(*folders, slow_s=0.05) as server:
        yield server


@pytest.fixture
def page(browser, playground):
    """The page as a newcomer sees it; in the end its console must have had nothing to say."""
    yield from newcomer(browser, playground.url)


@pytest.fixture
def slow_page(browser, slow_playground):
    yield from newcomer(browser, slow_playground.url)


def newcomer(browser, url):
    browser.resize(1280, 900)
    browser.open(url + "/v1/models")
    browser.evaluate("localStorage.clear()")
    browser.open(url + "/")
    browser.wait_until("document.querySelector('#chat .composer textarea')")
    yield browser
    # the tokenizer's and the training's files need not be there for this part to work
    missing = [name for name in VIEWS if not (FOLDER / name).exists()]
    problems = browser.problems()
    assert [p for p in problems if not any(name in p for name in missing)] == []


# ---- what a person does ------------------------------------------------------------------------


def ask(page, text, view="#chat"):
    page.click(f"{view} .composer textarea")
    page.type(text)
    page.press("Enter")


def finished(page, n, view="#chat"):
    """Wait until `n` answers are seen, and none is being written."""
    page.wait_until(
        f"document.querySelectorAll('{view} .answer').length === {n}"
        f" && !document.querySelector('{view} .writing')"
        f" && document.querySelector('{view} .composer .send').title === 'Send'"
    )


def texts(page, selector):
    return page.evaluate(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.innerText.trim())"
    )


def go(page, name):
    page.click(f"#tab-{name}")
    page.wait_until(f"!document.getElementById('{name}').hidden")


def focus(page):
    """Say what has the focus: its name as it is read, or its text."""
    return page.evaluate(
        "document.activeElement.ariaLabel ?? document.activeElement.innerText.trim()"
    )


def announced(page):
    return page.evaluate("document.getElementById('announcer').textContent")


def reply(page, text, status=200, cut=False):
    """Have the server's place taken by one that answers so; with `cut` it breaks off."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in pieces(text)]
    if not cut:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    body = lines + ("" if cut else "data: [DONE]\n\n")
    page.evaluate(
        f"window.fetch = async () => new Response({json.dumps(body)}, {{status: {status}}}); 0"
    )


def pieces(text):
    """Cut a text as tokens might, so that everything is seen half-written, too."""
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def spy(page):
    """Note down in `sent` what is asked of the server."""
    page.evaluate(
        "window.sent = []; window.asIs = window.fetch; window.fetch = (path, options) =>"
        " { if (options.body) sent.push(JSON.parse(options.body)); return asIs(path, options); }; 0"
    )


def set_settings(page, **values):
    page.click(".composer .quiet")
    for name, value in values.items():
        page.click(f"#setting-{name}")
        page.evaluate("document.activeElement.select()")
        page.type(value)
    page.press("Enter")
