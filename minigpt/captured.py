"""The training step on a GPU: captured in CUDA graphs, and nobody waits for it.

It is the step of train.py, cut in two pieces of work that never change (cuda/graph.py): forward
and backward of one batch, and the update. Before each, what does change is uploaded. Losses and
norms are fetched when somebody asks for them, or when there are many; only then is it seen
whether they are finite.

Where there are several GPUs, their gradients are added up between the two (cluster_trainer.py).
"""

import numpy as np

from minigpt.backend import random_generator
from minigpt.cuda.update import N_NUMBERS, step_numbers, update
from minigpt.optim import learning_rate
from minigpt.train import Trainer, count_targets


class CapturedTrainer(Trainer):
    """A Trainer whose `start` only enqueues."""

    def __init__(self, model, optimizer, windows, config, workers, rows=None):
        super().__init__(model, optimizer, windows, config, workers, rows)
        xp, module = model.device.xp, model.device.graphs
        self.graphs = module.Graphs(xp)
        self.loss = xp.zeros((), np.float32)  # of the batches of this step so far
        self.said = xp.zeros(2, np.float32)  # loss and gradient's norm of the last step
        self.numbers = module.Upload(self.graphs, [np.zeros(N_NUMBERS, np.float32)])
        self.download = module.Download(self.graphs, self.said)
        self.batch, self.places, self.rng = None, None, None
        # CuPy's generators cannot be captured; operations that can do without have a Seed
        self.seed_of = getattr(model.device.ops, "Seed", None)
        self.seed = module.Upload(self.graphs, [np.zeros(1, np.int64)])
        can_capture = self.seed_of is not None or not model.config.dropout
        self.backward = module.Work(self.graphs, self._backward, can_capture)
        self.update = module.Work(self.graphs, self._update)

    def start(self, step):
        """Enqueue update number `step` (from 0)."""
        c, batches = self.config, self.batches(step)
        # the graph divides by the number of places, always the same; a step may have fewer targets
        self.places = batches[0][0].size
        for micro, batch in enumerate(batches):
            mine = [x[self.rows] for x in batch]
            if self.batch is None:
                self.batch = self.model.device.graphs.Upload(self.graphs, mine)
            self.batch(*mine)
            if self.model.config.dropout:
                self._draw(c.seed, step, micro, self.rows.start)
            self.backward()
        factor = self.places / count_targets(batches)
        numbers = step_numbers(step + 1, learning_rate(step, c), factor, c)
        self.numbers(*self.agreed(numbers))
        self.summed(self.loss)
        self.update()
        self.download.take(step)
        if self.download.is_full:
            self._fetch()

    @property
    def remark(self):
        """What the run should say once; None for nothing."""
        why = self.graphs.failure
        return why and f"the step is not captured in a CUDA graph, so it takes longer: {why}"

    def _draw(self, *seed):
        """Have the next forward draw what follows from the integers `seed`."""
        if self.seed_of is None:
            self.rng = random_generator(self.model.device.xp, *seed)
        else:
            number = np.random.SeedSequence(seed).generate_state(1, np.uint64) >> 2  # below 2^62
            self.seed(number.astype(np.int64))

    def finished(self, wait=True):
        """Return (loss, gradient's norm) of the steps that were not returned before.

        Without `wait` only those that were fetched: they are when there are many (Download).
        Raises ValueError where one is not finite.
        """
        if wait:
            self._fetch()
        return super().finished()

    def _fetch(self):
        for step, (loss, grad_norm) in self.download.read():
            self.check_finite(step, loss, grad_norm)
            self.results.append((loss, grad_norm))

    # ---- what is captured ----------------------------------------------------------------------

    def _backward(self):
        ids, targets, *layout = self.batch.arrays  # (B, T) each
        rng = self.rng
        if self.seed_of is not None and self.model.config.dropout:
            rng = self.seed_of(self.seed.arrays[0])
        loss, cache = self.model.forward(ids, targets, self.places, rng, *layout)
        self.model.backward(cache, self.grads)
        self.loss += loss

    def _update(self):
        numbers = self.numbers.arrays[0]
        update(self.model, self.optimizer, self.grads.flat, numbers, self.loss, self.said)
