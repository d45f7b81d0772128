"""Main text of a web page: headings, paragraphs, lists, code, tables; no menus, footers, adverts.

How does one find the main text of any page, by counting alone? This is neither a browser nor a
trained model. It looks at a page as one would from across a room, where text is grey and the rest
is coloured spots. In five steps, one a file:

1. `html_tree.py` reads the page into blocks of text, each in its place in a small tree of elements.
2. `junk.py` gives every element a junk level, by its tag and the words of its class: 0 is content,
   2 a menu, 5 a footer. Nothing is deleted yet.
3. `page_shape.py` asks what kind of page it is: an article, a thread of posts, or a patchwork of
   cards and sections (a shop, a landing page).
4. Here: which junk level is the highest to keep, and which element holds the main text? In a
   column of text, long unlinked blocks count (`weigh`); in a patchwork, all blocks do (`size`).
5. `boilerplate.py` and `elsewhere.py` drop noise that stands among the text; `html_text.py` writes
   down the rest.

An example, with the weight of each block: its unlinked characters, if it is not short.

    body                                        level  weight
      nav    "Home", "Sport"                      5        0   short and linked
      div    class="story"
        h1   "Bridge closed"                      0        0   headings do not count
        p    90 characters                        0       90
        p    250 characters, 20 of them linked    0      230
      div    class="share"  "Share this page"     5        0
      div    class="comments"
        p    140 characters                       4      140

Level 0 holds 320, and level 1 would add nothing, so only level 0 is kept (`choose_level`). `story`
holds all of the 320: the search goes down from body to story, and no further, since a paragraph is
no container (`descend`). Were the story inside `class="share"`, level 0 would hold nothing and
higher levels would be tried: a page whose class names lie does not come out empty. Always level 0
would lower the F1 of the article-extraction-benchmark from .97 to .83, no descent to .94.

Sources: Kohlschuetter et al. 2010, "Boilerplate detection using shallow text features" (length and
link density of a block); Mozilla's Readability (class words, descending to the densest element).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from urllib.parse import urljoin

from crawler.boilerplate import (
    length,
    size,
    tidy,
    tidy_patchwork,
    weigh,
    with_page_heading,
)
from crawler.charset import decode
from crawler.elsewhere import drop_elsewhere
from crawler.html_text import render
from crawler.html_tree import Block, Document, Node, parse
from crawler.junk import ASIDE, CHROME, COMMENT, HARD, NEVER, NOSCRIPT
from crawler.page_shape import ARTICLE, PATCHWORK, THREAD, page_shape

# These were tuned on half of the pages of the article-extraction-benchmark and of WCXB; on the
# other half they do as well. Lengths are characters, shares 0..1 of the weight.
MIN_TEXT = 300  # a level that holds less holds no page's text
MIN_KEPT = 100  # less is no text: if it is all that tidying leaves, or in a sibling element
OF_NEXT_LEVEL = 0.6  # a level with less of what the next one holds leaves out too much
OF_PAGE = 0.2  # and so does one with less of all that is below the level of comments
OF_PATCHWORK = 0.1  # the same for a patchwork, but of all up to CHROME, for much of it is links
IN_COLUMN, IN_PATCHWORK = 0.7, 0.8  # an element that holds less is not descended into
IN_MARKED = 0.25  # the same for `article` and `main`, by which the author marks the main part
MARKED = 3  # so many times as much do these count beside their siblings


@dataclass(slots=True)
class Extracted:
    """What one page says."""

    title: str = ""
    text: str = ""
    links: list[str] = field(default_factory=list)  # absolute if the page's address was given


def extract(html: str | bytes, url: str | None = None) -> Extracted:
    """Return title, main text and links of an HTML page; any input gives a result."""
    document = parse(decode(html) if isinstance(html, bytes | bytearray) else html)
    shape = page_shape(document)
    if shape == PATCHWORK:
        kept = from_patchwork(document)
    else:
        if shape == THREAD:
            welcome_comments(document.nodes)
        kept = from_column(document, shape == ARTICLE)
    return Extracted(_title(document), render(kept), _absolute(document, url))


# ---- articles and threads: one column of text ----


def from_column(document: Document, article: bool) -> list[Block]:
    """Return the blocks of the element that holds most of the paragraphs, without noise."""
    level = choose_level(document.blocks)
    candidates = [block for block in document.blocks if block.node.level <= level]
    root = descend(document.nodes, candidates, weigh, IN_COLUMN)
    inside = _below(root, document.nodes)
    found = [block for block in candidates if block.node in inside]
    kept = tidy(found, article)
    if not article:
        kept = with_page_heading(kept, candidates, document.title)
    return kept if _is_something(kept) else candidates


def welcome_comments(nodes: list[Node]) -> None:
    """Let comments count as text, in place: on a thread they are what the page is about."""
    for node in nodes:  # parents stand before their children
        own = 0 if node.own_level == COMMENT else node.own_level
        node.level = max(own, node.parent.level) if node.parent else own


def choose_level(blocks: list[Block]) -> int:
    """Return the lowest junk level that leaves out no large part of the text.

    Where none holds enough, it is NOSCRIPT: only what is never text is then left out.
    """
    held = weight_by_level(blocks, weigh)
    for level in range(NOSCRIPT):
        next_level, page = held[level + 1], held[COMMENT - 1]
        if held[level] >= max(OF_NEXT_LEVEL * next_level, OF_PAGE * page, MIN_TEXT):
            return level
    return NOSCRIPT


def weight_by_level(blocks: list[Block], weigh: Callable[[Block], float]) -> list[float]:
    """Return for each junk level the weight of all blocks up to that level."""
    own = [0.0] * (NEVER + 1)
    for block in blocks:
        own[block.node.level] += weigh(block)
    return list(accumulate(own))


# ---- patchworks: everything that is not clearly junk ----


def from_patchwork(document: Document) -> list[Block]:
    """Return the blocks of the element that holds most of the page, except clear junk."""
    held = weight_by_level(document.blocks, size)
    enough = max(OF_PATCHWORK * held[CHROME], MIN_TEXT)
    # some forums write their posts for readers without scripts only, hence NOSCRIPT
    level = next((level for level in (HARD, ASIDE, CHROME) if held[level] >= enough), NOSCRIPT)
    candidates = [block for block in document.blocks if block.node.level <= level]
    root = descend(document.nodes, candidates, size, IN_PATCHWORK)
    inside = _below(root, document.nodes)
    found = [block for block in candidates if block.node in inside]
    kept = tidy_patchwork(drop_elsewhere(found))
    return kept if _is_something(kept) else candidates


def _is_something(blocks: list[Block]) -> bool:
    return length(blocks) >= MIN_KEPT


# ---- which element ----

NO_CONTAINER = frozenset({"p", "li", "td", "th", "pre", "blockquote", "dl", "ul", "ol"})


def descend(
    nodes: list[Node], blocks: list[Block], weigh: Callable[[Block], float], most: float
) -> Node:
    """Return the deepest element that still holds the share `most` of the weight around it."""
    for block in blocks:
        block.node.weight += weigh(block)
    children: dict[Node, list[Node]] = {}
    for node in reversed(nodes):  # children stand after their parents
        if node.parent and node.weight:
            node.parent.weight += node.weight
            children.setdefault(node.parent, []).append(node)
    root = nodes[0]
    while below := children.get(root):
        best = max(below, key=lambda node: node.weight * (MARKED if node.semantic else 1))
        enough = IN_MARKED if best.semantic else most
        if best.tag in NO_CONTAINER or best.weight < enough * root.weight:
            break
        if any(_belongs_with(best, sibling) for sibling in below if sibling is not best):
            break
        root = best
    return root


def _belongs_with(best: Node, sibling: Node) -> bool:
    """Say whether leaving the sibling behind would cut a text in two."""
    same_class = (best.name and best.name == sibling.name) or best.tag == "article"
    same_kind = best.tag == sibling.tag and same_class
    if same_kind and sibling.weight > MIN_KEPT:  # one of a row: posts, sections, cards
        return True
    return sibling.tag == "p" and not best.semantic  # an opening or closing paragraph


def _below(root: Node, nodes: list[Node]) -> set[Node]:
    inside = {root}
    for node in nodes:
        if node.parent in inside:
            inside.add(node)
    return inside


# ---- title and links ----


def _title(document: Document) -> str:
    first = (b.text for b in document.blocks if b.node.tag == "h1")
    return document.title or " ".join(next(first, "").split())


def _absolute(document: Document, url: str | None) -> list[str]:
    """Resolve links against the page's address and <base> (RFC 3986, section 5)."""
    if url is None:
        return document.links
    base = _join(url, document.base) or url
    return list(dict.fromkeys(filter(None, (_join(base, link) for link in document.links))))


def _join(base: str, link: str) -> str | None:
    try:
        return urljoin(base, link)
    except ValueError:  # `http://[` is no address
        return None
