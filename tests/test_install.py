"""What `pip install .` would copy, as pyproject.toml says, is all that the programs need."""

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUP = PROJECT["tool"]["setuptools"]
FOR_READERS = ("README.md", "playground.png")  # of data/: no program reads them


def folder_of(package):
    """Return the folder that a package is copied from."""
    return ROOT / SETUP["package-dir"].get(package, package.replace(".", "/"))


def installed_files():
    """Yield (file, path below site-packages) of all that is copied."""
    for package in SETUP["packages"]:
        for pattern in ["*.py", *SETUP["package-data"].get(package, [])]:
            for file in folder_of(package).glob(pattern):
                yield file, Path(*package.split(".")) / file.relative_to(folder_of(package))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder as site-packages would be, and nothing else of the repository."""
    site = tmp_path_factory.mktemp("site")
    for file, path in installed_files():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, site / path)
    return site


def test_every_file_that_a_program_reads_is_copied():
    copied = {file for file, _ in installed_files()}
    for name in ("minigpt", "bpe", "crawler", "data"):
        there = {f for f in (ROOT / name).rglob("*") if f.is_file() and f.suffix != ".pyc"}
        assert there - copied <= {ROOT / "data" / name for name in FOR_READERS}


def run(site, *words, cwd):
    """Run Python with the copy alone; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-P", *words], cwd=cwd, env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_copy_finds_its_lists_tables_and_conversations(site, tmp_path):
    code = (
        "from crawler import badwords, blocklist, language; from minigpt import chat_data, report\n"
        "from minigpt.cuda import kernels\n"
        "for path in (badwords.FILE, blocklist.DOMAINS_FILE, blocklist.WORDS_FILE, language.TABLE,"
        " chat_data.OWN, report.TEMPLATE, kernels.FOLDER / 'adamw.cu'): print(path)"
    )
    paths = run(site, "-c", code, cwd=tmp_path).splitlines()
    assert len(paths) == 7
    for path in paths:
        assert Path(path).is_relative_to(site)
        assert Path(path).exists()


@pytest.mark.parametrize("name", ["minigpt", "bpe", "crawler"])
def test_each_program_has_a_command_that_a_folder_of_its_name_does_not_hide(site, tmp_path, name):
    module, _, function = PROJECT["project"]["scripts"][name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    (tmp_path / name).mkdir()
    call = f"import sys; from {module} import {function}; sys.exit({function}(['--help']))"
    assert name in run(site, "-c", call, cwd=tmp_path)
