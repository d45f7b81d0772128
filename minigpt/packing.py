"""Conversations -> windows for training, several in one where they fit.

Conversations are short and a window is long, so padding each to a window would waste most of the
work. Here they are laid side by side: `segments` numbers the conversations of a window, so that
attention keeps each to itself, and `positions` starts at 0 in each. The gradient is then the same
as with one conversation per row; only the time differs.

Source: Krell et al. 2021, "Efficient Sequence Packing without Cross-contamination".
"""

import bisect

import numpy as np


class Packed:
    """Windows of `n_positions` ids from conversations (ids, mask), see chat_format.render.

    Each must have at most n_positions + 1 ids: the last is only a target. Every epoch goes once
    through all windows, in another order; which ones a step gets follows from the seed and the
    step alone, as in dataset.Windows. `pack=False` gives each conversation a window of its own.

    >>> rendered = [([1, 2, 3], [0, 0, 1]), ([4, 5], [0, 1])]  # 3 and 5 are to be learned
    >>> packed = Packed(rendered, n_positions=4, seed=1)
    >>> packed.ids.tolist(), packed.targets.tolist()
    ([[1, 2, 4, 0]], [[-1, 3, 5, -1]])
    >>> packed.segments.tolist(), packed.positions.tolist()
    ([[0, 0, 1, -1]], [[0, 1, 0, 0]])
    """

    def __init__(self, rendered, n_positions, seed, pack=True):
        self.n_positions, self.seed = n_positions, seed
        lengths = [len(ids) - 1 for ids, _ in rendered]
        if not lengths or max(lengths) > n_positions:
            raise ValueError(
                f"conversations have {max(lengths, default=0)} tokens and one more at most; there "
                f"must be one, and they must fit the window of {n_positions}"
            )
        rows = best_fit(lengths, n_positions) if pack else [[i] for i in range(len(lengths))]
        # (N, T) each; what is not filled is a segment of its own without targets
        shape = (len(rows), n_positions)
        self.ids = np.zeros(shape, np.int32)
        self.targets = np.full(shape, -1, np.int32)
        self.positions = np.zeros(shape, np.int32)
        self.segments = np.full(shape, -1, np.int32)
        for row, members in enumerate(rows):
            end = 0
            for segment, i in enumerate(members):
                ids, mask = np.array(rendered[i][0]), np.array(rendered[i][1])  # (n + 1,)
                start, end = end, end + lengths[i]
                self.ids[row, start:end] = ids[:-1]
                self.targets[row, start:end] = np.where(mask[1:], ids[1:], -1)
                self.positions[row, start:end] = np.arange(lengths[i])
                self.segments[row, start:end] = segment
        self.n_tokens = sum(lengths)
        self.n_targets = int((self.targets >= 0).sum())
        self._epoch, self._order = None, None

    def __len__(self):
        return len(self.ids)

    def order(self, epoch):
        """Return the numbers of the windows in the order in which `epoch` uses them."""
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._epoch, self._order = epoch, rng.permutation(len(self))
        return self._order

    def batch(self, index, batch_size):
        """Return batch number `index` from the run's start: ids, targets, positions, segments.

        (B, T) each; a negative target is not to be learned.
        """
        first = index * batch_size
        places = (divmod(i, len(self)) for i in range(first, first + batch_size))
        return self.rows([int(self.order(epoch)[place]) for epoch, place in places])

    def rows(self, which):
        """Return the windows `which`, an index of rows, as `batch` does."""
        arrays = (self.ids, self.targets, self.positions, self.segments)
        return tuple(x[which].astype(np.int64) for x in arrays)


def best_fit(lengths, room):
    """Group the numbers of `lengths` so that no group's sum exceeds `room`.

    Longest first, each goes to the group in which it leaves least room (best-fit decreasing).
    """
    groups, free = [], []  # free: (room left, number of the group), sorted
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        at = bisect.bisect_left(free, (lengths[i], -1))  # least room that is enough
        if at == len(free):
            left, group = room, len(groups)
            groups.append([])
        else:
            left, group = free.pop(at)
        groups[group].append(i)
        bisect.insort(free, (left - lengths[i], group))
    return groups
