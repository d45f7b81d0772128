"""Ctrl-C and SIGTERM while a model is trained: a wish that is granted after the step being made.

A step is not left half done: of a large model it may take minutes. So the first signal is answered
with a line that says how long it will still take, and what a second one, which ends the run at
once, would cost.
"""

import contextlib
import os
import signal

from minigpt.amounts import format_seconds

STDERR = 2


class StopRequest:
    """Turn Ctrl-C and SIGTERM into a flag, `signal`, that is looked at between steps.

    A second one stops at once (then the last checkpoint stands). Both while a `with` statement
    lasts. `how` is a function that returns (the seconds that it will take, None if not known; what
    would be lost otherwise, in words).
    """

    def __init__(self):
        self.signal, self.how = None, lambda: (None, "what no checkpoint holds")

    def __enter__(self):
        self._old = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception):
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        # Not by print: the signal may have come amid another line's, whose buffer is then locked.
        # In a terminal the bar stands in the line.
        newline = "\n" * os.isatty(STDERR)
        with contextlib.suppress(OSError):  # nobody listens
            os.write(STDERR, f"{newline}{answer(number, *self.how())}\n".encode())


def answer(number, seconds, lost):
    """Return the line that answers signal `number`."""
    about = f", in about {format_seconds(seconds)}" if seconds is not None and seconds >= 1 else ""
    return (
        f"{name_of(number)}: the run stops after this step{about}; "
        f"a second Ctrl-C stops it at once, and loses {lost}"
    )


def name_of(number):
    """Return the name of a signal: SIGINT."""
    return signal.Signals(number).name
