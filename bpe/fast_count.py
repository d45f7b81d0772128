"""Count the chunks of text with NumPy: what a `Counter` of `Splitter.chunks` counts, much faster.

As for encoding (`fast.py`), the chunks of a piece of text are found all at once, and each of up to
15 bytes is two numbers of 64 bits, its key. A table (`fast_table.py`) numbers the distinct keys,
and `np.bincount` counts the numbers. The few longer chunks go into a `Counter`.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from bpe.arrays import with_room
from bpe.fast import KEY_BYTES, chunk_keys
from bpe.fast_split import fast_chunks
from bpe.fast_table import Table, distinct_keys

# Distinct keys, low and high, the count of each; and the chunks without a key, with their counts.
Keyed = tuple[np.ndarray, np.ndarray, np.ndarray, Counter[bytes]]


class FastCounter:
    """Counts chunks, by key and by their bytes."""

    def __init__(self):
        self.table = Table()  # key -> its number, from 1
        self.keys = np.zeros((2, 1), np.uint64)  # low and high of each number
        self.counts = np.zeros(1, np.int64)
        self.long: Counter[bytes] = Counter()  # chunks of more than KEY_BYTES

    def add_texts(self, texts: Sequence[str], pattern: str) -> int:
        """Count the chunks of texts, cut by one of the named patterns; return the texts' bytes."""
        chunks = fast_chunks(texts, pattern)
        low, high = chunk_keys(chunks.data, chunks.starts, chunks.lengths)
        long = np.flatnonzero(high == 0)
        first, stop = chunks.starts[long], chunks.starts[long] + chunks.lengths[long]
        places = zip(first.tolist(), stop.tolist(), strict=True)
        self.long.update([chunks.data[a:b] for a, b in places])
        numbers = self._number(low, high)
        self.counts += np.bincount(numbers, minlength=len(self.counts))
        return len(chunks.data) - len(texts)  # without the stops

    def add(
        self, low: np.ndarray, high: np.ndarray, counts: np.ndarray, long: Counter[bytes]
    ) -> None:
        """Add what another has counted: its `result`."""
        numbers = self._number(low, high)
        self.counts[numbers] += counts
        self.long.update(long)

    def result(self) -> Keyed:
        """Give what has been counted, for another to add."""
        size = self.table.size + 1
        return *self.keys[:, 1:size], self.counts[1:size], self.long

    def chunks(self) -> dict[bytes, int]:
        """Give every distinct chunk and its count."""
        low, high, counts, long = self.result()
        cells = np.stack((low, high), axis=1).astype("<u8").view(np.uint8)  # (N, 16)
        data, lengths = cells.tobytes(), cells[:, KEY_BYTES].tolist()
        starts = range(0, len(data), 16)
        of_key = zip(starts, lengths, counts.tolist(), strict=True)
        return {data[start : start + length]: count for start, length, count in of_key} | long

    def _number(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Give the number of each key, a new one if need be; 0 for a chunk without a key."""
        numbers = self.table.get(low, high).view(np.int64)  # (N,)
        new = np.flatnonzero((numbers == 0) & (high > 0))
        if len(new):
            first, which = distinct_keys(low[new], high[new])
            low, high = low[new[first]], high[new[first]]
            start, end = self.table.size + 1, self.table.size + 1 + len(first)
            self.table.add(low, high, np.arange(start, end, dtype=np.uint64))
            self.keys, self.counts = with_room(self.keys, end), with_room(self.counts, end)
            self.keys[:, start:end] = low, high
            numbers[new] = start + which
        return numbers
