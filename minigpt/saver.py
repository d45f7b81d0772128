"""What of a run's model is on disk: the checkpoint, and the best model beside it.

    best/       a whole model's folder, of the look with the lowest validation loss; where that is
                the last step its weights are the same file twice (a hard link)

The checkpoint's files are those of checkpoint.py. It is written in the order that leaves something
whole behind whenever the process is killed, and never when weights are not finite.
"""

import contextlib
import math
import os
import shutil

from bpe.files import atomic_file, atomic_write
from minigpt import checkpoint
from minigpt.optim import norm
from minigpt.resume import BEST


class Saver:
    """Writes the model of a `trainer` to the folder `out`; `progress` says where the run is."""

    def __init__(self, trainer, out, progress):
        self.trainer, self.out, self.progress = trainer, out, progress
        # the step of the checkpoint that stands
        self.step = progress["step"] if "val_loss" in progress else None

    def save(self, save_model=None):
        """Write a checkpoint: first what resuming needs, then the model for everybody else.

        `save_model` writes more of the model's folder than its weights. Raises OSError, saying
        what stands, where the disk is full; ValueError where a weight is not finite: what stands
        is better.
        """
        p, model = self.progress, self.trainer.model
        if not math.isfinite(norm(model.params.flat)):
            raise ValueError(
                f"step {p['step']}: the weights are not finite; they must be: lower "
                f"--learning-rate, which is {self.trainer.config.learning_rate}; "
                f"{self.what_stands()}"
            )
        with self.writing(f"the checkpoint of step {p['step']}"):
            checkpoint.save_state(self.out, model, self.trainer.optimizer, p)
        self.step = p["step"]
        with self.writing(f"the model of step {p['step']}"):
            if save_model is None:
                checkpoint.save_weights(self.out, model)
            else:
                save_model()
            if p.get("kept_step") == p["step"]:
                self.keep_as_best()

    @contextlib.contextmanager
    def writing(self, what):
        """Say in an OSError, as of a full disk, that `what` was to be written and what stands."""
        try:
            yield
        except OSError as error:
            raise OSError(
                f"{what} cannot be written ({error}); {self.what_stands()}: make room, and the "
                f"same command goes on"
            ) from error

    def keep_as_best(self):
        """Make the model that was just saved the one in BEST, its weights last."""
        best = self.out / BEST
        for name in checkpoint.DESCRIPTION:
            content = (self.out / name).read_bytes()
            if not (best / name).exists() or (best / name).read_bytes() != content:
                atomic_write(best / name, content)
        link(self.out / checkpoint.MODEL, best / checkpoint.MODEL)

    def what_stands(self):
        """Say which checkpoint and which best model are on disk."""
        said = f"no checkpoint is in {self.out}"
        if self.step is not None:
            said = f"the checkpoint of step {self.step} stands in {self.out}"
        kept = self.progress.get("kept_step")
        if kept is not None and kept < self.progress["step"]:
            said += f", the best model, of step {kept}, in {self.out / BEST}"
        return said


def link(source, target):
    """Give a file a second name in one piece; a copy where the file system knows no links."""
    temporary = target.with_name(target.name + ".tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        with open(source, "rb") as original, atomic_file(target) as copy:
            shutil.copyfileobj(original, copy)
        return
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # two names of one file: replace() then does nothing
