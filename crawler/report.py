"""The small JSON file that each stage leaves beside its output, written last and in one piece."""

import json
import os
from pathlib import Path
from typing import Any


def write(path: str | Path, report: dict[str, Any]) -> None:
    """Write a report atomically; raises OSError."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
