"""What HTML is made of: the pattern of a token, and of what is read in attributes and scripts.

Not here: what tokens mean (`html_tree.py`). Source: HTML Living Standard, 13.2.5, simplified.
"""

import re

# Possessive quantifiers (`*+`) never give back what they took, and every alternative also ends at
# the end of the page (\Z): so no token is tried twice, and time is linear whatever the page holds.
_COMMENT = r"<!--(?:-?>|[^-]*+(?:-(?!-!?>)[^-]*+)*+(?:--!?>|\Z))"
_ATTRIBUTES = r"""[^>=]*+(?:=\s*+(?:"[^"]*"|'[^']*'|[^>\s]*+)[^>=]*+)*+(?:>|\Z)"""
_RAW = "(?i:script|style|title|textarea)"
TOKEN = re.compile(
    rf"([^<]*+)(?:{_COMMENT}"
    rf"|<({_RAW})(?=[\s/>])({_ATTRIBUTES})([^<]*+(?:<(?!/(?i:\2))[^<]*+)*+)(?:</[^>]*+>?|\Z)"
    rf"|<(/?[a-zA-Z][^\s/>]*+)({_ATTRIBUTES})"
    r"|<[!?/][^>]*+>?|(<)|\Z)"
)

# What a page says about itself: schema.org's types (JSON-LD, microdata) and Open Graph's.
JSON_TYPE = re.compile(r'"@type"\s*+:\s*+(?:\[\s*+)?"([\w:/.]{1,60})"')
ITEM_TYPE = re.compile(r"""itemtype\s*=\s*["']?https?://schema\.org/(\w{1,60})""", re.I)
OPEN_GRAPH_ARTICLE = re.compile(
    r"""og:type.{0,20}["' ]article\b|["' ]article\b.{0,20}og:type""", re.I
)

START = re.compile(r"""\sstart\s*+=\s*+["']?(\d{1,6})(?!\d)""", re.I)
HREF = re.compile(r"""(?:^|[\s"'/])href\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", re.I)
_TURNS_PAGE = re.compile(
    r"""(?:^|[\s"'/])(?:rel\s?=\s?["']?(?:next|prev|previous|up)\b|accesskey\s?=\s?["']?[nphui]\b)"""
)


def turns_page(attributes: str) -> bool:
    """Say whether a link says that it leads to the next page, the one before or the one above."""
    attributes = attributes[:500].lower()
    if "rel" not in attributes and "accesskey" not in attributes:  # of most; the pattern is slower
        return False
    return _TURNS_PAGE.search(attributes) is not None
