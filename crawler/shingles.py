"""A text as a set of numbers: a 64-bit hash of each run of five words, its *shingles*.

Two texts are as similar as their sets, measured by Jaccard's index: what is in both over what is in
either. "the cat sat on the mat" and "the cat sat on the rug" have two shingles each, one in common:
1 of 3. The text is normalised first, so that what a reader would not notice makes no difference.

Words are hashed once each (BLAKE2b); a shingle's hash is a polynomial in the hashes w of its words,

    h = mix(w[0] M^4 + w[1] M^3 + w[2] M^2 + w[3] M + w[4])  mod 2^64,

which NumPy computes for all shingles of a text in a few steps. Two different shingles have the same
hash with probability 2^-64: of two texts of 1,000 words, once in 10^13 pairs, so sets of hashes are
compared in place of sets of words. What this is not: a tokenizer. Scripts without blanks between
words, such as Chinese, make a "word" of each clause.

Sources: Broder 1997, "On the resemblance and containment of documents"; the normalisation is
FineWeb's (Penedo et al. 2024); `mix` is SplitMix64's (Steele et al. 2014).
"""

import re
import unicodedata
from hashlib import blake2b

import numpy as np

SHINGLE_WORDS = 5
MAX_KNOWN_WORDS = 2**18  # about 50 MB
MULTIPLIER = 0x9E3779B97F4A7C15  # odd, its bits without pattern: 2^64 divided by the golden ratio
POWERS = [np.uint64(pow(MULTIPLIER, n, 2**64)) for n in range(SHINGLE_WORDS)]

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
PUNCTUATION = re.compile(r"[^\w ]+|_+")
BEYOND_LATIN = re.compile("[^\0-\u02ff]+")  # the combining accents are among these
BLANKED = bytes(c if chr(c).isascii() and chr(c).isalnum() else 32 for c in range(256))


def words(text: str, keep_numbers: bool = False) -> list[bytes]:
    """Return the words of a text, in UTF-8, without what hides that two texts are the same.

    Lower case, numbers as 0, punctuation as blanks, no accents (FineWeb's rules). In documentation
    numbers are what differs, sha256 from sha512: there `keep_numbers`.
    """
    text = text.lower()
    if not keep_numbers:
        text = NUMBER.sub("0", text)
    if text.isascii():
        return text.encode().translate(BLANKED).split()
    text = BEYOND_LATIN.sub(_without_marks, unicodedata.normalize("NFD", text))
    return PUNCTUATION.sub(" ", text).encode().split()


def normalise(text: str, keep_numbers: bool = False) -> str:
    """Return the words of a text with single blanks between them."""
    return b" ".join(words(text, keep_numbers)).decode()


def shingles(text: str, keep_numbers: bool = False) -> np.ndarray:
    """Return the hashes of all runs of SHINGLE_WORDS words, sorted, each once: (n,), uint64.

    A shorter text is one shingle; a text without a word has none.
    """
    found = words(text, keep_numbers)
    hashed = np.fromiter(map(_WORD_HASHES.__getitem__, found), np.uint64, len(found))
    length = min(SHINGLE_WORDS, len(found))
    n_shingles = len(found) - length + 1 if found else 0
    hashes = np.zeros(n_shingles, np.uint64)
    for k in range(length):  # uint64 wraps at 2^64
        hashes += hashed[k : k + n_shingles] * POWERS[length - 1 - k]
    return sorted_set(mix(hashes))


def mix(hashes: np.ndarray) -> np.ndarray:
    """Spread every bit of each uint64 over all bits; different numbers stay different."""
    hashes = (hashes ^ hashes >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ hashes >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return hashes ^ hashes >> np.uint64(31)


def sorted_set(hashes: np.ndarray) -> np.ndarray:
    """Return the numbers sorted, each once. (`np.unique` does, more slowly for short arrays.)"""
    hashes = np.sort(hashes)
    if len(hashes) > 1:
        first = np.concatenate(([True], hashes[1:] != hashes[:-1]))
        hashes = hashes[first]
    return hashes


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Return the share of all elements that are in both sorted sets, 0..1; 0 if both are empty.

    >>> mat = shingles("The cat sat on the mat.")  # the cat sat on the, cat sat on the mat
    >>> rug = shingles("the cat sat on the rug")
    >>> jaccard(mat, rug) == 1 / 3
    True
    """
    together = np.sort(np.concatenate((a, b)))
    both = int(np.count_nonzero(together[1:] == together[:-1]))
    return both / (len(together) - both) if both else 0.0


class _IsNoMark(dict):
    """Character -> whether it is not an accent, as found out once."""

    def __missing__(self, character: str) -> bool:
        value = self[character] = unicodedata.category(character) != "Mn"
        return value


_IS_NO_MARK = _IsNoMark()


def _without_marks(run: re.Match) -> str:
    return "".join(filter(_IS_NO_MARK.__getitem__, run[0]))


class _WordHashes(dict):
    """Word -> its 64-bit hash, the same on every machine; remembers up to MAX_KNOWN_WORDS."""

    def __missing__(self, word: bytes) -> int:
        if len(self) >= MAX_KNOWN_WORDS:
            self.clear()
        value = self[word] = int.from_bytes(blake2b(word, digest_size=8).digest(), "little")
        return value


_WORD_HASHES = _WordHashes()
