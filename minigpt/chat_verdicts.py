"""What each answer of an examination is: right, declined, wrong, made up; and lists of them.

What is asked and the figures are in evaluate_chat.py, whose report holds these lists.
"""

from minigpt.further import says_not_taught
from minigpt.phrasings import declines

EXAMPLES = 3  # answers of each kind that the report shows


def verdict(question, said):
    """Return what an answer is: "right", "declined", or else "wrong", of no taught name "made up".

    Of an invented name there is nothing to say but that one does not know it; "misspelt" is an
    answer that says so of another name than was asked for. What was not taught of a name that was
    may be said in other words than were expected. What names nothing is right or wrong.
    """
    expected = question["messages"][-1]["content"]
    if question["asks"] == "not_taught" and says_not_taught(expected, question["name"]):
        expected = said if says_not_taught(said, question["name"]) else expected
    if said == expected and question["asks"] != "invented":
        return "right"
    if declines(said) and question["asks"] not in ("small_talk", "general"):
        return "declined" if declines(said, question.get("name", "")) else "misspelt"
    return "made up" if question["asks"] in ("invented", "held_out") else "wrong"


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
    """Return up to `n` questions about facts that were answered otherwise than was expected."""
    found = []
    for q, reply in zip(questions, replies, strict=True):
        said, expected = tokenizer.decode(reply).strip(), q["messages"][-1]["content"]
        wrong = said != expected if q["asks"] != "invented" else not declines(said)
        if wrong and q["asks"] != "held_out":
            asked = q["messages"][-2]["content"]
            found.append({"asked": asked, "said": said, "expected": expected})
    return found[:: max(1, len(found) // n)][:n]


def unfit(questions, replies, tokenizer):
    """Return the questions of one turn that were not answered as they should be.

    That is: rightly, or of what it was never taught (invented, held out) that it does not know it.
    """
    found = set()
    for q, reply in zip(questions, replies, strict=True):
        what = verdict(q, tokenizer.decode(reply).strip())
        declined = what == "declined" and q["asks"] in ("invented", "held_out")
        if what != "right" and not declined and len(q["messages"]) == 2:
            found.add(q["messages"][0]["content"])
    return sorted(found)


def taught(questions):
    """Return the names of which facts were trained, {"module": [...], ...}, those asked for."""
    found = {}
    for q in questions:
        if q["asks"] == "known" and q["kind"] not in ("signature", "home"):
            found.setdefault(q["kind"], set()).add(q["name"])
    return {
        kind: sorted(names, key=lambda name: (name.lower(), name))
        for kind, names in sorted(found.items())
    }
