"""Where the lists and tables of data/ are: beside the packages, or in this one once installed."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALLED = HERE / "data"  # as pyproject.toml says
DATA = INSTALLED if INSTALLED.is_dir() else HERE.parent / "data"
