"""The steps of cleaning: small functions that say yes to a document, or why not.

`read_page` looks at one page and may run in another process; the others take all documents, in
order, and give one verdict for each, since they compare documents or judge what is left of them.
Which step comes when, and why, is `clean.py`'s business.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urldefrag

from crawler import dedup, language, pii, quality, warc
from crawler.extract import decode, extract

MIN_LEFT = 100  # characters; a document of which repeats leave less is dropped


@dataclass(slots=True)
class Document:
    """A page on its way through the steps."""

    url: str
    date: str
    title: str = ""
    text: str = ""
    score: float = 0.0  # probability of the wanted language
    linked: int = 0  # other pages that link to it


class Verdict(NamedTuple):
    """What a step says about a document: its new text, or a reason to drop it."""

    text: str
    reason: str | None = None


# ---- one page by itself ----


class PageResult(NamedTuple):
    """A page after `extract` and `language`: a document, where it fell, and the work it took."""

    document: Document
    step: str  # where it was removed, "" if it was not
    reason: str
    links: set[str]  # addresses of other pages it links to
    size: int  # bytes of the page
    extract_s: float
    language_s: float


def read_page(page: warc.Page, wanted: str, min_language: float) -> PageResult:
    """Extract a page's text and judge its language."""
    start = time.perf_counter()
    title, text, links = "", "", set()
    if page.is_text or page.content_type == "text/plain":
        text = decode(page.body, page.charset).strip()
    else:
        extracted = extract(decode(page.body, page.charset), page.url)
        title, text = extracted.title, extracted.text
        links = {urldefrag(link).url for link in extracted.links} - {page.url}
    extract_s = time.perf_counter() - start
    score = language.probability(text, wanted)
    language_s = time.perf_counter() - start - extract_s
    step = reason = ""
    if not text:
        step, reason = "extract", "no text"
    elif score < min_language:
        step, reason = "language", f"not {wanted}"
    document = Document(page.url, page.date, title, text, round(score, 4))
    return PageResult(document, step, reason, links, len(page.body), extract_s, language_s)


# ---- all documents ----


def most_linked_first(documents: list[Document]) -> list[int]:
    """Return indices in the order in which copies have precedence; ties in the given order.

    The page that others link to is the original: `os`, not `posix`, which says the same.
    """
    return sorted(range(len(documents)), key=lambda index: -documents[index].linked)


def exact(documents: list[Document]) -> list[Verdict]:
    """Drop all but the most linked of documents with the same text but for case and blanks."""
    verdicts = [Verdict(document.text) for document in documents]
    seen: set[bytes] = set()
    for index in most_linked_first(documents):
        key = dedup.digest(documents[index].text)
        if key in seen:
            verdicts[index] = Verdict("", "same text as another document")
        seen.add(key)
    return verdicts


def paragraph(documents: list[Document], profile: str) -> list[Verdict]:
    """Drop all but the first copy of a paragraph, and documents of which almost nothing is left."""
    verdicts = [Verdict(document.text) for document in documents]
    paragraphs = dedup.Paragraphs(quality.rules_of(profile).repeatable_characters)
    for index in most_linked_first(documents):
        text = paragraphs.drop_repeats(documents[index].text)
        empty = len(text) < min(MIN_LEFT, len(documents[index].text))
        verdicts[index] = Verdict(text, "only repeats other documents" if empty else None)
    return verdicts


def quality_rules(documents: list[Document], profile: str) -> Iterator[Verdict]:
    """Drop lines and documents that break the profile's rules."""
    for document in documents:
        text = quality.drop_lines(document.text, profile)
        yield Verdict(text, quality.reject(text, profile))


def near_duplicate(documents: list[Document], profile: str) -> Iterator[Verdict]:
    """Drop all but the longest of documents that share four fifths of their shingles."""
    keep_numbers = quality.rules_of(profile).keep_numbers
    texts = [document.text for document in documents]
    dropped = dedup.keep_one(texts, keep_numbers=keep_numbers)
    for index, document in enumerate(documents):
        yield Verdict(document.text, "almost the same as another" if index in dropped else None)


def personal_data(documents: list[Document], counts: Counter[str]) -> Iterator[Verdict]:
    """Mask personal data and count it by kind."""
    for document in documents:
        text, found = pii.mask(document.text)
        counts.update(found)
        yield Verdict(text)
