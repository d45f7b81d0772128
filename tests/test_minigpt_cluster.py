"""Several machines make the steps of one run: here they are processes that MPI connects."""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from chat_examples import make_conversations
from kill_training import command, differing, is_finished, step_of
from minigpt_examples import TRAIN, save_example_model

from minigpt import cluster
from minigpt.backend import open_device
from minigpt.cluster import Cluster, exit_status, joined, share
from minigpt.config import TrainConfig

pytest_plugins = ["minigpt_fixtures"]

MPIEXEC = shutil.which("mpiexec", path=sysconfig.get_path("scripts"))
FEW = {"steps": 30, "save-every-s": 1000, "sample-every": 0}


@pytest.fixture(scope="module", autouse=True)
def mpi():
    pytest.importorskip("mpi4py")
    if MPIEXEC is None:
        pytest.skip("no mpiexec: pip install mpich")
    words = [MPIEXEC, "-n", "2", sys.executable, "-c", "from mpi4py import MPI"]
    if subprocess.run(words, capture_output=True, timeout=60).returncode != 0:
        pytest.skip("mpiexec starts nothing here")


def launched(*programs):
    """Start a program on each machine; `programs` are their words."""
    words = [MPIEXEC]
    for program in programs:
        words += [*(":" if len(words) > 1 else "").split(), "-n", "1", *program]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, env=environment, **quiet)


def outcome(*programs):
    """Run a program on each machine; return (exit status, what they said, and as errors)."""
    process = launched(*programs)
    try:
        said, errors = process.communicate(timeout=120)
    finally:
        process.terminate()  # of one that has ended this does nothing
    return process.returncode, said, errors


def losses(out):
    found = re.findall(r'"val_loss": ([\d.]+)', (out / "metrics.jsonl").read_text())
    return [float(loss) for loss in found]


FOLLOWER = """
import hashlib, sys
from minigpt import cluster_trainer, pretrain
from minigpt.__main__ import main

def follow(parts, cluster):
    cluster_trainer.follow(parts, cluster)
    print("weights", hashlib.sha256(parts[0].params.flat).hexdigest())

pretrain.follow = follow
sys.exit(main())
"""


def test_several_machines_train_the_same_model_as_one(example, tmp_path):
    """Each with two workers; the shares of a batch are not equal, and the last bits are."""
    changes = FEW | {"accumulate": 2, "batch-size": 7, "workers": 2, "learning-rate": 1e-3}
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert outcome(command(example, alone, **changes))[0] == 0
    words = command(example, together, **changes)
    other = [sys.executable, "-c", FOLLOWER, *words[3:]]
    status, said, errors = outcome(words, other, other)
    assert (status, errors.count("minigpt:")) == (0, 0)
    assert said.count("step    30:") == 1  # only the first machine talks
    assert "3 machines make each step together" in said
    assert '"machines": 3' in (together / "training_config.json").read_text()
    np.testing.assert_allclose(losses(alone), losses(together), rtol=0, atol=1e-4)
    weights, expected = (
        safetensors.numpy.load_file(out / "training_state.safetensors")["weights"]
        for out in (together, alone)
    )
    np.testing.assert_allclose(weights, expected, rtol=0, atol=2e-3)
    first = hashlib.sha256(weights).hexdigest()
    assert re.findall(r"weights (\w+)", said) == [first] * 2


def test_it_can_be_stopped_and_continues_to_the_same_bytes(example, tmp_path):
    changes = FEW | {"steps": 40, "workers": 1, "dropout": 0.2}
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert outcome(*[command(example, whole, **changes)] * 2)[0] == 0
    process = launched(*[command(example, stopped, **changes)] * 2)
    wait_for_step(5, stopped, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command continues from there" in said
    assert not is_finished(stopped)
    assert outcome(*[command(example, stopped, **changes)] * 2)[0] == 0
    assert differing(stopped, whole) == []


def wait_for_step(step, out, process):
    while step_of(out) is None or step_of(out) < step:
        assert process.poll() is None
        time.sleep(0.01)


def test_where_one_is_killed_all_end(example, tmp_path):
    ids = [tmp_path / "first", tmp_path / "second"]
    process = launched(
        *(
            ["sh", "-c", f"echo $$ > {file}; exec {shlex.join(words)}"]
            for file in ids
            for words in [command(example, tmp_path / "base", steps=5000, workers=1)]
        )
    )
    wait_for_step(10, tmp_path / "base", process)
    trainers = [int(file.read_text()) for file in ids]
    os.kill(trainers[1], signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    for trainer in trainers:
        with pytest.raises(ProcessLookupError):
            os.kill(trainer, 0)


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
from minigpt import cluster
from minigpt.__main__ import main

other, agree = Path(sys.argv.pop(1)), cluster.Cluster.agree

def interrupted(self, run):
    if self.leads:
        while not other.exists():
            time.sleep(0.01)
        os.kill(int(other.read_text()), signal.SIGINT)
        raise KeyboardInterrupt
    other.with_suffix(".tmp").write_text(str(os.getpid()))
    other.with_suffix(".tmp").rename(other)
    agree(self, run)

cluster.Cluster.agree = interrupted
sys.exit(main())
"""


def test_ctrl_c_before_the_first_step_ends_all(example, tmp_path):
    words = command(example, tmp_path / "base")
    words = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "other"), *words[3:]]
    status, _, errors = outcome(words, words)
    assert status == 130
    assert "minigpt: stopped" in errors


# ---- bad input -----------------------------------------------------------------------------------


SLOW = """
import sys, time
from minigpt import cluster
from minigpt.__main__ import main

def fail(self, error, fail=cluster.Cluster.fail):
    fail(self, error)
    time.sleep(0.3)

cluster.Cluster.fail = fail
sys.exit(main())
"""


def test_what_is_wrong_everywhere_is_said_once(tmp_path):
    """The others stay until the first has said it: mpiexec ends all as soon as one is gone."""
    save_example_model(tmp_path / "base")
    make_conversations(tmp_path / "conversations")
    words = ["sft", str(tmp_path / "base"), "--batch-size", "1"]
    words += ["--conversations", str(tmp_path / "conversations"), "-o", str(tmp_path / "chat")]
    first, other = [sys.executable, "-c", SLOW], [sys.executable, "-m", "minigpt"]
    status, _, errors = outcome([*first, *words], [*other, *words])
    assert status == 2
    lines = [line for line in errors.splitlines() if "minigpt" in line]
    assert lines == ["minigpt: batch_size is 1; it must be at least 2, a window for each machine"]


def test_what_the_first_machine_alone_lacks_is_said_once(example, tmp_path):
    nothing = replace(example, tokenizer=tmp_path / "nothing.json")
    status, _, errors = outcome(*(command(e, tmp_path / "base") for e in (nothing, example)))
    assert status == 2
    assert len(re.findall("minigpt: .*/nothing.json", errors)) == 1


def test_other_settings_are_named_before_anything_is_written(example, tmp_path):
    words = command(example, tmp_path / "base", steps=30)
    status, _, errors = outcome(words, command(example, tmp_path / "base", steps=31))
    assert status == 2
    assert "machine 2 was started with other settings or files: steps is 31 there" in errors
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize(
    ("part", "said"), [("tokens", "/nowhere/.* tokenize first"), ("tokenizer", "/nowhere'")]
)
def test_where_one_lacks_a_file_it_is_said_and_all_end(example, tmp_path, part, said):
    nothing = replace(example, **{part: tmp_path / "nowhere"})
    words = command(example, tmp_path / "base")
    status, _, errors = outcome(words, command(nothing, tmp_path / "base"))
    assert status == 2
    assert re.search(f"machine 2 of 2: .*{said}", errors)


def test_a_loss_that_is_no_number_is_said_once(example, tmp_path):
    words = command(example, tmp_path / "base", **FEW, **{"learning-rate": 1e12})
    status, _, errors = outcome(words, words)
    assert status == 2
    assert len(re.findall("minigpt: step .* must be finite", errors)) == 1
    assert "Abort" not in errors


def test_without_mpi4py_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ValueError, match=r"PMI_SIZE is 2.*pip install"), joined(print):
        pass


def test_another_librarys_mpiexec_is_noticed(example, tmp_path):
    """As is a variable that was set by who wants nothing of MPI here."""
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PMI_SIZE": "2"}
    words = command(example, tmp_path / "base")
    found = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=60)
    assert found.returncode == 2
    assert "PMI_SIZE is 2, as set by mpiexec, and mpi4py finds 1" in found.stderr
    assert "unset PMI_SIZE" in found.stderr
    assert not (tmp_path / "base").exists()


def test_a_gpu_is_refused():
    cluster = SimpleNamespace(n=2, n_workers=lambda wanted: 1)
    with pytest.raises(ValueError, match="device is gpu; it must be cpu on several machines"):
        share(TrainConfig(batch_size=4), replace(open_device(), name="gpu"), cluster)


# ---- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [{}, {"PMI_SIZE": "1"}, {"OMPI_COMM_WORLD_SIZE": "1"}])
def test_a_process_alone_belongs_to_no_cluster(monkeypatch, words):
    for name in cluster.SIZES:
        monkeypatch.delenv(name, raising=False)
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    with joined(print) as (found, say):
        assert (found, say) == (None, print)
    config = TrainConfig(**asdict(TRAIN))
    assert share(config, open_device(), None) is config


def test_a_share_is_the_largest_part_of_a_batch():
    found = share(
        TrainConfig(batch_size=7), open_device(), SimpleNamespace(n=3, n_workers=lambda wanted: 5)
    )
    assert (found.batch_size, found.workers) == (3, 5)


def test_processes_of_one_computer_share_its_cores(monkeypatch):
    monkeypatch.setattr(cluster, "count_cores", lambda: 8)
    one = Cluster.__new__(Cluster)
    for n_here, workers in ((1, 8), (3, 2), (9, 1)):
        one.n_here = n_here
        assert one.n_workers(0) == workers
        assert one.n_workers(3) == 3


@pytest.mark.parametrize(
    ("report", "leads", "status"),
    [({}, None, 0), (None, None, 130), ({}, True, 0), (None, True, 130), (None, False, 0)],
)
def test_only_the_leader_knows_that_a_run_was_stopped(report, leads, status):
    machine = None if leads is None else SimpleNamespace(leads=leads)
    assert exit_status(report, machine) == status
