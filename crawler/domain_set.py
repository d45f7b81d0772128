"""A set of names that takes eight bytes a name: millions of blocked domains in bounded memory.

Only a 64-bit hash of each name is kept, sorted, in 256 arrays by its first byte; 4.5 million
domains take 36 MB where a set of strings takes 600. The price: a name that is not in the set is
taken for one that is with probability n / 2**64, `chance_of_error`: 2.5e-13 for 4.5 million names,
one wrong answer in four million million questions. Names cannot be listed or taken out again.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b


class DomainSet:
    """Say `name in names` for many names; a read-only set."""

    def __init__(self, names: Iterable[str] = ()):
        self._parts = [array("Q") for _ in range(256)]
        for name in names:
            key = _hash(name)
            self._parts[key >> 56].append(key)
        for i, part in enumerate(self._parts):
            self._parts[i] = array("Q", sorted(set(part)))

    def __contains__(self, name: str) -> bool:
        key = _hash(name)
        part = self._parts[key >> 56]
        place = bisect_left(part, key)
        return place < len(part) and part[place] == key

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @property
    def chance_of_error(self) -> float:
        """Return the probability that a name which was not put in is found, 0..1."""
        return len(self) / 2**64


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode("utf-8", "replace"), digest_size=8).digest())
