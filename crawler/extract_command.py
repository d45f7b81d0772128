"""`python -m crawler extract`: the main text of pages in HTML files, to read, or to try it on one.

Not here: archives of pages (`clean_command.py`), and fetching (`crawl_command.py`).
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from crawler.extract import extract
from crawler.inputs import STDIN
from crawler.urls import canonical

_ARCHIVES = (b"WARC/", b"\x1f\x8b")
_EPILOG = """examples:
  python -m crawler extract page.html
  curl -s https://example.org/ | python -m crawler extract - --url https://example.org/ --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `extract`."""
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="pages in HTML; - is standard input")
    add("--json", action="store_true", help="a line of JSON for each: file, title, text, links")
    add("--url", help="the page's address, to make its links absolute")


def run(args: argparse.Namespace) -> None:
    """Print what the pages say.

    Raises OSError for what cannot be read, ValueError for archives and for what is no web address.
    """
    address = None if args.url is None else canonical(args.url)
    for number, file in enumerate(args.files):
        page = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
        if page.startswith(_ARCHIVES):
            raise ValueError(
                f"{file} is an archive or compressed; it must be HTML: `python -m crawler clean` "
                "reads archives"
            )
        found = extract(page, address)
        if args.json:
            print(json.dumps({"file": file, **dataclasses.asdict(found)}, ensure_ascii=False))
        else:
            print(*[""] * (number > 0), *filter(None, [found.title, found.text]), sep="\n\n")
