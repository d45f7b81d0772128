"""The examples in docstrings, lines after >>>, give what stands below them; README's runs."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

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


def test_the_plain_example_of_the_readme_learns_and_writes(capsys, monkeypatch):
    examples = re.findall(
        r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text("utf-8"), re.S
    )
    (example,) = [code for code in examples if "plain_step" in code]
    assert "steps=500" in example
    monkeypatch.chdir(REPOSITORY)
    with threadpool_limits():  # which puts back what the example sets
        exec(example.replace("steps=500", "steps=30"), {})
    losses, _, written = capsys.readouterr().out.partition("\n")
    losses = [float(loss) for loss in losses.split()]
    assert losses[-1] < losses[0] - 1
    assert len(written.encode()) > 150
