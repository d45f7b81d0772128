"""Which training step a device takes: the plain one, or the one captured for a GPU."""

from minigpt.captured import CapturedTrainer
from minigpt.train import Trainer


def make_trainer(model, optimizer, windows, config, workers):
    """Return the Trainer (train.py) for the model's device."""
    kind = CapturedTrainer if model.device.graphs else Trainer
    return kind(model, optimizer, windows, config, workers)
