"""The steps of a run, and what happens between them: looks, samples, checkpoints.

A look measures the loss on the validation text. This writes into the run's folder, beside the
model's files (saver.py) and metrics.jsonl (metrics.py),

    samples.jsonl   a line for each sample of what the model writes: {"step", "text"}
    training.json   the report of the finished run

Whether a run is new, continued or done is decided in resume.py.
"""

import math
import time
from dataclasses import asdict

from minigpt import checkpoint
from minigpt.amounts import count
from minigpt.curves import loss_line
from minigpt.forecast import forecast, step_flops
from minigpt.metrics import Metrics, append_line
from minigpt.progress_bar import ProgressBar
from minigpt.resume import BEST, METRICS, REPORT, SAMPLES, is_done, is_out_of_patience
from minigpt.sample import generate
from minigpt.saver import Saver
from minigpt.train import token_lengths

# If a look is this much worse than guessing, in nats, the run has gone astray.
ASTRAY = 1.0


class Loop:
    """A run from where `progress` is to its end; `peak` is the machine's FLOP/s."""

    stage = "pretrain"

    def __init__(self, trainer, tokenizer, out, val, progress, say, peak):
        self.trainer, self.tokenizer, self.out, self.val = trainer, tokenizer, out, val
        self.progress, self.say, self.peak = progress, say, peak
        self.config, self.model = trainer.config, trainer.model
        self.token_bytes = token_lengths(tokenizer)
        self.metrics = Metrics(out / METRICS, self.model.config, self.config, progress, peak)
        self.saver = Saver(trainer, out, progress)
        self.remarked = None  # the trainer's remark that has been said
        self.counted_until = time.monotonic()  # the run's seconds are counted up to then

    def run(self, stop):
        """Make the steps that are left, until done or until `stop.signal` is set."""
        c, p = self.config, self.progress
        if is_done(p, c):
            return
        saved_at = self.counted_until = time.monotonic()
        if "val_loss" not in p:
            self.look()
            self.save()
        with self.new_bar() as bar:
            stop.how = lambda: (bar.step_left_s(), f"what was learnt since step {self.saver.step}")
            for step in range(p["step"], c.steps):
                self.make_step(step)
                bar.made_step(p["train_loss"])
                if c.looks_at(p["step"]):
                    self.look()
                if c.sample_every and p["step"] % c.sample_every == 0:
                    self.show_sample()
                kept = p.get("kept_step") == p["step"]
                is_old = self.counted_until - saved_at > c.save_every_s
                if kept or stop.signal is not None or is_old:
                    self.save()
                    saved_at = time.monotonic()
                    if stop.signal is not None:
                        return
                if is_out_of_patience(p, c):
                    break
        self.save()
        self.say_how_it_went()

    def new_bar(self):
        """Return what shows how far the run is."""
        c, m = self.config, self.model
        foreseen_s = forecast(m.config, c, m.device).seconds(self.peak)
        tokens_per_step = self.metrics.tokens_per_step
        return ProgressBar(self.progress["step"], c.steps, tokens_per_step, self.say, foreseen_s)

    def make_step(self, step):
        """Make update number `step` (from 0).

        Raises ValueError where the loss or the weights are no longer finite.
        """
        self.note(lambda: self.trainer.start(step))
        self.progress["step"] = step + 1
        self.count_seconds()
        self.metrics.made_step()
        self.note(lambda: self.trainer.finished(wait=False))

    def count_seconds(self):
        """Add to the run's seconds those since they were last counted."""
        now = time.monotonic()
        self.progress["seconds"] += now - self.counted_until
        self.counted_until = now

    def settle(self):
        """Wait for steps that a GPU has not finished: whatever looks at the model needs them."""
        self.note(self.trainer.finished)

    def note(self, work):
        """Do some of the trainer's work; note the loss and gradient norm of steps it returns."""
        began = time.monotonic()
        try:
            results = work() or ()
        except ValueError as error:
            raise ValueError(f"{error}; {self.saver.what_stands()}") from None
        self.metrics.trained_s += time.monotonic() - began
        with self.saver.writing(METRICS):
            for loss, grad_norm in results:
                self.metrics.told(loss, grad_norm)

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
                f"{c.learning_rate}; {self.saver.what_stands()}"
            )
        counts = c.counts_look(p["step"])
        if counts and loss < p.get("best_val_loss", math.inf):
            p |= {"best_val_loss": loss, "best_step": p["step"], "looks_since_best": 0}
            if c.keep_best:
                p["kept_step"] = p["step"]
        elif counts:
            p["looks_since_best"] += 1
        p |= {"val_loss": loss, "bits_per_byte": bits}
        with self.saver.writing(METRICS):
            self.metrics.looked(loss, bits)
        self.say(
            f"  step {p['step']:5d}: validation loss {loss:.3f} nats/token = {bits:.3f} bits/byte"
        )

    def show_sample(self):
        """Have the model write; note it in samples.jsonl and say it."""
        self.settle()
        sample = self.sample(60)
        with self.saver.writing(SAMPLES):
            append_line(self.out / SAMPLES, {"step": self.progress["step"], **sample})
        self.say(f"  writes: {' -> '.join(sample.values())!r}")

    def sample(self, n_tokens, seed=0):
        """Return the text the model writes from a document's beginning: {"text"}."""
        start = self.tokenizer.eot_token
        ids = generate(self.model, [start], n_tokens, 0.8, top_p=0.95, stop=(start,), seed=seed)
        return {"text": self.tokenizer.decode(list(ids))}

    def say_how_it_went(self):
        """Say in a line how the validation loss went, and which model was best."""
        p, c = self.progress, self.config
        self.say(f"  validation loss {loss_line(self.out)} in {count(p['step'], 'step')}")
        if is_out_of_patience(p, c):
            self.say(
                f"  stopped early: {count(c.patience, 'look')} without a better validation loss"
            )
        if p.get("kept_step") == p["best_step"] != p["step"]:
            self.say(f"  the best was {p['best_val_loss']:.3f} at step {p['best_step']}: it is in "
                     f"{self.out / BEST}")  # fmt: skip

    # ---- the run's folder ----------------------------------------------------------------------

    def save_folder(self):
        """Write the model's folder: the weights and what does not change while training."""
        checkpoint.save_model(self.out, self.model, self.tokenizer)

    def begin(self):
        """Write what a run's folder has from the start, first what resuming needs.

        That is done even if no step is left: the run may have been killed before its last model
        was saved.
        """
        self.saver.save(self.save_folder)

    def save(self):
        """Write a checkpoint, with all seconds up to now; see Saver.save."""
        self.settle()
        self.count_seconds()
        self.saver.save()

    def finish(self, epoch_tokens, **more):
        """Write and return the report of the finished run, `more` in it.

        `epoch_tokens`: how many tokens there are to train on.
        """
        p, c, m = self.progress, self.config, self.model.config
        n_tokens = p["step"] * self.metrics.tokens_per_step
        report = {
            "stage": self.stage,
            "seconds": round(p["seconds"], 3),
            "steps": p["step"],
            "parameters": m.n_params(),
            "tokens": n_tokens,
            "epochs": n_tokens / epoch_tokens,
            "flops": p["step"] * step_flops(m, c),
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
