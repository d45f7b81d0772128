"""A dictionary for whole arrays: many keys are looked up in a few NumPy calls.

A key is two numbers of 64 bits, `low` and `high`; a value is a number from 1 up. It is done as
`dict` does it: a hash says in which row to look, a row that holds another key sends on to the next
one, and a free row ends the search (open addressing with linear probing: D. Knuth, The Art of
Computer Programming, volume 3, section 6.4).

What was added first is found first: it keeps the row in which its search begins, also when the
table grows. That is worth a third of the time, for the chunks of a text that come first are the
common ones.

Entries are never changed nor removed, so threads may look up while one adds. They find an entry, or
no value yet, or nothing.
"""

import numpy as np

FREE = 0  # what stands as `high` in a free row
FIRST_ROWS = 1 << 13
# Odd, and without a pattern in their bits (Knuth, section 6.4, on multiplicative hashing).
FACTORS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


def hash_keys(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Mix the bits of keys into numbers of 64 bits, of which the upper ones are mixed best."""
    mixed = low * FACTORS[0] + high * FACTORS[1]
    mixed ^= mixed >> np.uint64(32)
    return mixed * FACTORS[0]


class Table:
    """Maps keys to positive numbers; `high` of a key is not FREE."""

    def __init__(self):
        self.size = 0
        self._rows = np.zeros((3, FIRST_ROWS), np.uint64)  # low, high, value of each row

    def get(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Look keys up; give their values, 0 where there is none. All are uint64."""
        lows, highs, values = self._rows
        at = first_rows(low, high, len(lows))  # (N,)
        # In the reverse of the order in which `place` writes: `high`, `low`, value.
        left = np.flatnonzero((highs.take(at) != high) | (lows.take(at) != low))
        result = values.take(at)
        result[left] = 0
        left = left[highs.take(at.take(left)) != FREE]
        while len(left):
            row = at[left] = (at[left] + 1) & (len(lows) - 1)
            found = (highs.take(row) == high[left]) & (lows.take(row) == low[left])
            result[left[found]] = values.take(row[found])
            left = left[~found & (highs.take(row) != FREE)]
        return result

    def add(self, low: np.ndarray, high: np.ndarray, values: np.ndarray) -> None:
        """Add keys, all different and new, with their values, larger than any there are."""
        rows = self._rows
        self.size += len(low)
        if 2 * self.size > rows.shape[1]:  # fuller, and searches would get long
            old = rows[:, rows[1] != FREE]
            rows = np.zeros((3, 1 << (2 * self.size).bit_length()), np.uint64)
            place(rows, *old[:, np.argsort(old[2])])  # in the order in which they were added
        place(rows, low, high, values)
        self._rows = rows


def first_rows(low: np.ndarray, high: np.ndarray, num_rows: int) -> np.ndarray:
    """Say in which row the search for each key begins."""
    unused_bits = 65 - num_rows.bit_length()
    return (hash_keys(low, high) >> np.uint64(unused_bits)).view(np.int64)


def place(rows: np.ndarray, low: np.ndarray, high: np.ndarray, values: np.ndarray) -> None:
    """Write each new key into the first free row of its search; the first ones take precedence."""
    lows, highs, all_values = rows
    at = first_rows(low, high, len(lows))  # (N,)
    left = np.arange(len(low))[::-1]
    while len(left):
        free = left[highs.take(at[left]) == FREE]
        # Of several keys that come to one row, it takes in the one that wrote last: the first.
        all_values[at[free]] = free
        first = free[all_values.take(at[free]) == free]
        all_values[at[first]] = values[first]
        lows[at[first]] = low[first]
        highs[at[first]] = high[first]  # from here on the row is found
        left = left[(lows.take(at[left]) != low[left]) | (highs.take(at[left]) != high[left])]
        at[left] = (at[left] + 1) & (len(lows) - 1)


def distinct_keys(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct keys from 0; give where each stands, and the number of every key."""
    hashes = hash_keys(low, high)
    order = np.argsort(hashes)
    new = changes(low[order]) | changes(high[order])
    if new.sum() > changes(hashes[order]).sum():  # keys of one hash may stand mixed: A, B, A
        order = np.lexsort((low, high))
        new = changes(low[order]) | changes(high[order])
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return order[new], numbers


def changes(values: np.ndarray) -> np.ndarray:
    """Mark the values that are not the one before."""
    marks = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=marks[1:])
    return marks
