"""One run of the cleaning: pages are read here, cut into shards, and worked on elsewhere.

    read      this process reads the archives and judges addresses; workers make documents of pages
    choose    this process decides which copies stay (`choose.py`)
    judge     workers drop the others, and what breaks the rules
    choose    this process decides again, of documents that are almost the same
    finish    workers write the shards' pieces of the output

Workers are those of any `concurrent.futures` executor that sees the same files. What a worker has
done to a shard is on disk (`shards.py`), so a run that was killed goes on with the rest; the result
does not depend on who worked, or in which order. One reader feeds about twenty workers. No text
stays in memory, and no more pages than the workers are busy with.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from crawler import blocklist, choose, stages, urls, warc
from crawler.funnel import Funnel
from crawler.inputs import STDIN, opened
from crawler.pool import Inline, Pool, n_cpus, spread
from crawler.shards import Shard, write_json
from crawler.steps import Document, Settings, Verdict

SHARD_PAGES = 100
SHARD_BYTES = 32 * 2**20  # of pages
MAX_TOLD = 20  # problems whose message is kept


class Cleaning:
    """What to clean, in which folder to work, and what has been counted so far."""

    def __init__(
        self, paths: list[str], work: Path, settings: Settings, explain: str | None = None
    ):
        self.paths = paths
        self.work = work
        self.settings = settings
        self.explain = explain
        self.book = Funnel(explain)
        self.archives: list[int] = []  # for each shard, the archive it is from
        self.problems: Counter[str] = Counter()
        self.told: list[str] = []
        self.only: str | None = None  # the address of the pages to read, None for all
        self.n_pages = 0  # seen in the archives, whatever their addresses
        self.executor: Executor = Inline()
        self.ahead = 1  # tasks to hand out before the first is done

    def shards(self, archive: int | None = None) -> list[Shard]:
        """Return all shards, or those of one archive."""
        return [
            Shard(str(self.work), number)
            for number, of_archive in enumerate(self.archives)
            if archive in (None, of_archive)
        ]

    def run(self, executor: Executor | None = None, workers: int | None = None) -> None:
        """Do what is not done yet.

        Raises ValueError if there is no page, OSError if a worker dies or a file cannot be read.
        """
        with self._workers(executor, workers):
            self._read()
            every = self.shards()
            self._judge(every, self._equal_copies())
            self._gather("judged", every)
            self._finish(every, self._near_copies())
            self._gather("done", every)

    def follow(self, executor: Executor | None = None, workers: int | None = None) -> None:
        """Do what decides about the page to explain, and no more.

        All pages are read, for the copy that stays is the one to which most of them link; the
        others are judged only if this page comes as far as near-duplicates. Raises as `run` does.
        """
        with self._workers(executor, workers):
            self._read()
            its = [shard for shard in self.shards() if shard.read_json("read")["story"]]
            copies = self._equal_copies()
            self._judge(its, copies)
            self._gather("judged", its)
            kept = (document.url for shard in its for document in shard.read_documents("judged"))
            if self.explain in kept:
                self._judge(self.shards(), copies)
                self._finish(its, self._near_copies())
                self._gather("done", its)

    @contextmanager
    def _workers(self, executor: Executor | None, workers: int | None) -> Iterator[None]:
        """Have somebody to do the work: the executor, or so many processes."""
        workers = n_cpus() if workers is None else workers
        own = None if executor else Pool(workers) if workers > 1 else Inline()
        self.executor = executor or own
        workers = getattr(executor, "_max_workers", workers)  # the standard library's have it
        self.ahead = 1 if isinstance(own, Inline) else 2 * workers + 1
        try:
            yield
        except BrokenExecutor:
            raise OSError(
                "a worker ended without a word; if memory ran out, take fewer --workers: the same "
                "command goes on where it stopped"
            ) from None
        finally:
            if own:
                own.shutdown(cancel_futures=True)

    def ends_alone(self) -> bool:
        """Read only pages at the address to explain; tell whether that told all there is of them.

        So it is where none is found, or none passes the steps that judge a page by itself.
        """
        self.only = self.explain
        try:
            self._read()
        except ValueError:  # no page is left; of an archive without any, `run` says so
            return self.n_pages > 0
        return not any(True for shard in self.shards() for _ in shard.read_documents("read"))

    # ---- stages ----

    def _read(self) -> None:
        done = self.work / "read.json"
        if not done.exists():
            tasks = (
                (Shard(str(self.work), number), pages)
                for number, pages in enumerate(self._batches())
            )
            self._work("read", stages.read, tasks)
            counts = {"archives": self.archives, "problems": self.problems, "told": self.told}
            write_json(done, {**counts, "book": self.book.as_json()})
        else:
            counts = json.loads(done.read_bytes())
            self.archives, self.told = counts["archives"], counts["told"]
            self.problems.update(counts["problems"])
            self.book.merge(counts["book"])
        if not self.archives:
            raise ValueError(self._no_pages())
        self._gather("read", self.shards())

    def _equal_copies(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        start = time.perf_counter()
        chosen = list(choose.equal_copies(self.shards()))
        self.book.add("exact").seconds += time.perf_counter() - start
        return chosen

    def _judge(self, shards: list[Shard], copies: list[tuple]) -> None:
        tasks = ((shard, *copies[shard.number]) for shard in shards)
        self._work("judged", stages.judge, _with_bar(tasks, "judging", len(shards)))

    def _near_copies(self) -> list[dict[int, tuple[int, int]]]:
        start = time.perf_counter()
        dropped = choose.near_copies(self.shards())
        self.book.add("near-duplicate").seconds += time.perf_counter() - start
        return dropped

    def _finish(self, shards: list[Shard], dropped: list[dict]) -> None:
        tasks = ((shard, dropped[shard.number]) for shard in shards)
        self._work("done", stages.finish, _with_bar(tasks, "finishing", len(shards)))

    def _work(self, stage: str, function: Callable, tasks: Iterable[tuple]) -> None:
        """Have a function called for each shard that has not been through this stage."""
        missing = (
            (*task, self.settings, self.explain) for task in tasks if not task[0].is_done(stage)
        )
        for _ in spread(self.executor, function, missing, self.ahead):
            pass

    def _gather(self, stage: str, shards: list[Shard]) -> None:
        for shard in shards:
            self.book.merge(shard.read_json(stage))

    # ---- reading ----

    def _batches(self) -> Iterator[list[warc.Page]]:
        """Yield the pages whose address is wanted, a shard at a time, each of one archive."""
        lists = self.settings.blocklists
        rules = blocklist.load([blocklist.DOMAINS_FILE, *lists]) if lists else None
        self.book.add("url")
        seen: set[int] = set()
        size = sum(os.path.getsize(path) for path in self.paths if path != STDIN)
        with tqdm(total=size or None, desc="pages", unit="B", unit_scale=True, disable=None) as bar:
            for number, path in enumerate(self.paths):
                with opened(path) as file:
                    pages = warc.read_pages(_Counted(file, bar), self._note)
                    for batch in _cut(self._wanted(pages, rules, seen)):
                        self.archives.append(number)
                        yield batch

    def _wanted(
        self, pages: Iterable[warc.Page], rules: blocklist.Rules | None, seen: set[int]
    ) -> Iterator[warc.Page]:
        for page in pages:
            self.n_pages += 1
            if self.only in (None, page.url) and self._is_wanted(page, rules, seen):
                yield page

    def _is_wanted(self, page: warc.Page, rules: blocklist.Rules | None, seen: set[int]) -> bool:
        step = self.book.add("url")
        start = time.perf_counter()
        address = stages.address_digest(page.url)
        reason = urls.blocked(page.url, rules)
        if not reason and address in seen:
            reason = "address read before"
        seen.add(address)
        step.seconds += time.perf_counter() - start
        document, size = Document(page.url, page.date), len(page.body)
        return self.book.record(step, document, size, Verdict("", reason), size)

    def _note(self, error: warc.ArchiveError) -> None:
        self.problems[error.kind] += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(str(error))

    def _no_pages(self) -> str:
        if self.told:
            return f"{self.told[0]}; give WARC files of a crawl, or WET files"
        if self.book.add("url").documents_in:
            reason, count = self.book.add("url").reasons.most_common(1)[0]
            return f"all pages are left out by their addresses ({count}: {reason})"
        return "the files hold no pages of text; give WARC files of a crawl, or WET files"


def _cut(pages: Iterable[warc.Page]) -> Iterator[list[warc.Page]]:
    """Yield lists of pages that are large enough."""
    batch: list[warc.Page] = []
    size = 0
    for page in pages:
        batch.append(page)
        size += len(page.body)
        if len(batch) == SHARD_PAGES or size >= SHARD_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _with_bar(tasks: Iterable[tuple], title: str, total: int) -> Iterable[tuple]:
    return tqdm(tasks, title, total, unit=" shards", leave=False, disable=None)


class _Counted:
    """A file that tells a progress bar how much of it was read."""

    def __init__(self, file: BinaryIO, bar: tqdm):
        self.file, self.bar = file, bar
        self.name = getattr(file, "name", "the archive")

    def read(self, n_bytes: int) -> bytes:
        data = self.file.read(n_bytes)
        self.bar.update(len(data))
        return data
