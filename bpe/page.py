"""Show the tokens of a text in a page for the browser, made of one file.

The page (`page.html`) asks nobody for anything: style, script and data are in it. The data is JSON
in a script element, where "<" is written \\u003c, so that no text can end the element; the page
puts it on the screen as text, never as HTML; and its Content-Security-Policy lets only the one
script run whose digest it names (Content Security Policy Level 3, section 2.3.1).

The data: {"source", "characters", "bytes", "cut": how many characters are drawn if not all,
"panels": [{"name", "symbols", "tokens", "special": ids, "groups"}]}. A group is the least that is
both whole tokens and whole characters, as a reader sees characters (Unicode Standard Annex 29;
where such a character has over 16 code points, each of them is taken for one):
[text, id] for a token that is just that, else [text, id, bytes in hexadecimal, id, bytes, ...].

This is not the drawing, which is in `page.html`.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from itertools import accumulate, chain
from pathlib import Path

import regex

from bpe.split import to_bytes, to_text
from bpe.tokenizer import Tokenizer

TEMPLATE = Path(__file__).with_name("page.html")
DRAWN_CHARS = 50_000  # of a longer text only so much is drawn: a browser takes seconds for it
LONGEST_CHARACTER = 16  # code points; family emoji have 11, heaps of accents any number


def page(
    text: str, source: str, tokenizers: Mapping[str, Tokenizer], allow_special: bool = False
) -> str:
    """Make the page that shows `text` as the tokens of each of `tokenizers`, by name."""
    data = {
        "source": source,
        "characters": len(text),
        "bytes": len(to_bytes(text)),
        "cut": DRAWN_CHARS if len(text) > DRAWN_CHARS else None,
        "panels": [panel(text, name, tokenizers[name], allow_special) for name in tokenizers],
    }
    template = TEMPLATE.read_text(encoding="utf-8")
    script = re.search("<script>(.*?)</script>", template, re.DOTALL)[1]
    values = {
        "source": html.escape(source).encode("ascii", "xmlcharrefreplace").decode(),
        "digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "data": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda name: values[name[1]], template)


def panel(text: str, name: str, tokenizer: Tokenizer, allow_special: bool) -> dict:
    """Make what the page needs of one tokenizer."""
    ids = tokenizer.encode(text, "all" if allow_special else (), disallowed_special=())
    drawn, num_chars = [], 0
    for group in groups(text, ids, tokenizer.decode_tokens_bytes(ids)):
        if num_chars >= DRAWN_CHARS:
            break
        drawn.append(group)
        num_chars += len(group[0])
    return {
        "name": name,
        "symbols": tokenizer.n_vocab,
        "tokens": len(ids),
        "special": sorted(tokenizer.special_tokens.values()),
        "groups": drawn,
    }


def groups(text: str, ids: list[int], tokens: list[bytes]) -> Iterator[list]:
    """Yield the groups of a text, as the module's docstring lays them out."""
    characters = regex.findall(r"\X", text)
    characters = chain.from_iterable([c] if len(c) <= LONGEST_CHARACTER else c for c in characters)
    ends = set(accumulate(len(to_bytes(character)) for character in characters))
    group, end = [], 0
    for id, token in zip(ids, tokens, strict=True):
        group.append((id, token))
        end += len(token)
        if end in ends:
            whole = to_text(b"".join(token for _, token in group))
            if len(group) == 1:
                yield [whole, id]
            else:
                yield [whole, *chain.from_iterable((id, t.hex(" ").upper()) for id, t in group)]
            group = []
