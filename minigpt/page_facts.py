"""Facts off the pages of a crawl, and names that do not exist: what there is to ask a model.

Facts are read off the pages themselves:

    page        a page's first line is a name, its next paragraph begins with a sentence about it
    function    `name(arguments)` at a line's start: which page is it from?

A name of which two pages say different things is no fact. There are three groups of names: of
training pages, of held-out pages (they exist, but the model never read them) and made-up ones,
recombined from halves of real ones and checked to stand nowhere.

This does not ask: see hallucination.py. Source: names that do not exist, Ferrando et al. 2024, "Do
I Know This Entity?".
"""

import re
from typing import NamedTuple

MADE_UP = 48  # names of each kind that are recombined, at most
TRAINING, HELD_OUT, INVENTED = GROUPS = ("training pages", "held-out pages", "made-up names")
KINDS = ("page", "function")

SENTENCE = re.compile(r"[A-Z][^\n]{14,110}?[.!](?=\s|$)")
FUNCTION = re.compile(r"^(?:async )?([a-z]\w{4,29})\([^\n]*\)$", re.MULTILINE)


class Fact(NamedTuple):
    """A name and what is to be said of it; `answer` is None for a made-up name."""

    kind: str
    name: str
    answer: str | None


def title_of(text):
    """Return the name at the top of a document, without what is in brackets; "" for none."""
    return text.partition("\n")[0].partition(" (")[0].strip()


def is_name(title):
    """Tell whether a title is as long as names are."""
    return 3 <= len(title) <= 40


def page_fact(text):
    """Return the Fact that a document begins with, or None."""
    name, rest = title_of(text), text.partition("\n")[2].strip()
    found = SENTENCE.match(" ".join(rest.partition("\n\n")[0].split()))
    return Fact("page", name, found[0]) if is_name(name) and found else None


def function_facts(text):
    """Return a Fact for every function that a document defines; its answer may be no name."""
    return [
        Fact("function", name, title_of(text)) for name in dict.fromkeys(FUNCTION.findall(text))
    ]


def read_facts(corpus):
    """Return {(kind, group): [Fact, ...]} of the real names, in the order of the text.

    Where held-out text is the tails of the documents, which are no pages, there are none of it.
    """
    answers = {}  # {(kind, name): {answer: group}}
    parts = {TRAINING: corpus.train} if corpus.is_cut else {
        TRAINING: corpus.train, HELD_OUT: corpus.val}  # fmt: skip
    for group, part in parts.items():
        for i in range(len(part)):
            text = part.document_text(i)
            page = page_fact(text)
            for fact in ([page] if page else []) + function_facts(text):
                answers.setdefault(fact[:2], {}).setdefault(fact.answer, group)
    facts = {(kind, group): [] for kind in KINDS for group in (TRAINING, HELD_OUT)}
    for (kind, name), found in answers.items():
        (answer, group), *others = found.items()
        if not others and (kind == "page" or is_name(answer)):
            facts[kind, group].append(Fact(kind, name, answer))
    return facts


def recombine(names, rng, n):
    """Return up to `n` names made of the first half of one and the second half of another."""
    made = []
    for _ in range(4 * n):
        if len(names) < 2:
            break
        first, second = (names[i] for i in rng.choice(len(names), 2, replace=False))
        made.append(first[: (len(first) + 1) // 2] + second[len(second) // 2 :])
    return [name for name in dict.fromkeys(made) if len(name) > 4][:n]


def absent(names, parts):
    """Return those of `names` that stand nowhere in the text, in whatever case."""
    left = list(names)
    for part in parts:
        for i in range(len(part)):
            text = part.document_text(i).lower()
            left = [name for name in left if name.lower() not in text]
    return left


def gather(corpus, rng):
    """Return {(kind, group): [Fact, ...]} of all three groups, in random order."""
    facts = read_facts(corpus)
    facts = {key: [found[i] for i in rng.permutation(len(found))] for key, found in facts.items()}
    for kind in KINDS:
        names = recombine([fact.name for fact in facts[kind, TRAINING]], rng, MADE_UP)
        names = absent(names, (corpus.train, corpus.val))
        facts[kind, INVENTED] = [Fact(kind, name, None) for name in names]
    return facts
