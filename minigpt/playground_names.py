"""The names that an assistant was taught, for the page to list, and what to ask of each.

    name     as the pages write it
    kind     module, class, function, method, page or term (facts.py)
    parent   the taught name that it belongs to, as json of json.dumps, git-commit of
             git-commit --amend; "" where there is none
    ask      a question for what it is
    more     questions for what else was taught of it, its arguments, what is in it, each with the
             answer that it was taught
    right    whether the assistant answered right, when it was examined, what it is

The questions are worded as it was trained (wordings.py, further.py): of the words that people would
type in those that it understands best, behind other questions, too. What it was not taught is not
among them: who is offered a question shall not be told that there is no answer. What it answered
wrongly in the examination is not in `more`, nor asked for by `begin`; `ask` is there for every name
of the list, and `right` tells of which it may be offered.
"""

from minigpt.best_known import read_first
from minigpt.facts import OF_PYTHON, Fact
from minigpt.further import CONTENTS, contents, tells_contents
from minigpt.phrasings import answer

ASK = dict.fromkeys(("class", "function", "method", "term"), "What is {} for?") | {
    "module": "What does the module {} do?",  # or it might be taken for a function of it
    "page": "What is {} about?",
}
ASK_CALL = "How do I call {}?"  # of a function (signature), of a term (call)
ASK_CONTENTS = "Which functions does {} have?"  # of a module of which some are taught

LONGEST_NAME = 100  # characters; what is longer is not listed
MOST_OF_A_KIND, MOST = 2, 8  # names to begin with


def taught(questions, unfit=()):
    """Return [{"name", "kind", "parent", "ask", "more", "right"}], in the order of the alphabet.

    `questions` are the lines of questions.jsonl, of which what is no question is left out; `unfit`
    are the texts of those that the assistant answered otherwise than it should.
    """
    known, wrong = {}, set()  # (kind, name) -> the answer; those answered wrongly
    for line in questions:
        if (found := fact(line)) is not None:
            kind, name, text, said = found
            known[kind, name] = said
            if text in unfit:
                wrong.add((kind, name))
    names = {name for kind, name in known if kind in ASK}
    inside = contents([Fact(*key, said.partition(": ")[2], "") for key, said in known.items()])

    def more(kind, name):
        calls = [key for key in (("signature", name), ("call", name)) if key in known]
        if calls and calls[0] not in wrong:
            yield ASK_CALL, known[calls[0]]
        told = inside[name] if kind == "module" else CONTENTS
        is_new = told != CONTENTS and not tells_contents(told)  # `ask` may have told it
        if is_new and wrong.isdisjoint([(kind, name), ("functions", name)]):
            yield ASK_CONTENTS, answer(kind, name, told)

    def described(kind, name):
        return {
            "name": name, "kind": kind, "parent": "" if kind == "page" else parent(name, names),
            "ask": ASK[kind].format(name), "right": (kind, name) not in wrong,
            "more": [{"ask": ask.format(name), "answer": said} for ask, said in more(kind, name)],
        }  # fmt: skip

    kinds = {name: kind for kind, name in known if kind in ASK}
    return [described(kinds[name], name) for name in sorted(kinds, key=lambda x: (x.lower(), x))]


def fact(line):
    """Return (kind, name, question, answer) of a taught fact; None of other lines.

    So it does of what follows from facts, as what is in a module: that is of the kind "functions".
    """
    try:
        asks, kind, name = line["asks"], line["kind"], line["name"]
        text, said = (message["content"] for message in (*line["messages"], {"content": ""})[:2])
        if not all(isinstance(x, str) for x in (kind, name, text, said)):
            return None
    except (TypeError, KeyError, ValueError):
        return None
    is_fact = asks == "known" or (asks == "follows" and kind == "functions")
    is_name = name.strip() and len(name) <= LONGEST_NAME
    return (kind, name, text, said) if is_fact and is_name else None


def parent(name, names):
    """Return the longest of `names` that `name` begins with, up to a dot or a blank; else ""."""
    ends = [i for i, character in enumerate(name) if character in ". " and i > 0]
    return next((name[:i] for i in reversed(ends) if name[:i] in names), "")


def to_begin_with(names, best_known):
    """Return a few names, [name], that somebody may know who has just come.

    Of Python's library these are names of each kind that people ask for first
    (data/first_asked.txt), of other pages those of `best_known`; all are among `names`, which are
    as `taught` gives them, and were answered right.
    """
    kinds = {one["name"]: one["kind"] for one in names if one["right"]}
    if OF_PYTHON.isdisjoint(kinds.values()):
        return [name for name in best_known if name in kinds][:MOST]
    found = {}
    for name in read_first():
        if name in kinds:
            found.setdefault(kinds[name], []).append(name)
    return [name for some in found.values() for name in some[:MOST_OF_A_KIND]][:MOST]
