"""`make` stopped by Ctrl-C on the way to a base model, and asked again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from make_command import ROOT, SMALL, clean_environment, make

from minigpt import load

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@pytest.mark.parametrize(
    "stage",
    ["pages.warc.gz.part", "pages.warc.gz", "tokens/train.npy", "base/metrics.jsonl"],
)
def test_ctrl_c_loses_nothing_and_the_same_command_goes_on(stage, tmp_path):
    out = tmp_path / "out"
    words = [*SMALL, "PAGES=30", f"OUT={out}"]
    command = ["make", f"PY={sys.executable}", str(out / "base/model.safetensors"), *words]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=clean_environment(),
    )  # fmt: skip
    while not (out / stage).exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody gets it
    _, said = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 130, 2)  # 2: make, of a stage that stopped
    assert "Deleting" not in said
    done = make(str(out / "base/model.safetensors"), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [json.loads(line)["step"] for line in (out / "base/metrics.jsonl").open()]
    assert steps == sorted(set(steps))
    assert load(out / "base")[1].n_vocab == 300
