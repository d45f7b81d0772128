"""The benchmark of a GPU, without one: a part that fails loses nothing, and what parts print."""

import argparse
import json

import bench_gpu
import bench_gpu_kernels
import bench_gpu_training
import numpy as np
import pytest
from fake_cupy import fake_gpu, ops_without_waiting

TOY = argparse.Namespace(text=None, toy=True)


@pytest.fixture
def on_stand_in(monkeypatch):
    """Have the parts measure a stand-in for a GPU."""
    for module in (bench_gpu_kernels, bench_gpu_training):
        monkeypatch.setattr(module, "open_device", lambda name, precision="fp32": fake_gpu("fp32"))
    monkeypatch.setattr(bench_gpu_training, "ALL_TURNS_S", 0.0)

    def once(device, call, n=1):
        call()
        return 1e-3

    monkeypatch.setattr(bench_gpu_kernels, "seconds_of", once)


def figures_of(part):
    figures = {}
    bench_gpu.find(part)(TOY, lambda **more: figures.update(more))
    return figures


def test_every_part_is_found_and_their_names_are_told():
    assert all(callable(bench_gpu.find(part)) for part in bench_gpu.PARTS)
    with pytest.raises(ValueError, match=r"no part 'x'; they are device, exactness"):
        bench_gpu.find("x")


def test_a_part_that_fails_loses_neither_what_it_had_nor_the_other_parts(
    monkeypatch, tmp_path, capsys
):
    script = tmp_path / "parts.py"
    script.write_text(
        "import json, sys, time, pathlib\n"
        "part, found = (sys.argv[sys.argv.index(f) + 1] for f in ('--part', '--found'))\n"
        "pathlib.Path(found).write_text(json.dumps({'part': part}))\n"
        "time.sleep(60 * (part == 'gpt2'))\n"
        "sys.exit(part == 'exactness')\n"
    )
    monkeypatch.setattr(bench_gpu, "__file__", str(script))
    monkeypatch.setitem(bench_gpu.PARTS, "gpt2", 3)
    only = ["--only", "device", "exactness", "gpt2", "launches"]
    assert bench_gpu.main(["-o", str(tmp_path), *only]) == 1
    found = json.loads((tmp_path / "bench_gpu.json").read_text())
    assert [found[part]["part"] for part in found] == only[1:]
    assert {part: figures.get("error") for part, figures in found.items()} == {
        "device": None, "exactness": "ended with status 1", "gpt2": "took longer than 3 s",
        "launches": None,
    }  # fmt: skip
    assert "2 parts of 4" in capsys.readouterr().out


def test_an_error_of_a_part_is_written_down(tmp_path):
    found = tmp_path / "found.json"
    arguments = argparse.Namespace(text=None, toy=True, found=str(found))
    assert bench_gpu.in_this_process("tinyshakespeare", arguments) == 1
    assert "give tinyshakespeare with --text" in json.loads(found.read_text())["error"]


@pytest.mark.parametrize("part", ["products", "kernels", "launches"])
def test_parts_measure_at_toy_size(on_stand_in, part, capsys):
    with np.errstate(divide="ignore"):  # the gradient whose update is measured is 0
        figures = figures_of(part)
    assert len(figures) >= 6
    # what the stand-in cannot do is said, and the rest goes on
    bad = [f for f in figures.values() if isinstance(f, str) and f != "yes"]
    assert len(bad) <= 1, bad


def test_generation_is_compared_with_a_cpus(on_stand_in, capsys):
    figures = figures_of("generation")
    assert figures["fp32"]["tokens_per_s"] > 0
    assert figures["fp32"]["steps_alike"] == 1


def test_the_stand_in_is_found_exact(on_stand_in, capsys):
    errors = figures_of("exactness")["fp32"]
    assert all(error < 1e-5 for error in errors.values())
    assert set(errors) > {"layernorm", "attention", "whole model"}


def test_what_is_wrong_is_found_wrong(on_stand_in, monkeypatch, capsys):
    operations = ops_without_waiting()
    right = operations.gelu_backward
    vars(operations).update(gelu_backward=lambda dout, cache: 1.01 * right(dout, cache))
    wrong = fake_gpu("fp32", operations)
    monkeypatch.setattr(bench_gpu_kernels, "open_device", lambda name, precision: wrong)
    assert figures_of("exactness")["fp32"]["gelu"] > 1e-3
    assert "NOT below" in capsys.readouterr().out


def test_steps_are_raced_and_a_peer_that_fails_is_named(on_stand_in, monkeypatch, capsys):
    def broken(*arguments):
        raise RuntimeError("no CUDA here\nand more")

    def theirs(config, B, precision, compiled, where="cuda"):
        if compiled:
            broken()
        return bench_gpu_training.our_steps(config, B, fake_gpu())

    monkeypatch.setattr(bench_gpu_training, "torch_steps", theirs)
    monkeypatch.setattr(bench_gpu_training, "peak_of_device", lambda: 1e12)
    figures = figures_of("gpt2")
    ours = figures["GPT-2 124M bf16 ours"]
    assert ours["tokens_per_s"] > 0 and ours["GB"] == 2 and 0 < ours["mfu"] < 1
    assert figures["GPT-2 124M bf16 PyTorch compiled"]["error"] == "RuntimeError: no CUDA here"
    assert figures["GPT-2 124M bf16 times PyTorch eager"] > 0
    assert "times PyTorch compiled" not in " ".join(figures)
    assert "first loss" in capsys.readouterr().out


@pytest.mark.peer
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_pytorchs_steps_start_from_our_loss(dropout):
    pytest.importorskip("torch")
    from minigpt.config import ModelConfig

    config = ModelConfig(65, 32, 32, 2, 2, dropout)
    start, wait, _, _ = bench_gpu_training.torch_steps(config, 2, "bf16", False, "cpu")
    ours, wait_for_ours, _, _ = bench_gpu_training.our_steps(config, 2, fake_gpu())
    start(), ours()
    assert abs(wait() - wait_for_ours()) < (0.3 if dropout else 0.01)
    rates = bench_gpu_kernels.torch_attention((1, 16, 32, 2), 1e6, "cpu")
    assert rates["forward"] > 0 and rates["backward"] > 0
