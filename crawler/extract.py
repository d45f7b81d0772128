"""Main text of a web page: headings, paragraphs, lists, code, tables; no menus, footers, adverts.

How does one find the main text of any page, by counting alone? This is neither a browser nor a
trained model. It looks at a page as one would from across a room, where text is grey and the rest
is coloured spots. There are five steps:

1. `html_tree.py` reads the page into blocks of text, each in its place in a small tree of elements.
2. `junk.py` gives every element a junk level, by its tag and the words of its class: 0 is content,
   2 a menu, 5 a footer. Nothing is deleted yet.
3. `page_shape.py` asks what kind of page it is: an article, a thread of posts, or a patchwork of
   cards and sections (a shop, a landing page).
4. Here: which junk level is the highest to keep? And in `descent.py`: which element holds the main
   text? In a column of text, long unlinked blocks count (`weigh`); in a patchwork, all do (`size`).
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
higher levels would be tried: a page whose class names lie does not come out empty. Always keeping
level 0 would lower the F1 on the article-extraction-benchmark from .97 to .83, never descending to
.94. (F1 is 1 if all of the text is found and nothing else, and low if either fails.)

Sources: Kohlschuetter et al. 2010, "Boilerplate detection using shallow text features" (length and
link density of a block); Mozilla's Readability (class words, descending to the densest element).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from urllib.parse import urljoin

from crawler.boilerplate import (
    MIN_KEPT,
    is_heading,
    length,
    size,
    tidy,
    tidy_patchwork,
    weigh,
    with_page_heading,
)
from crawler.charset import decode
from crawler.descent import main_element, with_subtitle
from crawler.elsewhere import drop_elsewhere
from crawler.html_text import render
from crawler.html_tree import Block, Document, Node, parse
from crawler.junk import ASIDE, CHROME, COMMENT, HARD, NEVER, NOSCRIPT
from crawler.page_shape import ARTICLE, PATCHWORK, THREAD, page_shape

# These were tuned on half of the pages of the article-extraction-benchmark and of WCXB; on the
# other half they do as well. Lengths are characters, shares 0..1 of the weight.
MIN_TEXT = 300  # a level that holds less is not the text of a page, unless the page is short:
OF_SHORT_PAGE, MIN_SHORT = 0.5, 50  # then it must hold half of all there is, and at least 50
OF_NEXT_LEVEL = 0.6  # a level with a smaller share of what the next one holds leaves out too much
OF_PAGE = 0.2  # and so does one with a smaller share of all that is below the level of comments
OF_PATCHWORK = 0.1  # the same for a patchwork, but of all up to CHROME, for much of it is links
MIN_SENTENCE = 20  # characters that a page of one sentence must have
IN_COLUMN, IN_PATCHWORK = 0.7, 0.8  # an element that holds less is not descended into


@dataclass(slots=True)
class Extracted:
    """What one page says."""

    title: str = ""
    text: str = ""
    links: list[str] = field(default_factory=list)  # absolute if the page's address was given


def extract(html: str | bytes, url: str | None = None) -> Extracted:
    """Return title, main text and links of an HTML page; any input gives a result.

    >>> story = "A pillar of the bridge has sunk, and so it is closed. " * 6
    >>> page = f'<nav><a href="/">Home</a></nav><h1>Closed</h1><p>{story}<div class="share">Share'
    >>> found = extract(page, "https://example.org/news/")
    >>> found.title, found.text == story.strip(), found.links
    ('Closed', True, ['https://example.org/'])
    """
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
    found = main_element(document, candidates, weigh, IN_COLUMN)
    kept = tidy(with_subtitle(found, candidates, document), article)
    if not article:
        kept = with_page_heading(kept, candidates, document.title)
    # too little is left: a page of a sentence, or the rules were wrong, and then all is better
    return kept if _is_something(kept) else short_text(candidates) or candidates


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
    enough = _enough(held)
    for level in range(NOSCRIPT):
        next_level, page = held[level + 1], held[COMMENT - 1]
        if held[level] >= max(OF_NEXT_LEVEL * next_level, OF_PAGE * page, enough):
            return level
    return NOSCRIPT


def _enough(held: list[float]) -> float:
    """Return how much a level must hold to hold the text of a page."""
    return max(MIN_SHORT, min(MIN_TEXT, OF_SHORT_PAGE * held[NOSCRIPT]))


def weight_by_level(blocks: list[Block], weigh: Callable[[Block], float]) -> list[float]:
    """Return for each junk level the weight of all blocks up to that level."""
    own = [0.0] * (NEVER + 1)
    for block in blocks:
        own[block.node.level] += weigh(block)
    return list(accumulate(own))


# ---- patchworks: everything that is not clearly junk ----


def from_patchwork(document: Document) -> list[Block]:
    """Return the blocks of the element that holds most of the page, except clear junk."""
    level = choose_patchwork_level(document.blocks)
    candidates = [block for block in document.blocks if block.node.level <= level]
    found = main_element(document, candidates, size, IN_PATCHWORK)
    kept = tidy_patchwork(drop_elsewhere(with_subtitle(found, candidates, document)))
    return kept if _is_something(kept) else short_text(candidates) or candidates


def choose_patchwork_level(blocks: list[Block]) -> int:
    """Return the lowest junk level that holds enough of a patchwork, or what text it has."""
    held, text = weight_by_level(blocks, size), weight_by_level(blocks, weigh)
    enough = max(OF_PATCHWORK * held[CHROME], MIN_TEXT)
    for level in (HARD, ASIDE, CHROME):
        if held[level] >= enough or text[level] >= _enough(text):
            return level
    return NOSCRIPT  # some forums write their posts for readers without scripts only


def _is_something(blocks: list[Block]) -> bool:
    return length(blocks) >= MIN_KEPT


# ---- pages of a sentence or two ----


def short_text(blocks: list[Block]) -> list[Block]:
    """Return the blocks of what a page itself calls its main part, without the menus in it.

    Empty if there is no such part, or it says nothing. On a page of one sentence, "The column
    labels of the DataFrame.", the menu is a hundred times as long.
    """
    main = [block for block in blocks if block.node.level == 0 and _in_main(block.node)]
    says = [block for block in main if block.linked == 0 and not is_heading(block)]
    return main if length(says) >= MIN_SENTENCE else []


def _in_main(node: Node | None) -> bool:
    while node and not node.semantic:
        node = node.parent
    return node is not None


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
