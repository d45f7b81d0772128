"""`python -m crawler clean`: its flags, the table it prints, and its warnings."""

import argparse
import sys
from pathlib import Path
from typing import Any

from crawler import quality, similar
from crawler.clean import clean, explain
from crawler.funnel import Step, examples, table
from crawler.inputs import STDIN, archives
from crawler.pool import n_cpus
from crawler.steps import Settings

_MAX_WARNINGS = 5
_MAX_NAMED = 5  # addresses
_EPILOG = """Each page goes through these steps, which keep it or say why not: url, extract,
language, exact, paragraph, quality, safety, near-duplicate, pii. A table shows what each step
removed, and clean.json beside the documents says more. Stop it whenever you like: the
same command goes on.

examples:
  python -m crawler clean out/pages.warc.gz --profile reference
  python -m crawler clean CC-MAIN-*.warc.wet.gz -o out/documents.jsonl.gz --blocklist ads.txt
  python -m crawler clean @warc.paths -o out/documents --workers 16
      a whole crawl, as a list of paths; one file of documents for each
  zcat pages.warc.gz | python -m crawler clean -
  python -m crawler clean out/pages.warc.gz --profile reference --explain /heapq.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `clean`."""
    parser.epilog = _EPILOG
    add = parser.add_argument
    files = "WARC or WET files, .gz or not; - is standard input, @FILE a list of paths, one a line"
    add("files", nargs="*", metavar="FILE", help=files)
    paths = "the same as @FILE; may be repeated"
    add("--paths", action="append", default=[], metavar="FILE", help=paths)
    out = "documents to write, or a folder for one file for each archive (%(default)s)"
    add("-o", "--out", type=Path, default=Path("out/documents.jsonl.gz"), help=out)
    default = Settings()
    profiles = "rules for the text: %(choices)s (%(default)s); reference suits documentation"
    add("--profile", choices=quality.PROFILES, default=default.profile, help=profiles)
    language = "code of the language to keep (%(default)s)"
    add("--language", default=default.language, help=language)
    chance = "keep pages at least so likely in it, 0 to 1 (%(default)s)"
    add("--min-language", type=float, default=default.min_language, metavar="P", help=chance)
    more = "domains to leave out besides the project's own list; may be repeated"
    add("--blocklist", action="append", default=[], metavar="FILE", help=more)
    words = "words that mark pornography, one a line, instead of the project's own list"
    add("--bad-words", metavar="FILE", help=words)
    add("--workers", type=int, default=n_cpus(), metavar="N", help="processes (%(default)s)")
    told = (
        "tell what every step did to the page at this address, or the one that has this in its; "
        "reads all pages, unless it falls by itself: of copies the one stays that most link to"
    )
    add("--explain", metavar="URL", help=told)


def run(args: argparse.Namespace) -> None:
    """Clean as the flags say; raises what `clean` raises."""
    files = [*args.files, *(f"@{path}" for path in args.paths)]
    if not files:
        raise ValueError("there is nothing to read; give WARC files, or - for standard input")
    settings = Settings(
        args.profile,
        args.language,
        args.min_language,
        tuple(map(str, args.blocklist)),
        args.bad_words,
    )
    try:
        if args.explain is not None:
            _explain(args.explain, files, settings, args.workers)
        else:
            _show(clean(files, args.out, settings, workers=args.workers), args.out)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped; the same command goes on") from None


def _explain(url: str, files: list[str], settings: Settings, workers: int) -> None:
    """Print the story of the page at `url`, or of the only one that has it in its address."""
    story = explain(url, files, settings, workers=workers)
    if not story:
        url = _only_one(url, archives(files))
        story = explain(url, files, settings, workers=workers)
    print("\n".join([url, *story]))


def _only_one(text: str, paths: list[str]) -> str:
    """Return the one address that holds `text`; raises ValueError with those that may be meant."""
    if STDIN in paths:  # it can be read once
        raise ValueError(f"{text} is not in these files; give a page's whole address")
    found, others = similar.holding(text, paths)
    ending = [url for url in found if url.casefold().endswith(text.casefold())]
    named = [url for url in ending if url.casefold().endswith(f"/{text}".casefold())]
    for meant in (found, ending, named):  # json.html is not _json.html
        if len(meant) == 1:
            return meant[0]
    if found:
        some = ", ".join(found[:_MAX_NAMED]) + ", ..." * (len(found) > _MAX_NAMED)
        raise ValueError(f"{text!r} is in {len(found)} of the addresses; give more of one: {some}")
    near = ", ".join(similar.nearest(text, others, _MAX_NAMED))
    raise ValueError(
        f"{text} is not in these files; "
        + (f"is it one of these? {near}" if near else "give a piece of a page's address")
    )


def _show(report: dict[str, Any], out: Path) -> None:
    """Print warnings, the table of steps, examples, and a line that sums up."""
    for problem in report["problem_examples"][:_MAX_WARNINGS]:
        print(f"clean: warning: {problem}", file=sys.stderr)
    if sum(report["problems"].values()) > _MAX_WARNINGS:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report["problems"].items())
        print(f"clean: warning: in all {kinds}; see clean.json", file=sys.stderr)
    steps = []
    for counts in report["steps"]:
        steps.append(Step(counts["step"]))
        steps[-1].add(counts)
    print(table(steps))
    print(f"\nremoved, for example:\n{examples(steps)}\n" if examples(steps) else "")
    kinds = ", ".join(f"{count} {kind}" for kind, count in report["personal_data"].items())
    print(f"masked: {kinds or 'none'}\n{out}: {_count(report['documents'], 'document')}, ", end="")
    print(f"{_count(report['characters'], 'character')} in {report['seconds']:.1f} s", end="")
    print(", going on with an earlier run" if report["goes_on"] else "")
    if advice := _advice(report["profile"], steps):
        print(f"clean: warning: {advice}", file=sys.stderr)


def _advice(profile: str, steps: list[Step]) -> str:
    """Say which other rules may suit pages of which these removed more than half, else ""."""
    judged = next(step for step in steps if step.name == "quality")
    if profile != "web" or 2 * judged.n_removed <= judged.documents_in:
        return ""
    return (
        f"the rules of --profile web, which are for prose, removed {judged.n_removed:,} of "
        f"{_count(judged.documents_in, 'page')}; if this is documentation, --profile reference "
        "keeps it (with make: PROFILE=reference)"
    )


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
