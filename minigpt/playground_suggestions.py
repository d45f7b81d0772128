"""What to ask a model, for somebody who does not know what it has read.

    taught     the names of which it was trained on facts: see playground_names.py; none, where its
               text held no facts and no conversations of the user's own may have told any
    begin      some of these, to begin with
    known      a question about a fact that it was trained on
    own        a question of the user's own conversations, which it was trained on as they are
    held_out   a question about a name of its pages that it was never taught to answer
    invented   a question about a name that does not exist
    beginning  the first words of a sentence of its documents, to go on with

The questions are those of the examination, conversations/questions.jsonl (chat_data.py): worded,
but for the user's own, as none that the model was trained on. Where the assistant was examined,
questions that it answered as it should are preferred, and one of the user's own that it did not is
left out. What is not known, as of a model without these files, is left out; files
that cannot be read are as good as none.

Where there are no documents, as of a text that was trained on as it is, the beginning is of the
middle of its tokens.
"""

import gzip
import json
import zlib
from pathlib import Path

from bpe import Tokenizer
from minigpt.dataset import load_tokens
from minigpt.playground_names import taught, to_begin_with

QUESTIONS, REPORT = "conversations/questions.jsonl", "conversations/conversations.json"
EVALUATION = "chat/evaluation.json"
DOCUMENTS = "documents.jsonl.gz"
TOKENS, TOKENIZER = "tokens/train.npy", "tokenizer/tokenizer.json"
MOST_TOKENS = 8_000  # a few pages
LONGEST = 40  # characters of a beginning, where words are not what stands between blanks
KINDS = ("known", "held_out", "invented")
MOST_LINES, LONGEST_LINE = 20_000, 1 << 20  # pydoc's pages have 4,246 facts
MOST_DOCUMENTS = 200
LONGEST_OWN = 120  # characters of a question of the user's own
SENTENCE, BEGINNING = 8, 4  # words: of a paragraph that is a sentence, and of its beginning


def suggestions(out, documents=()):
    """Return a dict of what the files below the folder `out` know; see above."""
    lines = list(read_lines(Path(out) / QUESTIONS, MOST_LINES))
    well_known = listed(Path(out) / REPORT, "best_known")
    unfit = set(listed(Path(out) / EVALUATION, "unfit"))
    questions = [asked(line, well_known, unfit) for line in lines]
    names = taught(lines, unfit)
    found = {}
    if names:
        found = {"taught": names, "begin": to_begin_with(names, well_known)}
    elif any(asks := {this for this, *_ in questions}) and not asks & {"known", "own"}:
        found = {"taught": []}
    for kind in KINDS:
        if texts := sorted(rest for this, *rest in questions if this == kind and rest[-1]):
            found[kind] = texts[0][-1]
    if text := own_question(lines, unfit):
        found["own"] = text
    for path in [*map(Path, documents), Path(out) / DOCUMENTS]:
        for document in read_lines(path, MOST_DOCUMENTS):
            if words := beginning(document):
                return found | {"beginning": words}
    if words := beginning_in_tokens(Path(out)):
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


def own_question(lines, unfit):
    """Return a question of the user's own that can be asked alone; "" where there is none.

    Nothing stands before it, unless all conversations have the same message of the system: then it
    was learned without it, too (own_talks.py). One with a question mark is the best, then a short.
    """
    talks = [roles_and_texts(line) for line in lines]
    talks = [talk for talk in talks if talk is not None]
    systems = {texts[0] for roles, texts in talks if roles[0] == "system"}
    alone = [("user", "assistant")] + [("system", "user", "assistant")] * (len(systems) == 1)
    questions = {texts[-2] for roles, texts in talks if roles in alone} - unfit
    some = [x.strip() for x in questions if "\n" not in x.strip() and len(x) <= LONGEST_OWN]
    return min(filter(None, some), key=lambda x: (not x.endswith("?"), len(x), x), default="")


def roles_and_texts(line):
    """Return ((role, ...), (text, ...)) of one of the user's own conversations, None of others."""
    try:
        said = [(message["role"], message["content"]) for message in line["messages"]]
        is_own = line["asks"] == "own" and all(isinstance(x, str) for pair in said for x in pair)
    except (TypeError, KeyError):
        return None
    return tuple(zip(*said, strict=True)) if said and is_own else None


def beginning(document):
    """Return the first words of a document's first sentence, "" where there is none."""
    text = document.get("text") if isinstance(document, dict) else None
    for paragraph in text.split("\n\n") if isinstance(text, str) else ():
        words = paragraph.split()
        if len(words) >= SENTENCE and words[0].isalpha() and words[0][0].isupper():
            return " ".join(words[:BEGINNING])
    return ""


def beginning_in_tokens(out):
    """Return the same of what was trained on, as tokens; else of its first line with words."""
    try:
        ids, tokenizer = load_tokens(out / TOKENS), Tokenizer.load(out / TOKENIZER)
        ids = ids[len(ids) // 2 :][:MOST_TOKENS].tolist()
        text = tokenizer.decode_bytes(ids).decode("utf-8", "replace")
    except (OSError, ValueError, LookupError):
        return ""
    for name in tokenizer.special_tokens:
        text = text.replace(name, "\n\n")
    text = text.partition("\n")[2] or text.partition(" ")[2]  # it began within a line
    line = next((line.split() for line in text.split("\n") if line.split()), [])
    return beginning({"text": text}) or " ".join(line[:BEGINNING])[:LONGEST]


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
