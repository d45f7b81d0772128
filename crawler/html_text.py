"""Blocks of a page -> plain text that keeps the shape of lists, tables, definitions and code.

Not Markdown: headings and emphasis carry no marks. Paragraphs are separated by a blank line; list
items stand on lines of their own with `- `, or their number, indented by depth; the cells of a
table row are joined by ` | `, and an empty one before another keeps its place; a definition is
indented below its term, whether that is a dt or a heading (`definitions.py`).
"""

import textwrap
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest

from crawler.definitions import Definitions
from crawler.html_tree import HEADINGS, Block, Node

MAX_CELL = 120  # characters of a cell of several lines; a longer one is a text
MAX_INDENT = 24  # columns; deeper lists stop moving right


def render(blocks: list[Block]) -> str:
    """Write blocks, in order, as text."""
    tables = data_tables(blocks)
    numbers: Counter[Node] = Counter()  # items written so far, by list
    reached: Counter[Node] = Counter()  # columns up to what was written last, by table row
    seen: set[Node] = set()  # items begun
    parts: list[str] = []
    before: _Place | None = None
    definitions = Definitions()
    sections = _sections(blocks)
    for block, after in zip_longest(blocks, blocks[1:]):
        depth, is_left_out, begins_text = definitions.depth(block, after)
        if is_left_out:
            continue
        place = _place(block, sections)
        place.indent = min(place.indent + 4 * depth, MAX_INDENT)
        place.in_table = place.row is not None and place.row.parent in tables
        begins = place.item is not None and place.item not in seen
        separator = _separator(before, place, begins) if before else ""
        if begins_text and separator == "\n\n":
            separator = "\n"
        bullet = ""
        if begins:
            seen.add(place.item)
            if place.item.tag == "li":
                of_list = place.item.parent
                number = numbers[of_list] + of_list.first if of_list else 1
                numbers[of_list] += 1
                bullet = f"{number}. " if of_list and of_list.tag == "ol" else "- "
        # texinfo writes `kind: name`, and `: name` for a definition without a kind
        text = block.text.removeprefix(": ") if block.node.tag == "dt" else block.text
        if definitions.is_head:
            text = " ".join(text.split())
        if place.in_table:
            text = "| " * (place.column - reached[place.row]) + " ".join(text.split())
        for cell in place.cells:
            reached[cell.parent] = cell.column + 1
        if separator != " | ":
            text = textwrap.indent(text, " " * place.indent)
            if bullet:
                text = " " * max(0, place.indent - 2) + bullet + text[place.indent :]
        parts += [separator, text]
        before = place
    return "".join(parts)


@dataclass(slots=True)
class _Place:
    """Where a block stands."""

    row: Node | None  # the table row of which it is a cell
    column: int = 0  # in that row
    cells: list[Node] = field(default_factory=list)  # in which it stands, however deep
    indent: int = 0  # columns
    item: Node | None = None  # innermost li or dd
    definitions: Node | None = None  # innermost dl
    in_table: bool = False  # the table is one of data, not of layout


def table_row(block: Block) -> Node | None:
    """Return the table row of which the block is a cell, or a paragraph in one, else None."""
    cell = block.node
    if cell.tag in ("p", "div") and cell.parent:
        cell = cell.parent
    row = cell.parent
    return row if cell.tag in ("td", "th") and row and row.tag == "tr" else None


def data_tables(blocks: list[Block]) -> set[Node | None]:
    """Return the tables (or their sections) that are written as rows of cells.

    A table of data has a row of several cells, and no cell of several paragraphs or long lines.
    Other tables are there for the layout, and are written as what they hold.
    """
    cells: Counter[Node] = Counter()  # cells with text, by row
    seen: set[Node | None] = set()
    layout: set[Node | None] = set()
    for block in blocks:
        if row := table_row(block):
            cell = block.node if block.node.parent is row else block.node.parent
            if cell in seen or len(block.text) > (MAX_CELL if "\n" in block.text else 1000):
                layout.add(row.parent)
            seen.add(cell)
            cells[row] += 1
    return {row.parent for row, count in cells.items() if count > 1} - layout


def _sections(blocks: list[Block]) -> set[Node]:
    """Return the items of bullet lists that begin with a heading, as methods of a class may.

    They are sections of the page, and the list is there for the layout.
    """
    found: set[Node] = set()
    seen: set[Node] = set()
    for block in blocks:
        node: Node | None = block.node
        while node and node not in seen:
            seen.add(node)
            is_bullet = node.tag == "li" and not (node.parent and node.parent.tag == "ol")
            if is_bullet and block.node.tag in HEADINGS:
                found.add(node)
            node = node.parent
    return found


def _place(block: Block, sections: set[Node]) -> _Place:
    place = _Place(table_row(block))
    node: Node | None = block.node
    if place.row:
        place.column = (node if node.parent is place.row else node.parent).column
    while node:
        if node.tag in ("li", "dd") and node not in sections:
            place.item = place.item or node
            place.indent += 2 if node.tag == "li" else 4
        elif node.tag == "dl":
            place.definitions = place.definitions or node
        elif node.tag in ("td", "th") and node.parent.tag == "tr":
            place.cells.append(node)
        node = node.parent
    place.indent = min(place.indent, MAX_INDENT)
    return place


def _separator(before: _Place, place: _Place, begins: bool) -> str:
    if place.in_table and before.in_table:
        if place.row is before.row:
            return " | "
        if place.row.parent is before.row.parent:
            return "\n"
    if begins and place.item.tag == "li" and before.item:
        return "\n"
    if begins and place.item.tag == "dd" and before.definitions is place.definitions:
        return "\n"
    return "\n\n"
