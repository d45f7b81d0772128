"""The text as the trainer sees it: every distinct chunk once, and what is known of its pairs.

`naive.train` counts all pairs anew for each merge. Here a merge looks only at the places where its
pair stands, and corrects the counts of the pairs around them; and many merges are done in one step,
so that NumPy has long arrays to work on.

Which merges may share a step? Take the pairs in the order of their counts, most frequent first, for
as long as none can touch another: no pair ends with the token that another begins with, as "he" and
"er" do, which both want the "e" of "her". Merging one then leaves the counts of the others as they
are. Nor can a pair born in the step come before one that is in it. Where "th" becomes a token, the
new pair " "+"th" stands no more often than " "+"t" did; that one touches "th", so it is not in the
step and comes after all that are; and of pairs that stand equally often the lower ids come first,
which are never the new ones. So the merges are those of `naive.train`, in the same order.

This is not the counting of chunks (`count.py`), nor the training as a whole (`train.py`).
"""

import heapq
from collections.abc import Sequence

import numpy as np

from bpe.arrays import spans, with_room, without_overlaps
from bpe.naive import BYTE_ORDER, Pair

END, GONE = -1, -2  # in `Corpus.ids`: after each chunk; where a merge has swallowed a token
BYTE_IDS = np.argsort(np.frombuffer(BYTE_ORDER, np.uint8)).astype(np.int32)  # (256,) byte -> id
NO_PAIR = 0  # the number of no pair; what is counted for it does not matter
CANDIDATES = 4096  # about so many of the most frequent pairs are kept in order
KEY, COUNT, START, PLACES = range(4)  # rows of `Corpus.pairs`


class Corpus:
    """Chunks as token ids in one array, and their pairs, each with a number.

    `ids[p]` is the token at position p; a merged token stays at the position of its first byte.
    `after[p]` and `before[p]` are the positions of its neighbours, `pair_at[p]` is the number of
    the pair that it begins, and `weight[p]` is how often its chunk stands in the text.

    All occurrences of a pair are born at once: in the step that makes the younger of its two ids,
    or at the start. Later steps only take some away. So a pair gets its number and the list of its
    places then, once and for all, and `pair_at` says which of the places still hold it.
    """

    def __init__(self, chunks: Sequence[bytes], counts: Sequence[int]):
        """Take distinct chunks, and how often each stands in the text."""
        lengths = np.fromiter(map(len, chunks), np.int64, len(chunks))
        self.ids = np.full(lengths.sum() + len(chunks) + 1, END, np.int32)  # (P,) END at both ends
        is_byte = np.ones(len(self.ids), bool)
        is_byte[0] = is_byte[np.cumsum(lengths + 1)] = False
        self.ids[is_byte] = BYTE_IDS[np.frombuffer(b"".join(chunks), np.uint8)]
        self.weight = np.concatenate(([0], np.repeat(np.array(counts, np.int64), lengths + 1)))
        self.after = np.arange(1, len(self.ids) + 1, dtype=np.int32)  # (P,)
        self.before = np.arange(-1, len(self.ids) - 1, dtype=np.int32)  # (P,)
        self.pair_at = np.full(len(self.ids), NO_PAIR, np.int32)  # (P,)
        self.next_id = 256
        # Of each pair by its number: first id << 32 | second id; how often it stands in the text;
        # where in `places` its own begin; how many these were at its birth.
        self.pairs = np.zeros((4, 1 << 12), np.int64)
        self.places = np.empty(2 * len(self.ids), np.int32)  # positions
        self.num_pairs, self.num_places = 1, 0
        # The pairs that stand at least `least` times in the text, as (-count, key, number): the
        # first is merged first. A count may be out of date, but then it is too high.
        self.heap: list[tuple[int, int, int]] = []
        self.least = 1 << 62
        first = np.flatnonzero((self.ids[:-1] >= 0) & (self.ids[1:] >= 0))
        self._enter(first)

    def num_tokens(self) -> int:
        """Count the tokens of the text as it is merged so far."""
        return int(self.weight[self.ids >= 0].sum())

    def merge_next(self, at_most: int) -> list[Pair]:
        """Do up to `at_most` merges in one step; list them, none where no pair is left."""
        keys, numbers = self._choose(at_most)
        if keys:
            self._merge(np.array(numbers))
            self.next_id += len(keys)
        return [divmod(key, 1 << 32) for key in keys]

    def _choose(self, at_most: int) -> tuple[list[int], list[int]]:
        """Take the next pairs that cannot touch each other; give their keys and their numbers."""
        while not self._heap_is_true() and self.least > 1:
            self._fill_heap()
        keys, numbers, firsts, seconds = [], [], set(), set()
        while len(keys) < at_most and self._heap_is_true():
            _, key, number = self.heap[0]
            first, second = divmod(key, 1 << 32)
            if first in seconds or second in firsts or (keys and first == second):
                break
            heapq.heappop(self.heap)
            keys.append(key)
            numbers.append(number)
            firsts.add(first)
            seconds.add(second)
            if first == second:  # it touches itself, and is merged alone
                break
        return keys, numbers

    def _heap_is_true(self) -> bool:
        """Bring the most frequent pair to the top; of equal counts, the lowest. Is there one?"""
        while self.heap:
            count, key, number = self.heap[0]
            true_count = int(self.pairs[COUNT, number])
            if true_count == -count:
                return True
            if true_count >= self.least:
                heapq.heapreplace(self.heap, (-true_count, key, number))
            else:
                heapq.heappop(self.heap)
        return False

    def _fill_heap(self) -> None:
        """Lower `least` so far that some CANDIDATES pairs come in."""
        counts = self.pairs[COUNT, 1 : self.num_pairs]
        self.least = 1
        if len(counts) > CANDIDATES:
            self.least = max(1, int(np.partition(counts, -CANDIDATES)[-CANDIDATES]))
        numbers = np.flatnonzero(counts >= self.least) + 1
        keys, counts = self.pairs[KEY, numbers], self.pairs[COUNT, numbers]
        rows = zip((-counts).tolist(), keys.tolist(), numbers.tolist(), strict=True)
        self.heap = sorted(rows)  # a sorted list is a heap

    def _merge(self, numbers: np.ndarray) -> None:
        """Put new ids wherever these pairs stand, and correct the counts of the pairs around."""
        ids, pairs = self.ids, self.pairs
        left = self.places[spans(pairs[START, numbers], pairs[PLACES, numbers])]  # (N,)
        number = np.repeat(numbers, pairs[PLACES, numbers])
        new_ids = np.repeat(self.next_id + np.arange(len(numbers)), pairs[PLACES, numbers])
        still = self.pair_at[left] == number
        left, new_ids = left[still], new_ids[still]
        if len(numbers) == 1:  # perhaps of equal ids
            left.sort()
            left = without_overlaps(left, self.after[left])
            new_ids = new_ids[: len(left)]
        right = self.after[left]
        after = self.after[right]
        self.after[left], self.before[after] = after, left
        ids[left], ids[right] = new_ids, GONE
        before = self.before[left]
        # Two tokens made in this step may be neighbours; the left one sees to the pair between.
        before = before[(ids[before] != END) & (ids[before] < self.next_id)]

        broken = np.concatenate((right, before))  # where pairs began that are no more
        np.subtract.at(pairs[COUNT], self.pair_at[broken], self.weight[broken])
        pairs[COUNT, numbers] = 0
        self.pair_at[right] = self.pair_at[left] = NO_PAIR
        self._enter(np.concatenate((left[ids[after] != END], before)))

    def _enter(self, where: np.ndarray) -> None:
        """Enter the new pairs whose first tokens stand at the positions `where`."""
        if not len(where):
            return
        keys = self.ids[where].astype(np.int64) << 32 | self.ids[self.after[where]]
        order = np.argsort(keys)
        keys, where = keys[order], where[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        places = np.diff(starts, append=len(where))
        keys, counts = keys[starts], np.add.reduceat(self.weight[where], starts)

        first, end = self.num_pairs, self.num_pairs + len(starts)
        self.pairs = with_room(self.pairs, end)
        self.pairs[:, first:end] = keys, counts, self.num_places + starts, places
        self.places = with_room(self.places, self.num_places + len(where))
        self.places[self.num_places : self.num_places + len(where)] = where
        self.pair_at[where] = np.repeat(np.arange(first, end), places)
        self.num_pairs, self.num_places = end, self.num_places + len(where)

        frequent = np.flatnonzero(counts >= self.least)
        rows = (-counts[frequent]).tolist(), keys[frequent].tolist(), (first + frequent).tolist()
        for row in zip(*rows, strict=True):
            heapq.heappush(self.heap, row)
