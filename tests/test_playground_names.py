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


def offered(page, names, *said):
    """Return what is offered after these questions and answers; `names` as server sends them."""
    names = [
        {"kind": "term", "parent": "", "ask": f"What is {name}?", "more": [], "right": True} | more
        for name, more in ((one["name"], one) for one in names)
    ]
    return page.evaluate(
        f"""Promise.all([import("/playground/conversation.js"),
                         import("/playground/next_questions.js")]).then(
            ([{{ newConversation, add }}, {{ nextQuestions }}]) => {{
                const conversation = newConversation();
                let last = null;
                for (const [i, text] of {json.dumps(said)}.entries()) {{
                    last = add(conversation, last, i % 2 ? "assistant" : "user", text);
                    last.finish = "stop";
                }}
                return nextQuestions(conversation, {json.dumps(names)});
            }})"""
    )


def named(*names):
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("names", "answer", "about"),
    [
        (("INTO", "SELECT INTO"), "SELECT INTO: a text.", "SELECT INTO"),
        (("INTO",), "SELECT INTO: a text.", None),
        (("Files", "Files: open", "open"), "Page Files: open: a text: here.", "Files: open"),
        (("Files", "Files: open", "open"), "Page Files: a text.", "Files"),
        (("open", "gzip.open"), "Function open: it is in gzip.", "gzip.open"),
        (("open", "gzip.open"), "Function open: it is in bz2.", "open"),
        (("json.dumps",), "Function json.dumps: it is in json.", "json.dumps"),
        (("Function open", "open"), "Function open: a text.", "Function open"),
    ],
)
def test_the_name_is_the_longest_that_an_answer_begins_with(page, names, answer, about):
    more = [[{"ask": f"More of {name}?", "answer": "Yes."}] for name in names]
    known = [{"name": name, "more": each} for name, each in zip(names, more, strict=True)]
    assert offered(page, known, "rain", answer) == ([f"More of {about}?"] if about else [])


def test_what_would_give_an_answer_once_more_is_not_offered(page):
    known = [{"name": "abs", "more": [{"ask": "How do I call abs?", "answer": "abs: abs(x)"}]}]
    call = ["How do I call abs?"]
    assert offered(page, known, "What is abs?", "abs: a text.") == call
    assert offered(page, known, "What arguments has abs?", "abs: abs(x)") == ["What is abs?"]
    assert offered(page, known, "abs(?)", "abs: abs(x)", "What is abs?", "abs: a text.") == []
    assert offered(page, known, " How do I call abs?\n", "abs: no", "abs?", "abs: a text.") == []
    wrong = [known[0] | {"right": False}]
    assert offered(page, wrong, "What arguments has abs?", "abs: abs(x)") == []


def test_a_name_of_the_question_that_belongs_to_the_answers_is_offered_once(page):
    known = [{"name": "os"}, {"name": "os.path", "parent": "os"}]
    assert offered(page, known, "Is path in os?", "os: a text.") == ["What is os.path?"]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Can you help me with all of this? Which is it?", []),
        ("Show me any of these.", []),
        ("What are `all` and help() and WHICH?", ["all", "help", "shutil.which"]),
        ("How do I sort a list?", ["list", "list.sort"]),
        ("Was ist eine Größe?", ["größe"]),
        ("Что такое цикл?", ["цикл"]),
        ("Was ist eine Gr?", []),
    ],
)
def test_a_word_of_everyday_use_is_a_name_only_where_it_is_written_as_one(page, question, found):
    names = "all", "any", "git-show", "größe", "help", "list", "list.sort", "shutil.which", "цикл"
    assert offered(page, named(*names), question, "That is beyond me.") == [
        f"What is {name}?" for name in found
    ]


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
