"""A line of a page -> the term that it is: its name, and how that is called.

    class Key(teeth, /)              Key, called with (teeth, /)
    static int *knot_find(int n);    knot_find, called with (int n)
    depth (integer)                  depth
    -f, --force                      on the page of knot-tie: knot-tie --force
    It holds.                        none

Where such lines stand, and what is told of them, is in any_page.py.
"""

import re

from minigpt.page_title import without_sign

LONGEST_NAME = 45  # characters of a term that is asked for
MOST_WORDS = 4  # of a term; what is longer is a sentence
MOST_OF_LINE = 200  # characters of a line that may be a term
OF_MANUAL = re.compile(r"\(\d\w*\)$")  # the section of a manual page: ls(1)
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
ADDRESS = re.compile(r"\w@\w|://")  # of somebody, or of a page
TYPED = re.compile(r"(?:[\w*&<>]+ )+\**(?=\w*(?:_|[a-z][A-Z])\w*$)")  # the type of a C variable
TERM = re.compile(r"[A-Za-z_$@.\\][\w$@.+*/:\\-]*(?: [\w$@.+*/\\-]+)*")
OPTION = re.compile(r"(?<![\w-])--?\w++(?:-\w++)*+(?!-)")  # but not in "<new-branch>"
NAMELIKE = re.compile(r"[_.()$\\/]|\w-\w|[a-z][A-Z]|\d|^[A-Z]{2,}")  # no word of plain English
INSIDE = re.compile(r"(?<=\() | (?=\)$)")  # "( text )"
GIVES = re.compile(r"[A-Za-z_][\w.]* ?\((?:[^\d'\"\n][^'\"\n]*)?\) ?(?:->|→|⇒) ?[A-Za-z][^'\"\n]*")


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
        is_call = not blank or before.strip() or re.search(r"[,*]", arguments) or GIVES.match(line)
        if is_call and not is_value:
            arguments = INSIDE.sub("", " ".join(arguments.split()))
            name = name.rstrip(".:-")
            is_good = 1 < len(name) <= LONGEST_NAME
            return (name, "" if arguments == "()" else arguments, True) if is_good else None
    name = re.split(r" \(|: | = |=", line)[0].strip(" :,")
    is_short = len(name) <= LONGEST_NAME and len(name.split()) <= MOST_WORDS
    is_good = is_short and TERM.fullmatch(name) and not ADDRESS.search(name)
    return (name, "", False) if is_good else None


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


def gives(line):
    """Tell whether a line is a call, and says of which type what it gives is: "tie(end) -> Knot".

    An example is none: "tie('a') -> b".
    """
    return len(line) <= MOST_OF_LINE and bool(GIVES.fullmatch(line))
