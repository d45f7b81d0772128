"""Spans that were planted in documents are found with their pages, and common phrases are not."""

import gzip
import json
import random
import shutil
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import example_texts, example_tokenizer, untimed
from minigpt_planted import invent

import bpe
from minigpt import dataset, library, sources
from minigpt.chat_format import with_control_tokens
from minigpt.corpus import Corpus
from minigpt.library import Library, plain
from minigpt.sources import MOST_PLACES, MOST_SPANS, Sources, link

N_PAGES = 45  # numbers 19 and 39 are held out
COMMON = "it is one of the things that are in the list of it"
PASSAGE = (
    "Whoever steers a barge past the seventh lock, Größe 3–5, must ring the copper bell twice "
    "and wait for the keeper (数據 🙂) to lower the chain."
)


def page_texts():
    """Return invented pages; each has the common phrase, each also words of its own."""
    rng = random.Random(1)
    filler = [" ".join(invent(rng, 40)) for _ in range(N_PAGES)]
    texts = [f"Page {i}\n\n{COMMON}. {words}.\n{COMMON}!\n" for i, words in enumerate(filler)]
    texts[7] += f"\n\n{PASSAGE} So it was.\n"
    for i in (3, 8, 13, 19, 23, 33, 34, 35):
        texts[i] += "\n    Nobody counts paper lanterns before the ferry leaves its harbour.\n"
    return texts


def write(folder, texts, records=None):
    """Write documents and their tokens; return (folder of tokens, documents, tokenizer)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "documents.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for i, text in enumerate(texts):
            record = {"url": f"https://site.test/{i}", "title": f"Page {i}"}
            record |= (records or {}).get(i, {})
            file.write(json.dumps({"text": text} | record) + "\n")
    tokenizer = bpe.train(texts, 400, special_tokens=[dataset.SEPARATOR], at_most=True)
    dataset.tokenize([path], tokenizer, folder / "tokens")
    return SimpleNamespace(
        tokens=folder / "tokens", documents=[path], tokenizer=tokenizer, texts=texts
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = write(tmp_path_factory.mktemp("site"), page_texts())
    found.sources = Sources(Corpus(found.tokens, found.tokenizer, found.documents).train)
    return found


# ---- spans ----------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "Well: ", "\n\n", "数據, "])
@pytest.mark.parametrize("after", ["", " And then?", "\n", "🙂"])
def test_a_planted_passage_is_found_whole_with_its_page(site, before, after):
    text = before + PASSAGE + after
    (span,) = site.sources.look_up(text)
    assert text[span["start"] : span["end"]] == span["text"] == PASSAGE
    assert (span["times"], span["documents"]) == (1, 1)
    (place,) = span["places"]
    assert (place["url"], place["title"]) == ("https://site.test/7", "Page 7")
    assert place["document"] == 7
    assert site.texts[7][place["start"] : place["end"]] == PASSAGE
    first, last = place["mark"]
    assert place["excerpt"][first:last] == PASSAGE
    assert place["excerpt"].startswith(site.texts[7][place["start"] - 100 : place["start"]])
    assert place["page"] == (
        f"/playground/api/page?document=7&start={place['start']}&end={place['end']}"
    )


def test_a_passage_of_many_pages_says_how_often_and_names_some(site):
    (span,) = site.sources.look_up("Nobody counts paper lanterns before the ferry leaves")
    assert span["text"] == "counts paper lanterns before the ferry leaves"[
        -len(span["text"]) :
    ] or (span["text"] == "Nobody counts paper lanterns before the ferry leaves")
    assert (span["times"], span["documents"]) == (7, 7)  # page 19 is held out
    assert [p["url"] for p in span["places"]] == [
        f"https://site.test/{i}" for i in (3, 8, 13, 23, 33)
    ]
    assert len(span["places"]) == MOST_PLACES


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\ud800 x",
        COMMON,  # it stands in every page, twice
        f"{COMMON}. {COMMON}!",
        "wait for the keeper",  # too short
        "Entirely new words, of which nobody has written anything whatsoever on any of the pages.",
        "a " * 500,
        "\n" * 500,
        "ring the copper bell " * 3,
    ],
)
def test_common_or_short_or_new_words_are_nobodys(site, text):
    assert site.sources.look_up(text) == []


@pytest.mark.parametrize(
    "words",
    ["must ring the copper bell", "steers a barge past the seventh", "to lower the chain. So it"],
)
def test_five_words_that_nobody_else_writes_are_enough(site, words):
    (span,) = site.sources.look_up(f"He said: {words}, he said.")
    assert (span["text"], span["words"]) == (words, len(words.split()))
    assert span["places"][0]["document"] == 7


def test_what_is_held_out_is_no_source(site):
    held_out = site.texts[39].splitlines()[2].removeprefix(COMMON)
    assert site.sources.look_up(held_out) == []
    assert site.sources.look_up(site.texts[38].splitlines()[2].removeprefix(COMMON)) != []


def test_spans_of_several_pages_do_not_overlap_and_the_longest_comes_first(site):
    first = PASSAGE[: PASSAGE.index(" and wait")]
    own = site.texts[11].splitlines()[2].removeprefix(f"{COMMON}. ")
    text = f"{first} {own} {PASSAGE}"
    found = site.sources.look_up(text)
    assert [span["places"][0]["document"] for span in found] == [11, 7, 7]
    lengths = [span["end"] - span["start"] for span in found]
    assert lengths == sorted(lengths, reverse=True)
    taken = sorted((span["start"], span["end"]) for span in found)
    assert all(end <= start for (_, end), (start, _) in pairwise(taken))
    assert taken[0][0] == 0
    assert taken[-1][1] == len(text)


def test_a_span_is_whole_words(site):
    text = PASSAGE.replace("Whoever", "xWhoever").replace("chain", "chains")
    (span,) = site.sources.look_up(text)
    assert span["text"].startswith("steers a barge")
    assert span["text"].endswith("to lower the")


def test_a_whole_page_is_one_span(site):
    (span,) = site.sources.look_up(site.texts[7])
    assert span["text"] == site.texts[7].strip()


def test_lone_surrogates_do_not_move_the_places(site):
    text = f"\ud800\udc00\ud800 {PASSAGE}"
    (span,) = site.sources.look_up(text)
    assert text[span["start"] : span["end"]] == PASSAGE


def test_spans_are_bounded(site):
    lines = [site.texts[i].splitlines()[2].removeprefix(f"{COMMON}. ") for i in range(30)]
    found = site.sources.look_up(" | ".join(line[:120] for line in lines))
    assert len(found) == MOST_SPANS


@untimed
@given(
    st.lists(st.tuples(st.integers(0, 18), st.integers(0, 300), st.integers(1, 200)), max_size=4)
)
def test_whatever_is_found_stands_there_word_for_word(site, cuts):
    text = "".join(site.texts[i][start : start + length] for i, start, length in cuts)
    trained_on = [text for i, text in enumerate(site.texts) if i not in (19, 39)]
    end_before = 0
    for span in sorted(site.sources.look_up(text), key=lambda span: span["start"]):
        assert span["start"] >= end_before
        end_before = span["end"]
        words = text[span["start"] : span["end"]]
        assert words == span["text"] == words.strip()
        assert len(words.split()) >= 3
        for place in span["places"]:
            assert trained_on[place["document"]][place["start"] : place["end"]] == words


# ---- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.test/b?c=d#e", True),
        ("http://127.0.0.1:8000/x", True),
        ("javascript:alert(1)", False),
        ("JavaScript://a.test/%0aalert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("//a.test/b", False),
        ("http:", False),
        ("http://[", False),
        ("document 3", False),
        ("books/a.txt, line 3", False),
        ("", False),
    ],
)
def test_only_http_and_https_are_links(address, expected):
    assert link(address) == (address if expected else None)


# ---- pages ----------------------------------------------------------------------------------


def test_a_page_is_its_cleaned_text_with_the_place(site):
    place = site.sources.look_up(PASSAGE)[0]["places"][0]
    page = site.sources.page(7, place["start"], place["end"])
    assert page["text"] == site.texts[7]
    assert page["text"][page["start"] : page["end"]] == PASSAGE
    assert (page["url"], page["title"], page["first"]) == ("https://site.test/7", "Page 7", 0)


@pytest.mark.parametrize("at", ["begin", "middle", "end"])
def test_of_a_long_page_a_part_is_shown(site, monkeypatch, at):
    monkeypatch.setattr(sources, "MOST_SHOWN", 60)
    text = site.texts[7]
    start = {"begin": 2, "middle": len(text) // 2, "end": len(text) - 5}[at]
    page = site.sources.page(7, start, start + 4)
    assert len(page["text"]) == 60
    assert page["text"] == text[page["first"] : page["first"] + 60]
    assert page["text"][page["start"] : page["end"]] == text[start : start + 4]
    assert site.sources.page(7, 0, len(text))["end"] == 60


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ((43, 0, 1), "document is 43; it must be from 0 to 42"),
        ((-1, 0, 1), "document is -1"),
        ((0, 5, 4), "start is 5 and end 4; they must be in this order from 0 to"),
        ((0, 0, 10**9), "end 1000000000"),
    ],
)
def test_a_page_that_is_not_there_is_refused(site, place, reason):
    with pytest.raises(ValueError, match=reason):
        site.sources.page(*place)


def test_titles_and_urls_are_data_and_links_are_checked(tmp_path):
    records = {
        0: {"url": "javascript:alert(1)", "title": "<b>\n x</b> " * 100},
        1: {"url": None, "title": 7},
    }
    found = write(tmp_path, page_texts(), records)
    part = Corpus(found.tokens, found.tokenizer, found.documents).train
    made = Sources(part)
    name = made.name(0)
    assert name["url"] is None
    assert name["title"].startswith("<b> x</b> <b>")
    assert len(name["title"]) == 200
    assert made.name(1) == {"url": None, "title": f"{found.documents[0]}, line 2"}


# ---- the library ----------------------------------------------------------------------------


def look_up(shelf, text, tokenizer):
    """Look up, once nothing is being indexed any more."""
    shelf.look_up(text, tokenizer)
    shelf.wait(30)
    return shelf.look_up(text, tokenizer)


def test_the_index_is_made_in_a_thread_once_for_base_and_assistant(site, monkeypatch):
    made, go = [], threading.Event()

    def slow(part, progress):
        go.wait(30)
        made.append(part)
        return Sources(part, progress)

    monkeypatch.setattr(library, "Sources", slow)
    shelf = Library(site.tokens, site.documents)
    assistant = with_control_tokens(site.tokenizer)
    assert shelf.look_up(PASSAGE, assistant) == {"indexing": True, "share": 0.0}
    assert shelf.look_up(PASSAGE, site.tokenizer)["indexing"]
    assert shelf.page(7, 0, 1, [site.tokenizer])["indexing"]
    go.set()
    shelf.wait(30)
    monkeypatch.setattr(library, "Sources", Sources)
    for tokenizer in (assistant, site.tokenizer):
        assert shelf.look_up(PASSAGE, tokenizer)["spans"][0]["text"] == PASSAGE
    assert shelf.page(7, 0, 1, [example_tokenizer(), assistant])["text"] == site.texts[7]
    assert len(made) == 1


def test_control_tokens_are_taken_off_again(site):
    assistant = with_control_tokens(site.tokenizer)
    assert dataset.fingerprint(assistant) != dataset.fingerprint(site.tokenizer)
    assert dataset.fingerprint(plain(assistant)) == dataset.fingerprint(site.tokenizer)


def test_a_model_of_another_tokenizer_has_no_sources(site):
    shelf = Library(site.tokens, site.documents)
    reason = look_up(shelf, PASSAGE, example_tokenizer())["missing"]
    assert "another tokenizer than this model's" in reason
    assert shelf.page(0, 0, 1, [example_tokenizer()])["missing"] == reason
    assert shelf.page(0, 0, 1, [])["missing"] == "no model is loaded yet"


def test_documents_that_are_not_the_ones_have_a_reason(site, tmp_path):
    other = write(tmp_path, example_texts(30))
    found = look_up(Library(site.tokens, other.documents), PASSAGE, site.tokenizer)
    assert "29 documents for train" in found["missing"]


@pytest.mark.parametrize("gone", ["tokens", "documents.jsonl.gz"])
def test_files_that_are_not_there_have_a_reason_until_they_come(tmp_path, gone):
    found = write(tmp_path, page_texts())
    (tmp_path / gone).rename(tmp_path / "elsewhere")
    shelf = Library(found.tokens, found.documents)
    assert "does not exist" in look_up(shelf, PASSAGE, found.tokenizer)["missing"]
    (tmp_path / "elsewhere").rename(tmp_path / gone)
    assert len(look_up(shelf, PASSAGE, found.tokenizer)["spans"]) == 1


@pytest.mark.parametrize("name", ["tokens/tokens.json", "tokens/train.npy", "documents.jsonl.gz"])
def test_damaged_files_have_a_reason(tmp_path, name):
    found = write(tmp_path, page_texts())
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
    assert look_up(Library(found.tokens, found.documents), "a", found.tokenizer)["missing"]


def test_files_that_were_written_anew_are_indexed_anew(tmp_path):
    found = write(tmp_path, page_texts())
    shelf = Library(found.tokens, found.documents)
    assert len(look_up(shelf, PASSAGE, found.tokenizer)["spans"]) == 1
    texts = [text.replace("copper", "silver") for text in page_texts()]
    again = write(tmp_path, texts)
    assert "another tokenizer" in look_up(shelf, PASSAGE, found.tokenizer)["missing"]
    (span,) = look_up(shelf, PASSAGE.replace("copper", "silver"), again.tokenizer)["spans"]
    assert "silver" in span["text"]


def test_a_mistake_while_indexing_is_a_reason(site, monkeypatch):
    def fail(part, progress):
        raise MemoryError

    monkeypatch.setattr(library, "Sources", fail)
    found = look_up(Library(site.tokens, site.documents), "a", site.tokenizer)
    assert found == {"missing": "MemoryError"}


def test_without_documents_pages_have_numbers_until_there_are_some(site, tmp_path):
    shutil.copytree(site.tokens, tmp_path / "tokens")
    shelf = Library(tmp_path / "tokens")
    (span,) = look_up(shelf, PASSAGE, site.tokenizer)["spans"]
    assert (span["places"][0]["url"], span["places"][0]["title"]) == (None, "document 8")
    shutil.copy(site.documents[0], tmp_path)
    (span,) = look_up(shelf, PASSAGE, site.tokenizer)["spans"]
    assert span["places"][0]["title"] == "Page 7"


def test_rare_tokens_weigh_more_than_common_ones(site):
    bits = site.sources.bits
    common, rare = site.tokenizer.encode_ordinary(" the"), site.tokenizer.encode_ordinary("據")
    assert bits[common].max() < bits[rare].max()
    counts = np.bincount(site.sources.part.ids, minlength=len(bits))
    expected = (counts[common] + 1) / (counts.sum() + len(bits))
    np.testing.assert_allclose(2 ** -bits[common], expected)
