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
    size: int  # bytes of the page
    extract_s: float
    language_s: float


def read_page(page: warc.Page, wanted: str, min_language: float) -> PageResult:
    """Extract a page's text and judge its language."""
    start = time.perf_counter()
    title, text = "", ""
    if page.is_text or page.content_type == "text/plain":
        text = decode(page.body, page.charset).strip()
    else:
        extracted = extract(decode(page.body, page.charset))
        title, text = extracted.title, extracted.text
    extract_s = time.perf_counter() - start
    score = language.probability(text, wanted)
    language_s = time.perf_counter() - start - extract_s
    step = reason = ""
    if not text:
        step, reason = "extract", "no text"
    elif score < min_language:
        step, reason = "language", f"not {wanted}"
    document = Document(page.url, page.date, title, text, round(score, 4))
    return PageResult(document, step, reason, len(page.body), extract_s, language_s)


# ---- all documents ----


def exact(documents: list[Document]) -> Iterator[Verdict]:
    """Drop a document whose normalised text an earlier one had."""
    seen: set[bytes] = set()
    for document in documents:
        key = dedup.digest(document.text)
        reason = "same text as an earlier document" if key in seen else None
        seen.add(key)
        yield Verdict(document.text, reason)


def paragraph(documents: list[Document]) -> Iterator[Verdict]:
    """Drop paragraphs that stood earlier, and documents of which almost nothing is left."""
    paragraphs = dedup.Paragraphs()
    for document in documents:
        text = paragraphs.drop_repeats(document.text)
        empty = len(text) < min(MIN_LEFT, len(document.text))
        yield Verdict(text, "only repeats earlier documents" if empty else None)


def quality_rules(documents: list[Document], profile: str) -> Iterator[Verdict]:
    """Drop lines and documents that break the profile's rules."""
    for document in documents:
        text = quality.drop_lines(document.text, profile)
        yield Verdict(text, quality.reject(text, profile))


def near_duplicate(documents: list[Document]) -> Iterator[Verdict]:
    """Drop all but the longest of documents that share four fifths of their shingles."""
    dropped = dedup.keep_one([document.text for document in documents])
    for index, document in enumerate(documents):
        yield Verdict(document.text, "almost the same as another" if index in dropped else None)


def personal_data(documents: list[Document], counts: Counter[str]) -> Iterator[Verdict]:
    """Mask personal data and count it by kind."""
    for document in documents:
        text, found = pii.mask(document.text)
        counts.update(found)
        yield Verdict(text)
