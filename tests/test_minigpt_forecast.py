"""What a run will take, and that one that cannot fit is refused."""

import re
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from fake_cupy import fake_gpu
from minigpt_examples import MODEL, TRAIN, make_example
from training_runs import run, stop_at

from minigpt import forecast as forecast_module
from minigpt import machine
from minigpt import pretrain as pretrain_module
from minigpt.__main__ import main
from minigpt.backend import open_device
from minigpt.checkpoint import read_progress
from minigpt.config import TrainConfig
from minigpt.costs import gpu_training_memory, training_bytes
from minigpt.cuda.update import step_numbers, update
from minigpt.forecast import (
    USUAL_MFU,
    check_memory,
    check_time,
    describe,
    forecast,
    may_take_long,
    what_would_fit,
)
from minigpt.model import GPT
from minigpt.muon import make_optimizer
from minigpt.presets import get_preset

CPU = open_device("cpu")
TWO = replace(TRAIN, workers=2)


@pytest.fixture
def free(monkeypatch):
    """A function that sets how many bytes are free."""
    return lambda n: monkeypatch.setattr(machine, "available_bytes", lambda: n)


def test_a_forecast_counts_what_training_takes():
    found = forecast(MODEL, TWO, CPU)
    assert found.parameters == MODEL.n_params()
    assert sum(found.memory.values()) == pytest.approx(training_bytes(MODEL, TWO, 2), abs=10)
    assert found.flops_per_step == 4 * 16 * MODEL.flops_per_token()
    assert found.flops == 12 * found.flops_per_step
    assert found.seconds(1e9) == pytest.approx(found.flops / (USUAL_MFU["cpu"] * 1e9))


def test_a_run_that_fits_is_not_refused(free):
    free(training_bytes(MODEL, TWO, 2) + 10)
    check_memory(MODEL, TWO, CPU)


def test_a_run_that_cannot_fit_is_refused_with_what_would_unless_forced(free):
    model, train = get_preset("gpt2").model, replace(get_preset("gpt2").train, workers=2)
    needed = training_bytes(model, replace(train, batch_size=2, accumulate=240), 2)
    free(needed + 10**6)
    advice = r"the run needs about .* GB of memory and .* GB are free; .*--batch-size 2 --acc.* 240"
    with pytest.raises(ValueError, match=advice):
        check_memory(model, train, CPU)
    check_memory(model, train, CPU, force=True)


def test_a_run_larger_than_the_machine_is_refused_where_free_is_not_told(free, monkeypatch):
    free(None)  # as on macOS
    monkeypatch.setattr(machine, "all_bytes", lambda: 10**9)
    gpt2 = get_preset("gpt2")
    with pytest.raises(ValueError, match=r"GB of memory and 1\.0 GB are all there is; it must fit"):
        check_memory(gpt2.model, replace(gpt2.train, workers=2), CPU)
    check_memory(MODEL, TWO, CPU)


def test_the_advice_keeps_the_windows_of_an_update(free):
    train = replace(TRAIN, batch_size=12, accumulate=1, workers=2)
    free_bytes = training_bytes(MODEL, replace(train, batch_size=6, accumulate=2), 2)
    assert what_would_fit(MODEL, train, free_bytes, CPU) == "--batch-size 6 --accumulate 2 would"


def test_the_advice_for_a_billion_windows_is_there_at_once_and_holds(free):
    train = replace(TRAIN, batch_size=10**9, accumulate=3, workers=2)
    smaller = replace(train, batch_size=1000, accumulate=3 * 10**6)
    free_bytes = training_bytes(MODEL, smaller, 2)
    assert what_would_fit(MODEL, train, free_bytes, CPU) == (
        "--batch-size 1000 --accumulate 3000000 would"
    )
    advice = what_would_fit(MODEL, train, free_bytes // 4, CPU)  # where their ids find no room
    assert advice.startswith("3,000,000,000 windows an update do not even one at a time; take")


@pytest.mark.parametrize(("batch_size", "accumulate"), [(6000, 1000), (10**6, 1), (12, 10**5)])
def test_what_is_advised_is_not_refused(free, batch_size, accumulate):
    train = replace(TRAIN, batch_size=batch_size, accumulate=accumulate, workers=2)
    free(training_bytes(MODEL, train, 2) // 2)
    with pytest.raises(ValueError, match="it must fit") as refusal:
        check_memory(MODEL, train, CPU)
    found = re.search(r"--batch-size (\d+) --accumulate (\d+) would", str(refusal.value))
    if found:
        batch_size, accumulate = map(int, found.groups())
        check_memory(MODEL, replace(train, batch_size=batch_size, accumulate=accumulate), CPU)
    else:
        assert "take a smaller --batch-size or --accumulate" in str(refusal.value)


def test_so_many_windows_an_update_that_their_ids_do_not_fit_are_refused(free):
    free(10**10)
    with pytest.raises(ValueError, match=r"the run needs about 256 GB .* or --accumulate"):
        check_memory(MODEL, replace(TRAIN, batch_size=1, accumulate=10**9, workers=2), CPU)


def test_what_fits_with_no_batch_is_told_to_be_smaller(free):
    free(10**9)
    with pytest.raises(ValueError, match=r"one window at a time would need .* smaller preset"):
        check_memory(get_preset("gpt2-xl").model, TRAIN, CPU)


def test_nothing_is_refused_where_nothing_tells_what_is_free(free, monkeypatch):
    free(None)
    monkeypatch.setattr(machine, "all_bytes", lambda: None)
    check_memory(get_preset("gpt2-xl").model, TRAIN, CPU)


def test_the_command_refuses_before_anything_is_written(free, tmp_path, capsys):
    example = make_example(tmp_path)
    free(70 * 10**6)
    words = ["pretrain", "--tokens", example.tokens, "--tokenizer", example.tokenizer]
    words += ["-o", tmp_path / "base", "--depth", "4"]
    assert main(list(map(str, words))) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*map(str, words[:-2]), "--n-layer", "1000000000", "--force"]) == 2
    assert "n_layer is 1000000000; it must be at most 10,000" in capsys.readouterr().err
    assert not (tmp_path / "base").exists()


# ---- time ------------------------------------------------------------------------------------


def test_a_run_longer_than_a_month_is_refused_with_what_would_take_less_unless_forced():
    gpt2 = get_preset("gpt2")
    assert may_take_long(gpt2.model, gpt2.train)
    said = r"about \d+ years here.* a smaller --preset, --device gpu, or --force to"
    with pytest.raises(ValueError, match=said) as refusal:
        check_time(gpt2.model, gpt2.train, CPU, 2e11)
    steps = int(re.search(r"--steps (\d+)", str(refusal.value))[1])
    check_time(gpt2.model, replace(gpt2.train, steps=steps), CPU, 2e11)
    with pytest.raises(ValueError, match=r"about 30\.\d days here"):
        check_time(gpt2.model, replace(gpt2.train, steps=steps + 1), CPU, 2e11)
    check_time(gpt2.model, gpt2.train, CPU, 2e11, force=True)
    with pytest.raises(ValueError, match=r"at most 30 days: try a smaller --preset"):  # not 0 steps
        check_time(gpt2.model, replace(gpt2.train, accumulate=10**9), CPU, 2e11)


def test_on_a_gpu_several_are_advised():
    xl = get_preset("gpt2-xl")
    with pytest.raises(ValueError, match=r"a smaller --preset, several GPUs, or --force"):
        check_time(xl.model, xl.train, fake_gpu("bf16", free=80 << 30), 1e14)


@pytest.mark.parametrize("name", ["smoke", "tiny", "shakespeare-cpu"])
def test_of_a_short_run_no_peak_need_be_measured(name):
    preset = get_preset(name)
    assert not may_take_long(preset.model, preset.train)


def test_a_run_of_years_is_refused_before_anything_is_written_but_goes_on(
    example, tmp_path, monkeypatch
):
    out, peaks = tmp_path / "base", [1e6, 1e12, 1e6]
    monkeypatch.setattr(forecast_module, "SLOWEST", 1e4)
    monkeypatch.setattr(pretrain_module, "measure_peak", lambda device, workers: peaks[0])
    with pytest.raises(ValueError, match=r"would take about .* days here"):
        run(example, out, steps=10**6)
    assert not out.exists()
    with pytest.raises(ValueError, match="holds no run to resume"):
        run(example, out, steps=10**6, start="resume")
    peaks[0] = 1e12  # a faster machine
    assert run(example, out, say=stop_at(4), steps=10**6) is None
    peaks[0] = 1e6
    assert run(example, out, say=stop_at(8), steps=10**6) is None  # what is begun goes on
    assert read_progress(out)["step"] == 8
    with pytest.raises(ValueError, match=r"would take about .* days here"):
        run(example, out, steps=10**6, start="fresh")
    assert read_progress(out)["step"] == 8


# ---- what is said ----------------------------------------------------------------------------


def test_a_run_is_described_in_three_lines(free):
    free(10**9)
    run, memory, work = describe(MODEL, TWO, forecast(MODEL, TWO, CPU), 1e11, 768, CPU)
    assert run == "0.01 M parameters, 12 steps of 4 windows of 16 tokens: 1.0 epochs"
    assert "of 1.0 GB free" in memory
    assert "60% as fast as matrix products, which make 100 billion a second" in work


@pytest.mark.parametrize(
    ("name", "steps", "seconds"), [("tiny", 2500, 398), ("shakespeare-cpu", 2000, 2000 * 0.031)]
)
def test_the_time_foreseen_is_about_what_was_measured_on_two_cores(name, steps, seconds):
    """Both with AdamW; a step of `shakespeare-cpu`, by bench_train.py, took 31 ms."""
    preset = get_preset(name)
    train = replace(preset.train, optimizer="adamw", steps=steps)
    foreseen = forecast(preset.model, train, CPU).seconds(peak=213e9)
    assert foreseen == pytest.approx(seconds, rel=0.2)


def test_a_text_that_is_read_too_often_is_told_with_its_cure(free):
    free(None)
    steps = replace(TWO, steps=401)  # of 4 windows of 16 tokens
    for epoch_tokens, advice in ((642, None), (640, "--steps 400, or fewer"), (2, "--steps 1,")):
        said = describe(MODEL, steps, forecast(MODEL, steps, CPU), 1e11, epoch_tokens, CPU)
        assert len(said) == 3 + bool(advice)
        if advice:
            assert "after 40 a model only learns it by heart; bring more text" in said[1]
            assert advice in said[1]


# ---- a GPU's memory ----------------------------------------------------------------------------


def test_a_run_that_does_not_fit_a_gpu_is_refused_with_what_would():
    preset = get_preset("gpt2")
    train = replace(preset.train, batch_size=64, accumulate=1)
    check_memory(preset.model, train, fake_gpu("bf16", free=80 << 30))
    with pytest.raises(
        ValueError, match=r"and 21\.5 GB are free; .*--batch-size 32 --accumulate 2"
    ):
        check_memory(preset.model, train, fake_gpu("bf16", free=20 << 30))
    with pytest.raises(ValueError, match=r"one window at a time would need .* smaller preset"):
        check_memory(preset.model, train, fake_gpu("bf16", free=1 << 30))
    check_memory(preset.model, train, fake_gpu("bf16", free=1 << 30), force=True)


def test_of_gpt2_in_bf16_most_is_activations_then_logits():
    model, train = get_preset("gpt2").model, TrainConfig(batch_size=64)
    memory = gpu_training_memory(model, train, "bf16")
    P, N = model.n_params(), 64 * 1024
    assert memory["parameters"] + memory["gradients"] + memory["optimizer"] == 18 * P
    assert sorted(memory, key=memory.get)[:-3:-1] == ["activations", "loss"]
    assert memory["activations"] == pytest.approx(N * 12 * 16 * 768 * 2, rel=0.05)
    lower = gpu_training_memory(model, train, "fp32")
    assert lower["activations"] > 3.9 * memory["activations"]  # the attention weights are kept


def test_what_a_gpu_takes_is_described(monkeypatch):
    gpu = fake_gpu(free=10**9)
    _, memory, _ = describe(MODEL, TWO, forecast(MODEL, TWO, gpu), 1e11, 768, gpu)
    assert "of 1.0 GB free" in memory


def test_packed_windows_take_the_scores_that_flash_attention_does_not_keep():
    model, train = get_preset("gpt2").model, TrainConfig(batch_size=64)
    alone, packed = (gpu_training_memory(model, train, "bf16", packed=p) for p in (False, True))
    scores = 64 * 12 * 1024 * 1024  # of one block
    assert packed["activations"] - alone["activations"] == 12 * 2 * scores
    assert packed["workspace"] - alone["workspace"] == (4 + 2) * scores
    gpu = fake_gpu("bf16", free=30 << 30)
    check_memory(model, train, gpu)
    with pytest.raises(ValueError, match="--batch-size 32 --accumulate 2 would"):
        check_memory(model, train, gpu, packed=True)


@pytest.mark.parametrize("changes", [{"vocab_size": 9000}, {"n_embd": 96}, {"n_layer": 40}])
def test_an_update_with_muon_takes_no_more_of_a_gpu_than_is_foreseen(changes):
    def squared_norm(x, out):  # as a GPU's own, it makes no array of the gradient's size
        out[...] = np.vdot(x, x)

    device = replace(CPU, ops=SimpleNamespace(squared_norm=squared_norm))
    model, train = GPT(replace(MODEL, **changes), device), replace(TRAIN, optimizer="muon")
    optimizer, grad = make_optimizer(model, train), model.new_grads().flat
    grad += 1
    numbers = step_numbers(1, 0.1, 1.0, train)
    tracemalloc.start()
    update(model, optimizer, grad, numbers, np.zeros(()), np.zeros(2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    foreseen = gpu_training_memory(model.config, replace(train, batch_size=1), "fp32")
    assert peak < 1.05 * foreseen["workspace"]
