"""Which archives to read: files, standard input, and lists of whole crawls.

    pages.warc.gz      a file
    -                  standard input
    @warc.paths.gz     a list, one path a line, compressed or not, as Common Crawl publishes them;
                       `#` begins a comment

A path in a list is looked for as it stands, then beside the list. What is missing is said at once,
not after hours of work. Nothing is fetched here.
"""

import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STDIN = "-"


def archives(names: Iterable[str | Path]) -> list[str]:
    """Return the paths that the names stand for, in order.

    Raises OSError for a file that is missing or a folder, ValueError for a list without a path, and
    for standard input given twice.
    """
    paths: list[str] = []
    for name in map(str, names):
        paths += _listed(Path(name[1:])) if name.startswith("@") else [name]
    if paths.count(STDIN) > 1:
        raise ValueError("- is given twice; standard input can be read once")
    for path in paths:
        if path != STDIN:
            open(path, "rb").close()  # OSError says which and why
    return paths


def _listed(file: Path) -> list[str]:
    data = file.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (EOFError, gzip.BadGzipFile, ValueError) as error:
            raise ValueError(f"{file} is no list of paths: {error}") from None
    lines = data.decode("utf-8-sig", "replace").splitlines()
    paths = [path for line in lines if (path := line.partition("#")[0].strip())]
    if not paths:
        raise ValueError(f"{file} is empty; it must be a list of paths, one a line")
    return [path if Path(path).exists() else str(_beside(file, path)) for path in paths]


def _beside(file: Path, path: str) -> Path:
    found = file.parent / path
    if not found.exists():
        raise FileNotFoundError(
            2, f"no such file (listed in {file}); fetch it first and keep its folders", path
        )
    return found


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a path for reading bytes; standard input stays open."""
    if path == STDIN:
        yield sys.stdin.buffer
    else:
        with open(path, "rb") as file:
            yield file
