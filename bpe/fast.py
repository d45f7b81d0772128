"""Encode text with NumPy: the ids of the plain road in `tokenizer.py`, many times as fast.

The plain road cuts a text with a regular expression and looks up one chunk after the other in a
`dict`. Here the chunks of a block of text are found all at once (`fast_split.py`) and looked up
all at once (`fast_table.py`): a chunk of up to 15 bytes is, with its length, exactly two numbers
of 64 bits. What is not known yet is merged (`fast_merge.py`), and known from then on.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from bpe.arrays import spans
from bpe.fast_merge import Merger
from bpe.fast_split import Chunks, fast_chunks, kind_table
from bpe.fast_table import FIRST_ROWS, Table, distinct_keys
from bpe.split import Splitter

BLOCK_CHARS = 1 << 19  # encoded together; takes some 50 bytes of memory a character
KEPT_CHUNKS = 1 << 19  # so many are remembered: 20 MB of novels have 62,000 distinct ones
KEPT_BYTES = 64  # of the longest chunk that is remembered

# What the key of a chunk keeps of the 16 bytes from its start, by its length, and the length, which
# it has in the last of them. A chunk of more than 15 bytes has no key, and 0 for `high`.
KEY_BYTES = 15
KEEP = [[255] * length + [0] * (16 - length) for length in range(KEY_BYTES + 1)] + [[0] * 16]
KEEP_LOW, KEEP_HIGH = np.array(KEEP, np.uint8).view("<u8").astype(np.uint64).T.copy()  # (17,)
LENGTHS = np.array([*range(KEY_BYTES + 1), 0], np.uint64) << np.uint64(56)  # (17,)


def chunk_keys(
    data: bytes, starts: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the key of each chunk of `data`, `low` and `high`, uint64."""
    words = np.ndarray((len(data) + 9,), "<u8", data + bytes(16), strides=(1,))  # at every byte
    length = np.minimum(lengths, KEY_BYTES + 1)
    low = words.take(starts) & KEEP_LOW.take(length)
    high = words[8:].take(starts) & KEEP_HIGH.take(length) | LENGTHS.take(length)
    return low, high


class Memory:
    """The ids of chunks: a table from the key of a chunk to its place in one array of ids.

    A value is where the chunk's ids begin, times 16, plus how many they are. Threads may look up
    while one adds: what has been written stays, and ids are there before the table says so.
    """

    def __init__(self):
        self.table = Table()
        self.ids = np.empty(1 << 14, np.uint32)
        self._used = 0  # of ids

    def add(self, low: np.ndarray, high: np.ndarray, ids: np.ndarray, counts: np.ndarray) -> None:
        """Remember the ids of chunks, all different and new."""
        starts = self._used + np.cumsum(counts) - counts
        self._used += len(ids)
        if self._used > len(self.ids):
            self.ids = np.concatenate((self.ids, np.empty(2 * self._used, np.uint32)))
        self.ids[self._used - len(ids) : self._used] = ids
        self.table.add(low, high, (starts * 16 + counts).astype(np.uint64))


class FastEncoder:
    """Encodes text for one vocabulary and one of the named patterns. Threads may share it."""

    def __init__(self, merger: Merger, splitter: Splitter, kept_chunks: int = KEPT_CHUNKS):
        """Remember about `kept_chunks` chunks, then start anew."""
        self._merger = merger
        self._splitter = splitter
        self._kept_chunks = kept_chunks
        self._memory = Memory()
        self._long: dict[bytes, bytes] = {}  # chunk without a key -> its ids, uint32
        self._one_adds = threading.Lock()
        kind_table(splitter.pattern)  # so that the first text need not wait for it

    def smaller(self) -> "FastEncoder":
        """Make another for the same vocabulary that itself needs less than a megabyte."""
        return FastEncoder(self._merger, self._splitter, FIRST_ROWS // 4)

    def encode_lists(self, texts: Iterable[str], escaped: bool = False) -> Iterator[list[int]]:
        """Do what `encode_arrays` does, but yield lists."""
        for arrays in self.encode_arrays(texts, escaped):
            ids = []
            for array in arrays:
                ids += self._merger.int_of.take(array).tolist()
            yield ids

    def encode_arrays(
        self, texts: Iterable[str], escaped: bool = False
    ) -> Iterator[list[np.ndarray]]:
        """Encode each text; yield its ids, uint32, in one or more arrays.

        Long texts are cut into blocks, and short ones encoded several at a time. `escaped` is that
        of `fast_chunks`.
        """
        batch, size = [], 0
        for text in texts:
            long = len(text) > BLOCK_CHARS
            if batch and (long or size > BLOCK_CHARS):
                yield from ([ids] for ids in self._encode_batch(batch, escaped))
                batch, size = [], 0
            if long:
                blocks = self._splitter.blocks(text, BLOCK_CHARS)
                yield [next(self._encode_batch([block], escaped)) for block in blocks]
            else:
                batch.append(text)
                size += len(text)
        if batch:
            yield from ([ids] for ids in self._encode_batch(batch, escaped))

    def _encode_batch(self, texts: Sequence[str], escaped: bool) -> Iterator[np.ndarray]:
        """Encode texts all at once; yield the ids of each."""
        chunks = fast_chunks(texts, self._splitter.pattern, escaped)
        low, high = chunk_keys(chunks.data, chunks.starts, chunks.lengths)
        if self._memory.table.size > self._kept_chunks:
            self._memory = Memory()
        memory = self._memory
        places = memory.table.get(low, high).view(np.int64)  # (N,)
        starts, counts = places >> 4, places & 15
        new = np.flatnonzero(places == 0)
        if len(new):
            new_ids, new_starts, counts[new] = self._merge_new(chunks, low, high, new)
        ends = np.cumsum(counts)
        ids = memory.ids.take(spans(starts, counts), mode="clip")
        if len(new):
            ids[spans((ends - counts)[new], counts[new])] = new_ids[spans(new_starts, counts[new])]
        bounds = np.concatenate(([0], ends))[np.concatenate(([0], np.cumsum(chunks.per_text)))]
        for start, end in pairwise(bounds.tolist()):
            yield ids[start:end]

    def _merge_new(
        self, chunks: Chunks, low: np.ndarray, high: np.ndarray, new: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Merge the chunks `new`, by their numbers.

        Returns ids, and for each chunk where in these its own begin, and how many they are.
        """
        short = high[new] > 0
        starts, counts = np.empty((2, len(new)), np.int64)
        ids, starts[short], counts[short] = self._learn(low[new[short]], high[new[short]])
        if not short.all():
            long = new[~short]
            first, stop = chunks.starts[long], chunks.starts[long] + chunks.lengths[long]
            words = [chunks.data[a:b] for a, b in zip(first.tolist(), stop.tolist(), strict=True)]
            long_ids, starts[~short], counts[~short] = self._learn_long(words)
            starts[~short] += len(ids)
            ids = np.concatenate((ids, long_ids))
        return ids, starts, counts

    def _learn(
        self, low: np.ndarray, high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Merge the chunks that have these keys, each distinct one once, and remember them.

        Returns what `_merge_new` does.
        """
        first, number = distinct_keys(low, high)
        low, high = low[first], high[first]
        cells = np.stack((low, high), axis=1).astype("<u8").view(np.uint8)  # (N, 16)
        ids, counts = self._merger.merge_cells(cells, cells[:, KEY_BYTES].astype(np.int64))
        starts = np.cumsum(counts) - counts
        with self._one_adds:
            # Another thread may have learned some of them in the meantime.
            new = np.flatnonzero(self._memory.table.get(low, high) == 0)
            new_ids = ids[spans(starts[new], counts[new])]
            self._memory.add(low[new], high[new], new_ids, counts[new])
        return ids, starts[number], counts[number]

    def _learn_long(self, chunks: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Do what `_learn` does for chunks that have no key, with a `dict`."""
        ids_of = {chunk: self._long.get(chunk, b"") for chunk in chunks}
        new = [chunk for chunk, ids in ids_of.items() if not ids]
        ids, counts = self._merger.merge(new)
        data, ends = ids.tobytes(), [0, *(np.cumsum(counts) * ids.itemsize).tolist()]
        learned = {c: data[a:b] for c, (a, b) in zip(new, pairwise(ends), strict=True)}
        ids_of |= learned
        if len(self._long) > self._kept_chunks // 8:
            self._long = {}
        self._long.update((c, i) for c, i in learned.items() if len(c) <= KEPT_BYTES)
        number = {chunk: i for i, chunk in enumerate(ids_of)}
        index = np.array([number[chunk] for chunk in chunks], np.int64)
        counts = np.fromiter(map(len, ids_of.values()), np.int64) // ids.itemsize
        ids = np.frombuffer(b"".join(ids_of.values()), np.uint32)
        return ids, (np.cumsum(counts) - counts)[index], counts[index]
