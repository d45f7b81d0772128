"""The page in a real browser: the names that were taught, and what is offered to ask next."""

import json
import shutil
from pathlib import Path

import pytest
from playground_page import ask, finished, focus, reply, texts
from test_playground_access import AXE_RUN, tab_to

pytest_plugins = ["playground_fixtures"]

HOSTILE = "<img src=x onerror=document.title='run'>"
TAUGHT = [
    ("module", "json"), ("function", "json.dump"), ("function", "json.dumps"),
    ("signature", "json.dumps"), ("function", "abs"), ("module", "os"), ("module", "os.path"),
    ("function", "os.path.join"), ("class", HOSTILE),
]  # fmt: skip
SEEN = "[...document.querySelectorAll('.names button.name')].filter((e) => e.checkVisibility())"


@pytest.fixture(scope="module")
def questions(folders):
    """What an assistant that was taught TAUGHT leaves beside itself."""
    path = folders[0].parent / "conversations" / "questions.jsonl"
    path.parent.mkdir()
    with path.open("w") as file:
        for kind, name in TAUGHT:
            said = [{"content": f"Which {kind} is {name}?"}, {"content": f"{name}: a text."}]
            line = {"asks": "known", "kind": kind, "name": name, "messages": said}
            file.write(json.dumps(line) + "\n")
    yield
    shutil.rmtree(path.parent)


@pytest.fixture
def taught(questions, page):
    page.wait_until("document.querySelector('[data-key=names]')")
    return page


def test_names_that_belong_together_stand_in_a_row_and_are_found_by_a_part_of_them(taught):
    taught.click("[data-key=names]")
    assert texts(taught, ".names h3") == [
        "Names, and what belongs to them", "Other classes", "Other functions"
    ]  # fmt: skip
    rows = "[...document.querySelectorAll('.names li')].map((e) => e.innerText.split(/\\s*\\n/))"
    assert taught.evaluate(rows) == [
        ["json", ".dump", ".dumps"], ["os", ".path", ".path.join"], [HOSTILE], ["abs"]
    ]  # fmt: skip
    assert texts(taught, ".names [role=status]") == ["8 names"]
    assert focus(taught) == "Search names"
    taught.type("DUMP")
    assert taught.evaluate(SEEN + ".map((e) => e.ariaLabel)") == ["json", "json.dump", "json.dumps"]
    assert texts(taught, ".names [role=status]") == ["2 names"]
    taught.press("Enter")  # it could be either
    assert taught.evaluate("document.querySelector('dialog').open")
    taught.type("s")
    taught.press("Enter")
    finished(taught, 1)
    assert texts(taught, ".question") == ["What is json.dumps for?"]
    assert not taught.evaluate("document.querySelector('dialog')")
    assert focus(taught) == "Message"


def test_names_are_found_again_by_keyboard_when_the_talk_has_begun(taught):
    ask(taught, "rain")
    finished(taught, 1)
    tab_to(taught, "Names: 8 taught")
    taught.press("Enter")
    taught.type("lantern")
    assert texts(taught, ".names [role=status]")[0].startswith("It was taught no such name.")
    assert taught.evaluate(SEEN + ".length") == 0
    taught.evaluate("document.activeElement.select()")
    taught.type("os")
    taught.press("Tab")
    assert focus(taught) == "os"
    taught.press("Tab")
    assert focus(taught) == "os.path"
    taught.press("Escape")
    assert focus(taught) == "Names: 8 taught"
    taught.press("Enter")
    taught.type("os")
    taught.press("Enter")  # os.path and os.path.join have it in them, too, but this is it
    finished(taught, 2)
    assert texts(taught, ".question") == ["rain", "What does the module os do?"]


def test_a_base_model_has_no_names(taught):
    picker = "document.querySelector('#chat .picker')"
    taught.evaluate(f"{picker}.value = 'base'; {picker}.dispatchEvent(new Event('change'))")
    assert texts(taught, "[data-key=names]") == []
    assert "Names" not in "".join(texts(taught, "#chat .composer button:not([hidden])"))


OFFERED = {
    "Module json: a text.":
        ["Which functions does json have?", "What is json.dump for?", "What is json.dumps for?"],
    "Function json.dumps: a text.":
        ["How do I call json.dumps?", "What does the module json do?", "What is json.dump for?"],
    "Function join: it is in os.path.": ["What does the module os.path do?"],
    "json.dump: I was not taught that.":
        ["What is json.dump for?", "What does the module json do?", "What is json.dumps for?"],
    "Function abs: a text.": ["Names that it was taught"],
    "Module jsn? I do not know that name.": ["Names that it was taught"],
    "I am minigpt.": ["Names that it was taught"],
}  # fmt: skip


def test_next_is_offered_what_was_taught_of_the_name_and_around_it(taught):
    for said, offered in OFFERED.items():
        taught.click(".sidebar .new")
        reply(taught, said)
        ask(taught, "rain")
        finished(taught, 1)
        assert texts(taught, ".next button") == offered


def test_beneath_an_answer_about_no_name_those_that_the_question_has_are_offered(taught):
    reply(taught, "That is beyond me.")
    ask(taught, "How do I join (or dump) this as JSON?")
    finished(taught, 1)
    offered = [
        "What does the module json do?",
        "What is json.dump for?",
        "What is os.path.join for?",
    ]
    assert texts(taught, ".next button") == offered
    reply(taught, "Function abs: a text.")
    ask(taught, "How do I join (or dump) this as JSON?")
    finished(taught, 2)
    assert texts(taught, ".next button") == offered


def test_what_was_asked_is_not_offered_again_nor_beneath_what_broke_off(taught):
    reply(taught, "Function json.dumps: a text.")
    ask(taught, "How do I call json.dumps?")
    finished(taught, 1)
    assert texts(taught, ".next button")[0] == "What does the module json do?"
    taught.click(".next button")
    finished(taught, 2)
    assert texts(taught, ".question")[1] == "What does the module json do?"
    assert texts(taught, ".next button") == ["What is json.dump for?"]
    assert focus(taught) == "Message"
    reply(taught, "Module json: a text.")
    ask(taught, "snow")
    finished(taught, 3)
    assert texts(taught, ".next button") == [
        "Which functions does json have?", "What is json.dump for?"  # json.dumps was told
    ]  # fmt: skip
    reply(taught, "Module json: a text", cut=True)
    ask(taught, "rain")
    taught.wait_until("document.querySelector('.answer .problem')")
    assert texts(taught, ".next button") == []


def test_the_names_fit_a_phone_and_axe_finds_no_serious_problem(taught):
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core-python, of the test extra")
    taught.resize(320, 568)
    reply(taught, "Module json: a text.")
    ask(taught, "rain")
    finished(taught, 1)
    taught.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text("utf-8") + ";0")
    assert taught.evaluate("document.documentElement.scrollWidth") <= 320
    tools = "[...document.querySelectorAll('.composer .quiet')]"
    assert taught.evaluate(f"{tools}.every((e) => e.scrollWidth <= e.offsetWidth)")  # none is cut
    for dark in (False, True):
        taught.resize(320, 568, dark)
        assert taught.evaluate(AXE_RUN) == []
        taught.evaluate(f"{tools}[2].click()")
        assert taught.evaluate("document.querySelector('dialog').scrollWidth") <= 320
        assert taught.evaluate(AXE_RUN) == []
        taught.press("Escape")
