"""A run that is killed at any moment ends as if it had not been; a reader never sees half a file.

The long form, with twenty kills, is tests/kill_training.py.
"""

import random
import threading
from dataclasses import replace

from kill_training import command, differing, kill_and_finish, start
from minigpt_examples import MODEL, TRAIN

from minigpt.checkpoint import load, load_model, read_progress
from minigpt.pretrain import pretrain
from minigpt.tensor_file import check_tensors

pytest_plugins = ["minigpt_fixtures"]


def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(example, tmp_path):
    changes = {"steps": 60, "workers": 2, "dropout": 0.2}  # all that there is to continue
    assert start(command(example, tmp_path / "whole", **changes)).wait() == 0
    words = command(example, tmp_path / "killed", **changes)
    kill_and_finish(words, tmp_path / "killed", 4, 0.8, random.Random(5))
    assert differing(tmp_path / "killed", tmp_path / "whole") == []


def test_a_checkpoint_is_never_seen_half_written(example, tmp_path):
    out, done, seen = tmp_path / "base", threading.Event(), []

    def read():
        while not done.is_set():
            if (out / "best/model.safetensors").exists():
                check_tensors(out / "training_state.safetensors", "")
                load(out), load_model(out / "best")
                seen.append(read_progress(out)["step"])

    def read_and_note():
        try:
            read()
        except BaseException as error:
            seen.append(error)

    reader = threading.Thread(target=read_and_note)
    reader.start()
    try:
        config = replace(TRAIN, save_every_s=0, steps=60, eval_every=5)
        quiet = {"say": lambda text: None}
        pretrain(example.tokens, example.tokenizer, out, MODEL, config, **quiet)
    finally:
        done.set()
        reader.join()
    assert all(isinstance(step, int) for step in seen), seen[-1]
    assert len(set(seen)) > 2
