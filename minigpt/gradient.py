"""The gradient of one step, to which all workers add.

A gradient for every worker would take the memory of the model once more for each, and adding them
up afterwards the time. So the workers share one, and take turns at each parameter: the rounding of
a sum depends on its order, and a run that is repeated must come to the same bytes.

This is not a sum over machines (see team.py).
"""

import threading
from collections import Counter


class SharedGradient:
    """`grads`, a Params, to be filled by `n` workers that run at the same time.

    Start them in a `with` statement: if not all could be started, none waits for the others.
    """

    def __init__(self, grads, n):
        self.grads, self.n = grads, n
        self._added = Counter()  # how many times a parameter has been added to
        self._turn = threading.Condition()
        self._error = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None:
            self.fail(error)

    def shares(self):
        """Return a Share for each worker, which serves all batches of the step."""
        return [Share(self, worker) for worker in range(self.n)]

    def add(self, name, turn, dw, rows):
        """Add `dw` to those rows of the gradient, after `turn` earlier additions."""
        with self._turn:
            self._turn.wait_for(lambda: self._added[name] == turn or self._error)
            if self._error:
                raise self._error
        grad = self.grads[name]
        if turn == 0 and rows is ...:
            grad[...] = dw  # what the last step left is overwritten
        else:
            if turn == 0:
                grad[...] = 0
            grad[rows] += dw
        with self._turn:
            self._added[name] += 1
            self._turn.notify_all()

    def fail(self, error):
        """Have every worker that waits, or will, raise `error`: one has stopped for good."""
        with self._turn:
            self._error = error
            self._turn.notify_all()


class Share:
    """A worker's access to the gradient; use it in a `with` statement."""

    def __init__(self, shared, worker):
        self._shared, self._worker = shared, worker
        self._uses = Counter()  # how many times this worker has added to a parameter

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None:
            self._shared.fail(error)

    def add(self, name, dw, rows=...):
        """Add `dw` to the gradient of parameter `name`, or of its rows `rows`, no row twice.

        Waits until the workers before this one have added theirs as often as this one has.
        """
        turn = self._uses[name] * self._shared.n + self._worker
        self._uses[name] += 1
        self._shared.add(name, turn, dw, rows)
