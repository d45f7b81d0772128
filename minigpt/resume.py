"""A folder may hold an earlier run: continue it, or set it aside and begin anew.

A run is described by what decides where it goes: the settings of the model and of the training,
and the tokens. A folder whose training state says the same is continued; a finished model of
another run is kept as `FOLDER.previous`, once.
"""

import json
import os

from bpe.files import atomic_write
from minigpt import checkpoint

METRICS, SAMPLES, REPORT = "metrics.jsonl", "samples.jsonl", "training.json"
RECORDS = (METRICS, SAMPLES)  # one line after the other, each with its "step"
EVALUATION = "evaluation.json"  # of an assistant, see evaluate_chat.py
# What a run's folder consists of; anything else in it was put there by somebody else.
OURS = {
    *RECORDS, REPORT, EVALUATION, checkpoint.MODEL, checkpoint.STATE, "config.json",
    "generation_config.json", "tokenizer.json", "tokenizer_config.json",
}  # fmt: skip


def start_or_continue(out, model, optimizer, run, fresh, say):
    """Fill `optimizer` and `model`, if a run is continued, and return the progress of it in `out`.

    With `fresh`, or where `out` holds another run, that is set aside and a new one begins. Raises
    ValueError for a damaged state and for a folder that cannot be set aside.
    """
    progress = None if fresh else checkpoint.read_progress(out)
    if progress is not None and progress["run"] == run:
        checkpoint.load_state(out, model, optimizer)
        step, steps = progress["step"], run["train"]["steps"]
        say(f"{out} is complete" if step == steps else f"continuing {out} after step {step}")
        for name in RECORDS:
            keep_lines(out / name, step if "val_loss" in progress else -1)
        return progress
    if (out / checkpoint.MODEL).exists():
        set_aside(out, say)
    out.mkdir(parents=True, exist_ok=True)
    for name in RECORDS:
        (out / name).unlink(missing_ok=True)
    return {"run": run, "step": 0, "seconds": 0.0, "train_loss": None}


def set_aside(out, say):
    """Rename `out` to `out`.previous in place of what was there, or remove it.

    A run that was never finished does not take the place of one that was.
    """
    previous = out.with_name(out.name + ".previous")
    if (previous / REPORT).exists() and not (out / REPORT).exists():
        remove_run(out)
        say(f"{out} was unfinished and is removed; {previous} stays")
        return
    if previous.exists():
        remove_run(previous)
    os.replace(out, previous)
    say(f"{out} is now {previous}")


def remove_run(folder):
    """Remove a run's folder; one with anything else in it is refused (ValueError)."""
    files = list(folder.iterdir())
    for file in files:
        if file.name.removesuffix(".tmp").removeprefix(".") not in OURS or file.is_dir():
            raise ValueError(f"{folder} holds {file.name}, which is not of a run; move it away")
    for file in files:
        file.unlink()
    folder.rmdir()


def keep_lines(path, step):
    """Cut lines off a record that are damaged or later than the checkpoint of `step`."""
    if path.exists():
        kept = [line for line in path.read_bytes().splitlines(True) if step_of(line) <= step]
        atomic_write(path, b"".join(kept))


def step_of(line):
    """Return the step of a line of a record, infinity for a damaged line."""
    try:
        return json.loads(line)["step"] if line.endswith(b"\n") else float("inf")
    except (ValueError, TypeError, KeyError):
        return float("inf")
