"""Whole runs on the example: to make one, to stop it, to read what it left."""

import json
import signal
from dataclasses import replace

import numpy as np
import safetensors.numpy
from minigpt_examples import MODEL, TRAIN

from minigpt import checkpoint
from minigpt.pretrain import pretrain


def run(example, out, model=MODEL, say=lambda text: None, start="auto", **changes):
    """Pretrain on the example with the settings TRAIN, `changes` made; return the report."""
    config = replace(TRAIN, **changes)
    return pretrain(example.tokens, example.tokenizer, out, model, config, "cpu", start, say)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def metrics(out):
    return lines_of(out / "metrics.jsonl")


def looks(out):
    return [line for line in metrics(out) if "val_loss" in line]


def without_seconds(lines):
    timed = ("seconds", "tokens_per_s", "mfu")
    return [{k: v for k, v in line.items() if k not in timed} for line in lines]


def same_run(out, other):
    """Assert that two finished runs are the same but for the time they took."""
    for name in ("model.safetensors", "best/model.safetensors"):
        assert (out / name).read_bytes() == (other / name).read_bytes(), name
    for name, array in safetensors.numpy.load_file(out / checkpoint.STATE).items():
        other_array = safetensors.numpy.load_file(other / checkpoint.STATE)[name]
        np.testing.assert_array_equal(array, other_array, err_msg=name)
    assert without_seconds(metrics(out)) == without_seconds(metrics(other))
    assert lines_of(out / "samples.jsonl") == lines_of(other / "samples.jsonl")


def stop_at(step, number=signal.SIGINT):
    """Return a `say` that sends this process a signal when `step` is evaluated or sampled."""

    def say(text):
        if f"step {step:5d}:" in text:
            signal.raise_signal(number)

    return say
