"""Main text of a web page: headings, paragraphs, lists, code and tables, without the chrome.

This is neither a browser nor a trained model. A page is read once into blocks of text
(`html_tree.py`); then three questions are answered by counting characters: how junk-like may a
block be before it is dropped (`choose_level`), which element holds the main text (`descend`), and
which of its blocks are noise after all (`boilerplate.py`)? Nothing is deleted while reading, so a
page whose class names lie (a whole article inside `class="share"`) falls back to the next junk
level instead of coming out empty. `html_text.py` writes down what is left.

Sources: Kohlschuetter et al. 2010, "Boilerplate detection using shallow text features" (length and
link density of a block); Mozilla's Readability (class words, descending to the densest element).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from urllib.parse import urljoin

from crawler.boilerplate import (
    size,
    tidy,
    tidy_patchwork,
    weigh,
    with_page_heading,
)
from crawler.charset import decode
from crawler.html_text import render
from crawler.html_tree import Block, Document, Node, parse
from crawler.junk import ASIDE, CHROME, COMMENT, HARD, NEVER, NOSCRIPT
from crawler.page_shape import ARTICLE, PATCHWORK, THREAD, page_shape


@dataclass(slots=True)
class Extracted:
    """What one page says."""

    title: str = ""
    text: str = ""
    links: list[str] = field(default_factory=list)  # absolute if the page's address was given


def extract(html: str | bytes, url: str | None = None) -> Extracted:
    """Return title, main text and links of an HTML page; any input gives a result."""
    document = parse(decode(html) if isinstance(html, bytes) else html)
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
    root = descend(document.nodes, candidates, weigh)
    inside = _below(root, document.nodes)
    found = [block for block in candidates if block.node in inside]
    kept = tidy(found, article)
    if not article:
        kept = with_page_heading(kept, candidates, document.title)
    return kept if _is_something(kept) else candidates


def welcome_comments(nodes: list[Node]) -> None:
    """Let comments count as text: on a thread they are what the page is about."""
    for node in nodes:  # parents stand before their children
        own = 0 if node.own_level == COMMENT else node.own_level
        node.level = max(own, node.parent.level) if node.parent else own


def choose_level(blocks: list[Block]) -> int:
    """Return the lowest junk level that leaves out no large part of the text.

    The shares here and below were tuned on half of the pages of the article-extraction-benchmark
    and of WCXB; on the other half they do as well.
    """
    held = weight_by_level(blocks, weigh)
    for level in range(NOSCRIPT):
        if held[level] >= max(0.6 * held[level + 1], 0.2 * held[COMMENT - 1], 300):
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
    level = NOSCRIPT
    for level in (HARD, ASIDE, CHROME):
        if held[level] >= max(0.1 * held[CHROME], 300):
            break
    candidates = [block for block in document.blocks if block.node.level <= level]
    root = descend(document.nodes, candidates, size)
    inside = _below(root, document.nodes)
    kept = tidy_patchwork([block for block in candidates if block.node in inside])
    return kept if _is_something(kept) else candidates


def _is_something(blocks: list[Block]) -> bool:
    return sum(len(block.text) for block in blocks) >= 100


# ---- which element ----

NO_CONTAINER = frozenset({"p", "li", "td", "th", "pre", "blockquote", "dl", "ul", "ol"})


def descend(nodes: list[Node], blocks: list[Block], weigh: Callable[[Block], float]) -> Node:
    """Return the deepest element that still holds most of the text around it."""
    for block in blocks:
        block.node.weight += weigh(block)
    children: dict[Node, list[Node]] = {}
    for node in reversed(nodes):  # children stand after their parents
        if node.parent and node.weight:
            node.parent.weight += node.weight
            children.setdefault(node.parent, []).append(node)
    root = nodes[0]
    while below := children.get(root):
        best = max(below, key=lambda node: node.weight * (3 if node.semantic else 1))
        enough = 0.23 if best.semantic else 0.7
        if best.tag in NO_CONTAINER or best.weight < enough * root.weight:
            break
        if any(_belongs_with(best, sibling) for sibling in below if sibling is not best):
            break
        root = best
    return root


def _belongs_with(best: Node, sibling: Node) -> bool:
    """Say whether leaving the sibling behind would cut a text in two."""
    same_kind = best.name and sibling.tag == best.tag and sibling.name == best.name
    if same_kind and sibling.weight > 100:  # one of a row: posts, sections, cards
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
