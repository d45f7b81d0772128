"""The steps of a run, and what happens now and then meanwhile: looks, samples, checkpoints.

This writes into the run's folder, beside the model's files (checkpoint.py),

    metrics.jsonl   a line for each look at the validation text: step, tokens, train_loss,
                    val_loss, bits_per_byte, learning_rate, grad_norm, seconds, and since the look
                    before tokens_per_s and mfu, the share of the measured peak that was used
    samples.jsonl   a line for each sample of what the model writes: {"step", "text"}
    best/           a whole model's folder, of the look with the lowest validation loss; where that
                    is the last step its weights are the same file twice (a hard link)
    training.json   the report of the finished run

Whether a run is new, continued or done is decided in resume.py.
"""

import json
import math
import os
import shutil
import time
from dataclasses import asdict

from tqdm import tqdm

from bpe.files import atomic_file, atomic_write
from minigpt import checkpoint
from minigpt.curves import loss_line
from minigpt.optim import learning_rate, norm
from minigpt.resume import BEST, METRICS, REPORT, SAMPLES, is_done, is_out_of_patience
from minigpt.sample import generate
from minigpt.train import token_lengths

# A look this much worse than guessing, in nats, is of a run that has gone astray.
ASTRAY = 1.0


class Loop:
    """A run from where `progress` is to its end; `peak` is the machine's FLOP/s."""

    stage = "pretrain"

    def __init__(self, trainer, tokenizer, out, val, progress, say, peak):
        self.trainer, self.tokenizer, self.out, self.val = trainer, tokenizer, out, val
        self.progress, self.say, self.peak = progress, say, peak
        self.config, self.model = trainer.config, trainer.model
        self.token_bytes = token_lengths(tokenizer)
        self.tokens_per_step = self.config.windows_per_step() * self.model.config.n_positions
        # the step of the checkpoint that stands
        self.saved_step = progress["step"] if "val_loss" in progress else None
        self.grad_norm, self.remarked = None, None  # of the last step; what was said already
        self.steps_timed, self.seconds_timed = 0, 0.0  # since the last look

    def run(self, stop):
        """Make the steps that are left, until done or until `stop.signal` is set."""
        c, p = self.config, self.progress
        if is_done(p, c):
            return
        saved_at = last = time.monotonic()
        bar = tqdm(total=c.steps, initial=p["step"], unit="step", disable=None, mininterval=0.3)
        with bar:
            if "val_loss" not in p:
                self.look()
                self.save()
            for step in range(p["step"], c.steps):
                self.make_step(step)
                now = time.monotonic()
                p["seconds"] += now - last
                last = now
                rate = bar.format_dict["rate"] or 0
                loss = f"loss {p['train_loss']:.3f}, " if p["train_loss"] is not None else ""
                bar.set_postfix_str(
                    f"{loss}{rate * self.tokens_per_step:,.0f} tok/s", refresh=False
                )
                bar.update()
                if p["step"] % c.eval_every == 0 or p["step"] == c.steps:
                    self.look()
                if c.sample_every and p["step"] % c.sample_every == 0:
                    self.show_sample()
                kept = p.get("kept_step") == p["step"]
                if kept or stop.signal is not None or now - saved_at > c.save_every_s:
                    self.save()
                    saved_at = time.monotonic()
                    if stop.signal is not None:
                        return
                if is_out_of_patience(p, c):
                    break
        self.save()
        self.say_how_it_went()

    def make_step(self, step):
        """Make update number `step` (from 0).

        Raises ValueError where the loss or the weights are no longer finite.
        """
        self.note(lambda: self.trainer.start(step))
        self.progress["step"] = step + 1
        self.steps_timed += 1
        self.note(lambda: self.trainer.finished(wait=False))

    def settle(self):
        """Wait for steps that a GPU has not finished: whatever looks at the model needs them."""
        self.note(self.trainer.finished)

    def note(self, work):
        """Do some of the trainer's work; note the loss and gradient's norm of steps it returns."""
        p, began = self.progress, time.monotonic()
        try:
            results = work() or ()
        except ValueError as error:
            raise ValueError(f"{error}; {self.what_stands()}") from None
        for loss, self.grad_norm in results:
            before = p["train_loss"]
            p["train_loss"] = loss if before is None else 0.95 * before + 0.05 * loss
        self.seconds_timed += time.monotonic() - began

    # ---- looks and samples ---------------------------------------------------------------------

    def look(self):
        """Measure the validation loss; note it in metrics.jsonl and say it.

        Raises ValueError where the model has become worse than guessing.
        """
        self.settle()
        if self.trainer.remark != self.remarked:
            self.remarked = self.trainer.remark
            self.say(f"  {self.remarked}")
        p, c = self.progress, self.config
        loss, bits = self.trainer.evaluate(self.val, self.token_bytes)
        guessing = math.log(self.model.config.vocab_size)
        if not loss <= max(guessing, p.setdefault("first_val_loss", loss)) + ASTRAY:
            raise ValueError(
                f"step {p['step']}: the validation loss is {loss:.3g}, and guessing would give "
                f"{guessing:.3g}; it must fall: lower --learning-rate, which is "
                f"{c.learning_rate}; {self.what_stands()}"
            )
        is_better = loss < p.get("best_val_loss", math.inf)
        if is_better:
            p |= {"best_val_loss": loss, "best_step": p["step"]}
            if c.keep_best:
                p["kept_step"] = p["step"]
        p["looks_since_best"] = 0 if is_better else p["looks_since_best"] + 1
        p |= {"val_loss": loss, "bits_per_byte": bits}
        line = {
            "step": p["step"],
            "tokens": p["step"] * self.tokens_per_step,
            "train_loss": p["train_loss"],
            "val_loss": loss,
            "bits_per_byte": bits,
            "learning_rate": learning_rate(max(p["step"] - 1, 0), c),
            "grad_norm": self.grad_norm,
            "seconds": round(p["seconds"], 3),
            **self.speed(),
        }
        self.record(METRICS, line)
        self.say(
            f"  step {p['step']:5d}: validation loss {loss:.3f} nats/token = {bits:.3f} bits/byte"
        )

    def speed(self):
        """Return tokens_per_s and mfu of the steps since the last look, None where none was."""
        tokens_per_s = mfu = None
        if self.steps_timed:
            tokens_per_s = self.steps_timed * self.tokens_per_step / max(self.seconds_timed, 1e-9)
            mfu = tokens_per_s * self.model.config.flops_per_token() / self.peak
            tokens_per_s, mfu = round(tokens_per_s, 1), round(mfu, 4)
        self.steps_timed, self.seconds_timed = 0, 0.0
        return {"tokens_per_s": tokens_per_s, "mfu": mfu}

    def show_sample(self):
        """Have the model write; note it in samples.jsonl and say it."""
        self.settle()
        sample = self.sample(60)
        self.record(SAMPLES, {"step": self.progress["step"], **sample})
        self.say(f"  writes: {' -> '.join(sample.values())!r}")

    def record(self, name, line):
        """Append a line to one of the run's records."""
        with open(self.out / name, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def sample(self, n_tokens, seed=0):
        """Return the text the model writes from a document's beginning: {"text"}."""
        start = self.tokenizer.eot_token
        ids = generate(self.model, [start], n_tokens, 0.8, top_p=0.95, stop=(start,), seed=seed)
        return {"text": self.tokenizer.decode(list(ids))}

    def say_how_it_went(self):
        """Say in a line how the validation loss went, and which model was best."""
        p, c = self.progress, self.config
        self.say(f"  validation loss {loss_line(self.out)} in {p['step']} steps")
        if is_out_of_patience(p, c):
            self.say(f"  stopped early: {c.patience} looks without a better validation loss")
        if p.get("kept_step") == p["best_step"] != p["step"]:
            self.say(f"  the best was {p['best_val_loss']:.3f} at step {p['best_step']}: it is in "
                     f"{self.out / BEST}")  # fmt: skip

    # ---- checkpoints ---------------------------------------------------------------------------

    def save_folder(self):
        """Write the model's folder: the weights and what does not change while training."""
        checkpoint.save_model(self.out, self.model, self.tokenizer)

    def begin(self):
        """Write what a run's folder has from the first.

        First what resuming needs. Also where nothing is left to do: the run may have been killed
        before its last model was saved.
        """
        self.save(self.save_folder)

    def save_weights(self):
        checkpoint.save_weights(self.out, self.model)

    def save(self, save_model=None):
        """Write a checkpoint: first what resuming needs, then the model for everybody else.

        Raises OSError, saying what stands, where the disk is full; ValueError where a weight is
        not finite: what stands is better.
        """
        self.settle()
        p = self.progress
        if not math.isfinite(norm(self.model.params.flat)):
            raise ValueError(
                f"step {p['step']}: the weights are not finite; they must be: lower "
                f"--learning-rate, which is {self.config.learning_rate}; {self.what_stands()}"
            )
        try:
            checkpoint.save_state(self.out, self.model, self.trainer.optimizer, p)
            self.saved_step = p["step"]
            (save_model or self.save_weights)()
            if p.get("kept_step") == p["step"]:
                self.keep_as_best()
        except OSError as error:
            raise OSError(
                f"the checkpoint of step {p['step']} cannot be written ({error}); "
                f"{self.what_stands()}: make room, and the same command goes on"
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
        if self.saved_step is not None:
            said = f"the checkpoint of step {self.saved_step} stands in {self.out}"
        kept = self.progress.get("kept_step")
        if kept is not None and kept < self.progress["step"]:
            said += f", the best model, of step {kept}, in {self.out / BEST}"
        return said

    def finish(self, epoch_tokens, **more):
        """Write and return the report of the finished run, `more` in it.

        `epoch_tokens`: how many tokens there are to train on.
        """
        p, c, m = self.progress, self.config, self.model.config
        n_tokens = p["step"] * self.tokens_per_step
        report = {
            "stage": self.stage,
            "seconds": round(p["seconds"], 3),
            "steps": p["step"],
            "parameters": m.n_params(),
            "tokens": n_tokens,
            "epochs": n_tokens / epoch_tokens,
            "flops": n_tokens * m.flops_per_token(),
            "tokens_per_s": n_tokens / max(p["seconds"], 1e-9),
            "val_loss": p["val_loss"],
            "best_val_loss": p["best_val_loss"],
            "best_step": p["best_step"],
            "best_is_kept": p.get("kept_step") == p["best_step"],
            "bits_per_byte": p["bits_per_byte"],
            "train": asdict(c),
            **more,
        }
        checkpoint.write_json(self.out / REPORT, report)
        return report


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
