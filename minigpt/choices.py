"""Multiple choice by likelihood, and exact continuations: tasks in JSON Lines files.

A line of a multiple-choice task (ARC, PIQA, HellaSwag, ...) and one of an exact-match task
(LAMBADA, ...):

    {"query": "Question: ...\\nAnswer:", "choices": ["one", "another"], "gold": 1}
    {"context": "He took the key and opened the", "continuation": "door"}

A choice is scored by the loss of its own tokens after the query; the lowest wins. `length` says
what a loss is divided by, so that long answers stand a chance: "tokens" (the mean, as CORE does),
"bytes" (as lm-evaluation-harness's acc_norm) or "none" (the whole, its acc). A continuation is
right if greedy decoding writes exactly its tokens.

Centred accuracy is (accuracy - chance) / (1 - chance): 0 is guessing, 1 is perfect. CORE is its
mean over 22 tasks. Chance is the mean of 1 / number of choices, and 0 for exact match.

The benchmarks themselves are not here: bring the files.

Sources: Li et al. 2024, "DataComp-LM", appendix G (CORE); Gao et al., lm-evaluation-harness; a
query and its choices are joined by a space, examples by an empty line, as in DCLM's tasks.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bpe.split import to_bytes
from minigpt.tables import interval, table, words

LENGTHS = ("tokens", "bytes", "none")
COLUMNS = [
    *(("task", ""), ("kind", ""), ("items", ",d"), ("accuracy", ".1%"), ("95% interval", "")),
    *(("chance", ".1%"), ("centred", ".3f")),
]


class Item(NamedTuple):
    """A question: choose one of several answers, or, if there is one only, write it exactly."""

    query: str
    choices: tuple[str, ...]
    gold: int

    @property
    def answer(self):
        return self.choices[self.gold]

    @property
    def is_exact(self):
        return len(self.choices) == 1


def read_task(path):
    """Return the Items of a JSON Lines file.

    Raises ValueError, naming file and line, for what is no item, and for files that mix kinds or
    are empty.
    """
    items = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                items.append(read_item(json.loads(line.decode("utf-8-sig"))))
                if items[-1].is_exact != items[0].is_exact:
                    raise ValueError("multiple choice and exact match are mixed; make two files")
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}, line {number}: {describe_error(error)}") from None
    if not items:
        raise ValueError(f"{path} is empty; it must hold one question a line")
    return items


def describe_error(error):
    """Return what is wrong with a line."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x} is not UTF-8; convert the file"
    if isinstance(error, json.JSONDecodeError | RecursionError):
        return f"no valid JSON ({error}); mend or remove the line"
    return str(error)


def read_item(record):
    """Return the Item of a line's value; raise ValueError with what is wrong."""
    if not isinstance(record, dict):
        raise ValueError(f"a {type(record).__name__}; it must be an object")
    if "choices" in record:
        query, choices, gold = (record.get(name) for name in ("query", "choices", "gold"))
        text(record, "query")
        if not isinstance(choices, list) or not all(isinstance(c, str) for c in choices):
            raise ValueError(f"choices is {short(choices)}; it must be a list of strings")
        if len(choices) < 2 or not all(choices):
            raise ValueError(f"choices is {short(choices)}; it must hold 2 at least, none empty")
        if type(gold) is not int or not 0 <= gold < len(choices):
            raise ValueError(
                f"gold is {short(gold)}; it must be the number of the right choice, "
                f"from 0 to {len(choices) - 1}"
            )
        return Item(query, tuple(choices), gold)
    if "continuation" in record:
        context, continuation = text(record, "context"), text(record, "continuation")
        if not continuation:
            raise ValueError("continuation is empty; it must be what is to be written")
        return Item(context, (continuation,), 0)
    raise ValueError(
        "neither choices nor continuation; a line must have query, choices and gold, "
        "or context and continuation"
    )


def text(record, name):
    """Return a field that must be text."""
    if not isinstance(record.get(name), str):
        raise ValueError(f"{name} is {short(record.get(name))}; it must be text")
    return record[name]


def short(value):
    """Return a value as JSON, not too long."""
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 40 else shown[:39] + "…"


def join(query, answer):
    """Return a query with an answer after it, a space between them unless there is one."""
    blank = not query or query[-1].isspace() or answer[:1].isspace()
    return query + ("" if blank else " ") + answer


def sequence(subject, before, item, choice):
    """Return (ids, number of last ids that are the choice's) of a choice after `before` + query.

    A token that begins in the query and ends in the choice counts as the choice's.
    """
    query = subject.encode((before + item.query).rstrip(" "))
    ids = subject.encode(join(before + item.query, choice))
    most = min(len(query), len(ids) - 1)
    same = next((i for i in range(most) if query[i] != ids[i]), most)
    return [subject.separator, *ids], len(ids) - same


def examples(items, i, shots, rng):
    """Return `shots` other items with their answers, as text that goes before item `i`."""
    others = [k for k in range(len(items)) if k != i]
    chosen = rng.choice(others, min(shots, len(others)), replace=False) if others and shots else []
    return "".join(join(items[k].query, items[k].answer) + "\n\n" for k in chosen)


def score_choices(subject, title, items, befores=None, greedy=False):
    """Return for each item what the model thinks of its choices: a list of lists of Scored.

    `befores` is what goes before each query. Exact match needs `greedy`.
    """
    befores = befores or [""] * len(items)
    asked = [
        sequence(subject, before, item, choice)
        for item, before in zip(items, befores, strict=True)
        for choice in item.choices
    ]
    scored = iter(subject.score(title, asked, greedy))
    return [[next(scored) for _ in item.choices] for item in items]


def answer(subject, title, items, length="tokens", befores=None):
    """Return for each item whether the model gets it right: (N,) of bool."""
    scored = score_choices(subject, title, items, befores, greedy=items[0].is_exact)
    return np.array([is_right(item, s, length) for item, s in zip(items, scored, strict=True)])


def is_right(item, scored, length="tokens"):
    """Tell whether an item is answered rightly, from what the model thinks of its choices."""
    if item.is_exact:
        return bool(scored[0].likeliest.all())
    losses = []
    for choice, (nats, _) in zip(item.choices, scored, strict=True):
        divisor = {"tokens": len(nats), "bytes": len(to_bytes(choice)), "none": 1}[length]
        losses.append(float(nats.sum()) / divisor)
    return losses.index(min(losses)) == item.gold


def centred(accuracy, chance):
    """Return accuracy on a scale where guessing is 0 and perfection 1."""
    return (accuracy - chance) / (1 - chance)


def chance_of(items):
    """Return the accuracy of guessing."""
    return 0.0 if items[0].is_exact else float(np.mean([1 / len(item.choices) for item in items]))


def row(name, items, right):
    """Return the values of COLUMNS for a task."""
    accuracy, chance = float(right.mean()), chance_of(items)
    kind = "exact match" if items[0].is_exact else "multiple choice"
    n = len(items)
    return [name, kind, n, accuracy, interval(int(right.sum()), n), chance,
            centred(accuracy, chance)]  # fmt: skip


def names_of(files):
    """Return a name for each task: its file's, with the folder where two have the same."""
    stems = [Path(path).stem for path in files]
    return [
        stem if stems.count(stem) == 1 else str(Path(path).with_suffix(""))
        for stem, path in zip(stems, files, strict=True)
    ]


def answer_all(subject, files, length="tokens", shots=0, seed=0):
    """Return for each task (its name, its items, which are right: (N,) of bool).

    Raises ValueError for a file that is no task.
    """
    tasks = []
    for name, path in zip(names_of(files), files, strict=True):
        items, rng = read_task(path), np.random.default_rng(seed)
        befores = [examples(items, i, shots, rng) for i in range(len(items))]
        tasks.append((name, items, answer(subject, name, items, length, befores)))
    return tasks


def section(tasks, length="tokens", shots=0):
    """Return the section of a report on what `answer_all` gave."""
    rows = [row(*task) for task in tasks]
    mean = sum(r[-1] for r in rows) / len(rows)
    divided = {"tokens": "divided by its tokens", "bytes": "divided by its bytes",
               "none": "as it is"}[length]  # fmt: skip
    return {
        "title": "Tasks",
        "headline": f"The mean centred accuracy of {len(rows)} tasks is {mean:.3f}.",
        "parts": [
            words(
                f"In multiple choice, the answer with the lowest loss wins, its loss {divided}; in "
                f"exact match, greedy decoding must write the continuation token by token. Each "
                f"question comes after {shots} examples. Centred accuracy puts guessing at 0 and "
                f"perfection at 1; an interval that holds chance says that the model may be "
                f"guessing. The mean of the centred accuracies is {mean:.3f}."
            ),
            table("Tasks", COLUMNS, rows),
        ],
    }
