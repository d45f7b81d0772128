"""The archives of other crawls that are kept beside the last one, and how one of them comes back.

    pages.warc.gz            crawl.json            the last crawl
    pages.warc.gz.previous   crawl.json.previous   the one before it that had other settings
    pages.warc.gz.stopped                          what crawls had when they were stopped

The reports of NAME.warc.gz are NAME.crawl.json and so on, so that a folder may hold several crawls.
A report is of the archive beside it if it says how long that is. Two crawls change places by
renaming, and whichever of the names are there tells how far they got: `end_exchange` does the rest
of it after a kill. All of this is for whoever holds the frontier (`state.py`).
"""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from crawler import pydoc_site
from crawler.files import replacing, write_atomically
from crawler.urls import split


class Kept:
    """The files beside the archive `output`."""

    def __init__(self, output: Path):
        self.output = output
        name = output.name.removesuffix(".warc.gz")
        self.report = output.with_name("crawl.json" if name == "pages" else f"{name}.crawl.json")
        self.previous = output.with_name(output.name + ".previous")
        self.previous_report = output.with_name(self.report.name + ".previous")
        self.stopped = output.with_name(output.name + ".stopped")
        # under these names while two crawls change places
        self._aside = output.with_name(f".{output.name}.exchanged")
        self._aside_report = output.with_name(f".{self.report.name}.exchanged")

    def adopt_reports(self) -> None:
        """Copy the reports that earlier versions called crawl.json, whatever the archive's name."""
        for archive, report, ending in (
            (self.output, self.report, ""),
            (self.previous, self.previous_report, ".previous"),
        ):
            earlier = archive.with_name("crawl.json" + ending)
            if not report.exists() and _read_report(earlier, archive):
                write_atomically(report, earlier.read_bytes())

    def is_of_crawl(self, settings: dict[str, Any]) -> bool:
        """Say whether the archive is of a crawl with these settings, as the report says."""
        return _is_of_crawl(self.output, self.report, settings)

    # ---- the previous crawl ---------------------------------------------------------------------

    def set_aside(self) -> None:
        """Make of the archive and its report the previous ones; again after a kill, the rest."""
        if self.output.exists():
            if _read_report(self.report, self.output):
                os.replace(self.report, self.previous_report)
            os.replace(self.output, self.previous)

    def recall(self, settings: dict[str, Any]) -> str:
        """Let a finished crawl with these settings, if there is one, be the last; say so, or "".

        Its archive is written today, as far as one sees: what was made of the other one is older.
        """
        if self.is_of_crawl(settings):
            said = f"{self.output} is of a crawl with these settings, and stays"
        elif not _is_of_crawl(self.previous, self.previous_report, settings):
            return ""
        elif self.output.exists():
            os.replace(self.previous, self._aside)
            self.end_exchange()
            said = (
                f"{self.output} and {self.previous.name} change places: the crawl kept there is "
                "the one asked for"
            )
        else:
            write_atomically(self.report, self.previous_report.read_bytes())
            os.replace(self.previous, self.output)
            self.previous_report.unlink()
            said = f"{self.previous} is the crawl asked for, and is now {self.output.name}"
        self._touch()
        return said

    def end_exchange(self) -> None:
        """Let two crawls that are changing places do the steps that are left."""
        if not self._aside.exists():
            return
        if self.output.exists():
            if self.previous_report.exists():
                os.replace(self.previous_report, self._aside_report)
            os.replace(self.output, self.previous)
        if self._aside_report.exists():
            if self.report.exists():
                os.replace(self.report, self.previous_report)
            os.replace(self._aside_report, self.report)
        os.replace(self._aside, self.output)

    def _touch(self) -> None:
        """Date the archive today; what was stopped later than both crawls stays the later."""
        now = time.time_ns()
        last = max(written_ns(self.output), written_ns(self.previous))
        if written_ns(self.stopped) >= last:
            os.utime(self.stopped, ns=(now, now))
        os.utime(self.output, ns=(now, now))

    def describe_previous(self) -> str:
        """Say of what the previous archive is: how many pages, and where its crawl began."""
        try:
            report = _read_report(self.previous_report, self.previous)
            n_pages, settings = int(report["pages"]), report["settings"]
            seed = "pydoc" if _is_of_pydoc(settings) else str(settings["seeds"][0])
            return f"{n_pages:,} page{'s' * (n_pages != 1)} of {seed}"
        except (ValueError, TypeError, LookupError, AttributeError):
            return "of which nothing is known"

    # ---- what was stopped -----------------------------------------------------------------------

    def keep_stopped(self, part: Path, n_bytes: int) -> None:
        """Copy what was committed of the archive `part` to the stopped one, and empty it.

        What is there stays, before it, if no crawl has become whole since.
        """
        os.truncate(part, n_bytes)
        before, done = written_ns(self.stopped), written_ns(self.output)
        stays = before > 0 and before >= done
        with replacing(self.stopped) as file:
            for path in (self.stopped, part) if stays else (part,):
                with path.open("rb") as source:
                    shutil.copyfileobj(source, file)
        os.truncate(part, 0)  # or a kill here would have them copied again


def written_ns(path: Path) -> int:
    """Return when a file was last written, or 0 if there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def _is_of_crawl(archive: Path, report: Path, settings: dict[str, Any]) -> bool:
    try:
        there = _read_report(report, archive)["settings"]
        return _without_pydocs_port(there) == _without_pydocs_port(settings)
    except (ValueError, TypeError, LookupError, AttributeError):  # nothing is known of it
        return False


def _read_report(path: Path, archive: Path) -> dict[str, Any]:
    """Return the report at `path` if it is of the archive, else nothing."""
    try:
        report = json.loads(path.read_bytes())
        return report if report["archive_bytes"] == archive.stat().st_size else {}
    except (OSError, ValueError, TypeError, LookupError):
        return {}


def _without_pydocs_port(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings, and of a crawl of pydoc not the port, which is any that was free."""
    if _is_of_pydoc(settings):
        return settings | {"seeds": [split(seed).path for seed in settings["seeds"]]}
    return settings


def _is_of_pydoc(settings: dict[str, Any]) -> bool:
    return {pattern for pattern, _ in pydoc_site.EXCLUDED} <= set(settings.get("exclude", ()))
