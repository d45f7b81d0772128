"""How far a run is and how long it still takes: a bar in a terminal, lines where there is none.

Output that goes to a file, or to a pipe, gets a line after ten seconds and then ever more rarely,
since the longer something has taken the less a minute of it matters. Both tell the time left as
the later half of the steps made here lets it be expected: the first are slow, and what else the
machine had to do then is soon forgotten. Where the steps of the first minute contradict the
forecast, that is said once.
"""

import threading
import time

from tqdm import tqdm

from minigpt.amounts import format_seconds

FIRST_S = 10.0  # until the first line
SELDOM = 0.2  # from a line to the next, as a share of the time that the run has taken
RAREST_S = 300.0  # between two lines at most
# The forecast is judged after so many steps, or earlier where they are slow but have become usual.
JUDGED_STEPS, JUDGED_S, USUAL_STEPS = 50, 60.0, 5
LEAST_STEPS = 3  # until the time left is told
BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"  # tqdm's, without its time left
WRONG = 1.5  # times the time foreseen, or one in so many: that is worth saying


class CountingBar:
    """A bar, or lines given to `say`, of `total` things that are done in threads."""

    def __init__(self, total, title, unit, say, clock=time.monotonic):
        self.done, self.total, self.title, self.unit = 0, total, title, unit
        self.say, self.clock, self.lock = say, clock, threading.Lock()
        self.bar = tqdm(total=total, desc=title, unit=f" {unit}", disable=None, leave=False)
        self.began, self.next_s = clock(), FIRST_S

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.bar.close()

    def update(self, n):
        """Show that `n` more are done."""
        with self.lock:
            self.bar.update(n)
            self.done += n
            elapsed = self.clock() - self.began
            if self.bar.disable and elapsed >= self.next_s and self.done < self.total:
                self.next_s = next_line(elapsed)
                left = format_seconds((self.total - self.done) * elapsed / self.done)
                what = f"{self.done:,} of {self.total:,} {self.unit}"
                self.say(f"  {self.title}: {what}, about {left} left")


def next_line(elapsed):
    """Return at how many seconds the next line is due, after one at `elapsed`."""
    return elapsed + min(max(FIRST_S, SELDOM * elapsed), RAREST_S)


class ProgressBar:
    """A bar, or lines given to `say`, of a run of `steps` steps of which `done` are made.

    `foreseen_s` is what all steps were expected to take, None where nothing was.
    """

    def __init__(self, done, steps, tokens_per_step, say, foreseen_s=None, clock=time.monotonic):
        self.first, self.step, self.steps = done, done, steps
        self.tokens_per_step, self.say, self.clock = tokens_per_step, say, clock
        self.foreseen_s = foreseen_s
        self.bar = tqdm(total=steps, initial=done, disable=None, mininterval=0.3, bar_format=BAR)
        self.next_s = FIRST_S
        self.moments = []  # when this began and each step was made here

    def __enter__(self):
        self.moments = [self.clock()]
        return self

    def __exit__(self, *exception):
        self.bar.close()

    def made_step(self, loss):
        """Show that a step was made; `loss` is the training loss, None where it is not known."""
        self.step += 1
        self.moments.append(self.clock())
        elapsed, step_s = self.moments[-1] - self.moments[0], self.step_s()
        said = [f"loss {loss:.3f}"] if loss is not None else []
        said.append(f"{self.tokens_per_step / max(step_s, 1e-9):,.0f} tokens/s")
        if self.step - self.first >= LEAST_STEPS:
            said.append(f"about {format_seconds(self.left(step_s))} left")
        if self.foreseen_s is not None:
            self.judge(elapsed, step_s)
        if not self.bar.disable:
            self.bar.set_postfix_str(", ".join(said), refresh=False)
            self.bar.update()
        elif elapsed >= self.next_s and self.step < self.steps:
            self.next_s = next_line(elapsed)
            self.say(f"  step {self.step:,} of {self.steps:,}: {', '.join(said)}")

    def step_s(self):
        """Return the seconds a step takes, and what is done between them: of the later half."""
        n = len(self.moments) - 1
        return (self.moments[n] - self.moments[n // 2]) / (n - n // 2)

    def step_left_s(self):
        """Return the seconds that the step being made still takes; None where nothing tells."""
        if self.step > self.first:
            usual = self.step_s()
        elif self.foreseen_s is not None:
            usual = self.foreseen_s / self.steps
        else:
            return None
        return max(0.0, usual - (self.clock() - self.moments[-1]))

    def left(self, step_s):
        """Return the seconds that the other steps take at `step_s` each."""
        return (self.steps - self.step) * step_s

    def judge(self, elapsed, step_s):
        """Say so if the forecast was wrong, when enough steps are made to know."""
        n = self.step - self.first
        if n < JUDGED_STEPS and (n < USUAL_STEPS or elapsed < JUDGED_S):
            return
        foreseen = self.foreseen_s * (self.steps - self.step) / self.steps
        self.foreseen_s = None
        left = self.left(step_s)
        low, high = sorted((left, foreseen))
        if high > WRONG * low and high >= FIRST_S:
            self.next_s = max(self.next_s, elapsed + FIRST_S)
            self.say(
                f"  the first {n} steps took {format_seconds(elapsed)}: about "
                f"{format_seconds(left)} left (foreseen: {format_seconds(foreseen)})"
            )
