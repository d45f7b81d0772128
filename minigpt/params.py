"""A model's parameters: named views into one flat array.

Gradients and Adam's two moments have the same layout, so the optimizer, gradient clipping,
zeroing and checkpoints are each one pass over one array. The names and shapes are those of
GPT-2 in Hugging Face's format, weights stored (in, out).

This is not a layer class: it knows neither what a parameter means nor how it is initialised.
"""

import math
from collections.abc import Mapping


class Params(Mapping):
    """A read-only mapping from name to a view into `flat`.

    The arrays are written in place (`params[name][...] = x`, `params[name] += x`). Binding a
    name to another array raises TypeError: it would leave `flat` behind.

    Matrices stand first in `flat` and vectors last, so that weight decay, which is for matrices
    only, applies to `flat[: n_matrix]`.
    """

    def __init__(self, shapes, xp, dtype="float32"):
        """Make zeros for `shapes`, a dict from name to shape, in library `xp`."""
        self.shapes = dict(sorted(shapes.items(), key=lambda item: len(item[1]) < 2))  # stable
        self.flat = xp.zeros(sum(map(math.prod, shapes.values())), dtype)  # (N,)
        self.n_matrix = sum(math.prod(s) for s in shapes.values() if len(s) >= 2)
        self._views, start = {}, 0
        for name, shape in self.shapes.items():
            end = start + math.prod(shape)
            self._views[name] = self.flat[start:end].reshape(shape)
            start = end

    def __getitem__(self, name):
        return self._views[name]

    def __setitem__(self, name, value):
        # `params[name] += x` adds in place and then binds the same array again: that is fine.
        if name not in self or value is not self._views[name]:
            raise TypeError(
                f"params[{name!r}] is a view into the flat array and cannot be bound to another; "
                f"write params[{name!r}][...] = value"
            )

    def add(self, name, x, rows=...):
        """Add `x` to the array called `name`, or to its rows `rows`, in which none is twice."""
        if rows is ... or isinstance(rows, slice):
            part = self._views[name][rows]  # a view
            part += x
        else:
            self._views[name][rows] += x

    def __iter__(self):
        return iter(self._views)

    def __len__(self):
        return len(self._views)
