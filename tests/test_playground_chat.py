"""The page in a real browser: asking, stopping, versions, settings, and what goes wrong."""

import json
import shutil

import pytest
from playground_page import announced, ask, finished, focus, go, reply, set_settings, spy, texts

from minigpt.chat_format import conversation

pytest_plugins = ["playground_fixtures"]


def test_a_newcomer_is_told_what_the_model_can_do_and_asks_by_a_click(page):
    assert "cannot reason" in texts(page, ".empty")[0]
    page.click(".suggestions button")
    finished(page, 1)
    assert texts(page, ".question") == ["What can you do?"]
    assert focus(page) == "Message"
    assert texts(page, ".answer .body")[0]
    assert "tokens/s" in texts(page, ".about")[0]


def test_an_answer_streams_and_can_be_stopped(slow_page):
    page = slow_page
    ask(page, "rain")
    page.wait_until("document.querySelector('.answer .body').innerText.length > 3")
    before = texts(page, ".answer .body")[0]
    page.wait_until(f"document.querySelector('.body').innerText.length > {len(before) + 3}")
    assert page.evaluate("document.querySelector('.composer .send').title") == "Stop"
    page.click(".composer .send")
    finished(page, 1)
    assert texts(page, ".about")[0].startswith("stopped · ")  # before all figures
    assert len(texts(page, ".answer .body")[0]) > len(before)
    page.wait_until("document.getElementById('announcer').textContent.includes('stopped')")


def test_escape_stops_and_the_focus_stays_in_the_message(slow_page):
    ask(slow_page, "rain")
    slow_page.wait_until("document.querySelector('.answer .about').innerText.includes('token')")
    slow_page.press("Escape")
    finished(slow_page, 1)
    assert focus(slow_page) == "Message"


def test_a_finished_answer_is_announced_once_and_no_token_before(slow_page):
    page = slow_page
    page.evaluate(
        "window.said = []; new MutationObserver(() => said.push(announcer.textContent))"
        ".observe(announcer, {childList: true}); 0"
    )
    ask(page, "rain")
    page.wait_until("document.querySelector('.answer .about').innerText.includes('token')")
    assert page.evaluate("said.filter(Boolean).length") == 0
    page.press("Escape")
    page.wait_until("said.filter(Boolean).length")
    assert page.evaluate("said.filter(Boolean)") == [announced(page)]
    assert announced(page).startswith("chat, stopped, says: ")


def test_another_answer_keeps_the_earlier_one_to_leaf_back_to(page):
    ask(page, "rain")
    finished(page, 1)
    first = texts(page, ".body")[0]
    page.click("[data-key=again]")
    finished(page, 1)
    page.wait_until("document.querySelector('.leaves')")
    assert focus(page) == "Answer again"
    assert texts(page, ".leaves") == ["2/2"]
    assert texts(page, ".body")[0] != first
    page.click("[title='Earlier version']")
    assert (texts(page, ".body")[0], texts(page, ".leaves")) == (first, ["1/2"])
    assert focus(page) == "Earlier version"  # still there, though it leads nowhere now


def test_at_temperature_0_another_answer_is_another_one(page):
    assert texts(page, ".composer .values")[0] == ": temperature 0"  # at first
    ask(page, "rain")
    finished(page, 1)
    first = texts(page, ".body")[0]
    page.click("[data-key=again]")
    page.wait_until("document.querySelector('.leaves')")
    finished(page, 1)
    assert texts(page, ".body")[0] != first
    assert "temperature 0.7" in texts(page, ".about")[0]


def test_an_answer_that_broke_off_is_asked_for_as_before(page):
    """At temperature 0 it would not say the same again: it was not said."""
    reply(page, "so it is", cut=True)
    ask(page, "rain")
    finished(page, 1)
    page.evaluate("window.fetch = realFetch; 0")
    page.click("[data-key=retry]")
    page.wait_until("document.querySelector('.leaves')")
    finished(page, 1)
    assert "Drawn at" not in texts(page, ".about")[0]


def test_a_long_message_is_shown_in_part_until_all_of_it_is_wanted(page):
    reply(page, "so it is")
    ask(page, "\n".join(map(str, range(17))))
    finished(page, 1)
    height = "document.querySelector('.question').offsetHeight"
    part = page.evaluate(height)
    assert page.evaluate("document.querySelector('[data-key=fold]').ariaExpanded") == "false"
    page.click("[data-key=fold]")
    assert texts(page, "[data-key=fold]") == ["Show less"]
    assert page.evaluate(height) > part + 100
    page.click("[data-key=fold]")
    assert page.evaluate(height) == part
    ask(page, "\n".join(map(str, range(16))))
    finished(page, 2)
    assert texts(page, "[data-key=fold]") == ["Show all"]  # of the first alone
    page.click("[data-key=fold]")
    ask(page, "and now?")
    finished(page, 3)  # the next answer folds nothing that was unfolded
    assert texts(page, "[data-key=fold]") == ["Show less"]
    assert page.evaluate(height) > part + 100


def test_a_line_stands_where_the_conversation_begins_for_the_model(page):
    items = "[...document.querySelectorAll('.thread > li')]"
    limit = f"{items}.findIndex((e) => e.querySelector('.limit'))"
    set_settings(page, max_tokens="5")
    ask(page, "rain")
    finished(page, 1)
    ask(page, "snow")
    finished(page, 2)
    assert page.evaluate(limit) == -1  # it saw all
    set_settings(page, max_tokens="100")
    ask(page, "hail " * 12)
    finished(page, 3)
    ask(page, "wind")
    finished(page, 4)
    assert page.evaluate(limit) == 6
    said = "chat no longer saw what stands above: it sees 128 tokens and keeps up to a third for"
    assert said in texts(page, ".limit")[0]
    page.open(page.evaluate("location.href"))
    page.wait_until("document.querySelector('.limit')")
    assert page.evaluate(limit) == 6


def test_what_is_not_sent_yet_outlives_a_reload(page):
    box = "document.querySelector('#chat .composer textarea')"
    low = page.evaluate(f"{box}.offsetHeight")
    page.click("#chat .composer textarea")
    page.type("rain\nsnow\nhail")
    page.open(page.evaluate("location.href"))
    page.wait_until(f"{box}?.value")
    assert page.evaluate(f"{box}.value") == "rain\nsnow\nhail"
    page.wait_until(f"{box}.offsetHeight > {low} + 20")
    reply(page, "so it is")
    page.click("#chat .composer textarea")
    page.press("Enter")
    finished(page, 1)
    page.open(page.evaluate("location.href"))
    page.wait_until(box)
    assert page.evaluate(f"{box}.value") == ""


def test_an_edited_message_begins_a_branch(page):
    ask(page, "rain")
    finished(page, 1)
    ask(page, "and then?")
    finished(page, 2)
    page.click("[data-key=edit]")
    assert focus(page) == "Edit message"
    page.evaluate("document.activeElement.select()")
    page.type("snow")
    page.press("Enter")
    finished(page, 1)
    assert texts(page, ".question") == ["snow"]
    page.click("li.user [title='Earlier version']")
    assert texts(page, ".question") == ["rain", "and then?"]
    page.click("[data-key=edit]")
    page.press("Escape")
    assert texts(page, ".question") == ["rain", "and then?"]
    assert focus(page) == "Edit message"  # the button again


def test_the_conversation_so_far_is_sent_with_the_system_prompt(page):
    spy(page)
    page.click("[aria-expanded=false].quiet")
    page.type("Speak like rain.")
    ask(page, "one")
    finished(page, 1)
    ask(page, "two")
    finished(page, 2)
    sent = page.evaluate("sent.at(-1)")
    roles = [message["role"] for message in sent["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert sent["messages"][0]["content"] == "Speak like rain."
    assert sent["logprobs"] and sent["return_token_ids"]


def test_settings_are_sent_and_kept(page):
    set_settings(
        page, temperature="0.25", top_p="0.9", top_k="7", min_p="0.1", max_tokens="5", seed="3"
    )
    expected = {
        "temperature": 0.25,
        "top_p": 0.9,
        "top_k": 7,
        "min_p": 0.1,
        "max_tokens": 5,
        "seed": 3,
    }
    spy(page)
    ask(page, "rain")
    finished(page, 1)
    assert page.evaluate("sent[0]").items() >= expected.items()
    assert texts(page, ".about")[0].startswith("cut off at “max tokens” of the settings · 5 tokens")
    page.open(page.evaluate("location.href"))
    page.wait_until("document.querySelector('.composer .values')")
    assert texts(page, ".composer .values")[0] == (
        ": temperature 0.25, top-p 0.9, top-k 7, min-p 0.1, max tokens 5, seed 3"
    )


def test_settings_that_another_tab_has_changed_are_taken_over_and_kept(page):
    page.evaluate("""
        localStorage.setItem('minigpt.settings', '{"temperature": 0.3, "top_p": null}');
        window.dispatchEvent(new StorageEvent('storage', {key: 'minigpt.settings'})); 0
    """)
    assert texts(page, ".composer .values")[0] == ": temperature 0.3"
    set_settings(page, max_tokens="7")
    page.wait_until("!document.querySelector('dialog')")
    assert texts(page, ".composer .values")[0] == ": temperature 0.3, max tokens 7"
    stored = page.evaluate("JSON.parse(localStorage.getItem('minigpt.settings'))")
    assert (stored["temperature"], stored["max_tokens"]) == (0.3, 7)


def test_a_setting_out_of_range_is_not_saved(page):
    set_settings(page, temperature="3")
    assert page.evaluate("document.querySelector('dialog').open")  # the browser says why
    page.press("Escape")
    page.wait_until("!document.querySelector('dialog')")
    assert texts(page, ".composer .values")[0] == ": temperature 0"
    assert focus(page).startswith("Settings")


def test_a_fraction_may_be_any_whatever_the_step_of_the_arrow_keys(page):
    set_settings(page, temperature="0.333", repetition_penalty="1.07")
    page.wait_until("!document.querySelector('dialog')")
    expected = ": temperature 0.333, repetition penalty 1.07"
    assert texts(page, ".composer .values")[0] == expected
    set_settings(page, top_k="2.5")
    assert page.evaluate("document.querySelector('dialog').open")  # there is no half of a token
    assert page.evaluate("document.querySelector('#setting-temperature').step") == "0.05"


def choose(page, name):
    page.evaluate(f"document.querySelector('.picker').value = '{name}'")
    page.evaluate("document.querySelector('.picker').dispatchEvent(new Event('change'))")


def choose_base(page):
    choose(page, "base")


def test_a_base_model_which_gets_no_system_prompt_is_offered_none(page):
    assistant = page.evaluate("document.querySelector('.picker').value")
    button = "document.querySelector('.composer .quiet[aria-expanded]')"
    shown = f"{button}.checkVisibility()"
    field = "document.querySelector('#system').checkVisibility()"
    assert page.evaluate(shown) and not page.evaluate(field)
    page.evaluate(f"{button}.click()")
    page.type("Speak like rain.")
    choose_base(page)
    assert not page.evaluate(shown) and not page.evaluate(field)
    choose(page, assistant)
    assert page.evaluate(shown) and page.evaluate(field)
    assert page.evaluate("document.querySelector('#system').value") == "Speak like rain."


def test_a_base_model_goes_on_with_the_text_which_is_said_once(page):
    choose_base(page)
    ask(page, "the rain")
    finished(page, 1)
    body = texts(page, ".body")[0]
    assert body.startswith("the rain") and len(body) > len("the rain")
    ask(page, "and the wind")
    finished(page, 2)
    assert len(texts(page, ".lesson")) == 1
    assert "base is a base model" in texts(page, "li:nth-child(2) .lesson")[0]


def test_without_a_choice_the_temperature_is_one_that_suits_the_model(page):
    """An assistant says the likeliest; a base model would go round in a circle then."""
    spy(page)
    ask(page, "rain")
    finished(page, 1)
    choose_base(page)
    assert texts(page, ".composer .values")[0] == ": temperature 0.8"
    ask(page, "rain")
    finished(page, 2)
    set_settings(page, temperature="0.3", repetition_penalty="1.2")
    ask(page, "rain")
    finished(page, 3)
    sent = page.evaluate("sent")
    assert [body["temperature"] for body in sent] == [0, 0.8, 0.3]
    assert [body.get("repetition_penalty") for body in sent] == [None, None, 1.2]
    page.click("li:nth-child(6) [data-key=tokens]")
    page.wait_until("document.querySelector('.details')")
    assert "penalty made rarer" in texts(page, ".details")[0]


def test_a_base_model_is_given_all_that_was_said_and_only_its_end_where_there_is_more(page):
    choose_base(page)
    page.evaluate("""
        window.sent = [];
        const real = window.fetch;
        window.fetch = (url, options) => {
          if (String(url).endsWith("/v1/completions")) sent.push(JSON.parse(options.body));
          return real(url, options);
        };
    """)
    ask(page, "the rain")
    finished(page, 1)
    ask(page, "and " + 80 * "the wind ")
    finished(page, 2)
    first, second = page.evaluate("sent")
    assert first["prompt"] == "the rain"
    answer = texts(page, ".body")[0].removeprefix("the rain")
    assert second["prompt"].startswith("the rain") and second["prompt"].count("\n") >= 1
    assert second["prompt"].endswith("\nand " + (80 * "the wind ").strip())
    assert "".join(answer.split()) in "".join(second["prompt"].split())
    assert texts(page, ".body")[1].startswith("and the wind")  # the rest is above


def test_a_message_an_answer_and_a_block_of_code_are_copied(page):
    page.call("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    said = "**So:**\n```\nx = 1\n```"
    reply(page, said)
    ask(page, "rain")
    finished(page, 1)
    copied = []
    for selector in (".user [data-key=copy]", ".assistant [data-key=copy]", ".copy-code"):
        page.click(selector)
        page.evaluate("new Promise((done) => setTimeout(done, 50))")
        copied.append(page.evaluate("navigator.clipboard.readText()"))
    assert copied == ["rain", said, "x = 1"]


# ---- when something is wrong -------------------------------------------------------------------


def test_when_the_server_breaks_off_what_came_is_kept_and_can_be_asked_again(page):
    reply(page, "It was going to", cut=True)
    ask(page, "rain")
    page.wait_until("document.querySelector('.answer .problem')")
    assert texts(page, ".body") == ["It was going to"]
    assert "stopped in the middle" in texts(page, ".problem span")[0]
    reply(page, "It rains.")
    page.click("[data-key=retry]")
    finished(page, 1)
    assert texts(page, ".body") == ["It rains."]


@pytest.mark.parametrize(
    ("fake", "said", "button"),
    [
        (
            "Promise.reject(new TypeError('x'))",
            "The server does not answer",
            "Try again",
        ),
        (
            "answer(429, 'x', {'Retry-After': '7'})",
            "Too many are asking at once. Try again in 7 s.",
            "Try again",
        ),
        ("answer(503, 'it starts')", "Not now: it starts. Try again in a moment.", "Try again"),
        ("new Response('', {status: 503})", "the server is busy or starting", "Try again"),
        (
            "answer(500, 'the disk is full')",
            "The disk is full. What the server prints says more; try again.",
            "Try again",
        ),
        ("answer(400, 'at most 100 fit')", "at most 100 fit.", "Edit"),
        ("new Response('', {status: 418})", "The server refused (status 418).", "Ask again"),
        (
            'new Response(\'data: {"error": {"message": "time is up"}}\\n\\n\')',
            "The answer broke off: time is up.",
            "Ask again",
        ),
        ("new Response('data: {\\n\\n')", "cannot be read", "Try again"),
    ],
)
def test_errors_are_sentences_and_what_may_help_is_offered(page, fake, said, button):
    page.evaluate(
        "window.answer = (status, message, headers) =>"
        " new Response(JSON.stringify({ error: { message } }), { status, headers });"
        f"window.fetch = async () => {fake}; 0"
    )
    ask(page, "rain")
    page.wait_until("document.querySelector('.answer .problem')")
    assert said in texts(page, ".problem span")[0]
    assert texts(page, ".problem button") == [button]
    page.wait_until(f"announcer.textContent.includes({json.dumps(said)})")


def test_a_message_too_long_for_the_window_says_so(page):
    ask(page, "rain and snow " * 200)
    page.wait_until("document.querySelector('.answer .problem')")
    said = texts(page, ".problem span")[0]
    assert said.startswith("The message is ") and "fewer words" in said
    assert texts(page, ".about") == [""]
    assert not page.evaluate("document.querySelector('[data-key=tokens]').checkVisibility()")
    assert texts(page, ".problem button") == ["Edit"]  # asking the same again could not help
    page.click("[data-key=retry]")
    assert focus(page) == "Edit message"
    if page.evaluate("CSS.supports('field-sizing: content')"):  # as much of it as there is room for
        assert page.evaluate("document.activeElement.clientHeight > 0.4 * window.innerHeight")
    page.evaluate("document.activeElement.select()")
    page.type("rain")
    page.press("Enter")
    finished(page, 1)
    assert texts(page, ".problem") == []
    page.events[:] = [e for e in page.events if "400 (Bad Request)" not in json.dumps(e)]


def test_what_is_suggested_is_of_the_pages_that_the_models_have_read(page, folders):
    out = folders[0].parent
    questions = out / "conversations" / "questions.jsonl"
    questions.parent.mkdir()
    line = {"asks": "known", "kind": "module", "name": "lantern",
            "messages": [{"content": "What is a lantern?"}]}  # fmt: skip
    own = {"asks": "own", "kind": "own", "messages": conversation("Who sells it?", "We do.")}
    try:
        questions.write_text(f"{json.dumps(line)}\n{json.dumps(own)}\n")
        page.open(page.evaluate("location.href"))
        page.wait_until("document.querySelector('.suggestions')?.innerText.includes('lantern')")
        assert texts(page, "#chat .suggestions span")[::2][1:3] == [
            "What is a lantern?", "Who sells it?"
        ]  # fmt: skip
        assert "One of your own conversations." in texts(page, ".suggestions span")
        # it is none of those to begin with
        assert texts(page, ".taught") == ["It was taught what some names are.\nall names: 1"]
    finally:
        shutil.rmtree(questions.parent)
    go(page, "compare")
    page.click("#compare .suggestions button")
    finished(page, 2, "#compare")
    assert texts(page, "#compare q") == ["What is a lantern?"]
    assert texts(page, "#compare .suggestions") == []


@pytest.mark.parametrize(
    ("asks", "said"),
    [("known", "can answer questions about some names in the pages"),
     ("small_talk", "was taught small talk, and nothing of what its text says"),
     (None, "answers as the conversations do that it has learned from")],
)  # fmt: skip
def test_the_welcome_claims_no_more_than_what_was_taught(page, folders, asks, said):
    questions = folders[0].parent / "conversations" / "questions.jsonl"
    questions.parent.mkdir()
    line = {"asks": asks, "kind": "module", "name": "lantern",
            "messages": [{"content": "What is a lantern?"}]}  # fmt: skip
    try:
        questions.write_text(json.dumps(line) if asks else "")
        page.open(page.evaluate("location.href"))
        page.wait_until(f"document.querySelector('.empty')?.innerText.includes({json.dumps(said)})")
        assert texts(page, ".empty")[0].count("names in the pages") == (asks == "known")
        assert "0" not in texts(page, ".empty")[0].splitlines()  # no names, no number of them
    finally:
        shutil.rmtree(questions.parent)


def serves(server, *names):
    """Wait until a server has found that these are the models there are."""
    from playground_server import until

    until(lambda: [*server.shelf.models] == [*names])


@pytest.fixture
def looking(monkeypatch):
    """Servers look for models all the time."""
    pytest.importorskip("uvicorn", reason="needs the chat extra: pip install .[chat]")
    monkeypatch.setattr("minigpt.serve.LOOK_EVERY_S", 0.05)


def test_models_that_come_and_go_are_seen_without_a_reload(browser, folders, tmp_path, looking):
    from playground_server import serving

    with serving(tmp_path) as server:
        browser.open(server.url + "/")
        browser.wait_until("document.querySelector('.hello')")
        browser.wait_until("!document.querySelector('#chat').hidden")
        (tmp_path / "conversations").mkdir()
        line = {"asks": "known", "kind": "module", "name": "lantern",
                "messages": [{"content": "What is a lantern?"}]}  # fmt: skip
        (tmp_path / "conversations" / "questions.jsonl").write_text(json.dumps(line))
        shutil.copytree(folders[1], tmp_path / "chat")
        serves(server, "chat")
        browser.evaluate("window.dispatchEvent(new Event('focus')); 0")
        browser.wait_until("document.querySelector('.suggestions')")
        # what it was taught stood in no file when the page was opened
        browser.wait_until("document.querySelector('.suggestions').innerText.includes('lantern')")
        assert texts(browser, "[data-key=names]") == ["all names: 1"]
        go(browser, "compare")
        browser.wait_until("document.querySelector('#compare .chip')")
        assert texts(browser, "#compare .chip") == ["chat"]
        browser.evaluate("""(async () => {
            const listed = await (await fetch('/v1/models')).text();
            window.asIs = window.fetch;  // the page does not know yet what becomes of the models
            window.fetch = (path, ...more) => String(path).includes('/v1/models')
              ? Promise.resolve(new Response(listed)) : asIs(path, ...more);
        })()""")
        shutil.copytree(folders[0], tmp_path / "base")
        shutil.rmtree(tmp_path / "chat")
        serves(server, "base")
        go(browser, "chat")
        ask(browser, "rain")
        browser.wait_until("document.querySelector('.answer .problem')")
        assert "no longer served" in texts(browser, ".problem span")[0]
        browser.evaluate("window.fetch = asIs; window.dispatchEvent(new Event('focus')); 0")
        browser.wait_until("document.querySelector('.picker').value === 'base'")
        browser.click("[data-key=retry]")
        finished(browser, 1)
        assert texts(browser, ".lesson")
        go(browser, "compare")
        assert texts(browser, "#compare .chip") == ["base"]


def test_a_late_answer_does_not_bring_back_the_models_there_were(page):
    page.evaluate("""
        window.asIs = window.fetch;
        window.late = [];
        window.fetch = (path, ...more) => !String(path).includes('/v1/models') ? asIs(path, ...more)
          : late.length ? asIs(path, ...more).finally(() => window.newer = true)
          : new Promise((answer) => late.push(answer));
        for (let i = 0; i < 2; i++) window.dispatchEvent(new Event('focus')); 0
    """)
    page.wait_until("window.newer")
    page.evaluate("new Promise((read) => setTimeout(read, 100))")
    page.evaluate("late[0](new Response('{\"data\": []}')); 0")
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    assert page.evaluate("document.querySelector('.picker').options.length") == 2
    assert texts(page, ".suggestions button")


def test_a_late_answer_does_not_bring_back_what_other_models_might_be_asked(page):
    page.evaluate("""
        window.asIs = window.fetch;
        window.listings = 0;
        window.late = [];
        window.fetch = (path, ...more) => {
          if (String(path).includes('/v1/models') && listings++ === 0) {
            return Promise.resolve(new Response('{"data": []}'));
          }
          if (!String(path).includes('/suggestions')) return asIs(path, ...more);
          return late.length ? asIs(path, ...more).finally(() => window.newer = true)
            : new Promise((answer) => late.push(answer));
        };
        window.dispatchEvent(new Event('focus')); 0
    """)
    page.wait_until("late.length")  # as no model is there any more
    page.evaluate("window.dispatchEvent(new Event('focus')); 0")
    page.wait_until("window.newer")
    page.evaluate("new Promise((read) => setTimeout(read, 100))")
    page.evaluate("late[0](new Response(JSON.stringify({ known: 'What is old?' }))); 0")
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    shown = texts(page, ".suggestions button")
    assert shown and not any("old" in text for text in shown)


def test_a_model_that_comes_does_not_take_the_focus(browser, folders, tmp_path, looking):
    from playground_server import serving

    shutil.copytree(folders[0], tmp_path / "base")
    with serving(tmp_path) as server:
        browser.open(server.url + "/")
        for view, button in (("chat", ".suggestions button"), ("compare", ".chip input")):
            go(browser, view)
            browser.wait_until(f"document.querySelector('#{view} {button}')")
            browser.evaluate(f"document.querySelector('#{view} {button}').focus(); 0")
            before = browser.evaluate("document.activeElement.dataset.key")
            names = [*server.shelf.models, f"{view}-too"]
            shutil.copytree(folders[1], tmp_path / names[-1])
            serves(server, *names)
            browser.evaluate(
                "window.drawn = document.activeElement; window.dispatchEvent(new Event('focus')); 0"
            )
            browser.wait_until("!drawn.isConnected")
            assert browser.evaluate("document.activeElement.dataset.key") == before


def test_a_checkpoint_of_a_model_that_is_listed_changes_nothing_of_the_page(page):
    page.evaluate("""
        window.drawn = document.querySelector('.suggestions button');
        window.asIs = window.fetch;
        window.fetch = async (path) => {
          const listed = await (await asIs(path)).json();
          for (const model of listed.data) model.created += 30; // it was loaded anew
          window.answered = true;
          return new Response(JSON.stringify(listed));
        };
        window.dispatchEvent(new Event('focus')); 0
    """)
    page.wait_until("window.answered")
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert page.evaluate("drawn.isConnected")


def test_a_key_that_is_not_given_is_not_asked_for_again_and_again(browser, folders):
    from playground_server import serving

    with serving(*folders, api_key="the-key") as server:
        browser.open(server.url + "/")
        for _ in ("the models", "the training of one of them"):
            browser.wait_until("document.querySelector('dialog #key')")
            browser.evaluate("window.closing = document.querySelector('dialog'); 0")
            browser.press("Escape")
            browser.wait_until("!closing.isConnected")
        assert texts(browser, ".hello") == ["The models could not be listed"]
        assert "wants its key" in texts(browser, ".empty")[0]


@pytest.mark.parametrize("by_button", [True, False])
def test_a_view_that_could_not_be_loaded_is_when_it_is_wanted_again(page, by_button):
    page.call("Network.enable")
    try:
        page.call("Network.setBlockedURLs", urls=["*/tokenizer.js"])  # as if the server were down
        go(page, "tokenizer")
        page.wait_until("document.querySelector('#tokenizer .problem')")
        assert "could not be loaded" in texts(page, "#tokenizer")[0]
    finally:
        page.call("Network.setBlockedURLs", urls=[])
        page.call("Network.disable")
    if by_button:
        page.click("#tokenizer .problem button")
    else:
        go(page, "chat")
        go(page, "tokenizer")
    page.wait_until("document.querySelector('#tokenizer textarea')")
    if by_button:
        page.wait_until("document.activeElement.id === 'tokenizer'")
    assert "could not be loaded" not in texts(page, "#tokenizer")[0]
    page.events.clear()  # which hold the failure


def test_without_a_model_the_page_says_what_to_run(browser, playground, tmp_path):
    from playground_server import serving

    with serving(tmp_path) as server:
        browser.open(server.url + "/")
        browser.wait_until("document.querySelector('.hello')")
        assert texts(browser, ".hello") == ["There is no model yet"]
        assert "make train" in texts(browser, ".empty")[0]
        go(browser, "compare")
        browser.wait_until("document.querySelector('#compare .ask')")
        assert "There is no model yet" in texts(browser, "#compare .ask")[0]
        assert "A question" not in texts(browser, "#compare .ask")[0]  # to nobody


def test_a_server_with_a_key_asks_for_it_once(browser, folders):
    from playground_server import serving

    with serving(*folders, api_key="the-key") as server:
        browser.open(server.url + "/")
        for key in ("another", "the-key"):
            browser.wait_until("document.querySelector('dialog #key')")
            browser.click("#key")
            browser.type(key)
            browser.press("Enter")
            browser.wait_until("!document.querySelector('dialog #key')?.value")
        browser.wait_until("document.querySelector('.suggestions')")
        ask(browser, "rain")
        finished(browser, 1)
        assert texts(browser, ".answer .problem") == []


def test_a_key_that_no_header_can_hold_is_refused_where_it_is_written(browser, folders):
    from playground_server import serving

    with serving(*folders, api_key="the-key") as server:
        browser.open(server.url + "/")
        browser.wait_until("document.querySelector('dialog #key')")
        browser.type("der schlüssel")
        browser.press("Enter")
        assert browser.evaluate("document.querySelector('#key').validity.patternMismatch")
        browser.evaluate("document.querySelector('#key').select(); 0")
        browser.type(" the-key ")  # as it was copied
        browser.press("Enter")
        browser.wait_until("document.querySelector('.suggestions')")


def test_no_longer_answer_is_asked_for_than_the_server_writes(browser, folders):
    from playground_server import serving

    with serving(*folders, max_tokens=5) as server:
        with browser.beginning_with("localStorage.clear()"):
            browser.open(server.url + "/")
        ask(browser, "rain")
        finished(browser, 1)
        assert texts(browser, ".answer .problem") == []
        assert "5 tokens" in texts(browser, ".about")[0]
        assert "cut off at “max tokens”" in texts(browser, ".about")[0]
        browser.click("[data-key=tokens]")
        browser.click(".token", 1)
        browser.click(".alternatives button")
        browser.wait_until("document.querySelector('.leaves')")
        finished(browser, 1)
        assert texts(browser, ".answer .problem") == []


def test_on_a_phone_the_first_screen_begins_at_the_top(page):
    page.resize(360, 640)
    page.open(page.evaluate("location.href"))
    page.wait_until("document.querySelector('.suggestions')")
    page.wait_until("document.documentElement.scrollHeight > innerHeight")
    assert page.evaluate("scrollY") == 0


def test_a_branch_from_a_model_that_has_gone_says_so_and_another_model_answers(
    browser, folders, tmp_path, looking
):
    from playground_server import serving

    for folder in folders:
        shutil.copytree(folder, tmp_path / folder.name)
    with serving(tmp_path) as server:
        browser.open(server.url + "/")
        browser.wait_until("document.querySelector('.suggestions')")
        ask(browser, "rain")
        finished(browser, 1)
        browser.click("[data-key=tokens]")
        browser.click(".token", 1)
        shutil.rmtree(tmp_path / "chat")
        serves(server, "base")
        browser.evaluate("window.dispatchEvent(new Event('focus')); 0")
        browser.wait_until("document.querySelector('.picker').value === 'base'")
        browser.click(".alternatives button")
        browser.wait_until("document.querySelector('.answer .problem')")
        assert "no longer served" in texts(browser, ".problem span")[0]
        assert texts(browser, ".leaves") == ["2/2"]
        browser.click("[data-key=retry]")
        finished(browser, 1)
        assert texts(browser, ".who") == ["base"]
        assert browser.problems() == []
