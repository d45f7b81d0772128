"""Web pages -> documents worth training on, and a report of what was removed and why.

    python -m crawler clean out/pages.warc.gz -o out/documents.jsonl.gz

The steps, in this order; each says yes, or why not:

    url             is the address blocked, or was it read before?
    extract         the page's main text
    language        is it in the wanted language?
    exact           is there the same text already?
    paragraph       drop paragraphs that another document has (menus, inherited methods)
    quality         Gopher's, C4's and FineWeb's rules
    safety          is it pornography, by its words?
    near-duplicate  is there almost the same text already?
    pii             mask e-mail addresses, phone numbers, ...

Steps that are cheap and look at one page come first, since they leave less for the rest. Repeated
paragraphs go before quality is judged, because a page is judged by what will be kept of it:
documentation repeats inherited methods until it looks like spam. Of copies, the one on the page
that most others link to stays. Near-duplicates come after quality, so that the copy which is kept
is a good one; masking comes last, on what is kept.

How the work is cut into pieces and handed to workers is `cleaning.py`'s business; here is what one
asks for and gets. A run that was killed at any moment goes on where it stopped when the same
command is given again: what is done is kept in a folder beside the output, OUT.work.

Output: JSON Lines, gzip-compressed, fields `text id url date language language_score` as in FineWeb
and `title` and `in_degree`, how many other pages link to the document; in the order of the input.
The same input gives the same bytes, however many workers there are. The score is the probability
that the text is in the language; for a page that defines one term and was kept for its sentences,
that these are. Beside it stands `clean.json`, the report (see `funnel.py`). Damaged archives are
read as far as they can be.

Sources: Penedo et al. 2024, "FineWeb", section 3 (steps and their settings).
"""

import os
import re
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

from crawler import shards, urls
from crawler.cleaning import Cleaning
from crawler.files import replacing, write_report
from crawler.funnel import Step
from crawler.inputs import STDIN, archives
from crawler.kept import Kept
from crawler.steps import Settings

OLD_S = 60  # a report takes milliseconds to write
FEW_PAGES = 20  # fewer may well hold nothing that is worth keeping
ADVICE = {  # the step that removed most -> what to change
    "url": "the block lists (--blocklist, data/blocked_*.txt)",
    "extract": "the input: these pages hold no text",
    "language": "--language or --min-language",
    "exact": "the input: it is the same text over and over",
    "paragraph": "the input: its pages only repeat each other",
    "quality": "--profile (reference keeps documentation; with make: PROFILE=reference)",
    "safety": "the list of words (--bad-words, data/bad_words.txt)",
    "near-duplicate": "the input: it is the same text over and over",
}


def clean(
    files: Iterable[str | Path],
    out: str | Path,
    settings: Settings | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """Clean archives into `out` and return the report, which is written beside it.

    `out` ends in .gz; or it is a folder, which gets one file for each archive, 00000.jsonl.gz, ...,
    in place of those of an earlier run. `files` may be `-` and `@list` (see `inputs.py`). Work is
    done by `executor`, which has about `workers` workers; without one, by `workers` processes
    (default: as many as CPUs; 1: this process). Raises ValueError for bad settings, if no file
    holds a page, if nothing is left, and while another run writes `out`; OSError for what cannot be
    read or written.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    start = time.perf_counter()
    settings = settings or Settings()
    paths = archives(files)
    out = Path(out)
    work = _work_folder(out, paths)
    lists = [*settings.blocklists, *filter(None, [settings.bad_words])]
    job = {"files": [_identity(path) for path in [*paths, *lists]], "settings": repr(settings)}
    with shards.owned(work):
        goes_on = shards.prepare(work, job)
        _sweep(out)
        cleaning = Cleaning(paths, work, settings)
        try:
            cleaning.run(executor, workers)
            report = _report(cleaning, goes_on, time.perf_counter() - start)
            _write(cleaning, out, report)
        except ValueError:
            shards.clear(work)
            raise
        shards.clear(work)
    return report


def explain(
    url: str,
    files: Iterable[str | Path],
    settings: Settings | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
) -> list[str]:
    """Return lines that tell what every step did to the page at this address; keeps no file.

    There are none if no page has this address. If the page is in the wanted language, all others
    are read, since what becomes of it then depends on them (see `Cleaning.follow`). Raises as
    `clean` does.
    """
    paths, settings = archives(files), settings or Settings()
    addresses = [url]
    with suppress(ValueError):
        addresses.append(urls.canonical(url))  # as a crawl would have written it
    if STDIN in paths:  # that can be read once only
        addresses = addresses[-1:]
    stories = (_story(a, paths, settings, executor, workers) for a in dict.fromkeys(addresses))
    return next(filter(None, stories), [])


def _story(
    url: str,
    paths: list[str],
    settings: Settings,
    executor: Executor | None,
    workers: int | None,
) -> list[str]:
    """Return what became of the page at exactly this address."""
    with tempfile.TemporaryDirectory() as folder:
        if STDIN not in paths:
            alone = Cleaning(paths, Path(folder) / "alone", settings, url)
            if alone.ends_alone():
                return alone.book.story
        cleaning = Cleaning(paths, Path(folder) / "all", settings, url)
        cleaning.follow(executor, workers)
        return cleaning.book.story


def _work_folder(out: Path, paths: list[str]) -> Path:
    """Return the folder to work in; raises, before any work, if `out` cannot be written."""
    if out.suffix not in (".gz", ""):
        raise ValueError(f"the output is {out}; it must end in .jsonl.gz, or be a folder")
    if out.suffix == ".gz" and out.is_dir():
        raise IsADirectoryError(21, "it is a folder; give a file in it", str(out))
    if out.suffix == "" and out.exists() and not out.is_dir():
        raise NotADirectoryError(20, "it is a file; a file must end in .jsonl.gz", str(out))
    for path in paths:
        if path != STDIN and out.exists() and os.path.samefile(path, out):
            raise ValueError(f"{out} is both read and written; give another output")
    place = out if out.name not in ("", "..") else Path(os.path.abspath(out))  # `.` has no name
    if not place.name:
        raise ValueError(f"the output is {out}; give a folder in it, or a file")
    return place.with_name(f"{place.name}.work")


def _sweep(out: Path) -> None:
    """Delete what a killed run had begun to write; as we hold the lock, no run is writing now.

    A report beside a file may be that of a run with another output, so it must be old.
    """
    folder = out if out.suffix == "" else out.parent
    ours = r"\d{5}\.jsonl\.gz|clean\.json" if out.suffix == "" else re.escape(out.name)
    for path in folder.iterdir() if folder.is_dir() else ():
        if re.fullmatch(rf"(?:{ours})\.\d+\.tmp", path.name):
            path.unlink()
        elif re.fullmatch(r"clean\.json\.\d+\.tmp", path.name):
            with suppress(OSError):  # it was finished meanwhile
                if time.time() - path.stat().st_mtime > OLD_S:
                    path.unlink()


def _identity(path: str) -> list:
    """Return what tells a file from another version of it; standard input is new each time."""
    if path == STDIN:
        return [path, time.time_ns()]
    status = os.stat(path)
    return [os.path.abspath(path), status.st_size, status.st_mtime_ns]


def _report(cleaning: Cleaning, goes_on: bool, seconds: float) -> dict[str, Any]:
    """Return the report; raises ValueError if no document is left."""
    steps = list(cleaning.book.steps.values())
    if not steps[-1].documents_out:
        raise ValueError(_nothing_left(steps, cleaning))
    return {
        "stage": "clean",
        "seconds": round(seconds, 3),
        "goes_on": goes_on,
        "profile": cleaning.settings.profile,
        "documents": steps[-1].documents_out,
        "characters": steps[-1].characters_out,
        "personal_data": dict(cleaning.book.masked.most_common()),
        "problems": dict(cleaning.problems.most_common()),
        "problem_examples": cleaning.told,
        "steps": [{**step.as_json(), "examples": step.chosen_examples()} for step in steps],
    }


def _nothing_left(steps: list[Step], cleaning: Cleaning) -> str:
    """Say which steps removed all pages, and what to do about the one that removed most."""
    n_pages = steps[0].documents_in
    removing = [step for step in steps if step.n_removed]
    worst = max(reversed(removing), key=lambda step: step.n_removed)  # of equal ones the last
    removed = []
    for step in removing:
        reason, count = step.reasons.most_common(1)[0]
        most = f"{count}: " if count < step.n_removed else ""
        removed.append(f"{step.name} removed {step.n_removed} ({most}{reason})")
    return (
        f"no document is left of {n_pages} page{'s' * (n_pages != 1)}: {', '.join(removed)}; "
        + _advice(worst.name, n_pages, cleaning)
    )


def _advice(step: str, n_pages: int, cleaning: Cleaning) -> str:
    """Say what to do where the step left nothing of so many pages."""
    change = f"change {ADVICE.get(step, 'the settings')}"
    if (step, cleaning.settings.profile) == ("quality", "reference"):
        change = "change the input: these pages hold hardly any sentences"
    if n_pages >= FEW_PAGES:
        return change
    if any(Kept(Path(path)).report.exists() for path in cleaning.paths if path != STDIN):
        return f"{change}; or crawl more pages (crawl --max-pages N, make train PAGES=N)"
    return f"{change}; or give more archives (make train WARC=...)"  # of somebody else's crawl


def _write(cleaning: Cleaning, out: Path, report: dict[str, Any]) -> None:
    """Write the report, then the documents: where there are documents, there is their report."""
    if out.suffix == ".gz":
        with replacing(out) as file:
            for shard in cleaning.shards():
                file.write(shard.path("done.jsonl.gz").read_bytes())
            write_report(out.parent / "clean.json", report)
        return
    out.mkdir(exist_ok=True)
    write_report(out / "clean.json", report)
    n_files = end = len(cleaning.paths)
    for number in range(n_files):
        with replacing(_numbered(out, number)) as file:
            for shard in cleaning.shards(number):
                file.write(shard.path("done.jsonl.gz").read_bytes())
    # What follows without a gap is from an earlier run, with more archives. It is deleted from the
    # end: otherwise a kill would leave a gap that hides the rest.
    while _numbered(out, end).exists():
        end += 1
    for number in reversed(range(n_files, end)):
        _numbered(out, number).unlink()


def _numbered(out: Path, number: int) -> Path:
    return out / f"{number:05}.jsonl.gz"
