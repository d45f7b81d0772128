"""The three stages of cleaning, each of which takes one shard and runs in any process.

    read     pages     -> documents: extract, language
    judge    documents -> documents: exact, paragraph, quality; signatures of what is left
    finish   documents -> a piece of the output: near-duplicate, pii

Between them `choose.py` decides which copies stay. A stage writes its files into the shard's folder
and its report last; done again, it does the same.
"""

import gzip
import json
import time
import uuid
from collections.abc import Callable
from hashlib import blake2b

import numpy as np

from crawler import dedup, paragraphs, pii, quality, warc
from crawler.files import write_atomically
from crawler.funnel import Funnel, Step
from crawler.shards import Shard
from crawler.shingles import shingles
from crawler.steps import BY_ITSELF, Document, Settings, Verdict, one_spelling, read_page

MIN_LEFT = 100  # characters; a document of which repeats leave less is dropped


def read(shard: Shard, pages: list[warc.Page], settings: Settings, explain: str | None) -> None:
    """Make documents of pages, and note what tells copies: digests of text and of paragraphs."""
    book = Funnel(explain)
    extract, language = book.add("extract"), book.add("language")
    documents: list[Document] = []
    links: list[int] = []
    for page in pages:
        result = read_page(page, settings)
        document = result.document
        links += map(address_digest, result.links)
        extract.seconds += result.extract_s
        language.seconds += result.language_s
        for step, size in ((extract, result.size), (language, len(document.text))):
            reason = result.reason if result.step == step.name else None
            if not book.record(step, document, size, Verdict(document.text, reason)):
                break
        else:
            documents.append(document)
    digests = [paragraphs.digests(document.text) for document in documents]
    shard.write_documents("read", documents)
    shard.write_arrays(
        "read",
        url=np.array([address_digest(one_spelling(d.url)) for d in documents], np.uint64),
        text=np.array([paragraphs.digest(document.text) for document in documents], np.uint64),
        links=np.array(links, np.uint64),
        n_paragraphs=np.array([len(of_one) for of_one in digests], np.int64),
        paragraphs=np.array([digest for of_one in digests for digest in of_one], np.uint64),
    )
    shard.write_json("read", book.as_json())


def address_digest(url: str) -> int:
    """Return a 64-bit number that stands for an address."""
    data = url.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def judge(
    shard: Shard,
    stays: np.ndarray,
    is_first: np.ndarray,
    linked: np.ndarray,
    settings: Settings,
    explain: str | None,
) -> None:
    """Drop copies, repeated paragraphs and what breaks the rules; sketch what is left.

    For each document of the shard, `stays` says whether it is the copy that is kept and `linked`
    how many pages link to it; `is_first` says of each paragraph of each that it stood nowhere
    before.
    """
    book = Funnel(explain)
    copies, repeats = book.add("exact"), book.add("paragraph")
    by_itself = [(book.add(name), rule) for name, rule in BY_ITSELF.items()]
    shortest = quality.rules_of(settings.profile).repeatable_characters
    firsts = iter(is_first.tolist())  # of the paragraphs of all documents, one after the other
    kept: list[Document] = []
    documents = shard.read_documents("read")
    for document, is_kept, n_links in zip(documents, stays.tolist(), linked.tolist(), strict=True):
        document.in_degree = n_links
        of_document = [next(firsts) for _ in paragraphs.BREAK.split(document.text)]
        if (
            _passes(book, copies, document, exact, is_kept)
            and _passes(book, repeats, document, paragraph, of_document, shortest)
            and all(_passes(book, step, document, rule, settings) for step, rule in by_itself)
        ):
            kept.append(document)
    shard.write_documents("judged", kept)
    sketching = book.add("near-duplicate")
    start = time.perf_counter()
    _write_sketches(shard, [document.text for document in kept], settings)
    sketching.seconds = time.perf_counter() - start
    shard.write_json("judged", book.as_json())


def exact(document: Document, stays: bool) -> Verdict:
    """Drop a document whose text another one, which stays, has too."""
    return Verdict(document.text, None if stays else "same text as another document")


def paragraph(document: Document, is_first: list[bool], shortest: int) -> Verdict:
    """Take out the paragraphs that stand elsewhere first, and drop what has little else."""
    text = paragraphs.without_repeats(document.text, is_first, shortest)
    empty = len(text) < min(MIN_LEFT, len(document.text))
    return Verdict(text, "only repeats other documents" if empty else None)


def _write_sketches(shard: Shard, texts: list[str], settings: Settings) -> None:
    keep_numbers = quality.rules_of(settings.profile).keep_numbers
    sketches = dedup.Sketches(len(texts))
    sets = [shingles(text, keep_numbers) for text in texts]
    for index, hashes in enumerate(sets):
        sketches.put(index, hashes, len(texts[index]))
    write_atomically(shard.path("judged.shingles"), b"".join(s.tobytes() for s in sets))
    shard.write_arrays(
        "judged",
        signatures=sketches.signatures,
        fingerprints=sketches.fingerprints,
        lengths=sketches.lengths,
        n_shingles=np.array([len(hashes) for hashes in sets], np.int64),
    )


def finish(
    shard: Shard, dropped: dict[int, tuple[int, int]], settings: Settings, explain: str | None
) -> None:
    """Drop what is almost the same as another, mask personal data, write the output's piece."""
    book = Funnel(explain)
    near, masking = book.add("near-duplicate"), book.add("pii")

    def near_duplicate(document: Document, index: int) -> Verdict:
        reason = "almost the same as another" if index in dropped else None
        if reason and document.url == explain:
            number, at = dropped[index]
            others = Shard(shard.folder, number).read_documents("judged")
            book.story.append(f"{'':<15} like {list(others)[at].url}, which is longer or earlier")
        return Verdict(document.text, reason)

    def personal_data(document: Document) -> Verdict:
        text, found = pii.mask(document.text)
        book.masked.update(found)
        return Verdict(text)

    lines = []
    for index, document in enumerate(shard.read_documents("judged")):
        if _passes(book, near, document, near_duplicate, index) and _passes(
            book, masking, document, personal_data
        ):
            lines.append(_line(document, settings.language))
    data = "".join(lines).encode("utf-8", "replace")
    write_atomically(shard.path("done.jsonl.gz"), gzip.compress(data, mtime=0) if lines else b"")
    shard.write_json("done", book.as_json())


def _passes(
    book: Funnel,
    step: Step,
    document: Document,
    rule: Callable[..., Verdict],
    *more: object,
) -> bool:
    """Apply a step's rule to a document, count and time it; return whether the document stays."""
    start = time.perf_counter()
    verdict = rule(document, *more)
    step.seconds += time.perf_counter() - start
    stays = book.record(step, document, len(document.text), verdict)
    document.text = verdict.text if stays else document.text
    return stays


def _line(document: Document, language: str) -> str:
    """Return a line of the output, with FineWeb's field names and two of our own."""
    fields = {
        "text": document.text,
        "id": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, document.url)}>",
        "url": document.url,
        "date": document.date,
        "language": language,
        "language_score": document.score,
        "title": document.title,
        "in_degree": document.in_degree,
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"
