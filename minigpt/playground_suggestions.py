"""What to ask a model, for somebody who does not know what it has read.

    taught     the names of which it was trained on facts: see playground_names.py
    begin      some of these, to begin with
    known      a question about a fact that it was trained on
    held_out   a question about a name of its pages that it was never taught to answer
    invented   a question about a name that does not exist
    beginning  the first words of a sentence of its documents, to go on with

The questions are those of the examination, conversations/questions.jsonl (chat_data.py): worded as
none that the model was trained on. Where the assistant was examined, questions that it answered as
it should are preferred. What is not known, as of a model without these files, is left out; files
that cannot be read are as good as none.
"""

import gzip
import json
import zlib
from pathlib import Path

from minigpt.playground_names import taught, to_begin_with

QUESTIONS, REPORT = "conversations/questions.jsonl", "conversations/conversations.json"
EVALUATION = "chat/evaluation.json"
DOCUMENTS = "documents.jsonl.gz"
KINDS = ("known", "held_out", "invented")
MOST_LINES, LONGEST_LINE = 20_000, 1 << 20  # pydoc's pages have 4,246 facts
MOST_DOCUMENTS = 200
SENTENCE, BEGINNING = 8, 4  # words: of a paragraph that is a sentence, and of its beginning


def suggestions(out, documents=()):
    """Return a dict of what the files below the folder `out` know; see above."""
    lines = list(read_lines(Path(out) / QUESTIONS, MOST_LINES))
    well_known = listed(Path(out) / REPORT, "best_known")
    unfit = set(listed(Path(out) / EVALUATION, "unfit"))
    questions = [asked(line, well_known, unfit) for line in lines]
    names = taught(lines, unfit)
    found = {"taught": names, "begin": to_begin_with(names, well_known)} if names else {}
    for kind in KINDS:
        if texts := sorted(rest for this, *rest in questions if this == kind and rest[-1]):
            found[kind] = texts[0][-1]
    for path in [*map(Path, documents), Path(out) / DOCUMENTS]:
        for document in read_lines(path, MOST_DOCUMENTS):
            if words := beginning(document):
                return found | {"beginning": words}
    return found


def listed(path, key):
    """Return what a stage's report lists under `key`, without what is no text; else nothing."""
    try:
        found = json.loads(path.read_bytes())[key]
        return [x for x in found if isinstance(x, str)] if isinstance(found, list) else []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def asked(question, well_known, unfit):
    """Return (what is asked, how far it is from a good beginning, its text); "" of other lines.

    Farthest are questions of `unfit`, which the assistant answered otherwise than it should.
    """
    try:
        asks, kind = question["asks"], question["kind"]
        text = question["messages"][0]["content"].strip()
        # a question about a whole page that many know, short as its name and its words, is the best
        is_page, name = kind in ("module", "page", "term"), str(question.get("name", ""))
        is_odd = not name[:1].isalpha()  # .loc
        known = (not is_page, is_odd, name not in well_known, len(name), len(text))
        return asks, (text in unfit, *known), text
    except (TypeError, KeyError, IndexError, AttributeError):
        return "", (True, True, True, True, 0, 0), ""


def beginning(document):
    """Return the first words of a document's first sentence, "" where there is none."""
    text = document.get("text") if isinstance(document, dict) else None
    for paragraph in text.split("\n\n") if isinstance(text, str) else ():
        words = paragraph.split()
        if len(words) >= SENTENCE and words[0].isalpha() and words[0][0].isupper():
            return " ".join(words[:BEGINNING])
    return ""


def read_lines(path, most):
    """Yield the first objects of a file of JSON Lines, none from where it cannot be read on."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            for _ in range(most):
                line = file.readline(LONGEST_LINE)
                if not line:
                    return
                yield json.loads(line)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error):
        return
