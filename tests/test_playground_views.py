"""The page's views of tokenizers, training, attention and sources, in a browser.

On the real server: a newcomer's walk through each; then what the text of strangers must not do,
narrow screens, and what axe-core says for who does not see or does not point.
"""

import base64
import json
import math
from collections import Counter
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from browser import HURRY, find
from minigpt_examples import example_texts, example_tokenizer

pytest.importorskip("starlette", reason="needs the extra chat")

from playground_server import let_files_be_kept, make_models, serving

from bpe.merges import merge_steps
from minigpt import run_lock
from minigpt.attention import attention_weights
from minigpt.checkpoint import load_model
from minigpt.dataset import tokenize

pytest_plugins = ["playground_fixtures"]
pytestmark = pytest.mark.skipif(find() is None, reason="needs chromium on the path")

TOKENIZER = example_tokenizer()
COPIED = "the ferryman's lantern swings slowly over the dark water of a quiet harbour"
HOSTILE = (
    "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
    "</textarea><svg onload=\"document.title = 'run'\">"
)
NUMBER = count()  # in the address, so that opening a view always loads the page
SCRIPT_URL = "javascript:document.title='run'"


# ---- a server with something to show ------------------------------------------------------------


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """What `make train` leaves, minute: two models, documents, tokens, a run, a cleaning."""
    out = tmp_path_factory.mktemp("out")
    make_models(out)
    records = [
        {"text": text, "url": f"https://example.org/{i}", "title": f"Page {i}"}
        for i, text in enumerate(example_texts())
    ]
    records[3]["text"] += f"At night {COPIED}, and nobody knows why. {HOSTILE}\n"
    records[4]["text"] += f"Every night {COPIED}, once more.\n"
    records[4] |= {"url": SCRIPT_URL, "title": HOSTILE}
    documents = out / "documents.jsonl"
    documents.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    tokenize([documents], TOKENIZER, out / "tokens")
    write_lines(out / "base" / "metrics.jsonl", *map(metrics, range(0, 50, 10)))
    texts = ["e e the", HOSTILE, "the list of the list", "the list is a list."]
    samples = [{"step": 10 * (i + 1), "text": text} for i, text in enumerate(texts)]
    write_lines(out / "base" / "samples.jsonl", *samples)
    (out / "base" / "training.json").write_text('{"stage": "pretrain", "steps": 40}')
    (out / "clean.json").write_text(json.dumps({"steps": FUNNEL}))
    return out


FUNNEL = [
    {
        "step": "language", "documents_in": 80, "documents_out": 72,
        "characters_in": 90_000, "characters_out": 81_000, "reasons": {HOSTILE: 2, "not en": 6},
    },
    {
        "step": "exact", "documents_in": 72, "documents_out": 60,
        "characters_in": 81_000, "characters_out": 70_000, "reasons": {"same text": 12},
    },
]  # fmt: skip


def metrics(step):
    """Return a line of metrics.jsonl."""
    loss = 2 + 4 * math.exp(-step / 20)
    return {
        "step": step, "tokens": 100 * step, "train_loss": loss - 0.1 if step else None,
        "val_loss": loss, "bits_per_byte": loss / 2, "learning_rate": 0.001,
        "grad_norm": 1.5 if step else None, "seconds": step / 2,
    }  # fmt: skip


def between(step):
    """Return a line of metrics.jsonl between looks at the validation text."""
    line = {k: v for k, v in metrics(step).items() if k not in ("val_loss", "bits_per_byte")}
    return line | {"tokens_per_s": 321.0}


def write_lines(path, *values):
    """Append values to a file of JSON Lines."""
    path.parent.mkdir(exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(value) + "\n" for value in values))


@pytest.fixture(scope="module")
def server(out):
    with serving(out / "base", out / "chat", documents=[out / "documents.jsonl"]) as server:
        let_files_be_kept(server)
        yield server


# ---- a reader -----------------------------------------------------------------------------------


class Reader:
    """Somebody in front of the page."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url
        self.value, self.until = browser.evaluate, browser.wait_until

    def open(self, view):
        """Load the page anew at a view."""
        self.browser.open(f"{self.url}/?{next(NUMBER)}#{view}")

    def text(self, selector):
        return self.value(f"document.querySelector({json.dumps(selector)})?.textContent")

    def texts(self, selector):
        return self.value(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)"
        )

    def focus(self, selector):
        self.value(f"document.querySelector({json.dumps(selector)}).focus()")

    def point(self, selector, index=0):
        """Move the pointer to an element."""
        at = f"document.querySelectorAll({json.dumps(selector)})[{index}]"
        self.value(f"{at}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        self.browser.pointer("mouseMoved", selector, index)

    def press_button(self, name):
        """Click the button with this text."""
        at = "[...document.querySelectorAll('button')]"
        at += f".findIndex((button) => button.textContent === {json.dumps(name)})"
        self.until(f"{at} >= 0")
        self.browser.click("button", self.value(at))

    def enter(self, selector, value):
        """Put a value into a field, as typing or sliding does."""
        self.value(
            f"((e) => {{ e.value = {json.dumps(value)};"
            " e.dispatchEvent(new Event('input', {bubbles: true}));"
            " e.dispatchEvent(new Event('change', {bubbles: true}));"
            f" }})(document.querySelector({json.dumps(selector)}))"
        )

    # -- the views ---------------------------------------------------------------------------------

    def read_tokenizers(self, text=None):
        """Open the tokenizer view with a text."""
        self.open("tokenizer")
        self.until("document.querySelector('.merging li')")
        if text is not None:
            self.enter("#tokenizer-text", text)
            labels = "[...document.querySelectorAll('.chunks label')].map((e) => e.textContent)"
            self.until(f"{labels}.join('') === {json.dumps(text)}")

    def read_training(self):
        self.open("training")
        self.until("document.querySelector('.chart circle') && document.querySelector('.funnel')")

    def read_attention(self, ids, model="base", selected=None):
        """Open attention over `ids`, as the inspector does."""
        self.show("attention", "showAttention", {"model": model, "ids": ids, "selected": selected})
        self.until("document.querySelector('.looked-at li')")

    def read_sources(self, text):
        self.show("sources", "showSources", {"model": "base", "text": text})
        self.until(r"!/Searching|Reading/.test(document.querySelector('.sources-view').innerText)")

    def show(self, module, function, given, api="import('/playground/api.js')"):
        """Open a module's part alone in the frame of the page; `api` may be a stand-in."""
        self.frame()
        self.value(
            f"Promise.all([import('/playground/{module}.js'), {api}]).then(([module, api]) => {{"
            f" window.given = {{...{json.dumps(given)}, api}};"
            f" module.{function}(part, window.given); }})"
        )

    def frame(self):
        """Empty the frame of the page for `window.part`; to load it anew each time takes longer."""
        if not self.value(f"location.href.startsWith('{self.url}') && !!window.part"):
            self.open("chat")
            self.until("document.querySelector('#chat:not([hidden]) .composer')")  # it is still
        self.value(
            "window.view?.hide(); window.view = null; window.part?.remove();"
            "document.querySelector('dialog[open]')?.close();"
            "window.part = document.createElement('div');"
            "window.setTimeout = window.realTimeout ??= window.setTimeout;"
            "document.querySelectorAll('main > section').forEach((view) => (view.hidden = true));"
            "document.querySelector('main').append(part);"
        )


@pytest.fixture(scope="module")
def browser(browser):
    with browser.beginning_with(HURRY):
        browser.call("Emulation.setFocusEmulationEnabled", enabled=True)
        yield browser
        browser.call("Emulation.setFocusEmulationEnabled", enabled=False)


@pytest.fixture
def reader(browser, server):
    """Somebody in front of the page, whose console must stay empty."""
    browser.resize(1280, 900)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    browser.events.clear()
    reader = Reader(browser, server.url)
    yield reader
    assert reader.browser.problems() == []
    assert reader.value("document.title") != "run"


# ---- the tokenizer view -------------------------------------------------------------------------


def panel_ids(reader, panel=0):
    """Return the ids that a panel shows."""
    script = f"[...document.querySelectorAll('.panel')[{panel}].querySelectorAll('small')]"
    return reader.value(script + ".map((e) => Number(e.textContent))")


def test_the_tokenizer_view_begins_with_an_example(reader):
    reader.read_tokenizers()
    assert reader.texts(".panel h3") == ["base", "bytes only"]
    assert "learned by merges" in reader.text(".choices p")
    text = reader.value("document.querySelector('#tokenizer-text').value")
    assert panel_ids(reader) == TOKENIZER.encode_ordinary(text)
    assert f"{len(TOKENIZER.encode_ordinary(text))} tokens" in reader.text(".panel .figures")


def test_what_is_typed_is_cut_into_tokens_at_once(reader):
    text = "the list returns a value, größer\n数 7"
    reader.read_tokenizers(text)
    ids = TOKENIZER.encode_ordinary(text)
    assert panel_ids(reader) == ids
    assert panel_ids(reader, 1) == [
        TOKENIZER.encode_single_token(bytes([byte])) for byte in text.encode()
    ]
    assert f"{len(text) / len(ids):.2f} characters per token" in reader.text(".panel .figures")


def test_a_tokenizer_is_chosen_or_left_away(reader):
    reader.read_tokenizers()
    assert f"vocabulary of {TOKENIZER.n_vocab}" in reader.text(".choices")
    for _ in range(2):
        reader.browser.click(".choices input:checked")
    reader.until("document.querySelectorAll('.panel').length === 0")
    assert "Choose a tokenizer" in reader.text(".token-detail")


def test_pointing_at_a_token_tells_its_id_and_bytes(reader):
    reader.read_tokenizers("returns a value")
    reader.point(".panel .token-box", 0)
    id = TOKENIZER.encode_ordinary("returns a value")[0]
    token = TOKENIZER.decode([id])
    detail = reader.text(".token-detail")
    assert f"“{token}”, id {id}, " in detail
    assert f"{token.encode().hex(' ').upper()} (hex)" in detail
    near = "document.querySelectorAll('.panel')[1].querySelectorAll('.near').length"
    assert reader.value(near) == len(token.encode())


def test_a_text_that_is_cut_off_is_said_to_be(reader):
    reader.read_tokenizers("a")
    said = "[...document.querySelectorAll('.tokenizer-view [role=status]')].map((e) => e.innerText)"
    assert "room" not in "".join(reader.value(said))
    reader.browser.click("#tokenizer-text")
    reader.browser.type("ab " * 1400)
    assert reader.value("document.querySelector('#tokenizer-text').value.length") == 4000
    assert "There is room for 4,000 characters" in "".join(reader.value(said))


def test_on_a_phone_no_hint_covers_the_tokens(reader):
    reader.browser.resize(360, 740)
    reader.read_tokenizers("returns a value")
    position = "getComputedStyle(document.querySelector('.token-detail')).position"
    assert reader.value(position) == "static"
    reader.point(".panel .token-box", 0)
    assert reader.value(position) == "sticky"  # what is known of the token is seen from any panel


def test_arrow_keys_go_from_token_to_token(reader):
    reader.read_tokenizers("returns a value")
    reader.focus(".panel .token-box")
    reader.browser.press("ArrowRight")
    assert "token 2 of" in reader.text(".token-detail")
    assert reader.value("document.activeElement.ariaSelected") == "true"
    reader.browser.press("End")
    number = len(TOKENIZER.encode_ordinary("returns a value"))
    assert f"token {number} of {number}" in reader.text(".token-detail")
    reader.browser.press("Home")
    assert "token 1 of" in reader.text(".token-detail")
    stops = "document.querySelector('.panel').querySelectorAll('[tabindex=\"0\"]').length"
    assert reader.value(stops) == 1


def test_the_same_token_has_the_same_colour(reader):
    reader.read_tokenizers("a list of a list")
    colours = reader.value(
        "[...document.querySelectorAll('.panels .token-box')].map((e) =>"
        " [e.querySelector('small').textContent, getComputedStyle(e).backgroundColor])"
    )
    assert len({colour for _, colour in colours}) == len({id for id, _ in colours}) > 3
    assert len(dict(colours)) == len(set(map(tuple, colours)))


def test_white_space_is_seen_but_not_copied(reader):
    reader.read_tokenizers("a\n b\tc")
    shown = reader.texts(".panel:nth-child(2) .piece")
    assert "".join(shown) == "a\n b\tc"
    marks = reader.value(
        "[...document.querySelectorAll('.panel:nth-child(2) i')]"
        ".map((e) => getComputedStyle(e, '::before').content)"
    )
    assert marks == ['"↵"', '"·"', '"→"']


def test_part_of_a_character_is_shown_with_its_bytes(reader):
    reader.read_tokenizers("€")
    assert reader.text(".panel .whole") == "€"
    assert " ".join(reader.texts(".panels .panel:nth-child(1) .bytes")) == "E2 82 AC"
    reader.focus(".panel .token-box")
    assert "part of “€”" in reader.text(".token-detail")


def test_merges_are_played_to_the_end(reader):
    reader.read_tokenizers(" object")
    assert reader.text("label:has(#merges-speed)") == "Speed"  # on the same line as its slider
    reader.enter("#merges-speed", "3")
    reader.press_button("Play")
    assert "Pause" in reader.texts("button")
    reader.until("/no pair is left/.test(document.querySelector('.step-sentence').textContent)")
    ids = TOKENIZER.encode_ordinary(" object")
    assert [*map(int, reader.texts(".merging small"))] == ids
    assert "Pause" not in reader.texts("button")


def test_merges_are_stepped_through_forth_and_back(reader):
    reader.read_tokenizers(" object")
    steps = list(merge_steps(TOKENIZER, " object"))
    for i in (0, 1, 2):
        step = steps[i]
        assert [*map(int, reader.texts(".merging small"))] == step.ids
        pair = [*map(int, reader.texts(".merging .pair small"))]
        assert pair == step.ids[step.at : step.at + 2]
        sentence = reader.text(".step-sentence")
        assert f"id {step.new_id}:" in sentence and f"(rank {step.rank})" in sentence
        reader.press_button("Step")
    reader.press_button("Back")
    assert [*map(int, reader.texts(".merging small"))] == steps[2].ids
    reader.focus("#merges-step")
    reader.browser.press("End")
    assert [*map(int, reader.texts(".merging small"))] == steps[-1].ids
    rows = reader.texts(".merges tbody tr")
    assert len(rows) == len(steps) - 1


def test_another_chunk_and_another_tokenizer_can_be_played(reader):
    reader.read_tokenizers("the returns")
    reader.browser.click(".chunks label", 0)
    assert "".join(reader.texts(".merging li")).startswith("t")
    reader.enter("#merges-tokenizer", "bytes only")
    reader.until(r"/The chunk is \d+ tokens/.test(document.querySelector('.merges').textContent)")


def test_nothing_moves_for_who_wants_no_motion(reader):
    reader.read_tokenizers("returns")
    reduced = {"name": "prefers-reduced-motion", "value": "reduce"}
    reader.browser.call("Emulation.setEmulatedMedia", features=[reduced])
    reader.press_button("Step")
    assert reader.value("getComputedStyle(document.querySelector('.made')).animationName") == "none"


def test_hostile_text_becomes_tokens_and_nothing_else(reader):
    reader.read_tokenizers(HOSTILE)
    assert "".join(reader.texts(".panels .panel:nth-child(1) .piece")) == HOSTILE
    assert reader.value("document.querySelectorAll('main img, main script').length") == 0


def test_a_late_refusal_of_what_was_asked_before_is_not_shown(reader):
    """The first question is refused after the second was answered, in both parts of the view."""
    reader.frame()
    reader.value("""import('/playground/tokenizer.js').then(({mount}) => {
      const late = {tokenize: [], merges: []};
      window.refuse = () => Object.values(late).flat().forEach((f) => f(new Error('too late')));
      const answers = {
        tokenize: {panels: []},
        merges: {chunks: [{text: 'b', steps: [{pieces: ['b'], ids: [1], at: null}]}], left_out: 0},
      };
      mount(part, {api: {
        get: async () => [{name: 'x', n_vocab: 1, about: ''}],
        post: async (path, {text}) => {
          const name = path.split('/').at(-1);
          const refused = text === (name === 'merges' ? 'b' : 'a');
          if (refused && !late[name].length) {
            await new Promise((_, refuse) => late[name].push(refuse));
          }
          return answers[name];
        },
      }}).show();
    })""")
    asked = "document.querySelector('#merges-tokenizer option')"
    reader.until(asked)
    reader.enter("#tokenizer-text", "a")  # is never answered
    reader.value("new Promise((done) => setTimeout(done, 300))")  # more than PAUSE_MS
    reader.enter("#tokenizer-text", "b")
    reader.value("new Promise((done) => setTimeout(done, 300))")
    reader.enter("#merges-tokenizer", "x")
    reader.until("document.querySelector('.merging li')")
    reader.value("window.refuse()")
    reader.value("new Promise((done) => setTimeout(done))")
    shown = reader.value("[...document.querySelectorAll('main .problem')].map((e) => e.hidden)")
    assert shown == [True, True]
    assert reader.value("document.querySelector('.merging').checkVisibility()")


# ---- the training view --------------------------------------------------------------------------


def test_a_finished_run_is_told_in_words_pictures_and_a_table(reader):
    reader.read_training()
    assert "Finished: step 40 of 40" in reader.text(".state")
    assert "In 40 steps the validation loss fell from 6.00 to 2.54" in reader.text(".sentence")
    assert reader.value("document.querySelectorAll('.chart').length") == 4
    label = reader.value("document.querySelector('.chart').getAttribute('aria-label')")
    assert label == reader.text(".sentence")
    reader.browser.click(".run-curves summary")
    reader.until("document.querySelector('.run-curves table')")
    rows = reader.texts(".run-curves tbody tr")
    assert len(rows) == 5
    assert rows[-1].startswith("40") and rows[-1].endswith("200")  # 1000 tokens in 5 s


def test_a_step_is_read_by_pointer_and_by_keyboard(reader):
    reader.read_training()
    assert reader.text(".readout").startswith("Step 40: validation 2.541")
    reader.focus("#training-step")
    reader.browser.press("Home")
    assert reader.text(".readout").startswith("Step 0: validation 6.000, training –")
    reader.point(".chart")
    assert reader.text(".readout").startswith("Step 20:")
    assert reader.value("document.querySelectorAll('.cross path').length") == 4
    width = reader.value("document.querySelector('.chart .grid path').getBBox().width")
    reader.browser.resize(700, 900)  # drawn anew, the crosshair stays
    reader.until(f"document.querySelector('.chart .grid path').getBBox().width < {width}")
    assert reader.value("document.querySelectorAll('.cross path').length") == 4


def test_units_and_scale_can_be_changed(reader):
    reader.read_training()
    before = reader.texts(".curves:nth-of-type(1) .grid text")
    reader.browser.click("[value=bits]")
    assert reader.texts(".curves:nth-of-type(1) .grid text") != before
    assert "bits per byte" in reader.text(".curves figcaption")
    assert reader.texts(".small-multiples figcaption")[0] == (
        "Learning rate how far a step may go, by step"
    )
    reader.browser.click(".run-curves [type=checkbox]")
    steps = reader.texts(".curves:nth-of-type(1) .grid text[text-anchor=middle]")
    assert steps and "0" not in steps  # a logarithm has no zero


def test_a_run_is_watched_while_it_goes_on(reader, out):
    """Lines that are appended to its files appear, and so does its end."""
    folder = out / "live"
    write_lines(folder / "metrics.jsonl", metrics(0))
    with run_lock.held(folder):
        watch(reader, folder)


def watch(reader, folder):
    """Follow the run in `folder` to its end."""
    reader.open("training")
    reader.until("document.querySelector('[value=live]')?.checked")
    reader.until("/^Running: step 0/.test(document.querySelector('.state').textContent)")
    reader.browser.click(".run-curves summary")
    write_lines(folder / "metrics.jsonl", between(5), metrics(10), between(15), metrics(20))
    write_lines(folder / "samples.jsonl", {"step": 10, "prompt": "a list?", "text": "the the"})
    reader.until("/^Running: step 20/.test(document.querySelector('.state').textContent)")
    assert reader.text(".readout").startswith("Step 20: validation")
    reader.until("announcer.textContent === 'Step 20: validation loss 3.47.'")
    reader.focus("#training-step")
    reader.browser.press("ArrowLeft")
    assert reader.text(".readout").startswith("Step 15: training 3.7")
    assert reader.text(".readout").endswith("321 tokens/s")
    reader.until("document.querySelector('.sample .written')?.textContent === 'the the'")
    assert reader.text(".sample .prompt") == "a list?"
    assert "The same question is asked" in reader.text("[aria-label='Samples by step']")
    write_lines(folder / "metrics.jsonl", metrics(30))
    (folder / "training.json").write_text('{"stage": "sft", "steps": 30}')
    reader.until("/^Finished: step 30/.test(document.querySelector('.state').textContent)")
    assert len(reader.texts(".run-curves tbody tr")) == 4


def test_of_a_run_that_is_watched_for_days_the_looks_and_the_newest_steps_are_kept(reader):
    reader.frame()
    kept = reader.value(
        "import('/playground/training_run.js').then(async ({ Run }) => {"
        " const run = new Run('base');"
        " const metrics = [...Array(9001).keys()].map((step) =>"
        "   (step % 1000 ? { step } : { step, val_loss: 3 }));"
        " const get = async (path) => ({ samples: [], running: true,"
        "   metrics: metrics.filter(({ step }) => step > path.split('=')[1]).slice(0, 500) });"
        " for (let i = 0; i < 20; i++) await run.refresh({ get }, { step: 9000, running: true });"
        " return run.metrics.map(({ step }) => step); })"
    )
    assert len(kept) <= 4000
    assert {*range(0, 9001, 1000), 8999} <= set(kept)
    assert kept == sorted(set(kept))


def test_samples_are_looked_through_by_step(reader):
    reader.read_training()
    assert reader.texts(".sample h4") == [
        "First: step 10", "In between: step 20", "Latest: step 40",
    ]  # fmt: skip
    assert reader.texts(".sample .written")[1] == HOSTILE
    assert "it begins with nothing" in reader.text("[aria-label='Samples by step']")
    reader.focus("#training-sample")
    reader.browser.press("ArrowRight")
    assert reader.texts(".sample .written") == [
        "e e the", "the list of the list", "the list is a list.",
    ]  # fmt: skip


def test_the_funnel_tells_what_was_kept_out_and_why(reader):
    reader.read_training()
    told = reader.text("[aria-label='The cleaning funnel']")
    assert "Of 80 crawled pages 60 (75 %) are left" in told
    assert "the faint part is what the step took out" in told
    assert reader.texts(".funnel summary") == ["Why 8 were kept out", "Why 12 were kept out"]
    assert reader.texts(".funnel ul li") == ["not en: 6", f"{HOSTILE}: 2", "same text: 12"]
    widths = "[...document.querySelectorAll('.funnel .left')].map((e) => e.style.width)"
    assert reader.value(widths) == ["90%", "90%", "75%", "77.7778%"]


def one_run(run, told):
    """Return a stand-in of the server: there is this run, and this is told of it."""
    return (
        f"{{get: async (path) => path.endsWith('runs') ? [{json.dumps(run)}]"
        f" : path.endsWith('funnel') ? {{missing: 'none'}} : {json.dumps(told)}}}"
    )


def mount_training(reader, api, before=""):
    """Mount the training view over a stand-in of the server; `before` is run first."""
    reader.frame()
    reader.value(
        before + "import('/playground/training.js').then(({mount}) => {"
        " window.said = [];"
        f" window.view = mount(part, {{api: {api}, announce: (text) => said.push(text)}});"
        " view.show(); })"
    )


COUNTED = (
    "window.polls = []; window.asked = 0; window.failure = null;"
    "window.setTimeout = (f, ms, ...more) =>"
    " ms === 2000 ? polls.push(f) : realTimeout(f, ms, ...more);"
)
COUNTING = (
    "{get: async (path) => { if (path.endsWith('funnel')) return {missing: 'none'};"
    " asked += 1; if (failure) throw failure; return []; }}"
)


def test_nothing_is_asked_while_the_browsers_tab_is_hidden(reader):
    mount_training(reader, COUNTING, COUNTED)
    reader.until("polls.length === 1")
    hide = "Object.defineProperty(document, 'hidden', {value: VALUE, configurable: true});"
    for hidden, asked in (("true", 1), ("true", 1), ("false", 2)):
        n = reader.value("polls.length")
        reader.value(f"{hide.replace('VALUE', hidden)} polls.at(-1)(); 0")
        reader.until(f"polls.length === {n + 1}")
        assert reader.value("asked") == asked


def test_a_server_that_is_gone_is_asked_again_but_one_whose_key_is_kept_back_is_not(reader):
    mount_training(reader, COUNTING, COUNTED)
    reader.until("polls.length === 1")
    reader.value("failure = new Error('It is gone.'); polls.at(-1)(); 0")
    reader.until("polls.length === 2")
    assert reader.text("main > div > .problem") == "It is gone."
    failure = "Object.assign(new Error('It wants a key.'), {keyMissing: true})"
    reader.value(f"failure = {failure}; polls.at(-1)(); 0")
    reader.until("/wants a key/.test(document.querySelector('main > div > .problem').innerText)")
    assert reader.value("new Promise((done) => realTimeout(() => done(polls.length), 50))") == 2


def test_without_a_run_it_says_how_to_begin_one(reader):
    mount_training(
        reader, "{get: async (path) => path.endsWith('runs') ? [] : {missing: 'no clean.json'}}"
    )
    reader.until("/make train/.test(document.querySelector('main').innerText)")
    reader.until("/no clean.json/.test(document.querySelector('main').innerText)")
    assert "loss curves" not in reader.text("main")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step": 9, "finished": True}, "Finished: step 9 of 9, 1\u00a0s."),
        ({"step": 5, "finished": True}, "Finished early: step 5 of 9, 1\u00a0s."),  # see `patience`
        ({"step": 5}, "Stopped: step 5 of 9, 1\u00a0s. The command that began it continues it."),
        (
            {"step": 5, "name": "base.previous"},
            "Stopped: step 5 of 9, 1\u00a0s. Another run took its place.",
        ),
    ],
)
def test_of_a_run_that_goes_on_no_more_it_is_said_why(reader, changes, said):
    run = {
        "name": "base", "stage": "pretrain", "steps": 9, "running": False, "finished": False,
        "seconds": 1, "seconds_left": None,
    }  # fmt: skip
    told = {"metrics": [metrics(0)], "samples": [], "running": False}
    mount_training(reader, one_run(run | changes, told))
    reader.until("document.querySelector('main .state')?.textContent")
    assert reader.text("main .state") == said


def test_a_run_that_was_killed_before_it_saved_anything_is_not_finished(reader):
    run = {"name": "base", "stage": "pretrain", "steps": None, "step": 0, "running": False}
    run["seconds_left"] = None
    told = {"metrics": [metrics(0)], "samples": [], "running": False}
    mount_training(reader, one_run(run | {"seconds": 1}, told))
    reader.until("document.querySelector('main .state')?.textContent")
    assert reader.text("main .state").startswith("Stopped: step 0, 1\u00a0s.")
    assert "This run kept no samples." in reader.texts("main [aria-label='Samples by step'] p")


def test_a_run_says_what_is_left_and_what_comes_next(reader):
    run = {"name": "base", "stage": "pretrain", "steps": 2500, "step": 750, "seconds": 200}
    told = {"metrics": [metrics(0), metrics(750)], "samples": [], "running": True}
    listed = json.dumps([run | {"running": True, "seconds_left": 461}])
    mount_training(
        reader,
        f"{{get: async (path) => path.endsWith('runs') ? {listed}"
        f" : path.endsWith('funnel') ? {{missing: 'none'}} : {json.dumps(told)}}}",
    )
    reader.until("document.querySelector('main .state')?.textContent")
    assert reader.text("main .state") == (
        "Running: step 750 of 2,500, 3\u00a0min 20\u00a0s. About 8\u00a0min left. In make train "
        "fine-tuning comes next, from which it learns to answer."
    )


def test_the_run_that_is_running_is_shown_until_another_is_chosen(reader):
    """As one stage of `make train` follows the other."""
    run = {"steps": 9, "step": 0, "seconds": 1, "seconds_left": None, "stage": None}
    told = {"metrics": [metrics(0)], "samples": [], "running": True}
    mount_training(
        reader,
        "{get: async (path) => path.endsWith('runs')"
        f" ? ['a', 'b', 'c'].map((name) => ({{...{json.dumps(run)}, name, running: name === now}}))"
        f" : path.endsWith('funnel') ? {{missing: 'none'}} : {json.dumps(told)}}}",
        "window.now = 'a';",
    )
    reader.until("document.querySelector('main [value=a]')?.checked")
    reader.value("window.now = 'b'; 0")
    reader.until("document.querySelector('main [value=b]')?.checked")
    reader.browser.click("main [value=a]")
    reader.value("window.now = 'c'; 0")
    reader.until("/running/.test(document.querySelector('main label:has([value=c])').innerText)")
    assert reader.value("document.querySelector('main [value=a]').checked")
    assert reader.value("document.activeElement.value") == "a"  # though the list is drawn anew


@pytest.mark.parametrize("left", [False, True])
def test_the_end_of_a_run_is_said_to_who_watches_it_and_not_to_who_comes_back(reader, left):
    """Where the reader was meanwhile, it was said already."""
    run = {"name": "base", "stage": None, "steps": 9, "step": 0, "seconds": 1}
    told = {"metrics": [metrics(0)], "samples": []}
    mount_training(
        reader,
        f"{{get: async (path) => path.endsWith('funnel') ? {{missing: 'none'}}"
        f" : path.endsWith('runs') ? [{{...{json.dumps(run)}, running, seconds_left: null}}]"
        f" : {{...{json.dumps(told)}, running}}}}",
        "window.running = true;",
    )
    state = "document.querySelector('main .state')?.textContent"
    reader.until(f"/^Running/.test({state})")
    reader.value(f"running = false; {'view.hide(); view.show();' if left else ''} 0")
    reader.until(f"/^Stopped/.test({state})")
    assert reader.value("said") == ([] if left else ["The run base has ended."])


def test_samples_are_promised_only_while_a_run_is_running(reader):
    run = {"name": "base", "stage": "pretrain", "steps": 9, "step": 0, "seconds": 1}
    run["seconds_left"] = None
    told = {"metrics": [metrics(0)], "samples": []}
    mount_training(
        reader,
        f"{{get: async (path) => path.endsWith('runs') ? [{{...{json.dumps(run)}, running: going}}]"
        " : path.endsWith('funnel') ? {missing: 'none'}"
        f" : {{...{json.dumps(told)}, running: going}}}}",
        "window.going = true;",
    )
    samples = "document.querySelector('main [aria-label=\"Samples by step\"]')?.innerText"
    reader.until(f"/No sample is there yet/.test({samples})")
    reader.value("window.going = false; 0")
    reader.until(f"/This run kept no samples/.test({samples})")


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([(4, 3.8), (3, 2.9), (3.5, 2.0)], "by heart"),
        ([(4, 3.8), (3, 2.9), (3.5, 3.4)], "lowest at step 10."),  # worse at both
        ([(4, 3.8), (3, 2.9), (2.9, 2.0)], "as among 18."),
        ([(4, 3.8), (1, 0.9), (0.3, 0.2)], "as among 1.3."),
    ],
)
def test_learning_by_heart_is_said_only_where_the_training_loss_falls(reader, losses, said):
    reader.frame()
    lines = [
        {"step": 10 * i, "val_loss": val, "train_loss": train}
        for i, (val, train) in enumerate(losses)
    ]
    module = "import('/playground/training_curves.js')"
    sentence = reader.value(f"{module}.then((m) => m.sentenceOf({json.dumps(lines)}))")
    assert said in sentence
    assert ("by heart" in sentence) == (said == "by heart")


@pytest.mark.parametrize(
    ("losses", "symbols", "said"),
    [([4.7, 4.0], 100, True), ([4.7], 100, True), ([4.6, 4.0], 100, False),
     ([4.7, 4.0], "undefined", False)],
)  # fmt: skip
def test_more_doubt_than_there_are_symbols_is_explained(reader, losses, symbols, said):
    """ln 100 is 4.605: a model that takes all of a hundred symbols for equally likely has that."""
    reader.frame()
    lines = json.dumps([{"step": 10 * i, "val_loss": loss} for i, loss in enumerate(losses)])
    module = "import('/playground/training_curves.js')"
    sentence = reader.value(f"{module}.then((m) => m.sentenceOf({lines}, {symbols}))")
    assert ("More than its 100 symbols at first: untrained" in sentence) == said


def test_how_often_the_validation_loss_is_measured_is_said(reader):
    run = {"name": "base", "stage": "pretrain", "steps": 9, "step": 0, "seconds": 1}
    run |= {"seconds_left": None, "vocab_size": 20}
    for steps, said in (
        ([0, 1250], ", measured every 1,250 steps"),
        ([0, 25, 50, 1250, 2500, 2600], ", measured every 1,250 steps, at first sooner"),
    ):
        told = {"metrics": [metrics(step) for step in steps], "samples": [], "running": False}
        mount_training(reader, one_run(run, told))
        reader.until("document.querySelector('main .state')?.textContent")
        assert reader.text("main .keys .c0").endswith(said)
    assert "More than its 20 symbols" in reader.text("main .sentence")


def test_a_server_that_goes_away_is_said_and_the_curves_stay(browser, out):
    with serving(out / "base", out / "chat", out=str(out)) as server:
        reader = Reader(browser, server.url)
        reader.read_training()
    reader.until("!document.querySelector('.training-view .problem').hidden")
    assert "Start it again" in reader.text(".training-view .problem")
    assert "told last" in reader.text(".state")
    assert reader.value("document.querySelectorAll('.chart circle').length") > 0


# ---- attention ----------------------------------------------------------------------------------


def test_attention_is_that_of_the_model(reader, out):
    ids = TOKENIZER.encode_ordinary("the list of the list returns a value")
    reader.read_attention(ids)
    model = load_model(out / "base")
    for layer, head in ((0, 0), (1, 1)):
        reader.browser.click(".layers button", layer)
        reader.until(f"document.querySelectorAll('.layers button')[{layer}].ariaPressed === 'true'")
        reader.browser.click(".head", head)
        weights = attention_weights(model, ids, layer)[head]
        reader.point(".reading .token-box", 5)
        sentence = f"In head {head + 1} of layer {layer + 1}, "
        reader.until(f"document.querySelector('.reading p').textContent.startsWith('{sentence}')")
        shown = reader.texts(".looked-at .number")
        expected = sorted(weights[5, :6], reverse=True)
        for number, weight in zip(shown, expected, strict=True):
            assert abs(float(number.removesuffix("\u00a0%")) - 100 * weight) <= 1


def test_attention_begins_at_the_token_that_was_asked_for(reader):
    ids = TOKENIZER.encode_ordinary("the list of the list returns a value")
    reader.read_attention(ids, selected=3)
    boxes = "[...document.querySelectorAll('.reading .token-box')]"
    chosen = f"{boxes}.findIndex((e) => e.ariaSelected === 'true')"
    assert reader.value(chosen) == 3
    reader.focus(".reading [tabindex='0']")
    reader.browser.press("ArrowLeft")
    assert reader.value(chosen) == 2
    reader.browser.press("End")
    assert reader.value(chosen) == len(ids) - 1
    later = reader.value("document.querySelectorAll('.reading .later').length")
    assert later == 0


def test_a_page_that_is_scrolled_beneath_a_resting_pointer_reads_no_other_token(reader):
    reader.read_attention(TOKENIZER.encode_ordinary("the list of the list"), selected=3)
    reader.value("part.style.paddingBottom = '2000px'; scrollTo(0, 0)")
    box = "document.querySelector('.reading .token-box')"
    x, y = reader.value(f"(({{x, y}}) => [x + 5, y + 5])({box}.getBoundingClientRect())")
    reader.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y - 60)
    reader.value("scrollTo({top: 60, behavior: 'instant'})")
    reader.until(f"{box}.matches(':hover')")
    chosen = "[...document.querySelectorAll('.reading .token-box')].map((e) => e.ariaSelected)"
    assert reader.value(chosen).index("true") == 3
    reader.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + 1, y=y - 60)
    assert reader.value(chosen).index("true") == 0
    reader.value("document.querySelectorAll('.reading .token-box')[2].click()")  # a finger's tap
    assert reader.value(chosen).index("true") == 2


def test_asked_again_attention_keeps_layer_and_head(reader):
    reader.read_attention(TOKENIZER.encode_ordinary("the list of the list returns a value"))
    reader.browser.click(".layers button", 1)
    reader.until("document.querySelectorAll('.layers button')[1].ariaPressed === 'true'")
    reader.browser.click(".head", 1)
    reader.value(
        "import('/playground/attention.js').then(({showAttention}) =>"
        " showAttention(window.part, {...window.given, selected: 1}))"
    )
    assert "In head 2 of layer 2" in reader.text(".reading")
    assert reader.texts(".looked-at .soft")[0] in ("itself", "the token before")


def test_attention_begins_with_the_most_striking_head_until_one_is_chosen(reader):
    """Of three heads the second looks at the token before, the others everywhere."""
    size = 6
    even = [[255 // (t + 1) if s <= t else 0 for s in range(size)] for t in range(size)]
    before = [[255 * (s == max(0, t - 1)) for s in range(size)] for t in range(size)]
    weights = bytes(value for head in (even, before, even) for row in head for value in row)
    answer = {
        "tokens": [{"id": i, "text": "a"} for i in range(size)], "first": 0, "n_layer": 2,
        "n_head": 3, "weights": base64.b64encode(weights).decode(),
    }  # fmt: skip
    given = {"model": "x", "ids": [*range(size)]}
    reader.show(
        "attention", "showAttention", given, f"{{post: async () => ({json.dumps(answer)})}}"
    )
    chosen = "[...document.querySelectorAll('.head')].findIndex((e) => e.ariaPressed === 'true')"
    reader.until(f"{chosen} === 1")
    assert "In head 2 of layer 1" in reader.text(".reading")
    reader.browser.click(".head", 2)
    reader.browser.click(".layers button", 1)
    reader.until("/In head 3 of layer 2/.test(document.querySelector('.reading').textContent)")
    assert reader.value(chosen) == 2


def test_a_head_is_named_by_its_habit(reader):
    """Heads that were made to look at one kind of place, over a text that repeats itself."""
    reader.frame()
    said = reader.value("""import('/playground/attention_measures.js').then(({measures, habit}) => {
      const ids = [1, 2, 3, 4, 1, 2, 3, 4];
      const head = (place) => {
        const weights = new Uint8Array(64);
        ids.forEach((_, t) => (weights[t * 8 + Math.max(0, place(t))] = 255));
        return habit(measures(weights, ids));
      };
      const even = new Uint8Array(64);
      for (let t = 0; t < 8; t++) even.fill(255 / (t + 1), t * 8, t * 8 + t + 1);
      const before = new Uint8Array(64);
      for (let t = 1; t < 8; t++) before[t * 8 + t - 1] = 255;
      return [head((t) => t), head((t) => t - 1), head(() => 0), head((t) => t - 4),
        head((t) => t - 3), habit(measures(even, ids)),
        habit(measures(before.map((w) => w / 8), ids))];
    })""")
    assert said == [
        "mostly at itself, 100\u00a0% (by chance 20\u00a0%)",  # the mean of 1/3 to 1/8
        "mostly at the token before, 100\u00a0% (by chance 20\u00a0%)",
        "mostly at the first token, 100\u00a0% (by chance 20\u00a0%)",
        "mostly at the same token, earlier, 100\u00a0% (by chance 16\u00a0%)",  # of 1/5 to 1/8
        "mostly at what followed the same token, earlier, 100\u00a0% (by chance 16\u00a0%)",
        "spread over many tokens",
        "spread over many tokens",  # an eighth at the token before is less than chance
    ]


def test_what_chance_would_do_as_well_is_no_habit(reader):
    """Of a text of one token, most is the same token, earlier."""
    reader.frame()
    said = reader.value("""import('/playground/attention_measures.js').then(({measures, habit}) => {
      const ids = new Array(16).fill(7), even = new Uint8Array(256);
      for (let t = 0; t < 16; t++) even.fill(255 / (t + 1), t * 16, t * 16 + t + 1);
      return habit(measures(even, ids));
    })""")
    assert said == "spread over many tokens"


@pytest.mark.parametrize("width", [360, 560, 1280])
@pytest.mark.parametrize("count", [2, 6, 7, 12])
def test_heads_stand_in_rows_that_are_equally_full(reader, width, count):
    reader.browser.resize(width, 900)
    answer = {
        "tokens": [{"id": 1, "text": "a"}], "first": 0, "n_layer": 1, "n_head": count,
        "weights": base64.b64encode(b"\xff" * count).decode(),
    }  # fmt: skip
    given = {"model": "x", "ids": [1]}
    reader.show(
        "attention", "showAttention", given, f"{{post: async () => ({json.dumps(answer)})}}"
    )
    reader.until("document.querySelector('.looked-at li')")
    boxes = reader.value(
        "[...document.querySelectorAll('.head')].map((e) => e.getBoundingClientRect())"
        ".map(({top, width}) => [Math.round(top), width])"
    )
    rows = [*Counter(top for top, _ in boxes).values()]
    assert max(rows) - rows[-1] < len(rows)
    assert all(90 < width < 200 for _, width in boxes)
    reader.browser.resize(1280, 900)  # arranged anew
    if count == 6:
        tops = "new Set([...document.querySelectorAll('.head')].map((e) => e.offsetTop)).size"
        reader.until(f"{tops} === 1")


def test_attention_of_hostile_text_and_of_a_refusal(reader):
    reader.read_attention(TOKENIZER.encode_ordinary(HOSTILE)[-60:])
    assert "onload" in "".join(reader.texts(".reading .token-box"))
    refusing = "{post: async () => { throw new Error('layer is 9; it must be at most 1') }}"
    reader.show("attention", "showAttention", {"model": "x", "ids": [1]}, refusing)
    reader.until("/layer is 9/.test(document.querySelector('.problem').textContent)")


def test_the_inspector_opens_attention_and_sources(reader):
    """From an answer to what it looked at and where it has it from."""
    reader.open("chat")
    reader.browser.click("#chat .composer textarea")
    reader.browser.type("the list")
    reader.browser.press("Enter")
    reader.until("document.querySelector('.answer .about') && !document.querySelector('.writing')")
    reader.press_button("Show tokens")
    reader.focus(".inspector [data-place='2']")
    reader.press_button("Attention")
    reader.until("document.querySelector('.looked-at li')")
    # what was opened below the edge of the window is brought into sight, its button too
    top = "document.querySelector('.extras').getBoundingClientRect().top"
    reader.until(f"{top} > 40 && {top} < 200")
    assert reader.value("document.activeElement.textContent") == "Attention"
    reader.browser.press("ArrowRight")
    reader.press_button("Where did it get that?")
    reader.until("/no page was copied/.test(document.querySelector('.inspector').innerText)")
    assert reader.value("document.querySelectorAll('.attention-view').length") == 0


# ---- sources ------------------------------------------------------------------------------------


def test_a_copied_span_is_found_marked_and_shown_in_its_page(reader):
    reader.read_sources(f"Nobody: {COPIED}!")
    assert reader.texts(".answer mark") == [COPIED]
    assert "14 words, 2 times in 2 pages" in reader.text(".spans")
    assert "One passage was found." in reader.texts(".sources-view p")
    link = reader.value("document.querySelector('.spans a').href")
    assert link == "https://example.org/3"
    reader.browser.click(".spans button")
    reader.until("document.querySelector('dialog[open] mark')")
    assert reader.text("dialog mark") == COPIED
    assert HOSTILE in reader.text("dialog .document")
    reader.press_button("Close")
    reader.until("!document.querySelector('dialog.page-text')")


def test_an_address_that_would_run_something_is_no_link(reader):
    reader.read_sources(COPIED)
    assert reader.value("document.querySelectorAll('.spans ul > li').length") == 2
    links = reader.value("[...document.querySelectorAll('.spans a')].map((a) => a.protocol)")
    assert links == ["https:"]
    assert HOSTILE in reader.text(".spans")


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("http://127.0.0.1:43567/os.html", False),
        ("http://localhost:8000/", False),
        ("http://docs.localhost/", False),
        ("http://[::1]:8000/", False),
        ("http://127.example.org/", True),
        ("https://localhost.example.org/", True),
    ],
)
def test_the_address_of_a_server_that_ended_with_the_crawl_is_told_but_no_link(reader, url, linked):
    place = {"url": url, "title": "os", "excerpt": "a b", "mark": [0, 1], "page": "/x"}
    span = {"start": 0, "end": 1, "words": 1, "times": 1, "documents": 1, "places": [place]}
    api = f"{{post: async () => ({json.dumps({'spans': [span]})})}}"
    reader.show("sources", "showSources", {"model": "base", "text": "a"}, api)
    reader.until("document.querySelector('.spans ul li')")
    assert reader.value("document.querySelectorAll('.spans a').length") == linked
    shown = reader.value(
        "[...document.querySelector('.spans ul li').children].map((e) => e.innerText)"
    )
    if linked:
        assert shown[:2] == ["os", "Show the text"]
    else:
        assert shown[:2] == ["Show the text", f"os {url}"]


def test_the_page_makes_no_link_of_such_an_address_even_if_the_server_gave_one(reader):
    place = {
        "url": SCRIPT_URL, "title": HOSTILE, "excerpt": HOSTILE, "mark": [0, 8], "page": "/x",
    }  # fmt: skip
    span = {"start": 0, "end": 8, "words": 1, "times": 1, "documents": 1, "places": [place]}
    page = {"url": "data:text/html,x", "title": HOSTILE, "text": HOSTILE, "start": 0, "end": 8}
    found, shown = json.dumps({"spans": [span]}), json.dumps(page)
    api = f"{{post: async () => ({found}), get: async () => ({shown})}}"
    reader.show("sources", "showSources", {"model": "base", "text": HOSTILE}, api)
    reader.until("document.querySelector('.spans li')")
    reader.browser.click(".spans button")
    reader.until("document.querySelector('dialog[open]')")
    assert reader.text("dialog .document") == HOSTILE
    assert reader.value("document.querySelectorAll('main a, dialog a, img').length") == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"spans": []}, "no page was copied"),
        ({"missing": "no out folder is known"}, "no out folder is known"),
        ({"indexing": True, "share": 0.25}, ": 20 %"),
    ],
)
def test_sources_say_why_there_are_none(reader, answer, said):
    api = f"{{post: async () => ({json.dumps(answer)})}}"
    reader.show("sources", "showSources", {"model": "base", "text": "a"}, api)
    reader.until(f"/{said}/.test(document.querySelector('.sources-view').innerText)")


# ---- every view, on every screen, for everybody -------------------------------------------------

IDS = TOKENIZER.encode_ordinary("the list of the list returns a value")
VIEWS = {
    "tokenizer of nothing": lambda reader: reader.read_tokenizers(""),
    "tokenizer": lambda reader: reader.read_tokenizers("a list, größer\n数 7 🙂"),
    "training": lambda reader: reader.read_training(),
    "attention": lambda reader: reader.read_attention(IDS),
    "sources": lambda reader: reader.read_sources(f"x {COPIED} " + "y" * 200),
}


def open_details(reader):
    reader.value("document.querySelectorAll('details').forEach((e) => (e.open = true))")


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_phone(reader, view):
    reader.browser.resize(360, 740)
    VIEWS[view](reader)
    open_details(reader)
    assert reader.value("document.documentElement.scrollWidth") <= 360


@pytest.fixture(scope="module")
def axe():
    """The text of axe-core."""
    package = pytest.importorskip("axe_core_python", reason="needs axe-core-python")
    return (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")


@contextmanager
def ruled_out(browser):
    """Let axe-core in: the page's policy would stop what it inserts."""
    browser.call("Page.setBypassCSP", enabled=True)
    yield
    browser.call("Page.setBypassCSP", enabled=False)


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(reader, axe, view):
    with ruled_out(reader.browser):
        VIEWS[view](reader)
        open_details(reader)
        reader.value(axe + ";0")
        for dark in (False, True):
            reader.browser.resize(1280, 900, dark)
            found = reader.value(
                "axe.run().then(({violations}) => violations"
                ".filter(({impact}) => ['serious', 'critical'].includes(impact))"
                ".map(({id, nodes}) => [id, nodes.map((n) => n.html + n.failureSummary)]))"
            )
            assert found == [], f"dark: {dark}"
