"""What the tests of minigpt share: a minute model and a minute corpus."""

import json
import random
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import settings

import bpe
from minigpt import dataset
from minigpt.checkpoint import save_model
from minigpt.config import ModelConfig, TrainConfig
from minigpt.model import GPT
from minigpt.optim import AdamW
from minigpt.parallel import Workers
from minigpt.train import Trainer

# For tests of properties: on a busy machine an example may take as long as it takes.
untimed = settings(deadline=None, max_examples=80)

# ---- a minute model -------------------------------------------------------------------------

MODEL = ModelConfig(vocab_size=300, n_positions=16, n_embd=16, n_layer=2, n_head=2)
TRAIN = TrainConfig(
    steps=12, batch_size=4, learning_rate=1e-2, min_learning_rate=1e-3, warmup_steps=3,
    eval_every=4, eval_windows=8, sample_every=6, save_every_s=1e9, workers=1, seed=3,
)  # fmt: skip


def small_model(device=None, dtype="float32", seed=0, **changes):
    """Return an initialised model of MODEL with `changes`."""
    return GPT(replace(MODEL, **changes), device, dtype).initialise(seed)


def lively_model(device=None, **changes):
    """Return a model whose logits differ much, and with the place as well."""
    model = small_model(device, **changes)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(len(model.params.flat)).astype(np.float32)
    model.params.flat += model.device.xp.asarray(0.3 * noise)
    return model


# ---- a minute corpus ------------------------------------------------------------------------

WORDS = [
    "the", "a", "list", "value", "key", "returns", "raises", "opens", "closes", "when", "every",
    "object", "of", "file", "and", "is", "not", "reads", "writes", "an", "index", "out", "range",
    "called", "größer", "≥", "naïve", "数", "🙂",
]  # fmt: skip


def example_texts(n_documents=60):
    """Return documents, always the same ones; some characters have several bytes."""
    rng = random.Random(0)
    return [
        f"Page {i}.\n" + " ".join(rng.choices(WORDS, k=rng.randint(30, 60))) + ".\n"
        for i in range(n_documents)
    ]


@cache
def example_tokenizer():
    """Return a tokenizer of 300 symbols, trained on the example texts."""
    return bpe.train(example_texts(), 300, special_tokens=[dataset.SEPARATOR])


def write_jsonl(path, texts):
    """Write documents as JSON Lines; return the path."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    return path


def trainers_steps(model, windows, config):
    """Train a model with a Trainer; return each step's (loss, gradient's norm)."""
    with Workers(config.workers) as workers:
        trainer = Trainer(model, AdamW(model.params, config), windows, config, workers)
        return [trainer.step(step) for step in range(config.steps)]


@dataclass(frozen=True)
class Example:
    """The files that pretraining starts from."""

    documents: Path
    tokenizer: Path
    tokens: Path


def make_example(folder):
    """Write the example's documents, tokenizer and tokens to `folder`."""
    example = Example(folder / "documents.jsonl", folder / "tokenizer.json", folder / "tokens")
    write_jsonl(example.documents, example_texts())
    example_tokenizer().save(example.tokenizer)
    dataset.tokenize([example.documents], example_tokenizer(), example.tokens)
    return example


def save_example_model(folder, **changes):
    """Write an untrained model of MODEL with `changes`, and its tokenizer; return the model."""
    folder.mkdir(parents=True, exist_ok=True)
    model = small_model(**changes)
    save_model(folder, model, example_tokenizer())
    return model
