"""What to visit next and what has been seen: a queue on disk that survives `kill -9`.

Each host's pages are visited breadth-first: those near the seeds come first, and within one depth
those found first; those that failed once come after all others. The queue is an SQLite file,
because that of a long crawl may not fit in memory, and because a transaction is the right answer to
a power cut: what is not committed has never happened.

    urls   a row for every address ever seen: `outcome` is NULL while it waits, afterwards `page`,
           `redirect`, `sitemap`, or `error:` or `skipped:` with the reason; `n_bytes` is the page's
           size; `problem` is the outcome so far of an address that will be tried again
    places  how many addresses were counted at a place where there may be too many (`traps.py`)
    earlier  the records in the archives of earlier crawls (`earlier.py`)
    notes  what else the crawl must remember: a name and a JSON value

Not here: when a host may be asked again (`politeness.py`), and what the rows lead to (`crawl.py`).
"""

import json
import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from crawler.earlier import Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS urls (
    id INTEGER PRIMARY KEY,  -- the order of discovery
    url TEXT NOT NULL UNIQUE,
    netloc TEXT NOT NULL,    -- host or host:port: who must not be asked twice at once
    depth INTEGER NOT NULL,  -- links from the nearest seed
    n_hops INTEGER NOT NULL, -- redirects that led here
    is_sitemap INTEGER NOT NULL,
    n_tries INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    outcome TEXT,
    n_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS waiting ON urls (netloc, n_tries, depth, id) WHERE outcome IS NULL;
CREATE TABLE IF NOT EXISTS places (place TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS earlier (
    url TEXT PRIMARY KEY, archive TEXT, offset INTEGER, n_bytes INTEGER, etag TEXT, modified TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


_APPLICATION_ID = 0x6D677074  # marks the file as ours, so that no other is taken for one
_VERSION = 3  # of the tables


class Visit(NamedTuple):
    """An address whose turn it is."""

    id: int
    url: str
    netloc: str
    depth: int
    n_hops: int
    is_sitemap: bool
    n_tries: int


class Frontier:
    """The queue in the file `path`, which nobody else can open meanwhile.

    Raises ValueError if the file is something else or in use. Only what is committed lasts.
    """

    def __init__(self, path: str | Path):
        self._db = None
        try:
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("BEGIN EXCLUSIVE")
            is_new = self._scalar("SELECT count(*) FROM sqlite_master") == 0
            if not is_new and self._scalar("PRAGMA application_id") != _APPLICATION_ID:
                raise sqlite3.DatabaseError("it belongs to another program")
            if not is_new and self._scalar("PRAGMA user_version") != _VERSION:
                raise sqlite3.DatabaseError("another version of this program wrote it; remove it")
            self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self.n_waiting = self._scalar("SELECT count(*) FROM urls WHERE outcome IS NULL")
        except sqlite3.Error as error:
            if self._db:
                self._db.close()
            reason = "another crawl is writing it" if "locked" in str(error) else error
            raise ValueError(f"{path} cannot hold the state of a crawl: {reason}") from None

    def add(
        self,
        url: str,
        netloc: str,
        depth: int,
        n_hops: int = 0,
        outcome: str | None = None,
        is_sitemap: bool = False,
    ) -> bool:
        """Remember an address, to be visited unless it has an outcome; False if it was known."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO urls (url, netloc, depth, n_hops, outcome, is_sitemap)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (url, netloc, depth, n_hops, outcome, is_sitemap),
        )
        self.n_waiting += cursor.rowcount if outcome is None else 0
        return cursor.rowcount == 1

    def knows(self, url: str) -> bool:
        """Say whether an address was ever seen."""
        query = "SELECT 1 FROM urls WHERE url = ?"
        return self._db.execute(query, (url,)).fetchone() is not None

    def forget(self, url: str, outcome: str) -> None:
        """Remove an address if it has that outcome, so that it can be added again."""
        self._db.execute("DELETE FROM urls WHERE url = ? AND outcome = ?", (url, outcome))

    def next(self, netloc: str, running: Collection[int] = ()) -> Visit | None:
        """Return whose turn it is at this host, but none of those `running` (their ids)."""
        rows = self._db.execute(
            "SELECT id, url, netloc, depth, n_hops, is_sitemap, n_tries FROM urls"
            " WHERE netloc = ? AND outcome IS NULL ORDER BY n_tries, depth, id LIMIT ?",
            (netloc, len(running) + 1),
        )
        return next((Visit(*row) for row in rows if row[0] not in running), None)

    def finish(self, visit: Visit, outcome: str, n_bytes: int = 0) -> None:
        """Note what came of a visit."""
        self._db.execute(
            "UPDATE urls SET outcome = ?, n_bytes = ? WHERE id = ?", (outcome, n_bytes, visit.id)
        )
        self.n_waiting -= 1

    def retry(self, visit: Visit, problem: str) -> None:
        """Note that a visit failed and must be made again, after those that were not made yet."""
        self._db.execute(
            "UPDATE urls SET n_tries = n_tries + 1, problem = ? WHERE id = ?", (problem, visit.id)
        )

    def finish_host(self, netloc: str, outcome: str, running: Collection[int] = ()) -> None:
        """Give up on all that waits at a host, but not on those `running` (their ids)."""
        marks = ", ".join("?" * len(running))
        cursor = self._db.execute(
            "UPDATE urls SET outcome = coalesce(problem, ?)"
            f" WHERE netloc = ? AND outcome IS NULL AND id NOT IN ({marks})",
            (outcome, netloc, *running),
        )
        self.n_waiting -= cursor.rowcount

    def count_at(self, place: str) -> int:
        """Count one more at a place; return how many there are now."""
        self._db.execute("INSERT OR IGNORE INTO places VALUES (?, 0)", (place,))
        self._db.execute("UPDATE places SET n = n + 1 WHERE place = ?", (place,))
        row = self._db.execute("SELECT n FROM places WHERE place = ?", (place,)).fetchone()
        return row[0]

    def remember_earlier(self, records: Iterable[Record]) -> int:
        """Keep earlier crawls' records, the later of two with one address; return how many."""
        self._db.executemany("REPLACE INTO earlier VALUES (?, ?, ?, ?, ?, ?)", records)
        return self._scalar("SELECT count(*) FROM earlier")

    def earlier(self, url: str) -> Record | None:
        """Return an earlier crawl's record of an address, if there is one to ask about."""
        row = self._db.execute("SELECT * FROM earlier WHERE url = ?", (url,)).fetchone()
        return Record(*row) if row else None

    def waiting_hosts(self) -> list[str]:
        """Return the hosts at which something waits, in the order of their oldest address."""
        query = "SELECT netloc FROM urls WHERE outcome IS NULL GROUP BY netloc ORDER BY min(id)"
        return [netloc for (netloc,) in self._db.execute(query)]

    def urls(self, depth: int) -> list[str]:
        """Return all addresses ever seen at a depth."""
        query = "SELECT url FROM urls WHERE depth = ? ORDER BY id"
        return [url for (url,) in self._db.execute(query, (depth,))]

    def outcomes(self) -> dict[str, int]:
        """Return how many addresses came to each outcome."""
        query = "SELECT outcome, count(*) FROM urls WHERE outcome IS NOT NULL GROUP BY outcome"
        return dict(self._db.execute(query).fetchall())

    def totals(self) -> dict[str, int]:
        """Return the number of pages, their bytes, and the hosts they came from."""
        query = "SELECT count(*), total(n_bytes), count(DISTINCT netloc) FROM urls"
        row = self._db.execute(query + " WHERE outcome = 'page'").fetchone()
        return dict(zip(("pages", "bytes", "hosts"), map(int, row), strict=True))

    def note(self, name: str, value: Any) -> None:
        """Remember a JSON value under a name."""
        self._db.execute("REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    def noted(self, name: str) -> Any:
        """Return what was noted under a name, or None."""
        row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def clear(self) -> None:
        """Forget everything."""
        for table in ("urls", "places", "earlier", "notes"):
            self._db.execute(f"DELETE FROM {table}")
        self.n_waiting = 0

    def commit(self) -> None:
        """Make all changes so far permanent, and begin the next transaction."""
        self._db.execute("COMMIT")
        self._db.execute("BEGIN EXCLUSIVE")

    def close(self) -> None:
        """Close the file; what was not committed is forgotten."""
        self._db.close()

    def _scalar(self, query: str) -> int:
        return self._db.execute(query).fetchone()[0]
