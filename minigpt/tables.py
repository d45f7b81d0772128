"""What an evaluation says, before it is drawn: tables, texts and curves as plain data.

A section is a dict {"title", "parts"}; a part is a dict with its "kind", as the functions below
make them, so that a report is JSON. `to_text` writes a part for the terminal or for Markdown; for
the page see report.py and pictures.py.

A column is (name, format), the format as in Python's format(): "" leaves a value as it is. None
is a value that there is not.
"""

import html
import math
import re

# ---- parts ------------------------------------------------------------------------------------


def words(text):
    """A paragraph; what stands in `backticks` is code."""
    return {"kind": "words", "text": " ".join(text.split())}


def table(caption, columns, rows):
    """A table: columns of (name, format), rows of values."""
    columns = [list(column) for column in columns]  # as JSON gives them back
    return {"kind": "table", "caption": caption, "columns": columns, "rows": rows}


def sample(caption, text):
    """A text as it was written."""
    return {"kind": "sample", "caption": caption, "text": text}


def folded(caption, names):
    """A long list of names, of which only the caption shows at first."""
    return {"kind": "folded", "caption": caption, "names": names}


def lines(caption, x, y, series, log_x=False):
    """Curves: names of the axes, and a dict from each curve's name to its points [x, y]."""
    return {"kind": "lines", "caption": caption, "x": x, "y": y, "series": series, "log_x": log_x}


def bars(caption, rows, format, top=None):
    """Horizontal bars: rows of (name, value), the format of the values, and what is a full bar."""
    return {"kind": "bars", "caption": caption, "rows": rows, "format": format, "top": top}


# ---- numbers ----------------------------------------------------------------------------------


def show(value, format):
    """Return a value as text."""
    if value is None:
        return "–"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return f"{value:{format}}"


def interval(right, n):
    """Return the 95 % interval of a share, `right` of `n`, as text.

    Wilson 1927, "Probable Inference": it stays within 0 and 1 and holds for small n.

    >>> interval(9, 10), interval(900, 1000)
    ('60% to 98%', '88% to 92%')
    """
    if not n:
        return "–"
    z = 1.96
    p, spread = right / n, z * math.sqrt(right / n * (1 - right / n) / n + z * z / (4 * n * n))
    low, high = ((p + z * z / (2 * n) + s) / (1 + z * z / n) for s in (-spread, spread))
    return f"{max(low, 0):.0%} to {min(high, 1):.0%}"


# ---- for the terminal and for Markdown --------------------------------------------------------


def to_text(part, markdown=False):
    """Return a part as text; "" for a picture.

    For the terminal, or with `markdown` such that what was crawled shows as it is there, too.
    """
    if part["kind"] == "words":
        return part["text"]
    if part["kind"] == "sample":
        return f"{part['caption']}:\n\n{fenced(part['text'])}"
    if part["kind"] == "folded":
        if not markdown:
            return f"{part['caption']}: {', '.join(part['names'])}"
        inside = f"<summary>{html.escape(part['caption'])}</summary>\n\n"
        return f"<details>{inside}{fenced(chr(10).join(part['names']))}\n\n</details>"
    if part["kind"] == "table":
        return f"**{part['caption']}**\n\n{aligned(part['columns'], part['rows'], markdown)}"
    return ""


def fenced(text):
    """Return a text of several lines as a block of Markdown in which nothing is special."""
    text, fence = text.replace("\r", ""), "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def aligned(columns, rows, markdown=False):
    """Return a Markdown table whose columns are as wide as what stands in them.

    >>> print(aligned([("answer", ""), ("share", ".0%")], [["right", 0.5]]))
    | answer | share |
    | ------ | ----: |
    | right  |   50% |
    """
    special = r"([|\\`*_<>\[\]&~])" if markdown else r"([|])"
    formats = [format for _, format in columns]
    cells = [[name for name, _ in columns]]
    for row in rows:
        shown = [show(*pair) for pair in zip(row, formats, strict=True)]
        cells.append([re.sub(special, r"\\\1", " ".join(text.split())) for text in shown])
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    head, *body = ([*map(padded, row, widths, formats)] for row in cells)
    rule = ["-" * (width - 1) + (":" if is_number(format) else "-")
            for width, format in zip(widths, formats, strict=True)]  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))


def padded(text, width, format):
    """Return a cell's text made as wide as its column, a number set to the right."""
    return text.rjust(width) if is_number(format) else text.ljust(width)


def is_number(format):
    """Tell whether a column of this format is set to the right."""
    return format != ""
