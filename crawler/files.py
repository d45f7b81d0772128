"""Write a file in one piece, so that a reader never sees half of it."""

import os
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file in one piece: it is there whole, or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
