"""Pretraining: a run from the first step to the last, or from where it was stopped.

Beside the model's folder (see checkpoint.py) this writes

    metrics.jsonl   a line for each look at the validation text
    samples.jsonl   a line for each sample of what the model writes: {"step", "text"}
    training.json   the report of the finished run

A run is decided by its settings, its tokens and its seed. On a CPU, with as many workers, one that
was stopped or killed continues from its last checkpoint to the same bytes as one that never was.
"""

import json
import signal
import time
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from bpe import Tokenizer
from minigpt import checkpoint, run_lock
from minigpt.backend import open_device
from minigpt.dataset import Windows, fingerprint, load_tokens, read_report
from minigpt.model import GPT
from minigpt.optim import AdamW, learning_rate
from minigpt.parallel import Workers
from minigpt.resume import METRICS, REPORT, SAMPLES, start_or_continue
from minigpt.sample import generate
from minigpt.train import Trainer, evaluate, token_lengths

# These may change when a run is continued. Another number of workers rounds differently, and with
# dropout draws other zeros; the rest does not touch the weights.
FREE_SETTINGS = ("eval_every", "eval_windows", "sample_every", "save_every_s", "workers")


class StopRequest:
    """Turn Ctrl-C and SIGTERM into a flag that is looked at between steps; a second one stops
    at once (then the last checkpoint stands)."""

    def __enter__(self):
        self.signal = None
        self._old = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception):
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number


def pretrain(
    tokens, tokenizer_file, out, model_config, train_config, device="cpu", fresh=False, say=print
):
    """Train a model of `model_config` on the folder `tokens` and write it to the folder `out`.

    Continues a run that was stopped; trains no more if it is complete; for other settings or
    `fresh` an earlier one is set aside first, see resume.py. Returns the report, or None if the
    run was stopped by a signal. Raises ValueError for bad input.
    """
    out = Path(out)
    device = open_device(device)
    tokenizer = Tokenizer.load(tokenizer_file)
    report = read_report(tokens)
    if report["tokenizer"] != fingerprint(tokenizer):
        raise ValueError(
            f"{tokens} was written with another tokenizer than {tokenizer_file}; it must be the "
            f"same: tokenize again"
        )
    if tokenizer.n_vocab != model_config.vocab_size:
        raise ValueError(
            f"vocab_size is {model_config.vocab_size}; it must be {tokenizer.n_vocab}, the number "
            f"of symbols of {tokenizer_file}"
        )
    train_windows = Windows(
        load_tokens(Path(tokens) / "train.npy"), model_config.n_positions, train_config.seed
    )
    val_tokens = load_tokens(Path(tokens) / "val.npy")
    if len(val_tokens) < model_config.n_positions + 1:
        raise ValueError(
            f"the validation text has {len(val_tokens)} tokens; it must have at least "
            f"{model_config.n_positions + 1}, one window and its next token: bring more text or "
            f"ask for fewer n_positions"
        )
    val = Windows(val_tokens, model_config.n_positions, 0).spread(train_config.eval_windows)

    model = GPT(model_config, device).initialise(train_config.seed)
    loop = run_in_folder(
        out, model, tokenizer, train_windows, val, train_config, report["train"]["sha256"], fresh,
        say,
    )  # fmt: skip
    return loop and loop.finish(report["train"]["tokens"])


def run_in_folder(
    out, model, tokenizer, windows, val, config, data, fresh=False, say=print, make_loop=None
):
    """Train `model` on `windows` to the end of the run in the folder `out`, new or continued.

    `model` has the weights that a new run starts from; `data` is a hash of what it learns from.
    `make_loop` takes what Loop takes. Returns the Loop, or None if the run was stopped by a signal.
    Raises ValueError where another process trains in `out`.
    """
    if run_lock.is_held(out):
        raise ValueError(f"{out} is being trained by another process; wait for it or end it first")
    optimizer = AdamW(model.params, config)
    run = {
        "model": asdict(model.config),
        "train": {k: v for k, v in asdict(config).items() if k not in FREE_SETTINGS},
        "tokens": data,
    }
    progress = start_or_continue(out, model, optimizer, run, fresh, say)
    with (
        run_lock.held(out),
        Workers(model.device.n_workers(config.workers)) as workers,
        StopRequest() as stop,
    ):
        trainer = Trainer(model, optimizer, windows, config, workers)
        loop = (make_loop or Loop)(trainer, tokenizer, out, val, progress, say)
        # First what resuming needs. Also where nothing is left to do: the run may have been killed
        # before its last model was saved.
        checkpoint.save_state(out, model, optimizer, progress)
        loop.save_folder()
        loop.run(stop)
    if stop.signal is not None:
        signal_name = signal.Signals(stop.signal).name
        say(f"stopped by {signal_name} after step {progress['step']} of {config.steps}; the "
            f"same command{' without --fresh' if fresh else ''} continues from there")  # fmt: skip
        return None
    return loop


class Loop:
    """The steps of a run with what happens now and then: a look at the validation text, a
    sample, a checkpoint."""

    stage = "pretrain"

    def __init__(self, trainer, tokenizer, out, val, progress, say):
        self.trainer, self.tokenizer, self.out, self.val = trainer, tokenizer, out, val
        self.progress, self.say = progress, say
        self.config, self.model = trainer.config, trainer.model
        self.token_bytes = token_lengths(tokenizer)
        windows_per_step = self.config.batch_size * self.config.accumulate
        self.tokens_per_step = windows_per_step * self.model.config.n_positions

    def run(self, stop):
        """Make the steps that are left, until done or until `stop.signal` is set."""
        c, p = self.config, self.progress
        if p["step"] == c.steps:
            return
        saved_at = last = time.monotonic()
        bar = tqdm(total=c.steps, initial=p["step"], unit="step", disable=None, mininterval=0.3)
        with bar:
            if "val_loss" not in p:
                self.evaluate(None)
                self.save()
            for step in range(p["step"], c.steps):
                loss, grad_norm = self.trainer.step(step)
                p["step"] = step + 1
                now = time.monotonic()
                p["seconds"] += now - last
                last = now
                before = p["train_loss"]
                p["train_loss"] = loss if before is None else 0.95 * before + 0.05 * loss
                rate = bar.format_dict["rate"] or 0
                bar.set_postfix_str(
                    f"loss {p['train_loss']:.3f}, {rate * self.tokens_per_step:,.0f} tok/s",
                    refresh=False,
                )
                bar.update()
                if p["step"] % c.eval_every == 0 or p["step"] == c.steps:
                    self.evaluate(grad_norm)
                if c.sample_every and p["step"] % c.sample_every == 0:
                    self.show_sample()
                if stop.signal is not None or now - saved_at > c.save_every_s:
                    self.save()
                    saved_at = time.monotonic()
                    if stop.signal is not None:
                        return
        self.save()

    def evaluate(self, grad_norm):
        """Measure the validation loss; note it in metrics.jsonl and say it."""
        p, c = self.progress, self.config
        loss, bits = evaluate(self.model, self.val, self.token_bytes, self.trainer.workers)
        best = min(loss, p.get("best_val_loss", loss))
        p |= {"val_loss": loss, "best_val_loss": best, "bits_per_byte": bits}
        line = {
            "step": p["step"],
            "tokens": p["step"] * self.tokens_per_step,
            "train_loss": p["train_loss"],
            "val_loss": loss,
            "bits_per_byte": bits,
            "learning_rate": learning_rate(max(p["step"] - 1, 0), c),
            "grad_norm": grad_norm,
            "seconds": round(p["seconds"], 3),
        }
        self.record(METRICS, line)
        self.say(
            f"  step {p['step']:5d}: validation loss {loss:.3f} nats/token = {bits:.3f} bits/byte"
        )

    def show_sample(self):
        """Have the model write; note it in samples.jsonl and say it."""
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

    def save_folder(self):
        """Write the model's folder: the weights and what does not change while training."""
        checkpoint.save_model(self.out, self.model, self.tokenizer)

    def save(self):
        """Write a checkpoint: first what resuming needs, then the model for everybody else."""
        checkpoint.save_state(self.out, self.model, self.trainer.optimizer, self.progress)
        checkpoint.save_weights(self.out, self.model)

    def finish(self, epoch_tokens, **more):
        """Write and return the report of the finished run, `more` in it.

        `epoch_tokens`: how many tokens there are to train on.
        """
        p, c, m = self.progress, self.config, self.model.config
        n_tokens = c.steps * self.tokens_per_step
        report = {
            "stage": self.stage,
            "seconds": round(p["seconds"], 3),
            "steps": c.steps,
            "parameters": m.n_params(),
            "tokens": n_tokens,
            "epochs": n_tokens / epoch_tokens,
            "flops": n_tokens * m.flops_per_token(),
            "tokens_per_s": n_tokens / max(p["seconds"], 1e-9),
            "val_loss": p["val_loss"],
            "best_val_loss": p["best_val_loss"],
            "bits_per_byte": p["bits_per_byte"],
            "train": asdict(c),
            **more,
        }
        checkpoint.write_json(self.out / REPORT, report)
        return report
