"""Several machines make the steps of one run: here they are processes that MPI connects."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from chat_examples import make_conversations
from kill_training import command, differing, is_finished
from minigpt_examples import TRAIN, save_example_model
from mpi_programs import kill_one, launch, outcome, wait_for_step

from minigpt import cluster, launched
from minigpt.__main__ import main
from minigpt.backend import open_device
from minigpt.cluster import Cluster, exit_status, joined, share
from minigpt.config import TrainConfig

pytest_plugins = ["minigpt_fixtures", "mpi_fixtures"]

FEW = {"steps": 12, "eval-every": 6, "save-every-s": 1000, "sample-every": 0}
pytestmark = pytest.mark.usefixtures("mpi")


def losses(out):
    found = re.findall(r'"val_loss": ([\d.]+)', (out / "metrics.jsonl").read_text())
    return [float(loss) for loss in found]


FOLLOWER = """
import hashlib, sys
from minigpt import cluster_trainer, pretrain
from minigpt.__main__ import main

def follow(parts, cluster):
    cluster_trainer.follow(parts, cluster)
    found = hashlib.sha256(parts[0].params.flat).hexdigest()
    sys.stdout.write(f"weights {found}\\n")  # in one piece, or another's may come between

pretrain.follow = follow
sys.exit(main())
"""


def test_several_machines_train_the_same_model_as_one(example, tmp_path):
    """Each with two workers; the shares of a batch are not equal, and the last bits are."""
    changes = FEW | {"accumulate": 2, "batch-size": 7, "workers": 2, "learning-rate": 1e-3}
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert main(command(example, alone, **changes)[3:]) == 0
    words = command(example, together, **changes)
    other = [sys.executable, "-c", FOLLOWER, *words[3:]]
    status, said, errors = outcome(words, other, other)
    assert (status, errors.count("minigpt:")) == (0, 0)
    assert said.count("step    12:") == 1  # only the first machine talks
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


TWO_RUNS = """
import sys
from minigpt.__main__ import main

both, half = sys.argv[1:], len(sys.argv) // 2
sys.exit(main(both[:half]) or main(both[half:]))
"""


def test_it_can_be_stopped_and_continues_to_the_same_bytes(example, tmp_path):
    changes = FEW | {"steps": 40, "eval-every": 5, "workers": 1, "dropout": 0.2}
    changes["optimizer"] = "muon"
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    words = [command(example, out, **changes)[3:] for out in (whole, stopped)]
    process = launch(*[[sys.executable, "-c", TWO_RUNS, *words[0], *words[1]]] * 2)
    wait_for_step(5, stopped, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command continues from there" in said
    assert not is_finished(stopped)
    assert outcome(*[command(example, stopped, **changes)] * 2)[0] == 0
    assert differing(stopped, whole) == []


def test_where_one_is_killed_all_end(example, tmp_path):
    words = command(example, tmp_path / "base", steps=5000, workers=1)
    kill_one([words, words], tmp_path / "base", tmp_path)


# ---- bad input -----------------------------------------------------------------------------------


# Several runs that come to nothing, one after the other in the same processes: of each the exit
# status, what was said and what was said as an error, from each machine in a file of its own. The
# last is as it would be alone, but that the first machine waits before it says what is wrong.
CASES = """
import contextlib, io, json, os, signal, sys, time
from pathlib import Path
from minigpt import cluster
from minigpt.__main__ import main

index, folder, cases, last = sys.argv[1], Path(sys.argv[2]), *map(json.loads, sys.argv[3:])
other, agree = folder / "other", cluster.Cluster.agree

def interrupted(self, run):
    if self.leads:
        while not other.exists():
            time.sleep(0.01)
        os.kill(int(other.read_text()), signal.SIGINT)
        raise KeyboardInterrupt
    other.with_suffix(".tmp").write_text(str(os.getpid()))
    other.with_suffix(".tmp").rename(other)
    agree(self, run)

found = {}
for name, words in cases.items():
    cluster.Cluster.agree = interrupted if name == "interrupted" else agree
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        try:
            status = main(words)
        except cluster.Dismissed as end:
            status = end.code
    found[name] = [status, said.getvalue(), errors.getvalue()]
(folder / index).write_text(json.dumps(found))

def fail(self, error, fail=cluster.Cluster.fail):
    fail(self, error)
    time.sleep(0.3)

cluster.Cluster.fail = fail
sys.exit(main(last))
"""


@pytest.fixture(scope="module")
def ended(example, tmp_path_factory):
    """What came of runs that came to nothing: a function that gives, of one, the first machine's
    (exit status, what it said, and as errors), and the other's; of the last, that of mpiexec."""
    folder = tmp_path_factory.mktemp("ended")
    nothing = replace(example, tokenizer=folder / "nothing.json")
    usual = command(example, folder / "base", steps=30)[3:]
    wild = command(example, folder / "wild", **FEW, **{"learning-rate": 1e12})[3:]
    of_both = {
        "lacking": (command(nothing, folder / "base")[3:], usual),
        "differing": (usual, command(example, folder / "base", steps=31)[3:]),
        "interrupted": (usual, usual),
        "astray": (wild, wild),
    }
    save_example_model(folder / "model")
    make_conversations(folder / "conversations")
    last = ["sft", str(folder / "model"), "--batch-size", "1"]
    last += ["--conversations", str(folder / "conversations"), "-o", str(folder / "chat")]
    programs = []
    for index in range(2):
        cases = {name: words[index] for name, words in of_both.items()}
        given = [json.dumps(what) for what in (cases, last)]
        programs.append([sys.executable, "-c", CASES, str(index), str(folder), *given])
    whole = outcome(*programs)
    assert not (folder / "base").exists()
    found = [json.loads((folder / str(index)).read_text()) for index in range(2)]
    return lambda name: [machine[name] for machine in found] if name else whole


def test_what_is_wrong_everywhere_is_said_once(ended):
    """The others stay until the first has said it: mpiexec ends all as soon as one is gone."""
    status, _, errors = ended(None)
    assert status == 2
    lines = [line for line in errors.splitlines() if "minigpt" in line]
    assert lines == ["minigpt: batch_size is 1; it must be at least 2, a window for each machine"]


def test_what_the_first_machine_alone_lacks_is_said_once(ended):
    (status, _, errors), other = ended("lacking")
    assert status == 2
    assert re.fullmatch("minigpt: .*/nothing.json.*\n", errors)
    assert other == [2, "", ""]


def test_other_settings_are_named_before_anything_is_written(ended):
    (status, _, errors), other = ended("differing")
    assert status == 2
    assert "machine 2 was started with other settings or files: steps is 31 there" in errors
    assert other[1:] == ["", ""]


def test_ctrl_c_before_the_first_step_ends_all(ended):
    (status, _, errors), other = ended("interrupted")
    assert status == 130
    assert "minigpt: stopped" in errors
    assert other == [2, "", ""]


def test_a_loss_that_is_no_number_is_said_once(ended):
    (status, _, errors), other = ended("astray")
    assert status == 2
    assert len(re.findall("minigpt: step .* must be finite", errors)) == 1
    assert "minigpt:" not in other[2]  # NumPy warns of it there, too


def test_where_one_ends_before_it_has_joined_all_end(example, tmp_path):
    """Also one without mpi4py; the other waits for it in MPI_Init."""
    words = command(example, tmp_path / "base")
    lacking = "import sys; sys.modules['mpi4py'] = None; from minigpt.__main__ import main; main()"
    status, _, errors = outcome([sys.executable, "-c", lacking, *words[3:]], words)
    assert status != 0
    assert "mpi4py cannot be used" in errors


@pytest.mark.parametrize(
    ("words", "variables", "ends"),
    [
        (["pretrain", "--stepz", "5"], {"PMI_SIZE": "2", "PMI_FD": "9"}, True),
        (["pretrain", "--help"], {"PMI_SIZE": "2", "PMI_FD": "9"}, False),
        (["pretrain", "--stepz", "5"], {"PMI_SIZE": "1", "PMI_FD": "9"}, False),
        (["pretrain", "--stepz", "5"], {"PMI_SIZE": "2"}, False),
        (["pretrain", "--stepz", "5"], {}, False),
    ],
)
def test_a_mistyped_flag_ends_what_was_started_together(
    monkeypatch, capsys, words, variables, ends
):
    sent = []
    for name in (*launched.SIZES, "PMI_FD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launched, "os", SimpleNamespace(
        environ=os.environ, getpid=lambda: 7, kill=lambda *what: sent.append(what)
    ))  # fmt: skip
    monkeypatch.setattr(launched.signal, "signal", lambda *_: None)
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)  # another test may have it
    with pytest.raises(SystemExit):
        main(words)
    assert sent == ([(7, signal.SIGTERM)] if ends else [])


@pytest.mark.usefixtures("no_litter")
def test_where_one_lacks_a_file_it_is_said_and_all_end(example, tmp_path):
    nothing = replace(example, tokens=tmp_path / "nowhere")
    words = command(example, tmp_path / "base")
    status, _, errors = outcome(words, command(nothing, tmp_path / "base"))
    assert status == 2
    assert re.search("machine 2 of 2: .*/nowhere/.* tokenize first", errors)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file", "/nowhere"), "[Errno 2] No such file: '/nowhere'"),
        (KeyboardInterrupt(), "stopped"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_an_error_amid_work_is_said_and_ends_all(monkeypatch, capsys, error, said):
    ended, machine = [], Cluster.__new__(Cluster)
    machine.index, machine.n, machine.leads, machine._is_at_work = 1, 2, False, True
    machine._all = SimpleNamespace(Abort=ended.append)
    monkeypatch.setattr(cluster.os, "_exit", ended.append)
    machine.fail(error)
    assert capsys.readouterr().err == f"minigpt: machine 2 of 2: {said}\n"
    assert ended == [2, 2]


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


# ---- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [{}, {"PMI_SIZE": "1"}, {"OMPI_COMM_WORLD_SIZE": "1"}])
def test_a_process_alone_belongs_to_no_cluster(monkeypatch, words):
    for name in launched.SIZES:
        monkeypatch.delenv(name, raising=False)
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    with joined(print) as (found, say):
        assert (found, say) == (None, print)
    config = TrainConfig(**asdict(TRAIN))
    assert share(config, open_device(), None) is config


def test_a_share_is_the_largest_part_of_a_batch():
    cluster = SimpleNamespace(n=3, n_workers=lambda wanted: 5)
    for device, workers in ((open_device(), 5), (replace(open_device(), name="gpu"), 1)):
        found = share(TrainConfig(batch_size=7), device, cluster)
        assert (found.batch_size, found.workers) == (3, workers)


@pytest.mark.parametrize("takes_s", [0.0, 0.0005, 0.003, 0.02, 3.0])
def test_who_waits_for_others_rests_meanwhile_and_is_hardly_later(monkeypatch, takes_s):
    """By a clock of its own, on which each question takes a microsecond."""
    now, asked = [0.0], []

    def is_done():
        asked.append(now[0])
        now[0] += 1e-6
        return now[0] > takes_s

    def rest(seconds):
        now[0] += seconds

    times = SimpleNamespace(perf_counter=lambda: now[0], sleep=rest)
    monkeypatch.setattr(cluster, "time", times)
    Cluster.__new__(Cluster).wait(SimpleNamespace(Test=is_done))
    assert takes_s < now[0] <= takes_s + min(0.06 * takes_s + 2e-6, 0.011)
    asked = [moment for moment in asked if moment > 0.0011]
    assert len(asked) < 100 + takes_s / 0.005


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
