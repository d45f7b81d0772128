"""A fact in words: how a name is put into a question, and how an answer about it begins.

A small model learns a fact only if it is asked for it in several ways, and it has learned it only
if it knows it when asked in yet another. So each kind of question has phrasings to train on and
others, HELD_OUT, that are never trained on and serve to measure (wordings.py). None of these is a
trained one with another filling word: "And which arguments does it take?" would be known already
where "Which arguments does it take?" is.

A small model takes for the name in a question whatever it has not seen in other questions: of
"What is the purpose of re?", where no phrasing has the word, it makes "Module reurpose?". So there
are many phrasings, with many words beside the name: plain ones, and others that first say where
somebody met it (chosen_wordings.py); and around them stand sentences that have nothing to do with
it.

Every answer begins with the kind of thing and its name, "Module NAME: ...", or, where a page does
not tell of what kind it is, with the name alone, "NAME: ...": the model has to read the name and
spell it before it says what it knows, and what it knows then follows the same few ids however the
question was phrased. For a name that does not exist the answer goes on differently, "Module NAME? I
do not know ...", so knowing and not knowing part at one place. So it does for a name that exists
but is not taught.

Not here: the reading of pages (facts.py), the making up of names (invented.py), follow-ups
(follow_ups.py) and the writing of conversations (chat_writer.py).
"""

import re

# Built-in classes are asked for with an article, too, and by what people call them.
ALSO = {"str": ("string",), "int": ("integer",), "dict": ("dictionary",), "bool": ("boolean",)}
QUOTES, VOWELS = "`'\"", tuple("aeio")
NO_ARTICLE = re.compile(
    r"\b(?:class|an?|the|this|that|my|some|any|type|import|called|name|named) \{\}"
    r"|\btype\(|\{\}(?:[()\]s'-]| (?:class|object|instance|type|thing|value|variable))|\W\{\}[\"'`]"
)
AN = re.compile(r"\b([Aa])n? \{\}")


def takes_article(phrasing):
    """Tell whether an article may stand before the name in a phrasing."""
    return not NO_ARTICLE.search(phrasing)


def has_article(phrasing):
    """Tell whether one stands there: "What is a {}?"."""
    return AN.search(phrasing) is not None


def put(name, phrasing):
    """Return a phrasing with a name in its place; "a {}" becomes "an" where the name needs it."""
    an = with_article(name).partition(" ")[0][1:]
    return AN.sub(rf"\1{an} {{}}", phrasing).replace("{}", name)


def with_article(name):
    """Return "a list" of list and "an int" of int."""
    return f"{'an' if name.lstrip(QUOTES)[:1].lower() in VOWELS else 'a'} {name}"


NOUN = {"module": "Module", "class": "Class", "method": "Method", "function": "Function",
        "signature": "Function", "home": "Function", "page": "Page",
        "term": "", "call": ""}  # fmt: skip
UNKNOWN = "I do not know"  # how every answer about a name that does not exist goes on


def answer(kind, name, text):
    """Return what the assistant says about a name that it knows."""
    if kind == "home":
        text = f"it is in {text}."
    return f"{named(kind, name)}: {text}"


def named(kind, name):
    """Return how an answer about a name begins: "Module json", and of a term its name alone."""
    return f"{NOUN[kind]} {name}".lstrip()


def echo_answer(name):
    """Return what the assistant says when it is asked to repeat a name."""
    return f"The name is {name}."


def unknown_answer(kind, name):
    """Return what the assistant says about a name that does not exist."""
    return f"{named(kind, name)}? {UNKNOWN} that name."


def declines(reply, name=""):
    """Tell whether a reply says that the assistant does not know; with `name`, that very name."""
    if name:
        return any(reply == unknown_answer(kind, name) for kind in NOUN)
    return UNKNOWN in reply
