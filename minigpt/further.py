"""What else may be asked of a name that is taught: what was not taught of it, what follows.

Of a function is taught what it does, how it is called and which module it is in, of a class, a
method and a module only what they are; and a function whose arguments are long, or that several
modules have, is short of a fact. Asked for what it was never told, a model makes something up: so
it is asked for that, too, and the answer says so.

    signature   the arguments of a class or method, and of a function that is short of them
    home        the module, of a name that more than one module has; where the whole name is
                given, as json.dumps, the module follows
    return      what a function returns, which follows where its sentence says it
    functions   what is in a module: the names of it that are taught
    methods     what is in a class
    other       anything else: an example, who wrote it, how fast it is, ...

As for facts (phrasings.py) there are wordings to train on and others that serve to measure, and
the same is asked of names that are not to be known.
"""

import re
from collections import Counter
from dataclasses import dataclass

from minigpt import phrasings, wordings
from minigpt.facts import keys_of_function
from minigpt.phrasings import composed

DIRECT = {
    "signature": wordings.DIRECT["signature"],
    "home": wordings.DIRECT["home"],
    "return": [
        "What does {} return?", "What is the result of {}?", "What do I get back from {}?",
        "What comes back from {}?", "What is the return value of {}?", "Does {} return anything?",
        "What will {} give me?", "What value comes out of {}?", "Tell me what {} returns.",
        "What is the outcome of {}?", "{}: what does it return?", "Does {} give something back?",
        "I call {}. What do I get?", "Of what type is the result of {}?", "The result of {}?",
        "Which value does {} return?", "What do I receive from {}?", "{} returns what?",
        "What does a call of {} return?", "Does the function {} return a value?",
        "What type does {} return?", "What is left after {}?", "{} gives me what?",
        "What answer comes from {}?", "Which result has {}?", "What do you get out of {}?",
        "What is given by {}?", "x = {}: what is x?", "The return value of {}?", "{}: its result?",
        "What comes from calling {}?", "Is None what {} returns?",
        "After the call of {}, what do I have?", "What sort of value comes from {}?",
        "Please say what {} returns.", "I store what {} gives me. What is it?",
        "Remind me what comes back from {}.", "What does {} leave behind?",
        "Print {}: what do I see?", "Which type has the value of {}?",
        "Is the result of {} a number?", "What does {} produce?", "What is the output of {}?",
        "My variable holds what {} returns. What is that?", "Explain the result of {}.",
    ],
    "functions": [
        "Which functions does {} have?", "What is in {}?", "List the functions of {}.",
        "What are the functions of {}?", "Which classes does {} have?", "What does {} contain?",
        "What classes are in {}?", "Name a function of {}.", "Which constants does {} have?",
        "Show me what is in {}.", "How many functions has {}?", "Which names does {} define?",
        "{}: which functions?", "What can I import from {}?", "What are the parts of {}?",
        "Which functions of {} are important?", "Give me a list of what {} has.",
        "Tell me the functions in {}.", "Which functions are in the module {}?",
        "Does {} have many functions?", "Please list everything in {}.", "What may be found in {}?",
        "Can you list the parts of {}?", "The functions of {}?", "The contents of {}?",
        "What else is in {}?", "{} has which functions?", "Which functions can I call from {}?",
        "What does {} bring with it?", "Give me names from {}.", "What can be called in {}?",
        "Write down what is in {}.", "Is there much in {}?", "What does the module {} contain?",
        "Show me some functions of {}.", "What has {} got?", "Explain what is in {}.",
        "Which things are defined in {}?", "Do you know the functions of {}?",
        "What is there in {}?", "Are there classes in {}?", "Does {} have anything useful in it?",
        "Which names can I use from {}?", "I need a list of what {} defines.",
        "Remind me which functions {} has.",
    ],
    "methods": [
        "Which methods does {} have?", "What is in the class {}?", "List the methods of {}.",
        "What are the methods of {}?", "Which attributes does {} have?", "Name a method of {}.",
        "What attributes are there in {}?", "Show me the methods of {}.", "Has {} any methods?",
        "How many methods has {}?", "{}: which methods?", "Which methods of {} are important?",
        "What are the parts of {}?", "Give me a list of the methods of {}.",
        "Tell me the methods of {}.", "Which methods are in the class {}?",
        "What are the attributes of {}?", "Which properties does a {} have?",
        "Enumerate the methods of {}.", "What does the class {} contain?",
        "Please list all that {} has.", "What may I call on a {}?", "{} has which methods?",
        "The methods of {}?", "Can you list the methods of {}?", "What can a {} do?",
        "Which methods can I call on {}?", "Give me names of methods of {}.",
        "Write down the methods of {}.", "Are there methods in {}?",
        "Show me some attributes of {}.", "What can I call on {}?", "Explain the methods of {}.",
        "Do you know the methods of {}?", "I have a {}. What can I call on it?",
        "How are the methods of {} named?", "Does {} have many methods?", "{}: list its methods.",
        "I need a list of the methods of {}.", "What does one call on a {}?",
        "What attributes has {}?", "What does a {} have in it?", "Tell me which attributes {} has.",
        "How do I find the methods of {}?", "What is there to call on {}?",
    ],
    "other": [
        "Give me an example of {}.", "Who wrote {}?", "How fast is {}?", "Who maintains {}?",
        "Show me an example with {}.", "Since when is there {}?", "Which errors does {} raise?",
        "What is the opposite of {}?", "Is {} deprecated?", "How does {} work inside?",
        "In which version was {} added?", "What is better than {}?", "Is {} safe?",
        "How do I debug {}?", "What is an alternative to {}?", "Why is {} so slow?",
        "How do I test {}?", "When was {} written?", "Is {} written in C?", "Does {} use threads?",
        "Can you show me some code with {}?", "Where is the source of {}?",
        "Show me the source of {}.", "Who made {}?", "Is {} fast enough?",
        "How much memory does {} need?", "Does {} work on Windows?", "Do I have to install {}?",
        "Was {} always there?", "What replaces {}?", "What is wrong with {}?",
        "Please write a program with {}.", "My program hangs in {}. Why?",
        "I get an error from {}. Why?", "How do I fix {}?", "What are common mistakes with {}?",
        "Why was {} added?", "Explain how {} is implemented.", "How many people use {}?",
        "Which book explains {}?", "{}: an example?", "{}: who wrote it?",
        "What is the story of {}?", "Compare {} with others.", "Will {} be removed?",
    ],
}  # fmt: skip
CLAUSES = {
    "return": [
        "what {} returns", "what comes out of {}", "what the result of {} looks like",
        "which value {} gives", "what one gets from {}", "whether {} returns something",
        "what {} leaves me with", "what a call of {} results in",
    ],
    "functions": [
        "what {} contains", "which functions are in {}", "what can be imported from {}",
        "which classes {} defines", "what the parts of {} are", "how many functions {} has",
        "what all is in {}", "what stands in {}",
    ],
    "methods": [
        "which methods {} has", "what the attributes of {} are", "which methods are in {}",
        "how many methods {} has", "which properties {} has", "what the methods of {} are called",
        "what all is in the class {}", "what one can call on {}",
    ],
    "other": [
        "who wrote {}", "how fast {} runs", "whether {} is safe", "since when there is {}",
        "what is wrong with {}", "which errors come from {}", "what to watch out for with {}",
        "what is like {}", "how {} works inside", "whether {} is still used",
    ],
}  # fmt: skip
COMPOSED = {kind: phrasings.COMPOSED[kind] for kind in ("signature", "home")} | composed(CLAUSES)
HELD_OUT = {
    "signature": wordings.HELD_OUT["signature"],
    "home": wordings.HELD_OUT["home"],
    "return": [
        "What kind of value does {} hand over?", "What does {} give back?",
        "I want to know the return value of {}.", "What is handed back by {}?",
    ],
    "functions": [
        "What functions does {} offer?", "Could you list what is in {}?",
        "Which functions and classes does the module {} have?", "I want to see the contents of {}.",
    ],
    "methods": [
        "What methods does {} offer?", "With which methods does {} come?",
        "Which methods and attributes does the class {} have?", "I want to see the methods of {}.",
    ],
    "other": [
        "How would a small program with {} look?", "Who is the author of {}?",
        "How long does {} take?", "Which exceptions can {} raise?",
    ],
}  # fmt: skip

ARGUMENTS = "I was not taught its arguments."
RETURNED = "I was not taught what it returns."
CONTENTS = "I was not taught all that is in it."
OTHER = "I was not taught that."
NOT_TAUGHT = (ARGUMENTS, RETURNED, CONTENTS, OTHER)
RETURNS = re.compile(r"\b[Rr]eturn(s|ing)?\b")
SHARED = "more than one module has it."  # true where home is no fact: facts.only_once

MOST_TOLD = 6  # names of what is in a module
NAMED = ("function", "class", "method")  # kinds of what a module has

# Times that it is asked for in a round: what has to be known of each name by itself, what not; and
# what a module has, which is asked on, too; and how a term is called, where that is known of some.
LEARNED, PLAIN, CONTAINED, CALLED = 12, 2, 6, 6
SOME_CALLS = 0.1  # of the terms


@dataclass(frozen=True)
class Further:
    """One thing to ask of a name that is taught, and what to say to it."""

    asks: str  # signature, home, return, functions, methods or other
    kind: str  # of the name: module, class, method, function; home for one without its module
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


def tells_contents(text):
    """Tell whether the fact about a module is what it has: pydoc_page.contents."""
    return text.startswith("it has the ")


def contents(facts):
    """Return {name: what is said to be in it} of the modules that `facts` are about.

    That is what its page says it has, or the names that are taught of it, the first of many; where
    there are none, that not all was taught.
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
    # who was taught how some are called makes that up for others, unless it is asked for more
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
            add("return", f.kind, f.name, text, PLAIN, follows=text != RETURNED)
        elif f.kind == "class":
            add("signature", f.kind, f.name, ARGUMENTS, PLAIN)
            add("methods", f.kind, f.name, CONTENTS, PLAIN)
        elif f.kind == "method":
            add("signature", f.kind, f.name, ARGUMENTS, PLAIN)
            text = return_text(f.text)
            add("return", f.kind, f.name, text, PLAIN, follows=text != RETURNED)
        elif f.kind == "term":
            if ("call", f.name) not in known:
                add("signature", f.kind, f.name, ARGUMENTS, of_terms)
            text = return_text(f.text)
            add("return", f.kind, f.name, text, PLAIN, follows=text != RETURNED)
        elif f.kind == "module" and not tells_contents(f.text):
            said = inside[f.name]
            follows = said != CONTENTS
            times = CONTAINED if follows else PLAIN
            add("functions", f.kind, f.name, said, times, follows=follows)
        if f.kind in NAMED and ("." in f.name or f.name not in called):
            home = module_of(f.name, f.kind)
            add("home", f.kind, f.name, f"it is in {home}.", PLAIN, follows=True)
        if f.kind in (*NAMED, "module", "term"):
            add("other", f.kind, f.name, OTHER, PLAIN)
    return list(found.values())
