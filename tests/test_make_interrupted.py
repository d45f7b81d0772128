"""`make` stopped by Ctrl-C, stage after stage, on the way to a base model, and asked again."""

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
STAGES = ["pages.warc.gz.part", "pages.warc.gz", "tokens/train.npy", "base/metrics.jsonl"]


def make_until(file, words):
    """Press Ctrl-C once there is `file`; return make's exit status and what it complained of."""
    process = subprocess.Popen(
        ["make", f"PY={sys.executable}", *words], cwd=ROOT, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True, env=clean_environment(),
    )  # fmt: skip
    while not file.exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody gets it
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_ctrl_c_at_any_stage_loses_nothing_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "out"
    words = [str(out / "base/model.safetensors"), *SMALL, "PAGES=30", f"OUT={out}"]
    words.append("TRAIN=--steps 40")  # of a larger model: there is time to stop it
    archive, crawled = out / "pages.warc.gz", set()
    for stage in STAGES:
        status, said = make_until(out / stage, words)
        assert status in (-signal.SIGINT, 130, 2), stage  # 2: make, of a stage that stopped
        assert "Deleting" not in said, stage
        crawled |= {archive.stat().st_mtime_ns} if archive.exists() else set()
    done = make(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert crawled == {archive.stat().st_mtime_ns}  # what was finished was not made again
    steps = [json.loads(line)["step"] for line in (out / "base/metrics.jsonl").open()]
    assert steps == sorted(set(steps))
    assert load(out / "base")[1].n_vocab == 300
