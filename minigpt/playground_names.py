"""The names that an assistant was taught, for the page to list, and what to ask of each.

    name     as the pages write it
    kind     module, class, function, method, page or term (facts.py)
    parent   the taught name that it belongs to, as json of json.dumps, git-commit of
             git-commit --amend; "" where there is none
    ask      a question for what it is
    more     questions for what else was taught of it: its arguments, what is in it
    right    whether the assistant answered right, when it was examined, what it is

The questions are worded as it was trained (wordings.py, further.py): of the words that people would
type in those that it understands best, behind other questions, too. What it was not taught is not
among them, nor what it answered wrongly: who is offered a question shall not be told that there is
no answer.
"""

from minigpt.best_known import read_first
from minigpt.facts import OF_PYTHON
from minigpt.further import module_of, tells_contents

ASK = dict.fromkeys(("class", "function", "method", "term"), "What is {} for?") | {
    "module": "What does the module {} do?",  # or it might be taken for a function of it
    "page": "What is {} about?",
}
CALLED = "How do I call {}?"  # of a function (signature), of a term (call)
CONTENTS = "Which functions does {} have?"  # of a module of which some are taught

MOST_OF_A_KIND, MOST = 2, 8  # names to begin with


def taught(questions, unfit=()):
    """Return [{"name", "kind", "parent", "ask", "more", "right"}], in the order of the alphabet.

    `questions` are the lines of questions.jsonl, of which what is no question is left out; `unfit`
    are the texts of those that the assistant answered otherwise than it should.
    """
    known, right = {}, set()  # (kind, name) -> the answer
    for line in questions:
        if (found := fact(line)) is not None:
            kind, name, text, answer = found
            known[kind, name] = answer
            if text not in unfit:
                right.add((kind, name))
    names = {name for kind, name in known if kind in ASK}
    filled = {module_of(name) for kind, name in known if kind in ("function", "class")}

    def described(kind, name):
        more = [CALLED] if {("signature", name), ("call", name)} & right else []
        if kind == "module" and name in filled and not tells_contents(known[kind, name]):
            more.append(CONTENTS)
        return {
            "name": name, "kind": kind, "parent": "" if kind == "page" else parent(name, names),
            "ask": ASK[kind].format(name), "more": [text.format(name) for text in more],
            "right": (kind, name) in right,
        }  # fmt: skip

    once = {name: kind for kind, name in reversed(known) if kind in ASK}
    return [described(once[name], name) for name in sorted(once, key=lambda x: (x.lower(), x))]


def fact(line):
    """Return (kind, name, question, answer without its name) of a taught fact; None of others."""
    try:
        kind, name = line["kind"], line["name"]
        text, answer = (message["content"] for message in (*line["messages"], {"content": ""})[:2])
        if line["asks"] != "known" or not all(isinstance(x, str) for x in (kind, name, answer)):
            return None
        return kind, name, text.strip(), answer.partition(": ")[2]
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def parent(name, names):
    """Return the longest of `names` that `name` begins with, up to a dot or a blank; else ""."""
    ends = [i for i, character in enumerate(name) if character in ". " and i > 0]
    return next((name[:i] for i in reversed(ends) if name[:i] in names), "")


def to_begin_with(names, best_known):
    """Return a few names, [name], that somebody may know who has just come.

    Of Python's library these are names of each kind that people ask for first
    (data/first_asked.txt), of other pages those of `best_known`; all are among `names`, which are
    as `taught` gives them.
    """
    kinds = {one["name"]: one["kind"] for one in names}
    if OF_PYTHON.isdisjoint(kinds.values()):
        return [name for name in best_known if name in kinds][:MOST]
    found = {}
    for name in read_first():
        if name in kinds:
            found.setdefault(kinds[name], []).append(name)
    return [name for some in found.values() for name in some[:MOST_OF_A_KIND]][:MOST]
