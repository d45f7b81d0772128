"""A folder may hold an earlier run: continue it, or set it aside and begin anew.

A run is described by what decides where it goes: the settings of the model and of the training,
and the tokens. If the folder's training state has the same description, its run is continued.
Otherwise that run is set aside as `FOLDER.previous`, which keeps only one: an unfinished run does
not replace one that took more work. If the run kept there is asked for again, the two change
places. `FOLDER/best` belongs to the run.
"""

import json
import os
import re
from pathlib import Path

from bpe.files import atomic_write
from minigpt import checkpoint
from minigpt.config import ModelConfig, TrainConfig
from minigpt.forecast import step_flops

METRICS, SAMPLES, REPORT = "metrics.jsonl", "samples.jsonl", "training.json"
CONFIG = "training_config.json"  # every setting, resolved, and what was foreseen
BEST = "best"  # the folder of the model with the lowest validation loss
RECORDS = (METRICS, SAMPLES)  # one line after the other, each with its "step"
EVALUATION = "evaluation.json"  # of an assistant, see evaluate_chat.py
# What a run's folder consists of; anything else in it was put there by somebody else.
OURS = {
    *RECORDS, REPORT, CONFIG, EVALUATION, checkpoint.MODEL, checkpoint.STATE,
    *checkpoint.DESCRIPTION,
}  # fmt: skip


def start_or_continue(out, model, optimizer, run, config, start, say):
    """Return the progress of the run in `out`; if it is continued, fill `model` and `optimizer`.

    Otherwise another run in `out` is set aside, and a new one begins; `start` says if that is
    always so ("fresh"), never ("resume") or as needed ("auto"). Raises ValueError for a damaged
    state, for a folder that cannot be set aside, and if nothing can be resumed.
    """
    end_exchange(out)
    if start != "fresh" and is_kept_aside(out, run):
        exchange(out, say)
    progress = None if start == "fresh" else read_progress(out)
    if start == "resume":
        check_same(out, progress, run)
    remove_unfinished(out)
    if progress is not None and progress["run"] == run:
        checkpoint.load_state(out, model, optimizer)
        go_on(out, progress, config, say)
        return progress
    make_way(out, say)
    out.mkdir(parents=True, exist_ok=True)
    return {"run": run, "step": 0, "seconds": 0.0, "train_loss": None}


def is_begun(out, run, start):
    """Tell whether start_or_continue would find the run `run` begun, or refuse to begin it."""
    if start == "auto":
        return run in (run_of(out), run_of(previous_of(out)))
    return start == "resume"


def read_progress(folder):
    """Return the progress of the run in a folder, None if there is none.

    An earlier version had only one optimizer, and so did not name it. Raises ValueError for damaged
    progress, which is needed before the checksum is looked at.
    """
    progress = checkpoint.read_progress(folder)
    try:
        if progress is not None:
            progress["run"]["train"].setdefault("optimizer", "adamw")
            _ = progress["run"]["model"].keys(), progress["run"]["tokens"], progress["step"] + 0
    except (LookupError, TypeError, AttributeError) as error:
        where = folder / checkpoint.STATE
        raise ValueError(f"{where} is damaged ({error!r}); --fresh starts anew") from None
    return progress


def go_on(out, progress, config, say):
    """Cut the records in `out` back to the step where `progress` stands."""
    step = progress["step"]
    say(f"{out} is complete" if is_done(progress, config)
        else f"continuing {out} after step {step}")  # fmt: skip
    for name in RECORDS:
        keep_lines(out / name, step if "val_loss" in progress else -1)
    if "val_loss" in progress and "best_step" not in progress:
        find_best(out / METRICS, progress)
    if not is_done(progress, config):  # it has more patience than when it ended
        for name in (REPORT, EVALUATION):
            (out / name).unlink(missing_ok=True)


def is_done(progress, config):
    """Tell whether a run has made all its steps, or looked in vain as often as `patience` says."""
    return progress["step"] == config.steps or is_out_of_patience(progress, config)


def is_out_of_patience(progress, config):
    return 0 < config.patience <= progress.get("looks_since_best", 0)


def check_same(out, progress, run):
    """Raise ValueError where the folder `out` does not hold the run `run`."""
    if progress is None:
        raise ValueError(f"{out} holds no run to resume; without --resume one begins")
    if differences := list(differing(progress["run"], run)):
        raise ValueError(
            f"{out} holds another run: {', '.join(differences)}; give the settings of that one, "
            f"or leave --resume out to set it aside"
        )


def differing(there, here):
    """Yield in words how two descriptions of runs differ."""
    for part in ("model", "train"):
        for name in sorted(there[part].keys() | here[part].keys()):
            old, new = there[part].get(name), here[part].get(name)
            if old != new:
                yield f"{name} is {old} there and {new} here"
    if there["tokens"] != here["tokens"]:
        yield "it learned from other tokens"
    if there.get("init") != here.get("init"):
        yield "it started from other weights (--init)"


def make_way(out, say):
    """Set the run in `out` aside; remove the records of one that has no model."""
    if holds_run(out):
        set_aside(out, say)
    for name in (*RECORDS, REPORT, EVALUATION):
        (out / name).unlink(missing_ok=True)


def set_aside(out, say):
    """Rename `out` to `out`.previous in place of what was there, and say what becomes of both.

    A run that was not finished does not take the place of one that more work went into: it is
    removed.
    """
    previous = previous_of(out)
    if not (out / REPORT).exists() and work_of(previous) > work_of(out):
        lost = how_far(out)
        remove_run(out)
        say(f"{out}, {lost}, is removed: {previous} took more work and stays")
        return
    said = f"{out} is now {previous}"
    if previous.exists():
        said += f"; what was there, {how_far(previous)}, is removed"
        remove_run(previous)
    os.replace(out, previous)
    say(said)


def belongs_to(folder, out):
    """Tell whether a model's folder is of the run in `out`, which may set it aside or remove it."""
    folder, out = Path(folder), Path(out)
    own = (out, out / BEST, previous_of(out))
    return folder.resolve() in (path.resolve() for path in own)


def is_kept_aside(out, run):
    """Tell whether `out`.previous holds the run `run`, and `out` another one or none."""
    return run_of(out) != run and run_of(previous_of(out)) == run


def exchange(out, say):
    """Let `out` and `out`.previous change places: the run asked for is the one kept there."""
    previous, aside = previous_of(out), aside_of(out)
    os.replace(previous, aside)
    os.replace(out, previous)
    os.replace(aside, out)
    if any(previous.iterdir()):
        say(f"{out} and {previous} change places: the run kept there is the one asked for")
    else:  # `out` was only made for its lock
        previous.rmdir()
        say(f"{out} is what was kept as {previous}: the run asked for")


def end_exchange(out):
    """Finish an exchange in which a process was killed, or undo it if it had only begun."""
    previous, aside = previous_of(out), aside_of(out)
    if aside.exists() and not previous.exists():
        os.replace(aside, previous)
    elif aside.exists() and not (out.exists() and any(out.iterdir())):
        if out.exists():  # empty: made for its lock
            out.rmdir()
        os.replace(aside, out)


def previous_of(out):
    return out.with_name(out.name + ".previous")


def aside_of(out):
    """Return where a folder is while two change places."""
    return out.with_name(f".{out.name}.exchanged")


def holds_run(folder):
    """Tell whether a folder holds a model, or a state that one can be made of."""
    return (folder / checkpoint.MODEL).exists() or work_of(folder) > 0


def run_of(folder):
    """Return the description of the run in a folder, None where that is not known."""
    try:
        return read_progress(folder)["run"]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def work_of(folder):
    """Return the operations that went into the run in a folder, 0 where that is not known."""
    try:
        progress = checkpoint.read_progress(folder)
        model, train = ModelConfig(**progress["run"]["model"]), progress["run"]["train"]
        return progress["step"] * step_flops(model, TrainConfig(**train))
    except (OSError, ValueError, LookupError, TypeError):
        return 0


def how_far(folder):
    """Say how far the run in a folder is."""
    if (folder / REPORT).exists():
        return "a finished run"
    try:
        progress = checkpoint.read_progress(folder)
        return f"a run after step {progress['step']:,} of {progress['run']['train']['steps']:,}"
    except (OSError, ValueError, LookupError, TypeError):
        return "an unfinished run"


def remove_run(folder):
    """Remove a run's folder; one with anything else in it is refused (ValueError)."""
    best = folder / BEST
    folders = [best, folder] if best.is_dir() else [folder]
    files = [file for f in folders for file in f.iterdir() if file != best]
    for file in files:
        if not is_ours(file.name) or file.is_dir():
            raise ValueError(
                f"{file.parent} holds {file.name}, which is not of a run; move it away"
            )
    for file in files:
        file.unlink()
    for f in folders:
        f.rmdir()


def is_ours(name):
    """Tell whether a file is a run's, or was being written when a run was killed."""
    return re.sub(r"^\.|(\.[0-9a-f]{8})?\.tmp$", "", name) in OURS


def remove_unfinished(out):
    """Remove the files that a killed process was writing."""
    for folder in (out, out / BEST):
        for file in folder.glob("*.tmp"):
            if is_ours(file.name):
                file.unlink()


def keep_lines(path, step):
    """Drop the lines of a record that are damaged or later than the checkpoint of `step`."""
    if path.exists():
        kept = [line for line in path.read_bytes().splitlines(True) if step_of(line) <= step]
        atomic_write(path, b"".join(kept))


def find_best(path, progress):
    """Add to `progress`, which an earlier version wrote, what the best look was."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    looks = [line for line in map(json.loads, lines) if "val_loss" in line]
    best = min(looks or [progress], key=lambda look: look["val_loss"])
    progress |= {
        "best_val_loss": best["val_loss"], "best_step": best["step"], "looks_since_best": 0,
    }  # fmt: skip


def step_of(line):
    """Return the step of a line of a record, infinity for a damaged line."""
    try:
        step = json.loads(line)["step"] if line.endswith(b"\n") else None
    except (ValueError, TypeError, KeyError, RecursionError):
        step = None
    return step if type(step) is int else float("inf")
