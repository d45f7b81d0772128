"""A question -> the same as a person in a hurry may type it: small letters, no mark, a word before.

A small model takes whatever was never around a question for something new: "hi, ", " pls", " ?".
The questions are in data/: wordings.json, small_talk.jsonl and general.jsonl. Those of the
examination are left as they are.
"""

import re
from collections import Counter

OPENINGS = (
    "Hi! ", "Hello. ", "Please: ", "A question: ", "Sorry to ask: ", "I am new to this. ",
    "One more: ", "Quick question. ", "Good morning! ", "I wonder: ", "Now this: ",
    "For my work: ", "I am writing a parser. ", "My homework is due. ", "We have a meeting soon. ",
    "The manual is long. ", "It is late and I am tired. ", "My boss wants an answer. ",
    "I read old code. ", "There is a bug in our program. ", "I found this in a script: ",
    "Before lunch: ", "Let us begin. ", "Something else: ", "Next question: ", "Back to work. ",
    "I have a test tomorrow. ", "A friend sent me this. ", "I am reviewing a patch. ",
    "The log mentions it. ", "I prepare a talk. ", "Interesting. ", "While the tests run: ",
    "I am porting a game. ", "The server is down. ", "Nothing works today. ",
    "My daughter learns programming. ", "I saw this on a blog: ", "We build a robot. ",
    "The documentation confuses me. ", "I forgot everything. ", "Just checking: ", "hi, ", "hey, ",
    "ok, ", "so, ", "well, ", "hello! ", "Hey! ", "And now: ", "Another one: ", "um, ",
    "I want to learn. ", "I want an answer. ", "All I want: ",
)  # fmt: skip
CLOSINGS = (
    " Thanks!", " Thank you.", " Be brief.", " I need it now.", " It is for a friend.",
    " I could not find it.", " The shorter the better.", " Take your time.", " I am curious.",
    " That would help me.", " My exam is soon.", " The manual is too long.", " Please hurry.",
    " I would be grateful.", " pls", " please", " plz", ", please", " pls!", " Please!", " thanks",
    " asap", " now", " :)", " again",
)  # fmt: skip
PLEAS = (" please", " pls", " in Python", " in python", " in Python")
FEWEST = 8  # names that must begin with an abbreviation, as pd., for it to be taken for one
# A method's name alone means that of the first of these classes, else the first in the alphabet.
USUAL_CLASSES = ("list", "dict", "str", "set", "tuple", "int", "float", "bytes")
HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")


def spoken(name, rng, others=()):
    """Return the name of a term as it may be typed: "drop table" for DROP TABLE, "git commit".

    It stays as it is where one of the names `others` is typed like that: NULL, if null exists, too.
    """
    if name.isupper() and rng.random() < 0.3:
        said = name.lower()
    else:
        first, blank, rest = name.partition(" ")
        if rng.random() < 0.4:
            first = HYPHEN.sub(" ", first, count=1)
        said = first + blank + rest
    return name if said in others else said


def abbreviations(terms, names):
    """Return what pages write for the beginnings of dotted terms: {"pandas": "pd", ...}.

    `names` are all that the pages have. Where many that begin with pd end as terms of pandas do,
    pd.merge as pandas.merge, pd stands for pandas.
    """
    stems, found = {}, {}
    for stem, dot, end in (term.rpartition(".") for term in terms):
        if dot and " " not in stem:
            stems.setdefault(end, set()).add(stem)
    known = {part for some in stems.values() for stem in some for part in (stem, *ends(stem))}
    for head, _, end in (name.partition(".") for name in sorted(names)):
        if head not in known and head != "self":
            found.setdefault(head, Counter()).update(stems.get(end, ()))
    best = {}
    for head, counts in found.items():
        n, _, stem = max(((n, -len(stem), stem) for stem, n in counts.items()), default=(0, 0, ""))
        if n >= FEWEST:
            best[stem] = max(best.get(stem, (0, 0, "")), (n, -len(head), head))
    return {stem: head for stem, (_, _, head) in best.items()}


def methods_meant(methods, others):
    """Return {end: name} of the methods that are meant where only their end is said: append.

    An end is left out where one of the names `others`, of functions, classes and modules, has it.
    """
    owners = {name: i for i, name in enumerate(USUAL_CLASSES)}
    taken, found = {name.rpartition(".")[2] for name in others}, {}
    for name in sorted(
        methods, key=lambda name: (owners.get(name.rpartition(".")[0], len(owners)), name)
    ):
        found.setdefault(name.rpartition(".")[2], name)
    return {end: name for end, name in found.items() if end not in taken}


def ends(name):
    """Return what follows each dot of a word: Series.str and str of pandas.Series.str."""
    parts = name.split(".") if re.fullmatch(r"\S*\w", name) else []
    return [".".join(parts[i:]) for i in range(1, len(parts))]


def vary(question, rng, of_python=True):
    """Return a question, or a phrasing with {} for the name, as a person in a hurry may type it.

    `of_python`: it may be said that it is about Python.
    """
    draw, short = rng.random(), rng.random()
    if short < 0.2 and question.startswith("What is "):
        question = rng.choice(("What's ", "What's ", "Whats ")) + question[8:]
    if draw < 0.18 and question[-1] in "?.":
        question = question[:-1]
    if 0.08 < draw < 0.26 and question[0].isupper():
        question = question[0].lower() + question[1:]
    elif 0.26 < draw < 0.38:
        question = rng.choice(OPENINGS) + question
    elif 0.38 < draw < 0.46:
        closing = rng.choice(CLOSINGS)
        if closing.startswith(","):  # instead of a mark: "What is json, please"
            question = question.rstrip("?.")
        question += closing
    elif 0.46 < draw < 0.5 and question[-1] in "?.":
        plea = rng.choice(PLEAS if of_python else PLEAS[:2])
        question = question[:-1] + plea + rng.choice((question[-1], ""))
    elif 0.5 < draw < 0.56 and question[-1] == "?":
        question = question[:-1] + rng.choice((" ?", " ?", "??"))
    return question
