"""Texts that say the same: whole documents, paragraphs, and near-duplicates.

A model trained on the same text again and again learns it by heart, so of every group of equal
texts one is kept. Three steps, from strict to loose:

    exact             documents that are the same but for case and blanks
    paragraphs        what pages of one site repeat: the first copy stays, later ones go
    near duplicates   documents that share most of their 5-word shingles (Jaccard similarity)

Comparing all pairs of n documents takes n**2 steps. MinHash (Broder 1997) draws a short signature
for each document such that two signatures agree in a place with probability equal to the Jaccard
similarity J; locality-sensitive hashing (Indyk & Motwani 1998) cuts it into BANDS of ROWS values,
and documents that agree in a whole band are candidates: with 14 x 8 (FineWeb's numbers) a pair is
found with probability 1 - (1 - J**8)**14, which is .92 at J = .8. Candidates are then compared
exactly, so no pair is reported that is not as similar as it should be.

Not here: repeated substrings across paragraphs (Lee et al. 2022), and anything on disk: texts and
their shingles are in memory, and texts that share a band are compared pair by pair.
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from tqdm import tqdm

SHINGLE_WORDS = 5
BANDS, ROWS = 14, 8
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
PUNCTUATION = re.compile(r"[\W_]+")
ANNOUNCEMENT = re.compile(r"[^\n]{1,80}:|[A-Z][^\n]{0,40}[^.!?\n]|class \w[^\n]{0,80}")


def normalise(text: str, keep_numbers: bool = False) -> str:
    """Return text without what hides that two texts are the same.

    Lower case, numbers as 0, punctuation as blanks, no accents, single blanks (FineWeb's rules).
    In documentation numbers are what differs, sha256 from sha512: there `keep_numbers`.
    """
    text = text.lower() if keep_numbers else NUMBER.sub("0", text.lower())
    if not text.isascii():
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return PUNCTUATION.sub(" ", text).strip()


def digest(text: str) -> bytes:
    """Return 16 bytes that stand for the text but for case and blanks.

    Numbers count here: `sha224` and `sha256` are described in the same words and are not the same.
    """
    return hashlib.blake2b(" ".join(text.lower().split()).encode(), digest_size=16).digest()


# ---- paragraphs ----


class Paragraphs:
    """Remember every paragraph seen and drop the copies that come later.

    Paragraphs of fewer than `shortest` characters stay: “Yes.” is said twice with good reason.
    """

    def __init__(self, shortest: int = 0):
        self.shortest = shortest
        self.seen: set[bytes] = set()

    def drop_repeats(self, text: str) -> str:
        """Return the text without paragraphs seen before, in it or in an earlier text.

        An announcement (`Example:`, or `Functions` where it was seen before) says nothing by
        itself: it stays only if the paragraph after it stays. Nor does an indented paragraph say
        whose it is: the one it stands under comes back with it.
        """
        kept: list[str] = []
        waiting: list[str] = []  # announcements since the last other paragraph
        head: list[str] = []  # the last paragraph that is not indented, if it was dropped
        for paragraph in re.split(r"\n{2,}", text):
            key = digest(paragraph)
            new = key not in self.seen or len(paragraph) < self.shortest
            self.seen.add(key)
            is_indented = paragraph[:1].isspace()
            if ANNOUNCEMENT.fullmatch(paragraph) and (paragraph.endswith(":") or not new):
                waiting.append(paragraph)
                head = head if is_indented else []
                continue
            if new:
                kept += [*(head if is_indented else []), *waiting, paragraph]
                head = []
            elif not is_indented:
                head = [*waiting, paragraph]
            waiting = []
        return "\n\n".join(kept)


# ---- near duplicates ----


def shingles(text: str, keep_numbers: bool = False) -> set[str]:
    """Return all runs of SHINGLE_WORDS words of the normalised text; one if it is shorter."""
    words = normalise(text, keep_numbers).split()
    last = max(1, len(words) - SHINGLE_WORDS + 1)
    return {" ".join(words[i : i + SHINGLE_WORDS]) for i in range(last)} if words else set()


def jaccard(a: set, b: set) -> float:
    """Return the share of all elements that are in both sets."""
    both = len(a & b)
    return both / (len(a) + len(b) - both) if both else 0.0


def signature(hashes: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Return the MinHash signature (BANDS * ROWS,) of a set of 32-bit hashes.

    Value i is the least of (a_i * h + b_i) mod 2**64 >> 32 over the set: for each i another random
    order (multiply-add-shift, Dietzfelbinger 1996).
    """
    least = np.full(len(orders), 2**64 - 1, dtype=np.uint64)
    a, b = orders[:, :1], orders[:, 1:]
    for start in range(0, len(hashes), 1024):  # (BANDS * ROWS, 1024) values at a time
        chunk = hashes[None, start : start + 1024]
        np.minimum(least, (a * chunk + b).min(axis=1), out=least)  # uint64 wraps at 2**64
    return least >> np.uint64(32)


def random_orders(seed: int = 1) -> np.ndarray:
    """Draw a and b of BANDS * ROWS random orders, (BANDS * ROWS, 2)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2**64, size=(BANDS * ROWS, 2), dtype=np.uint64)


def hashes(shingle_set: Iterable[str]) -> np.ndarray:
    """Return a 32-bit hash of each shingle, the same on every machine."""
    digests = b"".join(
        hashlib.blake2b(shingle.encode(), digest_size=4).digest() for shingle in shingle_set
    )
    return np.frombuffer(digests, dtype="<u4").astype(np.uint64)


def near_duplicates(
    texts: Sequence[str], threshold: float = 0.8, keep_numbers: bool = False
) -> list[tuple[int, int]]:
    """Return pairs (i, j), i < j, in order, of texts with Jaccard similarity >= threshold.

    Every pair returned is that similar; a pair at J = .8 is missed with probability .08, at .9
    with less than .001. Raises ValueError for a threshold outside 0.5..1.
    """
    if not 0.5 <= threshold <= 1:
        raise ValueError(
            f"threshold is {threshold}; it must be 0.5 to 1: {BANDS} bands of {ROWS} values find "
            "no less similar texts"
        )
    bar = tqdm(texts, "near-duplicate", unit=" documents", leave=False, disable=None)
    sets = [shingles(text, keep_numbers) for text in bar]
    orders = random_orders()
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, shingle_set in enumerate(sets):
        if shingle_set:
            bands = signature(hashes(shingle_set), orders).reshape(BANDS, ROWS)
            for band in range(BANDS):
                buckets[band, bands[band].tobytes()].append(index)
    candidates = {pair for bucket in buckets.values() for pair in combinations(bucket, 2)}
    return sorted((i, j) for i, j in candidates if jaccard(sets[i], sets[j]) >= threshold)


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the groups of indices below `count` that pairs connect, each in order (union-find)."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]  # halve the path
            i = parent[i]
        return i

    for i, j in pairs:
        parent[root(i)] = root(j)
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(count):
        groups[root(i)].append(i)
    return [group for group in groups.values() if len(group) > 1]


def keep_one(
    texts: Sequence[str], threshold: float = 0.8, keep_numbers: bool = False
) -> dict[int, int]:
    """Return {index of a text to drop: index of the text that stands for it}.

    Of each group of near-duplicates the longest stays, the first of equally long ones.
    """
    dropped = {}
    for group in clusters(len(texts), near_duplicates(texts, threshold, keep_numbers)):
        best = max(group, key=lambda index: (len(texts[index]), -index))
        dropped.update({index: best for index in group if index != best})
    return dropped
