"""Cut text into chunks with NumPy: the chunks of `split.py`, many times as fast.

Where a chunk begins follows, with few exceptions, from the kind of a character and the kinds of
those beside it. So the kinds of all characters are looked up at once, and the rules of the two
named patterns are operations on whole arrays. What is rare (apostrophes, numbers of four digits
and more, blank lines) is put right afterwards, at the places where it happens.

Several texts are cut in one go: joined, with a stop behind each, a character of a kind of its own.

This is not the place to learn the patterns (`split.py`), and one of your own is not cut here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import regex

from bpe.split import GPT2, GPT4

# Kinds of characters, a bit each. A space is WHITE and BLANK, a line end WHITE and BREAK, an
# apostrophe MARK and QUOTE. MARK is whatever is no letter, number or white space.
LETTER, NUMBER, MARK, WHITE, BLANK, BREAK, QUOTE, STOP = (1 << i for i in range(8))
DARK = LETTER | NUMBER | MARK

# For each kind of character, the kinds that go on with its chunk when they follow it.
JOINS = {
    GPT4: {
        LETTER: LETTER,
        NUMBER: NUMBER,
        MARK: MARK | BREAK,
        WHITE: WHITE | LETTER,
        WHITE | BLANK: WHITE | LETTER | MARK,
        WHITE | BREAK: BREAK,
    },
    GPT2: {
        LETTER: LETTER,
        NUMBER: NUMBER,
        MARK: MARK,
        WHITE: WHITE,
        WHITE | BLANK: WHITE | LETTER | NUMBER | MARK,
        WHITE | BREAK: WHITE,
    },
}

# What follows the apostrophe of a contraction: one letter, or two. To GPT-4's pattern upper and
# lower case are alike, and so is "ſ", an "s" to Unicode.
TWO_LETTERS = ["ll", "ve", "re"]
CASES = [zip(word, word.upper(), strict=True) for word in TWO_LETTERS]
ENDINGS = {
    GPT4: (
        [*"sdmtSDMTſ"],
        ["".join(letters) for cases in CASES for letters in product(*cases)],
    ),
    GPT2: ([*"sdmt"], TWO_LETTERS),
}


@dataclass
class Chunks:
    """Texts as bytes, and where their chunks are."""

    data: bytes  # the texts in UTF-8, each with a stop behind it
    starts: np.ndarray  # (N,) offset of each chunk
    lengths: np.ndarray  # (N,) bytes
    per_text: np.ndarray  # (texts,) chunks of each text

    def spell(self, numbers: np.ndarray) -> list[bytes]:
        """List the chunks that have these numbers."""
        starts = self.starts[numbers]
        stops = (starts + self.lengths[numbers]).tolist()
        return [self.data[i:j] for i, j in zip(starts.tolist(), stops, strict=True)]


def fast_chunks(texts: Sequence[str], pattern: str, escaped: bool = False) -> Chunks:
    """Cut each text as `Splitter(pattern).chunks` does; `pattern` is GPT4 or GPT2.

    With `escaped`, U+DC80 to U+DCFF stand for one byte each (Python's "surrogateescape").
    """
    text = "\0".join([*texts, ""])
    stops = np.cumsum([len(text) + 1 for text in texts]) - 1  # (texts,)
    if text.isascii():
        data = text.encode("ascii")
        codes = np.frombuffer(data, np.uint8)  # (C,)
    else:
        data = text.encode("utf-8", "surrogateescape" if escaped else "surrogatepass")
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")  # (C,)
    entries = kind_table(pattern).take(codes)  # (C,)
    entries[stops] = STOP
    kinds, joins = entries.astype(np.uint8), (entries >> 8).astype(np.uint8)
    starts = (gpt4_starts if pattern == GPT4 else gpt2_starts)(codes, kinds, joins)
    at_stop = np.searchsorted(starts, stops)
    if len(data) > len(codes):
        starts = byte_offsets(data, codes, escaped).take(starts)
    lengths = np.diff(starts, append=len(data))
    per_text = np.diff(at_stop, prepend=-1) - 1
    return Chunks(data, np.delete(starts, at_stop), np.delete(lengths, at_stop), per_text)


@cache
def kind_table(pattern: str) -> np.ndarray:
    """Table: code point -> its kind, plus 256 times the kinds that go on with its chunk."""
    text = "".join(map(chr, range(0x110000)))
    table = np.full(len(text), MARK, np.uint16)
    kinds = {r"\p{L}": LETTER, r"\p{N}": NUMBER, r"\s": WHITE}
    kinds |= {" ": WHITE | BLANK, r"[\r\n]": WHITE | BREAK, "'": MARK | QUOTE}
    for characters, kind in kinds.items():
        for match in regex.finditer(f"{characters}+", text):
            table[slice(*match.span())] = kind
    for kind, joined in JOINS[pattern].items():
        table[(table | QUOTE) == (kind | QUOTE)] |= joined << 8
    return table


def byte_offsets(data: bytes, codes: np.ndarray, escaped: bool) -> np.ndarray:
    """Say at which byte each character begins (UTF-8: RFC 3629, section 3)."""
    if not escaped:
        return np.flatnonzero(np.frombuffer(data, np.int8) >= -0x40)  # all but 0b10xxxxxx
    widths = 1 + (codes > 0x7F).view(np.uint8) + (codes > 0x7FF) + (codes > 0xFFFF)  # (C,)
    widths[(codes >= 0xDC80) & (codes <= 0xDCFF)] = 1
    return np.cumsum(widths, dtype=np.int64) - widths


def gpt4_starts(codes: np.ndarray, kinds: np.ndarray, joins: np.ndarray) -> np.ndarray:
    """Find the characters that begin a chunk of GPT-4's pattern, and the stops."""
    begins = not_joined(kinds, joins)  # (C,)
    # "(word": letters go on with a mark that begins a chunk.
    begins[1:] &= ~(begins[:-1] & is_kind(kinds[:-1], MARK) & is_kind(kinds[1:], LETTER))
    begins |= last_white(kinds) & ~is_kind(kinds, BREAK)
    # "'sup" is "'s" and "up".
    _, ends = contractions(codes, kinds, begins, *ENDINGS[GPT4])
    begins[ends] = True
    begins[thirds_of_numbers(kinds)] = True
    return without_blank_lines(kinds, np.flatnonzero(begins))


def gpt2_starts(codes: np.ndarray, kinds: np.ndarray, joins: np.ndarray) -> np.ndarray:
    """Find the characters that begin a chunk of GPT-2's pattern, and the stops."""
    begins = not_joined(kinds, joins)  # (C,)
    begins |= last_white(kinds)
    quotes, ends = contractions(codes, kinds, begins, *ENDINGS[GPT2])
    begins[quotes + 1] = False
    begins[ends] = True
    return np.flatnonzero(begins)


def is_kind(kinds: np.ndarray, kind: int) -> np.ndarray:
    """Say of each character whether it is of this kind, or one of these."""
    return (kinds & kind) != 0


def not_joined(kinds: np.ndarray, joins: np.ndarray) -> np.ndarray:
    """Mark the characters that do not go on with the chunk of the one before."""
    begins = np.ones(len(kinds), bool)
    np.equal(joins[:-1] & kinds[1:], 0, out=begins[1:])
    return begins


def last_white(kinds: np.ndarray) -> np.ndarray:
    """Mark the last of several white characters before something else: "   word"."""
    white = is_kind(kinds, WHITE)
    last = np.zeros(len(kinds), bool)
    last[1:-1] = white[:-2] & white[1:-1] & is_kind(kinds[2:], DARK)
    return last


def contractions(
    codes: np.ndarray, kinds: np.ndarray, begins: np.ndarray, one: list[str], two: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the apostrophes that begin a contraction, and where each contraction ends."""
    quotes = np.flatnonzero(is_kind(kinds, QUOTE) & begins)
    if not len(quotes):
        return quotes, quotes
    quotes = quotes[is_kind(kinds[quotes + 1], LETTER)]
    first, second = codes[quotes + 1], codes[quotes + 2]
    one_letter, two_letters = np.zeros((2, len(quotes)), bool)
    for letter in one:
        one_letter |= first == ord(letter)
    for a, b in two:
        two_letters |= (first == ord(a)) & (second == ord(b))
    letters = one_letter + 2 * two_letters
    return quotes[letters > 0], (quotes + 1 + letters)[letters > 0]


def thirds_of_numbers(kinds: np.ndarray) -> np.ndarray:
    """Find the first, fourth, seventh, ... digit of each number."""
    digit = is_kind(kinds, NUMBER)
    if not (digit[3:] & digit[2:-1] & digit[1:-2] & digit[:-3]).any():
        return np.empty(0, np.intp)
    places = np.flatnonzero(digit)
    index = np.arange(len(places))
    first = np.where(np.diff(places, prepend=-2) > 1, index, 0)
    return places[(index - np.maximum.accumulate(first)) % 3 == 0]


def without_blank_lines(kinds: np.ndarray, starts: np.ndarray) -> np.ndarray:
    r"""Drop the starts of white space after a line end that goes on to another, or to a stop.

    "\n  \n" is one chunk. But line ends right behind a mark are the mark's: ")\n  \n" is two.
    """
    open_end = (kinds[:-1] & (WHITE | BREAK)) == WHITE
    open_end &= is_kind(kinds[1:], BREAK | STOP)
    # Such white space begins no chunk inside, so the last start before its end is where it began.
    index = np.searchsorted(starts, np.flatnonzero(open_end), side="right") - 1
    index = index[index > 0]
    index = index[is_kind(kinds[starts[index] - 1], BREAK)]
    previous = starts[index - 1]  # the chunk of that line end: "\n", " \n", ")\n" or " )\n"
    of_mark = is_kind(kinds[previous] | kinds[previous + 1], MARK)
    return np.delete(starts, index[~of_mark])
