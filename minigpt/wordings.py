"""The wordings in which is asked, read from data/wordings.json, a wording a line:

    {"starts": ["Do you know ...?", ...],
     "names": {"module": {"asked": ["What is {}?", ...], "clauses": ["what {} is good for", ...],
                          "held_out": ["Could you tell me what {} is for?", ...]}, ...},
     "follow_ups": {"home": {"asked": ["And which module is it in?", ...], ...}, ...},
     "echoes": ["Repeat the name {}.", ...]}

`asked` are trained on, of names the most usual first; each of `clauses`, too, behind each of
`starts`; `held_out` never, they serve to measure. Of "names" is asked with the name, which stands
in the place of {}; by "follow_ups" with what stands for it, it or that; "echoes" want it repeated.

Which of them is taken is in phrasings.py and chat_writer.py; what is asked on, in follow_ups.py.
"""

import json
from pathlib import Path

from minigpt.data_files import DATA

NAME = "wordings.json"
FIELDS = ("asked", "clauses", "held_out")


def read_wordings(path):
    """Return the object of a file as above; raise ValueError, naming the place, for what is none."""
    try:
        said = json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: it must be JSON: {error}") from None
    for place, texts, names in wordings_of(said):
        if not isinstance(texts, list) or not texts:
            raise ValueError(f"{path}, {place}: it must be a list of texts")
        for text in texts:
            rule = "once" if names else "nowhere"
            if not isinstance(text, str) or not text.strip() or text.count("{}") != names:
                raise ValueError(f"{path}, {place}: {text!r}; it must be a text with {{}} {rule}")
    for text in said["starts"]:
        if text.count(" ...") != 1:
            raise ValueError(f"{path}, starts: {text!r}; it must have ... once, for a clause")
    return said


def wordings_of(said):
    """Yield (place, list, how often {} stands in each of it) of the object of a file."""
    said = said if isinstance(said, dict) else {}
    yield "starts", said.get("starts"), 0
    yield "echoes", said.get("echoes"), 1
    for part in ("names", "follow_ups"):
        sorts = said.get(part)
        yield part, list(sorts) if isinstance(sorts, dict) else None, 0
        for sort, fields in sorts.items():
            for field in FIELDS:
                texts = fields.get(field) if isinstance(fields, dict) else None
                yield f"{part}, {sort}, {field}", texts, int(part == "names" or field == "clauses")


SAID = read_wordings(DATA / NAME)
DIRECT, CLAUSES, HELD_OUT = (
    {sort: fields[field] for sort, fields in SAID["names"].items()} for field in FIELDS
)
FOLLOW_UPS, FOLLOW_UP_CLAUSES, HELD_OUT_FOLLOW_UPS = (
    {sort: fields[field] for sort, fields in SAID["follow_ups"].items()} for field in FIELDS
)
ECHOES = SAID["echoes"]
STARTS = [tuple(text.split(" ...")) for text in SAID["starts"]]  # what ends the question, too

# What is asked of a method is what is asked of a function; and how a term is called is asked for as
# how a function of Python's library is.
for words in (DIRECT, CLAUSES, HELD_OUT):
    words["method"] = [text.replace("function", "method") for text in words["function"]]
    words["call"] = words["signature"]
