"""Which runs of digits in a text are telephone numbers?

A number counts by its shape: a country code, North America's 3-3-4, or the 0 before an area code
with the digits in groups. A number without shape (`2125550123`), or with one that other numbers
have, counts after a word such as "phone". Dates, ISBNs and other numbers that say what they are do
not count. No table of the area codes in use: `+999 12 345 678` counts too.

Sources: ITU-T E.164 (at most 15 digits, country codes begin with 1..9), E.123 (how to write them);
North American Numbering Plan (area and exchange begin with 2..9).
"""

import re
from collections.abc import Iterator

# Possessive (`++`, `*+`), so that a run of digits is read once, however long it is. One that goes
# on as no number does is found as well: else it would be read again from each place within it.
CANDIDATE = re.compile(
    r"""
    (?<![\w+.,;/\#$€£=^*)-])(?<![\d:]:)(?<![\w)]\()(?:(?<!\d[ \u00a0])|(?=\+))
    (?P<run>\+?(?:\(\+?\d{1,5}+\)|\d++)(?:[ \u00a0./–-]?(?:\(\d{1,5}+\)|\d++))*+)
    (?:[ ,]{0,2}(?:x|ext\.?|extension|\#)[ .:]?\d{1,6}(?![\w-]))?+
    (?P<goes_on>(?=[\w^*=%(]|[.,:/–-]\d|[ \u00a0]\d|\.\w))?+
    """,
    re.I | re.X,
)
_TAIL = re.compile(r"[ ,]*(?:x|ext|#)[^()]*$", re.I)

INTERNATIONAL = re.compile(r"(?:\+|00|\(\+)[1-9][\d ().\u00a0/–-]+")
NORTH_AMERICAN = re.compile(
    r"(?:\+?1[ .-]?|001[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d([ ./-]))\d{3}[ .-]\d{4}"
)
TRUNK = re.compile(r"(?:\(0[1-9]\d{0,4}\)[ /-]?|0[1-9]\d{0,4}[ ./\u00a0-])\d?[\d .\u00a0/-]+")
AREA = re.compile(r"\(\d{2,4}\) ?\d{3,4}[ -]?\d{3,4}")
_DATE = r"(?:(?:19|20)\d\d[./ -][01]?\d[./ -][0-3]?\d|[0-3]?\d[./ -][0-3]?\d[./ -](?:19|20)?\d\d)"
DATES = re.compile(rf"{_DATE}(?: ?[ –-] ?{_DATE})?(?: \d\d)?")
DECIMAL = re.compile(r"\+\d{4,}\.\d+")  # `+1557.96930`; a country code has three digits at most

# right before a number of 7 digits or more
NAMED = re.compile(
    r"\b(?:phone|tel|telephone|mobile|cell|cellphone|fax|whatsapp|hotline|dial|sms|ph)[^\w\n]{1,4}"
    r"(?:(?:at|number|no|me|is|on|my|the|or|was|to|text|toll|free|us)\b[^\w\n]{1,3}){0,3}\Z",
    re.I,
)
# somewhere before a number of 9 digits or more
NEAR = re.compile(
    r"\b(?:(?:tele)?phones?|tel|mobile|cell|fax|call|ring|text|whatsapp|hotline|dial|sms|contact"
    r"|reach|office|reservations|my number)\b",
    re.I,
)
# right before a number, says that it is something else
OTHER = re.compile(
    r"\b(?:isbn(?:-1[03])?|issn|doi|arxiv|rfc|uuid|id|order|invoice|ticket|serial|case|account|model"
    r"|part|version|upc|ean|sku|patent|timestamp|pages?|lat|lon|returned|row|matrix|bits?|zip|ratio)"
    r"[^\w\n]{1,4}(?:(?:no|nr|number|num|code)\b[^\w\n]{0,3})?\Z",
    re.I,
)


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the telephone numbers in a text."""
    at = 0
    while match := CANDIDATE.search(text, at):
        goes_on = match["goes_on"] is not None
        if not goes_on and is_phone(text, *match.span()):
            yield match.span()
        at = match.end("run" if goes_on else 0)  # what seemed an extension may be a number


def is_phone(text: str, start: int, end: int) -> bool:
    """Say whether the digits at a place in a text are a telephone number."""
    number = _TAIL.sub("", text[start:end])
    digits = "".join(filter(str.isdigit, number))
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3 or DATES.fullmatch(number):
        return False
    if DECIMAL.fullmatch(number):
        return False
    before = text[max(0, start - 40) : start].rpartition("\n")[2]
    if OTHER.search(before):
        return False
    return _has_shape(number, digits) or (
        NAMED.search(before) is not None or (len(digits) >= 9 and NEAR.search(before) is not None)
    )


def _has_shape(number: str, digits: str) -> bool:
    if NORTH_AMERICAN.fullmatch(number) or AREA.fullmatch(number):
        return True
    if INTERNATIONAL.fullmatch(number):
        return len(digits) >= 9 and not set(digits[3:]) <= {"0"}
    if set(digits) <= {"0", "1"}:  # a binary number
        return False
    return 9 <= len(digits) <= 12 and TRUNK.fullmatch(number) is not None
