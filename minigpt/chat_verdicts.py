"""What each answer of an examination is: right, declined, wrong, made up; and lists of them.

What is asked and the figures are in evaluate_chat.py, whose report holds these lists.
"""

from minigpt.further import OTHER, says_not_taught
from minigpt.general import BEYOND
from minigpt.phrasings import declines

EXAMPLES = 3  # answers of each kind that the report shows


def verdict(question, said):
    """Return what an answer is: "right", "declined", "misspelt", "made up" or "wrong".

    Of an invented name there is nothing to say but that one does not know it; "misspelt" is an
    answer that says so of another name than the one asked for. That something of a taught name was
    not taught may also be said in the words for anything (OTHER). "made up" is whatever is said of
    what was not taught, unless it is one of the answers that refuse. An answer to small talk, a
    general question or the user's own conversations is only right or wrong.
    """
    asks, expected = question["asks"], question["messages"][-1]["content"]
    if said == expected and asks != "invented":
        return "right"
    if asks == "not_taught" and says_not_taught(expected):
        about, _, text = said.partition(": ")
        if text == OTHER and expected.startswith(f"{about}: "):
            return "right"
    if declines(said) and asks not in ("small_talk", "general", "own"):
        return "declined" if declines(said, question.get("name", "")) else "misspelt"
    refuses = says_not_taught(said) or said.startswith(BEYOND)
    return "made up" if asks in ("invented", "held_out", "not_taught") and not refuses else "wrong"


def examples(questions, replies, tokenizer, n=EXAMPLES):
    """Return up to `n` answers of each verdict to each sort of question, from all over the list."""
    found = {}
    for q, reply in zip(questions, replies, strict=True):
        said = tokenizer.decode(reply).strip()
        key = q["asks"], verdict(q, said)
        asked, expected = [m["content"] for m in q["messages"][:-1]], q["messages"][-1]["content"]
        found.setdefault(key, []).append(
            {"asks": key[0], "verdict": key[1], "asked": asked, "said": said, "expected": expected}
        )
    return [x for some in found.values() for x in some[:: -(-len(some) // n)]]


def mistakes(questions, replies, tokenizer, n=20):
    """Return up to `n` questions whose answers were not the expected ones.

    A held-out fact cannot be known; of an invented name it is enough that it is declined.
    """
    found = []
    for q, reply in zip(questions, replies, strict=True):
        said, expected = tokenizer.decode(reply).strip(), q["messages"][-1]["content"]
        right = declines(said) if q["asks"] == "invented" else verdict(q, said) == "right"
        if not right and q["asks"] != "held_out":
            asked = q["messages"][-2]["content"]
            found.append({"asked": asked, "said": said, "expected": expected})
    return found[:: max(1, len(found) // n)][:n]


def unfit(questions, replies, tokenizer):
    """Return the questions of one turn that were not answered as they should be.

    They should be answered rightly, or, about a name never taught (invented, held out), with not
    knowing it. What the system says before a question is no turn.
    """
    found = set()
    for q, reply in zip(questions, replies, strict=True):
        what = verdict(q, tokenizer.decode(reply).strip())
        declined = what == "declined" and q["asks"] in ("invented", "held_out")
        turns = [m["content"] for m in q["messages"] if m["role"] != "system"]
        if what != "right" and not declined and len(turns) == 2:
            found.add(turns[0])
    return sorted(found)


def taught(questions):
    """Return the names of which facts were trained, {"module": [...], ...}, those asked for."""
    found = {}
    for q in questions:
        if q["asks"] == "known" and q["kind"] not in ("signature", "call", "home"):
            found.setdefault(q["kind"], set()).add(q["name"])
    return {
        kind: sorted(names, key=lambda name: (name.lower(), name))
        for kind, names in sorted(found.items())
    }
