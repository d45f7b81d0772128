"""The classes of a page -> their methods and attributes, which stand beneath them:

    class knots.Knot(rope)
        A knot in a rope.

        tie(end=None)           knots.Knot.tie
            Tie it.

        property ends: int      knots.Knot.ends
            How many ends it has.

Attributes are read only of a class that has methods here: else the names beneath it may be those of
something else, to see also. What stands beneath a line is read by any_page.py.
"""

import re

from minigpt.term_line import LONGEST_NAME, defined

CLASS = re.compile(r"(?:final |abstract |public )*(?:class|exception|interface|protocol) .*[^:]")
KIND = re.compile(r"^(?:abstract )?(?:attribute|property) ")
ATTRIBUTE = re.compile(r"[a-z_]\w*")
DEEPER = re.compile(r"^    ", re.MULTILINE)


def members(paragraphs, n_below):
    """Yield (name, arguments, whether it is called, paragraphs) of each member of each class.

    The paragraphs are what stands beneath it, and up to `n_below` that follow, less indented by
    four blanks, as they would be beneath a line at the margin.
    """
    owner, found = "", []
    for i, paragraph in enumerate([*paragraphs, "end"]):
        line, _, body = paragraph.partition("\n")
        if not line.startswith(" "):
            if any(is_called for _, _, is_called, _ in found):
                yield from found
            owner, found = class_of(line, body), []
            continue
        is_inside = owner and re.match(r" {4}\S", line) and re.match(r" {8}\S", body)
        member = is_inside and defined(KIND.sub("", line.strip()))
        if member and "." not in member[0] and (member[2] or ATTRIBUTE.fullmatch(member[0])):
            name, arguments, is_called = member
            name = f"{owner}.{name}"
            if len(name) <= LONGEST_NAME:
                below = [body, *paragraphs[i + 1 : i + 1 + n_below]]
                below = [DEEPER.sub("", paragraph) for paragraph in below]
                found.append((name, arguments, is_called, below))


def class_of(line, body):
    """Return the name of the class that a line at the margin defines, "" where it is none."""
    term = CLASS.fullmatch(line) and re.match(r" {4}\S", body) and defined(line)
    return term[0] if term else ""
