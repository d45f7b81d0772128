"""The classes of a page -> their methods and attributes, which stand beneath them:

    class knots.Knot(rope)
        A knot in a rope.

        tie(end=None)           knots.Knot.tie
            Tie it.

        property ends: int      knots.Knot.ends
            How many ends it has.

Attributes are read only of a class that has methods here: else the names beneath it may be those of
something else, to see also. Nor is what it takes or raises one: what stands beneath a line such as
"Parameters", and the names of its own arguments, up to the next method. What stands beneath a line
is read by any_page.py.
"""

import re

from minigpt.term_line import LONGEST_NAME, defined

CLASS = re.compile(r"(?:final |abstract |public )*(?:class|exception|interface|protocol) .*[^:]")
KIND = re.compile(r"^(?:abstract )?(?:attribute|property) ")
ATTRIBUTE = re.compile(r"[a-z_]\w*")
# Lines beneath which names stand that are no members,
APART = re.compile(
    r"(?:(?:(?:other|keyword|optional) )?(?:parameters?|params|arguments?|args|options)|"
    r"returns?|return values?|yields?|receives?|raises|throws|exceptions?|errors?|warns|warnings?|"
    r"see also|related):?",
    re.IGNORECASE,
)
# and those beneath which they are some again.
MEMBERS = re.compile(r" {4}(?:Attributes|Fields|Members|Methods|Properties|Variables)\b.*")
DEEPER = re.compile(r"^    ", re.MULTILINE)


def members(paragraphs, n_below):
    """Yield (name, arguments, whether it is called, paragraphs) of each member of each class.

    The paragraphs are what stands beneath it, and up to `n_below` that follow, less indented by
    four blanks, as they would be beneath a line at the margin.
    """
    owner, found, taken, is_apart = "", [], (), False
    for i, paragraph in enumerate([*paragraphs, "end"]):
        line, _, body = paragraph.partition("\n")
        if not line.startswith(" "):
            if any(is_called for _, _, is_called, _ in found):
                yield from found
            owner, arguments = class_of(line, body)
            found, taken, is_apart = [], re.findall(r"\w+", arguments), False
            continue
        if APART.fullmatch(paragraph.strip()):
            # what stands further in ends by itself
            is_apart = not "".join(paragraphs[i + 1 : i + 2]).startswith(" " * 8)
        elif MEMBERS.fullmatch(line):
            is_apart = False
        is_inside = owner and re.match(r" {4}\S", line) and re.match(r" {8}\S", body)
        member = is_inside and defined(KIND.sub("", line.strip()))
        if not member or "." in member[0]:
            continue
        name, arguments, is_called = member
        if is_called:
            taken, is_apart = (), False
        is_argument = (name in taken or is_apart) and not KIND.match(line.strip())
        if is_called or (ATTRIBUTE.fullmatch(name) and not is_argument):
            name = f"{owner}.{name}"
            if len(name) <= LONGEST_NAME:
                below = [body, *paragraphs[i + 1 : i + 1 + n_below]]
                below = [DEEPER.sub("", paragraph) for paragraph in below]
                found.append((name, arguments, is_called, below))


def class_of(line, body):
    """Return the (name, arguments) of the class that a line at the margin defines, "" for none."""
    term = CLASS.fullmatch(line) and re.match(r" {4}\S", body) and defined(line)
    return term[:2] if term else ("", "")
