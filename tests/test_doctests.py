"""The examples in docstrings, lines after >>>, give what stands below them."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
MODULES = [
    ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)
    for package in ("bpe", "crawler", "minigpt")
    for file in sorted((REPOSITORY / package).rglob("*.py"))
    if ">>> " in file.read_text("utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
