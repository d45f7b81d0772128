"""`python -m crawler crawl`: flags made from the fields of `Settings`, and the --pydoc site."""

import argparse
import dataclasses
import sys
from typing import Any

from tqdm import tqdm

from crawler import pydoc_site
from crawler.crawl import crawl
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.state import settings_of_interrupted
from crawler.urls import split

_EPILOG = """\
Keeps to robots.txt, asks a host for one page at a time, and stays on the sites it began at. A page
is kept if it is HTML or plain text. Stop it whenever you like: the same command goes on, also with
another --max-pages, --delay or --workers. With a file that is there already, pages that have not
changed are not sent again; a file that is not of a crawl with the same settings is kept once, as
FILE.previous, and what a crawl of other settings had when it was stopped, as FILE.stopped. With
--once nothing is crawled if FILE or FILE.previous is of these settings: that one becomes FILE.

--include and --exclude are searched anywhere in the whole address, as it is written to the archive:
https://host/path?query, in ASCII, capitals told apart ((?i) before a pattern ends that). What is
not included is not asked for, not even for its links, whether a page, a sitemap or a redirect leads
there; the URLs to begin with, and where they redirect to, need not be included. Repeats within
repeats, as in (a+)+, can take for ever on a long address: Ctrl-C ends that.

examples:
  python -m crawler crawl --pydoc
      the documentation of the standard library, from your own Python, without internet
  python -m crawler crawl https://example.org/ --max-pages 500 --exclude /tag/
  python -m crawler crawl https://example.org/docs/ --include /docs/ --include '/blog/20[0-9]{2}/'
"""
_METAVARS = {int: "N", float: "SECONDS", None: "TEXT"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `crawl`: `n_workers` becomes --workers, `delay_s` --delay."""
    parser.epilog = _EPILOG
    parser.add_argument("seeds", nargs="*", metavar="URL", help="where to begin")
    parser.add_argument(
        "--pydoc", action="store_true", help="crawl the documentation that Python brings along"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="out/pages.warc.gz",
        metavar="FILE",
        help="a .warc.gz; its report stands beside it: crawl.json for pages.warc.gz, else "
        "NAME.crawl.json (default: %(default)s)",
    )
    parser.add_argument(
        "--once", action="store_true", help="take a finished crawl with these settings as it is"
    )
    parser.add_argument(
        "--check", action="store_true", help="only say whether these settings can work"
    )
    for field in dataclasses.fields(Settings):
        if not field.metadata:
            continue
        options = dict(field.metadata)
        if field.default is True:
            flag = f"--no-{field.name}"
            parser.add_argument(flag, dest=field.name, action="store_false", **options)
            continue
        if field.default == ():
            options["action"] = "append"
        elif "choices" not in options:
            options["metavar"] = _METAVARS[options.get("type")]
        if field.default not in (None, ()):
            options["help"] += " (default: %(default)s)"
        flag = field.name.removeprefix("n_").removesuffix("_s").replace("_", "-")
        default = [] if field.default == () else field.default
        parser.add_argument(f"--{flag}", dest=field.name, default=default, **options)


def run(args: argparse.Namespace) -> None:
    """Crawl as the flags say; raises what `crawl` raises."""
    names = [field.name for field in dataclasses.fields(Settings) if field.name in args]
    values = {name: getattr(args, name) for name in names}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    if args.pydoc and args.seeds:
        raise ValueError(f"both --pydoc and {args.seeds[0]} are given; crawl one after the other")
    if args.check:
        seeds = values["seeds"] or ["http://127.0.0.1/"] * args.pydoc
        Scope(Settings(**values | {"seeds": tuple(seeds)}))
        return
    if not args.pydoc:
        _crawl_and_tell(values, args)
        return
    values["exclude"] += tuple(pattern for pattern, _ in pydoc_site.EXCLUDED)
    port = _port_of_interrupted(args.output, values["exclude"])
    with pydoc_site.serve(port) as url:
        values["seeds"] = (url,)
        _crawl_and_tell(values, args)


def _crawl_and_tell(values: dict[str, Any], args: argparse.Namespace) -> None:
    report = crawl(Settings(**values), args.output, _say, args.once)
    n_errors = sum(report["errors"].values())
    _say(
        f"{args.output}: {report['pages']} page{'s' * (report['pages'] != 1)}, "
        f"{report['bytes'] / 1e6:.1f} MB, hosts: {report['hosts']}, errors: {n_errors}, "
        f"{report['seconds']:.0f} s"
    )


def _port_of_interrupted(output: str, exclude: tuple[str, ...]) -> int:
    """Return the port of an interrupted --pydoc crawl, so that its addresses stay right; or 0."""
    settings = settings_of_interrupted(output)
    if settings is None or settings["exclude"] != list(exclude):
        return 0
    return int(split(settings["seeds"][0]).netloc.rpartition(":")[2] or 0)


def _say(line: str) -> None:
    tqdm.write(f"crawl: {line}", file=sys.stderr)
