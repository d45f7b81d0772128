"""Which blocks of a page are main text and which are noise that stands among it?

`weigh` says how much a block looks like main text: main text is long and has few links. `tidy`
takes out what the choice of an element could not: link lists, repeats, phrases such as "Share
this", headings left without a text. For example, of the blocks

    h2  "What was found"                          weight 0, kept: a paragraph follows
    p   "Engineers said that ..." (130)           weight 130
    p   "Read more: the storm" (20, all linked)   weight 0, dropped: mostly link
    p   "Share this article" (18)                 weight 0, dropped: begins like boilerplate
    h2  "Related"                                 weight 0, dropped: nothing follows

Source: Kohlschuetter et al. 2010, "Boilerplate detection using shallow text features" (length and
link density of a block).
"""

import re
from collections import Counter

from crawler.html_text import table_row
from crawler.html_tree import HEADINGS, Block, Node

FULL_BLOCK = 600  # characters of one block that count: a longer one says no more
SHORT_BLOCK = 30  # characters; a shorter block is more likely a label than a sentence
MIN_KEPT = 100  # less is no text, whether tidying leaves it or a sibling element holds it
OF_LIST = 0.25  # a text with less outside links is a list of links, as of a country's rivers
MAX_TITLE = 1000  # characters in which headings are looked for
SENTENCE_END = re.compile(r"""[.!?…。！？]["'”’)\]]*$""")


def weigh(block: Block) -> float:
    """Return how much a block looks like main text, in characters."""
    length = len(block.text)
    if block.node.tag in HEADINGS or 2 * block.linked > length:
        return 0.0
    if length < SHORT_BLOCK:
        return length / 5 if SENTENCE_END.search(block.text) else 0.0
    return float(min(length - block.linked, FULL_BLOCK))


def length(blocks: list[Block]) -> int:
    """Return how many characters blocks have."""
    return sum(len(block.text) for block in blocks)


def size(block: Block) -> float:
    """Return the length of a block, in characters, whatever it holds."""
    return float(min(len(block.text), FULL_BLOCK))


# how a block of up to 80 characters begins if it is no part of a text
BOILERPLATE = re.compile(
    r"(?:advertisement|(?:article|story) continues|related(?: \w+)?:?$|recommended(?: for you)?$|"
    r"(?:popular|recent|latest|trending|more) (?:posts|articles|stories|news)|more (?:from|in)\b|"
    r"you (?:may|might) (?:also )?like|(?:customers|people) also|share (?:this|on|via)|shares?$|"
    r"follow (?:us|me)|(?:read|learn|show|load|view|see) (?:more|all|less)|read next|click here|"
    r"sign (?:up|in)\b|log ?in\b|subscribe\b|join (?:our|us)\b|newsletter\b|contact us|"
    r"get in touch|"
    r"(?:leave|post|add|write) (?:a|your) (?:reply|comment|review)|\d* ?comments?$|"
    r"add to (?:cart|bag|basket|wishlist)|(?:buy|book|order|shop|download|try) now|"
    r"get started$|out of stock|in stock|verified (?:buyer|purchase)|as an amazon associate|"
    r"all rights reserved|(?:\(c\)|©|copyright)\W|powered by|privacy policy|terms (?:of|and|&)|"
    r"table of contents$|skip to|back to (?:top|home)|(?:go )?home$|search$|menu$|loading\b|print$|"
    r"(?:this (?:site|website|page)|we) uses? .{0,20}cookies|accept (?:all )?cookies|"
    r"updated? (?:on )?\w{3,9} \d+|posted (?:by|on|in)\b|written by\b|"
    r"image (?:credit|source)|photo(?:graph)? (?:by|credit)|credit:|tags?:|filed under|via:?$)",
    re.I,
)


# `login(user, password)` in a list of functions, and what it is said to do, are no boilerplate
DEFINING = frozenset(["dt", "dd", "pre"])


def tidy(blocks: list[Block], article: bool) -> list[Block]:
    """Drop link lists, repeats, boilerplate and headings with nothing after them."""
    blocks = drop_link_lists(blocks)
    if article:  # its h1 is the title, which has a field of its own
        plain = drop_linked_containers(blocks)
        plain = [b for b in plain if b.node.tag != "h1" and (table_row(b) or not _mostly_linked(b))]
        article = length(plain) >= OF_LIST * length(blocks)
    blocks = plain if article else drop_repeats(blocks)
    return drop_bare_headings(drop_phrases(blocks))


def _mostly_linked(block: Block) -> bool:
    """Say whether a block is mostly link; a heading may lead somewhere: `class deque(object)`."""
    return block.linked > (0.8 if is_heading(block) else 0.5) * len(block.text)


def tidy_patchwork(blocks: list[Block]) -> list[Block]:
    """Drop what `tidy` does, except that single links stay: a patchwork is made of them."""
    blocks = drop_labels(drop_repeats(drop_link_lists(blocks)))
    return drop_bare_headings(drop_phrases(blocks))


def drop_labels(blocks: list[Block]) -> list[Block]:
    """Drop links of up to four words: buttons and menu entries; a link to a product says more.

    In a table row they stay beside a text.
    """
    told = {row for b in blocks if not _is_label(b) and (row := table_row(b))}
    return [
        block
        for block in blocks
        if block.node.tag in HEADINGS or not _is_label(block) or table_row(block) in told
    ]


def _is_label(block: Block) -> bool:
    is_link = 1.2 * block.linked >= len("".join(block.text.split()))
    return is_link and len(block.text.split()) <= 4


def drop_phrases(blocks: list[Block]) -> list[Block]:
    """Drop short blocks that begin as no part of a text does."""
    return [
        block
        for block in blocks
        if len(block.text) > 80 or block.node.tag in DEFINING or not BOILERPLATE.match(block.text)
    ]


def reads_like_article(blocks: list[Block]) -> bool:
    """Say whether most of the text stands in paragraphs of running sentences."""
    total = sum(map(weigh, blocks))
    prose = sum(weigh(b) for b in blocks if len(b.text) >= 80 and SENTENCE_END.search(b.text))
    return total > 0 and prose >= 0.6 * total


REMARK = re.compile(r"^\([^()\n]*\)$", re.M)  # a line beneath a link: `(PDF, 2 MB)`
NAME = re.compile(r"[\w.]+(?:\([\w., ]*\))?:?$")  # `name`, `name(base, base)`


def drop_link_lists(blocks: list[Block]) -> list[Block]:
    """Drop columns of links, and table rows and definition lists that hold nothing else.

    A name that leads to a link is no text by itself. Of the table and the definition lists

        row   td "back" (linked)   td "next" (linked)    dropped
        row   td "os" (linked)     td "operating system" kept
        dl    dt "See:"            dd "posix" (linked)   dropped: "See:" is but a name
        dl    dt "Width"           dd "3 metres"         kept: there are no links
    """
    only_links = [_only_links(block) for block in blocks]
    lists = [_list_of(block) for block in blocks]
    of_links, of_text = set(), set()  # lists with a block of links alone, lists with text
    for block, is_links, its_list in zip(blocks, only_links, lists, strict=True):
        if is_links:
            of_links.add(its_list)
        elif block.node.tag not in ("dt", "dd") or not _is_name(block.text):
            of_text.add(its_list)
    nothing_else = of_links - of_text
    return [
        block
        for block, is_links, its_list in zip(blocks, only_links, lists, strict=True)
        if its_list not in nothing_else and not (is_links and "\n" in block.text)
    ]


def _list_of(block: Block) -> Node:
    """Return the table row or the outermost definition list of a block, else its element."""
    found = ("\n" not in block.text and table_row(block)) or block.node
    node: Node | None = block.node
    while node:
        if node.tag == "dl":
            found = node
        node = node.parent
    return found


def _only_links(block: Block) -> bool:
    """Say whether a cell, a term or a column of short lines is as good as all linked."""
    lines = block.text.count("\n") + 1
    if lines == 1 and block.node.tag not in ("td", "th", "dt", "dd"):
        return False
    share = 0.8 if lines == 1 else 0.6  # in a column, a line or two may be plain
    text = block.text if lines == 1 else REMARK.sub("", block.text)
    visible = len("".join(text.split()))
    return len(block.text) < 60 * lines and block.linked > share * visible


def _is_name(text: str) -> bool:
    """Say whether a text is a mere name: what `NAME` matches, or ends with a colon."""
    return text.endswith(":") or bool(NAME.match(text))


def drop_linked_containers(blocks: list[Block]) -> list[Block]:
    """Drop lists, divisions and table rows of which more than two fifths are links.

    For rows it is three fifths: `load` and what it is said to do belong together.
    """
    size: Counter[Node] = Counter()
    linked: Counter[Node] = Counter()
    for block in blocks:
        size[_container(block)] += len(block.text)
        linked[_container(block)] += block.linked
    return [
        b for b in blocks
        if is_heading(b)
        or linked[_container(b)] <= (0.6 if table_row(b) else 0.4) * size[_container(b)]
    ]  # fmt: skip


def _container(block: Block) -> Node:
    node = table_row(block) or block.node
    while node.parent and node.tag in ("li", "p"):
        node = node.parent
    return node


def drop_repeats(blocks: list[Block]) -> list[Block]:
    """Drop blocks of over 20 characters said before; parts of tables and definitions stay.

    A heading repeats other headings only: what says the same before it is a table of contents.
    """
    seen: set[tuple[str, bool]] = set()
    kept = []
    for block in blocks:
        if len(block.text) > 20 and block.node.tag not in ("dt", "dd", "td", "th", "pre"):
            said = (block.text, block.node.tag in HEADINGS)
            if said in seen:
                continue
            seen.add(said)
        kept.append(block)
    return kept


def with_page_heading(kept: list[Block], blocks: list[Block], title: str) -> list[Block]:
    """Put the heading that names the page back in front, if the descent left it behind."""
    title = title[:MAX_TITLE]
    for block in blocks:
        if kept and block is kept[0]:
            break
        if is_heading(block) and block.text in title:
            return [block, *kept]
    return kept


def drop_bare_headings(blocks: list[Block]) -> list[Block]:
    """Drop headings that are followed by the end or by a heading of the same or a higher rank."""
    kept: list[Block] = []
    for block in reversed(blocks):
        if not (is_heading(block) and (not kept or _outranks(kept[-1], block))):
            kept.append(block)
    return kept[::-1]


TITLE_NAME = re.compile(r"\b(?:sub)?(?:title|heading|headline)\b", re.I)


def is_heading(block: Block) -> bool:
    """Say whether a block is a heading by its tag, or by its class and being short."""
    name = block.node.name
    named = name and len(block.text) < 80 and TITLE_NAME.search(name)
    return block.node.tag in HEADINGS or bool(named)


def _outranks(block: Block, heading: Block) -> bool:
    if not is_heading(block):
        return False
    if block.node.tag in HEADINGS and heading.node.tag in HEADINGS:
        return block.node.tag <= heading.node.tag
    same_kind = block.node.name == heading.node.name
    return same_kind and _depth(block.node) <= _depth(heading.node)


def _depth(node: Node) -> int:
    depth = 0
    while node := node.parent:
        depth += 1
    return depth
