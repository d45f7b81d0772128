"""Runs that start from another model's weights."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_examples import (
    MODEL,
    TRAIN,
    example_texts,
    example_tokenizer,
    make_example,
    small_model,
)

import bpe
from minigpt.__main__ import main
from minigpt.checkpoint import load_model, save_model
from minigpt.dataset import SEPARATOR
from minigpt.pretrain import pretrain

pytest_plugins = ["minigpt_fixtures"]


def run(example, folder, model=MODEL, say=lambda text: None, start="auto", init="other", **changes):
    """Pretrain from the weights in folder/init."""
    return pretrain(
        example.tokens, example.tokenizer, folder / "out", model, replace(TRAIN, **changes),
        say=say, start=start, init=folder / init if init else None,
    )  # fmt: skip


@pytest.mark.parametrize("n_positions", [MODEL.n_positions, 5])
def test_a_run_may_start_from_another_models_weights(example, tmp_path, n_positions):
    other = small_model(seed=9)
    save_model(tmp_path / "other", other, example_tokenizer())
    still = {"learning_rate": 0, "min_learning_rate": 0}  # so that they can be seen afterwards
    model = replace(MODEL, n_positions=n_positions)
    run(example, tmp_path, model, **still)
    found = load_model(tmp_path / "out").params
    for name, w in other.params.items():
        assert (found[name] == w[: len(found[name])]).all()


def test_a_run_from_other_weights_is_another_run(example, tmp_path):
    said = []
    for seed in (1, 1, 2):
        save_model(tmp_path / "other", small_model(seed=seed), example_tokenizer())
        run(example, tmp_path, say=said.append)
    assert sum("is complete" in line for line in said) == 1
    assert sum("is now" in line for line in said) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_embd": 8}, "n_embd is 8; it must be 16, as in the model of"),
        ({"n_layer": 3}, "n_layer is 3; it must be 2"),
        ({"n_positions": 17}, "n_positions is 17; it must be at most 16"),
    ],
)
def test_weights_of_another_shape_are_refused(example, tmp_path, changes, message):
    save_model(tmp_path / "other", small_model(), example_tokenizer())
    with pytest.raises(ValueError, match=message):
        run(example, tmp_path, replace(MODEL, **changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(example, tmp_path, number):
    other = small_model()
    other.params["h.1.ln_2.bias"][3] = number
    save_model(tmp_path / "other", other, example_tokenizer())
    with pytest.raises(
        ValueError, match=r"other\S+: h\.1\.ln_2\.bias holds numbers that are not fin"
    ):
        run(example, tmp_path)
    assert not (tmp_path / "out").exists()


def test_weights_for_another_tokenizer_are_refused_and_none_is_needed(example, tmp_path):
    texts = [text.upper() for text in example_texts()]
    other = bpe.train(texts, MODEL.vocab_size, special_tokens=[SEPARATOR])
    save_model(tmp_path / "other", small_model(), other)
    with pytest.raises(ValueError, match=r"another .*: tokenize with --tokenizer \S+other$"):
        run(example, tmp_path)
    (tmp_path / "other/tokenizer.json").unlink()  # as transformers writes a model alone
    assert run(example, tmp_path)["steps"] == TRAIN.steps


def test_what_belongs_to_the_model_is_found_beside_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    novel = Path("out-novel")
    novel.mkdir()
    example = make_example(novel)
    (novel / "tokenizer").mkdir()
    os.replace(example.tokenizer, novel / "tokenizer/tokenizer.json")
    small = ["--steps", "1", "--batch-size", "1", "--eval-windows", "1", "--workers", "1"]
    shape = ["--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--n-positions", "16"]
    tokens = ["--tokens", "out-novel/tokens"]
    assert main(["pretrain", *tokens, *shape, *small, "-o", "out-novel/base"]) == 0
    for init in ("base", "base/best"):
        words = ["pretrain", "--init", f"out-novel/{init}", *small, "-o", "x"]
        assert main(words) == 0, capsys.readouterr().err
    capsys.readouterr()
    # what is out's comes after that, and what is nowhere is named with its flag
    os.replace(novel / "tokens", novel / "elsewhere")
    words[-1] = "y"
    assert main(words) == 2
    assert "out/tokens/tokens.json does not exist; tokenize first, or give another --tokens" in (
        capsys.readouterr().err
    )
    os.renames(novel / "elsewhere", "out/tokens")
    assert main(words) == 0


@pytest.mark.parametrize("own", ["out", "out/best", "out.previous"])
def test_a_run_does_not_start_from_its_own_folder_which_it_would_set_aside(example, tmp_path, own):
    save_model(tmp_path / own, small_model(), example_tokenizer())
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ValueError, match=r"belongs to the run in .* choose another -o"):
        run(example, tmp_path, init=own)
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


def test_a_stopped_run_from_other_weights_continues_to_the_same_bytes(example, tmp_path):
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
        save_model(tmp_path / name / "other", small_model(seed=9), example_tokenizer())

    def stop(text):
        if "step     4:" in text:
            signal.raise_signal(signal.SIGTERM)

    run(example, tmp_path / "whole")
    assert run(example, tmp_path / "stopped", say=stop) is None
    with pytest.raises(ValueError, match=r"another run: it started from other weights \(--init\)"):
        run(example, tmp_path / "stopped", start="resume", init=None)
    assert run(example, tmp_path / "stopped", start="resume")["steps"] == TRAIN.steps
    whole, stopped = (tmp_path / name / "out/model.safetensors" for name in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()


def test_on_the_command_line_the_shape_is_the_folders_and_dropout_the_presets(example, tmp_path):
    save_model(tmp_path / "other", small_model(), example_tokenizer())
    config = tmp_path / "other/config.json"
    config.write_text(config.read_text().replace('"resid_pdrop": 0.0', '"resid_pdrop": 0.3'))
    assert load_model(tmp_path / "other").config.dropout == 0.3
    paths = [f"--tokens={example.tokens}", f"--tokenizer={example.tokenizer}"]
    command = ["pretrain", *paths, f"--init={tmp_path / 'other'}", f"--out={tmp_path / 'out'}"]
    assert main([*command, "--steps=2", "--sample-every=0"]) == 0
    assert load_model(tmp_path / "out").config == MODEL
    assert main([*command, "--depth=2"]) == 2
