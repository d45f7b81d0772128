"""The pages and the queue of a running crawl: two files that always agree, whatever kills it.

    pages.warc.gz.part   the pages so far
    pages.sqlite         the frontier, and in its notes how long the .part was when it was committed
                         (`offset`), the seconds spent, and the settings

A page is written, its row is marked, and now and then everything is made to last: the .part is
flushed to the disk first, then its length is committed with the rows. After a kill the .part is
cut back to that length, so that what follows neither repeats nor misses a page. Last of all
`crawl.json` is written, the .part gets its real name, and the frontier is removed. Until then
the archive of an earlier crawl stays, and what it holds is asked for only if it has changed
(`earlier.py`). If that was not of a crawl with the same settings, it is kept, once, as
`pages.warc.gz.previous` (`kept.py`).

An interrupted crawl goes on if the settings are the same, or differ in the limit of pages only and
it has no more than that. Otherwise what it fetched is kept as `pages.warc.gz.stopped`, and taken
for the archive of an earlier crawl as well.

Who wants a crawl `once` gets a finished one with the same settings, the last or the previous one,
as it is; then an interrupted one with other settings stays as it is, too.
"""

import json
import os
import sqlite3
import time
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from crawler.earlier import list_records
from crawler.fetch import PRODUCT, Response
from crawler.files import write_report
from crawler.frontier import Frontier, Visit
from crawler.kept import Kept, written_ns
from crawler.warc import Writer

COMMIT_EVERY_S = 0.2


class State:
    """Open or begin the crawl that ends in `output`; `news` says what became of an earlier one.

    Raises OSError, and ValueError for a name that is no `.warc.gz` or a state that is in use.
    """

    def __init__(self, output: str | Path, settings: dict[str, Any], once: bool = False):
        self.output = Path(output)
        if not self.output.name.endswith(".warc.gz"):
            raise ValueError(f"the output is {output}; its name must end in .warc.gz, as it is one")
        self.part_path = self.output.with_name(self.output.name + ".part")
        self.kept = Kept(self.output)
        self.frontier_path = _frontier_path(self.output)
        if self.output.is_dir():
            raise ValueError(f"the output {output} is a folder; it must be a file")
        self._made_folder = not self.output.parent.exists()
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self.news = ""
        self.resumed = False
        self.recalled: dict[str, Any] | None = None  # the report of one that need not be made
        self.finished_report: dict[str, Any] | None = None
        self._part: BinaryIO | None = None
        self.frontier = Frontier(self.frontier_path)
        try:
            self._open(settings, once)
        except sqlite3.Error as error:
            self.close()
            raise OSError(f"{self.frontier_path} cannot be used: {error}") from None
        except BaseException:
            self.close()
            raise
        self._seconds_before = self.frontier.noted("seconds") or 0.0
        self._start = self._committed_at = time.monotonic()

    def store(self, visit: Visit, response: Response) -> None:
        """Append a page and mark its row."""
        headers = response.page_headers()
        self._writer.write_response(
            response.url, response.body, headers, response.status, response.reason, ip=response.ip
        )
        self.frontier.finish(visit, "page", len(response.body))

    def store_record(self, visit: Visit, record: bytes, n_bytes: int) -> None:
        """Append a page's record as it was in the archive of an earlier crawl; mark its row."""
        self._part.write(record)
        self.frontier.finish(visit, "page", n_bytes)

    @property
    def seconds(self) -> float:
        """Return the seconds spent on this crawl, also before it was interrupted."""
        return self._seconds_before + time.monotonic() - self._start

    def commit_if_due(self) -> None:
        """Make everything last, if that was a while ago."""
        if time.monotonic() - self._committed_at >= COMMIT_EVERY_S:
            self.commit()

    def commit(self) -> None:
        """Make everything last."""
        self._part.flush()
        os.fsync(self._part.fileno())
        self.frontier.note("offset", self._part.tell())
        self.frontier.note("seconds", self.seconds)
        self.frontier.commit()
        self._committed_at = time.monotonic()

    def finish(self, counts: dict[str, Any]) -> dict[str, Any]:
        """Write the report and `complete`; return the report."""
        seconds = round(self.seconds, 3)
        self.finished_report = {
            "stage": "crawl",
            "seconds": seconds,
            "archive_bytes": self._part.tell(),
            "settings": self.frontier.noted("settings"),
            **counts,
        }
        self.frontier.note("report", self.finished_report)
        self.commit()
        return self.complete()

    def complete(self) -> dict[str, Any]:
        """Write the report, give the pages their name, remove the state.

        If this is killed, the next State has a `finished_report` and can do it again.
        """
        if self._part:
            self._part.close()
        self._name_pages()
        self.close()  # not before: as long as it is open, no other crawl begins a new .part
        self.frontier_path.unlink(missing_ok=True)
        return self.finished_report

    def close(self) -> None:
        """Close the files; what was not committed will be done again."""
        self.frontier.close()
        if self._part:
            self._part.close()

    def leave(self) -> dict[str, Any]:
        """Close what is not needed, the crawl being there; return its report."""
        is_unused = self.frontier.noted("settings") is None
        self.close()
        if is_unused:
            self.frontier_path.unlink(missing_ok=True)
        return self.recalled

    def discard(self) -> None:
        """Close and remove both files, and the folder if it was made for them."""
        self.close()
        self.frontier_path.unlink(missing_ok=True)
        self.part_path.unlink(missing_ok=True)
        if self._made_folder:
            with suppress(OSError):  # somebody else has put something into it
                self.output.parent.rmdir()

    def _name_pages(self) -> None:
        """Write the report and give the finished pages their name."""
        if self.part_path.exists() and self.frontier.noted("keeps_previous"):
            self.kept.set_aside()
        write_report(self.kept.report, self.finished_report)
        if self.part_path.exists():
            os.replace(self.part_path, self.output)

    # ---- opening ----------------------------------------------------------------------------

    def _open(self, settings: dict[str, Any], once: bool) -> None:
        """Go on with what is there, or else begin anew; say so in `news`."""
        self.kept.end_exchange()
        self.kept.adopt_reports()
        before = self.frontier.noted("settings")
        offset = self.frontier.noted("offset") or 0
        self.finished_report = self.frontier.noted("report")
        if before == settings and self.finished_report:
            return
        if self.finished_report:  # it was killed while it tidied up, and its pages are whole
            self._name_pages()
            self.finished_report = before = None
            self.frontier.clear()  # or that report would be written again, of another archive
            self.frontier.commit()
        if once and (news := self.kept.recall(settings)):
            self.news = news
            self.recalled = json.loads(self.kept.report.read_bytes())
            return
        if before is not None:
            n_pages = self.frontier.totals()["pages"]
            s = "s" * (n_pages != 1)
            is_whole = self.part_path.exists() and self.part_path.stat().st_size >= offset
            if not is_whole:
                self.news = f"{self.part_path} is gone or too short: beginning anew"
            elif _goes_on(before, settings, n_pages):
                self.resumed = True
                self.news = f"going on after {n_pages} page{s}"
            elif n_pages:
                self.kept.keep_stopped(self.part_path, offset)
                self.news = (
                    f"{n_pages} page{s} of an interrupted crawl with other settings, kept as "
                    f"{self.kept.stopped.name}: beginning anew"
                )
        if self.resumed:
            self._note_settings(settings)
        else:
            self._begin(settings)
        self._part = self.part_path.open("r+b" if self.resumed else "wb")
        if self.resumed:
            self._part.truncate(offset)
            self._part.seek(offset)
        self._writer = Writer(self._part, PRODUCT)

    def _begin(self, settings: dict[str, Any]) -> None:
        """Forget all that is noted, before the .part is emptied of which it speaks."""
        self.frontier.clear()
        archives = [path for path in (self.output, self.kept.stopped) if path.exists()]
        archives.sort(key=written_ns)  # of two records the later counts
        n_pages = self.frontier.remember_earlier(chain.from_iterable(map(list_records, archives)))
        if n_pages:
            s = "s" * (n_pages != 1)
            which = "the last crawl" if archives == [self.output] else "earlier crawls"
            self._add_news(f"{n_pages} page{s} of {which}, asked for if changed")
        if self._note_settings(settings):
            self._say_what_is_kept()
        self.frontier.commit()

    def _note_settings(self, settings: dict[str, Any]) -> bool:
        """Note the settings, and whether the archive that is there is of others; return that."""
        keeps_previous = self.output.exists() and not self.kept.is_of_crawl(settings)
        self.frontier.note("settings", settings)
        self.frontier.note("keeps_previous", keeps_previous)
        return keeps_previous

    def _say_what_is_kept(self) -> None:
        """Say what will become of the archive that is there."""
        kept = f"it will be kept as {self.kept.previous.name}"
        line = f"{self.output} is not of a crawl with these settings: {kept}"
        if self.kept.previous.exists():
            line += (
                f", in place of the one there, {self.kept.describe_previous()}, which is lost then "
                "(another folder, make's OUT=, keeps all)"
            )
        self._add_news(line)

    def _add_news(self, line: str) -> None:
        self.news = f"{self.news}; {line}" if self.news else line


def _goes_on(before: dict[str, Any], settings: dict[str, Any], n_pages: int) -> bool:
    """Say whether a crawl of `n_pages` so far is the beginning of one with these settings."""
    limit = settings["max_pages"]
    return before | {"max_pages": limit} == settings and n_pages <= limit


def settings_of_interrupted(output: str | Path) -> dict[str, Any] | None:
    """Return the settings with which an unfinished crawl to `output` was begun, if there is one."""
    path = _frontier_path(Path(output))
    if not path.exists():
        return None
    frontier = Frontier(path)
    try:
        return frontier.noted("settings")
    except sqlite3.Error as error:
        raise OSError(f"{path} cannot be read: {error}") from None
    finally:
        frontier.close()


def _frontier_path(output: Path) -> Path:
    return output.with_name(output.name.removesuffix(".warc.gz") + ".sqlite")
