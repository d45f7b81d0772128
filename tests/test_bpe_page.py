"""The page for the browser, as text: its data, and that nothing in it can become HTML."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

import bpe
from bpe import page as page_module
from bpe.page import groups, page
from bpe.split import to_bytes

SAMPLE = "The ferry leaves at seven; the ferryman's bell. Fähre, паром, 渡し船 🚢 e\u0301\n" * 3
END = "<|endoftext|>"
TOKENIZER = bpe.train([SAMPLE], 310, special_tokens=[END])
HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    '"\\\u2028</SCRIPT >',
    "{{data}} {{digest}} {{none}}",
    "&lt;b&gt;",
]
PIECES = ["ferry", " ", "渡", "🚢", "e\u0301", "\u0301", "👩‍👩‍👧", "\r\n", "\ud83d", END, *HOSTILE]
ANY_TEXT = st.text(st.characters()) | st.lists(st.sampled_from(PIECES)).map("".join)


def data_of(html: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


class Tags(HTMLParser):
    """Collects the tags of a page, in order."""

    def __init__(self, html: str):
        super().__init__()
        self.tags = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


@given(text=ANY_TEXT, allow_special=st.booleans())
def test_groups_are_the_text_and_its_ids(text, allow_special):
    panel = data_of(page(text, "a text", {"ours": TOKENIZER}, allow_special))["panels"][0]
    assert "".join(group[0] for group in panel["groups"]) == text
    ids = TOKENIZER.encode(text, "all" if allow_special else (), disallowed_special=())
    assert [id for group in panel["groups"] for id in group[1::2]] == ids
    assert panel["tokens"] == len(ids)
    for whole, *parts in panel["groups"]:
        if len(parts) > 1:
            assert bytes.fromhex(" ".join(parts[1::2])) == to_bytes(whole)


@given(ANY_TEXT)
def test_groups_are_as_short_as_whole_characters_allow(text):
    ids = TOKENIZER.encode_ordinary(text)
    tokens = TOKENIZER.decode_tokens_bytes(ids)
    characters = regex.findall(r"\X", text)
    ends = {len(to_bytes("".join(characters[:i]))) for i in range(len(characters) + 1)}
    end = 0
    for _, *parts in groups(text, ids, [*tokens]):
        for i in range(len(parts[::2])):
            end += len(tokens.pop(0))
            assert (end in ends) == (i == len(parts[::2]) - 1)


def test_a_heap_of_accents_is_not_one_group():
    text = "e" + "\u0301" * 1000
    ids = TOKENIZER.encode_ordinary(text)
    assert len(list(groups(text, ids, TOKENIZER.decode_tokens_bytes(ids)))) == 1001


def test_what_is_shown_of_each_tokenizer():
    other = bpe.train([SAMPLE], 290)
    data = data_of(page(f"ferry{END}", "a text", {"ours": TOKENIZER, "other": other}, True))
    assert (data["characters"], data["bytes"], data["cut"]) == (18, 18, None)
    ours, theirs = data["panels"]
    assert (ours["name"], ours["symbols"], ours["special"]) == ("ours", 310, [309])
    assert ours["groups"][-1] == [END, 309]
    assert (theirs["name"], theirs["symbols"], theirs["special"]) == ("other", 290, [])


@given(text=st.sampled_from(HOSTILE) | ANY_TEXT, other=st.sampled_from([*HOSTILE, "\ud83d"]))
def test_no_text_adds_or_removes_a_tag(text, other):
    plain = Tags(page("", "", {"": TOKENIZER})).tags
    hostile = page(text, other, {other: TOKENIZER})
    assert Tags(hostile).tags == plain
    assert hostile.encode()  # whatever the text: UTF-8 that can be written


def test_the_page_asks_for_nothing_and_runs_only_its_own_script():
    html = page("text", "source", {"ours": TOKENIZER})
    tags = Tags(html).tags
    policy = next(a["content"] for tag, a in tags if tag == "meta" and "http-equiv" in a)
    script = re.search("<script>(.*?)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert [rule.split() for rule in policy.split(";")] == [
        ["default-src", "'none'"],
        ["img-src", "data:"],
        ["style-src", "'unsafe-inline'"],
        ["script-src", f"'sha256-{digest}'"],
    ]
    links = [a.get("src") or a.get("href") for _, a in tags]
    assert set(links) == {None, "data:,"}
    assert "url(" not in html and "@import" not in html


def test_of_a_long_text_the_beginning_is_drawn_and_all_is_counted(monkeypatch):
    monkeypatch.setattr(page_module, "DRAWN_CHARS", 50)
    data = data_of(page(SAMPLE, "long", {"ours": TOKENIZER}))
    drawn = "".join(group[0] for group in data["panels"][0]["groups"])
    assert SAMPLE.startswith(drawn)
    assert 50 <= len(drawn) < 70
    assert data["cut"] == 50
    assert data["characters"] == len(SAMPLE)
    assert data["panels"][0]["tokens"] == len(TOKENIZER.encode(SAMPLE))


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_text_with_nothing_to_see_has_a_page(text):
    assert data_of(page(text, "", {"ours": TOKENIZER}))["characters"] == len(text)
