"""Pretraining: what a run leaves and says; stopped or killed, it ends as if it had not been."""

import itertools
import json
import math
import os
import re
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from minigpt_examples import MODEL, TRAIN, example_texts, example_tokenizer, make_example
from training_runs import lines_of, looks, metrics, run, same_run, stop_at

import bpe
from minigpt import checkpoint, dataset, loop, run_lock
from minigpt import pretrain as pretrain_module
from minigpt.backend import to_numpy
from minigpt.checkpoint import load, load_model, read_progress
from minigpt.crew import CAN_FORK
from minigpt.dataset import Windows, load_tokens
from minigpt.ops import softmax
from minigpt.pretrain import pretrain
from minigpt.runs import is_running
from minigpt.train import Trainer

pytest_plugins = ["minigpt_fixtures"]
pytestmark = pytest.mark.usefixtures("peak")


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
    assert re.fullmatch(r"  validation loss 5\.\d+ █[▁-▇]+▁ [45]\.\d+ in 12 steps", said[-1])
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


@pytest.fixture
def early(monkeypatch):
    """Also a short run is looked at early."""
    monkeypatch.setattr("minigpt.config.EARLY_LOOKS", (2, 3, 100))
    monkeypatch.setattr("minigpt.config.LONG_RUN", 12)


def test_early_looks_are_noted_and_change_nothing(whole, example, tmp_path, early):
    run(example, tmp_path / "early")
    assert [line["step"] for line in looks(tmp_path / "early")] == [0, 2, 3, 4, 8, 12]
    steps = [line["step"] for line in metrics(tmp_path / "early")]
    assert steps == sorted(set(steps))  # a line each
    for name in ("model.safetensors", "best/model.safetensors"):
        assert (tmp_path / "early" / name).read_bytes() == (whole / name).read_bytes()
    assert run(example, tmp_path / "stopped", say=stop_at(3)) is None
    run(example, tmp_path / "stopped")
    same_run(tmp_path / "stopped", tmp_path / "early")


def test_early_looks_are_not_the_best_and_try_nobodys_patience(
    example, tmp_path, early, monkeypatch
):
    found = iter([5.0, 1.0, 6.0, 4.0, 4.5, 4.5])  # after steps 0, 2, 3, 4, 8, 12
    monkeypatch.setattr("minigpt.train.Trainer.evaluate", lambda *_: (next(found), 1.0))
    report = run(example, tmp_path / "base", patience=2, sample_every=0)
    assert (report["steps"], report["best_step"], report["best_val_loss"]) == (12, 4, 4.0)


# ---- stopped and continued -------------------------------------------------------------------


def test_a_run_with_muon_continues_to_the_same_bytes(example, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "base"
    assert run(example, whole, optimizer="muon")["train"]["optimizer"] == "muon"
    assert run(example, out, say=stop_at(4, signal.SIGINT), optimizer="muon") is None
    assert run(example, out, optimizer="muon")["steps"] == 12
    same_run(out, whole)


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
@pytest.mark.skipif(not CAN_FORK, reason="a process cannot be copied and go on to compute here")
def test_a_killed_run_continues_to_the_same_bytes(whole, example, tmp_path, n, before):
    out = tmp_path / "base"
    kill_at_write(example, out, n, before)
    if n > 7:
        load_model(out)  # there is always a whole model
    assert run(example, out)["steps"] == 12
    same_run(out, whole)
    assert not list(out.rglob("*.tmp"))
    assert not out.with_name("base.previous").exists()


# ---- what cannot be trained on ---------------------------------------------------------------


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


def test_ids_beyond_the_vocabulary_are_refused_before_the_first_step(tmp_path):
    example = make_example(tmp_path)
    for part in ("train", "val"):
        ids = np.load(example.tokens / f"{part}.npy")
        np.save(example.tokens / f"{part}.npy", np.where(np.arange(len(ids)) == 7, 300, ids))
        with pytest.raises(ValueError, match=rf"{part}.npy holds the id 300 at 7; .* below 300"):
            run(example, tmp_path / "base")
        np.save(example.tokens / f"{part}.npy", ids)
    assert not (tmp_path / "base").exists()


# ---- epochs, settings, speed -----------------------------------------------------------------


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
