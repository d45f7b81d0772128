"""The record of a run: which steps get a line, and what stands in it."""

import json
from dataclasses import replace

import pytest
from minigpt_examples import MODEL, TRAIN

from minigpt.forecast import step_flops
from minigpt.metrics import KEPT, Metrics


class Run:
    """A run of nothing but its record; a step takes `step_s` seconds."""

    def __init__(self, path, step_s=0.1, done=0, **settings):
        self.path, self.step_s = path, step_s
        self.progress = {"step": done, "seconds": 0.0, "train_loss": None}
        config = replace(TRAIN, **{"steps": 1000, "eval_every": 1000} | settings)
        self.metrics = Metrics(path, MODEL, config, self.progress, peak=1e9)

    def make(self, n, told=True):
        """Make n steps; where the losses are told at once, step n has the loss n."""
        for _ in range(n):
            self.progress["step"] += 1
            self.progress["seconds"] += self.step_s
            self.metrics.trained_s += self.step_s
            self.metrics.made_step()
            if told:
                self.tell(self.progress["step"])
        return self

    def tell(self, *steps):
        for step in steps:
            self.metrics.told(float(step), step / 10)

    def lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_every_tenth_step_has_a_line_and_a_run_that_goes_on_keeps_to_them(path):
    Run(path).make(25)
    Run(path, done=25).make(20)
    assert [line["step"] for line in Run(path).lines()] == [10, 20, 30, 40]


def test_slow_steps_have_a_line_every_ten_seconds(path):
    run = Run(path, step_s=4.0).make(12)
    assert [line["step"] for line in run.lines()] == [3, 6, 9, 10]


def test_the_line_of_a_look_is_the_only_one_of_its_step(path):
    run = Run(path, eval_every=5).make(10)
    run.metrics.looked(2.5, 1.25)
    assert [(line["step"], line["val_loss"]) for line in run.lines()] == [(10, 2.5)]


def test_a_line_waits_for_the_loss_of_its_step_and_says_when_that_was_made(path):
    run = Run(path).make(25, told=False)
    assert not path.exists()
    run.tell(*range(1, 12))
    (line,) = run.lines()
    mean = 1.0
    for step in range(2, 11):
        mean = KEPT * mean + (1 - KEPT) * step
    assert (line["step"], line["grad_norm"], line["seconds"]) == (10, 1.0, 1.0)
    assert line["train_loss"] == pytest.approx(mean)
    run.tell(*range(12, 26))
    assert [line["step"] for line in run.lines()] == [10, 20]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_speed_leaves_out_what_is_no_training(path, optimizer):
    run = Run(path, optimizer=optimizer).make(5)
    run.progress["seconds"] += 100.0  # a look, a checkpoint
    run.make(15)
    assert [line["step"] for line in run.lines()] == [10, 20]
    for line in run.lines():
        assert line["tokens_per_s"] == 10 * 4 * 16  # ten steps a second
        share = 10 * step_flops(MODEL, run.metrics.config) / 1e9  # as it is foreseen
        assert line["mfu"] == pytest.approx(share, abs=1e-4)
