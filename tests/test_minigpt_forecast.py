"""What a run will take, and that one that cannot fit is refused."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from fake_cupy import fake_gpu
from minigpt_examples import MODEL, TRAIN, make_example

from minigpt import forecast as module
from minigpt.__main__ import main
from minigpt.backend import open_device
from minigpt.config import TrainConfig
from minigpt.costs import gpu_training_memory, training_bytes
from minigpt.forecast import (
    GOES,
    SIZE,
    available_bytes,
    check_memory,
    describe,
    forecast,
    measure_peak,
    what_would_fit,
)
from minigpt.parallel import Workers
from minigpt.presets import get_preset

CPU = open_device("cpu")
TWO = replace(TRAIN, workers=2)


@pytest.fixture
def free(monkeypatch):
    """A function that sets how many bytes are free."""
    return lambda n: monkeypatch.setattr(module, "available_bytes", lambda: n)


def test_a_forecast_counts_what_training_takes():
    found = forecast(MODEL, TWO, CPU)
    assert found.parameters == MODEL.n_params()
    assert sum(found.memory.values()) == pytest.approx(training_bytes(MODEL, TWO, 2), abs=10)
    assert found.flops_per_step == 4 * 16 * MODEL.flops_per_token()
    assert found.flops == 12 * found.flops_per_step
    assert found.seconds(1e9) == pytest.approx(found.flops / (module.USUAL_MFU * 1e9))


def test_a_run_that_fits_is_not_refused(free):
    free(training_bytes(MODEL, TWO, 2) + 10)
    check_memory(MODEL, TWO, CPU)


def test_a_run_that_cannot_fit_is_refused_with_what_would_unless_forced(free):
    model, train = get_preset("gpt2").model, replace(get_preset("gpt2").train, workers=2)
    needed = training_bytes(model, replace(train, batch_size=2), 2)
    free(needed + 10**6)
    advice = r"the run needs about .* GB of memory and .* GB are free; .*--batch-size 2 --acc.* 240"
    with pytest.raises(ValueError, match=advice):
        check_memory(model, train, CPU)
    check_memory(model, train, CPU, force=True)


def test_the_advice_keeps_the_windows_of_an_update(free):
    train = replace(TRAIN, batch_size=12, accumulate=1, workers=2)
    free_bytes = training_bytes(MODEL, replace(train, batch_size=6), 2)
    assert what_would_fit(MODEL, train, free_bytes, CPU) == "--batch-size 6 --accumulate 2 would"


def test_what_fits_with_no_batch_is_told_to_be_smaller(free):
    free(10**9)
    with pytest.raises(ValueError, match=r"one window at a time would need .* smaller preset"):
        check_memory(get_preset("gpt2-xl").model, TRAIN, CPU)


def test_nothing_is_refused_where_nothing_tells_what_is_free(free):
    free(None)
    check_memory(get_preset("gpt2-xl").model, TRAIN, CPU)


def test_the_command_refuses_before_anything_is_written(free, tmp_path, capsys):
    example = make_example(tmp_path)
    free(70 * 10**6)
    words = ["pretrain", "--tokens", example.tokens, "--tokenizer", example.tokenizer]
    words += ["-o", tmp_path / "base", "--depth", "4"]
    assert main(list(map(str, words))) == 2
    assert "--force" in capsys.readouterr().err
    assert not (tmp_path / "base").exists()


def test_a_run_is_described_in_three_lines(free):
    free(10**9)
    run, memory, work = describe(MODEL, TWO, forecast(MODEL, TWO, CPU), 1e11, 768, CPU)
    assert run == "0.01 M parameters, 12 steps of 4 windows of 16 tokens: 1.0 epochs"
    assert "of 1.0 GB free" in memory
    assert "at 40% of the 100 GFLOP/s measured here" in work


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


# ---- the machine -------------------------------------------------------------------------------


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


MEMINFO = {"proc/meminfo": "MemTotal: 900 kB\nMemAvailable:     500 kB\n"}


def test_free_is_what_the_system_has(tmp_path):
    write(tmp_path, MEMINFO)
    assert available_bytes(tmp_path) == 500 * 1024


def test_nothing_is_known_where_the_system_tells_nothing(tmp_path):
    assert available_bytes(tmp_path) is None


@pytest.mark.parametrize(
    ("line", "folder", "names", "cache"),
    [
        ("0::/a/b", "", ("memory.max", "memory.current"), "inactive_file"),
        (
            "4:memory:/a/b",
            "memory/",
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            "total_inactive_file",
        ),
    ],
)
@pytest.mark.parametrize("at", ["a/b/", "a/", ""])
def test_the_least_limit_of_the_groups_above_counts(tmp_path, line, folder, names, cache, at):
    groups = f"sys/fs/cgroup/{folder}"
    limit, usage = names
    write(tmp_path, MEMINFO | {"proc/self/cgroup": f"{line}\n1:cpu:/x\n"})
    write(tmp_path, {f"{groups}{at}{limit}": "100000\n", f"{groups}{at}{usage}": "30000\n"})
    assert available_bytes(tmp_path) == 70_000
    write(tmp_path, {f"{groups}{at}memory.stat": f"anon 1\n{cache} 5000\n"})
    assert available_bytes(tmp_path) == 75_000
    active = cache.replace("inactive", "active")
    write(tmp_path, {f"{groups}{at}memory.stat": f"{active} 2000\n{cache} 5000\n"})
    assert available_bytes(tmp_path) == 77_000


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096), "garbage"])
def test_a_group_without_a_limit_does_not_count(tmp_path, limit):
    write(tmp_path, MEMINFO | {"proc/self/cgroup": "0::/\n"})
    write(tmp_path, {"sys/fs/cgroup/memory.max": limit, "sys/fs/cgroup/memory.current": "5"})
    assert available_bytes(tmp_path) == 500 * 1024


def test_the_peak_is_a_speed_that_a_processor_can_have():
    with Workers(2) as workers:
        assert 1e8 < measure_peak(CPU, workers, seconds=0.01) < 1e14


def test_a_peak_is_the_best_of_several_goes_of_each_worker(monkeypatch):
    """In all goes but one another program takes the cores."""
    now, goes, n_products = [0.0], [0], 3
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module.time, "sleep", lambda s: goes.append(goes.pop() + 1))

    def matmul(a, b):
        now[0] += 0.001 if goes[0] == 2 else 0.05
        return a

    device = SimpleNamespace(xp=np, name="cpu", low=None, matmul=matmul)
    workers = SimpleNamespace(n=2, map=lambda function, items: map(function, items))
    peak = measure_peak(device, workers, seconds=0.001 * n_products * GOES)
    assert peak == pytest.approx(2 * 2 * SIZE["cpu"] ** 3 / 0.001)


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
