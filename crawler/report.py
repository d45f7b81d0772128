"""The small JSON file that each stage leaves beside its output, written last and in one piece."""

import json
from pathlib import Path
from typing import Any

from crawler.files import write_atomically


def write(path: str | Path, report: dict[str, Any]) -> None:
    """Write a report atomically; raises OSError."""
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    write_atomically(Path(path), text.encode("utf-8"))
