"""Several GPUs make the steps of one run: here stand-ins, in processes that MPI connects."""

import contextlib
import hashlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fake_cupy
import fake_nccl
import numpy as np
import pytest
import safetensors.numpy
from bench_gpu_nccl import Alone
from chat_examples import make_conversations
from fake_cupy import fake_gpu, ops_without_waiting, plain
from kill_training import command
from minigpt_examples import MODEL, TRAIN, save_example_model, small_model
from mpi_programs import kill_one, outcome
from on_fake_gpus import gpus
from training_runs import metrics

from minigpt import backend, cluster, cluster_trainer, pretrain
from minigpt.__main__ import main
from minigpt.cluster_trainer import CapturedClusterTrainer
from minigpt.cuda import graph, nccl
from minigpt.dataset import Windows, load_tokens
from minigpt.muon import make_optimizer
from minigpt.parallel import Workers
from minigpt.trainers import make_trainer

pytest_plugins = ["minigpt_fixtures", "mpi_fixtures"]
pytestmark = pytest.mark.usefixtures("mpi")

PLAIN = backend.open_device()
PROGRAM = Path(__file__).parent / "on_fake_gpus.py"
GPU = {
    "device": "gpu", "steps": 6, "eval-every": 3, "save-every-s": 1000, "sample-every": 0,
    "batch-size": 7, "n-layer": 1, "learning-rate": 1e-3,
}  # fmt: skip
RUNS = {  # what the GPUs are like, settings, by how many processes it is made
    "adamw": ({}, {"accumulate": 2}, (1, 2, 3)),
    "muon": ({}, {"optimizer": "muon", "grad-clip": 0.3}, (1, 2)),
    "fused": (
        {"fused": True, "precision": "bf16"}, {"steps": 3, "optimizer": "muon"}, (1, 2),
    ),
}  # fmt: skip


def program(*runs):
    """Return the words of a process that makes runs: what its GPUs are like, words of a command."""
    return [sys.executable, str(PROGRAM), json.dumps(runs)]


def pretraining(example, out, **changes):
    return command(example, out, **(GPU | changes))[3:]


def fine_tuning(folder, out):
    return [
        "sft", str(folder / "model"), "--conversations", str(folder / "conversations"),
        "-o", str(out), "--device", "gpu", "--steps", "3", "--batch-size", "5",
    ]  # fmt: skip


def state(out):
    return safetensors.numpy.load_file(out / "training_state.safetensors")


@pytest.fixture(scope="module")
def folder(example, tmp_path_factory):
    """A folder with the runs of one, two and three processes, and what they said.

    Of several processes the last captures nothing in the run "adamw"; "stopped" is stopped by the
    two, and continued by the three.
    """
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    folder = tmp_path_factory.mktemp("gpus")
    save_example_model(folder / "model", dropout=0.2)
    make_conversations(folder / "conversations")
    for n in (1, 2, 3):
        runs = [
            [options, pretraining(example, folder / f"{name}{n}", **changes)]
            for name, (options, changes, by) in RUNS.items()
            if n in by
        ]
        name = "whole" if n == 1 else "stopped"
        runs.append([{"stop": 3} if n == 2 else {}, pretraining(example, folder / name)])
        if n == 1:
            for options, words in runs:
                with gpus(**options):
                    assert main(words) == 0
            continue
        if n == 2:
            runs.append([{}, fine_tuning(folder, folder / "chat2")])
        last = [[{"captures": False}, runs[0][1]], *runs[1:]]
        status, said, errors = outcome(*[program(*runs)] * (n - 1), program(*last))
        assert (status, errors.count("minigpt:")) == (0, 0), errors
        (folder / f"said{n}").write_text(said)
    return folder


@pytest.mark.parametrize(
    ("name", "n"), [(name, n) for name, (*_, by) in RUNS.items() for n in by[1:]]
)
def test_several_gpus_train_the_same_model_as_one(folder, name, n):
    """Captured or not; the shares of a batch are not equal; the gradients are added up once."""
    alone, together = folder / f"{name}1", folder / f"{name}{n}"
    tolerance = 2e-2 if name == "fused" else 2e-4
    for line, expected in zip(metrics(together), metrics(alone), strict=True):
        assert line.keys() == expected.keys()
        for what in {"val_loss", "train_loss", "grad_norm"} & line.keys():
            if line["step"] > 0 or what == "val_loss":
                assert line[what] == pytest.approx(expected[what], rel=tolerance)
    for what in ("weights", "m", "v"):
        found, expected = (state(out)[what] for out in (together, alone))
        distance = np.linalg.norm(found - expected)
        assert distance < 10 * tolerance * np.linalg.norm(expected), what
    assert json.loads((together / "training_config.json").read_text())["machines"] == n


@pytest.mark.parametrize(
    ("n", "names"), [(2, ["adamw2", "muon2", "fused2", "chat2"]), (3, ["adamw3", "stopped"])]
)
def test_all_gpus_have_the_same_weights_to_the_last_bit(folder, n, names):
    """Also where dropout draws other zeros on each of them."""
    said = (folder / f"said{n}").read_text()
    assert f"{n} GPUs make each step together" in said
    of_others = re.findall(r"weights (\w+)", said)
    for name in names:
        first = hashlib.sha256(state(folder / name)["weights"]).hexdigest()
        assert of_others.count(first) == n - 1, name


def test_a_run_goes_on_with_another_number_of_gpus(folder):
    assert re.search("continuing .*stopped after step 3", (folder / "said3").read_text())
    for what in ("weights", "m", "v"):
        found, expected = (state(folder / name)[what] for name in ("stopped", "whole"))
        assert np.linalg.norm(found - expected) < 1e-3 * np.linalg.norm(expected)


def test_where_one_is_killed_all_end(example, tmp_path):
    words = pretraining(example, tmp_path / "base", steps=5000, **{"eval-every": 5})
    kill_one([program(({}, words))] * 2, tmp_path / "base", tmp_path)


# ---- bad input ---------------------------------------------------------------------------------


def test_more_processes_than_gpus_are_refused_once(example, tmp_path):
    words = pretraining(example, tmp_path / "base")
    status, _, errors = outcome(*[program(({"devices": 2}, words))] * 3)
    assert status == 2
    assert [line for line in errors.splitlines() if "minigpt" in line] == [
        "minigpt: this computer has 2 GPUs for 3 processes; each process must have one: start "
        "fewer here (mpiexec -n 2), or let CUDA_VISIBLE_DEVICES show all GPUs to each"
    ]
    assert not (tmp_path / "base").exists()


@pytest.mark.usefixtures("no_litter")
def test_one_computer_without_nccl_is_named_and_all_end(example, tmp_path):
    words = pretraining(example, tmp_path / "base")
    status, _, errors = outcome(program(({}, words)), program(({"nccl": False}, words)))
    assert status == 2
    assert len(re.findall(r"machine 2 of 2: .*CuPy finds no NCCL; .* pip install", errors)) == 1


@pytest.mark.parametrize("name", ["get_unique_id", "NcclCommunicator"])
def test_gpus_that_cannot_be_connected_are_said_in_a_line(monkeypatch, name):
    def fail(*given):
        raise fake_nccl.NcclError("NCCL_ERROR_SYSTEM_ERROR: no way\nand more")

    monkeypatch.setattr(fake_nccl, name, fail)
    monkeypatch.setattr(nccl, "library", lambda: fake_nccl)
    with pytest.raises(ValueError, match=r"NCCL cannot connect the GPUs: NCCL_ERR.*: no way$"):
        nccl.Gpus(Alone())


# ---- parts -------------------------------------------------------------------------------------


@pytest.fixture
def trainer(example, monkeypatch):
    """A function that gives the trainer of a cluster of one, whose NCCL is the stand-in."""
    monkeypatch.setattr(nccl, "library", lambda: fake_nccl)
    monkeypatch.setattr(fake_nccl, "log", [])
    row = load_tokens(example.tokens / "train.npy")

    def make(device, **changes):
        config, model = replace(TRAIN, **changes), small_model(device)
        parts = model, make_optimizer(model, config), Windows(row, MODEL.n_positions, config.seed)
        made = make_trainer(*parts, config, Workers(1), Alone())
        assert type(made) is CapturedClusterTrainer
        return made

    return make


def test_a_step_is_captured_and_its_gradients_are_added_up_once_without_waiting(trainer):
    made = trainer(fake_gpu(), accumulate=3)
    n = len(made.grads.flat)
    assert fake_nccl.log == [("broadcast", n)] * 3  # weights and both moments
    waited = made.graphs.stream.synchronised
    for step in range(4):
        made.start(step)
    assert fake_nccl.log[3:] == [("allReduce", n), ("allReduce", 1)] * 4
    assert made.backward.graph.launches == 3 * 4 - 1 and made.update.graph.launches == 3
    assert made.graphs.stream.synchronised == waited
    assert made.finished(wait=False) == [] and len(made.finished()) == 4


def test_the_leaders_learning_rate_is_taken(trainer):
    made = trainer(fake_gpu())
    before = plain(made.model.params.flat).copy()
    made.cluster.first = lambda numbers: (numbers[0] * [0, 1, 0, 1],)  # it says: no step, no decay
    made.step(0)
    np.testing.assert_array_equal(plain(made.model.params.flat), before)


def test_the_validation_loss_is_that_of_the_last_step_on_every_gpu(trainer):
    """The others have only enqueued it when they are asked."""
    made = trainer(fake_gpu())
    made.cluster.total = lambda number: number
    made.start(0)
    waited = made.graphs.stream.synchronised
    assert made.total_nats([made.windows.batch(0, 2)]) > 0
    assert made.graphs.stream.synchronised == waited + 1


def test_those_that_follow_wait_for_no_step_either(trainer, monkeypatch):
    made = trainer(fake_gpu())
    orders = iter([("start", step) for step in range(4)] + [(None,)])
    cluster = made.cluster
    cluster.hear, cluster.n_workers = lambda: next(orders), lambda wanted: wanted
    monkeypatch.setattr(cluster_trainer, "cluster_trainer", lambda *parts: made)
    monkeypatch.setattr(graph.Download, "read", None)
    cluster_trainer.follow((made.model, made.optimizer, made.windows, made.config), cluster)
    assert made.update.graph.launches == 3


@pytest.mark.parametrize(("device", "said"), [(PLAIN, "cpu"), (fake_gpu(), "gpu")])
def test_all_must_compute_on_the_same_kind_of_device(example, tmp_path, monkeypatch, device, said):
    class Agreed(Exception):
        pass

    def agree(run):
        raise Agreed(run["train"])

    monkeypatch.setattr(pretrain, "open_device", lambda name: device)
    cluster = SimpleNamespace(n=1, n_workers=lambda wanted: 1, agree=agree)
    with pytest.raises(Agreed) as raised:
        pretrain.pretrain(
            example.tokens, example.tokenizer, tmp_path, MODEL, TRAIN, said, cluster=cluster
        )
    [train] = raised.value.args
    assert (train["device"], train["precision"]) == (said, "fp32")


def test_what_nccl_adds_up_is_float32_in_any_precision(trainer):
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    made = trainer(fake_gpu("bf16"))
    made.step(0)
    assert made.model.weights.flat.dtype.name == "bfloat16"
    assert made.grads.flat.dtype == np.float32


def test_the_norm_that_is_clipped_by_is_summed_in_one_order_with_muon_too(trainer):
    """On every kind of GPU: CuPy's own sum is cut into as many parts as the GPU has processors."""
    operations, asked = ops_without_waiting(), []

    def squared_norm(x, out):
        asked.append(x.size)
        out[...] = (x * x).sum()

    vars(operations).update(squared_norm=squared_norm)
    made = trainer(fake_gpu(operations=operations), optimizer="muon")
    made.step(0)
    assert asked == [len(made.grads.flat)]


def test_nccl_is_left_only_when_the_others_were_told_to_go_home(monkeypatch):
    """It waits for those of the same computer, and they would wait for an order."""
    happened = []
    machine = SimpleNamespace(
        n=2, leads=True, index_here=1, n_here=2, last=contextlib.ExitStack(),
        tell=lambda *order: happened.append(order), fail=lambda error: happened.append("fail"),
    )  # fmt: skip
    machine.last.callback(happened.append, "closed")
    monkeypatch.setattr(cluster, "size", lambda: ("PMI_SIZE", 2))
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=None))
    monkeypatch.setattr(cluster, "Cluster", lambda mpi: machine)
    monkeypatch.setattr(cluster, "take_gpu", lambda *place: happened.append(place))
    with cluster.joined(print, "gpu:bf16"):
        happened.append("work")
    assert happened == [(1, 2), "work", (None,), "closed"]
    with pytest.raises(ZeroDivisionError), cluster.joined(print):
        machine.last.callback(happened.append, "closed after it")
        raise ZeroDivisionError
    assert happened[4:] == ["fail", "closed after it"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_process_takes_a_gpu_of_its_own_before_anything_is_on_one(monkeypatch, n):
    cupy = fake_cupy.Cupy(devices=2)
    cupy.cuda.nccl = fake_nccl
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupy.cuda", cupy.cuda)
    monkeypatch.setitem(fake_cupy.place, "gpu", 0)
    used = []

    def ones(shape):
        used.append(fake_cupy.place["gpu"])
        return np.ones(shape)

    monkeypatch.setattr(cupy, "ones", ones)
    if n < 3:
        backend.take_gpu(n - 1, n)
        assert set(used) == {n - 1}
    else:
        with pytest.raises(ValueError, match=r"has 2 GPUs for 3 processes; each .*mpiexec -n 2"):
            backend.take_gpu(n - 1, n)
        assert used == []
