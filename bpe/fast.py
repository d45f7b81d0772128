"""Encode text with NumPy: the ids of `plain.py`, many times as fast.

`plain.py` cuts a text with a regular expression and looks up one chunk after the other in a `dict`.
Here the chunks of a block of text are found all at once (`fast_split.py`) and looked up all at once
(`fast_table.py`): a chunk of up to 15 bytes, with its length, fills exactly two numbers of 64 bits.
Chunks that are not known yet are merged (`fast_merge.py`), and known from then on.
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
KEPT_IDS = 1 << 21  # of all chunks remembered: 20 MB of novels have 62,000 chunks, 160,000 ids
PLACE_BITS = 7  # the low bits of a place (see Memory): how many ids the chunk has
KEPT_BYTES = 64  # in the longest chunk that is remembered; it has no more ids than bytes

# The key of a chunk is the 16 bytes from its start, with 0 for those beyond its end, and its length
# in the last one. For each length, KEEP masks what is kept, and LENGTHS is the length in its place.
# A chunk of more than 15 bytes has no key, and 0 for `high`.
KEY_BYTES = 15
KEEP = [[255] * length + [0] * (16 - length) for length in range(KEY_BYTES + 1)] + [[0] * 16]
KEEP_LOW, KEEP_HIGH = np.array(KEEP, np.uint8).view("<u8").astype(np.uint64).T.copy()  # (17,)
LENGTHS = np.array([*range(KEY_BYTES + 1), 0], np.uint64) << np.uint64(56)  # (17,)


def chunk_keys(
    data: bytes, starts: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the key of each chunk of `data`, `low` and `high`, uint64."""
    # The 8 bytes from every byte on; copied here, or `take` would copy them each time.
    words = np.ndarray((len(data) + 9,), "<u8", data + bytes(16), strides=(1,)).copy()
    length = np.minimum(lengths, KEY_BYTES + 1)
    low = words.take(starts) & KEEP_LOW.take(length)
    high = words[8:].take(starts) & KEEP_HIGH.take(length) | LENGTHS.take(length)
    return low, high


class Memory:
    """The ids of chunks, all in one array, and each chunk's place in it.

    A place is where the chunk's ids begin, times 128, plus how many there are; 0 means none.
    Threads may look up while one adds: what has been written stays, and ids are written before any
    place points to them.
    """

    def __init__(self):
        self.table = Table()  # key -> place
        self.long: dict[bytes, int] = {}  # chunk without a key -> place
        self.ids = np.empty(1 << 14, np.uint32)
        self.size = 0  # ids in use

    def add(self, low: np.ndarray, high: np.ndarray, ids: np.ndarray, counts: np.ndarray) -> None:
        """Remember the ids of chunks that have these keys, all different and new."""
        self.table.add(low, high, self._store(ids, counts).view(np.uint64))

    def add_long(self, chunks: Sequence[bytes], ids: np.ndarray, counts: np.ndarray) -> None:
        """Remember the ids of chunks of at most KEPT_BYTES."""
        self.long.update(zip(chunks, self._store(ids, counts).tolist(), strict=True))

    def _store(self, ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
        starts = self.size + np.cumsum(counts) - counts
        self.size += len(ids)
        if self.size > len(self.ids):
            self.ids = np.concatenate((self.ids, np.empty(2 * self.size, np.uint32)))
        self.ids[self.size - len(ids) : self.size] = ids
        return starts << PLACE_BITS | counts


class FastEncoder:
    """Encodes text for one vocabulary and pattern, GPT4 or GPT2. Threads may share it."""

    def __init__(self, merger: Merger, splitter: Splitter, kept_ids: int = KEPT_IDS):
        """Remember the chunks of about `kept_ids` ids, then start anew."""
        self._merger = merger
        self._splitter = splitter
        self._kept_ids = kept_ids
        self._memory = Memory()
        self._one_adds = threading.Lock()
        kind_table(splitter.pattern)  # so that the first text need not wait for it

    def smaller(self) -> "FastEncoder":
        """Make an encoder for the same vocabulary that itself needs less than a megabyte."""
        return FastEncoder(self._merger.thrifty(), self._splitter, FIRST_ROWS // 2)

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
        if self._memory.size > self._kept_ids:
            self._memory = Memory()
        memory = self._memory
        places = memory.table.get(low, high).view(np.int64)  # (N,)
        long = np.flatnonzero(high == 0)
        places[long] = [memory.long.get(chunk, 0) for chunk in chunks.spell(long)]
        starts, counts = places >> PLACE_BITS, places & ((1 << PLACE_BITS) - 1)
        new = np.flatnonzero(places == 0)
        if len(new):
            new_ids, new_starts, counts[new] = self._learn(memory, chunks, low, high, new)
        ends = np.cumsum(counts)
        ids = memory.ids.take(spans(starts, counts), mode="clip")
        if len(new):
            ids[spans((ends - counts)[new], counts[new])] = new_ids[spans(new_starts, counts[new])]
        bounds = np.concatenate(([0], ends))[np.concatenate(([0], np.cumsum(chunks.per_text)))]
        for start, end in pairwise(bounds.tolist()):
            yield ids[start:end]

    def _learn(
        self, memory: Memory, chunks: Chunks, low: np.ndarray, high: np.ndarray, new: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Merge the chunks numbered `new`, each distinct one once, and remember them.

        Returns ids and, for each chunk, where its own begin among them and how many there are.
        """
        low, high = low[new], high[new]
        short = np.flatnonzero(high)
        first, number = distinct_keys(low[short], high[short])
        low, high = low[short][first], high[short][first]
        cells = np.stack((low, high), axis=1).astype("<u8").view(np.uint8)  # (N, 16)
        ids, counts = self._merger.merge_cells(cells, cells[:, KEY_BYTES].astype(np.int64))

        numbers = np.full(len(new), -1)
        numbers[short] = number
        long = np.flatnonzero(numbers < 0)
        words = chunks.spell(new[long])
        distinct = {word: len(counts) + i for i, word in enumerate(dict.fromkeys(words))}
        numbers[long] = [distinct[word] for word in words]
        long_ids, long_counts = self._merger.merge([*distinct])

        with self._one_adds:
            # Another thread may have learned some of them in the meantime.
            unknown = memory.table.get(low, high) == 0
            memory.add(
                low[unknown], high[unknown], ids[np.repeat(unknown, counts)], counts[unknown]
            )
            kept = np.array([len(word) <= KEPT_BYTES for word in distinct], bool)
            memory.add_long(
                [word for word in distinct if len(word) <= KEPT_BYTES],
                long_ids[np.repeat(kept, long_counts)],
                long_counts[kept],
            )
        ids, counts = np.concatenate((ids, long_ids)), np.concatenate((counts, long_counts))
        return ids, (np.cumsum(counts) - counts)[numbers], counts[numbers]
