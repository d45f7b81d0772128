"""The gradient of one step, to which all workers add.

A gradient for every worker would take the memory of the model once more for each, and adding them
up afterwards the time. So the workers share one, and take turns at each parameter: the rounding of
a sum depends on its order, and a run that is repeated must come to the same bytes.

Two workers, each going through the parameters as backward meets them, the loss's first:

    worker 0   wte.weight    ln_f.weight   ln_f.bias     ...
    worker 1                 wte.weight    ln_f.weight   ...   each after worker 0

so nobody waits for long: while one is at a parameter, the other is at the one before.

The turns go round the ring of a crew (crew.py). All workers add to the same parameters in the same
order, as often as each other; so a worker's turn at its k-th addition has come when the one before
it has made its k-th, and the first worker's turn when the last has made the one that was to the
same parameter before. This is not a sum over machines.
"""


class Share:
    """A worker's access to the gradient, one for all batches of a step.

    `grads` is a Params in memory that the workers have in common; `place` the worker's Place in
    the ring (crew_members.py).
    """

    def __init__(self, grads, place):
        self.grads, self.place = grads, place
        self._n_added, self._last = 0, {}  # _last: which of the additions was to a parameter
        place.begin()

    def add(self, name, dw, rows=...):
        """Add `dw` to the gradient of parameter `name`, or of its rows `rows`, no row twice.

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
