"""What the tests of minigpt share: every backend, a minute model and a minute corpus."""

import random
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import bpe
from bpe.files import atomic_write
from minigpt import cpu_ops, dataset, ops
from minigpt.backend import Device, open_device
from minigpt.checkpoint import save_model
from minigpt.config import ModelConfig, TrainConfig
from minigpt.model import GPT


@pytest.fixture(scope="session", params=["numpy-ops", "numpy-cpu_ops", "gpu"])
def device(request):
    """Each backend with each implementation of the operations made for it."""
    if request.param == "numpy-ops":
        return Device("cpu", np, ops)
    try:
        return open_device(request.param.replace("numpy-cpu_ops", "cpu"))
    except ValueError as error:
        pytest.skip(str(error).partition(";")[0])


@pytest.fixture(scope="session", name="xp")
def library_of_device(device):
    return device.xp


@pytest.fixture(scope="session", name="ops")
def operations_of_device(device):
    return device.ops


MODEL = ModelConfig(vocab_size=300, n_positions=16, n_embd=16, n_layer=2, n_head=2)
TRAIN = TrainConfig(
    steps=12, batch_size=4, learning_rate=1e-2, min_learning_rate=1e-3, warmup_steps=3,
    eval_every=4, eval_windows=8, sample_every=6, save_every_s=0, workers=1, seed=3,
)  # fmt: skip


def small_model(device=None, dtype="float32", seed=0, **changes):
    """Return an initialised model of MODEL with `changes`."""
    return GPT(replace(MODEL, **changes), device, dtype).initialise(seed)


def example_texts(n_documents=60):
    """Return documents, always the same ones; some characters have several bytes."""
    rng = random.Random(0)
    words = (
        "the a list value key returns raises opens closes when every object of file and is not "
        "reads writes an index out of range called größer ≥ naïve 数 🙂"
    ).split()
    return [
        f"Page {i}.\n" + " ".join(rng.choices(words, k=rng.randint(30, 60))) + ".\n"
        for i in range(n_documents)
    ]


@cache
def example_tokenizer():
    """Return a tokenizer of 300 symbols, trained on the example texts."""
    return bpe.train(example_texts(), 300, special_tokens=[dataset.SEPARATOR])


@dataclass(frozen=True)
class Example:
    """A folder with what pretraining starts from."""

    folder: Path

    documents = property(lambda self: self.folder / "documents.jsonl")
    tokenizer = property(lambda self: self.folder / "tokenizer.json")
    tokens = property(lambda self: self.folder / "tokens")


def make_example(folder):
    """Write the example's documents, tokenizer and tokens to `folder`."""
    example = Example(Path(folder))
    write_jsonl(example.documents, example_texts())
    example_tokenizer().save(example.tokenizer)
    dataset.tokenize([example.documents], example_tokenizer(), example.tokens)
    return example


def write_jsonl(path, texts):
    """Write documents as JSON Lines."""
    import json

    atomic_write(path, "".join(json.dumps({"text": text}) + "\n" for text in texts))


def save_example_model(folder, **changes):
    """Write an untrained model of MODEL with `changes` and its tokenizer; return the model."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    example_tokenizer().save(folder / "tokenizer.json")
    model = small_model(**changes)
    save_model(folder, model, folder / "tokenizer.json")
    return model
