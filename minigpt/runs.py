"""Training runs, read while they go on: how far, how well, and what the model writes.

`pretrain` and `sft` append to

    metrics.jsonl   {"step", "train_loss", ...}: a line every few steps; of a look at the
                    validation text, also "val_loss" (metrics.py)
    samples.jsonl   {"step", "text"}, of an assistant also "prompt": a line for each sample

and at the end write training.json. Somebody else writes these files, now: a last line may be half
there, a folder may be renamed between two looks, a number may be NaN. What cannot be read is left
out and never an error.
"""

import json
import math
import time
from pathlib import Path
from types import NoneType

from minigpt import checkpoint, run_lock
from minigpt.chat_template import read_template
from minigpt.resume import METRICS, REPORT, SAMPLES

SILENT_S = 120.0  # a run saves its state every 30 s, or after a step that takes longer
MOST_BYTES = 32 << 20  # of a longer file the end is read
LARGEST = 1e300  # of a number; a float holds little more
LAST_LINES = 1 << 14  # bytes: enough for the last line
MOST_LINES = 2000  # of metrics, looks aside: more than a screen has pixels for
MOST_TEXT = 4000  # characters of a sample
NUMBERS = "tokens", "train_loss", "val_loss", "bits_per_byte", "seconds"  # or null, of a line
STEPS = (
    "step", "documents_in", "documents_out", "characters_in", "characters_out", "reasons",
)  # fmt: skip


def runs(out, now=None):
    """Return what `describe` says of every run in the folder `out`, by name."""
    return [describe(folder, now) for folder in run_folders(out)]


def run_folders(out):
    """List the folders in `out` that hold a run."""
    try:
        return sorted(folder for folder in Path(out).iterdir() if (folder / METRICS).is_file())
    except OSError:
        return []


def find_run(out, name):
    """Return the folder of the run `name` in `out`; raise ValueError where there is none."""
    folders = {folder.name: folder for folder in run_folders(out)}
    if name not in folders:
        raise ValueError(f"there is no run {name!r}; there are {', '.join(folders) or 'none yet'}")
    return folders[name]


def describe(folder, now=None):
    """Return the run in `folder` in a few words.

    These are name, stage, step of steps, running, finished, seconds, while it runs seconds_left,
    and vocab_size. One may be finished before its last step, see `patience`. What is not known is
    None.
    """
    report = read_object(folder / REPORT)
    try:
        progress = checkpoint.read_progress(folder)
        saved, steps = int(progress["step"]), int(progress["run"]["train"]["steps"])
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        saved, steps = 0, report.get("steps")
    lines = read_lines(folder / METRICS, most=LAST_LINES)
    last = lines[-1] if lines else {"step": 0}
    running = is_running(folder, now)
    return {
        "name": folder.name,
        "stage": report.get("stage") or stage_of(folder),
        "steps": steps,
        "step": max(last["step"], saved),
        "running": running,
        "finished": bool(report),
        "seconds": last.get("seconds"),
        "seconds_left": seconds_left(lines, steps, age_of(folder / METRICS, now))
        if running
        else None,
        "vocab_size": read_object(folder / "config.json").get("vocab_size"),
    }


def seconds_left(lines, steps, age_s):
    """Return how long a run of so many steps still takes at its pace of late; None if not known.

    `lines` are its metrics, the last of them written `age_s` seconds ago. That of step 0 does not
    count: the first look follows it, which may take longer than many steps.
    """
    timed = [
        line for line in lines if line["step"] and isinstance(line.get("seconds"), (int, float))
    ]
    if not steps or not timed or timed[-1]["step"] <= timed[0]["step"]:
        return None
    first, last = timed[0], timed[-1]
    step_s = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    return round(max(0.0, step_s * (steps - last["step"]) - age_s), 1)


def age_of(path, now=None):
    """Return how many seconds ago a file was written; infinity where it is not there."""
    try:
        return (time.time() if now is None else now) - path.stat().st_mtime
    except OSError:
        return math.inf


def stage_of(folder):
    """Return what an unfinished run does: with a chat template it makes an assistant."""
    try:
        return "pretrain" if read_template(folder) is None else "sft"
    except (OSError, ValueError):
        return "pretrain"


def is_running(folder, now=None):
    """Tell whether a run is going on: without a report, and its folder is held (run_lock.py).

    Where nobody knows who holds it: if it was heard of in the last SILENT_S. A folder that was set
    aside is held by the run that did so.
    """
    if (folder / REPORT).exists() or folder.suffix == ".previous":  # that is only kept
        return False
    if (is_held := run_lock.is_held(folder)) is not None:
        return is_held
    return (
        min(age_of(folder / name, now) for name in (METRICS, SAMPLES, checkpoint.STATE)) < SILENT_S
    )


def read_run(folder, after=-1, now=None):
    """Return {"metrics", "samples", "running"}, of the lines only those later than step `after`.

    Of many metrics those between looks are thinned out evenly.
    """
    running = is_running(folder, now)  # first: else the last lines could be missed
    samples = [
        {k: v[:MOST_TEXT] if isinstance(v, str) else v for k, v in line.items()}
        for line in read_lines(folder / SAMPLES, after)
    ]
    metrics = thinned(read_new(folder / METRICS, after), MOST_LINES)
    return {"metrics": metrics, "samples": samples, "running": running}


def read_new(path, after):
    """Return the lines of a growing record later than step `after`, without reading the others."""
    for most in (LAST_LINES, MOST_BYTES):
        lines = read_lines(path, most=most)
        if lines and lines[0]["step"] <= after:
            break
    return [line for line in lines if line["step"] > after]


def thinned(lines, most):
    """Return of lines of metrics all looks, and every so many of the others: about `most`."""
    apart = -(-len(lines) // most)
    last = len(lines) - 1
    return [
        line for i, line in enumerate(lines)
        if is_look(line) or i == last or i % apart == 0
    ]  # fmt: skip


def is_look(line):
    """Tell whether a line of metrics is of a look at the validation text."""
    return line.get("val_loss") is not None


def read_lines(path, after=-1, most=None):
    """Return the objects of a JSON Lines file with a "step" above `after`; none if it is not there.

    Damaged lines and a last one without its end are left out, numbers that JSON does not have
    (NaN, infinity) are None. Of a file of more than `most` bytes, by default MOST_BYTES, only the
    end is read.
    """
    most = most or MOST_BYTES
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            lines = file.read(most).splitlines(keepends=True)
    except OSError:
        return []
    found = []
    for line in lines[size > most :]:  # the first is cut
        if line.endswith(b"\n") and (value := parse(line)) is not None:
            step = value.get("step")
            numbers = all(
                isinstance(value.get(name, 0), (int, float, NoneType)) for name in NUMBERS
            )
            if type(step) is int and step > after and numbers:
                found.append(value)
    return found


def read_object(path):
    """Return the JSON object in a file, an empty one where there is none."""
    try:
        return parse(Path(path).read_bytes()) or {}
    except OSError:
        return {}


def parse(data):
    """Return the JSON object in `data`, None where it is no object."""
    try:
        value = finite(json.loads(data))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def finite(value):
    """Return a JSON value with None for numbers that JSON does not have or no float can hold."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, (int, float)) and not abs(value) < LARGEST else value


def funnel(out):
    """Return {"steps": [...]} of the cleaning in `out`, or {"missing": reason}."""
    path = Path(out) / "clean.json"
    steps = read_object(path).get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return {
            "missing": f"{path} is not there or not whole; make train writes it after the crawl"
        }
    return {"steps": [{name: step.get(name) for name in STEPS} for step in steps]}
