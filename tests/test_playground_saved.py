"""The page in a real browser: saved conversations."""

import json

import pytest
from playground_page import ask, finished, focus, reply, texts

pytest_plugins = ["playground_fixtures"]


def test_a_conversation_survives_a_reload_with_its_tokens(page):
    ask(page, "rain")
    finished(page, 1)
    body = texts(page, ".body")
    page.open(page.evaluate("location.href"))
    page.wait_until("document.querySelector('.answer')")
    assert texts(page, ".body") == body
    page.click("[data-key=tokens]")
    page.click(".token")
    assert len(texts(page, ".alternatives li")) >= 10


def test_conversations_are_renamed_and_deleted_and_brought_back(page):
    ask(page, "rain")
    finished(page, 1)
    page.click(".conversations .icon", 0)
    page.type("Weather")
    page.press("Enter")
    assert (texts(page, ".conversations .open"), focus(page)) == (["Weather"], "Weather")
    page.click(".sidebar .new")
    ask(page, "snow")
    finished(page, 1)
    assert texts(page, ".conversations .open") == ["snow", "Weather"]
    page.click("[title='Delete “Weather”']")
    assert texts(page, ".conversations .open") == ["snow"]
    assert focus(page) == "Undo"
    page.press("Enter")
    assert texts(page, ".conversations .open") == ["snow", "Weather"]
    assert texts(page, ".question") == ["rain"]


def test_a_deletion_of_a_title_without_a_blank_is_undone_by_a_word_on_one_line(page):
    reply(page, "so it is")
    ask(page, "x" * 200)
    finished(page, 1)
    page.click(".conversations [title^=Delete]")
    page.wait_until("document.querySelector('.undo .link')")
    page.evaluate("(window.word = document.createRange())"
                  ".selectNodeContents(document.querySelector('.undo .link'))")  # fmt: skip
    assert page.evaluate("word.getClientRects().length") == 1
    assert page.evaluate("document.querySelector('.undo').scrollWidth <= "
                         "document.querySelector('.sidebar').clientWidth")  # fmt: skip


def test_conversations_are_exported_as_lines_and_imported_again(page):
    ask(page, "rain & <b>snow</b>")
    finished(page, 1)
    body = page.evaluate(
        "import('/playground/saved.js').then((saved) => saved.list()[0].nodes[1].content)"
    )
    lines = page.evaluate(
        "import('/playground/saved.js').then((saved) => saved.toLines(saved.list()))"
    )
    messages = json.loads(lines)["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant"]
    assert [m["content"] for m in messages] == ["rain & <b>snow</b>", body]
    import_file(page, lines * 2)
    page.wait_until("document.querySelectorAll('.conversations .open').length === 3")
    page.click(".conversations .open", 0)
    assert texts(page, ".question") == ["rain & <b>snow</b>"]
    page.click("[data-key=tokens]")
    assert "Nothing is known" in texts(page, ".body")[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The file is empty"),
        ("{", "Line 1: this is no JSON"),
        ('{"messages": []}', "Line 1: there are no messages"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "message 1 must be of the user"),
        ('{"messages": [{"role": "user", "content": 1}]}', "message 1 has no text"),
        ('{"messages": [null]}', "message 1 has no text"),
        ("null", "Line 1: there are no messages"),
    ],
)
def test_a_file_that_holds_no_conversations_is_refused_with_a_reason(page, text, said):
    import_file(page, text)
    page.wait_until("document.querySelector('.sidebar .problem')")
    assert said in texts(page, ".sidebar .problem")[0]


def import_file(page, text):
    page.evaluate(
        "((input, data) => { data.items.add(new File([" + json.dumps(text) + "], 'x.jsonl'));"
        " input.files = data.files; input.dispatchEvent(new Event('change')); })"
        "(document.querySelector('[type=file]'), new DataTransfer())"
    )


def talk(question, answer):
    said = {"role": "user", "content": question}, {"role": "assistant", "content": answer}
    return json.dumps({"messages": said}) + "\n"


def test_a_conversation_that_is_opened_shows_what_was_said_last(page):
    long = [{"role": ("user", "assistant")[i % 2], "content": f"number {i}"} for i in range(40)]
    import_file(page, json.dumps({"messages": long}) + "\n")
    page.wait_until("document.querySelector('.conversations .open')")
    page.click(".conversations .open")
    page.wait_until("document.querySelectorAll('.thread > li').length === 40")
    page.wait_until("scrollY + innerHeight >= document.documentElement.scrollHeight - 1")
    page.click(".sidebar .new")
    page.wait_until("scrollY === 0")


def test_a_new_conversation_is_read_from_its_top_on_a_small_screen(page):
    page.resize(1280, 320)
    ask(page, "rain")
    finished(page, 1)
    page.click(".sidebar .new")
    page.wait_until("!document.querySelector('.empty').hidden")
    assert page.evaluate("document.documentElement.scrollHeight > innerHeight + 50")
    assert page.evaluate("scrollY") == 0


def test_titles_that_begin_alike_are_told_apart(page):
    import_file(page, "".join(talk(f"What is the module number {i} for?", "x") for i in (1, 2)))
    page.wait_until("document.querySelectorAll('.conversations .open').length === 2")
    assert page.evaluate(
        "[...document.querySelectorAll('.conversations .open span')]"
        ".every((e) => e.scrollHeight <= e.clientHeight + 1 && e.scrollWidth <= e.clientWidth + 1)"
    )


def test_what_is_imported_is_listed_as_in_the_file(page):
    titles = [f"What is {i}?" for i in range(12)]
    import_file(page, "".join(talk(title, "x") for title in titles))
    page.wait_until("document.querySelectorAll('.conversations .open').length === 12")
    assert texts(page, ".conversations .open") == titles


def test_many_conversations_are_searched_by_what_was_said(page):
    import_file(page, "".join(talk(f"What is {i}?", f"{i} is a Number") for i in range(7)))
    page.wait_until("document.querySelectorAll('.conversations .open').length === 7")
    assert page.evaluate("document.querySelector('.search').hidden")
    import_file(page, talk("And rain?", "It falls."))
    page.wait_until("!document.querySelector('.search').hidden")
    page.click(".search")
    for text, found in (("FALLS", ["And rain?"]), ("number", 7), ("what is 3", ["What is 3?"]),
                        ("snow", [])):  # fmt: skip
        page.evaluate("document.querySelector('.search').select(); 0")
        page.type(text)
        titles = texts(page, ".conversations .open")
        assert (len(titles) if isinstance(found, int) else titles) == found
    assert texts(page, ".conversations .none") == ["No conversation says this."]
    page.click(".sidebar .new")
    assert len(texts(page, ".conversations .open")) == 8


def test_what_is_imported_is_listed_whatever_is_searched_for(page):
    import_file(page, "".join(talk(f"What is {i}?", "x") for i in range(8)))
    page.wait_until("!document.querySelector('.search').hidden")
    page.click(".search")
    page.type("7")
    assert texts(page, ".conversations .open") == ["What is 7?"]
    import_file(page, talk("And rain?", "It falls."))
    page.wait_until("document.querySelectorAll('.conversations .open').length === 9")


def test_when_the_storage_is_full_old_tokens_make_room(page):
    """Those, too, that are shown just now: whoever clicked one would find nothing behind it."""
    ask(page, "rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    page.wait_until("document.querySelector('.token')")
    kept = page.evaluate(
        """import('/playground/saved.js').then(async (saved) => {
          const [old] = saved.list();
          const put = Storage.prototype.setItem; // a browser that has little room
          Storage.prototype.setItem = function (key, value) {
            const others = Object.entries(this).filter(([name]) => name !== key);
            if (JSON.stringify(others).length + value.length > 5000) throw new Error("full");
            put.call(this, key, value);
          };
          const { newConversation, add } = await import('/playground/conversation.js');
          const fresh = newConversation();
          add(fresh, null, "user", "y".repeat(1000));
          return [saved.save(fresh), old.nodes.some((node) => node.tokens), old.nodes.length];
        })"""
    )
    assert kept == [True, False, 2]
    assert texts(page, ".token") == []
    assert "room had to be made" in texts(page, ".body")[0]


def test_an_answer_goes_on_while_another_conversation_is_open(slow_page):
    page = slow_page
    ask(page, "rain")
    page.wait_until("document.querySelector('.about')?.innerText.includes('token')")
    page.click(".sidebar .new")
    assert page.evaluate("document.querySelector('.composer .send').title") == "Send"
    assert texts(page, ".answer") == []
    page.click(".conversations .open")
    assert page.evaluate("document.querySelector('.composer .send').title") == "Stop"
    before = page.evaluate("document.querySelector('.body').innerText.length")
    page.wait_until(f"document.querySelector('.body').innerText.length > {before}")
    page.click(".composer .send")
    finished(page, 1)


def test_a_conversation_that_was_deleted_while_it_answered_stays_away(slow_page):
    page = slow_page
    ask(page, "rain")
    page.wait_until("document.querySelector('.about')?.innerText.includes('token')")
    page.click("[title='Delete “rain”']")
    page.wait_until("announcer.textContent.includes('chat')")  # says: it has come to its end
    assert texts(page, ".conversations .open") == []


def test_a_title_that_is_being_written_stays_while_an_answer_ends(slow_page):
    page = slow_page
    ask(page, "rain")
    page.wait_until("document.querySelector('.about')?.innerText.includes('token')")
    page.click(".conversations .icon", 0)
    page.type("Wea")
    page.evaluate("document.querySelector('.composer .send').click()")
    finished(page, 1)
    page.type("ther")
    page.press("Enter")
    assert (texts(page, ".conversations .open"), focus(page)) == (["Weather"], "Weather")


@pytest.mark.parametrize(
    ("button", "field"),
    [("[data-key$=rename]", ".conversations input"), ("[data-key=edit]", ".question textarea")],
)
@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_a_key_that_ends_the_composing_of_a_word_ends_nothing_else(page, button, field, key):
    """As in Japanese: the word is chosen by Enter, or given up by Escape, and writing goes on."""
    ask(page, "rain")
    finished(page, 1)
    page.evaluate(f"document.querySelector('{button}').click()")
    for composing in ("true", "false"):
        assert page.evaluate(f"!!document.querySelector('{field}')")
        page.evaluate(
            f"document.querySelector('{field}').dispatchEvent(new KeyboardEvent('keydown',"
            f" {{key: '{key}', isComposing: {composing}, bubbles: true, cancelable: true}}))"
        )
    assert not page.evaluate(f"!!document.querySelector('{field}')")
    finished(page, 1)


def test_without_room_it_is_said_that_a_new_title_or_an_undone_deletion_is_not_kept(page):
    ask(page, "rain")
    finished(page, 1)
    page.evaluate("Storage.prototype.setItem = () => { throw new Error('full'); }; 0")
    page.click("[data-key$=rename]")
    page.type("Weather")
    page.press("Enter")
    assert "no room left" in texts(page, ".sidebar .problem")[0]
    page.click("[data-key$=remove]")
    assert texts(page, ".sidebar .problem") == []
    page.click(".undo button")
    assert "no room left" in texts(page, ".sidebar .problem")[0]
    assert texts(page, ".conversations .open") == ["Weather"]


# ---- whatever else the storage may hold, or not -------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "it.nodes[0].chosen = 0",  # a path without an end
        "it.nodes[1].parent = 1",
        "it.nodes[0].content = 5",
        "it.nodes[0].role = 'admin'",
        "it.nodes = null",
        "delete it.chosen",
        "it.title = {}",
        "it.id = 'x\"]'",
    ],
)
def test_what_is_no_conversation_is_left_alone_and_the_page_still_works(page, change):
    ask(page, "rain")
    finished(page, 1)
    page.evaluate(
        "(() => { const key = Object.keys(localStorage).find((k) => k.includes('conversation.'));"
        f" const it = JSON.parse(localStorage[key]); {change};"
        " localStorage[key] = JSON.stringify(it); })()"
    )
    page.open(page.evaluate("location.href"))
    page.wait_until("document.querySelector('.suggestions')")
    assert texts(page, ".conversations .open") == []
    ask(page, "snow")
    finished(page, 1)
    assert texts(page, ".conversations .open") == ["snow"]


def test_without_any_room_conversations_are_opened_and_exported_all_the_same(page):
    page.evaluate("Storage.prototype.setItem = () => { throw new Error('full'); }; 0")
    ask(page, "rain")
    finished(page, 1)
    assert "no room left" in texts(page, ".talk .problem")[0]
    page.click(".sidebar .new")
    assert texts(page, ".answer") == []
    page.click(".conversations .open")
    assert texts(page, ".question") == ["rain"]
    lines = page.evaluate(
        "import('/playground/saved.js').then((saved) => saved.toLines(saved.list()))"
    )
    assert json.loads(lines)["messages"][0]["content"] == "rain"


def test_answers_that_are_being_written_are_kept_when_the_page_is_left(slow_page):
    page = slow_page
    ask(page, "rain")
    page.wait_until("document.querySelector('.about')?.innerText.includes('token')")
    page.click(".sidebar .new")  # it goes on where it is not seen
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")
    home = page.evaluate("location.href")
    page.open("about:blank")
    page.open(home)
    page.click(".conversations .open")
    assert texts(page, ".body")[0]
    assert "stopped" in texts(page, ".about")[0]


def test_an_answer_that_a_reload_ends_is_stopped_and_not_the_server_s_fault(slow_page):
    page = slow_page
    ask(page, "rain")
    page.wait_until("document.querySelector('.about')?.innerText.includes('token')")
    page.evaluate("window.isOld = true")
    page.reload()
    page.wait_until("!window.isOld && document.querySelector('.about')")
    assert texts(page, ".about")[0].startswith("stopped · ")
    assert texts(page, ".problem") == []


def write_as_another_tab(page, change):
    """Have what is saved changed, and the page told so, as the browser does for another tab."""
    page.evaluate(
        "(() => { const key = Object.keys(localStorage).find((k) => k.includes('conversation.'));"
        f" const it = JSON.parse(localStorage[key]); {change};"
        " localStorage[key] = JSON.stringify(it);"
        " window.dispatchEvent(new StorageEvent('storage', { key })); })()"
    )


def test_what_another_tab_has_said_is_seen(page):
    ask(page, "rain")
    finished(page, 1)
    write_as_another_tab(page, "it.nodes[1].content = 'said elsewhere'")
    assert texts(page, ".body") == ["said elsewhere"]
    assert texts(page, ".conversations .open") == ["rain"]


def test_two_tabs_that_write_at_once_lose_nothing(slow_page):
    page = slow_page
    ask(page, "rain")
    page.wait_until("document.querySelector('.about')?.innerText.includes('token')")
    write_as_another_tab(page, "it.nodes[1].content = 'said elsewhere'")
    page.click(".composer .send")
    finished(page, 1)
    body = texts(page, ".body")[0]
    assert "said elsewhere" not in body
    assert sorted(texts(page, ".conversations .open")) == ["rain", "rain (copy)"]
    saved = page.evaluate(
        "import('/playground/saved.js').then((saved) => saved.list().map((c) =>"
        " c.nodes[1].content))"
    )
    assert "said elsewhere" in saved and len(saved) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"messages": [{"role": "user", "content": "x"}]}\n' * 1001, "more than 1000"),
        ('{"messages": [{"role": "user", "content": "' + "x" * 5_000_000 + '"}]}', "5.0 million"),
    ],
    ids=["lines", "characters"],
)
def test_a_file_too_large_for_the_storage_is_refused_whole(page, text, said):
    import_file(page, text)
    page.wait_until("document.querySelector('.sidebar .problem')")
    assert said in texts(page, ".sidebar .problem")[0]
    assert texts(page, ".conversations .open") == []


def test_each_tab_has_its_own_conversation_and_a_new_one_begins_with_the_last(page):
    for text in ("rain", "snow"):
        page.click(".sidebar .new")
        ask(page, text)
        finished(page, 1)
    page.click(".conversations .open", 1)  # rain: the other was said later
    assert texts(page, ".question") == ["rain"]
    other_tab_opens_snow = (
        "import('/playground/saved.js').then((saved) => localStorage.setItem('minigpt.last',"
        " saved.list().find((each) => each.title === 'snow').id))"
    )
    page.evaluate(other_tab_opens_snow)
    reload(page)
    assert texts(page, ".question") == ["rain"]
    page.evaluate(other_tab_opens_snow)
    page.evaluate("sessionStorage.clear()")  # as in a new tab
    reload(page)
    assert texts(page, ".question") == ["snow"]


def reload(page):
    page.open(page.evaluate("location.href"))
    page.wait_until("document.querySelector('.question')")
