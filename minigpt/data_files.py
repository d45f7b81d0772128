"""Where the written conversations and names of data/ are."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALLED = HERE / "data"  # as pyproject.toml says; in the repository, it is beside the packages
DATA = INSTALLED if INSTALLED.is_dir() else HERE.parent / "data"
