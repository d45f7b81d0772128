"""The page in a real browser: by keyboard, on a phone, in the dark, and what axe-core says."""

import re
import shutil
from pathlib import Path

import pytest
from playground_page import ask, finished, focus, go, reply, texts

pytest_plugins = ["playground_fixtures"]


def test_everything_goes_by_keyboard(page):
    page.press("Tab")
    assert focus(page) == "Skip to the view"
    page.press("Tab")
    assert focus(page) == "Chat"
    page.press("ArrowRight")
    assert focus(page) == "Side by side"
    page.wait_until("document.querySelector('#compare .composer')")
    page.evaluate("document.body.style.minHeight = '3000px'; 0")
    page.press(" ")  # it chooses the view that is seen already, and scrolls nothing
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert page.evaluate("window.scrollY") == 0
    page.evaluate("document.body.style.minHeight = ''; 0")
    page.press("ArrowLeft")
    assert focus(page) == "Chat"
    tab_to(page, "Message")
    page.type("rain")
    page.press("Enter", shift=True)
    page.type("snow")
    page.press("Enter")
    finished(page, 1)
    assert texts(page, ".question") == ["rain\nsnow"]
    assert focus(page) == "Message"
    page.evaluate("document.querySelector('[data-key=again]').focus()")
    page.press("Tab")
    assert focus(page) == "Show tokens"
    page.press(" ")
    page.evaluate("document.querySelector('.who').focus()")
    page.evaluate("document.querySelector('.tokens .token').focus()")
    page.press("ArrowRight")
    page.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.place") == "2"
    page.press("Enter")
    assert focus(page).endswith("continue from here with it")
    page.press("Escape")
    assert page.evaluate("document.activeElement.dataset.place") == "2"
    page.press("Enter")
    page.press("Enter")
    page.wait_until("document.querySelector('.leaves')")
    finished(page, 1)
    assert page.evaluate("document.activeElement.dataset.place") == "2"


def test_at_400_percent_nothing_stays_in_place_and_covers_the_rest(page):
    reply(page, "so it is")
    ask(page, "rain")
    finished(page, 1)
    page.resize(320, 256)
    for part in (".top", ".bottom"):
        style = f"getComputedStyle(document.querySelector('{part}'))"
        assert page.evaluate(f"{style}.position") == "static"
    page.evaluate("document.querySelector('.body').scrollIntoView({block: 'center'})")
    assert page.evaluate(
        "(({left, top}) => document.elementFromPoint(left + 5, top + 5).closest('.body') !== null)"
        "(document.querySelector('.body').getBoundingClientRect())"
    )


def test_settings_can_be_saved_however_small_the_screen(page):
    page.resize(390, 500)
    page.click(".composer .quiet")
    button = "document.querySelector('.settings .main').getBoundingClientRect()"
    assert page.evaluate(f"{button}.bottom < innerHeight && {button}.top > 0")
    page.press("Escape")


def test_on_paper_is_what_was_said_in_dark_on_light(page):
    reply(page, "so it is")
    ask(page, "rain\n" * 20)
    finished(page, 1)
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    page.call("Emulation.setEmulatedMedia", media="print", features=[dark])
    try:
        colour = page.evaluate("getComputedStyle(document.body).color")
        assert max(map(int, re.findall(r"\d+", colour))) < 60
        for part in (".top", "aside", ".bottom", ".tools", "[data-key=fold]"):
            shown = f"getComputedStyle(document.querySelector('{part}')).display"
            assert page.evaluate(shown) == "none", part
        assert "so it is" in texts(page, ".answer")[0]
        assert page.evaluate("document.querySelector('.question .plain').offsetHeight") > 400
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def test_on_paper_is_what_a_button_shows(page):
    """What else might have stood there, and the heads: one chooses by them, but they say much."""
    ask(page, "rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    page.click(".tokens .token")
    page.click(".extras button")
    page.wait_until("document.querySelector('.head')")
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        for shown in (".alternatives button", ".head"):
            assert page.evaluate(f"document.querySelector('{shown}').offsetHeight") > 10, shown
        for coloured in (".token", ".alternatives .share"):
            style = f"getComputedStyle(document.querySelector('{coloured}'))"
            assert page.evaluate(f"{style}.webkitPrintColorAdjust") == "exact", coloured
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def test_without_javascript_the_page_says_so_where_one_looks(page):
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.call("Page.navigate", url=page.evaluate("location.href"))
        place = "document.querySelector('noscript p')?.getBoundingClientRect()"
        page.wait_until(place)
        assert page.evaluate(f"{place}.top") < 150
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)


def tab_to(page, name):
    for _ in range(30):
        if focus(page) == name:
            return
        page.press("Tab")
    raise AssertionError(f"Tab never comes to {name}")


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_nothing_is_wider_than_the_screen(page, dark):
    ask(page, "rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    page.click(".token", 1)
    reply(
        page,
        "```\n" + "wide " * 100 + "\n```\n" + "w" * 300 + "\n\n" + "|a" * 40 + "\n" + "|-" * 40,
    )
    ask(page, "x" * 300)
    finished(page, 2)
    page.resize(360, 740, dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.click(".phone-row button")
    assert page.evaluate("document.querySelector('dialog.drawer').open")
    page.click("dialog.drawer .new")
    page.wait_until("!document.querySelector('dialog')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    go(page, "compare")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.click("#compare .quiet")
    assert page.evaluate("document.querySelector('dialog').getBoundingClientRect().right") <= 360
    page.press("Escape")


AXE_RUN = """
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => [id, ...nodes.map((node) => node.html)]))
"""


def test_on_the_narrowest_phone_or_at_400_percent_no_view_is_wider_than_the_screen(page):
    ask(page, "rain")
    finished(page, 1)
    page.resize(320, 568)
    for view in ("chat", "compare", "tokenizer", "training"):
        go(page, view)
        page.wait_until(f"document.querySelector('#{view} :is(h2, .ask)')")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, view


def test_in_the_systems_colours_the_view_is_known_and_surprise_is_seen(page):
    ask(page, "rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    page.wait_until("document.querySelector('.legend')")
    page.call("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    style = "[...document.querySelectorAll('{}')].map((e) => getComputedStyle(e).{})"
    chosen, *others = page.evaluate(style.format(".tabs a", "borderBottomColor"))
    assert chosen not in others
    assert len(set(page.evaluate(style.format(".legend .token", "backgroundColor")))) == 6
    for place in (".conversations .open", "[data-key=tokens]"):
        [pair] = page.evaluate(f"[...document.querySelectorAll('{place}')].map(getComputedStyle)"
                               ".map((s) => [s.backgroundColor, s.color])")  # fmt: skip
        assert pair == page.evaluate(
            "((e) => { e.style = 'background: Highlight; color: HighlightText;"
            " forced-color-adjust: none'; document.body.append(e); const s = getComputedStyle(e);"
            " const pair = [s.backgroundColor, s.color]; e.remove(); return pair; })"
            "(document.createElement('p'))"
        )


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_serious_problem(page, dark):
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core-python, of the test extra")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

    def check():
        assert page.evaluate(AXE_RUN) == []

    page.resize(1280, 900, dark)
    page.evaluate(source + "; 0")
    check()  # the empty chat
    reply(page, "# One\n- a\n\n> b\n\n```py\nx\n```\na|b\n-|-\n1|https://example.org")
    ask(page, "rain")
    finished(page, 1)
    page.evaluate("window.fetch = realFetch; 0")
    ask(page, "snow")
    finished(page, 2)
    page.click("[data-key=tokens]", 1)
    page.click(".tokens .token", 2)
    page.click("[aria-expanded=false].quiet")
    check()
    page.click(".composer .quiet")
    check()  # the settings
    page.press("Escape")
    go(page, "compare")
    ask(page, "rain", "#compare")
    finished(page, 2, "#compare")
    check()


def test_on_a_phone_the_name_of_a_model_is_whole_and_most_of_the_window_is_the_answers(page):
    page.resize(390, 844)
    for name in ("chat", "base"):
        page.evaluate(f"document.querySelector('.picker').value = '{name}'")
        width = "document.querySelector('.picker').offsetWidth"
        room = page.evaluate(width)
        page.evaluate("document.querySelector('.picker').style.maxWidth = 'none'; 0")
        assert page.evaluate(width) <= room
        page.evaluate("document.querySelector('.picker').style.maxWidth = ''; 0")
    ask(page, "rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    page.click(".token", 1)
    assert page.evaluate("document.querySelector('.details').offsetHeight") < 844 / 3


def test_a_model_with_a_long_name_is_not_wider_than_a_phone(browser, folders, tmp_path):
    from playground_server import serving

    named = shutil.copytree(folders[1], tmp_path / ("long" * 30))
    (named / "metrics.jsonl").write_text('{"step": 0, "val_loss": 5.0, "seconds": 1}\n')
    with serving(tmp_path) as server:
        browser.resize(360, 740)
        browser.open(server.url + "/")
        for view, shown in (("chat", ".hello"), ("compare", ".chip"), ("training", ".runs label")):
            go(browser, view)
            browser.wait_until(f"document.querySelector('#{view} {shown}')")
            assert browser.evaluate("document.documentElement.scrollWidth") <= 360
