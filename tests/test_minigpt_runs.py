"""Training runs are read while somebody writes them."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest
from minigpt_examples import TRAIN, save_example_model

from minigpt import run_lock, runs
from minigpt.chat_format import with_control_tokens
from minigpt.chat_template import save_template
from minigpt.checkpoint import load, save_state, write_json
from minigpt.optim import AdamW
from minigpt.runs import MOST_TEXT, NUMBERS, describe, find_run, funnel, read_lines, read_run

NOW = 1_900_000_000.0


def write_lines(path, *lines, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(x) if isinstance(x, dict) else x for x in lines) + end)
    os.utime(path, (NOW - 500, NOW - 500))
    return path


def line(step, **more):
    return {"step": step, "val_loss": 5.0 - step / 100, "seconds": step * 2.0} | more


# ---- a record of lines ----------------------------------------------------------------------


def test_lines_are_given_from_a_step_on(tmp_path):
    path = write_lines(tmp_path / "metrics.jsonl", line(0), line(10), line(20))
    assert [x["step"] for x in read_lines(path)] == [0, 10, 20]
    assert read_lines(path, after=10) == [line(20)]
    assert read_lines(path, after=20) == []


@pytest.mark.parametrize("half", ['{"step": 20, "val', '{"step": 20}', "", "{", '"step"'])
def test_half_a_last_line_is_not_there_yet(tmp_path, half):
    path = write_lines(tmp_path / "metrics.jsonl", line(0), line(10), half, end="")
    assert [x["step"] for x in read_lines(path)] == [0, 10]


def test_half_a_last_line_is_given_when_it_is_whole(tmp_path):
    path = write_lines(tmp_path / "metrics.jsonl", line(0), json.dumps(line(10))[:9], end="")
    assert len(read_lines(path)) == 1
    with open(path, "a") as file:
        file.write(json.dumps(line(10))[9:] + "\n")
    assert read_lines(path) == [line(0), line(10)]


@pytest.mark.parametrize(
    "damaged",
    [
        "{", "[]", "7", "{}", '{"step": "9"}', '{"step": true}', "[" * 99999, "\x00",
        *(f'{{"step": 9, "{name}": {value}}}' for name in NUMBERS for value in ('""', "[]")),
    ],
)  # fmt: skip
def test_damaged_lines_are_left_out(tmp_path, damaged):
    path = write_lines(tmp_path / "metrics.jsonl", line(0), damaged, line(20))
    assert [x["step"] for x in read_lines(path)] == [0, 20]


def test_bytes_that_are_no_text_are_left_out(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_bytes(b'{"step": 1, "text": "\xff"}\n{"step": 2, "text": "a"}\n')
    assert read_lines(path) == [{"step": 2, "text": "a"}]


def test_numbers_that_json_does_not_have_are_null(tmp_path):
    text = '{"step": 5, "val_loss": NaN, "more": [Infinity, {"x": -Infinity}], "grad_norm": 1e999}'
    found = read_lines(write_lines(tmp_path / "metrics.jsonl", text))
    assert found == [{"step": 5, "val_loss": None, "more": [None, {"x": None}], "grad_norm": None}]
    json.dumps(found, allow_nan=False)


def test_numbers_that_no_float_can_hold_are_null(tmp_path):
    text = f'{{"step": 5, "val_loss": 1{"0" * 400}, "seconds": -1{"0" * 400}}}'
    found = read_lines(write_lines(tmp_path / "metrics.jsonl", text))
    assert found == [{"step": 5, "val_loss": None, "seconds": None}]


def test_of_a_huge_file_the_end_is_read(tmp_path, monkeypatch):
    path = write_lines(tmp_path / "metrics.jsonl", *map(line, range(100)))
    monkeypatch.setattr(runs, "MOST_BYTES", 300)
    found = read_lines(path)
    assert 3 <= len(found) < 10
    assert found == [line(step) for step in range(100 - len(found), 100)]


def test_a_file_that_is_gone_has_no_lines(tmp_path):
    assert read_lines(tmp_path / "metrics.jsonl") == []
    (tmp_path / "samples.jsonl").mkdir()
    assert read_lines(tmp_path / "samples.jsonl") == []


# ---- runs -----------------------------------------------------------------------------------


def make_state(folder, step, steps):
    """Write a model's folder with the state of a run after `step`; return the folder."""
    save_example_model(folder)
    model, tokenizer = load(folder)
    run = {"train": {"steps": steps}}
    save_state(folder, model, AdamW(model.params, TRAIN), {"step": step, "run": run})
    return folder, tokenizer


def age(folder, seconds):
    for file in folder.iterdir():
        os.utime(file, (NOW - seconds, NOW - seconds))


def test_a_run_says_how_far_it_is(tmp_path):
    folder, _ = make_state(tmp_path / "base", 23, 40)
    write_lines(folder / "metrics.jsonl", line(0), line(10), line(20))
    age(folder, 1000)
    expected = {
        "name": "base", "stage": "pretrain", "steps": 40, "step": 23, "running": True,
        "finished": False, "seconds": 40.0, "seconds_left": 0.0,
        "vocab_size": load(folder)[0].config.vocab_size,
    }  # fmt: skip
    with run_lock.held(folder):
        assert runs.runs(tmp_path, NOW) == [expected]


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([line(0), line(10), line(20)], 37.0),  # 20 steps of 2 s, the first 3 s of them gone
        ([line(step) for step in range(0, 30, 2)], 21.0),
        # what came before step 10 is mostly the first look
        ([line(0), line(10, seconds=100.0), line(20, seconds=110.0)], 17.0),
        ([line(0), line(20, seconds=100.0)], None),
        ([line(10), line(39)], 0.0),
        ([line(20)], None),  # continued, and no line since
        ([line(0), line(20, seconds=None)], None),
        ([line(0), line(20, seconds="long")], None),
    ],
)
def test_a_run_says_how_long_it_still_takes(tmp_path, lines, left):
    folder, _ = make_state(tmp_path / "base", 20, 40)
    write_lines(folder / "metrics.jsonl", *lines)
    age(folder, 3)
    with run_lock.held(folder):
        assert describe(folder, NOW)["seconds_left"] == left
    assert describe(folder, NOW)["seconds_left"] is None  # it has stopped


def test_a_run_that_was_killed_is_known_at_once(tmp_path):
    """Its files are of this moment, and nobody holds the folder."""
    write_lines(tmp_path / "base/metrics.jsonl", line(0))
    code = (
        "import sys, time; from minigpt.run_lock import held\n"
        "with held(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", code, tmp_path / "base"], stdout=subprocess.PIPE)
    try:
        assert run.stdout.readline() == b"held\n"
        assert read_run(tmp_path / "base")["running"]
    finally:
        run.kill()
        run.communicate()
    assert not read_run(tmp_path / "base", now=NOW - 500)["running"]


def test_who_looks_does_not_seem_to_train(tmp_path):
    write_lines(tmp_path / "base/metrics.jsonl", line(0))
    file = run_lock.open_folder(tmp_path / "base")
    run_lock.fcntl.flock(file, run_lock.fcntl.LOCK_SH)  # as is_held does for an instant
    assert run_lock.is_held(tmp_path / "base") is False
    os.close(file)


def test_the_last_of_many_lines_is_where_a_run_is(tmp_path):
    write_lines(tmp_path / "base/metrics.jsonl", *map(line, range(3000)))
    assert describe(tmp_path / "base", NOW)["step"] == 2999


def test_an_unfinished_assistant_is_known_by_its_template(tmp_path):
    folder, tokenizer = make_state(tmp_path / "chat", 1, 2)
    save_template(folder, with_control_tokens(tokenizer))
    write_lines(folder / "metrics.jsonl", line(0))
    assert describe(folder, NOW)["stage"] == "sft"


def test_a_finished_run_is_not_running(tmp_path):
    """Not even in the instant when its process has not ended yet."""
    folder, _ = make_state(tmp_path / "base", 40, 40)
    write_lines(folder / "metrics.jsonl", line(40))
    write_json(folder / "training.json", {"stage": "sft", "steps": 40})
    age(folder, 1)
    with run_lock.held(folder):
        found = describe(folder, NOW)
    assert (found["running"], found["stage"], found["step"]) == (False, "sft", 40)
    assert found["finished"]


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl", "training_state.safetensors"])
def test_without_locks_a_run_goes_on_while_any_of_its_files_changes(tmp_path, name, monkeypatch):
    monkeypatch.setattr(run_lock, "fcntl", None)
    folder, _ = make_state(tmp_path / "base", 20, 40)
    write_lines(folder / "metrics.jsonl", line(20))
    write_lines(folder / "samples.jsonl", {"step": 20, "text": "a"})
    age(folder, 500)
    assert not describe(folder, NOW)["running"]
    os.utime(folder / name, (NOW - 60, NOW - 60))
    assert describe(folder, NOW)["running"]


def test_what_is_damaged_or_missing_is_unknown(tmp_path):
    write_lines(tmp_path / "base/metrics.jsonl", "{")
    (tmp_path / "base/training_state.safetensors").write_bytes(b"\xff" * 100)
    (tmp_path / "base/training.json").write_text("{")
    (tmp_path / "base/tokenizer_config.json").write_text("[")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "file").touch()
    expected = {
        "name": "base", "stage": "pretrain", "steps": None, "step": 0, "running": False,
        "finished": False, "seconds": None, "seconds_left": None,
        "vocab_size": None,
    }  # fmt: skip
    assert runs.runs(tmp_path, NOW) == [expected]
    assert runs.runs(tmp_path / "nowhere") == []


def test_a_run_gives_metrics_and_samples_later_than_a_step(tmp_path):
    folder = tmp_path / "chat"
    write_lines(folder / "metrics.jsonl", line(0), line(10))
    sample = {"step": 10, "prompt": "What is os?", "text": "a" * (MOST_TEXT + 5)}
    write_lines(folder / "samples.jsonl", {"step": 5, "prompt": "p", "text": "t"}, sample)
    found = read_run(folder, after=5, now=NOW)
    assert found == {
        "metrics": [line(10)], "samples": [sample | {"text": "a" * MOST_TEXT}], "running": False,
    }  # fmt: skip
    assert read_run(tmp_path / "gone", now=NOW) == {"metrics": [], "samples": [], "running": False}


def between(step):
    """Return a line of metrics between looks."""
    return {"step": step, "train_loss": 5.0, "seconds": step * 2.0}


def test_a_long_run_is_thinned_out_between_its_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "MOST_LINES", 20)
    lines = [line(step) if step % 250 == 0 else between(step) for step in range(0, 1005, 10)]
    write_lines(tmp_path / "base/metrics.jsonl", *lines[:-1], between(999))
    steps = [x["step"] for x in read_run(tmp_path / "base")["metrics"]]
    assert len(steps) < 25
    assert {0, 250, 500, 750, 999} <= set(steps)
    assert max(b - a for a, b in pairwise(steps)) <= 60


@pytest.mark.parametrize("after", [-1, 0, 5, 40_000, 59_990, 60_000])
def test_of_a_long_run_what_is_new_is_found(tmp_path, after):
    path = write_lines(tmp_path / "metrics.jsonl", *map(between, range(0, 60_000, 10)))
    expected = [step for step in range(0, 60_000, 10) if step > after]
    assert [x["step"] for x in runs.read_new(path, after)] == expected


@pytest.mark.parametrize("name", ["", ".", "..", "base/../base", "/etc", "chat", "x" * 5000, "\0"])
def test_only_a_run_of_the_folder_can_be_named(tmp_path, name):
    write_lines(tmp_path / "base/metrics.jsonl", line(0))
    assert find_run(tmp_path, "base") == tmp_path / "base"
    with pytest.raises(ValueError, match=r"there is no run .*there are base"):
        find_run(tmp_path, name)


# ---- cleaning -------------------------------------------------------------------------------


def test_the_funnel_has_what_each_step_kept_and_no_page(tmp_path):
    step = {
        "step": "language", "documents_in": 9, "documents_out": 7, "characters_in": 90,
        "characters_out": 70, "reasons": {"not en": 2},
    }  # fmt: skip
    more = {"seconds": 1.0, "examples": [{"url": "http://h/", "text": "a page"}]}
    write_json(tmp_path / "clean.json", {"steps": [step | more]})
    assert funnel(tmp_path) == {"steps": [step]}


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"steps": 3}', '{"steps": [3]}'])
def test_no_whole_report_of_the_cleaning_has_a_reason(tmp_path, content):
    if content is not None:
        (tmp_path / "clean.json").write_text(content)
    assert "clean.json is not there or not whole" in funnel(tmp_path)["missing"]
