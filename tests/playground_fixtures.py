"""Fixtures for tests of the playground's page in a real browser.

A test file says `pytest_plugins = ["playground_fixtures"]` and takes `page`: the page as somebody
sees it who was never there. The models are minute and untrained, so what they say is gibberish,
but real tokens of the real server. Without a browser the tests are skipped.
"""

import asyncio
import time
from pathlib import Path

import pytest
from browser import Browser, find

FOLDER = Path(__file__).parent.parent / "minigpt" / "playground"
VIEWS = [
    f"{name}.{kind}"
    for name in ("tokenizer", "training", "attention", "sources")
    for kind in ("js", "css")
]
# what the page asks for last, when it begins, is there
ALL_CAME = (
    "performance.getEntriesByType('resource').some(({name}) => name.endsWith('/suggestions'))"
)


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
    from playground_server import let_files_be_kept, serving

    with serving(*folders) as server:
        let_files_be_kept(server)
        yield server


@pytest.fixture(scope="session")
def slow_playground(folders):
    """A token takes long enough for an answer to be stopped."""
    from playground_server import let_files_be_kept, serving

    with serving(*folders) as server:
        let_files_be_kept(server)
        for served in server.shelf.models.values():
            slow_down(served.tokenizer, 0.04)
        yield server


def slow_down(tokenizer, seconds):
    """Have every token of an answer take so long, in the engine's thread, not in the server's."""
    decode = tokenizer.decode_bytes

    def slow(ids):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            time.sleep(seconds)
        return decode(ids)

    tokenizer.decode_bytes = slow


@pytest.fixture
def page(browser, playground):
    """The page as a newcomer sees it; in the end its console must have had nothing to say."""
    yield from newcomer(browser, playground.url)


@pytest.fixture
def slow_page(browser, slow_playground):
    yield from newcomer(browser, slow_playground.url)


def newcomer(browser, url):
    browser.resize(1280, 900)
    with browser.beginning_with("localStorage.clear(); sessionStorage.clear()"):
        browser.open(url + "/")
    browser.wait_until("document.querySelector('#chat .composer textarea')")
    browser.wait_until(ALL_CAME)
    browser.evaluate("new Promise((drawn) => setTimeout(drawn))")
    yield browser
    # the tokenizer's and the training's files need not be there for this part to work
    missing = [name for name in VIEWS if not (FOLDER / name).exists()]
    problems = [p for p in browser.problems() if not any(name in p for name in missing)]
    # the page of an earlier test may have asked its own server for something when that ended
    problems = [p for p in problems if "http://127.0.0.1:" not in p or url in p]
    assert not problems, problems
