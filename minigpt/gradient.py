"""The gradient of one step, to which all workers add.

If every worker had its own gradient, each would take the memory of the model once more, and adding
them up afterwards would take time. So the workers share one gradient, and take turns at each
parameter, since the rounding of a sum depends on its order, and a repeated run must come to the
same bytes.

Two workers, each going through the parameters as backward meets them, the loss's first:

    worker 0   wte.weight    ln_f.weight   ln_f.bias     ...
    worker 1                 wte.weight    ln_f.weight   ...   each after worker 0

Nobody waits for long: while worker 0 is at a parameter, worker 1 is at the one before.

The turns go round the ring of a crew (crew.py). All workers make the same additions in the same
order. So a worker may make its k-th addition when the worker before it has made its k-th. The first
worker may add to a parameter again when the last one has added to it as often. Sums over machines
are in cluster_trainer.py.
"""


class Share:
    """A worker's access to the gradient, one for all batches of a step.

    `grads` is a Params in memory that the workers have in common; `place` the worker's Place in
    the ring (crew_members.py).
    """

    def __init__(self, grads, place):
        self.grads, self.place = grads, place
        self._n_added, self._last = 0, {}  # _last: number of the last addition to a parameter
        place.begin()

    def add(self, name, dw, rows=...):
        """Add `dw` to the gradient of parameter `name`, or of its rows `rows`, none of them twice.

        Waits for this worker's turn.
        """
        place, grad = self.place, self.grads[name]
        if place.index > 0:
            place.wait(self._n_added + 1)
        elif name in self._last and place.n > 1:
            place.wait(self._last[name])
        if place.index > 0 or name in self._last:
            grad[rows] += dw
        elif rows is ...:
            grad[...] = dw  # what the last step left is overwritten
        else:
            grad[...] = 0
            grad[rows] += dw
        self._n_added += 1
        self._last[name] = self._n_added
        if place.n > 1:
            place.pass_on()

    def finish(self):
        """Have the first worker wait until all have added what they will."""
        if self.place.index == 0 and self.place.n > 1:
            self.place.wait(self._n_added)
