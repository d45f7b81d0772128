"""Find and mask personal data: e-mail, IP addresses, phones, US SSNs, payment cards, IBANs.

Patterns and checksums, not a model: names and street addresses are not found. What is masked
becomes a typed placeholder, `<EMAIL>`, which a tokenizer may have as one token and a reader
understands.

Reference text is full of numbers that look personal and are not, so each kind has a check beside
its pattern: a mail address ends in a domain that can exist; only public IP addresses count (not
loopback, private or documentation ones), and not where a version is named; a US SSN has hyphens,
or blanks or full stops and no other number beside it, or is named as one; cards and IBANs must have
a correct check digit, and an IBAN its country's length; for phone numbers see `phone.py`.

Sources: RFC 5322, section 3.4.1 (e-mail, without the exotic parts); IANA's root zone (top-level
domains) and, after it, ISO 3166-1; Python's `ipaddress` after IANA's registries; ISO/IEC 7812 (card
prefixes, Luhn's check digit); ISO 13616 (IBAN, modulo 97) and SWIFT's IBAN registry (lengths);
the Social Security Administration's rules for numbers never issued.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable

from crawler import phone
from crawler.pii_tables import IBAN_LENGTH, TOP_LEVEL

MAX_ROUNDS = 8  # of masking; so that a page of a million numbers in a row takes no million
PLACEHOLDER = {
    "email": "<EMAIL>",
    "ip": "<IP_ADDRESS>",
    "phone": "<PHONE>",
    "ssn": "<SSN>",
    "card": "<CARD>",
    "iban": "<IBAN>",
}

_ADDRESS = r"\w[\w.%+'-]{0,63}+@(?:[\w-]{1,63}+\.)+(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})"
_BEFORE_ADDRESS = r"(?:(?<![\w.%+])|(?<=%[\da-f][\da-f]))"  # mailto:%20jo@...
_AFTER_ADDRESS = r"(?![^\W_]|\(|[_.]\w|-+\w)"
EMAIL = re.compile(rf"<{_ADDRESS}>|{_BEFORE_ADDRESS}{_ADDRESS}{_AFTER_ADDRESS}", re.I)  # <> if both
_OCTETS = r"\d{1,3}(?:\.\d{1,3}){3}"
# of a range A-B, first A; once that is masked, B comes after `>-`
IPV4 = re.compile(rf"(?:(?<![\w.-])|(?<=>-)){_OCTETS}(?!\w|-(?!{_OCTETS}\b)\w|\.\w)")
IPV6 = re.compile(
    r"(?<![\w:.])[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{3,33}(?:[0-9a-fA-F]|::)(?!\w|:[\w:])"
)
SSN = re.compile(r"(?<![\w.+-])(\d{3})([- .]?)(\d{2})\2(\d{4})(?![\w-]|\.\d)")
SSN_NAMED = re.compile(
    r"\b(?:ssns?|ss#|social.security)(?:[^\w\n]{1,3}(?:no|nr|number|is|was)\b)*[^\w\n]{0,3}\Z", re.I
)
LAST_NUMBER, NEXT_NUMBER = re.compile(r"\d\W{0,3}\Z"), re.compile(r"\W{0,3}\d")
CARD = re.compile(
    r"(?<![\w.+-])[2-6]\d{3}(?:([ -]?)\d{4}(?:\1\d{4}){2}|([ -]?)\d{6}\2\d{4,5})(?![\w-]|\.\d)"
)
IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")

CARD_PREFIX = re.compile(r"4|5[1-5]|2[2-7]|3[47]|30[0-5]|3[68]|35|6011|64[4-9]|65")
VERSION = re.compile(r"(?:version|release|v|build|firmware|section|[=<>~!]=|oid)[:.]?\s*$", re.I)


def find(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, kind) of personal data in the text, in order, none overlapping."""
    found = [
        (*match.span(), kind)
        for kind, pattern, holds in DETECTORS
        for match in pattern.finditer(text)
        if holds(match)
    ]
    found += [(start, end, "phone") for start, end in phone.phones(text)]
    found.sort(key=lambda span: (span[0], -span[1]))
    apart: list[tuple[int, int, str]] = []
    for span in found:
        if not apart or span[0] >= apart[-1][1]:
            apart.append(span)
    return apart


def mask(text: str) -> tuple[str, Counter[str]]:
    """Return the text with placeholders for personal data, and how many of each kind."""
    counts: Counter[str] = Counter()
    for _ in range(MAX_ROUNDS):  # what is masked may have hidden its neighbour
        if not (spans := find(text)):
            break
        parts = []
        position = 0
        for start, end, kind in spans:
            parts += [text[position:start], PLACEHOLDER[kind]]
            counts[kind] += 1
            position = end
        text = "".join([*parts, text[position:]])
    return text, counts


# ---- does what looks like it hold up? ----


def _mailbox(match: re.Match) -> bool:
    local, _, domain = match[0].strip("<>").rpartition("@")
    top = domain.rpartition(".")[2].lower()
    if local == "git" and match.string[match.end() : match.end() + 1] in (":", "/"):
        return False  # the address of a repository
    return top in TOP_LEVEL or top.startswith("xn--") or not top.isascii()


def _public_ipv4(match: re.Match) -> bool:
    octets = match[0].split(".")
    if all(len(octet) == 1 for octet in octets):  # 1.2.3.4 is a version, or an example
        return False
    if VERSION.search(match.string, max(0, match.start() - 20), match.start()):
        return False
    return _is_public(match[0])


def _public_ipv6(match: re.Match) -> bool:
    return match[0].count(":") >= 3 and _is_public(match[0])


def _is_public(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
        return parsed.is_global and not parsed.is_multicast
    except ValueError:
        return False


def _issued_ssn(match: re.Match) -> bool:
    area, separator, group, serial = match.groups()
    digits = area + group + serial
    before = match.string[max(0, match.start() - 60) : match.start()]
    if separator != "-" and not SSN_NAMED.search(before):
        if not separator or phone.OTHER.search(before) or phone.NAMED.search(before):
            return False
        if LAST_NUMBER.search(before) or NEXT_NUMBER.match(match.string, match.end()):
            return False  # three of a row of numbers
    return not (
        area in ("000", "666")
        or area[0] == "9"
        or group == "00"
        or serial == "0000"
        or len(set(digits)) == 1
        or digits in ("123456789", "078051120")
        or digits.startswith("98765432")
    )


def _card(match: re.Match) -> bool:
    digits = re.sub(r"\D", "", match[0])
    return bool(CARD_PREFIX.match(digits)) and len(set(digits)) > 1 and luhn(digits)


def luhn(digits: str) -> bool:
    """Say whether the last digit is the right check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for i, digit in enumerate(map(int, reversed(digits))):
        doubled = 2 * digit if i % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _iban(match: re.Match) -> bool:
    code = match[0].replace(" ", "")
    moved = code[4:] + code[:4]
    if len(code) != IBAN_LENGTH.get(code[:2]):
        return False
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


DETECTORS: tuple[tuple[str, re.Pattern, Callable[[re.Match], bool]], ...] = (
    ("email", EMAIL, _mailbox),
    ("ip", IPV4, _public_ipv4),
    ("ip", IPV6, _public_ipv6),
    ("ssn", SSN, _issued_ssn),
    ("card", CARD, _card),
    ("iban", IBAN, _iban),
)
