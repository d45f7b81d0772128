"""Merge many chunks at once with NumPy: `ranks.merge_by_rank`, one step of all of them at a time.

Chunks do not depend on one another, so the step that merges one pair is the same few calls for one
chunk and for thousands. The rest is as there: links to the neighbours, the lowest rank first, the
leftmost of equals. Long chunks are cut up first (`fast_long.py`).

This is not the place to learn merging: `naive.py` and `ranks.py` come first.
"""

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np

from bpe.arrays import reorder
from bpe.fast_long import WINDOW, merge_long
from bpe.fast_ranks import NO_RANK, NO_TOKEN, PairRanks
from bpe.naive import Pair
from bpe.ranks import merge_by_rank

CELLS = 1 << 15  # chunks times width of what is merged together: a megabyte, for the cache
FEW_CELLS = 1 << 12  # the same where memory is scarce, at more time
FEW = 24  # so few chunks are as fast one by one


class Merger:
    """Merges chunks into ids."""

    cells = CELLS

    def thrifty(self) -> "Merger":
        """Make another of the same merges that takes a tenth of the memory while it works."""
        other = copy(self)
        other.cells = FEW_CELLS
        return other

    def __init__(self, tokens: Mapping[int, bytes], ranks: Mapping[Pair, int], made: Sequence[int]):
        """`ranks` and `made` are those of `merge_by_rank`: pair -> rank, and rank -> id."""
        self._rank_of, self._made_by = ranks, made
        self.ranks = PairRanks(list(ranks))
        self.made = np.array(made, np.uint32)  # (M,)
        self.byte_ids = np.zeros(256, np.uint32)
        self.token_lengths = np.zeros(max(tokens) + 1, np.int64)  # (ids,) bytes
        for id, token in tokens.items():
            self.token_lengths[id] = len(token)
            if len(token) == 1:
                self.byte_ids[token[0]] = id
        byte = np.arange(256).repeat(256), np.tile(np.arange(256), 256)
        self.byte_ranks = self.ranks.get(self.byte_ids[byte[0]], self.byte_ids[byte[1]])
        # A list that shares its ints is made in half the time, and takes a fifth of the memory.
        self.int_of = np.arange(max(tokens) + 1).astype(object)
        # Whether each merge comes after all that make its two parts, as those learned do.
        made_at = np.full(max(tokens) + 1, -1)
        np.maximum.at(made_at, self.made, np.arange(len(made)))
        parts = np.array(list(ranks), np.int64).reshape(-1, 2)  # (M, 2)
        self.ordered = bool((made_at[parts].max(axis=1, initial=-1) < np.arange(len(made))).all())

    def merge_one_by_one(self, ids: np.ndarray) -> list[int]:
        """Go on merging one chunk, of which these are the ids so far."""
        return merge_by_rank(ids.tolist(), self._rank_of, self._made_by)

    def merge(self, chunks: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Merge each chunk; give the ids of all in a row, and how many of them are whose."""
        long = [i for i, chunk in enumerate(chunks) if len(chunk) > WINDOW]
        if not long:
            return self.merge_whole(chunks)
        short = [i for i, chunk in enumerate(chunks) if len(chunk) <= WINDOW]
        ids, counts = self.merge_whole([chunks[i] for i in short])
        long_ids = merge_long([chunks[i] for i in long], self)
        counts = np.concatenate((counts, [len(ids) for ids in long_ids]))
        return reorder(np.concatenate((ids, *long_ids)), counts, np.array(short + long))

    def merge_whole(self, chunks: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Do what `merge` does without cutting up long chunks."""
        lengths = np.fromiter(map(len, chunks), np.int64, len(chunks))  # (N,)
        order = np.argsort(lengths, kind="stable")  # of about one length together
        ids, counts = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
        start = 0
        while start < len(order):
            some = order[start : start + self.cells // 32]
            while len(some) > 1 and len(some) * lengths[some[-1]] > self.cells:
                some = some[: len(some) // 2]
            start += len(some)
            width = int(lengths[some[-1]])
            cells = b"".join(chunks[i].ljust(width) for i in some.tolist())
            cells = np.frombuffer(cells, np.uint8).reshape(-1, width)
            new_ids, new_counts = self.merge_cells(cells, lengths[some])
            ids.append(new_ids)
            counts.append(new_counts)
        return reorder(np.concatenate(ids), np.concatenate(counts), order)

    def merge_cells(self, cells: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Do what `merge` does for chunks that are the rows of `cells`, (N, W) bytes.

        A chunk fills the first `lengths` cells of its row; what the others hold does not matter.
        """
        batch = max(self.cells // cells.shape[1], 1)
        ids, counts = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
        for start in range(0, len(cells), batch):
            some = slice(start, start + batch)
            rows = self._merge_rows(cells[some], lengths[some])
            alive = rows != NO_TOKEN
            ids.append(rows[alive])
            counts.append(alive.sum(axis=1))
        return np.concatenate(ids), np.concatenate(counts)

    def _merge_rows(self, cells: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Merge the rows of `cells`; give rows of ids, with NO_TOKEN between, before and behind.

        Cells are numbered throughout. A token is in the cell of its first byte, and the rank of a
        pair in the cell of its first token.
        """
        width = cells.shape[1] + 2
        rows = np.full((len(cells), width), NO_TOKEN, np.uint32)  # (N, W)
        inside = np.arange(width - 2) < lengths[:, None]
        rows[:, 1:-1] = np.where(inside, self.byte_ids[cells], NO_TOKEN)
        ids = rows.ravel()
        rank_rows = np.full_like(rows, NO_RANK)  # (N, W)
        ranks = rank_rows.ravel()
        pairs = cells[:, :-1].astype(np.uint16) << 8 | cells[:, 1:]
        rank_rows[:, 1:-2] = np.where(inside[:, 1:], self.byte_ranks.take(pairs), NO_RANK)
        after = np.arange(1, len(ids) + 1, dtype=np.int32)
        before = np.arange(-1, len(ids) - 1, dtype=np.int32)

        at_work = np.arange(len(rows))  # rows with a pair to merge
        while len(at_work) > FEW:
            left = at_work * width + rank_rows.take(at_work, axis=0).argmin(axis=1)
            rank = ranks.take(left)
            busy = rank != NO_RANK
            at_work, left, rank = at_work[busy], left[busy], rank[busy]
            right = after.take(left)
            behind, front = after.take(right), before.take(left)
            new = self.made.take(rank)
            ids[left], ids[right], ranks[right] = new, NO_TOKEN, NO_RANK
            after[left], before[behind] = behind, left
            ranks[left] = self.ranks.get(new, ids.take(behind))
            ranks[front] = self.ranks.get(ids.take(front), new)
        for row in at_work.tolist():
            merged = self.merge_one_by_one(rows[row][rows[row] != NO_TOKEN])
            rows[row] = NO_TOKEN
            rows[row, : len(merged)] = merged
        return rows
