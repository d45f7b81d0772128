"""A folder may hold an earlier run: it is continued, set aside, or left alone."""

import itertools
import json
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import safetensors.numpy
from minigpt_examples import (
    MODEL,
    TRAIN,
    example_texts,
    example_tokenizer,
    make_example,
    save_example_model,
    write_jsonl,
)
from training_runs import lines_of, looks, metrics, run, same_run, stop_at

from minigpt import checkpoint, dataset, muon, resume
from minigpt.checkpoint import load_model, read_progress
from minigpt.model import param_shapes
from minigpt.runs import is_running
from minigpt.tensor_file import read_tensor, write_tensors

pytest_plugins = ["minigpt_fixtures"]
pytestmark = pytest.mark.usefixtures("peak")


# ---- continued -----------------------------------------------------------------------------


@pytest.mark.parametrize("record", ["metrics.jsonl", "samples.jsonl"])
@pytest.mark.parametrize("step", [4, 8])
def test_lines_that_are_later_than_the_checkpoint_or_cut_off_are_taken_back(
    whole, example, tmp_path, record, step
):
    out = tmp_path / "base"
    assert run(example, out, say=stop_at(step)) is None
    with open(out / record, "a") as file:
        file.write('{"step": 9, "val_loss": 1.0, "text": "x"}\n{"step": 12, "val')
    run(example, out)
    same_run(out, whole)


@pytest.mark.parametrize("record", ["metrics.jsonl", "samples.jsonl"])
def test_damaged_lines_of_the_records_are_dropped(whole, example, tmp_path, record):
    out = tmp_path / "base"
    assert run(example, out, say=stop_at(8)) is None
    with open(out / record, "ab") as file:
        file.write(b'\0\0\0\n[1]\ngarbage\n{}\n{"step": "9"}\n{"step": [1]}\n{"step": null}\n')
        file.write(b"[" * 99999 + b"\n")
    run(example, out)
    same_run(out, whole)


def test_a_finished_run_trains_no_step_more(example, tmp_path):
    out, said = tmp_path / "base", []
    report = run(example, out)
    before = {file: file.read_bytes() for file in out.rglob("*.*")}
    assert run(example, out, say=said.append) == report
    assert said == [f"{out} is complete"]
    assert {file: file.read_bytes() for file in out.rglob("*.*")} == before


def test_settings_that_only_look_may_change_when_a_run_is_continued(whole, example, tmp_path):
    out = tmp_path / "base"
    assert run(example, out, say=stop_at(4)) is None
    run(example, out, eval_every=100, eval_windows=2, sample_every=1, save_every_s=0)
    model = (out / "model.safetensors").read_bytes()
    assert model == (whole / "model.safetensors").read_bytes()


def test_resume_refuses_a_folder_without_a_run_or_with_another_one(example, tmp_path):
    out = tmp_path / "base"
    with pytest.raises(ValueError, match=r"base holds no run to resume; without --resume one"):
        run(example, out, start="resume")
    assert not out.exists()
    assert run(example, out, say=stop_at(4)) is None
    with pytest.raises(
        ValueError, match=r"another run: n_layer is 2 there and 3 here, steps is 12"
    ):
        run(example, out, start="resume", model=replace(MODEL, n_layer=3), steps=13)
    assert run(example, out, start="resume")["steps"] == 12


def test_a_run_without_patience_left_is_over_and_more_patience_continues_it(example, tmp_path):
    out, said = tmp_path / "base", []
    # no step changes anything: after the first look none is better
    still = {"learning_rate": 0.0, "min_learning_rate": 0.0, "eval_every": 2, "sample_every": 0}
    report = run(example, out, say=said.append, patience=2, **still)
    assert report["steps"] == 4
    assert report["tokens"] == 4 * 4 * 16
    assert "stopped early: 2 looks without" in said[-1] + said[-2]
    said.clear()
    assert run(example, out, say=said.append, patience=2, **still) == report
    assert said == [f"{out} is complete"]
    assert run(example, out, patience=4, **still)["steps"] == 8
    assert run(example, out, **still)["steps"] == 12


def test_a_run_that_goes_on_after_an_early_stop_is_not_finished_meanwhile(example, tmp_path):
    out = tmp_path / "base"
    still = {"learning_rate": 0.0, "min_learning_rate": 0.0, "eval_every": 2, "sample_every": 0}
    assert run(example, out, patience=1, **still)["steps"] == 2
    (out / "evaluation.json").write_text("{}")  # of that model
    assert run(example, out, say=stop_at(4), patience=4, **still) is None
    assert not any((out / name).exists() for name in ("training.json", "evaluation.json"))
    assert run(example, out, patience=4, **still)["steps"] == 8


@pytest.mark.parametrize("stop", [4, 12])
def test_a_run_of_an_earlier_version_is_continued(whole, example, tmp_path, stop):
    out = tmp_path / "base"
    run(example, out, say=stop_at(stop), keep_best=False)
    state = out / checkpoint.STATE
    progress, arrays = read_progress(out), safetensors.numpy.load_file(state)
    for name in ("first_val_loss", "best_step", "looks_since_best"):
        del progress[name]
    del progress["run"]["train"]["optimizer"]
    safetensors.numpy.save_file(arrays, state, {"progress": json.dumps(progress)})
    report = run(example, out, start="resume")
    losses = {line["step"]: line["val_loss"] for line in looks(out)}
    assert report["best_step"] == min(losses, key=losses.get)
    assert report["best_is_kept"] == (stop == 4)
    model = (out / "model.safetensors").read_bytes()
    assert model == (whole / "model.safetensors").read_bytes()


def test_what_a_kill_left_half_written_is_removed_and_other_files_stay(whole, tmp_path, example):
    out = shutil.copytree(whole, tmp_path / "base")
    left = [".model.safetensors.0123abcd.tmp", "best/model.safetensors.tmp"]
    for name in [*left, "mine.tmp"]:
        (out / name).write_text("half")
    run(example, out)
    assert [file.name for file in out.rglob("*.tmp")] == ["mine.tmp"]


# ---- another run in the same folder --------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"seed": 4}, {"steps": 13}, {"learning_rate": 0.5e-2}, {"start": "fresh"},
     {"model": replace(MODEL, n_layer=1)}],
)  # fmt: skip
def test_a_run_with_other_settings_moves_the_old_one_away(whole, example, tmp_path, changes):
    out, previous, said = tmp_path / "base", tmp_path / "base.previous", []
    run(example, out)
    run(example, out, say=said.append, **changes)
    assert said[0] == f"{out} is now {previous}"
    same_run(previous, whole)
    assert metrics(out)[0]["step"] == 0
    run(example, out)  # the first run again; what was in .previous is replaced
    same_run(out, whole)
    expected = changes.get("model", MODEL)
    assert load_model(previous).config == expected


def test_other_tokens_are_another_run(example, tmp_path):
    other = make_example(tmp_path)
    run(other, tmp_path / "base")
    write_jsonl(other.documents, example_texts(50))
    dataset.tokenize([other.documents], example_tokenizer(), other.tokens)
    with pytest.raises(ValueError, match=r"holds another run: it learned from other tokens"):
        run(other, tmp_path / "base", start="resume")
    run(other, tmp_path / "base")
    assert (tmp_path / "base.previous/training.json").exists()


def test_a_run_whose_model_was_deleted_is_set_aside_too_for_its_state_can_be_continued(
    whole, example, tmp_path
):
    out, previous = tmp_path / "base", tmp_path / "base.previous"
    run(example, out)
    (out / "model.safetensors").unlink()
    run(example, out, seed=4)
    os.replace(previous, out.with_name("again"))
    run(example, out.with_name("again"))
    same_run(out.with_name("again"), whole)


def test_what_an_earlier_model_was_found_to_be_is_not_told_of_a_new_run(example, tmp_path):
    out, reports = tmp_path / "base", ("training.json", "evaluation.json")
    out.mkdir()
    for name in reports:
        (out / name).write_text("{}")
    assert run(example, out, say=stop_at(0)) is None
    assert not any((out / name).exists() for name in reports)


def test_samples_of_an_unfinished_run_do_not_stay_in_a_new_one(example, tmp_path):
    out = tmp_path / "base"
    out.mkdir()
    (out / "samples.jsonl").write_text('{"step": 6, "text": "of a run without a model"}\n')
    run(example, out)
    assert [sample["step"] for sample in lines_of(out / "samples.jsonl")] == [6, 12]


def test_a_damaged_state_stops_the_run_and_fresh_begins_anew(whole, example, tmp_path):
    out = tmp_path / "base"
    run(example, out)
    state = out / "training_state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"training_state.safetensors is not a whole safetensors"):
        run(example, out)
    run(example, out, start="fresh")
    same_run(out, whole)
    assert load_model(tmp_path / "base.previous")


@pytest.mark.parametrize("start", ["auto", "resume"])
@pytest.mark.parametrize(
    "damage", ["run", "train", "model", "tokens", "step", "[]", "5", '{"run": {"train": 5}}']
)
def test_a_state_that_does_not_say_where_it_is_stops_the_run(example, tmp_path, damage, start):
    out, state = tmp_path / "base", tmp_path / "base/training_state.safetensors"
    assert run(example, out, say=stop_at(4)) is None
    progress = json.loads(json.dumps(read_progress(out)))
    if damage in progress:
        del progress[damage]
    elif damage in progress["run"]:
        del progress["run"][damage]
    else:
        progress = json.loads(damage)
    arrays = {name: read_tensor(state, name) for name in ("weights", "m", "v")}
    write_tensors(state, arrays, {"progress": json.dumps(progress)})
    with pytest.raises(ValueError, match=r"training_state.safetensors is damaged .*--fresh starts"):
        run(example, out, start=start)
    assert run(example, out, start="fresh")


def test_an_unfinished_run_does_not_take_the_place_of_one_of_more_work(whole, example, tmp_path):
    out, previous, said = tmp_path / "base", tmp_path / "base.previous", []
    run(example, out)
    for _ in range(2):  # both begin anew and are stopped
        assert run(example, out, say=stop_at(4), start="fresh") is None
    same_run(previous, whole)
    run(example, out, say=said.append, start="fresh")
    expected = f"{out}, a run after step 4 of 12, is removed: {previous} took more work and stays"
    assert said[0] == expected
    same_run(previous, whole)


def test_an_unfinished_run_of_more_work_than_a_finished_one_is_kept(example, tmp_path):
    out, previous, said = tmp_path / "base", tmp_path / "base.previous", []
    run(example, out, steps=3)
    assert run(example, out, say=stop_at(8)) is None
    run(example, out, say=said.append, seed=4)
    assert said[0] == f"{out} is now {previous}; what was there, a finished run, is removed"
    assert read_progress(previous)["step"] == 8


def test_a_finished_run_replaces_what_was_kept_and_says_what_that_was(example, tmp_path):
    out, previous, said = tmp_path / "base", tmp_path / "base.previous", []
    assert run(example, out, say=stop_at(4)) is None
    run(example, out, steps=3)
    run(example, out, say=said.append, seed=4)
    lost = "a run after step 4 of 12"
    assert said[0] == f"{out} is now {previous}; what was there, {lost}, is removed"


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_work_of_a_run_counts_what_its_optimizer_computes(example, tmp_path, optimizer):
    out = tmp_path / "base"
    assert run(example, out, say=stop_at(4), optimizer=optimizer, accumulate=2) is None
    by_tokens = 2 * TRAIN.batch_size * MODEL.n_positions * MODEL.flops_per_token()
    by_muon = muon.flops(param_shapes(MODEL)) if optimizer == "muon" else 0
    assert resume.work_of(out) == 4 * (by_tokens + by_muon)
    assert resume.work_of(tmp_path / "nothing") == 0


def stop_and_run_another(example, out):
    """Leave in `out` a run of seed 4, and set aside one that was stopped after step 8."""
    assert run(example, out, say=stop_at(8)) is None
    run(example, out, seed=4, steps=3)


@pytest.mark.parametrize("start", ["auto", "resume"])
def test_a_run_that_was_set_aside_is_continued_when_it_is_asked_for_again(
    whole, example, tmp_path, start
):
    out, previous, said = tmp_path / "base", tmp_path / "base.previous", []
    stop_and_run_another(example, out)
    run(example, out, say=said.append, start=start)
    assert said[0].startswith(f"{out} and {previous} change places")
    assert said[1] == f"continuing {out} after step 8"
    same_run(out, whole)
    assert json.loads((previous / "training.json").read_text())["train"]["seed"] == 4


@pytest.mark.parametrize("n", [1, 2, 3])
def test_two_runs_change_places_whenever_that_is_interrupted(
    whole, example, tmp_path, monkeypatch, n
):
    out, numbers = tmp_path / "base", itertools.count(1)
    stop_and_run_another(example, out)

    def replace_or_die(*paths):
        if next(numbers) == n:
            raise KeyboardInterrupt
        os.replace(*paths)

    monkeypatch.setattr(resume, "os", SimpleNamespace(replace=replace_or_die))
    with pytest.raises(KeyboardInterrupt):
        run(example, out)
    monkeypatch.undo()
    run(example, out)
    same_run(out, whole)
    assert read_progress(tmp_path / "base.previous")["run"]["train"]["seed"] == 4
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["base", "base.previous"]


def test_a_run_that_was_set_aside_does_not_seem_to_go_on(example, tmp_path):
    out, seen = tmp_path / "base", []
    assert run(example, out, say=stop_at(4)) is None
    run(example, out, say=lambda text: seen.append(is_running(tmp_path / "base.previous")), seed=4)
    assert seen and not any(seen)


def test_a_run_with_what_a_kill_left_can_be_set_aside_twice(example, tmp_path):
    out, previous = tmp_path / "base", tmp_path / "base.previous"
    for seed in (1, 2, 3):
        run(example, out, seed=seed)
        (out / ".training_state.safetensors.0123abcd.tmp").write_text("half")
    assert read_progress(previous)["run"]["train"]["seed"] == 2
    assert (previous / "best/model.safetensors").exists()


def test_a_folder_of_other_things_is_not_moved(example, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    run(example, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not tmp_path.with_name(tmp_path.name + ".previous").exists()


def test_a_previous_folder_that_is_no_run_is_not_deleted(example, tmp_path):
    mine = tmp_path / "base.previous/mine"
    mine.mkdir(parents=True)
    (mine.parent / "notes.txt").write_text("mine")
    save_example_model(tmp_path / "base")
    with pytest.raises(
        ValueError, match=r"previous holds (mine|notes.txt), which is not of a run; move"
    ):
        run(example, tmp_path / "base")
    assert (mine.parent / "notes.txt").exists()


def test_a_best_folder_with_something_else_in_it_is_not_deleted(example, tmp_path):
    out = tmp_path / "base"
    run(example, out, seed=1)
    (out / "best/notes.txt").write_text("mine")
    run(example, out, seed=2)
    with pytest.raises(ValueError, match=r"best holds notes.txt, which is not of a run; move it"):
        run(example, out, seed=3)
