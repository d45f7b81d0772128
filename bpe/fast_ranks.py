"""The ranks of pairs of ids, looked up for whole arrays.

A dictionary made of one NumPy array: two hashes name two places for each pair, and it stands in
one of them or nowhere (R. Pagh and F. Rodler, "Cuckoo Hashing", 2004). So looking up takes the
same few array operations, whatever the pairs are. An entry is one number of 64 bits: 20 for the
first id, 20 for the second and 24 for the rank.
"""

from collections.abc import Sequence

import numpy as np

from bpe.naive import Pair

NO_TOKEN = 0xFFFFF  # an id that no token has
NO_RANK = 0xFFFFFF  # more than any rank
FREE = np.uint64(0xFFFFFFFFFFFFFFFF)  # in a free place: NO_TOKEN twice, and NO_RANK
ID_BITS, RANK_BITS = np.uint64(20), np.uint64(24)
# Odd, and without a pattern in their bits: they spread keys over places by multiplication
# (D. Knuth, The Art of Computer Programming, volume 3, section 6.4).
FACTORS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


class PairRanks:
    """Maps each pair of ids to its rank, its place in `pairs`."""

    def __init__(self, pairs: Sequence[Pair]):
        """Enter `pairs`, no two of them alike, of ids below NO_TOKEN."""
        first, second = np.array(pairs, np.uint64).reshape(-1, 2).T
        keys = first << ID_BITS | second
        owners = None
        bits = max(8, (2 * len(keys)).bit_length())
        while owners is None:
            self._shift = np.uint64(64 - bits)
            owners = settle(self._places(keys), 1 << bits)
            bits += 1
        self._table = np.full(len(owners), FREE)
        taken = np.flatnonzero(owners >= 0)
        ranks = owners[taken]
        self._table[taken] = keys[ranks] << RANK_BITS | ranks.astype(np.uint64)

    def _places(self, keys: np.ndarray) -> list[np.ndarray]:
        return [(keys * factor >> self._shift).view(np.int64) for factor in FACTORS]

    def get(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Look up the ranks of pairs of uint32 ids, as uint32; NO_RANK where there is none."""
        keys = first.astype(np.uint64) << ID_BITS | second
        here, there = self._places(keys)
        keys <<= RANK_BITS
        # Where the pair is the right one, this leaves the rank; else a number above any rank.
        rank = np.minimum(self._table.take(here) ^ keys, self._table.take(there) ^ keys)
        return np.minimum(rank, NO_RANK).astype(np.uint32)


def settle(places: list[np.ndarray], size: int) -> np.ndarray | None:
    """Give each key one of its two places; list the owner of each place, -1 where there is none.

    Who comes to a place throws out who is there, and that one goes to its other place. Returns None
    where that finds no end; in a table more than twice as large as the keys it nearly always does.
    """
    places = np.stack(places)  # (2, keys)
    owners = np.full(size, -1)
    choice = np.zeros(places.shape[1], np.int64)
    homeless = np.arange(places.shape[1])
    for _ in range(200):
        at = places[choice[homeless], homeless]
        thrown_out = owners[at]
        owners[at] = homeless  # of several who come to one place, one stays
        stays = owners[at] == homeless
        thrown_out = thrown_out[stays]
        homeless = np.concatenate((homeless[~stays], thrown_out[thrown_out >= 0]))
        if not len(homeless):
            return owners
        choice[homeless] ^= 1
    return None
