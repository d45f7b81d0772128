"""The benchmark of a GPU, without one: every part is run, and one that fails loses nothing."""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import bench_gpu
import bench_gpu_common
import bench_gpu_kernels
import bench_gpu_nccl
import bench_gpu_state
import bench_gpu_training
import fake_cupy
import fake_nccl
import numpy as np
import pytest
from fake_cublaslt import FakeCublasLt
from fake_cupy import fake_gpu, ops_without_waiting, plain
from fused_gpu import fused_gpu

from minigpt import pretrain
from minigpt.config import ModelConfig
from minigpt.cuda import cublaslt, gemm, nccl

MODULES = bench_gpu_state, bench_gpu_kernels, bench_gpu_training, bench_gpu_nccl
PRECISIONS = ["fp32", "tf32", "bf16"]


@pytest.fixture(scope="module")
def gpu():
    """A stand-in for a GPU: kernels run by the emulator, cublasLt's calls by one that computes."""
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    workspace = np.empty(64, np.uint8)
    with fused_gpu() as device:
        gemm._handles["cpu"] = cublaslt.Lt(FakeCublasLt(), workspace.ctypes.data)
        yield device
        gemm._handles.clear()
        gemm.use_tf32(False)


@pytest.fixture
def on_stand_in(gpu, monkeypatch):
    """Have the parts measure the stand-in, everything once; PyTorch's side is a model of ours."""

    def opened(name="gpu", precision=None):
        precision = name.partition(":")[2] or precision or "bf16"
        assert precision in PRECISIONS
        gemm.use_tf32(precision == "tf32")
        return replace(gpu, precision=precision)

    def once(wait, call, n=1):
        call()
        return 1e-3

    def theirs(config, B, precision, compiled, where="cuda"):
        if compiled:
            raise RuntimeError("no CUDA here\nand more")
        return bench_gpu_training.our_steps(config, B, fake_gpu())

    for module in MODULES:
        monkeypatch.setattr(module, "open_device", opened)
    for module in (bench_gpu_common, bench_gpu_state, bench_gpu_kernels):
        monkeypatch.setattr(module, "to_numpy", plain)  # the stand-in's arrays are NumPy's, too
    monkeypatch.setattr(pretrain, "open_device", opened)
    monkeypatch.setattr(pretrain, "measure_peak", lambda device, workers: 1e15)
    monkeypatch.setattr(bench_gpu_kernels, "seconds_of", once)
    monkeypatch.setattr(bench_gpu_training, "ALL_TURNS_S", 0.0)
    monkeypatch.setattr(bench_gpu_training, "TURNS", 1)
    monkeypatch.setattr(bench_gpu_training, "torch_steps", theirs)


def figures_of(part, **more):
    """Run a part at toy size; return its figures."""
    figures, arguments = {}, argparse.Namespace(text=None, toy=True, **more)
    bench_gpu.find(part)(arguments, lambda **found: figures.update(found))
    json.dumps(figures, default=str)
    return figures


def errors_in(figures):
    """Return what figures, or dictionaries of them, say that is an error's text."""
    texts = [f for f in figures.values() if isinstance(f, str)]
    for inner in [f for f in figures.values() if isinstance(f, dict)]:
        texts += errors_in(inner)
    return [text for text in texts if "Error" in text or "NOT" in text]


# ---- the parts -------------------------------------------------------------------------------


def test_every_part_is_found_and_their_names_are_told():
    assert all(callable(bench_gpu.find(part)) for part in bench_gpu.PARTS)
    with pytest.raises(ValueError, match=r"no part 'x'; they are device, tests, exactness"):
        bench_gpu.find("x")
    assert sum(bench_gpu.PARTS.values()) < 580


def test_the_first_lines_say_what_is_measured_and_whether_a_step_is_captured(
    on_stand_in, capsys, monkeypatch
):
    monkeypatch.setattr(bench_gpu_state, "driver_version", lambda: "580.1")
    monkeypatch.setitem(sys.modules, "torch", None)
    figures = figures_of("device")
    assert figures["not_captured"] is None
    first, captured, torch = capsys.readouterr().out.splitlines()
    assert "Tesla T4, 17 GB" in first and "driver 580.1 for CUDA 13.0; CUDA 13.0, CuPy" in first
    assert "captured in CUDA graphs" in captured and "import of torch halted" in torch


def test_why_a_step_is_not_captured_is_said(on_stand_in, capsys, monkeypatch):
    def spoilt(self):
        raise RuntimeError("capturing is not to be")

    monkeypatch.setattr("fake_cupy.Stream.begin_capture", spoilt)
    assert "not captured: capturing is not to be" in figures_of("device")["not_captured"]


@pytest.mark.parametrize("part", ["products", "kernels", "launches"])
def test_parts_that_measure_one_thing_have_a_figure_for_each(on_stand_in, part, capsys):
    with np.errstate(divide="ignore"):  # the gradient whose update is measured is 0
        figures = figures_of(part)
    assert len(figures) >= 6
    figures.pop("us RawKernel", None)  # the stand-in has none
    assert not errors_in(figures)


def test_what_is_done_in_one_call_and_in_two_gives_the_same(on_stand_in, capsys):
    apart = {name: x for name, x in figures_of("products").items() if name.endswith("apart")}
    assert len(apart) == 6 and all(x < 1e-2 for x in apart.values())


def test_attention_is_measured_and_a_peer_that_fails_is_named(on_stand_in, capsys, monkeypatch):
    def theirs(shape):
        raise ImportError("no torch")

    monkeypatch.setattr(bench_gpu_kernels, "torch_attention", theirs)
    figures = figures_of("attention")
    assert figures["ours forward"] > 0 and figures["ours backward"] > 0
    assert figures["PyTorch forward"].startswith("ImportError: no torch (test_minigpt_bench_gpu.py")


def test_generation_is_compared_with_a_cpus(on_stand_in, capsys):
    figures = figures_of("generation")
    assert figures["fp32"]["tokens_per_s"] > 0 and figures["bf16"]["tokens_per_s"] > 0
    assert figures["fp32"]["steps_alike"] == 1


def test_the_stand_in_is_found_exact(on_stand_in, capsys):
    figures = figures_of("exactness")
    assert set(figures["fp32"]) > {"layernorm", "attention", "whole model"}
    for precision, limit in (("fp32", 1e-5), ("bf16", 1e-2)):
        assert max(figures[precision].values()) < limit


def test_what_is_wrong_is_found_wrong(on_stand_in, monkeypatch, capsys):
    operations = ops_without_waiting()
    right = operations.gelu_backward
    vars(operations).update(gelu_backward=lambda dout, cache: 1.01 * right(dout, cache))
    wrong = fake_gpu("fp32", operations)
    monkeypatch.setattr(bench_gpu_state, "open_device", lambda name, precision: wrong)
    assert figures_of("exactness")["fp32"]["gelu"] > 1e-3
    assert "NOT below" in capsys.readouterr().out


@pytest.mark.parametrize(("part", "label"), [
    ("gpt2", "GPT-2 124M"), ("shakespeare", "shakespeare-gpu without dropout"),
])  # fmt: skip
def test_steps_are_raced_in_turns_with_pytorchs(on_stand_in, part, label, capsys):
    figures = figures_of(part)
    ours, theirs = figures[f"{label} bf16 ours"], figures[f"{label} bf16 PyTorch eager"]
    assert ours["tokens_per_s"] > 0 and "not_captured" not in ours
    assert ours["first_loss"] == pytest.approx(theirs["first_loss"], abs=0.03)
    assert figures[f"{label} bf16 times PyTorch eager"] > 0
    assert "compiled" not in " ".join(figures)  # takes too long to stand before anything else
    if part == "shakespeare":
        assert figures[f"{label} tf32 ours"]["tokens_per_s"] > 0


def test_what_takes_longest_comes_last_and_a_peer_that_fails_is_named(on_stand_in, capsys):
    assert list(bench_gpu.PARTS)[-1] == "compiled"
    figures = figures_of("compiled")
    for label in ("GPT-2 124M", "shakespeare-gpu", "shakespeare-gpu without dropout"):
        assert figures[f"{label} bf16 ours"]["tokens_per_s"] > 0
        failed = figures[f"{label} bf16 PyTorch compiled"]["error"]
        assert failed.startswith("RuntimeError: no CUDA here (test_minigpt_bench_gpu.py:")
    assert "times PyTorch compiled" not in " ".join(figures)


def test_nccl_is_tried_with_one_gpu_and_a_step_has_the_same_loss_with_it(
    on_stand_in, monkeypatch, capsys
):
    pytest.importorskip("mpi4py")  # by which the stand-in adds up
    for module in (nccl, bench_gpu_nccl):
        monkeypatch.setattr(module, "library", lambda: fake_nccl)
    monkeypatch.setattr(bench_gpu_nccl, "seconds_of", lambda wait, call: call() or 1e-3)
    figures = figures_of("nccl")
    assert not errors_in(figures) and figures["nccl"] == 22707
    without, with_nccl = figures["step without NCCL"], figures["step with NCCL"]
    assert without["first_loss"] == with_nccl["first_loss"]
    assert "not_captured" not in with_nccl
    said = capsys.readouterr().out
    assert said.count("a sum of") == 3 and "GB/s" in said and "costs" in said


def test_without_nccl_the_part_says_so(on_stand_in, monkeypatch):
    cuda = types.SimpleNamespace(nccl=types.SimpleNamespace(available=False))
    monkeypatch.setitem(sys.modules, "cupy.cuda", cuda)
    with pytest.raises(ValueError, match=r"CuPy finds no NCCL; it must be there: pip install"):
        figures_of("nccl")


def test_the_memory_of_both_sides_is_what_the_driver_has_given_away(on_stand_in, monkeypatch):
    free = iter([100e9, 94e9])
    monkeypatch.setattr(bench_gpu_training, "free_bytes", lambda: next(free))
    done = bench_gpu_training.measure(lambda: (lambda: None, lambda: 1.0, lambda: None), 1)
    assert done["GB"] == 6


def test_a_text_is_trained_on(on_stand_in, tmp_path, capsys, monkeypatch):
    text = tmp_path / "text.txt"
    text.write_text("One would think that a text of some length is enough to train on. " * 50)
    figures, given = {}, {"text": str(text), "toy": True, "found": str(tmp_path / "run.json")}
    bench_gpu_training.part_tinyshakespeare(argparse.Namespace(**given), figures.update)
    assert figures["steps"] == 4 and 0 < figures["best_val_loss"] < 7
    assert "best validation loss" in capsys.readouterr().out


@pytest.mark.parametrize("side_by_side", [False, True])
def test_tests_that_use_the_gpu_are_run_and_those_that_fail_named(
    monkeypatch, capsys, tmp_path, side_by_side
):
    text = (
        "import pytest  # not open_device('gpu').xp itself\n"
        "@pytest.mark.parametrize('where', ['cpu', 'gpu'])\n"
        "@pytest.mark.parametrize('is_right', [True, False])\n"
        "def test_a(where, is_right):\n    assert is_right\n"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_minigpt_other.py").write_text(text)
    (tmp_path / "tests/test_minigpt_a.py").write_text(text.replace("'gpu').xp", '"gpu").xp'))
    (tmp_path / "tests/test_minigpt_broken.py").write_text('import nothing; open_device("gpu").xp')
    monkeypatch.setattr(bench_gpu_state, "ROOT", tmp_path)
    if not side_by_side:
        monkeypatch.setattr(bench_gpu_state.importlib.util, "find_spec", lambda name: None)
    figures = figures_of("tests")
    wrong = "tests/test_minigpt_a.py::test_a[False-gpu]"
    assert figures["failed"] == [wrong]
    assert figures["counts"] == {"PASSED": 1, "FAILED": 1, "ERROR": 0, "SKIPPED": 0}
    said = capsys.readouterr().out
    assert f"FAILED {wrong}" in said and "1 passed, 1 failed" in said
    assert "ModuleNotFoundError: No module named 'nothing'" in said


# ---- the whole -------------------------------------------------------------------------------


def test_a_part_that_fails_loses_neither_what_it_had_nor_the_other_parts(
    monkeypatch, tmp_path, capsys
):
    script = tmp_path / "parts.py"
    script.write_text(
        "import json, subprocess, sys, time, pathlib\n"
        "part, found = (sys.argv[sys.argv.index(f) + 1] for f in ('--part', '--found'))\n"
        "asleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "child = subprocess.Popen(asleep).pid if part == 'gpt2' else 0\n"
        "pathlib.Path(found).write_text(json.dumps({'part': part, 'child': child}))\n"
        "time.sleep(600 * (part == 'gpt2'))  # unless it is ended\n"
        "sys.exit(part == 'exactness')\n"
    )
    monkeypatch.setattr(bench_gpu, "__file__", str(script))
    only = ["--only", "device", "exactness", "gpt2", "launches"]
    # of the time of the two before, less than 8 s are left for gpt2
    for part, seconds in (("device", 65), ("exactness", 40), ("gpt2", -97)):
        monkeypatch.setitem(bench_gpu.PARTS, part, seconds)
    assert bench_gpu.main(["-o", str(tmp_path), *only]) == 1
    found = json.loads((tmp_path / "bench_gpu.json").read_text())
    assert [found[part]["part"] for part in found] == only[1:]
    errors = {part: figures.get("error") for part, figures in found.items()}
    assert errors["exactness"] == "ended with status 1"
    assert errors["gpt2"].startswith("took longer than ")
    assert errors["device"] is errors["launches"] is None
    assert "2 parts of 4" in capsys.readouterr().out
    with pytest.raises(ProcessLookupError):  # what it had started is gone, too
        for _ in range(200):
            os.kill(found["gpt2"]["child"], 0)
            time.sleep(0.02)


def test_stopped_by_a_signal_it_ends_the_part_and_what_was_measured_stays(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        "import json, os, pathlib, sys, time\n"
        "if '--part' in sys.argv:\n"
        "    found = pathlib.Path(sys.argv[sys.argv.index('--found') + 1])\n"
        "    found.with_suffix('.new').write_text(json.dumps({'process': os.getpid()}))\n"
        "    found.with_suffix('.new').rename(found)\n"
        "    time.sleep(600)\n"
        f"sys.path.insert(0, {str(Path(bench_gpu.__file__).parent)!r})\n"
        "import bench_gpu\n"
        "bench_gpu.__file__ = __file__\n"
        f"sys.exit(bench_gpu.main(['-o', {str(tmp_path)!r}, '--only', 'device', 'launches']))\n"
    )
    process = subprocess.Popen([sys.executable, str(script)])
    found = tmp_path / "bench_gpu/device.json"
    while not found.exists() and process.poll() is None:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(60) == 128 + 15
    part = json.loads(found.read_text())["process"]
    with pytest.raises(ProcessLookupError):
        for _ in range(200):
            os.kill(part, 0)
            time.sleep(0.02)


def test_a_process_that_does_not_end_though_it_was_killed_is_left_behind(monkeypatch):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        monkeypatch.setattr(bench_gpu, "END_S", 0.1)
        monkeypatch.setattr(bench_gpu.os, "killpg", lambda group, signal: None)
        bench_gpu.end(process)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_an_error_of_a_part_is_written_down_with_its_place(tmp_path):
    found = tmp_path / "found.json"
    arguments = argparse.Namespace(text=None, toy=True, found=str(found))
    assert bench_gpu.in_this_process("tinyshakespeare", arguments) == 1
    error = json.loads(found.read_text())["error"]
    assert "give tinyshakespeare with --text" in error and "(bench_gpu_training.py:" in error


def test_products_that_cublaslt_cannot_do_are_told_of_a_part(gpu, monkeypatch, tmp_path, capsys):
    fake = FakeCublasLt(["bias"])
    workspace = ctypes.create_string_buffer(64)
    lt = cublaslt.Lt(fake, ctypes.addressof(workspace))
    monkeypatch.setattr(gemm, "_handles", {"cpu": lt})
    x = np.ones((8, 8), "float32")
    monkeypatch.setattr(bench_gpu, "find", lambda part: lambda a, n: gemm.matmul(x, x, bias=x[0]))
    arguments = argparse.Namespace(found=str(tmp_path / "found.json"))
    assert bench_gpu.in_this_process("products", arguments) == 0
    refused = json.loads(Path(arguments.found).read_text())["products_without_algorithm"]
    assert len(refused) == 1 and "bias" in refused[0]
    assert "no algorithm for: 1" in capsys.readouterr().out


# ---- PyTorch's side, on a CPU ----------------------------------------------------------------


def test_a_large_vocabulary_is_padded_for_pytorch_as_it_likes_it():
    gpt2 = ModelConfig()
    assert bench_gpu_training.padded(gpt2) == replace(gpt2, vocab_size=50304)
    for size in (65, 50304):
        config = ModelConfig(vocab_size=size)
        assert bench_gpu_training.padded(config) == config


@pytest.mark.peer
@pytest.mark.parametrize(("dropout", "V"), [(0.0, 65), (0.2, 65), (0.0, 10_001)])
def test_pytorchs_steps_start_from_our_loss(dropout, V, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setitem(fake_cupy.place, "fused", False)  # whatever ran before, with `gpu`
    config = ModelConfig(V, 32, 32, 2, 2, dropout)
    start, wait, _ = bench_gpu_training.torch_steps(config, 2, "bf16", False, "cpu")
    ours, wait_for_ours, _ = bench_gpu_training.our_steps(config, 2, fake_gpu())
    start(), ours()
    assert abs(wait() - wait_for_ours()) < (0.3 if dropout else 0.01)


@pytest.mark.peer
def test_pytorchs_attention_is_run():
    pytest.importorskip("torch")
    ways = bench_gpu_kernels.torch_attention((1, 16, 32, 2), "cpu")
    out = ways["forward"]()
    assert out.shape == (1, 2, 16, 16)
    assert len(ways["backward"]()) == 3
    ways["wait"]()
