"""Sections of a page that lead to other pages: "You may also like", "Related articles".

In an article they are links, and go as such (`boilerplate.py`). In a patchwork links with a few
words beside them are what the page consists of; only a heading tells that these are of others.

    h2  "Ceramic teapot"                kept
    p   "Holds one litre, ..."          kept
    h2  "You may also like"             dropped, and with it all that follows
    h3  "Copper kettle"                 dropped
    p   "19.90"                         dropped
    h2  "Care"                          kept: of the same rank
"""

import re

from crawler.boilerplate import length
from crawler.html_tree import HEADINGS, Block, Node

MAX_HEADING = 60  # characters; a longer one is a sentence
OF_PAGE = 0.5  # sections that hold so much of the text, one or all, are what the page is about

PAGES = (
    "(?:articles|blogs|content|discussions|events|guides|insights|items|links|news|pages|posts|"
    "products|reading|reads|stories|threads|topics|videos)"
)
LEADS_ELSEWHERE = re.compile(
    r"you (?:may|might) (?:also )?(?:like|love|enjoy|be interested)|you.ll (?:also )?(?:like|love)|"
    r"(?:customers|people|shoppers|others) (?:also|who)\b|(?:your )?recently viewed|"
    r"(?:frequently|often) bought|"
    r"(?:related|similar|recommended|featured|popular|trending|latest|recent|more) "
    rf"(?:[\w-]+ )?{PAGES}\b|recommended for you|more like this|(?:read|up) next|keep reading|"
    r"(?:related|recommended|trending)\W*$",
    re.I,
)


def drop_elsewhere(blocks: list[Block]) -> list[Block]:
    """Drop headings that lead elsewhere, and what follows them up to the next of their rank.

    A page that would lose most of its text has nothing else to say, and loses none.
    """
    most = OF_PAGE * length(blocks)
    kept: list[Block] = []
    i = 0
    while i < len(blocks):
        end = _section_end(blocks, i) if _leads_elsewhere(blocks[i]) else i + 1
        if end > i + 1 and length(blocks[i:end]) < most:
            i = end
        else:
            kept.append(blocks[i])
            i += 1
    return kept if length(kept) > most else blocks


def _leads_elsewhere(block: Block) -> bool:
    is_heading = block.node.tag in HEADINGS and len(block.text) <= MAX_HEADING
    return is_heading and bool(LEADS_ELSEWHERE.match(block.text))


def _section_end(blocks: list[Block], start: int) -> int:
    """Return where the section of a heading ends: with the element around it and what follows."""
    if start + 1 == len(blocks):
        return start + 1
    heading = blocks[start].node
    around = _ancestors(heading)
    container = next(node for node in _ancestors(blocks[start + 1].node) if node in around)
    end = start + 1
    while end < len(blocks) and container in _ancestors(node := blocks[end].node):
        if node.tag in HEADINGS and node.tag <= heading.tag:
            break
        end += 1
    return end


def _ancestors(node: Node | None) -> list[Node]:
    """Return the element and those around it, the innermost at first."""
    found = []
    while node:
        found.append(node)
        node = node.parent
    return found
