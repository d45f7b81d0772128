"""Learn the merges of a byte-level BPE tokenizer, fast.

`naive.py` says what is learned: the same merges come out here. Two things make it fast. Text
repeats its words, so `count.py` first reduces it to its distinct chunks and how often each stands
in it. And a merge touches few places, so the counts of pairs are corrected there rather than taken
anew.

This is not the cutting of the text (`split.py`) nor the encoding (`tokenizer.py`).
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from tqdm import tqdm

from bpe.arrays import without_overlaps
from bpe.count import count_chunks
from bpe.naive import BYTE_ORDER, Pair
from bpe.special import check_special_tokens
from bpe.split import Splitter, to_bytes
from bpe.tokenizer import Tokenizer


def train(
    texts: Iterable[str],
    vocab_size: int,
    pattern: str = "gpt4",
    special_tokens: Iterable[str] = (),
    **options,
) -> Tokenizer:
    """Learn a tokenizer of `vocab_size` symbols: 256 bytes, then merges, then special tokens.

    The pair with the highest count is merged; of equal counts, the lowest pair of ids. Where a
    special token's text stands in `texts`, it is left out and nothing is merged across it. Raises
    ValueError for a `vocab_size` below what bytes and special tokens take, or above what the texts
    can give. Options: those of `train_with_report`.
    """
    return train_with_report(texts, vocab_size, pattern, special_tokens, **options)[0]


def train_with_report(
    texts: Iterable[str],
    vocab_size: int,
    pattern: str = "gpt4",
    special_tokens: Iterable[str] = (),
    *,
    processes: int | None = None,
    progress: bool = False,
    total_bytes: int | None = None,
    at_most: bool = False,
) -> tuple[Tokenizer, dict]:
    """Train, and report the documents, and the bytes and tokens of their text.

    Long texts are counted in so many worker `processes` (default: one a core). With `progress`,
    bars are drawn on a terminal; `total_bytes` tells the first how much text there will be. With
    `at_most`, a text that cannot give `vocab_size` symbols gives as many as it can.
    """
    splitter = Splitter(pattern)
    special_texts = check_special_tokens(special_tokens)
    least = 256 + len(special_texts)
    if vocab_size < least:
        holders = "every byte and special token" if special_texts else "every byte"
        raise ValueError(
            f"vocab_size is {vocab_size}; it must be at least {least}, so that {holders} has an id"
        )
    quiet = None if progress else True
    with tqdm(desc="counting", total=total_bytes, unit="B", unit_scale=True, disable=quiet) as bar:
        counts = count_chunks(texts, splitter, special_texts, processes, bar)
    if not counts.chunks:
        raise ValueError("the texts are empty; there must be text to learn from")
    with tqdm(desc="merging", total=vocab_size - least, unit=" merges", disable=quiet) as bar:
        merges, num_tokens = learn_merges(counts.chunks, vocab_size - least, bar)
    most = least + len(merges)
    if most < vocab_size and not at_most:
        raise ValueError(
            f"vocab_size is {vocab_size}, but this text gives at most {most} symbols; "
            f"ask for {most} or fewer, or bring more text"
        )
    report = {
        "vocab_size": most,
        "documents": counts.documents,
        "bytes": counts.bytes,
        "tokens": num_tokens,
        "bytes_per_token": round(counts.bytes / num_tokens, 4),
    }
    return Tokenizer.from_merges(merges, pattern, special_texts), report


def learn_merges(
    chunks: Mapping[str, int], num_merges: int, bar: tqdm | None = None
) -> tuple[list[Pair], int]:
    """Learn up to `num_merges` merges, and count the tokens the text then has."""
    corpus = Corpus(chunks)
    merges = []
    while len(merges) < num_merges and (pair := corpus.most_frequent_pair()):
        corpus.merge(pair, 256 + len(merges))
        merges.append(pair)
        if bar is not None:
            bar.update()
    return merges, corpus.num_tokens()


END, GONE = -1, -2  # in `Corpus.ids`: after each chunk; where a merge has swallowed a token
BYTE_IDS = np.argsort(np.frombuffer(BYTE_ORDER, np.uint8)).astype(np.int32)  # (256,) byte -> id


class Corpus:
    """Every distinct chunk once, as token ids in one array, with what is known of its pairs.

    `ids[p]` is the token at position p; a merged token stays at the position of its first byte.
    `after[p]` and `before[p]` are the positions of its neighbours, and `weight[p]` is how often its
    chunk stands in the text.

    All occurrences of a pair are born at once: in the step that makes the younger of its two ids,
    or at the start. Later steps only take some away. So `where[pair]` is written once and may only
    hold too much, and the count with which a pair stands in the heap may only be too high. Either
    is found out when the pair comes up, against `ids` and `counts`, which are always right.
    """

    def __init__(self, chunks: Mapping[str, int]):
        data = [to_bytes(chunk) for chunk in chunks]
        lengths = np.array([len(chunk) for chunk in data], np.int64)
        times = np.fromiter(chunks.values(), np.int64, len(data))
        self.ids = np.full(lengths.sum() + len(data) + 1, END, np.int32)  # (P,) END first and last
        is_byte = np.ones(len(self.ids), bool)
        is_byte[0] = is_byte[np.cumsum(lengths + 1)] = False
        self.ids[is_byte] = BYTE_IDS[np.frombuffer(b"".join(data), np.uint8)]
        self.weight = np.concatenate(([0], np.repeat(times, lengths + 1)))  # (P,)
        self.after = np.arange(1, len(self.ids) + 1)  # (P,)
        self.before = np.arange(-1, len(self.ids) - 1)  # (P,)
        self.where: dict[int, np.ndarray] = {}  # key -> positions of the first token, ascending
        self.counts: dict[int, int] = {}  # key -> how often the pair stands in the text
        self.heap: list[tuple[int, int]] = []  # (-count, key): the lowest is merged first
        first = np.flatnonzero((self.ids[:-1] >= 0) & (self.ids[1:] >= 0))
        self._add(self.ids[first], self.ids[first + 1], first)

    def num_tokens(self) -> int:
        """Count the tokens of the text as it is merged so far."""
        return int(self.weight[self.ids >= 0].sum())

    def most_frequent_pair(self) -> Pair | None:
        """Take the pair with the highest count; of equal counts, the lowest pair."""
        while self.heap:
            count, key = heapq.heappop(self.heap)
            if -count == self.counts[key]:
                return divmod(key, 1 << 32)
            if self.counts[key]:
                heapq.heappush(self.heap, (-self.counts[key], key))
        return None

    def merge(self, pair: Pair, new_id: int) -> None:
        """Put `new_id` wherever `pair` stands, and correct the counts of the pairs around."""
        ids, (first, second) = self.ids, pair
        key = first << 32 | second
        left = self.where.pop(key)  # (N,)
        left = left[(ids[left] == first) & (ids[self.after[left]] == second)]
        if first == second:
            left = without_overlaps(left, self.after[left])
        right = self.after[left]
        after = self.after[right]
        old_after = ids[after]

        ids[left], ids[right] = new_id, GONE
        self.after[left], self.before[after] = after, left
        before = self.before[left]

        # Two tokens made in this step may be neighbours; the left one sees to the pair between.
        followed = old_after != END
        preceded = (ids[before] != END) & (ids[before] != new_id)
        self._subtract(second, old_after[followed], left[followed])
        self._subtract(ids[before[preceded]], first, left[preceded])
        del self.counts[key]
        self._add(new_id, ids[after[followed]], left[followed])
        self._add(ids[before[preceded]], new_id, before[preceded])

    def _add(self, first: np.ndarray | int, second: np.ndarray | int, where: np.ndarray) -> None:
        """Enter new pairs, whose first tokens stand at the positions `where`, ascending."""
        for key, count, positions in self._grouped(first, second, where):
            self.counts[key] = count
            self.where[key] = positions
            heapq.heappush(self.heap, (-count, key))

    def _subtract(
        self, first: np.ndarray | int, second: np.ndarray | int, where: np.ndarray
    ) -> None:
        """Take away pairs that a merge has broken up, one for each position in `where`."""
        for key, count, _ in self._grouped(first, second, where):
            self.counts[key] -= count

    def _grouped(
        self, first: np.ndarray | int, second: np.ndarray | int, where: np.ndarray
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield each distinct pair once: its key, the sum of its weights, its positions."""
        if not len(where):
            return
        keys = pair_keys(first, second)
        order = np.argsort(keys, kind="stable")
        keys, where = keys[order], where[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        sums = np.add.reduceat(self.weight[where], starts)
        stops = [*starts[1:].tolist(), len(where)]
        for key, count, start, stop in zip(
            keys[starts].tolist(), sums.tolist(), starts.tolist(), stops, strict=True
        ):
            yield key, count, where[start:stop]


def pair_keys(first: np.ndarray | int, second: np.ndarray | int) -> np.ndarray:
    """Make one int64 of each pair of ids; the keys are in the order of the pairs."""
    return np.asarray(first, np.int64) << 32 | np.asarray(second, np.int64)
