"""One training step, made by several machines together (cluster.py).

Each machine has the whole model and all of the data, and takes its share of every batch: data
parallelism. Their gradients are added up in an all-reduce, after which every machine holds the
same sum and moves its own weights by it. So the weights stay the same everywhere, to the last bit,
and are sent only once, at the start. (Muon multiplies matrices, which another kind of processor may
round otherwise. Since the gradient is the same, such differences do not grow on each other.)

What this costs beside the work: a ring sends from each machine 2 (n - 1) / n times the gradient,
in float32. For 124M parameters on two machines that is 0.5 GB: 4 s at 1 Gbit/s, 0.4 s at 10.

It cuts no model into pieces: one that does not fit into a machine does not fit into several.

Source: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of
workstations" (the ring).
"""

import contextlib

from minigpt.parallel import Workers
from minigpt.train import NotFinite, Trainer


class ClusterTrainer(Trainer):
    """A Trainer of one machine; what the leader's is asked for, those of the others do too."""

    def __init__(self, model, optimizer, windows, config, workers, cluster):
        self.cluster = cluster
        rows = cluster.share_of(config.batch_size)
        super().__init__(model, optimizer, windows, config, workers, rows)
        if cluster.leads:
            self.begin()

    def begin(self):
        """Start from the leader's weights and moments."""
        with self.cluster.work("begin"):
            for array in (self.model.params.flat, self.optimizer.m, self.optimizer.v):
                self.cluster.spread(array)
        self.model.renew_weights()

    def start(self, step):
        """Make update number `step` (from 0)."""
        with self.cluster.work("start", step):
            super().start(step)

    def summed(self, loss):
        """Add up the gradients of all machines; return the sum of the losses."""
        self.cluster.add_up(self.grads.flat)
        return self.cluster.total(loss)

    def agreed(self, *numbers):
        """Return the leader's numbers: another kind of processor may round its own otherwise."""
        return self.cluster.first(numbers)

    def total_nats(self, parts):
        """Return the sum of the losses of lists of windows, of which each machine takes some."""
        with self.cluster.work("total_nats", parts):
            mine = parts[self.cluster.index :: self.cluster.n]
            return self.cluster.total(super().total_nats(mine))


def follow(parts, cluster):
    """Do what the leader tells, until it says that all is done.

    `parts` are the model, its optimizer, the windows and the TrainConfig.
    """
    with Workers(cluster.n_workers(parts[-1].workers)) as workers:
        trainer = ClusterTrainer(*parts, workers, cluster)
        while (order := cluster.hear())[0] is not None:
            name, *args = order
            with contextlib.suppress(NotFinite):  # the leader finds that too, and says so
                getattr(trainer, name)(*args)
            trainer.finished()  # the leader tells what came of it
