"""What the tests of conversations share: pages with facts, and a minute assistant."""

import json
import random

from minigpt_examples import TRAIN, save_example_model

from minigpt.chat_format import conversation
from minigpt.sft import sft

FUNCTION = """{name}({arguments})
    {summary}

    More about it."""


def page(module, summary, **functions):
    """Return a document as the crawler writes it of a page of pydoc."""
    text = f"{module}\n\n{summary}\n\nFunctions\n\n" + "\n\n".join(
        FUNCTION.format(name=name, arguments=arguments, summary=about)
        for name, (arguments, about) in functions.items()
    )
    return {"title": f"Pydoc: module {module}", "url": f"http://h/{module}.html", "text": text}


SYLLABLES = ["lo", "mira", "ten", "sok", "pra", "vel", "dun", "kie", "rost", "ba", "jem", "fli"]


def words(n, seed=0):
    """Return `n` different words that no language has."""
    rng, found = random.Random(seed), {}
    while len(found) < n:
        found["".join(rng.sample(SYLLABLES, 3))] = None
    return list(found)


def pages(n_modules=16):
    """Return pages of `n_modules` modules with three functions each, all names different."""
    names = words(4 * n_modules)
    return [
        page(
            names[4 * m],
            f"Tools that do number {m} of many things.",
            **{
                name: ("a, b=1", f"Return the {name} of a and b.")
                for name in names[4 * m + 1 : 4 * m + 4]
            },
        )
        for m in range(n_modules)
    ]


def write_documents(path, records=None):
    """Write documents as JSON Lines; return the path."""
    lines = (json.dumps(record) + "\n" for record in records or pages())
    path.write_text("".join(lines), "utf-8")
    return path


def write_conversations(path, *conversations):
    """Write conversations as JSON Lines; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"messages": m}) + "\n" for m in conversations)
    path.write_text("".join(lines), "utf-8")
    return path


SHORT = [conversation(f"{word}?", f"{word}.") for word in ("the", "a", "key", "list", "value")]


def make_conversations(folder):
    """Write a folder of conversations short enough for the window of MODEL."""
    for part in ("train", "val"):
        write_conversations(folder / f"{part}.jsonl", *SHORT)
    (folder / "questions.jsonl").write_text(
        "".join(
            json.dumps({"messages": m, "asks": "known", "kind": "module", "name": "x"}) + "\n"
            for m in SHORT
        )
    )
    return folder


def make_assistant(folder):
    """Write a base model, conversations and an assistant below `folder`."""
    save_example_model(folder / "base")
    make_conversations(folder / "conversations")
    sft(folder / "base", folder / "conversations", folder / "chat", TRAIN, say=lambda text: None)
    return folder
