"""A model's parameters: named views into one flat array.

Gradients and Adam's two moments have the same layout, so the optimizer, gradient clipping,
zeroing and checkpoints are each one pass over one array. The names and shapes are those of
GPT-2 in Hugging Face's format, weights stored (in, out).

This is not a layer class: it knows neither what a parameter means nor how it is initialised.
"""

import math
from collections.abc import Mapping

from minigpt.crew import shared_copy


class Params(Mapping):
    """A read-only mapping from name to a view into `flat`.

    The arrays are written in place (`params[name][...] = x`, `params[name] += x`). Binding a
    name to another array raises TypeError: it would leave `flat` behind.

    Matrices stand first in `flat` and vectors last, so that weight decay, which is for matrices
    only, applies to `flat[: n_matrix]`.
    """

    def __init__(self, shapes, xp, dtype="float32"):
        """Make zeros for `shapes`, a dict from name to shape, in library `xp`."""
        # False before True: matrices, then vectors, each in the order given
        self.shapes = dict(sorted(shapes.items(), key=lambda item: len(item[1]) < 2))
        self.n_matrix = sum(math.prod(s) for s in shapes.values() if len(s) >= 2)
        self._lay_out(xp.zeros(sum(map(math.prod, shapes.values())), dtype))

    def _lay_out(self, flat):
        self.flat, self._starts, start = flat, {}, 0  # (n,), n parameters
        for name, shape in self.shapes.items():
            self._starts[name] = start
            start += math.prod(shape)
        self._views = {name: self.part(name, flat) for name in self.shapes}

    def part(self, name, flat):
        """Return the array called `name` as a view into `flat`, which has the same layout."""
        start, shape = self._starts[name], self.shapes[name]
        return flat[start : start + math.prod(shape)].reshape(shape)

    def __getitem__(self, name):
        return self._views[name]

    def __setitem__(self, name, value):
        # `params[name] += x` adds in place and then binds the same array again: that is fine.
        if name not in self or value is not self._views[name]:
            raise TypeError(
                f"params[{name!r}] is a view into the flat array and cannot be bound to another; "
                f"write params[{name!r}][...] = value"
            )

    def share(self):
        """Move the arrays to memory that processes forked from now on have in common (crew.py).

        Views taken before that still refer to the old arrays.
        """
        self._lay_out(shared_copy(self.flat))

    def add(self, name, x, rows=...):
        """Add `x` to the array called `name`, or to its rows `rows`, none of them twice."""
        if rows is ... or isinstance(rows, slice):
            part = self._views[name][rows]  # a view, so this adds to `flat`
            part += x
        else:  # row numbers: indexing makes a copy, which += writes back
            self._views[name][rows] += x

    def __iter__(self):
        return iter(self._views)

    def __len__(self):
        return len(self._views)
