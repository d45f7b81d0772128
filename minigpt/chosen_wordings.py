"""Which wordings are taken: the most usual always, common ones oftener, and composed ones.

The wordings are in data/wordings.json (wordings.py), the most usual first; who puts a name into
them is chat_writer.py.
"""

import re
from collections.abc import Sequence

from minigpt.wordings import DIRECT, FOLLOW_UPS, HEADS, TAILS

ASKED = 20  # times each fact is asked for in a round, in as many phrasings ...
# ... most of them plain ones (unknown names are asked for likewise), and always in the most usual
# of them: were "What is json?" asked seldom, a small model would take it for small talk, much of
# which begins like that
USUAL, COMMON = 4, 64  # the first so many of the wordings of a sort
LONG = 0.3  # share of the composed ones
SHORT = 0.4  # share of the USUAL where another name is asked for: "And dumps?", "dumps"
FIRST_WORD = re.compile(r"^[A-Z][a-z]+(?![A-Za-z])")  # "What", not "I", "IDE" or "NameError"


class Composed(Sequence):
    """Each of `heads` before each of `tails`, in small letters: far too many to be written out."""

    def __init__(self, heads, tails):
        self.heads = heads
        self.tails = [FIRST_WORD.sub(lambda word: word[0].lower(), tail) for tail in tails]

    def __len__(self):
        return len(self.heads) * len(self.tails)

    def __getitem__(self, i):
        head, tail = divmod(range(len(self))[i], len(self.tails))
        return f"{self.heads[head]}, {self.tails[tail]}"


# what is met where, and what may be asked of it then
CALLS = HEADS["function"] + HEADS["method"]
COMPOSED = {kind: Composed(HEADS[kind], TAILS[kind]) for kind in HEADS} | {
    "signature": Composed(CALLS, FOLLOW_UPS["signature"]),
    "call": Composed(HEADS["term"], FOLLOW_UPS["signature"]),
    "home": Composed(HEADS["home"] + HEADS["function"], TAILS["home"] + FOLLOW_UPS["home"]),
    "return": Composed(CALLS, FOLLOW_UPS["return"]),
    "functions": Composed(HEADS["module"], FOLLOW_UPS["functions"]),
    "methods": Composed(HEADS["class"], FOLLOW_UPS["methods"]),
    "other": Composed(CALLS + HEADS["module"] + HEADS["class"], FOLLOW_UPS["other"]),
    "elsewhere": Composed(HEADS["term"], FOLLOW_UPS["elsewhere"]),
}

# ... of names of one kind, where the same may be asked of several
OF_KIND = {
    (asks, kind): Composed(HEADS[kind], FOLLOW_UPS[asks])
    for asks, kinds in (
        ("signature", ("class", "method", "function", "term")),
        ("return", ("method", "function", "term")),
        ("other", ("module", "class", "method", "function")),
    )
    for kind in kinds
}


def composed(asks, kind=""):
    """Return the Composed of what is asked of names of a kind, "" for any."""
    return OF_KIND.get((asks, kind), COMPOSED[asks])


def some_phrasings(kind, rng, n=ASKED, of=""):
    """Return `n` phrasings of a kind in any order, a share LONG of them composed, the others plain.

    The plain ones include the USUAL, unless there is room only for these. Of the rest, half are
    COMMON ones. `of` is the kind of the name, where that differs from what is asked: the arguments
    of a class.
    """
    plain, n_plain = DIRECT[kind], n - round(n * LONG)
    usual = plain[:USUAL] if n_plain > USUAL else []
    some = usual + rng.sample(composed(kind, of), n - n_plain)
    rest = n - len(some)
    some += rng.sample(plain[len(usual) : COMMON], rest - rest // 2)
    return rng.sample(some + rng.sample(plain[COMMON:], rest // 2), n)


def another_of(words, rng):
    """Return one of the wordings that ask for another name, often one of the USUAL."""
    return rng.choice(words[:USUAL] if rng.random() < SHORT else words)


def one_of(words, rng):
    """Return one of the wordings of a follow-up, every other time one of the COMMON."""
    return rng.choice(words[:COMMON] if rng.random() < 0.5 else words)
