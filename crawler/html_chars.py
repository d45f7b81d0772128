"""The characters of a page as a reader sees them: references replaced, blanks collapsed.

`&amp;` and `&#8212;` are references (HTML Living Standard, section 13.5); `html.unescape` of the
standard library knows them all, and is only kept from what it cannot read. No entity that a page
defines itself is ever expanded, so nothing can grow: HTML has no such entities.
"""

import html
import re
from html.entities import html5

# A number of thousands of digits names no character, and Python refuses to read it.
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{20,}+;?")


def unescape(text: str) -> str:
    """Replace character references (`&amp;`, `&#8212;`) by what they stand for."""
    if "&" not in text:
        return text
    return html.unescape(_LONG_NUMBER.sub("\ufffd", text))


# With the `;` or `=` behind it; `html5` has names with their semicolon, and some without one too.
_NAME = re.compile(r"&([A-Za-z][A-Za-z0-9]*+[;=]?)")


def unescape_attribute(text: str) -> str:
    """Replace the references in an attribute's value, where `?a=1&section=2` has no `&sect;`.

    There a name without a semicolon counts only if neither a letter, a digit nor `=` follows (HTML
    Living Standard, section 13.2.5.73).
    """
    if "&" not in text:
        return text
    return unescape(_NAME.sub(lambda m: m[0] if m[1] in html5 else f"&amp;{m[1]}", text))


NO_WIDTH = "\xad\u200b\u2060\ufeff"
_SPACE = re.compile(r"[ \t\n\r\f]+")
_BREAK = re.compile(r" ?\0 ?")


def visible(text: str, preformatted: bool) -> str:
    """Return text as a browser shows it: blanks collapse, but no-break ones stay.

    What has no width goes, such as soft hyphens, where a word might be cut: else a word is two.
    """
    text = unescape(text)
    for character in NO_WIDTH:
        text = text.replace(character, "")
    if preformatted:
        text = text.replace("\0", "\n").replace("\r\n", "\n").replace("\r", "\n")
    else:
        if "\0" not in text and "\xa0" not in text:
            return " ".join(text.split())
        text = _SPACE.sub(" ", text)
        text = _BREAK.sub("\n", text.strip(" \0"))
    text = text.replace("\xa0", " ")
    if "\n" not in text:
        return text.strip()
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    return "\n".join(lines[first:] if preformatted else map(str.rstrip, lines[first:])).rstrip()
