"""One training step, made by several machines, or GPUs, together (cluster.py).

Each machine has the whole model and all of the data, and takes its share of every batch: data
parallelism. Their gradients are added up in an all-reduce, after which every machine holds the
same sum and moves its own weights by it. So the weights stay the same everywhere, to the last bit,
and are sent only once, at the start. (Muon multiplies matrices, which another kind of processor may
round otherwise. Since the gradient is the same, such differences do not grow on each other.)

What this costs beside the work: a ring sends from each machine 2 (n - 1) / n times the gradient,
in float32. For 124M parameters on two machines that is 0.5 GB: 4 s at 1 Gbit/s, 0.4 s at 10.

CPUs add up by MPI, GPUs by NCCL (cuda/nccl.py), between the two graphs of a step (captured.py).
NCCL's work could be captured, too, but there is nothing to gain: it is one launch a step, after
the last of several batches, and outside of the graphs it does not matter whether all GPUs could
capture theirs.

It cuts no model into pieces: one that does not fit into a machine does not fit into several.

Source: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of
workstations" (the ring).
"""

import contextlib

from minigpt.captured import CapturedTrainer
from minigpt.cuda.nccl import Gpus
from minigpt.parallel import Workers
from minigpt.train import NotFinite, Trainer


class Member:
    """What makes a Trainer one of several: what the leader's is asked for, the others do too."""

    def __init__(self, model, optimizer, windows, config, workers, cluster):
        self.cluster = cluster
        rows = cluster.share_of(config.batch_size)
        super().__init__(model, optimizer, windows, config, workers, rows)
        if cluster.leads:
            self.begin()

    def begin(self):
        """Start from the leader's weights and moments."""
        with self.cluster.work("begin"):
            self.spread(self.model.params.flat, self.optimizer.m, self.optimizer.v)

    def start(self, step):
        """Make update number `step` (from 0)."""
        with self.cluster.work("start", step):
            super().start(step)

    def agreed(self, *numbers):
        """Return the leader's numbers: another kind of processor may round its own otherwise."""
        return self.cluster.first(numbers)

    def total_nats(self, parts):
        """Return the sum of the losses of lists of windows, of which each machine takes some."""
        with self.cluster.work("total_nats", parts):
            mine = parts[self.cluster.index :: self.cluster.n]
            return self.cluster.total(super().total_nats(mine))


class ClusterTrainer(Member, Trainer):
    """A Trainer of one of several CPUs."""

    def spread(self, *arrays):
        """Fill arrays, the weights among them, with what the leader has in them."""
        for array in arrays:
            self.cluster.spread(array)
        self.model.renew_weights()

    def summed(self, loss):
        """Add up the gradients of all machines; return the sum of the losses."""
        self.cluster.add_up(self.grads.flat)
        return self.cluster.total(loss)


class CapturedClusterTrainer(Member, CapturedTrainer):
    """A CapturedTrainer of one of several GPUs."""

    def spread(self, *arrays):
        """Fill arrays, the weights among them, with what the leader has in them."""
        self.gpus = Gpus(self.cluster)
        self.cluster.last.callback(self.gpus.close)
        with self.graphs.on():
            self.gpus.spread(self.graphs.stream, *arrays)
            self.model.renew_weights()
        self.graphs.wait()

    def summed(self, loss):
        """Enqueue the adding up of all GPUs' gradients and losses, each in its place."""
        with self.graphs.on():
            self.gpus.add_up(self.graphs.stream, self.grads.flat, loss)
        return loss

    def total_nats(self, parts):
        """Do it with the weights of the last step, which the others may not have finished."""
        self.graphs.wait()
        return super().total_nats(parts)


def cluster_trainer(model, optimizer, windows, config, workers, cluster):
    """Return the trainer of this machine, for the model's device."""
    kind = CapturedClusterTrainer if model.device.graphs else ClusterTrainer
    return kind(model, optimizer, windows, config, workers, cluster)


def follow(parts, cluster):
    """Do what the leader tells, until it says that all is done.

    `parts` are the model, its optimizer, the windows and the TrainConfig.
    """
    model, *_, config = parts
    with Workers(model.device.n_workers(cluster.n_workers(config.workers))) as workers:
        trainer = cluster_trainer(*parts, workers, cluster)
        while (order := cluster.hear())[0] is not None:
            name, *args = order
            with contextlib.suppress(NotFinite):  # the leader finds that too, and says so
                getattr(trainer, name)(*args)
            trainer.finished(wait=False)  # the leader tells what came of it
