"""What of a model is on disk: the best beside the last, and something whole whatever happens."""

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from minigpt_examples import MODEL, TRAIN
from training_runs import looks, metrics, run, same_run, stop_at

from minigpt import checkpoint, loop
from minigpt import metrics as metrics_module
from minigpt.checkpoint import load, load_model, read_progress

pytest_plugins = ["minigpt_fixtures"]
pytestmark = pytest.mark.usefixtures("peak")


# ---- the best model ------------------------------------------------------------------------


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


# ---- what stands when a run cannot go on ---------------------------------------------------


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
    stands, what = {"state": (1, "checkpoint"), "model": (2, "model")}[limit_at]
    with pytest.raises(
        OSError,
        match=rf"^the {what} of step 2 cannot be written \(.*No space left .*"
        rf"the checkpoint of step {stands} stands .*room",
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


# ---- damage --------------------------------------------------------------------------------


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
