"""Texts that say nearly the same: every pair is found and verified, one of each group kept.

A model trained on the same text again and again learns it by heart. `minhash.py` says which texts
may be similar, and misses less than one pair in a million, except among thousands of texts that are
all alike. Each such pair is *verified* with its two sets of shingles (`verify.py`), so that nothing
that comes out is a guess:

    near_duplicates    the pairs with Jaccard's J (`shingles.py`) >= threshold, none below
    keep_one           the groups that such pairs connect (union-find): the longest text of each
                       group stays, and of equally long ones the first

Of each text, 464 bytes stay in memory: its signature, a fingerprint and its length. That is 4.6 GB
for ten million texts, and less than 2 GB more to compare them. The few texts that are verified have
their sets made again, or read from disk: `similar` asks for a set by the text's index.

This is not a search for repeated passages (Lee et al. 2022, suffix arrays). A text of fewer than
five words is similar only to texts of the same words, and a text without words to none.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations, product

import numpy as np
from tqdm import tqdm

from crawler.minhash import LARGE, N_VALUES, candidates, n_bands, signature
from crawler.shingles import shingles
from crawler.verify import similar_pairs


class Sketches:
    """What is kept of each text: `signatures` (N, N_VALUES), `fingerprints` and `lengths` (N,).

    A fingerprint is the sum of a set's hashes: equal for equal sets, 0 for the empty one.
    """

    def __init__(self, count: int):
        self.signatures = np.empty((count, N_VALUES), np.uint32)
        self.fingerprints = np.empty(count, np.uint64)
        self.lengths = np.empty(count, np.int64)  # characters

    @classmethod
    def of(cls, texts: Sequence[str], keep_numbers: bool = False) -> "Sketches":
        """Sketch texts, one after the other; only one at a time need be in memory."""
        sketches = cls(len(texts))
        bar = tqdm(texts, "near-duplicate", unit=" documents", leave=False, disable=None)
        for index, text in enumerate(bar):
            sketches.put(index, shingles(text, keep_numbers), len(text))
        return sketches

    def put(self, index: int, hashes: np.ndarray, length: int) -> None:
        """Sketch text number `index`, of `length` characters, by its set of shingles `hashes`."""
        self.lengths[index] = length
        self.signatures[index] = signature(hashes)
        self.fingerprints[index] = hashes.sum(dtype=np.uint64)

    def originals(self) -> np.ndarray:
        """Return (N,): for each text the first that has the same set, -1 for one without words."""
        # `order` puts texts of one fingerprint side by side; in such a run the first comes first
        order = np.argsort(self.fingerprints, kind="stable")  # (N,)
        ordered = self.fingerprints[order]
        is_start = np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(order)]  # (N,)
        starts = np.flatnonzero(is_start)  # (n,), where runs begin
        lengths = np.diff(np.append(starts, len(order)))  # (n,)
        originals = np.empty(len(order), np.int64)
        originals[order] = np.repeat(order[starts], lengths)
        originals[self.fingerprints == 0] = -1
        return originals

    def copies(self) -> Iterator[tuple[int, int]]:
        """Yield (index, original) of each text whose set an earlier text has."""
        originals = self.originals()
        later = np.flatnonzero((originals >= 0) & (originals != np.arange(len(originals))))
        yield from zip(later.tolist(), originals[later].tolist(), strict=True)


def similar(
    sketches: Sketches,
    shingles_of: Callable[[int], np.ndarray],
    threshold: float,
    is_known: Callable[[int, int], bool] = lambda i, j: False,
) -> Iterator[tuple[int, int]]:
    """Yield verified pairs i < j of texts whose sets are different, but for those that `is_known`.

    Raises ValueError for a threshold outside 0.5..1.
    """
    _check(threshold)
    originals = sketches.originals()
    kept = np.flatnonzero(originals == np.arange(len(originals)))
    total = n_bands(threshold)
    with tqdm(None, "comparing", total, unit=" bands", leave=False, disable=None) as bar:
        for band, pairs in candidates(sketches.signatures, kept, threshold):
            bar.update(band - bar.n)
            yield from similar_pairs(pairs, shingles_of, threshold, is_known)


def _check(threshold: float) -> None:
    if not 0.5 <= threshold <= 1:
        raise ValueError(
            f"threshold is {threshold}; it must be 0.5 to 1: less similar texts are no duplicates"
        )


def near_duplicates(
    texts: Iterable[str], threshold: float = 0.8, keep_numbers: bool = False
) -> list[tuple[int, int]]:
    """Return all pairs (i, j), i < j, in order, of texts with Jaccard similarity >= threshold.

    A pair at the threshold is missed with a probability below 1e-6. n equal texts would make
    n (n - 1) / 2 pairs: of more than 1,000, only the pairs with the first are listed. Where more
    than 1,000 texts share a band, pairs of a text that a leader settles may be left out; where more
    than 3,000 are left after that, so may all pairs without a leader (see `minhash.py`). `texts`
    may be any object with a length and items, which reads them from a file; the texts of an
    iterator are all kept in memory. Raises ValueError for a threshold outside 0.5..1.
    """
    _check(threshold)
    texts = texts if hasattr(texts, "__getitem__") else list(texts)
    sketches = Sketches.of(texts, keep_numbers)
    copies: dict[int, list[int]] = {}  # of equal texts: the first -> all of them
    for index, original in sketches.copies():
        copies.setdefault(original, [original]).append(index)
    found: set[tuple[int, int]] = set()
    for group in copies.values():
        found.update(
            combinations(group, 2) if len(group) <= LARGE else product(group[:1], group[1:])
        )
    shingles_of = _shingles_of(texts, keep_numbers)
    for i, j in similar(sketches, shingles_of, threshold, lambda i, j: (i, j) in found):
        pairs = product(copies.get(i, [i])[:LARGE], copies.get(j, [j])[:LARGE])
        found.update((min(pair), max(pair)) for pair in pairs)
    return sorted(found)


def _shingles_of(texts: Sequence[str], keep_numbers: bool) -> Callable[[int], np.ndarray]:
    """Return a function that makes the set of a text, and remembers the last few."""
    return lru_cache(maxsize=256)(lambda index: shingles(texts[index], keep_numbers))


# ---- groups -------------------------------------------------------------------------------------


class Groups:
    """Indices that pairs connect (union-find: Galler & Fischer 1964, with path halving).

    `parent` leads from index to index of a group, up to the one that is its own: the root.
    """

    def __init__(self, count: int):
        self.parent = array("q", range(count))

    def root(self, i: int) -> int:
        """Return the index that stands for i's group."""
        parent = self.parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]  # halves the way for the next who asks
            i = parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        """Make one group of those of i and j."""
        self.parent[self.root(i)] = self.root(j)

    def are_joined(self, i: int, j: int) -> bool:
        """Say whether i and j are in one group."""
        return self.root(i) == self.root(j)


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the groups of indices below `count` that pairs connect, each in order.

    >>> clusters(6, [(0, 3), (5, 3), (1, 2)])
    [[0, 3, 5], [1, 2]]
    """
    groups = Groups(count)
    for i, j in pairs:
        groups.join(i, j)
    return _members(groups, range(count))


def _members(groups: Groups, indices: Iterable[int]) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for index in indices:
        root = groups.root(index)
        if root != index:
            found.setdefault(root, [root]).append(index)
    return [sorted(group) for group in found.values()]


def stand_ins(
    sketches: Sketches, shingles_of: Callable[[int], np.ndarray], threshold: float = 0.8
) -> dict[int, int]:
    """Return {index of a text to drop: index of the text that stands for it}.

    The longest text of each group stays, and of equally long ones the first. A pair that is in one
    group already is not verified, so a hundred thousand copies take a hundred thousand steps.
    """
    lengths = sketches.lengths
    groups = Groups(len(lengths))
    for index, original in sketches.copies():
        groups.join(index, original)
    for i, j in similar(sketches, shingles_of, threshold, groups.are_joined):
        groups.join(i, j)
    dropped = {}
    for group in _members(groups, range(len(lengths))):
        best = max(group, key=lambda index: (lengths[index], -index))
        dropped.update({index: best for index in group if index != best})
    return dropped


def keep_one(
    texts: Sequence[str], threshold: float = 0.8, keep_numbers: bool = False
) -> dict[int, int]:
    """Return {index of a text to drop: index of the text that stands for it}; see `stand_ins`.

    >>> keep_one(["A cat sat on the mat.", "Dogs bark.", "a cat sat on the mat"])
    {2: 0}
    """
    _check(threshold)
    sketches = Sketches.of(texts, keep_numbers)
    return stand_ins(sketches, _shingles_of(texts, keep_numbers), threshold)
