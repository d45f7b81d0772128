"""How far a run is: lines where there is no terminal, and a forecast that is corrected."""

import pytest

from minigpt.progress_bar import RAREST_S, CountingBar, ProgressBar


class Run:
    """A run of `steps` steps of 100 tokens by a clock of its own."""

    def __init__(self, steps, foreseen_s=None, done=0):
        self.now, self.said, self.times = 1000.0, [], []
        self.bar = ProgressBar(done, steps, 100, self.say, foreseen_s, lambda: self.now)

    def say(self, text):
        self.said.append(text)
        self.times.append(self.now - 1000)

    def make(self, n, step_s, loss=3.25):
        with self.bar:
            for _ in range(n):
                self.now += step_s
                self.bar.made_step(loss)
        return self


def test_without_a_terminal_a_line_says_how_far_a_run_is_and_what_is_left():
    run = Run(2500).make(41, 0.25)
    assert run.said == [
        "  step 40 of 2,500: loss 3.250, 400 tokens/s, about 10 min 15 s left",
    ]


def test_lines_become_rarer_but_never_stop():
    run = Run(50_000).make(40_000, 0.25)
    apart = [b - a for a, b in zip([0, *run.times], run.times, strict=False)]
    assert apart[0] == 10
    assert apart == sorted(apart)
    assert apart[-1] == RAREST_S
    assert len([t for t in run.times if t <= 600]) <= 20


def test_a_short_run_and_the_last_step_need_no_line():
    assert Run(39).make(39, 0.25).said == []
    assert Run(40).make(40, 0.25).said == []


def test_what_is_left_of_a_continued_run_is_told_by_the_steps_made_here():
    run = Run(100, done=50).make(3, 5.0, loss=None)
    assert run.said[0] == "  step 52 of 100: 20 tokens/s"  # of two steps nothing is foretold
    run = Run(100, done=50).make(4, 3.5, loss=None)
    assert run.said[0] == "  step 53 of 100: 29 tokens/s, about 2 min 44 s left"


def test_what_the_machine_had_to_do_at_first_is_forgotten():
    run = Run(1000)
    with run.bar:
        for i in range(300):
            run.now += 9.0 if i == 0 else 2.0 if i < 50 else 0.5
            run.bar.made_step(None)
    assert ": 200 tokens/s, about" in run.said[-1]  # half a second a step


@pytest.mark.parametrize(
    ("foreseen_s", "said"),
    [
        (100.0, "  the first 50 steps took 10.0 s: about 3 min 10 s left (foreseen: 1 min 35 s)"),
        (800.0, "  the first 50 steps took 10.0 s: about 3 min 10 s left (foreseen: 12 min 40 s)"),
        (150.0, None),
        (290.0, None),
    ],
)
def test_a_forecast_that_the_first_steps_contradict_is_corrected_once(foreseen_s, said):
    run = Run(1000, foreseen_s).make(300, 0.2)
    corrected = [text for text in run.said if "first" in text]
    assert corrected == ([said] if said else [])


def test_of_slow_steps_few_tell_that_a_forecast_is_wrong():
    run = Run(1000, foreseen_s=5000.0).make(5, 13.0)
    assert run.said[-1].startswith("  the first 5 steps took 1 min 05 s: about 3 h 36 min left")


def test_nobody_is_told_of_a_few_seconds_more():
    assert Run(100, foreseen_s=1.0).make(100, 0.05).said == []


def test_what_a_step_still_takes_is_told_by_the_steps_before_or_by_the_forecast():
    run = Run(100, foreseen_s=500.0)
    with run.bar as bar:
        run.now += 2
        assert bar.step_left_s() == pytest.approx(3)  # of five, as foreseen
        run.now += 18
        assert bar.step_left_s() == 0  # any moment now
        bar.made_step(3.25)
        run.now += 5
        assert bar.step_left_s() == pytest.approx(15)
    unknown = Run(100)
    with unknown.bar as bar:
        assert bar.step_left_s() is None


def test_of_things_done_in_threads_too_a_line_now_and_then_says_how_far_it_is():
    said, now = [], [0.0]
    with CountingBar(200, "asking", "questions", said.append, clock=lambda: now[0]) as bar:
        bar.bar.disable = True
        for second in range(1, 21):
            now[0] = float(second)
            bar.update(10)
    assert said == ["  asking: 100 of 200 questions, about 10.0 s left"]
