"""Which training step is taken: the plain one, one captured for a GPU, or that of a cluster."""

from minigpt.captured import CapturedTrainer
from minigpt.cluster_trainer import cluster_trainer
from minigpt.train import Trainer


def make_trainer(model, optimizer, windows, config, workers, cluster=None):
    """Return the Trainer (train.py) for the model's device, or for a `cluster` (cluster.py)."""
    if cluster is not None:
        return cluster_trainer(model, optimizer, windows, config, workers, cluster)
    kind = CapturedTrainer if model.device.graphs else Trainer
    return kind(model, optimizer, windows, config, workers)
