"""Headings that define something: `fs.open(path)`, and what follows is what it says.

Lists of definitions have elements of their own (dl, dt, dd); many manuals use headings instead:

    h3   path.basename(p)                      h3   getName
    p    Returns the last part of a path.      div  public String getName()
    h3   path.delimiter                        p    Returns its name.

Both are written as a definition list is: the signature on a line of its own, and beneath it,
indented, all up to the next heading of its rank. A heading that only names what the signature
after it says again is left out.
"""

import re
from dataclasses import dataclass, field

from crawler.html_tree import HEADINGS, Block

MAX_SIGNATURE = 400  # characters; what is longer is a text
_ARGUMENTS = r"\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\)"
_BEFORE = (
    "abstract|async|class|classmethod|const|constructor|def|exception|extern|final|fn|func|function|"
    "macro|method|new|override|private|protected|pub|public|static|staticmethod|struct|unsafe|"
    "virtual|void"
)
# `name(a, b)`, `pub fn name<T>(&self) -> bool`, `name ()`; not `git(1)`, `file(s)`, `Boats (old)`
SIGNATURE = re.compile(
    rf"(?:(?:{_BEFORE}) ){{0,5}}[^\s()\d][^\s()]{{0,80}}"
    rf"(?:(?!\((?:\d\w?|e?s)\)){_ARGUMENTS}| \(\))"
    r"(?: ?(?:->|→|:|=>|where|throws|const|noexcept|override)[^.]*)?;?"
)
_KIND = "attribute|class|const|enum|exception|interface|macro|property|static|struct|trait|type"
# `Knot.ends`, `property Knot.ends: int = 2`, `class Knot`, `Knot.tie(a) = <b>`; not `Home`
NAMED = re.compile(
    rf"(?:(?:{_BEFORE}|{_KIND}) ){{0,5}}"
    rf"(?:[^\W\d][\w$]*(?:(?:\.|::|#)[\w$~]+)+|(?:{_KIND}) \w*[A-Z_]\w*)"
    rf"(?:{_ARGUMENTS})?(?:: ?[\w.]+(?:\[.*\])?)?(?: = .*)?"
)
TOLD = re.compile(r" {4}[A-Z].*\.$", re.M)
WORD = re.compile(r"\w+")
NAME = re.compile(r"([\w.:$~]{2,60})(?: ?\(\))?")


@dataclass(slots=True)
class Definitions:
    """Which definitions is a block in? Ask of every block, in order."""

    open: list[str] = field(default_factory=list)  # tags of the headings, outermost first
    is_head: bool = False  # the last block was a signature
    named: str = ""  # by the last heading, which waits for a signature that says it again

    def depth(self, block: Block, after: Block | None) -> tuple[int, bool, bool]:
        """Return how deep the block stands, whether it is left out, whether it begins a text.

        `after` is the block after it. The first block beneath a signature begins its text.
        """
        tag = block.node.tag
        begins, self.is_head = self.is_head, False
        if tag in HEADINGS:
            while self.open and self.open[-1] >= tag:
                self.open.pop()
                begins = False
            depth, self.named = len(self.open), ""
            if tag != "h1" and after and after.node.tag not in HEADINGS:
                name = NAME.fullmatch(block.text)
                if name and after.node.tag != "dt" and _says(name[1], after.text):
                    self.named = tag
                elif len(block.text) <= MAX_SIGNATURE and SIGNATURE.fullmatch(block.text):
                    self.open.append(tag)
                    self.is_head = True
            return depth, bool(self.named), begins
        depth = len(self.open)
        if self.named:  # it is the signature
            self.open.append(self.named)
            self.named, self.is_head = "", True
        return depth, False, begins


def is_definition(text: str) -> bool:
    """Say whether a page's text defines one term: a reference may have a page for each name.

        knots.Knot.tie          what it is about, if no other page has that line

        tie(rope, end=None)     the same name
            Tie a rope.         a sentence, indented

    Of a page that lists several the heading is another name. "Home" is a name of nothing that is
    defined so: the line must be a call, dotted or said to be a class or the like.
    """
    first, *others = text.split("\n\n", 2)
    heading = first if others and "\n" not in first else ""
    signature, _, said = (others[0] if heading else first).partition("\n")
    name = WORD.findall(heading)[-1:]
    if (heading and not name) or len(signature) > MAX_SIGNATURE or not TOLD.match(said):
        return False
    is_signature = SIGNATURE.fullmatch(signature) or NAMED.fullmatch(signature)
    return bool(is_signature) and set(name) <= set(WORD.findall(signature))


def _says(name: str, text: str) -> bool:
    """Say whether a text is a signature of that name."""
    text = " ".join(text.split())
    if len(text) > MAX_SIGNATURE or text[-1] in ".:!?" or ". " in text:
        return False
    _, found, rest = text.partition(name)
    # with a blank, as in C: `sail (void);`, but not `Paris (France), two million people`
    return bool(found) and (rest[:1] == "(" or (rest[:2] == " (" and rest[-1] in ");"))
