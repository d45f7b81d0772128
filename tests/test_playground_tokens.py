"""The page in a real browser: several models side by side, and every token with the lid off."""

import math
import re

import pytest
from playground_page import ask, finished, go, set_settings, texts

pytest_plugins = ["playground_fixtures"]


# ---- side by side ------------------------------------------------------------------------------


def test_the_same_text_goes_to_several_models_at_once(page):
    go(page, "compare")
    ask(page, "the rain", "#compare")
    finished(page, 2, "#compare")
    assert texts(page, ".column h2") == ["base", "chat"]
    assert all("tokens/s" in about for about in texts(page, "#compare .about"))
    assert len(texts(page, "#compare .lesson")) == 1
    page.click("#compare [data-key=tokens]")
    page.click("#compare .token")
    page.click("#compare .alternatives button")
    page.wait_until("document.querySelector('.leaves')")
    finished(page, 2, "#compare")
    assert texts(page, "#compare .leaves") == ["2/2"]


def test_without_a_chosen_model_a_sentence_says_so_and_the_text_stays(page):
    go(page, "compare")
    for i in range(2):
        page.click("#compare [type=checkbox]", i)
    ask(page, "the rain", "#compare")
    assert "Choose a model" in texts(page, "#compare .ask > p")[0]
    assert page.evaluate("document.querySelector('#compare textarea').value") == "the rain"


# ---- tokens ------------------------------------------------------------------------------------


def test_tokens_are_the_answer_and_tell_what_else_could_have_stood_there(page):
    ask(page, "rain")
    finished(page, 1)
    text = page.evaluate(
        "import('/playground/saved.js').then((saved) => saved.list()[0].nodes[1].content)"
    )
    page.click("[data-key=tokens]")
    shown = page.evaluate(
        "[...document.querySelectorAll('.tokens > *')].map((e) =>"
        " (e.querySelector('.whole') ?? e).textContent).join('')"
    )
    assert "⟨" in shown or shown.replace("↵\n", "\n") == text
    assert "7: one of 128" in texts(page, ".legend")[0]  # 2 ** 7
    page.pointer("mouseMoved", ".tokens .token", 2)
    facts = texts(page, ".facts dd")
    assert facts[1].endswith("%") and facts[2].endswith("bits")
    assert len(texts(page, ".alternatives li")) in (10, 11)
    shares = page.evaluate(
        "[...document.querySelectorAll('.share')].map((e) => parseFloat(e.style.width))"
    )
    assert shares[:10] == sorted(shares[:10], reverse=True)
    assert len(texts(page, ".alternatives .drawn")) == 1


def test_how_sure_it_was_is_the_mean_of_its_tokens_probabilities(page):
    ask(page, "rain")
    finished(page, 1)
    logprobs = page.evaluate(
        "import('/playground/saved.js').then((saved) =>"
        " saved.list()[0].nodes[1].tokens.map(({logprob}) => logprob))"
    )
    said = re.search(r"on average ([\d.]+) % sure", texts(page, ".about")[0])[1]
    assert float(said) == pytest.approx(100 * math.exp(sum(logprobs) / len(logprobs)), abs=0.05)


def test_an_alternative_begins_a_branch_that_keeps_what_came_before(page):
    ask(page, "rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    ids = token_ids(page, 1)
    page.click(".tokens .token", 4)
    key = page.evaluate("document.querySelector('.alternatives button').dataset.key")
    page.click(".alternatives button")
    page.wait_until("document.querySelector('.leaves')")
    finished(page, 1)
    branch = token_ids(page, 2)
    assert branch[:4] == ids[:4]
    assert f"alternative-{branch[4]}" == key
    assert texts(page, ".leaves") == ["2/2"]
    assert "Goes on from another token, the 5th" in texts(page, ".about")[0]
    assert page.evaluate("document.activeElement.dataset.place") == "4"
    assert texts(page, ".mark") == ["chosen"]
    assert "chosen by you" in texts(page, ".details")[0]
    page.press("ArrowLeft")
    assert texts(page, ".mark") == ["taken"]  # at temperature 0 nothing is drawn


def test_what_is_beneath_the_tokens_does_not_jump_while_they_are_pointed_at(page):
    ask(page, "rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    height = "document.querySelector('.details').offsetHeight"
    before = page.evaluate(height)
    for place in (2, 5, 3):
        page.pointer("mouseMoved", ".tokens .token", place)
        assert before <= page.evaluate(height) < before + 60  # a row more, where it was unlikely
        before = page.evaluate(height)
    seen = "document.querySelector('.token.seen').dataset.place"
    assert page.evaluate(seen) == "3"
    page.pointer("mouseMoved", ".brand")
    assert page.evaluate(f"[{seen}, {height}]") == ["3", before]


@pytest.mark.parametrize("size", [(1280, 560), (390, 700)], ids=["desk", "phone"])
def test_a_tokens_details_are_seen_beside_it_and_not_behind_the_composer(page, size):
    """Of a long answer, whose end is far below, and of its last token."""
    page.resize(*size)
    set_settings(page, max_tokens="120", seed="4")  # the assistant's window holds 64
    page.evaluate("document.querySelector('.picker').value = 'base'")
    ask(page, "the rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    n_tokens = page.evaluate("document.querySelectorAll('.token[data-place]').length")
    assert n_tokens > 70  # far more than a screen of a phone
    for index in (3, n_tokens - 1):
        page.click(".token[data-place]", index)
        token, details, composer = page.evaluate(
            "[document.querySelector('.token.kept'), document.querySelector('.details'),"
            " document.querySelector('.bottom')].map((e) => e.getBoundingClientRect())"
            ".map(({top, bottom}) => ({top, bottom}))"
        )
        assert 0 < token["top"] < token["bottom"] <= details["top"]
        assert details["bottom"] <= composer["top"] + 1
        assert details["bottom"] - details["top"] > 140
    n_buttons = page.evaluate("document.querySelectorAll('.details button').length")
    page.click(".details button", n_buttons - 1)  # what is below its edge is scrolled to


def test_the_token_that_is_looked_at_stays_so_when_something_else_is_asked(page):
    ask(page, "rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    page.click(".tokens .token", 3)
    facts = texts(page, ".facts dd")
    ask(page, "snow")
    finished(page, 2)
    assert page.evaluate("document.querySelector('.token.kept').dataset.place") == "3"
    assert texts(page, ".facts dd") == facts


def token_ids(page, node):
    return page.evaluate(
        "import('/playground/saved.js').then((saved) =>"
        f" saved.list()[0].nodes[{node}].tokens.map((token) => token.id))"
    )


def test_an_alternative_that_ends_the_answer_ends_it(page):
    ask(page, "rain")
    finished(page, 1)
    asked = page.evaluate(
        """Promise.all([import('/playground/ask.js'), import('/playground/saved.js')]).then(
          ([{ branchAt }, saved]) => {
            const old = saved.list()[0].nodes[1], node = {};
            const bytes = [...new TextEncoder().encode("<|assistant_end|>")];
            const end = { id: 9, logprob: -1, bytes };
            const request = branchAt(node, old, 2, end, { id: "chat" }, {});
            return [request, node.finish, node.tokens.length];
          })"""
    )
    assert asked == [None, "stop", 3]


def test_bytes_that_are_no_whole_character_are_shown_as_bytes(page):
    shown = page.evaluate(
        "import('/playground/tokens.js').then(({ shown, groupsOf, textOf }) => {"
        " const tokens = [[0x20, 0xe2, 0x80], [0x99], [0x73], [0xff], [0x80], [0xe6, 0xb8, 0xa1],"
        "  [0xf0], [0x9f, 0x9a], [0xa2, 0x21]].map((bytes) => ({ bytes }));"
        " return [tokens.map((token) => shown(token.bytes)),"
        "  groupsOf(tokens).map((group) => group.tokens.length), textOf(tokens)]; })"
    )
    assert shown[0] == [" ⟨E2 80⟩", "⟨99⟩", "s", "⟨FF⟩", "⟨80⟩", "渡", "⟨F0⟩", "⟨9F 9A⟩", "⟨A2⟩!"]
    assert shown[1] == [2, 1, 2, 1, 3]  # FF may begin a character for all one knows
    assert shown[2] == " ’s\ufffd\ufffd渡🚢!"


def test_probabilities_are_not_rounded_to_what_they_are_not(page):
    shares = [1, 0.99996, 0.9996, 0.996, 0.9949, 0.99, 0.876, 0.0312, 0.00021, 0.00001, 0]
    shown = page.evaluate(
        f"import('/playground/tokens.js').then(({{ percent }}) => {shares}.map(percent))"
    )
    assert shown == [
        "100 %", "100 %", "99.96 %", "99.6 %", "99.5 %", "99.0 %", "88 %", "3.1 %", "0.02 %",
        "< 0.01 %", "< 0.01 %",
    ]  # fmt: skip


def test_a_base_models_tokens_have_as_many_alternatives_and_limits_are_told(page):
    set_settings(page, temperature="1", top_k="3")
    page.evaluate("document.querySelector('.picker').value = 'base'")
    page.evaluate("document.querySelector('.picker').dispatchEvent(new Event('change'))")
    ask(page, "the rain")
    finished(page, 1)
    page.click("[data-key=tokens]")
    page.click(".tokens .token", 1)
    assert len(texts(page, ".alternatives li")) in (10, 11)
    ranks = ["the likeliest", "2nd likeliest", "3rd likeliest"]
    rank = 1 + ranks.index(texts(page, ".facts dd")[3])
    drawn = page.evaluate(
        "[...document.querySelectorAll('.alternatives li')].findIndex((e) =>"
        " e.className === 'drawn') + 1"
    )
    assert drawn == rank
    assert "top-p or min-p left the unlikeliest out" in texts(page, ".details")[0]
