"""What the documents of a site repeat, paragraph by paragraph: the first copy stays.

Pages of documentation inherit whole chapters from each other, and a site says "Sign up for our
letter" on each of its pages; as each is a different document, no comparison of documents sees it.
Here every paragraph has a 64-bit hash. `choose.py` says which copy of each comes first, among all
documents; `without_repeats` leaves out the others.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b

BREAK = re.compile(r"\n{2,}")
ANNOUNCEMENT = re.compile(r"[^\n]{1,80}:|[A-Z][^\n]{0,40}[^.!?\n]|class \w[^\n]{0,80}")


def digest(text: str) -> int:
    """Return a 64-bit number that stands for the text, whatever its case and blanks.

    Numbers count here: `sha224` and `sha256` are described in the same words and are not the same.
    """
    plain = " ".join(text.lower().split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(plain, digest_size=8).digest(), "little")


def digests(text: str) -> list[int]:
    """Return the digest of each paragraph."""
    return [digest(paragraph) for paragraph in BREAK.split(text)]


def without_repeats(text: str, is_first: Iterable[bool], shortest: int = 0) -> str:
    """Return the text without the paragraphs that are not the first of their kind.

    Paragraphs of fewer than `shortest` characters stay: “Yes.” is said twice with good reason. An
    announcement (`Example:`, or `Functions` where it was seen before) says nothing by itself: it
    stays only if the paragraph after it stays. Nor does an indented paragraph say whose it is: the
    one it stands under comes back with it.
    """
    kept: list[str] = []
    waiting: list[str] = []  # announcements since the last other paragraph
    head: list[str] = []  # the last paragraph that is not indented, if it was dropped
    for paragraph, first in zip(BREAK.split(text), is_first, strict=True):
        new = first or len(paragraph) < shortest
        is_indented = paragraph[:1].isspace()
        if ANNOUNCEMENT.fullmatch(paragraph) and (paragraph.endswith(":") or not new):
            waiting.append(paragraph)
            head = head if is_indented else []
            continue
        if new:
            kept += [*(head if is_indented else []), *waiting, paragraph]
            head = []
        elif not is_indented:
            head = [*waiting, paragraph]
        waiting = []
    return "\n\n".join(kept)
