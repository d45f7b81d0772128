"""What the examination of an assistant says: its figures, for the terminal and for the report.

The examination itself, and what is counted as what, is in evaluate_chat.py.
"""

import json
from pathlib import Path

from minigpt.amounts import count
from minigpt.chat_data import REPORT as DATA_REPORT
from minigpt.evaluate_chat import MAX_NEW_TOKENS
from minigpt.tables import folded, interval, table, words

ROWS = (
    ("exact", "facts answered exactly, in phrasings never trained on"),
    ("follow_up_exact", "follow-up questions answered exactly"),
    ("follow_up_exact_alone", "the same without what was said before: nobody could know"),
    ("follow_on_exact", "follow-ups about modules, classes, two questions back: exactly"),
    ("article_exact", "built-in classes asked for as a list, a string: exactly"),
    ("another_exact", "another name by its end, as sleep after time: exactly"),
    ("invented_declined", "invented names: says that it does not know"),
    ("invented_named", "... and repeats the name without a slip: of all asked"),
    ("real_declined", "names that it was taught: wrongly says so, too"),
    ("held_out_exact", "facts never fine-tuned on, exactly: by chance alone"),
    ("held_out_declined", "facts never fine-tuned on: says that it does not know"),
    ("held_out_named", "... and repeats the name without a slip: of all asked"),
    ("not_taught_said", "taught names, asked for what was not taught: says so"),
    ("follows_exact", "what follows from taught names, json from json.dumps: exactly"),
    ("small_talk_exact", "about itself, greetings: exact, in phrasings never trained on"),
    ("general_exact", "about nothing taught: says so, in phrasings never trained on"),
    ("own_exact", "your own conversations, in the words of the file: exactly"),
    ("loops", "replies that repeat themselves"),
)


def figures(report):
    """Return the table of a report: (what, the assistant's share, the base model's) of each row.

    What was not asked is left out; a share is None where the base model was not asked.
    """
    base = report.get("base", {})
    found = [(name, report.get(key), base.get(key)) for key, name in ROWS]
    return [row for row in found if row[1] is not None]


def print_table(report, conversations=None):
    """Print the figures of a report, the base model's beside them."""
    if "known" not in report["questions"]:
        print("the documents held no facts to ask for: nothing of what they say is examined")
    elif conversations is not None and (line := taught_line(conversations)):
        print(line)
    width = max(len(name) for _, name in ROWS)
    print(f"{'':{width}} {'assistant':>9} {'base':>7}")
    for name, *shares in figures(report):
        cells = ["" if x is None else f"{100 * x:.1f} %" for x in shares]
        print(f"{name:{width}} {cells[0]:>9} {cells[1]:>7}")


def taught_line(conversations):
    """Return in how many phrasings facts were taught; "" where the conversations' report is bad.

    The figures are there by then, and took their time: they are printed without it.
    """
    try:
        data = json.loads((Path(conversations) / DATA_REPORT).read_text("utf-8"))
        facts = count(data["facts"], "fact")
        some, all_of_them = data.get("asked", data["phrasings"]), data["phrasings"]  # of old: all
        return (
            f"{facts}, each taught in {some} of {all_of_them:,} phrasings or more; examined in "
            f"{data['phrasings_held_out']} others or more, which were written apart"
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""


# ---- the report --------------------------------------------------------------------------------

ASKED = {
    "known": "Asked for a fact that it was taught, in other words",
    "follow_up": "Asked on, from what was said before; of many it was not taught what they return",
    "follow_on": "Asked on about a module or class, or about what was named before the last answer",
    "article": "Asked for a built-in class with an article",
    "another": "Asked for another name by its end, behind one that it stands beside",
    "not_taught": "Asked for what it was not taught of a name that it was taught",
    "follows": "Asked for what follows from a name or a fact that it was taught",
    "small_talk": "Asked about itself, greeted or thanked, in other words than it was taught",
    "general": "Asked about nothing that it was taught",
    "own": "Asked what your own conversations ask, in their words",
    "held_out": "Asked for a name of the pages that it was never taught",
    "invented": "Asked for a name that does not exist",
}


KINDS = {"module": "Modules", "class": "Classes", "method": "Methods of built-in classes",
         "function": "Functions", "page": "Pages", "term": "Terms"}  # fmt: skip


def assistant_section(report):
    """Return what the examination of an assistant measured, and some of its answers.

    Raises ValueError for a report that is not whole.
    """
    try:
        n_asked = sum(report["questions"].values())
        rows = [[name, share, base] for name, share, base in figures(report)]
        answers = {}
        for x in report.get("examples", []):
            row = [x["verdict"], f"{' / '.join(x['asked'])} → {x['said']}{correction(x)}"]
            answers.setdefault(x["asks"], []).append(row)
        asked = report["questions"]
        answers = {caption_of(asks, len(some), asked.get(asks, 0)): some
                   for asks, some in answers.items()}  # fmt: skip
        headline = headline_of(report)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"chat/evaluation.json is not a whole report ({error!r}); run evaluate-chat again"
        ) from None
    parts = [
        words(
            f"The assistant is the base model, trained further on conversations. It was asked "
            f"{count(n_asked, 'question')}, none of which stood word for word in its training"
            f"{', but for those of your own conversations' if asked.get('own') else ''}, and "
            f"always gave its likeliest answer, {MAX_NEW_TOKENS} tokens at most. An answer is "
            f"exact if it is the page's sentence, letter by letter. The base model got the same "
            f"questions with two examples before them: it goes on with a text and knows no turns."
        ),
        words(
            "Two things go together: to know what was taught, and to say so of what was not. A "
            "model that declines too little makes up an answer to an invented name; one that "
            "declines too much does so of names that it was taught. Names that stand in the pages "
            "and were never taught are the hardest: it has read them, and has no answer. A new "
            "name is often misspelt in the answer, also where that rightly says it is not known. "
            "It is also asked what it was not taught about a name that it was taught, and about "
            "things that are no names; both times it should say so."
        ),
        table(
            "What the assistant knows, and whether it knows what it does not know",
            [("what", ""), ("assistant", ".1%"), ("base model", ".1%")],
            rows,
        ),
    ]
    columns = [("verdict", ""), ("question → answer", "")]
    parts += [table(caption, columns, rows) for caption, rows in answers.items()]
    parts += [
        folded(f"{KINDS.get(kind, kind)} that it was taught: {len(names):,}", names)
        for kind, names in report.get("taught", {}).items()
    ]
    return {"title": "The assistant", "headline": headline, "parts": parts}


def caption_of(asks, n_shown, n_asked):
    """Return what answers of a sort are to, and of how many questions these are some."""
    return ASKED[asks] + (f": some of {count(n_asked, 'question')}" if n_shown < n_asked else "")


def correction(example):
    """Return what would have been right, for an answer that was wrong, else ""."""
    has_answer = example["asks"] != "invented" and example["verdict"] in ("wrong", "made up")
    return f" (right: {example['expected']})" if has_answer and "expected" in example else ""


def headline_of(report):
    """Return the result in a sentence."""
    n = report["questions"]
    if report["exact"] is None:
        return "The assistant was asked for no facts: its documents hold none."
    right, between = report["exact"], interval(round(report["exact"] * n["known"]), n["known"])
    said = (
        f"The assistant answers {right:.1%} ({between}) of {n['known']:,} questions about facts "
        f"exactly, in phrasings it was never trained on"
    )
    if report["invented_declined"] is None:
        return f"{said}."
    declined = report["invented_declined"]
    return f"{said}, and says that it does not know {declined:.1%} of invented names."
