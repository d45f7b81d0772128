"""The text of a page of any site -> what it is about, and the terms that it defines.

A page, once cleaned (crawler/extract.py), is paragraphs with a blank line between them; what a term
means stands beneath it, four blanks further in, as browsers show it:

    knot-tie - Tie a knot                    a page's name and what it is, as manuals have it

    Part of a set of tools.

    tie(rope, end=None)                      a function, how it is called, what it does
        Tie a rope. It holds.

    bight                                    a word of a glossary
        A bend in a rope.

    The untie() function undoes a knot.      a sentence that says of itself what it is about

    tie(rope) -> Knot                        a function of a table, what it gives, and what it does

    Tie a rope.

Which lines are terms is in term_line.py, which sentence tells it in telling.py, what tables say in
page_tables.py. pydoc's pages have a stricter order: pydoc_page.py. What becomes of these parts is
in facts.py.
"""

import re
from dataclasses import dataclass

from minigpt.page_members import members
from minigpt.page_tables import calls_alike, described, of_cell, told_rows
from minigpt.page_title import NUMBER
from minigpt.pydoc_page import LONGEST_TOLD, first_sentence
from minigpt.telling import ASIDE, telling
from minigpt.term_line import (
    LONGEST_NAME,
    MOST_OF_LINE,
    MOST_WORDS,
    NAMELIKE,
    OF_MANUAL,
    defined,
    is_term,
)

LOOKED_AT = 10  # paragraphs from the top of a page, in which it says what it is
TAGLINE = re.compile(r"(?:(\S+(?: \S+){0,3}?)(?:\(\d\w*\))? (?:--?|–|—)|([\w.]+):) (\S.*)")
# A paragraph that is about a name, says of which sort that is, and goes on with what it does.
ABOUT = re.compile(
    r"The ([A-Z]{2,}(?: [A-Z]{2,}){1,2}|[\w$.-]*[\w$-])(\([\w, .*=\[\]]*\))? (?:[\w+/]+ )??"
    r"(?:API|attribute|catalog|class|clause|command|directive|extension|field|function|interface|"
    r"keyword|library|macro|method|module|object|operator|option|package|parameter|pragma|"
    r"program|property|routine|setting|statement|tool|type|utility|variable|view) "
    r"(?!is (?:not|now|only|also|usually)\b|was\b|has\b|does\b|always\b|sometimes\b)[a-z]+s\b"
)
MOST_BEFORE = 5  # paragraphs beneath a term before the one that tells what it is
LISTED_FIRST = re.compile(r"\s*- (?:\[(?:in|out|in, out)\] )?(\w+)")
HISTORY = re.compile(r"\s*(?:History$|Stability: |Version \| Change)")
BELOW_HEADING = re.compile(
    r"(?:Default(?: value)?:|(?:Added|Changed|Deprecated|Introduced|New) (?:in|since)\b).{0,100}"
)
# Not surely names, even with "Added in" below them: "FAQ", "MIT-License", "Python-3.9".
OF_TEXT = re.compile(r"[A-Z]+|[A-Z]\w*(?:-[A-Z\d][\w.]*)+")
OF_VERSION = re.compile(r"[vV]?\d")  # v1.2
# Titles of pages that lead to others, or are about no more than what is new.
AWAY = re.compile(
    r"(?:General |Module |Alphabetical )?Index|(?:Table of )?Contents|Copyright|License|Search|"
    r"Overview|Home|Download|About (?:this|these|This|These) \w+|"
    r"(?i:.*\b(?:release notes|what.s new|change ?log)\b.*|(?:release|version|changes in)\b.*\d.*)"
)

# Where an entry stands: it is what the page is about, or stands beneath a call or a term, or in a
# sentence or a table. Of several about one name, the first in this order says best what it is.
STANDS = PAGE, CALLED, LISTED, SAID, TABLED = "page", "called", "listed", "said", "tabled"


@dataclass(frozen=True)
class Entry:
    """One thing that a page explains: its name, how it is called ("": unknown), what it is."""

    name: str
    arguments: str
    text: str
    stands: str  # one of the five above
    is_topic: bool = False  # a page whose name is none to ask for, "How to tie a knot"


def page_entry(title, text):
    """Return the Entry that says what a page is about, None where it does not.

    `title` comes without the site's name. On a manual page what it is about has a line of its own,
    "knot-tie - Tie a knot"; else the title may say it, "knots — Tie them"; else the first sentence
    does, or that beneath a call: the page knots.tie begins with "tie(rope)"; or a table does.
    """
    name = OF_MANUAL.sub("", title)
    if AWAY.fullmatch(name):
        return None
    paragraphs = [p for p in text.split("\n\n")[:LOOKED_AT] if not p.startswith(" ")]
    paragraphs = [p for p in paragraphs if not NUMBER.match(p)]  # a heading
    lines = [" ".join(p.removeprefix("NAME\n ").split()) for p in paragraphs if is_line(p)]
    for line in (title, *lines):
        match = TAGLINE.fullmatch(line.rstrip("¶ "))
        named = match and (match[1] or match[2])
        if match and title.startswith(named) and len(named) <= LONGEST_NAME:
            said = first_sentence(re.sub(r"[^.!?]$", r"\g<0>.", match[3]), LONGEST_TOLD)
            if said and (is_name(named) or (match[1] and line is not title)):
                return Entry(named, "", said[0].upper() + said[1:], PAGE)
    if not 3 <= len(name) <= 60:
        return None
    for before, paragraph in zip(["", *paragraphs], paragraphs, strict=False):
        if said := described(paragraph, before):
            return Entry(name, "", said, PAGE, not is_name(name))
        line, _, body = paragraph.partition("\n")
        found = defined(line) if body.startswith("    ") else None
        is_part = body.startswith("    ") and not (found and is_end(found[0], name))
        if paragraph == title or is_part:
            continue
        if said := telling(body if found else paragraph):
            return Entry(name, found[1] if found else "", said, PAGE, not is_name(name))
    return None


def is_end(term, name):
    """Tell whether a name ends with a term, as a whole: knots.tie, but not untie, with tie."""
    return name.endswith(term) and not re.search(r"[\w-]$", name.removesuffix(term))


def is_line(paragraph):
    """Tell whether a paragraph is one line, or two of which the first says that it is the name."""
    return len(paragraph) <= MOST_OF_LINE and "\n" not in paragraph.removeprefix("NAME\n ")


def is_name(title):
    """Tell whether a title is a name to ask for: "knot-tie", "TIE ROPE", but not "Tying"."""
    words = title.split()
    if len(title) > LONGEST_NAME or len(words) >= MOST_WORDS or title.endswith((".", "?", "!")):
        return False
    if len(words) > 1:
        return title.isupper() or title.islower()
    return title.islower() or bool(NAMELIKE.search(title))


def entries(text, page=""):
    """Yield an Entry for each term that a page defines; its text is "" where none is good.

    An option, "-f, --force", is no name by itself; on the page of a `page` that is a name it is
    "NAME --force".
    """
    blocks = text.split("\n\n")
    for i, block in enumerate(blocks):
        line, _, body = block.partition("\n")
        if line.startswith(" "):
            continue
        if body.startswith("    "):
            found = defined(line, page)
            arguments = found[1] if found else ""
            said = told_beneath([body, *blocks[i + 1 : i + 1 + MOST_BEFORE]], arguments)
            if found and (found[2] or is_term(found[0], said)):
                yield Entry(*found[:2], said, CALLED if found[2] else LISTED)
        elif match := ABOUT.match(" ".join(block[:MOST_OF_LINE].split())):
            name, arguments, said = match[1], match[2] or "", telling(block)
            if said and NAMELIKE.search(name + arguments) and len(name) <= LONGEST_NAME:
                yield Entry(name, "" if arguments == "()" else arguments, said, SAID)
        elif calls := calls_alike(blocks, i):
            said = of_cell(blocks[i + 1]) if blocks[i + 1][:1].isupper() else ""
            yield from (Entry(*call[:2], said, CALLED) for call in calls if said)
        elif said := told_below(blocks, i):
            yield Entry(defined(line)[0], "", said, LISTED)
        else:
            yield from in_table(told_rows(blocks, i), page)
    for name, arguments, is_called, below in members(blocks, MOST_BEFORE):
        if said := told_beneath(below, arguments):
            yield Entry(name, arguments, said, CALLED if is_called else LISTED)


def told_below(blocks, i):
    """Return what is told of a name that is a heading; "" if block `i` is none, or nothing is told.

    It surely is a name where its default stands below it, or since when it has existed:

        ROPE_ENDS

        Default: 2

        How many ends a rope has.
    """
    found = defined(blocks[i])
    following, is_sure = iter(blocks[i + 1 : i + 1 + MOST_BEFORE]), False
    if not found or found[2] or " " in found[0] or not NAMELIKE.search(found[0]):
        return ""
    for paragraph in following:
        if not paragraph:
            continue
        if BELOW_HEADING.fullmatch(paragraph) or HISTORY.match(paragraph):
            is_sure = is_sure or paragraph.startswith("Default") or not OF_TEXT.fullmatch(found[0])
            if paragraph.endswith(":"):  # the default is code
                next(following, "")
        elif not paragraph.startswith(("- <", "- {")):  # of which type it is
            return telling(paragraph) if is_sure and paragraph[0] != " " else ""
    return ""


def in_table(rows, page=""):
    """Yield the Entries of a table's rows, see told_rows: of one-word names that look like names.

    So do "tie(rope)", "rope_ends", and on the page git-tie "--force", but not "bight".
    """
    for cell, said, is_sure in rows:
        found = defined(cell, page)
        if not found or not said or OF_VERSION.match(cell):
            continue
        name, arguments, _ = found
        is_one = " " not in name or name.isupper() or name.startswith(f"{page} -")
        looks_so = NAMELIKE.search(name.replace("/", " ") + arguments)  # but not "City/Town"
        is_code = not re.search("[A-Za-z]", name) or (len(name) < 3 and name.isalpha())  # "ID"
        if is_sure or (is_one and looks_so and not is_code):
            # an index cuts arguments short: "tie(rope[, end, ...])"
            yield Entry(name, "" if "..." in arguments else arguments, said, TABLED)


def told_beneath(paragraphs, arguments=""):
    """Return what the indented paragraphs beneath a term tell; "" for nothing.

    The first one tells it; or, if that says only since when the thing has existed, or lists what it
    takes, one after it:

        Knot.tie(rope)
            Added in: v1.2

            - rope {Rope} which one
            - Returns: {Knot}

            Tie a rope.
    """
    taken, is_after = re.findall(r"\w+", arguments), False
    for paragraph in paragraphs if not paragraphs[0].startswith("     ") else ():
        if not paragraph.startswith("    "):
            break
        listed = LISTED_FIRST.match(paragraph)
        if HISTORY.match(paragraph) or (listed and listed[1] in ("Returns", *taken)):
            continue
        said = telling(paragraph)
        if said or is_after or not ASIDE.match(paragraph.strip()):
            return said
        is_after = True
    return ""
