"""Write a file in one piece, so that a reader never sees half of it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a file in one piece: it is there whole, or as it was before. Raises OSError."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file that takes the path's place when all is written, and never if that fails.

    An OSError of writing, as of a full disk, names no file; here it gets the path's name.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno and not error.filename:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_report(path: str | Path, report: dict[str, Any]) -> None:
    """Write the small JSON file that each stage leaves beside its output when all else is done."""
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, text.encode("utf-8", "replace"))
