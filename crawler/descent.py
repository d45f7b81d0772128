"""Which element of a page holds its main text? Go down from body while one child holds most of it.

    body             100 of 100: it has everything
      nav            weighs nothing
      div  "page"    100 of 100: down
        div  "text"  85 of 100: down again, since the share asked for is 0.7
          p          10 of 85
        div  "teasers"  15 of 100: left behind

A page that says what it is (by schema.org's types, as newspapers do) is believed. A page that says
nothing may be a chapter of a manual: its `section`s belong together, though one may hold most of
the text, and the sentences beneath its h1 belong to them.
"""

from collections.abc import Callable

from crawler.boilerplate import MIN_KEPT
from crawler.html_tree import Block, Document, Node

IN_MARKED = 0.25  # the share for `article` and `main`, by which the author marks the main part
MARKED = 3  # these count so many times as much as their siblings
NO_CONTAINER = frozenset({"p", "li", "td", "th", "pre", "blockquote", "dl", "ul", "ol"})


def main_element(
    document: Document, blocks: list[Block], weigh: Callable[[Block], float], most: float
) -> list[Block]:
    """Return the blocks in the deepest element that holds the share `most` of the weight."""
    root = descend(document.nodes, blocks, weigh, most, may_be_manual=not document.types)
    inside = _below(root, document.nodes)
    return [block for block in blocks if block.node in inside]


def descend(
    nodes: list[Node],
    blocks: list[Block],
    weigh: Callable[[Block], float],
    most: float,
    may_be_manual: bool = False,
) -> Node:
    """Return the deepest element that still holds the share `most` of the weight around it.

    Of a row of elements of one kind, as posts are, none is descended into; in a manual the others
    may be as short as a synopsis.
    """
    for block in blocks:
        block.node.weight += weigh(block)
    parts = _with_text(blocks) if may_be_manual else set()
    children: dict[Node, list[Node]] = {}
    for node in reversed(nodes):  # children stand after their parents
        if node.parent and (node.weight or node in parts):
            node.parent.weight += node.weight
            children.setdefault(node.parent, []).append(node)
    root = nodes[0]
    while below := children.get(root):
        best = max(below, key=lambda node: node.weight * (MARKED if node.semantic else 1))
        enough = IN_MARKED if best.semantic else most
        if not best.weight or best.tag in NO_CONTAINER or best.weight < enough * root.weight:
            break
        if any(_belongs_with(best, sibling, parts) for sibling in below if sibling is not best):
            break
        root = best
    return root


def _with_text(blocks: list[Block]) -> set[Node]:
    """Return the sections and divisions that hold a block without links, however short."""
    found: set[Node] = set()
    seen: set[Node] = set()
    for block in blocks:
        node: Node | None = None if block.linked else block.node
        while node and node not in seen:
            seen.add(node)
            if node.tag in ("section", "div"):
                found.add(node)
            node = node.parent
    return found


def _belongs_with(best: Node, sibling: Node, parts: set[Node]) -> bool:
    """Say whether leaving the sibling behind would cut a text in two."""
    is_part = best.tag == "article" or (best.tag == "section" and best in parts)
    same_class = is_part or (best.name and best.name == sibling.name)
    has_text = sibling.weight > MIN_KEPT or sibling in parts
    if best.tag == sibling.tag and same_class and has_text:  # one of a row: posts, sections, cards
        return True
    return sibling.tag == "p" and not best.semantic  # an opening or closing paragraph


def _below(root: Node, nodes: list[Node]) -> set[Node]:
    inside = {root}
    for node in nodes:
        if node.parent in inside:
            inside.add(node)
    return inside


def with_subtitle(found: list[Block], blocks: list[Block], document: Document) -> list[Block]:
    """Put what stands beneath the page's h1 back in front, if the descent left both behind.

    A manual page says there what it is about: `div id=header` holds `h1 git-add(1)`, `h2 NAME` and
    `p git-add - Add file contents to the index`. A newspaper says there who wrote it, and when.
    """
    if document.types or not found:
        return found
    before = blocks[: blocks.index(found[0])]
    headings = [i for i, block in enumerate(before) if block.node.tag == "h1"]
    if not headings:
        return found
    around = before[headings[-1]].node.parent
    inside = _below(around, document.nodes) if around else set()
    return [*(b for b in before[headings[-1] + 1 :] if b.node in inside), *found]
