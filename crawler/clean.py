"""Web pages -> documents worth training on, and a report of what was removed and why.

    python -m crawler clean out/pages.warc.gz -o out/documents.jsonl.gz

The steps, in this order; each says yes, or why not:

    url             is the address blocked, or was it read before?
    extract         the page's main text
    language        is it in the wanted language?
    exact           is there the same text already?
    paragraph       drop paragraphs that another document has (menus, inherited methods)
    quality         Gopher's, C4's and FineWeb's rules
    near-duplicate  is there almost the same text already?
    pii             mask e-mail addresses, phone numbers, ...

First what is cheap and looks at one page, since it leaves less for the rest. Repeated paragraphs go
before quality is judged, because a page is judged by what will be kept of it: documentation repeats
inherited methods until it looks like spam. Of copies, the one on the page that most others link to
stays. Near-duplicates come after quality, so that the copy
which is kept is a good one; masking comes last, on what is kept.

Output: JSON Lines, gzip-compressed, fields `text id url date language language_score` as in FineWeb
and `title`, in the order of the input; the same input gives the same bytes. Beside it `clean.json`,
the report (see `funnel.py`). An archive that breaks off is read up to there, with a warning; a file
that breaks before its first page, or is no archive, is an error.

Sources: Penedo et al. 2024, "FineWeb", section 3 (steps and their settings).
"""

import argparse
import gzip
import json
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from crawler import blocklist, funnel, language, quality, steps, urls, warc
from crawler.files import write_atomically, write_report
from crawler.steps import Document, PageResult, Verdict

WINDOW = 512  # pages in memory before their text is extracted

SETTING = {  # the step that removed most -> what to change
    "url": "the block lists (--blocklist, data/blocked_*.txt)",
    "extract": "the input: these pages hold no text",
    "language": "--language or --min-language",
    "exact": "the input: it is the same text over and over",
    "paragraph": "the input: its pages only repeat each other",
    "quality": "--profile (reference keeps documentation)",
    "near-duplicate": "the input: it is the same text over and over",
}

EPILOG = """Each page goes through these steps, which keep it or say why not: url, extract,
language, exact, paragraph, quality, near-duplicate, pii. A table shows what each step
removed, and clean.json beside the documents says more.

examples:
  python -m crawler clean out/pages.warc.gz --profile reference
  python -m crawler clean CC-MAIN-*.warc.wet.gz -o out/documents.jsonl.gz --blocklist ads.txt
  python -m crawler clean out/pages.warc.gz --explain https://example.org/page
"""

# ---- the pipeline ----


def read_pages(
    pages: Iterable[warc.Page], book: funnel.Funnel, args: argparse.Namespace
) -> list[Document]:
    """Do the steps that look at one page by itself: url, extract, language."""
    url, extract, language_step = map(book.add, ("url", "extract", "language"))
    wanted = _wanted(pages, book, url, blocklist_rules(args.blocklist))
    documents = []
    links: Counter[str] = Counter()
    for result in _map_pages(wanted, args):
        document = result.document
        links.update(result.links)
        extract.seconds += result.extract_s
        language_step.seconds += result.language_s
        for step, size in ((extract, result.size), (language_step, len(document.text))):
            reason = result.reason if result.step == step.name else None
            if not book.record(step, document, size, Verdict(document.text, reason)):
                break
        else:
            documents.append(document)
    for document in documents:
        document.linked = links[document.url]
    return documents


def _wanted(
    pages: Iterable[warc.Page], book: funnel.Funnel, step: funnel.Step, rules: blocklist.Rules
) -> Iterator[warc.Page]:
    """Yield the pages whose address is neither blocked nor read before."""
    seen: set[str] = set()
    for page in pages:
        start = time.perf_counter()
        repeated = "address read before" if page.url in seen else None
        reason = urls.blocked(page.url, rules) or repeated
        seen.add(page.url)
        step.seconds += time.perf_counter() - start
        size = len(page.body)
        if book.record(step, Document(page.url, page.date), size, Verdict("", reason), size):
            yield page


def apply(
    name: str,
    judge: Callable[[list[Document]], Iterable[Verdict]],
    documents: list[Document],
    book: funnel.Funnel,
) -> list[Document]:
    """Run one step over all documents and return those it keeps."""
    step = book.add(name)
    start = time.perf_counter()
    kept = []
    bar = tqdm(documents, name, unit=" documents", leave=False, disable=None)
    for document, verdict in zip(bar, judge(documents), strict=True):
        if book.record(step, document, len(document.text), verdict):
            document.text = verdict.text
            kept.append(document)
    step.seconds = time.perf_counter() - start
    return kept


def blocklist_rules(files: list[Path]) -> blocklist.Rules:
    """Return the project's block lists and the user's together."""
    return blocklist.load([blocklist.DOMAINS_FILE, *files]) if files else blocklist.default_rules()


def _map_pages(pages: Iterator[warc.Page], args: argparse.Namespace) -> Iterator[PageResult]:
    work = partial(steps.read_page, wanted=args.language, min_language=args.min_language)
    if args.workers == 1:
        yield from map(work, pages)
        return
    with ProcessPoolExecutor(args.workers) as pool:
        while window := list(islice(pages, WINDOW)):
            yield from pool.map(work, window, chunksize=16)


def read_files(files: list[Path], problems: list[str]) -> Iterator[warc.Page]:
    """Yield the pages of archives; what cannot be read is added to `problems`.

    Raises OSError for a missing file, ValueError for one that breaks before its first page.
    """
    size = sum(file.stat().st_size for file in files)
    with tqdm(total=size, desc="pages", unit="B", unit_scale=True, disable=None) as bar:
        for file in files:
            done = pages = 0
            with open(file, "rb") as archive:
                try:
                    for page in warc.read_pages(archive, lambda error: problems.append(str(error))):
                        pages += 1
                        bar.update(archive.tell() - done)
                        done = archive.tell()
                        yield page
                except ValueError as error:
                    if not pages:
                        raise
                    problems.append(f"{error}; the {pages} pages before are used")


def run(args: argparse.Namespace) -> None:
    """Clean archives into documents and a report; see the module's docstring.

    Raises ValueError for bad settings, for a file that is no WARC, and if nothing is left.
    """
    start = time.perf_counter()
    quality.rules_of(args.profile)
    language.probability("", args.language)
    if args.workers < 1:
        raise ValueError(f"--workers is {args.workers}; it must be at least 1")
    if not 0 <= args.min_language <= 1:
        raise ValueError(f"--min-language is {args.min_language}; it is a probability, 0 to 1")
    problems: list[str] = []
    masked: Counter[str] = Counter()
    book = funnel.Funnel(args.explain and as_crawled(args.explain))
    documents = read_pages(read_files(args.files, problems), book, args)
    for problem in problems:
        print(f"clean: warning: {problem}", file=sys.stderr)
    for name, judge in (
        ("exact", steps.exact),
        ("paragraph", partial(steps.paragraph, profile=args.profile)),
        ("quality", partial(steps.quality_rules, profile=args.profile)),
        ("near-duplicate", partial(steps.near_duplicate, profile=args.profile)),
        ("pii", partial(steps.personal_data, counts=masked)),
    ):
        documents = apply(name, judge, documents, book)
    if args.explain:
        print("\n".join([args.explain, *(book.story or ["is not in these files"])]))
        return
    if not documents:
        raise ValueError(_nothing_left(book.steps))
    counts = {
        "stage": "clean",
        "seconds": round(time.perf_counter() - start, 3),
        "profile": args.profile,
        "documents": len(documents),
        "characters": sum(len(document.text) for document in documents),
        "personal_data": dict(masked.most_common()),
        "problems": problems,
        "steps": [step.as_json() for step in book.steps],
    }
    write_report(args.out.parent / "clean.json", counts)
    write_documents(args.out, documents, args.language)  # last: documents that are there have it
    print(funnel.table(book.steps))
    kinds = ", ".join(f"{count} {kind}" for kind, count in masked.most_common()) or "none"
    print(f"masked: {kinds}\n{args.out}: {counts['documents']:,} documents, ", end="")
    print(f"{counts['characters']:,} characters in {counts['seconds']:.1f} s")


def as_crawled(url: str) -> str:
    """Return an address as the crawl would have written it."""
    try:
        return urls.canonical(url)
    except ValueError:
        return url


def _nothing_left(funnel_steps: list[funnel.Step]) -> str:
    pages = funnel_steps[0].documents_in
    if not pages:
        return "the files hold no pages of text; give WARC files of a crawl, or WET files"
    worst = max(funnel_steps, key=lambda step: step.documents_in - step.documents_out)
    removed = worst.documents_in - worst.documents_out
    reason, count = worst.reasons.most_common(1)[0]
    return (
        f"no document is left of {pages} pages; the step {worst.name} removed {removed} of them "
        f"({count}: {reason}); change {SETTING[worst.name]}"
    )


# ---- writing ----


def write_documents(path: Path, documents: list[Document], wanted: str) -> None:
    """Write JSON Lines, compressed, the same bytes for the same documents."""
    lines = (
        json.dumps(
            {
                "text": document.text,
                "id": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, document.url)}>",
                "url": document.url,
                "date": document.date,
                "language": wanted,
                "language_score": document.score,
                "title": document.title,
            },
            ensure_ascii=False,
        )
        + "\n"
        for document in documents
    )
    write_atomically(path, gzip.compress("".join(lines).encode("utf-8", "replace"), mtime=0))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `python -m crawler clean`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="WARC or WET files, .gz or not")
    default = Path("out/documents.jsonl.gz")
    add("-o", "--out", type=Path, default=default, help="documents to write (%(default)s)")
    profiles = "rules for the text: %(choices)s (%(default)s); reference suits documentation"
    add("--profile", choices=quality.PROFILES, default="web", help=profiles)
    add("--language", default="en", help="code of the language to keep (%(default)s)")
    chance = "keep pages at least so likely in it, 0 to 1 (%(default)s)"
    add("--min-language", type=float, default=0.65, metavar="P", help=chance)
    more = "domains to leave out besides the project's own list; may be repeated"
    add("--blocklist", type=Path, action="append", default=[], metavar="FILE", help=more)
    workers = min(2, os.cpu_count() or 1)
    add("--workers", type=int, default=workers, metavar="N", help="processes (%(default)s)")
    add("--explain", metavar="URL", help="tell what every step did to this page")
