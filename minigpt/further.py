"""What else may be asked of a name that is taught: what was not taught of it, what follows.

Of a function, the model is taught what it does, how it is called and which module it is in; of a
class, a method and a module only what they are. A function whose arguments are long, or that
several modules have, lacks a fact. Asked for what it was never told, a model makes something up; so
it is asked for that, too, and the answer says that it was not taught.

    signature   the arguments of a class or method, and of a function or term that lacks them
    home        the module, of a name that more than one module has; where the whole name is
                given, as json.dumps, the module follows
    return      what a function, method or term returns, which follows where its sentence says it
    functions   what is in a module: the names of it that are taught
    methods     what is in a class
    other       anything else: an example, who wrote it, how fast it is, ...
    elsewhere   the same of a term, of which nothing is asked about Python

As for facts (phrasings.py) there are wordings to train on and others that serve to measure, and
the same is asked of names that are not to be known.
"""

import re
from collections import Counter
from dataclasses import dataclass

from minigpt import phrasings
from minigpt.facts import keys_of_function

ARGUMENTS = "I was not taught its arguments."
RETURNED = "I was not taught what it returns."
CONTENTS = "I was not taught all that is in it."
OTHER = "I was not taught that."
NOT_TAUGHT = (ARGUMENTS, RETURNED, CONTENTS, OTHER)
RETURNS = re.compile(r"\b[Rr]eturn(s|ing)?\b")
SHARED = "more than one module has it."  # true where home is no fact: facts.only_once

MOST_TOLD = 6  # names of what is in a module
NAMED = ("function", "class", "method")  # kinds of what a module has

# How often it is asked for in a round: what has to be learned for each name by itself; what need
# not; what need not, but may be asked in the most ways; what a module has, which follow-ups ask
# for, too; and how a term is called, where that is known of some.
LEARNED, PLAIN, VARIED, CONTAINED, CALLED = 12, 2, 4, 6, 6
SOME_CALLS = 0.1  # of the terms


@dataclass(frozen=True)
class Further:
    """One thing to ask of a name that is taught, and what to say to it."""

    asks: str  # one of the above
    kind: str  # of the name: module, class, method, function, term; home: one without its module
    name: str
    text: str
    times: int  # that it is asked for in a round
    follows: bool = False  # from what is taught, or from the name; else it was not taught

    @property
    def answer(self):
        """What the assistant says."""
        return f"{phrasings.named(self.kind, self.name)}: {self.text}"


def says_not_taught(reply):
    """Tell whether a reply says of some name that something of it was not taught."""
    about, _, text = reply.partition(": ")
    return text in NOT_TAUGHT and about != ""


def return_text(text):
    """Return what is said of what a function returns, where `text` says what it does."""
    return text if RETURNS.search(text) else RETURNED


def module_of(name, kind="function"):
    """Return the module of the function, class or method `name`, as facts.full_name has it."""
    return "builtins" if kind == "method" else name.rpartition(".")[0] or "builtins"


def place_of(name, kind):
    """Return what a name stands in: a module, a class, a package; "" for what stands alone."""
    return module_of(name, kind) if kind in ("function", "class") else name.rpartition(".")[0]


def tells_contents(text):
    """Tell whether the fact about a module is what it has: pydoc_page.contents."""
    return text.startswith("it has the ")


def contents(facts):
    """Return {name: what is said to be in it} of the modules that `facts` are about.

    That is what its page says it has, or those of its names that are taught, of many the first
    ones; where there are none, that not all was taught.
    """
    known, found = {}, {}
    for f in facts:
        if f.kind in ("function", "class"):
            known.setdefault(module_of(f.name), set()).add(f.name.rpartition(".")[2])
    for f in facts:
        names = sorted(known.get(f.name, ()), key=lambda name: (name.lower(), name))
        if f.kind == "module" and not tells_contents(f.text):
            if len(names) > MOST_TOLD:
                names = [*names[: MOST_TOLD - 1], "others"]
            found[f.name] = f"of it I know {' and '.join(in_a_row(names))}." if names else CONTENTS
        elif f.kind == "module":
            found[f.name] = f.text
    return found


def in_a_row(names):
    """Return ["a, b", "c"] of a, b and c."""
    return [", ".join(names[:-1]), names[-1]] if len(names) > 1 else names


def further(facts):
    """Return the list of Further of the names that `facts`, those that are taught, are about."""
    known, inside = {(f.kind, f.name) for f in facts}, contents(facts)
    called = {f.name.rpartition(".")[2] for f in facts if f.kind == "function"}
    kinds = Counter(f.kind for f in facts)
    # a model taught how some are called makes that up for others, unless asked for those oftener
    of_terms = CALLED if kinds["call"] > SOME_CALLS * kinds["term"] else PLAIN
    found = {}

    def add(*fields, **more):
        one = Further(*fields, **more)
        found.setdefault((one.asks, one.kind, one.name), one)

    for f in facts:
        if f.kind == "function":
            _, signature, home = keys_of_function(f.name)
            if signature not in known:
                add("signature", f.kind, f.name, ARGUMENTS, LEARNED)
            if home not in known:
                add("home", *home, SHARED, LEARNED)
            text = return_text(f.text)
            add("return", f.kind, f.name, text, VARIED, follows=text != RETURNED)
        elif f.kind == "class":
            add("signature", f.kind, f.name, ARGUMENTS, PLAIN)
            add("methods", f.kind, f.name, CONTENTS, PLAIN)
        elif f.kind == "method":
            add("signature", f.kind, f.name, ARGUMENTS, PLAIN)
            text = return_text(f.text)
            add("return", f.kind, f.name, text, VARIED, follows=text != RETURNED)
        elif f.kind == "term":
            if ("call", f.name) not in known:
                add("signature", f.kind, f.name, ARGUMENTS, of_terms)
            text = return_text(f.text)
            add("return", f.kind, f.name, text, VARIED, follows=text != RETURNED)
        elif f.kind == "module" and not tells_contents(f.text):
            said = inside[f.name]
            follows = said != CONTENTS
            times = CONTAINED if follows else VARIED
            add("functions", f.kind, f.name, said, times, follows=follows)
        if f.kind in NAMED and ("." in f.name or f.name not in called):
            home = module_of(f.name, f.kind)
            add("home", f.kind, f.name, f"it is in {home}.", PLAIN, follows=True)
        if f.kind in (*NAMED, "module", "term"):
            add("elsewhere" if f.kind == "term" else "other", f.kind, f.name, OTHER, VARIED)
    return list(found.values())
