"""The steps of cleaning: small functions that say yes to a document, or why not.

`read_page` makes a document of a page. Those in BY_ITSELF judge one document by its text alone; to
add a step, write such a function and put it there: the pipeline, the report and `--explain` follow.
Which copy of a text stays takes all documents to decide: `choose.py`. Which step comes when, and
why, is `clean.py`'s business.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from crawler import badwords, language, quality, urls, warc
from crawler.definitions import is_definition
from crawler.extract import decode, extract


@dataclass(frozen=True)
class Settings:
    """What to keep; raises ValueError for values that cannot be."""

    profile: str = "web"  # rules for the text, a key of quality.PROFILES
    language: str = "en"  # the language to keep
    min_language: float = 0.65  # its probability, at least
    blocklists: tuple[str, ...] = ()  # files of domains to leave out, besides the project's own
    bad_words: str | None = None  # file of words for the safety filter; default: the project's own

    def __post_init__(self):
        quality.rules_of(self.profile)
        language.probability("", self.language)
        if self.bad_words:
            badwords.load(self.bad_words)
        if not 0 <= self.min_language <= 1:
            raise ValueError(f"min_language is {self.min_language}; it is a probability, 0 to 1")


@dataclass(slots=True)
class Document:
    """A page on its way through the steps."""

    url: str
    date: str
    title: str = ""
    text: str = ""
    # probability that the text is in the wanted language; where a profile has it so, and that is
    # less than is asked for, of a text that defines one term: that its sentences are
    score: float = 0.0
    in_degree: int = 0  # how many other pages link to it


class Verdict(NamedTuple):
    """What a step says about a document: its new text, or a reason to drop it."""

    text: str
    reason: str | None = None


# ---- a page becomes a document ----


class PageResult(NamedTuple):
    """A page after `extract` and `language`: a document, where it fell, and the work it took."""

    document: Document
    step: str  # where it was removed, "" if it was not
    reason: str
    links: set[str]  # addresses of other pages it links to
    size: int  # bytes of the page
    extract_s: float
    language_s: float


def read_page(page: warc.Page, settings: Settings) -> PageResult:
    """Extract a page's text and judge its language; any page gives a result."""
    start = time.perf_counter()
    document, links = Document(page.url, page.date), set()
    step = reason = ""
    try:
        if page.is_text or page.content_type == "text/plain":
            text = decode(page.body, page.charset)
            document.text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        else:
            extracted = extract(decode(page.body, page.charset), page.url)
            document.title, document.text = extracted.title, extracted.text
            links = {one_spelling(link) for link in extracted.links} - {one_spelling(page.url)}
    except (ValueError, RecursionError, MemoryError) as error:
        step, reason = "extract", f"cannot be read: {type(error).__name__}"
    extract_s = time.perf_counter() - start
    score = language.probability(document.text, settings.language)
    share = quality.rules_of(settings.profile).sentence_words
    if score < settings.min_language and share is not None and is_definition(document.text):
        score = max(score, language.of_sentences(document.text, settings.language, share))
    language_s = time.perf_counter() - start - extract_s
    document.score = round(score, 4)
    if not document.text:
        step, reason = "extract", reason or "no text"
    elif score < settings.min_language:
        step, reason = "language", f"not {settings.language}"
    return PageResult(document, step, reason, links, len(page.body), extract_s, language_s)


@lru_cache(maxsize=50_000)  # the pages of a site share most of their links
def one_spelling(address: str) -> str:
    """Return the canonical form of an address, or as it stands if it is no web address."""
    try:
        return urls.canonical(address)
    except ValueError:
        return address


# ---- a document by itself ----


def quality_rules(document: Document, settings: Settings) -> Verdict:
    """Drop lines and documents that break the profile's rules."""
    return Verdict(*quality.judge(document.text, settings.profile))


def safety(document: Document, settings: Settings) -> Verdict:
    """Drop pornography, by its words."""
    words = _words_of(settings.bad_words) if settings.bad_words else None
    return Verdict(document.text, badwords.reject(document.text, words))


_words_of = lru_cache(maxsize=1)(badwords.load)

BY_ITSELF: dict[str, Callable[[Document, Settings], Verdict]] = {
    "quality": quality_rules,
    "safety": safety,
}
