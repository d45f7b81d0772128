"""How many pages a second does `crawler.extract` read, and how many does trafilatura?

    python tests/bench_extract.py PAGES.jsonl.gz [--pages 200] [--rounds 3]

PAGES is JSON Lines, gzipped or not; each line holds `html` and, if it has one, `url`. The two take
turns on the same pages in one process, and what is measured is processor time, so that other work
on the machine disturbs neither more than the other. Medians are printed. Without trafilatura (it is
no dependency: `pip install trafilatura`) ours is measured alone.
"""

import argparse
import gzip
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from crawler.extract import extract


def main(argv: list[str] | None = None) -> int:
    """Print pages per second of each extractor, and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", type=Path, help="JSON Lines with html and url")
    parser.add_argument("--pages", dest="limit", type=int, default=200, help="read so many")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    arguments = parser.parse_args(argv)
    try:
        pages = read_pages(arguments.pages, arguments.limit)
    except (OSError, ValueError, KeyError) as error:
        print(f"bench_extract: {arguments.pages}: {error!r}; see --help", file=sys.stderr)
        return 2
    if not pages or arguments.rounds < 1:
        print("bench_extract: no pages or no rounds; there must be one of each", file=sys.stderr)
        return 2
    rivals = extractors()
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(arguments.rounds):
        for name, run in rivals.items():
            seconds[name].append(time_pages(run, pages))
    megabytes = sum(len(html) for html, _ in pages) / 1e6
    print(f"{len(pages)} pages, {megabytes:.1f} million characters, {arguments.rounds} rounds")
    ours = statistics.median(seconds["minigpt"])
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:<18}{len(pages) / median:8.1f} pages/s   {median / ours:6.2f} x our time")
    return 0


def read_pages(path: Path, limit: int) -> list[tuple[str, str | None]]:
    """Return (html, url) of the first pages of a file."""
    open_file = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "rt", encoding="utf-8") as lines:
        rows = map(json.loads, islice(lines, limit))
        return [(row["html"], row.get("url")) for row in rows]


def extractors() -> dict[str, Callable[[str, str | None], object]]:
    """Return what is to be measured, by name."""
    found = {"minigpt": extract}
    try:
        import trafilatura
    except ImportError:
        print("trafilatura is not installed: ours alone", file=sys.stderr)
        return found
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    found["trafilatura"] = lambda html, url: trafilatura.extract(html, url=url)
    found["trafilatura fast"] = lambda html, url: trafilatura.extract(html, url=url, fast=True)
    return found


def time_pages(run: Callable[[str, str | None], object], pages: list) -> float:
    """Return the processor seconds that one pass over the pages takes."""
    start = time.process_time()
    for html, url in pages:
        run(html, url)
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
