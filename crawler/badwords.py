"""Is a page pornography, by its words? A filter that counts, for pages the block lists missed.

C4 dropped a page for any one word of a list, and with it health advice, novels and what minorities
write about themselves (Dodge et al. 2021, section 5.3). Here a page goes if several different words
make up a share of it. This does not judge ideas, insults, violence or pictures.

`data/bad_words.txt` is short and written for this project: explicit words that stand on pages made
for nothing else. They are kept in plain text, since nobody can mend a list that nobody can read.
Give a file of your own for another language: a word or a phrase a line, `#` begins a comment. With
`at_least=1, share=0` the rule is C4's.

Sources: Raffel et al. 2020, "T5" (C4), section 2.2; Dodge et al. 2021, "Documenting large webtext
corpora".
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from crawler.data_files import DATA

FILE = DATA / "bad_words.txt"
AT_LEAST = 3  # different words
SHARE = 0.01  # of all words of a page

_WORD = re.compile(r"\w+")


def load(file: str | Path = FILE) -> frozenset[str]:
    """Read a list of words and phrases. Raises OSError; ValueError if the list is empty."""
    text = Path(file).read_text(encoding="utf-8-sig", errors="replace")
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = frozenset(filter(None, (" ".join(_WORD.findall(line.lower())) for line in lines)))
    if not words:
        raise ValueError(f"{file} has no words; give one a line")
    return words


@lru_cache(maxsize=1)
def default_words() -> frozenset[str]:
    """Return the words in data/, read once."""
    return load()


def reject(
    text: str,
    words: Iterable[str] | None = None,
    at_least: int = AT_LEAST,
    share: float = SHARE,
) -> str | None:
    """Return `bad words` if a text has `at_least` different ones and they make up a share of it."""
    pattern = _pattern(default_words() if words is None else frozenset(words))
    found = pattern.findall(text.lower())
    if not found or len(set(found)) < at_least:
        return None
    return "bad words" if len(found) >= share * len(_WORD.findall(text)) else None


@lru_cache(maxsize=4)
def _pattern(words: frozenset[str]) -> re.Pattern:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    phrases = (r"\W+".join(map(re.escape, word.split())) for word in longest_first)
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b")
