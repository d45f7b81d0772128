"""Which language is a text in? Naive Bayes over byte n-grams.

P(language | text) is proportional to P(language) * product of P(n-gram | language): all languages
are equally likely beforehand, and n-grams are taken as independent, which they are not. Every
letter is counted in 3 + 4 + 5 n-grams, so the logarithm is divided by about that number; otherwise
every answer would be 0.0 or 1.0. Beside the languages stands `none`, made of what all have in
common, a little likelier than their mean: it takes names, code and titles. What is left to the
languages therefore adds up to less than 1. This is not a word list and knows no grammar.

A text is read as lower-case words with a blank on either side; digits and punctuation say nothing.
Nor do lines that give a name its value (`EACCES = 13`), unless there is nothing else: two hundred
constants would outweigh the prose of the page that lists them. On a page that defines one term,
names may be the larger part: its sentences can then be judged alone, see `of_sentences`.

The table, `data/language_ngrams.tsv.gz`, is text: the language codes, then one line for each
n-gram: its bytes (percent-encoded), a tab, and for each language round(-6 ln P) as two hexadecimal
digits. In memory a row is one large integer with 32 bits a language, so that scoring a word is a
few additions of integers, each of which adds up all languages at once. `language_train.py` writes
the table.

Sources: Cavnar & Trenkle 1994, "N-gram-based text categorization"; Lui & Baldwin 2012, "langid.py"
(naive Bayes over byte n-grams chosen by information gain).
"""

import gzip
import math
import re
import struct
from functools import cache, lru_cache
from urllib.parse import unquote_to_bytes

from crawler.data_files import DATA
from crawler.words import DATA_LINE, TERMINAL

TABLE = DATA / "language_ngrams.tsv.gz"
MIN_N, MAX_N = 3, 5  # bytes
STEPS = 6  # steps of cost per unit of -ln P
TEMPERATURE = 14  # by which logarithms are divided; calibrated beside the 3 + 4 + 5 of a letter
NONE = "none"
WORD = re.compile(r"[^\W\d_]{1,30}")
# Of one text; more would not change the answer. At 4 bytes a letter, 3 n-grams a byte and a cost of
# up to 255 the sum stays below 2**32.
MAX_CHARACTERS = 200_000


def probability(text: str, language: str = "en") -> float:
    """Return the probability that the text is in a language, 0..1; 0 if it has no words.

    Raises ValueError for a language the table does not know.
    """
    codes, _ = _table()
    if language not in codes or language == NONE:
        raise ValueError(f"language is {language!r}; it must be one of: {' '.join(languages())}")
    costs = _costs(text)
    if not costs:
        return 0.0
    scale = 1 / (STEPS * TEMPERATURE)
    own = costs[codes.index(language)]
    far = min(costs) + 40 / scale  # e**-40 is nothing
    if own > far:
        return 0.0
    return 1 / sum([math.exp((own - cost) * scale) for cost in costs if cost <= far])


def of_sentences(text: str, language: str = "en", share: float = 0.0) -> float:
    """Return the probability that the sentences of a text are in a language, as `probability` does.

    They are the lines that end with a full stop or the like. It is 0 where they hold less than
    `share` of the words. It is also 0 where the other lines are in another language, not in none as
    names and code are: a menu and headings say which language a page is in.
    """
    text = text[:MAX_CHARACTERS]
    said, others = [], []
    for line in text.splitlines():
        (said if TERMINAL.intersection(line.rstrip()[-1:]) else others).append(line)
    is_enough = len(WORD.findall("\n".join(said))) >= share * len(WORD.findall(text))
    likeliest = min(zip(_costs("\n".join(others)), _table()[0], strict=False), default=(0, NONE))
    if not is_enough or likeliest[1] not in (NONE, language):
        return 0.0
    return probability("\n".join(said), language)


def detect(text: str) -> str | None:
    """Return the most likely language, None if the text has no words."""
    costs = _costs(text)
    if not costs:
        return None
    return min(zip(costs, _table()[0], strict=True), key=lambda pair: (pair[1] == NONE, pair[0]))[1]


def languages() -> list[str]:
    """Return the codes of the languages that the table knows."""
    return [code for code in _table()[0] if code != NONE]


def _costs(text: str) -> tuple[int, ...]:
    """Return a cost for each column of the table, () for a text without words."""
    text = text[:MAX_CHARACTERS].lower()
    words = WORD.findall(DATA_LINE.sub("", text)) or WORD.findall(text)
    if not words:
        return ()
    columns = len(_table()[0])
    total = sum(map(_word_cost, words))
    return struct.unpack(f"<{columns}I", total.to_bytes(4 * columns, "little"))


@lru_cache(maxsize=50_000)  # a few words make up most of any text
def _word_cost(word: str) -> int:
    return sum(filter(None, map(_table()[1].get, ngrams(word))))


def ngrams(word: str) -> list[bytes]:
    """Return the n-grams of bytes of a word with a blank on either side."""
    data = f" {word} ".encode("utf-8", "replace")
    return [data[i : i + n] for n in range(MIN_N, MAX_N + 1) for i in range(len(data) - n + 1)]


@cache
def _table() -> tuple[list[str], dict[bytes, int]]:
    """Read the table: codes of its columns, and the costs of each n-gram as one integer."""
    rows = {}
    with gzip.open(TABLE, "rt", encoding="ascii") as lines:
        codes = next(lines).split()
        lanes = bytearray(4 * len(codes))
        for line in lines:
            gram, costs = line.rstrip("\n").split("\t")
            lanes[::4] = bytes.fromhex(costs)
            rows[unquote_to_bytes(gram)] = int.from_bytes(lanes, "little")
    return codes, rows


def forget() -> None:
    """Read the table again at the next call; TABLE may have been changed."""
    _table.cache_clear()
    _word_cost.cache_clear()
