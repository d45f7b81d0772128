"""Questions about nothing that is taught: how to sort a list, a poem, the capital of Spain.

To know no answer is not enough: a small model that was never asked such a thing goes on with what
it was asked before, and writes half a fact. So it is asked many such questions, and answers with
what it can be asked. They are put together from data/general.jsonl, written by hand; a line is one
sort of question:

    {"asked": ["How do I {}?", ...], "words": ["read a file", ...], "held_out": []}

Each of "words" may stand in each of "asked", two different ones where it has two places. What is
"held_out", whole questions, is never trained on and serves to measure, as everywhere
(phrasings.py).
"""

import json
from dataclasses import dataclass

from minigpt.chat_format import conversation
from minigpt.data_files import DATA
from minigpt.facts import OF_PYTHON
from minigpt.small_talk import typed

NAME = "general.jsonl"
FIELDS = ("asked", "words", "held_out")
BEYOND = "That is beyond me."
ANSWER = BEYOND + " I only know what some {}. Ask me about one by its name."


@dataclass(frozen=True)
class General:
    """Sorts of questions, and the file they are from."""

    sorts: tuple  # of dicts, see above
    source: str
    answer: str
    of_python: bool = True  # it may be said that a question is about Python

    def conversations(self, n, rng):
        """Return `n` (messages, source), oftener of the sorts that have more to ask."""
        weights = [len(sort["words"]) ** 0.8 for sort in self.sorts]
        chosen = rng.choices(self.sorts, weights, k=n)
        texts = (put_together(s["asked"], s["words"], rng) for s in chosen)
        return [
            (conversation(typed(text, rng, self.of_python), self.answer), self.source)
            for text in texts
        ]

    def questions(self):
        """Return the lines of the examination, see chat_data.py."""
        return [
            {
                "messages": conversation(text, self.answer),
                "asks": "general",
                "kind": "general",
                "name": text,
                "source": self.source,
            }
            for sort in self.sorts
            for text in sort["held_out"]
        ]


def put_together(asked, words, rng):
    """Return one of `asked` with some of `words` in its places."""
    text = rng.choice(asked)
    filled = text.format(*rng.sample(words, text.count("{}")))
    return filled[0].upper() + filled[1:]


def fits(asked, words):
    """Tell whether each of `asked` has one or two places, and there are words for all of them.

    Raises AttributeError, TypeError or ValueError where these are no lists of texts.
    """
    places = [text.count("{}") for text in asked]
    lists = isinstance(asked, list) and isinstance(words, list)
    return (
        lists
        and all(word.strip() and "{}" not in word for word in words)
        and 0 < min(places) <= max(places) <= min(2, len(words))
    )


def are_questions(texts):
    """Tell whether it is a list of texts without places; it may be empty."""
    return isinstance(texts, list) and all(text.strip() and "{}" not in text for text in texts)


def answer(kinds):
    """Return what a model that was taught facts of these `kinds` says to such a question."""
    if set(kinds) <= {"page"}:
        return ANSWER.format("pages are about")
    if OF_PYTHON.isdisjoint(kinds):
        return ANSWER.format("names in the pages mean")
    return ANSWER.format("modules, classes and functions are for")


def read_general(path=DATA / NAME, kinds=("module",)):
    """Return the General of a file, of which `kinds` of facts are taught.

    Raises ValueError, naming the line, for what is none.
    """
    sorts = []
    for number, text in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            line = json.loads(text)
            sort = {field: line[field] for field in FIELDS}
            whole = fits(sort["asked"], sort["words"])
            whole = whole and are_questions(sort["held_out"])
        except (ValueError, TypeError, KeyError, AttributeError):
            whole = False
        if not whole:
            raise ValueError(
                f'{path}, line {number}: it must be {{"asked": ["... {{}} ...", ...], "words": '
                f'[text, ...], "held_out": [text, ...]}}'
            )
        sorts.append(sort)
    return General(tuple(sorts), path.name, answer(kinds), not OF_PYTHON.isdisjoint(kinds))
