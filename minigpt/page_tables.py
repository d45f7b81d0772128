"""The tables of a page -> the rows that have a name in one cell, and in another what it is.

A cleaned page (crawler/html_text.py) has a table's rows as lines, and its head as the first of them
or in a paragraph before:

    Field | Type | Description           the head says which cells tell

    rope_ends | integer | How many ends
    rope_age | date | When it was made

    Knot.tie(rope) | Tie a rope to this  without a head: two cells, of which the second tells
    Knot.untie() | Take it off again

    TieRope Directive                    a heading, and beneath it what there is to say of it

    Description: | Tie a rope
    Syntax: | TieRope length

Tables whose cells are paragraphs are written as these: see calls_alike.

Which names are asked for is in any_page.py, which sentences tell what a thing is in telling.py.
"""

import re

from minigpt.page_title import without_sign
from minigpt.telling import telling
from minigpt.term_line import LONGEST_NAME, defined, gives

CELLS = re.compile(r" \|(?= |$)")
# The heads of cells that tell; of those with another, "Form field", it is not certain that they do.
TELLS = re.compile(
    r"(?:(?:short|brief) )?(?:action|definition|description|effect|explanation|meaning|purpose|"
    r"summary|what it (?:does|is))",
    re.IGNORECASE,
)
MOST = 0.8  # share of the rows that tell, of a table without a head
WORDS = 3  # of prose in what such a row tells, on average
PROSE = re.compile(r"(?:a|[a-z]{2,})[ ,/-]")  # and no name: "rope_ends says how many"
PLAIN = re.compile(r"(?<![\w.:=(-])[A-Z]?[a-z]+(?![\w:=(-]|\.\w)")
SYNTAX = re.compile(r"(?:Syntax|Usage|Synopsis):")
# No name of a table that does not say that it has some: "Monday-Friday", "Jean-Paul".
PROPER = re.compile(r"[A-Z]\w*(?:-[A-Z]\w*)+")
HEADING = re.compile(r"<?([A-Za-z_][\w.:-]*)>?(?: (?i:command|directive|option|setting))?")


def told_rows(paragraphs, i):
    """Return [(name, what is told of it, whether it is surely a name)] of the table at `i`.

    It is [] where paragraph `i` is none. The name is what the first cell has, "Knot.tie(rope)".
    """
    rows = rows_of(paragraphs[i])
    before = paragraphs[i - 1] if i else ""
    if not rows:
        return []
    if rows[0][0] == "Description:":
        return [(name, of_cell(rows[0][1]), True) for name in heading(before, rows)]
    above = rows_of(before)
    has_head = len(above) == 1
    head = above[0] if has_head else rows[0]
    column = next((j for j, cell in enumerate(head) if j and TELLS.fullmatch(cell)), None)
    if column is not None:
        rows = [row for row in rows[not has_head :] if column < len(row) <= len(head)]
        return [(row[0], of_cell(row[column]), False) for row in rows]
    found = [(row[0], of_cell(row[1]), False) for row in rows if len(row) == 2]
    found = [row for row in found if row[1] and not PROPER.fullmatch(row[0])]
    n_words = sum(len(PLAIN.findall(said)) for _, said, _ in found)
    is_telling = len(found) >= max(2, MOST * len(rows)) and n_words >= WORDS * len(found)
    return found if is_telling and not has_head else []


def described(paragraph, before):
    """Return what a table says in its first row, "Description: | Tie a rope", "" for nothing.

    It is about the whole page, unless the paragraph `before` is a heading: see above.
    """
    rows = rows_of(paragraph)
    is_of_page = rows and rows[0][0] == "Description:" and not heading(before, rows)
    return of_cell(rows[0][1]) if is_of_page else ""


def calls_alike(blocks, i):
    """Return (name, arguments, True) of each of several calls that take the same, till block `i`.

    They say what they give, as in tables of functions, each in a line of its own:

        length ( text ) → integer

        size ( text ) → integer

        Returns the number of characters in the text.
    """
    found = []
    if i + 1 == len(blocks) or gives(blocks[i + 1]):
        return found
    while i >= 0 and gives(blocks[i]):
        call = defined(blocks[i])
        if not call or (found and call[1] != found[0][1]):
            break
        found, i = [*found, call], i - 1
    return found


def rows_of(paragraph):
    """Return the rows of a table, lists of cells; [] of what is none, as of code."""
    if "  " in paragraph:
        return []
    rows = [[cell.strip() for cell in CELLS.split(line)] for line in paragraph.split("\n")]
    return rows if all(len(row) > 1 for row in rows) else []


def heading(line, rows):
    """Return [name] of a heading, where a row says that one writes it so, else []."""
    match = HEADING.fullmatch(without_sign(line))
    if not match or len(match[1]) > LONGEST_NAME:
        return []
    begins = re.compile(rf"<*{re.escape(match[1])}(?!\w)")
    is_name = any(SYNTAX.fullmatch(row[0]) and begins.match(row[1]) for row in rows)
    return [match[1]] if is_name else []


def of_cell(cell):
    """Return the sentence of a cell that tells what something is, "" for none: see telling.

    It need have neither a capital nor a full stop: "a bend in a rope" -> "A bend in a rope."
    """
    if PROSE.match(cell):
        cell = cell[0].upper() + cell[1:]
    return telling(cell if cell.endswith((".", "!", "?", ":")) else f"{cell}.")
