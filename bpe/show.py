"""Show the tokens of a text in the terminal, each in a colour of its own.

White space is made visible (· space, → tab, ↵ line end); whatever else a terminal would not print,
or would obey, is written as Python writes it in a str: \\x1b, \\u200d. So are the bytes of a token
that holds only part of a character: \\xe7\\xb2. Without colour, tokens are parted by "|".

This is not the page for the browser (`page.py`) nor the making of tokens (`merges.py`).
"""

import os
import unicodedata
from collections.abc import Iterable
from typing import TextIO

from bpe.split import to_bytes

MARKS = {" ": "·", "\t": "→", "\n": "↵"}
# Backgrounds of the xterm palette, light enough for black letters: they read the same on a dark
# terminal and on a light one.
BACKGROUNDS = (153, 222, 157, 218, 189, 216)


def wants_colour(stream: TextIO) -> bool:
    """Tell whether to write colours: to a terminal that knows them, unless NO_COLOR is set."""
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    return terminal and not os.environ.get("NO_COLOR")  # https://no-color.org


def visible(token: bytes) -> str:
    """Write a token so that all of it can be seen and none of it can command a terminal."""
    text = token.decode("utf-8", "backslashreplace")
    shown = "".join(MARKS.get(c) or (c if c.isprintable() else escape(c)) for c in text)
    if unicodedata.category(text[0]).startswith("M"):
        return "◌" + shown  # an accent, which would sit on the token before
    return shown


def escape(char: str) -> str:
    """Write a character as Python does in a str."""
    return char.encode("unicode_escape").decode("ascii")


def paint(text: str, i: int, colour: bool) -> str:
    """Give `text` the background number `i`; only if `colour`."""
    if not colour:
        return text
    return f"\x1b[38;5;16;48;5;{BACKGROUNDS[i % len(BACKGROUNDS)]}m{text}\x1b[0m"


def draw_tokens(tokens: Iterable[bytes], colour: bool) -> str:
    """Draw tokens side by side; a line end in one of them begins a new line."""
    drawn = []
    for i, token in enumerate(tokens):
        lines = visible(token).replace("↵", "↵\n").split("\n")
        drawn.append("\n".join(line and paint(line, i, colour) for line in lines))
    return ("" if colour else "|").join(drawn)


def count(text: str, num_tokens: int) -> str:
    """Say how long a text is, in characters, bytes and tokens."""
    num_bytes = len(to_bytes(text))
    ratio = f", {num_bytes / num_tokens:.2f} bytes per token" if num_tokens else ""
    amounts = {"character": len(text), "byte": num_bytes, "token": num_tokens}
    return ", ".join(f"{n:,} {what}{'s' * (n != 1)}" for what, n in amounts.items()) + ratio
