"""The page for the browser, in one: what marks what, and that nothing runs or leaves."""

import socket

import pytest
from browser import find

import bpe
from bpe.page import page

pytest_plugins = ["playground_fixtures"]
pytestmark = pytest.mark.skipif(find() is None, reason="needs chromium on the path")

TEXT = (
    "The ferryman's bell rang twice.\n\tIt rang  again\u00a0too.\n"
    "</script><img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>\n"
    "<b>&amp;</b> 渡し船 🚢 e\u0301 \u200b <|endoftext|>"
)
SMALL = bpe.train([TEXT], 280, special_tokens=["<|endoftext|>"])
LARGE = bpe.train([TEXT * 2], 330)


@pytest.fixture(scope="module")
def browser(browser):
    browser.call("Network.enable")
    yield browser
    browser.call("Network.disable")


@pytest.fixture
def opened(browser, tmp_path):
    """A browser with the page of two tokenizers open, the pointer on none of its tokens."""
    path = tmp_path / "page.html"
    tokenizers = {"<i>small</i>": SMALL, "large": LARGE}
    path.write_text(page(TEXT, "<u>source</u>", tokenizers, True), encoding="utf-8")
    browser.resize(1280, 900)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    browser.open(path)
    return browser


def marked(browser, card: int, box: str, kind: str = "on") -> list[int]:
    """Say which tokens are marked in the text or in the ids of a card."""
    return browser.evaluate(
        f"[...document.querySelectorAll('.card')[{card}].querySelectorAll('.{box} .{kind}')]"
        ".map((element) => Number(element.dataset.i))"
    )


def footer(browser) -> str:
    return browser.evaluate("document.querySelector('footer').innerText")


def test_the_text_can_be_copied_as_it_was(opened):
    """Marks for white space and bytes belong to the style, not to the text."""
    assert opened.evaluate("document.querySelector('.text').textContent") == TEXT


def test_ids_and_counts_are_those_of_the_tokenizer(opened):
    ids = SMALL.encode(TEXT, "all")
    assert opened.evaluate("document.querySelector('.ids').textContent").split() == [*map(str, ids)]
    figures = opened.evaluate("document.querySelector('.figures').innerText")
    assert f"{len(ids)} tokens" in " ".join(figures.split())
    assert f"{len(TEXT.encode()) / len(ids):.2f} bytes per token" in figures
    assert opened.evaluate("document.querySelector('#length').textContent") == (
        f"{len(TEXT)} characters, {len(TEXT.encode())} bytes"
    )


def test_pointing_at_a_token_marks_its_id(opened):
    opened.pointer("mouseMoved", ".text .token", 3)
    assert marked(opened, 0, "text") == marked(opened, 0, "ids") == [3]
    id = SMALL.encode(TEXT, "all")[3]
    assert f"id {id}" in footer(opened)
    assert "token 4 of" in footer(opened)


def test_pointing_at_an_id_marks_its_token(opened):
    opened.pointer("mouseMoved", ".ids .token", 5)
    assert marked(opened, 0, "text") == marked(opened, 0, "ids") == [5]
    opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    assert marked(opened, 0, "text") == []
    assert "Point at a token" in footer(opened)


def test_what_another_tokenizer_made_of_the_same_text_is_marked_too(opened):
    """The bell's "ferryman" is several tokens of one, and other ones of the other."""
    _, starts = LARGE.decode_with_offsets(LARGE.encode_ordinary(TEXT))
    ends = [*starts[1:], len(TEXT)]
    _, own = SMALL.decode_with_offsets(SMALL.encode(TEXT, "all"))
    first, last = own[4], own[5]
    overlapping = [i for i in range(len(starts)) if starts[i] < last and ends[i] > first]
    opened.pointer("mouseMoved", ".text .token", 4)
    assert marked(opened, 1, "text", "near") == marked(opened, 1, "ids", "near") == overlapping


def test_a_character_of_several_tokens_marks_them_all(opened):
    opened.pointer("mouseMoved", ".text .character")
    assert len(marked(opened, 0, "text")) > 1
    assert marked(opened, 0, "text") == marked(opened, 0, "ids")
    opened.pointer("mouseMoved", ".text .parts .token")
    assert len(marked(opened, 0, "ids")) == 1
    assert "part of a character" in footer(opened)


def test_a_click_keeps_the_mark(opened):
    opened.pointer("mouseMoved", ".text .token", 2)
    opened.pointer("click", ".text .token", 2)
    opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    assert marked(opened, 0, "ids") == [2]


def test_the_keyboard_goes_from_token_to_token(opened):
    opened.press("Tab")
    opened.press("Tab")
    assert "text. Arrow keys" in opened.evaluate("document.activeElement.ariaLabel")
    for key, expected in [("ArrowRight", 0), ("ArrowRight", 1), ("ArrowLeft", 0), ("ArrowLeft", 0)]:
        opened.press(key)
        assert marked(opened, 0, "text") == marked(opened, 0, "ids") == [expected]
    opened.press("End")
    assert marked(opened, 0, "ids") == [len(SMALL.encode(TEXT, "all")) - 1]
    opened.press("Escape")
    assert marked(opened, 0, "ids") == []


def test_white_space_is_shown_or_not(opened):
    def mark_of(space: str) -> str:
        return opened.evaluate(
            "((i) => getComputedStyle(i, '::before').content)"
            f"([...document.querySelectorAll('.text i')].find((i) => i.textContent === {space!r}))"
        )

    assert [mark_of(space) for space in (" ", "\t", "\n", "\xa0")] == ['"·"', '"→"', '"↵"', '"⍽"']
    assert mark_of("\u200b") == '"U+200B"'
    opened.pointer("click", "#spaces")
    assert [mark_of(space) for space in (" ", "\t", "\n", "\xa0")] == ["none"] * 4
    assert mark_of("\u200b") == '"U+200B"'  # or there would be nothing to point at


def test_hostile_text_stays_text(opened):
    assert opened.evaluate("document.title") == "Tokens: <u>source</u>"
    assert opened.evaluate("document.querySelector('h1').textContent") == "<u>source</u>"
    assert opened.evaluate("document.querySelector('h2').textContent") == "<i>small</i>"
    assert opened.evaluate("document.querySelectorAll('img, b > *, u, h2 i').length") == 0
    assert opened.evaluate("document.querySelectorAll('script').length") == 2


def test_no_script_but_the_pages_own_can_run(opened):
    opened.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'document.title = 1'}))"
    )
    assert opened.evaluate("document.title") == "Tokens: <u>source</u>"


def test_no_request_leaves_the_page(opened):
    opened.pointer("mouseMoved", ".text .token", 3)
    sent = [e["params"] for e in opened.events if e["method"] == "Network.requestWillBeSent"]
    assert [request["type"] for request in sent if request["type"] != "Other"] == ["Document"]
    assert all(request["request"]["url"].startswith(("file:", "data:")) for request in sent)


def test_no_request_could_leave_the_page(opened):
    """Its policy stops even what a hostile text would ask for, were it HTML or a script."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        opened.evaluate(
            "new Promise((done) => document.body.append("
            f"Object.assign(new Image(), {{onerror: done, onload: done, src: {url!r}}})))"
        )
        assert opened.evaluate(f"fetch({url!r}).then(() => 'sent', () => 'stopped')") == "stopped"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_the_screen_and_can_be_read(opened, width, dark):
    opened.resize(width, 800, dark)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.evaluate(CONTRAST) >= 4.5  # WCAG 2.2, success criterion 1.4.3


# The least contrast, by WCAG's definition, between the letters of a token and their background.
CONTRAST = """
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
      value /= 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrasts = [...document.querySelectorAll(".text .token")].map((token) => {
    token.classList.add("on");
    const { color, backgroundColor } = getComputedStyle(token);
    const [dark, light] = [luminance(color), luminance(backgroundColor)].sort((a, b) => a - b);
    token.classList.remove("on");
    return (light + 0.05) / (dark + 0.05);
  });
  return Math.min(...contrasts);
})()
"""
