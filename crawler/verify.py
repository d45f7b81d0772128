"""Which of many pairs of sets are similar enough? Exactly, and of many pairs at once.

A site whose pages are made from one template has thousands of pages that are all a little too
different: each shares a band with hundreds of others, and each of these pairs has to be looked at.
One by one that takes 50 microseconds a pair. But the sizes of all intersections of F sets with S
others are one product of two matrices, which have a row for each set and a column for each shingle,
1 where the set has it: 2 microseconds a pair. This counts, and estimates nothing. Columns are
needed only for shingles that several sets have; sets and columns come in parts that bound memory.

This does not search for pairs: `minhash.py` says which may be similar.
"""

from collections.abc import Callable, Iterator

import numpy as np

from crawler.shingles import jaccard

MANY = 256  # pairs; fewer are looked at one by one
DENSE = 1 / 32  # share of all pairs of F and S sets from which the product is worth it
N_PAIRS = 2**18  # in one go
N_SETS = 512  # in memory, of F and of S
N_COLUMNS = 2**14


def similar_pairs(
    pairs: np.ndarray,
    set_of: Callable[[int], np.ndarray],
    threshold: float,
    is_known: Callable[[int, int], bool],
) -> Iterator[tuple[int, int]]:
    """Yield, in order, those of the pairs (n, 2) with Jaccard's J >= threshold that are not known.

    `set_of` gives the sorted set of a number in `pairs`. A pair may become known, and is then
    passed over, while those before it are yielded.
    """
    if len(pairs) > N_PAIRS or (len(pairs) >= 2 * MANY and not _is_dense(pairs)):
        for half in np.array_split(pairs, 2):
            yield from similar_pairs(half, set_of, threshold, is_known)
        return
    if len(pairs) >= MANY:
        pairs = np.array([pair for pair in pairs.tolist() if not is_known(*pair)], np.int64)
    if len(pairs) >= MANY and _is_dense(pairs):
        pairs = pairs[_jaccards(pairs, set_of) >= threshold]
        yield from (pair for pair in map(tuple, pairs.tolist()) if not is_known(*pair))
        return
    for i, j in pairs.tolist():
        if not is_known(i, j) and jaccard(set_of(i), set_of(j)) >= threshold:
            yield i, j


def _is_dense(pairs: np.ndarray) -> bool:
    n_firsts, n_seconds = (len(np.unique(side)) for side in pairs.T)
    return len(pairs) >= max(n_firsts + n_seconds, DENSE * n_firsts * n_seconds)


def _jaccards(pairs: np.ndarray, set_of: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return J of each of the pairs (n, 2): (n,)."""
    firsts, row = np.unique(pairs[:, 0], return_inverse=True)  # (F,), (n,)
    seconds, column = np.unique(pairs[:, 1], return_inverse=True)  # (S,), (n,)
    shared = np.zeros((len(firsts), len(seconds)))  # (F, S), sizes of intersections
    sizes_f, sizes_s = np.zeros(len(firsts)), np.zeros(len(seconds))
    has_pairs = np.zeros((-(-len(firsts) // N_SETS), -(-len(seconds) // N_SETS)), bool)
    has_pairs[row // N_SETS, column // N_SETS] = True
    sets: dict[int, np.ndarray] = {}
    for top, left in (np.argwhere(has_pairs) * N_SETS).tolist():
        rows, columns = slice(top, top + N_SETS), slice(left, left + N_SETS)
        some, others = firsts[rows].tolist(), seconds[columns].tolist()
        known = sets  # the next part has the same rows: making a set is what takes longest
        sets = {i: known[i] if i in known else set_of(i) for i in {*some, *others}}
        sizes_f[rows] = [len(sets[index]) for index in some]
        sizes_s[columns] = [len(sets[index]) for index in others]
        shared[rows, columns] = _intersections(sets, some, others)
    both = shared[row, column]
    return both / np.maximum(1, sizes_f[row] + sizes_s[column] - both)


def _intersections(sets: dict[int, np.ndarray], some: list[int], others: list[int]) -> np.ndarray:
    """Return the sizes of the intersections of some of the sets with others: (F, S)."""
    shingles, times = np.unique(np.concatenate(list(sets.values())), return_counts=True)
    repeated = shingles[times > 1]  # what only one set has is in no intersection
    sizes = np.zeros((len(some), len(others)))
    for at in range(0, len(repeated), N_COLUMNS):
        part = repeated[at : at + N_COLUMNS]
        members = {index: _members(of_one, part) for index, of_one in sets.items()}
        f, s = (np.stack([members[index] for index in side]) for side in (some, others))
        sizes += f @ s.T
    return sizes


def _members(of_one: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return 1 for each shingle of `part` that a set has, else 0; both are sorted: (n,)."""
    start, last = np.searchsorted(of_one, part[[0, -1]])
    within = of_one[start : last + 1]
    at = np.minimum(np.searchsorted(part, within), len(part) - 1)
    member = np.zeros(len(part), np.float32)  # products of these are exact below 2**24
    member[at[part[at] == within]] = 1
    return member
