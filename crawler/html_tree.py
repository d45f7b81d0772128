"""HTML -> blocks of text, each hanging in a small tree of block elements.

This is not a browser's parser: it builds no tree of inline elements, keeps no attributes and drops
what has no text. It keeps what `extract.py` needs to tell main text from the rest: which elements
a piece of text stands in, how much of it is linked, and how likely its surroundings are junk.

Every input gives a result in time linear in its length: finding the tokens takes linear time
(`html_tokens.py`), and elements are nested at most MAX_DEPTH deep, as in the browsers.

Sources: HTML Living Standard, section 13.2 (implied end tags), simplified; the idea of
judging elements by the words of their class and id is Readability's.
"""

from dataclasses import dataclass, field

from crawler.html_chars import unescape_attribute, visible
from crawler.html_tags import (
    CELL,
    CELL_ENDS,
    CODE_LINES,
    DRAWINGS,
    ENDS_DRAWING,
    HEADINGS,
    IMPLIED_END,
    INLINE,
    PREFORMATTED,
    SILENT,
    VOID,
)
from crawler.html_tokens import (
    HREF,
    ITEM_TYPE,
    JSON_TYPE,
    OPEN_GRAPH_ARTICLE,
    START,
    TOKEN,
    turns_page,
)
from crawler.junk import CHROME, DROPPED, NEVER, judge
from crawler.permalinks import without_permalinks

CLASSIFIER = '<span class="classifier">'  # Sphinx leaves the colon before a type to CSS
MAX_DEPTH = 256  # deeper elements become siblings; Chrome and Safari do the same at 512


@dataclass(slots=True, eq=False)
class Node:
    """A block element."""

    tag: str
    parent: "Node | None"
    level: int  # junk level (`junk.py`), own or inherited
    own_level: int
    name: str  # class and id, as they stand
    semantic: bool  # article, main, role=main
    weight: float = 0.0  # filled in by descent.py: of all blocks below
    cells: int = 0  # of a table row: how many it has, empty ones too
    column: int = 0  # of a cell: how many stand before it
    first: int = 1  # of an ol: the number of its first item
    code: "Node | None" = None  # the pre that it is or of which it is a line


@dataclass(slots=True, eq=False)
class Block:
    """A piece of text between two breaks; `text` may hold line breaks (br, pre)."""

    node: Node
    text: str
    linked: int  # characters of it that are link text


@dataclass(slots=True)
class Document:
    """A page as it was read."""

    title: str = ""
    nodes: list[Node] = field(default_factory=list)  # parents before their children
    blocks: list[Block] = field(default_factory=list)  # in the order of the page
    links: list[str] = field(default_factory=list)  # href of each a that permalinks.py left
    base: str = ""  # <base href>
    types: set[str] = field(default_factory=set)  # what the page says it is: schema.org's types


def parse(source: str) -> Document:
    """Read a page into blocks; broken markup is read as well as it can be."""
    builder = _Builder()
    source = without_permalinks(source.replace("\0", "").replace("&nbsp;", "\xa0"))
    if "classifier-delimiter" not in source:
        source = source.replace(CLASSIFIER, f"{CLASSIFIER} : ")
    for token in TOKEN.finditer(source):
        text, raw, raw_attributes, raw_text, name, attributes, stray = token.groups()
        if text:
            builder.text(text)
        if name:
            if name in SILENT or (name := name.lower()) in SILENT:
                continue
            if name[0] == "/":
                builder.end(name[1:])
            else:
                builder.start(name, attributes)
        elif raw:
            builder.raw(raw.lower(), raw_attributes, raw_text)
        elif stray:
            builder.text(stray)
    builder.leave_drawing()
    builder.break_line()
    builder.document.links = list(builder.links)
    return builder.document


class _Builder:
    """The stack of open elements and the block being collected."""

    def __init__(self):
        self.document = Document()
        self.links: dict[str, None] = {}
        self.stack: list[Node] = []
        self.is_after_drawing = False
        self.turns_page = False  # the block has a link to the next page or the like
        self.link_depth = 0  # elements open where the current link began; 0 outside links
        self.pieces: list[str] = []  # of the block being collected; "\0" stands for br
        self.link_pieces: list[str] = []
        self._push("body", "")

    def text(self, text: str) -> None:
        if self.stack[-1].level == NEVER:
            return
        if self.is_after_drawing:  # a drawing parts words as a blank does
            self.is_after_drawing = False
            if self.pieces and self.pieces[-1][-1:].isalnum() and text[:1].isalnum():
                self.pieces.append(" ")
        self.pieces.append(text)
        if self.link_depth:
            self.link_pieces.append(text)

    def raw(self, tag: str, attributes: str, text: str) -> None:
        """Read an element that holds no markup."""
        if tag == "title" and not self.document.title:
            self.document.title = " ".join(visible(text, False).split())
        elif tag == "script" and "ld+json" in attributes:
            self.document.types.update(JSON_TYPE.findall(text))

    def start(self, tag: str, attributes: str) -> None:
        if tag == "br":
            if self.stack[-1].level < NEVER:
                self.pieces.append("\0")
        elif tag == "a":
            # a link ends the one before; an anchor (no href) is ordinary text
            self.link_depth = 0
            if href := HREF.search(attributes):
                self.link_depth = len(self.stack)
                self.turns_page = self.turns_page or turns_page(attributes)
                self.links[unescape_attribute(href[1].strip("\"' \t\r\n"))] = None
        elif tag == "base" and not self.document.base:
            if href := HREF.search(attributes):
                self.document.base = unescape_attribute(href[1].strip("\"' "))
        elif tag == "meta" and OPEN_GRAPH_ARTICLE.search(attributes[:200]):
            self.document.types.add("og:article")
        elif tag not in INLINE:
            if tag in ENDS_DRAWING and self.stack[-1].level == NEVER:
                self._end_drawing()
            top = self.stack[-1]
            is_whole = attributes.endswith("/>")
            if top.level == NEVER:  # in a drawing, only the nesting matters
                if tag not in VOID and not is_whole and len(self.stack) < MAX_DEPTH:
                    self.stack.append(Node(tag, top, NEVER, NEVER, "", False))
                return
            if tag in DRAWINGS:
                self.is_after_drawing = True
            else:
                self._break_at(tag)
                if tag in VOID:
                    return
                self._end_implied(tag)
            if "schema.org" in attributes:
                self.document.types.update(ITEM_TYPE.findall(attributes[:1000]))
            self._push(tag, attributes)
            if is_whole and tag in DROPPED:
                self.stack.pop()

    def end(self, tag: str) -> None:
        if tag == "a":
            self.link_depth = 0
        elif tag not in INLINE:
            if self.stack[-1].level < NEVER:
                self._break_at(tag)
            for i in range(len(self.stack) - 1, 0, -1):
                if self.stack[i].tag == tag:
                    if self.stack[i].level < NEVER:
                        self.leave_drawing()  # if one in it was never closed
                        if self.stack[i].code in (None, self.stack[i]):
                            self.break_line()
                    self._close(i)
                    return
                if self.stack[i].tag in CELL and tag not in CELL_ENDS:
                    return

    def leave_drawing(self) -> None:
        """End a drawing or the like, if we are in one; the text before it goes on."""
        while self.stack[-1].level == NEVER:
            self.stack.pop()

    def break_line(self) -> None:
        """Close the block being collected."""
        turns, self.turns_page = self.turns_page, False  # even if the link is only an image
        if not self.pieces:
            return
        source = "".join(self.pieces)
        code = self.stack[-1].code
        node = code or self.stack[-1]
        if not source.isspace():
            text = visible(source, code is not None)
            if text:
                linked = len("".join("".join(self.link_pieces).split()))
                if not turns or 3 * linked < len(text):  # else `Next: Menus, Up: Index`
                    self.document.blocks.append(Block(node, text, linked))
        self.pieces, self.link_pieces = [], []

    def _break_at(self, tag: str) -> None:
        """Close the block at a tag, except in code: there it ends a line."""
        if not (self.stack[-1].code and tag in CODE_LINES):
            self.break_line()
        elif self.pieces and self.pieces[-1][-1:] not in "\0\n\r":
            self.pieces.append("\0")

    def _close(self, i: int) -> None:
        """Close the open elements from the i-th on, and a link that nobody closed in them."""
        del self.stack[i:]
        if i < self.link_depth:
            self.link_depth = 0

    def _end_implied(self, tag: str) -> None:
        top = self.stack[-1].tag
        if top == "p" or (top in HEADINGS and tag in HEADINGS):  # no block stands in a paragraph
            self.stack.pop()
        if rule := IMPLIED_END.get(tag):
            ends, boundary = rule
            for i in range(len(self.stack) - 1, 0, -1):
                if self.stack[i].tag in boundary:
                    return
                if self.stack[i].tag in ends:
                    if self.stack[i].code is None:  # code that nobody closed in it ends, too
                        self.break_line()
                    del self.stack[i:]
                    return

    def _end_drawing(self) -> None:
        """End an svg or math that nobody closed (section 13.2.6.5), unless it may hold HTML."""
        for i in range(len(self.stack) - 1, 0, -1):
            if self.stack[i].tag in ("foreignobject", "annotation-xml"):
                return
            if self.stack[i].tag in DRAWINGS:
                self._close(i)
                return

    def _push(self, tag: str, attributes: str) -> None:
        own, name, semantic = judge(tag, attributes[:1000])
        if len(self.stack) >= MAX_DEPTH:
            self.stack.pop()
        parent = self.stack[-1] if self.stack else None
        if tag == "header" and not any(node.semantic for node in self.stack):
            own = max(own, CHROME)  # of the site; that of an article holds its headline
        level = parent.level if parent and parent.level > own else own
        node = Node(tag, parent, level, own, name, semantic)
        if tag == "ol" and (first := START.search(attributes)):
            node.first = int(first[1])
        elif tag in ("td", "th") and parent.tag == "tr":
            node.column = parent.cells
            parent.cells += 1
        if tag in PREFORMATTED:
            node.code = node
        elif parent and tag in CODE_LINES:
            node.code = parent.code
        self.document.nodes.append(node)
        self.stack.append(node)
