"""What the tests that run `make` share."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def make(*words):
    """Run `make` with this interpreter in place of a virtual environment of its own."""
    return subprocess.run(
        ["make", f"PY={sys.executable}", *words], cwd=ROOT, env=clean_environment(),
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip


def clean_environment():
    """Return the environment without what an outer `make` leaves to inner ones."""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


# the whole road, as short as can be
SHAPE = "--n-positions 128 --n-layer 1 --n-embd 32 --n-head 2"  # a window for conversations
SMALL = ("PRESET=smoke", "VOCAB=300", f"TRAIN={SHAPE} --steps 40")
