"""Programs started by mpiexec: to start them, to wait for them, to kill one."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time

import pytest
from kill_training import step_of

MPIEXEC = shutil.which("mpiexec", path=sysconfig.get_path("scripts"))


def launch(*programs):
    """Start a program on each machine; `programs` are their words."""
    words = [MPIEXEC]
    for program in programs:
        words += [*(":" if len(words) > 1 else "").split(), "-n", "1", *program]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, env=environment, **quiet)


def outcome(*programs):
    """Run a program on each machine; return (exit status, what they said, and as errors)."""
    process = launch(*programs)
    try:
        said, errors = process.communicate(timeout=120)
    finally:
        process.terminate()  # of one that has ended this does nothing
    return process.returncode, said, errors


def wait_for_step(step, out, process):
    while step_of(out) is None or step_of(out) < step:
        assert process.poll() is None
        time.sleep(0.01)


def kill_one(programs, out, folder):
    """Start two programs that train in `out`, kill the second; assert that both end.

    The numbers of the processes are kept in `folder`.
    """
    ids = [folder / "first", folder / "second"]
    process = launch(
        *(
            ["sh", "-c", f"echo $$ > {file}; exec {shlex.join(words)}"]
            for file, words in zip(ids, programs, strict=True)
        )
    )
    wait_for_step(10, out, process)
    trainers = [int(file.read_text()) for file in ids]
    os.kill(trainers[1], signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    for trainer in trainers:
        with pytest.raises(ProcessLookupError):
            os.kill(trainer, 0)
