"""A paragraph -> the sentence that tells what something is, short enough to be learned.

"New in version 3. Tie a rope. It holds."      Tie a rope.
"However, it slips. Tie it."                   nothing: it goes on from something else
"Ropes are tied by:"                           nothing: what would tell it is in a list below
"""

import re

from minigpt.pydoc_page import LONGEST_TOLD, first_sentence

MOST_READ = 1000  # characters of a paragraph
LEAST = 25  # characters of a sentence that is left when its end is cut off
# Beginnings of sentences that do not tell what a thing is, but the next one may,
ASIDE = re.compile(
    r"(?:(?:New |Newly |Added |Changed |Deprecated |Removed |Introduced |Available |Supported )"
    r"(?:in|on|since|from)|Part of the|Since|As of|Source code|See|Note|Warning|Caution|Tip|"
    r"Important|Example|Return value|Last (?:updated|modified)|Copyright|©|"
    r"In (?:this|addition(?=,)|order to (?:function|work)|the following)|"
    r"(?:This \w+ is |Only )(?:only )?(?:available|meaningful|optional|relevant|valid)|"
    r"This (?:section|chapter|appendix|document|page|part) (?:is|was)|Table of)\b"
)
# and of those that go on with something else: then the rest does not tell it, either.
AFTER = re.compile(
    r"(?:However|Thus|Therefore|Hence|Then|Otherwise|Also|But|And|So|Instead|Finally|Optionally|"
    r"Additionally|Moreover|Furthermore|Again|Obsolete|Alias|Synonym|Same as|Like|As above|Please|"
    r"We|You|I|It|They|These|Those|He|She|Our|Your|My|Here|There (?:is|are)|Table \d)\b"
)
# Ends of sentences: what would tell it stands in the list or the code that follows.
BROKEN_OFF = re.compile(
    r"\b(?:are|as|be|by|contains?|describes?|following|for|from|has|have|in|includes?|is|"
    r"like|of|supports?|that|to|uses?|with):?$"
)
REMARK = re.compile(r" \((?:[^()]|\([^()]*\))*\)(?=[ ,.;:])")  # in brackets
GOES_ON = re.compile(
    r"(?:;|:| — | – |, (?:which|such as|for example|for instance|e\.g\.|i\.e\.)) .*"
)
LIST_ITEM = re.compile(r"\n\s*(?:-|\*|\d+\.) ")


def telling(text, longest=LONGEST_TOLD):
    """Return the first sentence of a paragraph that tells what something is, "" for none.

    A question may stand before it, or a sentence that says only since when the thing has existed,
    or for what it is valid.
    """
    text = " ".join(LIST_ITEM.split(text[:MOST_READ])[0].split())
    if not re.search(r"[.!?:]$|[.!?] ", text) or text[:1].islower() or " | " in text:
        return ""
    for _ in range(3):
        said = first_sentence(text, len(text)).strip()
        if not said or AFTER.match(said) or (len(said) >= len(text) and BROKEN_OFF.search(text)):
            return ""
        if not (ASIDE.match(said) or said.endswith("?")):
            break
        text = text[len(said) :].strip()
    else:
        return ""
    return shortened(said, longest)


def shortened(said, longest=LONGEST_TOLD):
    """Return a sentence of up to `longest` characters, "" where it cannot be made so short.

    A longer one loses its remarks in brackets, and then, if need be, its end: "Every knot (of hemp)
    holds two ropes; some slip." -> "Every knot holds two ropes."
    """
    if len(said) <= longest:
        return said
    said = REMARK.sub("", said)
    if len(said) > longest:
        said = GOES_ON.sub(".", said)
    return said if LEAST <= len(said) <= longest else ""
