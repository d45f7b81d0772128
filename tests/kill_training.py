"""Kill a training run again and again; see whether it ends in the bytes of an undisturbed one.

    python tests/kill_training.py [--kills 20] [--dropout 0.2] [--workers 2] [--seed 0]

A small run is made once undisturbed; then in another folder, where the process gets SIGKILL at a
random moment, from its first import to its last write, and the same command follows. It saves
after every step, so that many of these moments are in the middle of a checkpoint.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from minigpt_examples import make_example

STEPS = 200
SETTINGS = {
    "n-positions": 16, "n-embd": 64, "n-layer": 2, "n-head": 2, "steps": STEPS, "batch-size": 4,
    "learning-rate": 1e-2, "warmup-steps": 5, "eval-every": 5, "eval-windows": 8,
    "sample-every": 20, "save-every-s": 0, "seed": 3,
}  # fmt: skip


def command(example, out, **changes):
    """Return the words of a small pretraining run."""
    words = [sys.executable, "-m", "minigpt", "pretrain", "--tokens", example.tokens]
    words += ["--tokenizer", example.tokenizer, "-o", out]
    for name, value in (SETTINGS | changes).items():
        words += [f"--{name}", value]
    return list(map(str, words))


def start(words):
    """Start a process that says nothing."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(words, env=environment, **quiet)


def is_finished(out):
    return (out / "training.json").exists()


def kill_and_finish(words, out, kills, longest_s, rng):
    """Run `words` until the run in `out` is finished, killing the process `kills` times.

    A process lives for a random time of at most `longest_s` seconds. Where a run is through before
    all kills are done, what was written last, the report and the model, is removed, and the rest
    of the kills falls into writing it again. Returns the step of the last line before each kill.
    """
    steps = []
    while len(steps) < kills:
        process = start(words)
        try:
            process.wait(rng.uniform(0, longest_s))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            steps.append(step_of(out))
        elif is_finished(out):
            (out / "training.json").unlink()
            (out / "model.safetensors").unlink()
        else:
            raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}")
    if start(words).wait() != 0:
        raise RuntimeError(f"{' '.join(words)} failed after the last kill")
    return steps


def step_of(out):
    """Return the step of the last line in `out`, None before the first."""
    try:
        lines = (out / "metrics.jsonl").read_text().splitlines()
        return json.loads(lines[-1])["step"]
    except (OSError, ValueError, IndexError):
        return None


def differing(out, other):
    """Return the files that must be the same bytes in both folders and are not."""
    names = ("model.safetensors", "training_state.safetensors", "best/model.safetensors")
    return [name for name in names if weights(out / name) != weights(other / name)]


def weights(path):
    """Return a file's bytes; of a training state without the header, where the seconds stand."""
    data = path.read_bytes()
    if path.name.startswith("training_state"):
        return data[8 + int.from_bytes(data[:8], "little") :]
    return data


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        example = make_example(folder)
        changes = {"dropout": arguments.dropout, "workers": arguments.workers}
        began = time.monotonic()
        if start(command(example, folder / "whole", **changes)).wait() != 0:
            sys.exit("the undisturbed run failed")
        took = time.monotonic() - began
        words = command(example, folder / "killed", **changes)
        rng = random.Random(arguments.seed)
        steps = kill_and_finish(words, folder / "killed", arguments.kills, took / 3, rng)
        print(f"undisturbed: {took:.1f} s; killed after the lines of steps {steps}")
        wrong = differing(folder / "killed", folder / "whole")
        print(f"differing: {', '.join(wrong)}" if wrong else "the same bytes")
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
