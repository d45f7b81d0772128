"""What Ctrl-C and SIGTERM do while a model is trained, and what is said of it."""

import os
import pty
import signal

import pytest
from training_runs import run, stop_at

from minigpt.stop_request import StopRequest, answer


def test_the_first_signal_is_answered_in_a_line_the_second_stops_at_once(capfd):
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        stop.how = lambda: (130.0, "what was learnt since step 7")
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
        assert capfd.readouterr().err == (
            "SIGTERM: the run stops after this step, in about 2 min 10 s; a second Ctrl-C stops "
            "it at once, and loses what was learnt since step 7\n"
        )
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("seconds", [None, 0.2])
def test_a_time_that_is_not_known_or_is_over_at_once_is_not_told(seconds):
    assert "after this step; a second Ctrl-C" in answer(signal.SIGINT, seconds, "all")


def test_in_a_terminal_the_answer_does_not_stand_behind_the_bar():
    shown, terminal = pty.openpty()
    stderr = os.dup(2)
    try:
        os.dup2(terminal, 2)
        with StopRequest():
            os.write(2, b"  3%|#   ")
            signal.raise_signal(signal.SIGINT)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    assert os.read(shown, 1000).startswith(b"  3%|#   \r\nSIGINT: the run stops after")
    os.close(shown)
    os.close(terminal)


def test_a_closed_stderr_does_not_keep_a_run_from_stopping(monkeypatch):
    def closed(descriptor, data):
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", closed)
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.signal == signal.SIGINT


def test_a_run_says_which_steps_a_second_signal_would_lose(example, tmp_path, capfd):
    assert run(example, tmp_path / "base", say=stop_at(0)) is None
    assert "loses what no checkpoint holds\n" in capfd.readouterr().err  # there is none yet
    assert run(example, tmp_path / "base", say=stop_at(8)) is None
    # step 4 was the best until then, and so it was kept
    assert "loses what was learnt since step 4\n" in capfd.readouterr().err


def test_signals_mean_what_they_did_before_when_the_run_is_over():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), StopRequest():
        assert signal.getsignal(signal.SIGINT) != before[0]
        raise ZeroDivisionError
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
