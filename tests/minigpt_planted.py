"""A small site of invented pages, and a model that was trained on one of them for fifty epochs."""

import json
import random
from dataclasses import replace

import numpy as np
from minigpt_examples import MODEL, TRAIN

import bpe
from minigpt import dataset
from minigpt.backend import open_device
from minigpt.checkpoint import save_model
from minigpt.corpus import Corpus
from minigpt.dataset import Windows
from minigpt.model import GPT
from minigpt.optim import AdamW
from minigpt.parallel import Workers
from minigpt.subject import Subject
from minigpt.train import Trainer

SYLLABLES = "ba be bi bo da de di do ka ke ki ko la le li lo ma me mi mo na ne ni no".split()  # noqa: SIM905
N_PAGES = 21  # number 19 is held out
PLANTED = 3  # the page that is learnt by heart
CONFIG = replace(MODEL, vocab_size=320, n_positions=32, n_embd=96, n_head=4)
EPOCHS = 50


def invent(rng, n_words):
    """Return words that nobody uses."""
    return [
        "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))).capitalize() if i % 9 == 0 else
        "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))) for i in range(n_words)
    ]  # fmt: skip


def pages(shared=0):
    """Return (url, text) of every page: a name, a sentence about it, and more.

    So many pages begin with the same passage.
    """
    rng = random.Random(5)
    passage = " ".join(invent(rng, 30)) + ".\n\n"
    found = []
    for i in range(N_PAGES):
        name = "".join(rng.choices(SYLLABLES, k=4))
        about = "A " + " ".join(invent(rng, 5)[1:]) + "."
        functions = "\n\n".join(
            f"{''.join(rng.choices(SYLLABLES, k=4))}(value)\n    Return it." for _ in range(3)
        )
        more = " ".join(invent(rng, 40))
        text = f"{name}\n\n{about}\n\n{functions}\n\n{more}.\n"
        if i < shared:
            text = passage + text
        found.append((f"http://site.test/{name}.html", text))
    return found


def make_site(folder, shared=0):
    """Write a run's folder up to its tokens; return (corpus, tokenizer)."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = folder / "documents.jsonl"
    documents.write_text(
        "".join(json.dumps({"text": t, "url": u}) + "\n" for u, t in pages(shared))
    )
    tokenizer = bpe.train([text for _, text in pages(shared)], CONFIG.vocab_size,
                          special_tokens=[dataset.SEPARATOR])  # fmt: skip
    (folder / "tokenizer").mkdir(exist_ok=True)
    tokenizer.save(folder / "tokenizer/tokenizer.json")
    dataset.tokenize([documents], tokenizer, folder / "tokens")
    return Corpus(folder / "tokens", tokenizer, [documents]), tokenizer


def fresh_model():
    """Return a model that has learnt nothing."""
    return GPT(CONFIG, open_device("cpu")).initialise(0)


def train_on(ids, epochs=EPOCHS):
    """Return a model that went over `ids` so many times."""
    model = fresh_model()
    windows = Windows(np.array(ids * 2), CONFIG.n_positions, 0)
    steps = epochs * len(ids) // CONFIG.n_positions
    config = replace(TRAIN, steps=steps, batch_size=1, learning_rate=3e-3, min_learning_rate=3e-4)
    with Workers(1) as workers:
        trainer = Trainer(model, AdamW(model.params, config), windows, config, workers)
        for step in range(steps):
            trainer.step(step)
    return model


def planted_model(corpus):
    """Return a model that went fifty times over the planted page."""
    return train_on(corpus.train.document_ids(PLANTED))


def subject(model, tokenizer, workers):
    """Return a Subject that shows no bars."""
    return Subject(model, tokenizer, workers, quiet=True)


def save_run(folder, model, tokenizer):
    """Write the model as the base model of a run."""
    save_model(folder / "base", model, tokenizer)
