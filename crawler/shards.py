"""The folder in which a cleaning keeps what it has done: beside the output, until that is there.

The input is cut into *shards* of a hundred pages. Each stage reads and writes files of a shard,
in one piece each, the report last; so a stage whose report is there is done, and a cleaning that
was killed goes on with the first that is not.

    lock                 an empty SQLite database, locked by the run that works here
    job.json             what was asked for, of which files, by which version of this program; a
                         folder of another job is emptied
    read.json            how the pages were read, when all were; `archive` of each shard
    000000.read.*        after reading: documents; what is needed to find copies; counts
    000000.judged.*      after judging: documents; signatures; sets of shingles; counts
    000000.done.*        the shard's part of the output; counts

Documents are JSON Lines, counts JSON (see `funnel.py`), numbers NumPy's .npz, and `.shingles` a row
of 64-bit numbers. Nobody but this program reads them.
"""

import dataclasses
import hashlib
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crawler.data_files import DATA
from crawler.files import write_atomically
from crawler.steps import Document

LOCK = "lock"


class Shard(NamedTuple):
    """One shard's files."""

    folder: str
    number: int

    def path(self, name: str) -> Path:
        """Return the path of one of them, such as `read.json`."""
        return Path(self.folder) / f"{self.number:06}.{name}"

    def is_done(self, stage: str) -> bool:
        """Say whether a stage has left its report."""
        return self.path(f"{stage}.json").exists()

    def write_json(self, stage: str, value: Any) -> None:
        """Write a stage's report: last."""
        write_json(self.path(f"{stage}.json"), value)

    def read_json(self, stage: str) -> Any:
        """Return a stage's report."""
        return json.loads(self.path(f"{stage}.json").read_bytes())

    def write_documents(self, stage: str, documents: Iterable[Document]) -> None:
        """Write what `read_documents` reads: a JSON array a line, the fields in their order."""
        lines = [json.dumps(dataclasses.astuple(document)) + "\n" for document in documents]
        write_atomically(self.path(f"{stage}.jsonl"), "".join(lines).encode("ascii"))

    def read_documents(self, stage: str) -> Iterator[Document]:
        """Yield the documents that a stage has written, one at a time."""
        with open(self.path(f"{stage}.jsonl"), encoding="ascii") as lines:
            for line in lines:
                yield Document(*json.loads(line))

    def write_arrays(self, stage: str, **arrays: np.ndarray) -> None:
        """Write the arrays of a stage, each under its name, into one .npz."""
        data = io.BytesIO()
        np.savez(data, **arrays)
        write_atomically(self.path(f"{stage}.npz"), data.getvalue())

    def read_arrays(self, stage: str, *names: str) -> list[np.ndarray]:
        """Return the arrays of these names that a stage has written, in this order."""
        with np.load(self.path(f"{stage}.npz")) as arrays:
            return [arrays[name] for name in names]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file in one piece."""
    write_atomically(path, json.dumps(value).encode("ascii"))


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Keep every other run out of the folder, which is made if need be, and goes when it is empty.

    The lock ends with the process, however that ends. Raises ValueError if another run has it,
    OSError if the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    open(folder / LOCK, "ab").close()  # OSError says why not
    with closing(sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")  # no file beside it
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            in_use = "another run is working in it; wait for it, or give another output"
            reason = in_use if "locked" in str(error) else error
            raise ValueError(f"{folder}: {reason}") from None
        try:
            yield
        finally:
            lock.close()
            if not (folder / "job.json").exists():  # nothing to go on with
                with suppress(OSError):
                    (folder / LOCK).unlink()
                    folder.rmdir()


def prepare(folder: Path, job: dict[str, Any]) -> bool:
    """Make the folder ready for a job; return whether an earlier run of the same job is there.

    Raises ValueError for a folder with other things in it, OSError if it cannot be written.
    """
    job = {**job, "program": _program()}
    file = folder / "job.json"
    if file.exists():
        if file.read_bytes() == json.dumps(job).encode("ascii"):
            return True
        clear(folder)
    elif any(path.suffix != ".tmp" and path.name != LOCK for path in folder.iterdir()):
        raise ValueError(f"{folder} is to be worked in and holds other files; move it away")
    write_json(file, job)
    return False


def clear(folder: Path) -> None:
    """Delete what a job left; killed in the midst of it, the rest is no job's, and still known."""
    file = folder / "job.json"
    write_json(file, {})
    for path in folder.iterdir():
        if path != file and path.name != LOCK:
            path.unlink()
    file.unlink()


def _program() -> str:
    """Return a hash of the package's source and lists: another version may do something else."""
    lists = (path for path in DATA.iterdir() if path.suffix in (".txt", ".gz"))
    files = [*sorted(Path(__file__).parent.glob("*.py")), *sorted(lists)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
