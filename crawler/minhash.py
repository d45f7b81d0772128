"""MinHash: which texts may be similar, without comparing every pair.

**Signatures.** A text is a set of shingles, runs of words (`shingles.py`). Give all shingles a
random order, and note for each text which of its shingles comes first. Texts A and B have the same
first if the first of all their shingles lies in both. Every shingle has the same chance to be
first, so this happens with probability |A and B| / |A or B|, Jaccard's J. An example, with words
for shingles: A = {the, cat, sat}, B = {the, cat, ran}. Two of the four are in both, so J = 2 / 4.

    place in      the  cat  sat  ran     first of A   first of B
    order 1        2    4    1    3         sat          the
    order 2        1    3    4    2         the          the      same
    order 3        4    2    3    1         cat          ran
    order 4        3    1    2    4         cat          cat      same

In two of four orders A and B have the same first, so the estimate of J is 2 / 4. A signature holds
the firsts of 112 orders: 448 bytes for a text of any length. Its estimate has a standard error of
sqrt(J (1 - J) / 112) < .048. An order is a function h -> (a h + b) mod 2^32 of the shingle's hash,
one-to-one since a is odd; the least value is "first".

**Bands.** Cut signatures into n bands of `rows` values. Two texts share a given band with
probability J^rows, and at least one of n bands with probability 1 - (1 - J^rows)^n. Texts that
share a band are *candidates*, and one sort for each band finds them. For 112 values these are

    J               .1     .3     .5     .7     .8        .9
    14 bands of 8   0      .001   .053   .564   .924      .9996
    28 bands of 4   .003   .204   .836   .9995  1 - 4e-7  1 - 1e-13

FineWeb takes 14 bands of 8, which miss one pair in thirteen at J = .8. Here each candidate is
verified, so a false one costs time but no precision, and the bands may be shorter. `rows_for` takes
the longest bands that miss less than one pair in a million at the threshold: 28 bands of 4 at .8.
Most false candidates are dropped by their signatures, which must agree in at least a share of
threshold - MARGIN of their values.

Sources: Broder 1997 (MinHash); Indyk & Motwani 1998 (bands); Lee et al. 2022, "Deduplicating
training data makes language models better", appendix A.
"""

from collections.abc import Generator, Iterable, Iterator

import numpy as np

from crawler.shingles import MULTIPLIER

N_VALUES = 112
MAX_MISSED = 1e-6
MARGIN = 0.25  # more than five standard errors of a signature's estimate
LARGE = 1000  # up to so many texts that share a band are compared pair by pair
N_LEADERS = 10  # where there are more: leaders settle what is clearly alike
HUGE = 3000  # up to so many that are left then are still compared pair by pair
N_OF_HUGE = 100  # leaders if more are left; pairs without one wait for bands of fewer texts
BLOCK = 2**14  # pairs looked at in one go
MANY = 2**20  # likely pairs that are handed on together

_RNG = np.random.default_rng(1)
_A = _RNG.integers(0, 2**31, size=N_VALUES, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
_B = _RNG.integers(0, 2**32, size=N_VALUES, dtype=np.uint32)


def signature(hashes: np.ndarray) -> np.ndarray:
    """Return the firsts of a set of 64-bit hashes in N_VALUES orders: (N_VALUES,), uint32."""
    first = np.full(N_VALUES, 2**32 - 1, dtype=np.uint32)
    high = (hashes >> np.uint64(32)).astype(np.uint32)  # (n,), half of the bits are enough to order
    for start in range(0, len(high), 256):  # so that a chunk's values stay in the CPU's cache
        places = high[start : start + 256, None] * _A  # (256, N_VALUES); uint32 wraps at 2^32
        places += _B
        np.minimum(first, places.min(axis=0), out=first)
    return first


def rows_for(threshold: float) -> int:
    """Return the length of the longest bands that miss few enough (MAX_MISSED) at the threshold."""
    for rows in range(N_VALUES, 1, -1):
        if (1 - threshold**rows) ** (N_VALUES // rows) < MAX_MISSED:
            return rows
    return 1


def candidates(
    signatures: np.ndarray, among: np.ndarray, threshold: float
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (band, pairs i < j of texts that may be similar: (n, 2)), each band once or more often.

    `among` are the texts to compare, as row numbers of `signatures` (N, N_VALUES). Where more than
    LARGE texts share a band, leaders settle some (`_settle`); the rest are compared pair by pair
    if they are no more than HUGE, else with leaders only.

    >>> from crawler.shingles import mix
    >>> sets = [np.arange(100), np.arange(3, 103), np.arange(500, 600)]  # J is .94, 0 and 0
    >>> signatures = np.stack([signature(mix(hashes.astype(np.uint64))) for hashes in sets])
    >>> found = candidates(signatures, among=np.arange(3), threshold=0.8)
    >>> [pairs.tolist() for band, pairs in found if len(pairs)]
    [[[0, 1]]]
    """
    rows = rows_for(threshold)
    # by text and band: the first of the texts compared with it pair by pair, or the text itself;
    # two texts with the same first were compared in that band
    firsts = np.empty((len(signatures), n_bands(threshold)), np.uint32)
    for band in range(n_bands(threshold)):
        keys = _band_keys(signatures, band, rows)[among]
        order, starts, lengths = _runs(keys)
        texts = among[order]  # those that share the band stand side by side
        so_far = firsts[:, : band + 1]
        for pairs in _gathered(
            _pairs_of_band(texts, starts, lengths, so_far, signatures, threshold)
        ):
            yield band, np.sort(pairs, axis=1)


def _gathered(some: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield arrays of pairs (n, 2) joined, as long as they are no more than MANY together."""
    found, n_found = [np.empty((0, 2), np.int64)], 0
    for pairs in some:
        if n_found + len(pairs) > MANY:
            yield np.concatenate(found)
            found, n_found = [], 0
        found.append(pairs)
        n_found += len(pairs)
    yield np.concatenate(found)


def _pairs_of_band(
    texts: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    firsts: np.ndarray,
    signatures: np.ndarray,
    threshold: float,
) -> Iterator[np.ndarray]:
    """Yield likely pairs (n, 2) of texts in runs; fill the last column of `firsts` (N, bands)."""
    for run in np.flatnonzero(lengths > LARGE):
        group = texts[starts[run] : starts[run] + lengths[run]]
        rest = yield from _settle(group, signatures, threshold)
        lengths[run] = len(rest) if len(rest) <= HUGE else 0
        group[: lengths[run]] = rest[: lengths[run]]
    firsts[:, -1] = np.arange(len(firsts))
    firsts[texts[_places(starts, lengths)], -1] = np.repeat(texts[starts], lengths)
    for pairs in _pairs_of_runs(texts, starts, lengths):
        is_new = (firsts[pairs[:, 0], :-1] != firsts[pairs[:, 1], :-1]).all(axis=1)
        yield _likely(pairs[is_new], signatures, threshold)


def n_bands(threshold: float) -> int:
    """Return how many bands `candidates` goes through."""
    return N_VALUES // rows_for(threshold)


def _band_keys(signatures: np.ndarray, band: int, rows: int) -> np.ndarray:
    """Return a 64-bit hash of one band of each signature, (N,): equal for equal bands."""
    keys = np.zeros(len(signatures), np.uint64)
    for column in range(band * rows, (band + 1) * rows):
        # uint64 wraps at 2^64; a product's high bits depend on the most bits: mix them into the low
        keys = keys * np.uint64(MULTIPLIER) + signatures[:, column] + np.uint64(1)
        keys ^= keys >> np.uint64(32)
    return keys


def _runs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indices ordered by key (N,), and the starts and lengths of runs of equal keys there.

    Only runs of two and more count.
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    is_start = np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(keys)]
    starts = np.flatnonzero(is_start)
    lengths = np.diff(np.append(starts, len(keys)))
    return order, starts[lengths > 1], lengths[lengths > 1]


def _places(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return all places of runs, one run after the other: (sum of lengths,)."""
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _pairs_of_runs(
    order: np.ndarray, starts: np.ndarray, lengths: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield all pairs in runs, in arrays (n, 2) of up to BLOCK, or of one text of a long run."""
    for length in np.unique(lengths[lengths > 1]):
        of_length = starts[lengths == length]
        if length**2 > BLOCK:
            for start in of_length:
                yield from _pairs_of_run(order[start : start + length])
            continue
        left, right = np.triu_indices(length, 1)
        n_runs = BLOCK // len(left)
        for at in range(0, len(of_length), n_runs):
            members = order[of_length[at : at + n_runs, None] + np.arange(length)]  # (n, length)
            yield np.stack((members[:, left], members[:, right]), axis=2).reshape(-1, 2)


def _pairs_of_run(group: np.ndarray) -> Iterator[np.ndarray]:
    """Yield all pairs of a long run: of some texts with all that come after them, and so on."""
    places = np.arange(len(group))
    n_texts = max(1, BLOCK // len(group))
    for at in range(0, len(group), n_texts):
        left, right = np.nonzero(places[at : at + n_texts, None] < places)
        yield np.stack((group[at + left], group[right]), axis=1)


def _likely(pairs: np.ndarray, signatures: np.ndarray, threshold: float) -> np.ndarray:
    """Return those of the pairs (n, 2) whose signatures agree in enough values."""
    equal = signatures[pairs[:, 0]] == signatures[pairs[:, 1]]  # (n, N_VALUES)
    return pairs[equal.mean(axis=1) >= threshold - MARGIN]


def _settle(
    group: np.ndarray, signatures: np.ndarray, threshold: float
) -> Generator[np.ndarray, None, np.ndarray]:
    """Yield pairs (n, 2) of leaders and texts that may be similar to them; return who is left.

    The first of the group leads. Texts whose signatures are clearly above the threshold are settled
    by that; the first of the rest leads next: N_LEADERS until LARGE are left, then N_OF_HUGE in all
    until HUGE are. With a threshold of .8, in turn:

        group       agree with its first in     pairs          settled: .9 or more
        5 6 7 8 9   6: .95  7: .6  8: 1  9: .2  5-6 5-7 5-8    6 8
        7 9         9: .3                       none           none
        9           nobody is left to compare it with

    So a hundred thousand texts from one template cost a hundred thousand comparisons, not five
    thousand million. What is settled in one band may still be compared in another: estimates err.
    """
    for n_before in range(N_OF_HUGE):
        if len(group) <= (LARGE if n_before < N_LEADERS else HUGE):
            break
        leader, group = group[0], group[1:]
        share = (signatures[group] == signatures[leader]).mean(axis=1)  # (n,)
        likely = group[share >= threshold - MARGIN]
        yield np.stack((np.full_like(likely, leader), likely), axis=1)
        group = group[share < (1 + threshold) / 2]
    return group
