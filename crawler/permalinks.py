"""Signs by which a heading or a definition links to itself, taken out before a page is read.

    <h2>The harbour<a href="#harbour">¶</a></h2>     The harbour
    <h2>C#<a href="#c">#</a></h2>                    C#
    <a class="permalink" href="#c">link</a>          nothing
    <a href="#pounds">+</a>                          +: no sign that is used so
    load(cargo) <a href="src/boat.html">Source</a>   load(cargo)

A sign goes only where it is all that a link says, and the link leads into its own page: a `#` that
belongs to the text stays. A word such as "link" goes if the link's class calls it a permalink.
"""

import re

from crawler.html_chars import unescape

SIGNS = frozenset("¶#§🔗⚓☍◆")
WORDS = re.compile(r"(?:permanent |perma|header ?|heading )?link|anchor", re.I)
NAMED = re.compile(r"perma-?link|(?:header|heading|hash|anchor)-?(?:link|anchor)", re.I)
INTO_ITS_PAGE = re.compile(r"""href\s?=\s?["']?#""", re.I)
# `[source]`, `Source` behind a definition: leads to a page that shows the program, in a folder src
# or _modules. One that leads to an archive or to a site may be a word of a sentence.
SOURCE = re.compile(r"\[(?:source|src)\]|(?:view )?source|src", re.I)
SOURCE_PLACE = re.compile(r"""["'/=]src(?:-html)?/[^"'\s]*\.html|_modules/""")

# A link and all it says, up to 30 characters: one pass over the page finds them, and of these few
# the rest is asked. Bounded or possessive throughout: each part is tried once, so time is linear.
# In the link there may be other inline elements around the text.
_TAGS = r"(?:\s*+<(?!/?[aA][\s>])[^<>]{1,300}+>)*+\s*+"
LINK = re.compile(rf"<[aA]\s([^<>]{{0,800}}+)>{_TAGS}([^<]{{1,30}}+){_TAGS}</[aA]>")


def without_permalinks(source: str) -> str:
    """Return the source of a page without such links, and without those to a definition's code."""
    pieces, at = [], 0  # LINK.sub would copy every page, also those without such links
    for link in LINK.finditer(source):
        if _says_nothing(link):
            pieces.append(source[at : link.start()])
            at = link.end()
    return "".join(pieces) + source[at:] if pieces else source


def _says_nothing(link: re.Match) -> bool:
    attributes, text = link[1], unescape(link[2]).strip(" \t\r\n\xa0\ufe0e\ufe0f\u200b")
    if text in SIGNS or WORDS.fullmatch(text):
        is_sign = text in SIGNS or NAMED.search(attributes)
        return bool(is_sign and INTO_ITS_PAGE.search(attributes))
    is_public = text.startswith("[") and "/blob/" in attributes  # as on GitHub
    return bool(SOURCE.fullmatch(text) and (is_public or SOURCE_PLACE.search(attributes)))
