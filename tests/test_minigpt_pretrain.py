import errno
import itertools
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
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

import bpe
from minigpt import checkpoint, dataset, loop, run_lock
from minigpt import metrics as metrics_module
from minigpt import pretrain as pretrain_module
from minigpt.backend import to_numpy
from minigpt.checkpoint import load, load_model, read_progress
from minigpt.dataset import Windows, load_tokens
from minigpt.ops import softmax
from minigpt.pretrain import StopRequest, pretrain
from minigpt.runs import is_running
from minigpt.train import Trainer

pytest_plugins = ["minigpt_fixtures"]


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


@pytest.fixture(scope="module", autouse=True)
def peak():
    """What the machine can do at most is not measured here: that takes a fifth of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain_module, "measure_peak", lambda device, workers: 1e11)
        yield


@pytest.fixture(scope="module")
def whole(example, tmp_path_factory):
    """The folder of an uninterrupted run, that tests only read."""
    out = tmp_path_factory.mktemp("whole") / "base"
    run(example, out)
    return out


def stop_at(step, number=signal.SIGINT):
    """Return a `say` that sends this process a signal when `step` is evaluated or sampled."""

    def say(text):
        if f"step {step:5d}:" in text:
            signal.raise_signal(number)

    return say


# ---- a whole run -----------------------------------------------------------------------------


def test_a_run_leaves_a_model_that_has_learned(whole):
    lines = looks(whole)
    assert [line["step"] for line in lines] == [0, 4, 8, 12]
    assert abs(lines[0]["val_loss"] - math.log(300)) < 0.2
    assert lines[-1]["val_loss"] < lines[0]["val_loss"] - 0.3
    model, tokenizer = load(whole)
    assert model.config == MODEL
    assert tokenizer.encode("the list") == example_tokenizer().encode("the list")


def test_a_run_is_known_to_go_on_until_it_ends(example, tmp_path):
    seen = []
    run(example, tmp_path / "base", say=lambda text: seen.append(is_running(tmp_path / "base")))
    assert len(seen) > 3 and all(seen)
    assert not is_running(tmp_path / "base")


def test_a_folder_where_another_process_trains_is_refused(whole, example):
    def files():
        return {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()}

    before = files()
    with run_lock.held(whole), pytest.raises(ValueError, match="trained by another process"):
        run(example, whole, start="fresh")
    assert files() == before


def test_of_two_runs_that_start_at_once_one_is_refused_and_the_other_undisturbed(
    whole, example, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_lock, "PATIENCE_S", 0.1)
    begun = []

    def say(text):  # the first words, when the second starts
        if not begun:
            begun.append(text)
            with pytest.raises(ValueError, match="trained by another process"):
                run(example, tmp_path / "base", seed=4)

    run(example, tmp_path / "base", say=say)
    assert begun
    same_run(tmp_path / "base", whole)


def test_the_folder_is_complete_and_nothing_is_left_over(whole):
    assert sorted(file.name for file in whole.iterdir()) == [
        "best", "config.json", "generation_config.json", "metrics.jsonl", "model.safetensors",
        "samples.jsonl", "tokenizer.json", "tokenizer_config.json", "training.json",
        "training_config.json", "training_state.safetensors",
    ]  # fmt: skip


def test_the_report_counts_what_was_done(whole, example):
    report = json.loads((whole / "training.json").read_text())
    n_tokens = 12 * 4 * 16
    train_tokens = dataset.read_report(example.tokens)["train"]["tokens"]
    last = metrics(whole)[-1]
    expected = {
        "stage": "pretrain", "steps": 12, "parameters": MODEL.n_params(), "tokens": n_tokens,
        "epochs": n_tokens / train_tokens, "flops": n_tokens * MODEL.flops_per_token(),
        "val_loss": last["val_loss"], "bits_per_byte": last["bits_per_byte"],
    }  # fmt: skip
    assert {name: report[name] for name in expected} == expected
    assert report["tokens_per_s"] == pytest.approx(n_tokens / report["seconds"], rel=0.1)
    assert report["train"]["seed"] == TRAIN.seed


def test_the_seconds_of_a_run_are_those_of_its_looks_too(example, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def evaluate(self, batch, token_bytes):
        now[0] += 100.0
        return 5.0, 1.0

    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    out, settings = tmp_path / "base", {"sample_every": 0, "save_every_s": 10_000}
    assert run(example, out, say=stop_at(4), **settings) is None
    assert read_progress(out)["seconds"] == 200.0
    assert run(example, out, **settings)["seconds"] == 400.0
    # a line's are those until its step was made
    assert [line["seconds"] for line in metrics(out)] == [0.0, 100.0, 200.0, 300.0, 300.0]


def test_metrics_say_where_the_run_is(whole):
    lines = metrics(whole)
    assert [line["step"] for line in lines] == [0, 4, 8, 10, 12]
    assert [line["tokens"] for line in lines] == [0, 256, 512, 640, 768]
    assert lines[3].keys() == lines[2].keys() - {"val_loss", "bits_per_byte"}
    assert [line["learning_rate"] for line in lines[-1:]] == [TRAIN.min_learning_rate]
    assert lines[0]["train_loss"] is None
    assert all(0 < line["grad_norm"] < 100 for line in lines[1:])
    assert all(line["train_loss"] < math.log(300) + 0.2 for line in lines[1:])
    times = [line["seconds"] for line in lines]
    assert times == sorted(times)


def test_validation_bits_per_byte_are_those_of_the_saved_model(whole, example):
    model, tokenizer = load(whole)
    row = load_tokens(example.tokens / "val.npy")
    nats = n_bytes = 0
    for ids, targets in zip(*Windows(row, 16, 0).spread(TRAIN.eval_windows), strict=True):
        p = softmax(to_numpy(model.logits(ids)))
        text = [(t, i) for t, i in enumerate(targets.tolist()) if i != tokenizer.eot_token]
        nats -= sum(math.log(p[t, i]) for t, i in text)
        n_bytes += len(tokenizer.decode_bytes([i for _, i in text]))
    assert metrics(whole)[-1]["bits_per_byte"] == pytest.approx(
        nats / math.log(2) / n_bytes, rel=1e-5
    )


def test_a_run_says_how_it_goes(example, tmp_path):
    said = []
    run(example, tmp_path / "base", say=said.append)
    assert [text.split(":")[0].strip() for text in said[1:-1]] == [
        "memory", "work", "step     0", "step     4", "writes", "step     8", "step    12",
        "writes",
    ]  # fmt: skip
    assert said[0].startswith("0.01 M parameters, 12 steps of 4 windows of 16 tokens: 0.")
    assert "nats/token" in said[3]
    assert re.fullmatch(r"  validation loss 5\.\d+ █[▁-▇]▁ [45]\.\d+ in 12 steps", said[-1])
    said.clear()
    run(example, tmp_path / "quiet", say=said.append, sample_every=0, eval_every=100)
    assert [text.split(":")[0].strip() for text in said[3:-1]] == ["step     0", "step    12"]


def test_samples_are_what_was_said_and_who_wants_none_gets_no_file(whole, example, tmp_path):
    out, said = tmp_path / "base", []
    run(example, out, say=said.append)
    samples = lines_of(out / "samples.jsonl")
    assert [sample["step"] for sample in samples] == [6, 12]
    written = [text for text in said if "writes: " in text]
    assert written == [f"  writes: {sample['text']!r}" for sample in samples]
    run(example, out, sample_every=0, seed=5)
    assert not (out / "samples.jsonl").exists()
    assert lines_of(tmp_path / "base.previous/samples.jsonl") == samples


def test_samples_of_an_unfinished_run_do_not_stay_in_a_new_one(example, tmp_path):
    out = tmp_path / "base"
    out.mkdir()
    (out / "samples.jsonl").write_text('{"step": 6, "text": "of a run without a model"}\n')
    run(example, out)
    assert [sample["step"] for sample in lines_of(out / "samples.jsonl")] == [6, 12]


def test_the_same_settings_give_the_same_bytes_and_another_seed_others(whole, example, tmp_path):
    run(example, tmp_path / "again")
    same_run(tmp_path / "again", whole)
    run(example, tmp_path / "other", seed=4)
    model = (tmp_path / "other/model.safetensors").read_bytes()
    assert model != (whole / "model.safetensors").read_bytes()


def test_looking_and_saving_do_not_change_the_model(whole, example, tmp_path):
    otherwise = {"eval_every": 7, "eval_windows": 3, "sample_every": 0, "save_every_s": 0}
    run(example, tmp_path / "base", **otherwise)
    model = (tmp_path / "base/model.safetensors").read_bytes()
    assert model == (whole / "model.safetensors").read_bytes()


def test_two_workers_give_the_losses_of_one(whole, example, tmp_path):
    run(example, tmp_path / "base", workers=2)
    for line, other in zip(looks(whole), looks(tmp_path / "base"), strict=True):
        assert line["val_loss"] == pytest.approx(other["val_loss"], abs=1e-5)
        assert line["train_loss"] == pytest.approx(other["train_loss"], abs=1e-5)


# ---- stopped and continued -------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [0, 4])
def test_a_stopped_run_continues_to_the_same_bytes(whole, example, tmp_path, step, number):
    out, said = tmp_path / "base", []

    def say(text):
        said.append(text)
        stop_at(step, number)(text)

    assert run(example, out, say=say) is None
    stopped_at = max(1, step)  # the step that was being made is finished
    assert read_progress(out)["step"] == stopped_at
    assert f"stopped by {number.name} after step {stopped_at} of 12; the same command" in said[-1]
    assert not (out / "training.json").exists()
    said.clear()
    assert run(example, out, say=said.append)["steps"] == 12
    assert said[0] == f"continuing {out} after step {stopped_at}"
    same_run(out, whole)


def test_a_run_may_be_stopped_again_and_again(whole, example, tmp_path):
    out = tmp_path / "base"
    for step in (0, 4, 8, 12):
        assert run(example, out, say=stop_at(step)) is None
        assert checkpoint.load_model(out).config == MODEL  # always a whole model
    assert run(example, out)["steps"] == 12
    same_run(out, whole)


def test_a_second_signal_stops_at_once(example, tmp_path):
    def say(text):
        stop_at(4)(text)
        stop_at(4)(text)

    with pytest.raises(KeyboardInterrupt):
        run(example, tmp_path / "base", say=say)
    assert read_progress(tmp_path / "base")["step"] == 0  # the last checkpoint


def test_signals_mean_what_they_did_before_when_the_run_is_over(example, tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), StopRequest():
        assert signal.getsignal(signal.SIGINT) != before[0]
        raise ZeroDivisionError
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def kill_at_write(example, out, n, before):
    """Pretrain in a copy of this process, which gets SIGKILL at the n-th file it puts in place."""
    child = os.fork()
    if child == 0:
        die_at_write(n, before)
        try:
            run(example, out, save_every_s=0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def die_at_write(n, before):
    """Have this process get SIGKILL at the n-th file it puts in place, before or after that."""
    replace_file, numbers = os.replace, itertools.count(1)

    def replace_and_die(*paths):
        is_last = next(numbers) == n
        if is_last and before:
            os.kill(os.getpid(), signal.SIGKILL)
        replace_file(*paths)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace_and_die


# At first 7 files are written: training_config.json, the state, config.json,
# generation_config.json, tokenizer.json, tokenizer_config.json, the model. A checkpoint is two, the
# state and the model; where the model is the best so far, it is a third, and the first time the
# four small files come before it. There is a checkpoint before the first step and one after each,
# the last one twice; the report is the last file, the 45th.
@pytest.mark.parametrize(
    ("n", "before"),
    [
        (2, True),
        (2, False),
        (5, False),
        (8, True),
        (11, False),
        (14, True),
        (15, True),
        (24, False),
        (25, False),
        (44, True),
        (45, True),
    ],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process cannot be copied here")
def test_a_killed_run_continues_to_the_same_bytes(whole, example, tmp_path, n, before):
    out = tmp_path / "base"
    kill_at_write(example, out, n, before)
    if n > 7:
        load_model(out)  # there is always a whole model
    assert run(example, out)["steps"] == 12
    same_run(out, whole)
    assert not list(out.rglob("*.tmp"))
    assert not out.with_name("base.previous").exists()


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


# ---- another run in the same folder ----------------------------------------------------------


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


def test_a_model_that_was_deleted_or_cut_off_is_written_again_from_the_state(example, tmp_path):
    out = tmp_path / "base"
    run(example, out)
    model = out / "model.safetensors"
    whole_model = model.read_bytes()
    for damaged in (None, whole_model[:-9]):
        model.unlink()
        if damaged:
            model.write_bytes(damaged)
        run(example, out)
        assert model.read_bytes() == whole_model


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
    run(example, out, say=said.append)
    lost = "a run after step 4 of 12"
    assert said[0] == f"{out} is now {previous}; what was there, {lost}, is removed"


@pytest.mark.parametrize("record", ["metrics.jsonl", "samples.jsonl"])
def test_damaged_lines_of_the_records_are_dropped(whole, example, tmp_path, record):
    out = tmp_path / "base"
    assert run(example, out, say=stop_at(8)) is None
    with open(out / record, "ab") as file:
        file.write(b"\0\0\0\n[1]\ngarbage\n{}\n")
    run(example, out)
    same_run(out, whole)


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


# ---- what cannot be trained on ---------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_the_run_and_the_last_checkpoint_stands(example, tmp_path):
    out = tmp_path / "base"
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"step \d: the loss is .*lower .*checkpoint of step 0"),
    ):
        run(example, out, learning_rate=1e20, warmup_steps=0, grad_clip=0)
    model, _ = load(out)
    assert np.isfinite(model.params.flat).all()
    assert read_progress(out)["step"] == 0


def test_weights_that_are_no_numbers_do_not_become_a_checkpoint(example, tmp_path):
    out = tmp_path / "base"
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"step 1: the weights are not finite; .*of step 0 stands"),
    ):
        run(example, out, learning_rate=1e30, warmup_steps=0, grad_clip=0, save_every_s=0)
    assert np.isfinite(load(out)[0].params.flat).all()


def test_a_rate_that_leads_astray_is_stopped_at_the_next_look_though_all_is_finite(
    example, tmp_path
):
    out = tmp_path / "base"
    said = r"step 4: the validation loss is .* guessing would give 5.7; .* lower --learning-rate, "
    with pytest.raises(ValueError, match=said + r"which is 30.*best model, of step 0, in .*best"):
        run(example, out, learning_rate=30.0, warmup_steps=0, save_every_s=0)
    assert read_progress(out)["step"] == 3
    loss = looks(out)[0]["val_loss"]
    assert load(out / "best")[0].params.flat.std() < 0.2
    assert [line["val_loss"] for line in metrics(out)] == [loss]


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_text_shorter_than_a_window_is_refused(tmp_path, part):
    example = make_example(tmp_path)
    np.save(example.tokens / f"{part}.npy", np.zeros(16, np.uint16))
    which = {"train": "training", "val": "validation"}[part]
    with pytest.raises(
        ValueError, match=rf"the {which} text has 16 tokens; it must have at least 17"
    ):
        run(example, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_tokens_of_another_tokenizer_are_refused_even_of_the_same_size(example, tmp_path):
    other = bpe.train([t[::-1] for t in example_texts()], 300, special_tokens=["<|endoftext|>"])
    other.save(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match=r"was written with another tokenizer .* tokenize again"):
        pretrain(example.tokens, tmp_path / "tokenizer.json", tmp_path / "base", MODEL, TRAIN)


def test_a_model_of_another_vocabulary_is_refused(example, tmp_path):
    with pytest.raises(ValueError, match=r"vocab_size is 512; it must be 300"):
        run(example, tmp_path / "base", model=replace(MODEL, vocab_size=512))


def test_missing_tokens_are_refused_with_the_cure(example, tmp_path):
    with pytest.raises(ValueError, match=r"tokens.json does not exist; tokenize first"):
        pretrain(tmp_path, example.tokenizer, tmp_path / "base", MODEL, TRAIN)


def test_an_unknown_device_is_refused(example, tmp_path):
    with pytest.raises(ValueError, match="device is 'tpu'"):
        pretrain(example.tokens, example.tokenizer, tmp_path, MODEL, TRAIN, "tpu")


def test_a_folder_that_cannot_be_made_is_an_os_error(example, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file/base"):
        with pytest.raises(OSError, match="file"):
            run(example, out)


def test_the_free_settings_are_settings():
    assert set(pretrain_module.FREE_SETTINGS) <= set(vars(TRAIN))


# ---- resume, best, patience, epochs ----------------------------------------------------------


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


def test_the_best_model_is_kept_as_a_whole_folder_and_survives_worse_ones(example, tmp_path):
    out, said = tmp_path / "base", []
    astray = {"learning_rate": 0.2, "min_learning_rate": 0.2, "warmup_steps": 5, "eval_every": 1}
    report = run(example, out, say=said.append, sample_every=0, **astray)
    losses = {line["step"]: line["val_loss"] for line in looks(out)}
    best = min(losses, key=losses.get)
    assert 0 < best < 12
    assert (report["best_step"], report["best_val_loss"]) == (best, losses[best])
    assert report["best_is_kept"]
    assert f"step {best}: it is in {out / 'best'}" in said[-1]
    # its bytes are those of a run that ended there; the schedule must not fall, so that it is one
    other = tmp_path / "other"
    run(example, other, sample_every=0, steps=best, **astray)
    whole_folder, tokenizer = load(out / "best")
    assert (whole_folder.params.flat == load(other)[0].params.flat).all()
    assert tokenizer.n_vocab == MODEL.vocab_size
    assert (out / "best/model.safetensors").read_bytes() != (out / "model.safetensors").read_bytes()


def test_a_best_model_takes_no_more_disk_where_it_is_the_last(whole):
    assert (whole / "model.safetensors").samefile(whole / "best/model.safetensors")


def test_who_keeps_no_best_has_none(example, tmp_path):
    report = run(example, tmp_path / "base", keep_best=False)
    assert not (tmp_path / "base/best").exists()
    assert not report["best_is_kept"]


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
    safetensors.numpy.save_file(arrays, state, {"progress": json.dumps(progress)})
    report = run(example, out)
    losses = {line["step"]: line["val_loss"] for line in looks(out)}
    assert report["best_step"] == min(losses, key=losses.get)
    assert report["best_is_kept"] == (stop == 4)
    model = (out / "model.safetensors").read_bytes()
    assert model == (whole / "model.safetensors").read_bytes()


def test_a_best_model_is_copied_where_files_cannot_have_two_names(
    whole, example, tmp_path, monkeypatch
):
    def no_links(*paths):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    out = tmp_path / "base"
    run(example, out)
    same_run(out, whole)
    assert not (out / "model.safetensors").samefile(out / "best/model.safetensors")
    assert not list(out.rglob("*.tmp"))


def test_a_best_model_is_described_by_its_own_run(example, tmp_path):
    out = tmp_path / "base"
    run(example, out)
    for name in ("model.safetensors", checkpoint.STATE):  # so it is not set aside
        (out / name).unlink()
    run(example, out, model=replace(MODEL, n_layer=1))
    assert load(out / "best")[0].config.n_layer == 1


def test_epochs_say_how_many_steps_there_are(example, tmp_path):
    n = dataset.read_report(example.tokens)["train"]["tokens"]
    report = run(example, tmp_path / "base", epochs=0.5, eval_every=1000, sample_every=0)
    windows = (n - 16) // 16
    assert report["steps"] == math.ceil(windows / 2 / 4)
    assert report["train"]["epochs"] == 0


def test_the_resolved_settings_are_written_before_the_first_step(example, tmp_path):
    out = tmp_path / "base"
    assert run(example, out, say=stop_at(0), epochs=0.5) is None
    written = json.loads((out / "training_config.json").read_text())
    assert written["model"] == vars(MODEL)
    assert written["train"]["steps"] > 12
    assert written["data"]["sha256"] == dataset.read_report(example.tokens)["train"]["sha256"]
    assert written["versions"]["numpy"] == np.__version__
    assert written["workers"] == 1
    assert written["peak_flops_per_s"] == 1e11
    assert written["foreseen"]["parameters"] == MODEL.n_params()


def test_speed_is_that_of_the_steps_since_the_line_before(whole):
    first, *others = metrics(whole)
    assert first["tokens_per_s"] is first["mfu"] is None
    for line in others:
        assert line["tokens_per_s"] > 0
        per_s = line["tokens_per_s"] * MODEL.flops_per_token()
        assert line["mfu"] == pytest.approx(per_s / 1e11, abs=1e-4)


# ---- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0.3, 0.6, 0.99])
def test_a_flipped_byte_in_the_state_is_noticed(example, tmp_path, at):
    out = tmp_path / "base"
    assert run(example, out, say=stop_at(4)) is None
    flip(out / "training_state.safetensors", at)
    with pytest.raises(ValueError, match=r"state.safetensors is damaged: .*--fresh starts anew"):
        run(example, out)
    assert load_model(out)  # the model itself is whole


@pytest.mark.parametrize("at", [0.3, 0.6, 0.99])
def test_a_flipped_byte_in_a_model_is_noticed(whole, tmp_path, at):
    shutil.copytree(whole, tmp_path / "base")
    flip(tmp_path / "base/model.safetensors", at)
    with pytest.raises(ValueError, match=r"model.safetensors is damaged: its checksum is"):
        load(tmp_path / "base")


def flip(path, at):
    """Change one bit of a file, at a share of its length."""
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 4
    path.write_bytes(data)


def test_ids_beyond_the_vocabulary_are_refused_before_the_first_step(tmp_path):
    example = make_example(tmp_path)
    for part in ("train", "val"):
        ids = np.load(example.tokens / f"{part}.npy")
        np.save(example.tokens / f"{part}.npy", np.where(np.arange(len(ids)) == 7, 300, ids))
        with pytest.raises(ValueError, match=rf"{part}.npy holds the id 300 at 7; .* below 300"):
            run(example, tmp_path / "base")
        np.save(example.tokens / f"{part}.npy", ids)
    assert not (tmp_path / "base").exists()


def test_a_limit_on_the_size_of_files_is_one_line_and_the_checkpoint_stands(example, tmp_path):
    out = tmp_path / "base"
    assert run(example, out, say=stop_at(4)) is None
    limited = (
        "import resource, sys; from minigpt.__main__ import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", limited, "pretrain", "--tokens", example.tokens]
    words += ["--tokenizer", example.tokenizer, "-o", out]
    for name, value in (vars(MODEL) | vars(TRAIN)).items():
        if name not in ("vocab_size", "keep_best"):
            words += ["--" + name.replace("_", "-"), value]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        list(map(str, words)), env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "File too large" in line
    assert f"the checkpoint of step 4 stands in {out}" in line
    assert read_progress(out)["step"] == 4
    assert load_model(out)
    assert run(example, out)["steps"] == 12


@pytest.mark.parametrize("limit_at", ["state", "model"])
def test_a_full_disk_stops_the_run_and_the_checkpoint_before_stands(
    whole, example, tmp_path, monkeypatch, limit_at
):
    out, writes = tmp_path / "base", []
    write = checkpoint.write_tensors

    def full(path, arrays, metadata):
        writes.append(path.name)
        if len(writes) >= 7 and limit_at in path.name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, arrays, metadata)

    monkeypatch.setattr(checkpoint, "write_tensors", full)
    stands = {"state": 1, "model": 2}[limit_at]
    with pytest.raises(
        OSError, match=rf"No space left .*checkpoint of step {stands} stands .*room"
    ):
        run(example, out, save_every_s=0)
    monkeypatch.undo()
    load(out)
    assert run(example, out)["steps"] == 12
    same_run(out, whole)


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl"])
def test_a_record_on_a_full_disk_says_which_checkpoint_stands_and_is_whole_again(
    whole, example, tmp_path, monkeypatch, name
):
    out, append = tmp_path / "base", metrics_module.append_line

    def full(path, line):
        if path.name == name and line["step"] >= 6:
            with open(path, "a") as file:
                file.write('{"step": 6, "te')  # as much as there was room for
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        append(path, line)

    for module in (loop, metrics_module):
        monkeypatch.setattr(module, "append_line", full)
    said = rf"{name} cannot be written .*No space left .*checkpoint of step 4 stands .*make room"
    with pytest.raises(OSError, match=said):
        run(example, out)
    monkeypatch.undo()
    run(example, out)
    same_run(out, whole)


def test_what_a_kill_left_half_written_is_removed_and_other_files_stay(whole, tmp_path, example):
    out = shutil.copytree(whole, tmp_path / "base")
    left = [".model.safetensors.0123abcd.tmp", "best/model.safetensors.tmp"]
    for name in [*left, "mine.tmp"]:
        (out / name).write_text("half")
    run(example, out)
    assert [file.name for file in out.rglob("*.tmp")] == ["mine.tmp"]


def test_a_run_with_what_a_kill_left_can_be_set_aside_twice(example, tmp_path):
    out, previous = tmp_path / "base", tmp_path / "base.previous"
    for seed in (1, 2, 3):
        run(example, out, seed=seed)
        (out / ".training_state.safetensors.0123abcd.tmp").write_text("half")
    assert read_progress(previous)["run"]["train"]["seed"] == 2
    assert (previous / "best/model.safetensors").exists()


def test_a_best_folder_with_something_else_in_it_is_not_deleted(example, tmp_path):
    out = tmp_path / "base"
    run(example, out, seed=1)
    (out / "best/notes.txt").write_text("mine")
    run(example, out, seed=2)
    with pytest.raises(ValueError, match=r"best holds notes.txt, which is not of a run; move it"):
        run(example, out, seed=3)
