"""Counting chunks, alone and with worker processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bpe import count, split, stream
from bpe.count import count_chunks
from bpe.split import Splitter, to_bytes

GPT4 = Splitter("gpt4")
TEXTS = ["one two three, one two\n" * 20, "", "it's 1999 and naïve 日本 \ud800" * 10, "one"]


def test_counts_are_those_of_the_chunks():
    counts = count_chunks(TEXTS, GPT4)
    chunks = [to_bytes(chunk) for text in TEXTS for chunk in GPT4.chunks(text)]
    assert counts.chunks == Counter(chunks)
    assert counts.documents == 4
    assert counts.bytes == sum(len(to_bytes(text)) for text in TEXTS)


def test_workers_count_the_same(monkeypatch):
    monkeypatch.setattr(count, "BATCH_CHARS", 40)
    monkeypatch.setattr(split, "BLOCK_CHARS", 10)
    alone = count_chunks(TEXTS, GPT4, ["three"], processes=1)
    assert count_chunks(TEXTS, GPT4, ["three"], processes=2) == alone
    monkeypatch.undo()
    assert count_chunks(TEXTS, GPT4, ["three"]) == alone


def test_text_is_read_as_it_is_needed(monkeypatch):
    monkeypatch.setattr(count, "BATCH_CHARS", 1)
    read = []

    def texts():
        for i in range(100):
            read.append(i)
            yield "word"

    counted = count._count_in_workers(GPT4, ([text] for text in texts()), 1)
    next(counted)
    assert len(read) <= 4
    counted.close()


def test_text_without_end_of_line_or_space_is_counted():
    assert count_chunks(["x" * 2_500_000], GPT4).chunks == {b"x" * 2_500_000: 1}


def test_special_tokens_are_no_text():
    counts = count_chunks(["one<|end|>two<|end|>"], GPT4, ["<|end|>"])
    assert counts.chunks == {b"one": 1, b"two": 1}
    assert counts.bytes == 6


def test_matches_of_nothing_do_not_count():
    assert count_chunks(["ab ab"], Splitter(r"\w*|\s")).chunks == {b"ab": 2, b" ": 1}


def test_an_error_in_a_worker_is_raised_here(monkeypatch):
    monkeypatch.setattr(count, "BATCH_CHARS", 1)
    with pytest.raises(ValueError, match="leaves out '1' at character 0"):
        count_chunks(["a", "b", "1"], Splitter("[a-z]+"), processes=2)


ENDLESS = """
from itertools import repeat
from multiprocessing import active_children
from bpe import count
count.BATCH_CHARS = 1000
def texts():
    yield from repeat("word " * 1000, 100)
    print(*[child.pid for child in active_children()], flush=True)
    yield from repeat("word ")
if __name__ == "__main__":
    count.count_chunks(texts(), count.Splitter("gpt4"), processes=2)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks Linux which processes there are")
def test_workers_end_with_the_process_that_is_killed(tmp_path):
    (tmp_path / "endless.py").write_text(ENDLESS)
    command = [sys.executable, str(tmp_path / "endless.py")]
    environment = os.environ | {"PYTHONPATH": str(Path(count.__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as killed:
        workers = killed.stdout.readline().split()
        killed.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 60
    while left := [pid for pid in workers if is_alive(pid)]:
        assert time.monotonic() < deadline, f"{left} are left"
        time.sleep(0.05)


def is_alive(pid: str) -> bool:
    """Tell whether a process is there, and not only waits for someone to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_second_ctrl_c_does_not_stop_the_end_of_the_workers():
    class Pressed:
        def shutdown(self, cancel_futures):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    count._shut_down(Pressed())
    assert signal.getsignal(signal.SIGINT) == before


def test_a_worker_that_is_killed_is_told_in_a_line(monkeypatch):
    monkeypatch.setattr(count, "BATCH_CHARS", 1)

    def texts():
        yield from ["a"] * 30
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        yield from ["a"] * 100_000  # more than are counted until that is noticed

    with pytest.raises(OSError, match="a worker that counts ended without a word; if memory"):
        count_chunks(texts(), GPT4, processes=2)


UNGUARDED = """
import multiprocessing, sys
from bpe import count
sys.platform = "darwin"
multiprocessing.set_start_method("spawn", force=True)  # the default there
count.BATCH_CHARS = 1
count.count_chunks(["a"] * 30, count.Splitter("gpt4"), processes=2)
"""


def test_a_script_that_workers_cannot_import_is_told_how_it_must_be(tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    environment = os.environ | {"PYTHONPATH": str(Path(count.__file__).parents[1])}
    command = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    said = [line for line in done.stderr.splitlines() if line.startswith("OSError: ")]
    assert said[-1].endswith('beneath `if __name__ == "__main__":`')


def test_one_str_is_refused():
    with pytest.raises(ValueError, match=r"texts is one str; it must be several"):
        count_chunks("some text", GPT4)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_a_text_in_pieces_is_counted_as_the_whole(monkeypatch, size):
    monkeypatch.setattr(stream, "PIECE_CHARS", 7)
    pieces = [[text[i : i + size] for i in range(0, len(text), size)] for text in TEXTS]
    assert count_chunks(map(iter, pieces), GPT4, ["three"]) == count_chunks(TEXTS, GPT4, ["three"])
