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

Which sentence tells it is in telling.py. pydoc's pages have more of an order: pydoc_page.py. What
becomes of these parts is in facts.py.
"""

import re
from dataclasses import dataclass

from minigpt.page_title import NUMBER, without_sign
from minigpt.pydoc_page import LONGEST_TOLD, first_sentence
from minigpt.telling import ASIDE, telling

LONGEST_NAME = 45  # characters of a term that is asked for
MOST_WORDS = 4  # of a term; what is longer is a sentence
LOOKED_AT = 10  # paragraphs from the top of a page, in which it says what it is
OF_MANUAL = re.compile(r"\(\d\w*\)$")  # the section of a manual page: ls(1)
TAGLINE = re.compile(r"(?:(\S+(?: \S+){0,3}?)(?:\(\d\w*\))? (?:--?|–|—)|([\w.]+):) (\S.*)")
CALL = re.compile(
    r"((?:[\w:.<>\[\]]+[ *&]+){0,4})\*?"  # of which type its result is: static int *
    r"([A-Za-z_][\w.:$-]*)( ?)"
    r"(\((?:[^()]|\([^()]*\))*\))"  # what it takes; in that may be brackets, too
    r"(?:[;:,]| ?(?:->|→|⇒|:) ?.*| const;?| \w+)?"
)
KEYWORDS = re.compile(
    r"^(?:(?:abstract|async|attribute|class|classmethod|command|constant|const|def|enum|exception|"
    r"fn|function|interface|macro|method|module|option|package|parameter|property|protected|"
    r"public|pub|static|staticmethod|struct|trait|type|union|variable)\s+)+"
    r"(?=\S*[A-Z_.($\d])"  # else it belongs to the term: "class variable"
)
TYPED = re.compile(r"(?:[\w*&<>]+ )+\**(?=\w*(?:_|[a-z][A-Z])\w*$)")  # the type of a C variable
TERM = re.compile(r"[A-Za-z_$@.\\][\w$@.+*/:\\-]*(?: [\w$@.+*/\\-]+)*")
OPTION = re.compile(r"(?<![\w-])--?\w++(?:-\w++)*+(?!-)")  # but not in "<new-branch>"
# A paragraph that is about a name, says of which sort that is, and goes on with what it does.
ABOUT = re.compile(
    r"The ([A-Z]{2,}(?: [A-Z]{2,}){1,2}|[\w$.-]*[\w$-])(\([\w, .*=\[\]]*\))? (?:[\w+/]+ )??"
    r"(?:API|attribute|catalog|class|clause|command|directive|extension|field|function|interface|"
    r"keyword|library|macro|method|module|object|operator|option|package|parameter|pragma|"
    r"program|property|routine|setting|statement|tool|type|utility|variable|view) "
    r"(?!is (?:not|now|only|also|usually)\b|was\b|has\b|does\b|always\b|sometimes\b)[a-z]+s\b"
)
NAMELIKE = re.compile(r"[_.()$\\/]|\w-\w|[a-z][A-Z]|\d|^[A-Z]{2,}")  # no word of plain English
MOST_OF_LINE = 200  # characters of a line that may be a term
# Titles of pages that lead to others, or are about no more than what is new.
AWAY = re.compile(
    r"(?:General |Module |Alphabetical )?Index|(?:Table of )?Contents|Copyright|License|Search|"
    r"Overview|Home|Download|About (?:this|these|This|These) \w+|"
    r"(?i:.*\b(?:release notes|what.s new|change ?log)\b.*|(?:release|version|changes in)\b.*\d.*)"
)

# Where an entry stands: it is what the page is about, or beneath a call, a term, or in a sentence.
# Of several about one name the first of these says best what it is.
STANDS = PAGE, CALLED, LISTED, SAID = "page", "called", "listed", "said"


@dataclass(frozen=True)
class Entry:
    """One thing that a page explains: its name, how it is called ("": unknown), what it is."""

    name: str
    arguments: str
    text: str
    stands: str  # one of the four above
    is_topic: bool = False  # a page whose name is none to ask for, "How to tie a knot"


def page_entry(title, text):
    """Return the Entry that says what a page is about, None where it does not.

    `title` is without what is the site's. Of a manual page it is in a line of its own, "knot-tie -
    Tie a knot"; else the title may have it, "knots — Tie them"; else it is the first sentence, or
    that beneath a call: the page knots.tie begins with "tie(rope)".
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
    for paragraph in paragraphs:
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
    """Yield an Entry for each term that a page defines; without a text where none is good.

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
            said = told_beneath(body, blocks[i + 1] if i + 1 < len(blocks) else "")
            if found and (found[2] or is_term(found[0], said)):
                yield Entry(*found[:2], said, CALLED if found[2] else LISTED)
        elif match := ABOUT.match(" ".join(block[:MOST_OF_LINE].split())):
            name, arguments, said = match[1], match[2] or "", telling(block)
            if said and NAMELIKE.search(name + arguments) and len(name) <= LONGEST_NAME:
                yield Entry(name, "" if arguments == "()" else arguments, said, SAID)


def told_beneath(body, following):
    """Return what the indented lines beneath a term say, "" for nothing.

    If they say only since when there is such a thing, it is the indented paragraph that follows.
    """
    said = "" if body.startswith("     ") else telling(body)
    if not said and ASIDE.match(body.strip()) and following.startswith("    "):
        said = telling(following)
    return said


def defined(line, page=""):
    """Return (name, arguments, whether it is called) of a line that is a term, else None.

    "class Key(teeth)" -> ("Key", "(teeth)", True), "depth (integer)" -> ("depth", "", False).
    """
    if len(line) > MOST_OF_LINE:
        return None
    line = without_sign(line).replace("--[no-]", "--")  # an option that may be taken back
    if OPTION.match(line):
        names = OPTION.findall(line.partition("=")[0])
        return (f"{page} {max(names, key=len)}", "", False) if page else None
    line = TYPED.sub("", KEYWORDS.sub("", OF_MANUAL.sub("", line)))
    if match := CALL.fullmatch(line):
        before, name, blank, arguments = match.groups()
        # "depth (default: 3)"; but "read(length)"
        is_value = blank and re.match(r"\((?:default|length|optional|required|since)\b", arguments)
        if not is_value and (not blank or before.strip() or re.search(r"[,*]", arguments)):
            arguments = " ".join(arguments.split())
            name = name.rstrip(".:-")
            is_good = 1 < len(name) <= LONGEST_NAME
            return (name, "" if arguments == "()" else arguments, True) if is_good else None
    name = re.split(r" \(|: | = |=", line)[0].strip(" :,")
    is_short = len(name) <= LONGEST_NAME and len(name.split()) <= MOST_WORDS
    return (name, "", False) if is_short and TERM.fullmatch(name) else None


def is_term(name, said):
    """Tell whether a name is one to ask for, of which `said` is told: a common word not always.

    "always" with "Do it each time." is a value of something else; "bight" with "A bend in a rope."
    is a word of a glossary.
    """
    if not 2 <= len(name) <= LONGEST_NAME or name.endswith((".", ",")):
        return False
    if NAMELIKE.search(name):
        return True
    explains = re.match(r"(?:An?|The|Any|Each|One) ", said) or name.lower() in said.lower()
    return len(name) > 2 and bool(explains)
