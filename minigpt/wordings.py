"""The wordings of questions, read from data/wordings.json, a wording a line:

    {"names": {"module": {"asked": ["What is {}?", ...],
                          "held_out": ["what area does the {} library cover", ...]}, ...},
     "follow_ups": {"home": {"asked": ["And which module is it in?", ...], ...}, ...},
     "contexts": {"module": {"heads": ["homework says import {}", ...],
                             "tails": ["what's it for", ...]}, ...},
     "another": {"asked": ["And {}?", ...], "held_out": ["makes sense. {}?", ...]},
     "echoes": ["Repeat the name {}.", ...]}

`asked` are trained on, the most usual first; `held_out` never are, they serve to measure. "names"
ask with the name, in the place of {}; "follow_ups" with a word that stands for it, it or that.
"contexts" first say, in one of `heads`, where the name was met, and then ask, in one of `tails`;
"another" asks for another name after one; "echoes" want a name repeated.

Several writers made the wordings, and none knew the others'. What is held out is by two of them; of
theirs, only those are trained on that others had, too.

Which of them are taken is in chosen_wordings.py; what follow-ups ask for, in follow_ups.py.
"""

import json
import re
from pathlib import Path

from minigpt.data_files import DATA

NAME = "wordings.json"
WHAT = ("module", "function", "class", "method", "page", "term")  # what is it?
FURTHER = ("signature", "home", "return", "functions", "methods")
SORTS = {
    "names": (*WHAT, *FURTHER, "other"),
    "follow_ups": (*FURTHER, "function", "module"),
    "contexts": (*WHAT, "home"),
}


def read_wordings(path):
    """Return the object of a file as above; raise ValueError, naming the place, for another."""
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
    return said


def wordings_of(said):
    """Yield (place, list, how often {} stands in each of it) of the object of a file."""
    said = said if isinstance(said, dict) else {}
    yield "echoes", said.get("echoes"), 1
    another = said.get("another")
    for field in ("asked", "held_out"):
        yield f"another, {field}", another.get(field) if isinstance(another, dict) else None, 1
    for part, in_fields in (
        ("names", {"asked": 1, "held_out": 1}),
        ("follow_ups", {"asked": 0, "held_out": 0}),
        ("contexts", {"heads": 1, "tails": 0}),
    ):
        sorts = said.get(part)
        yield part, list(sorts) if isinstance(sorts, dict) else None, 0
        for sort, fields in (dict.fromkeys(SORTS[part]) | sorts).items():
            for field, names in in_fields.items():
                texts = fields.get(field) if isinstance(fields, dict) else None
                yield f"{part}, {sort}, {field}", texts, names


def texts_of(part, field):
    """Return {sort: the texts of a field} of a part of the file."""
    return {sort: fields[field] for sort, fields in SAID[part].items()}


SAID = read_wordings(DATA / NAME)
DIRECT, HELD_OUT = texts_of("names", "asked"), texts_of("names", "held_out")
FOLLOW_UPS, HELD_OUT_FOLLOW_UPS = (
    texts_of("follow_ups", "asked"), texts_of("follow_ups", "held_out")
)  # fmt: skip
HEADS, TAILS = texts_of("contexts", "heads"), texts_of("contexts", "tails")
ANOTHER, HELD_OUT_ANOTHER = SAID["another"]["asked"], SAID["another"]["held_out"]
ECHOES = SAID["echoes"]

# How a term is called is asked for in the words for a function of Python's library. The follow-ups
# of "other" are its questions, with "it" for the name; "elsewhere" has those not about Python.
PYTHON = re.compile(
    r"python|pypy|\b(pip|conda|PEP|GIL|asyncio|numpy|pandas|pickled?|pytest|mypy|pylint|typeshed"
    r"|jupyter|notebook|django|docstring)\b", re.IGNORECASE
)  # fmt: skip
for asked, asked_on in ((DIRECT, FOLLOW_UPS), (HELD_OUT, HELD_OUT_FOLLOW_UPS)):
    asked["call"] = asked["signature"]
    asked_on["other"] = [text.replace("{}", "it") for text in asked["other"] if text[0] != "{"]
    for words in (asked, asked_on):
        words["elsewhere"] = [text for text in words["other"] if not PYTHON.search(text)]
