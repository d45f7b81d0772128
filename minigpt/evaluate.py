"""What a base model knows, copies and invents: all examinations, in one file of results.

This writes, in the folder of the run,

    evaluation.json   stage, seconds, tokens, flops; weights: a hash of the model's; sections: by
                      name, each with title, headline and parts, see tables.py, its seconds, and
                      the tokens that the model read or wrote for it

Sections of the same weights are kept when others are examined; that of tasks goes when all is
examined again without tasks. The examinations are in the modules named in SECTIONS; report.py makes
a page of the results.
"""

import hashlib
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigpt import (
    choices,
    contamination,
    hallucination,
    in_context,
    losses,
    prompted_chat,
    regurgitation,
)
from minigpt.checkpoint import load, write_json
from minigpt.corpus import Corpus
from minigpt.parallel import Workers
from minigpt.subject import Subject
from minigpt.tables import sample, to_text, words

RESULTS = "evaluation.json"
SAMPLE_TOKENS = 120


@dataclass(frozen=True)
class Settings:
    """What an evaluation is asked for; None is the default, which depends on the rest."""

    model: str
    out: str | None = None  # folder of the run: default, the one the model's folder is in
    tokens: str | None = None  # folder that `tokenize` wrote; default: tokens in `out`
    documents: tuple[str, ...] | None = None  # files it was made from; default: those in `out`
    only: tuple[str, ...] | None = None  # names of SECTIONS
    tasks: tuple[str, ...] = ()  # files of tasks; alone, they are all that is done
    length: str = "tokens"  # what the loss of a choice is divided by
    shots: int = 0  # examples before each question of a task
    samples: int = regurgitation.SAMPLES
    temperature: float = regurgitation.TEMPERATURE
    seed: int = 0

    def __post_init__(self):
        for name in ("shots", "samples", "seed", "temperature"):
            least = 1 if name == "samples" else 0
            if not least <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.length not in choices.LENGTHS:
            raise ValueError(
                f"length is {self.length!r}; it must be one of {', '.join(choices.LENGTHS)}"
            )
        unknown = sorted(set(self.only or ()) - set(SECTIONS))
        if unknown:
            raise ValueError(f"section is {unknown[0]!r}; it must be one of {', '.join(SECTIONS)}")
        if "tasks" in (self.only or ()) and not self.tasks:
            raise ValueError("section is 'tasks'; it needs files of tasks: give them with --tasks")


# ---- the sections: each a function of (subject, corpus, rng, settings) ------------------------


def loss(subject, corpus, rng, settings):
    return losses.section(subject, corpus, rng)


def copies(subject, corpus, rng, settings):
    return regurgitation.section(
        subject, corpus, rng, settings.temperature, settings.samples, epochs_of(settings.model)
    )


def knows(subject, corpus, rng, settings):
    return hallucination.section(subject, corpus, rng)


def learns(subject, corpus, rng, settings):
    return in_context.section(subject, rng)


def chat(subject, corpus, rng, settings):
    return prompted_chat.section(subject, rng)


def tasks(subject, corpus, rng, settings):
    s = settings
    answered = choices.answer_all(subject, s.tasks, s.length, s.shots, s.seed)
    section = choices.section(answered, s.length, s.shots)
    if corpus is not None:
        section["parts"] += contamination.parts(subject, corpus.train, answered)
    return section


def samples(subject, corpus, rng, settings):
    """Let the model write: a new document, and after beginnings of held-out pages."""
    prompts = [[subject.separator]] * 2 + regurgitation.beginnings(corpus.val, 2, 16, rng)
    seed = int(rng.integers(1 << 30))
    written = subject.write("samples", prompts, SAMPLE_TOKENS, 0.8, seed, top_p=0.95)
    parts = [
        words("What it writes at temperature 0.8 and top-p 0.95. After `|` the text is its own.")
    ]
    for prompt, ids in zip(prompts, written, strict=True):
        caption = "From a held-out page" if len(prompt) > 1 else "A new document"
        parts.append(sample(caption, f"{subject.decode(prompt[1:])}|{subject.decode(ids)}"))
    return {"title": "What it writes", "headline": None, "parts": parts}


SECTIONS = {
    "loss": loss, "copies": copies, "knows": knows, "learns": learns, "chat": chat,
    "samples": samples, "tasks": tasks,
}  # fmt: skip
OF_TEXT = ("loss", "copies", "knows", "samples")  # these need the tokens


# ---- the whole --------------------------------------------------------------------------------


def epochs_of(model):
    """Return how often training went over its text, None where that is not known."""
    try:
        return float(json.loads((Path(model) / "training.json").read_text("utf-8"))["epochs"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def names_of_sections(settings, has_tokens):
    """Return the names of what is to be examined, in order."""
    if settings.only is not None:
        return [name for name in SECTIONS if name in settings.only]
    if settings.tasks:
        return ["tasks"]
    return [name for name in SECTIONS if name != "tasks" and (has_tokens or name not in OF_TEXT)]


def corpus_for(names, has_tokens, settings, out, tokenizer):
    """Return the Corpus, None if no section needs it.

    For tasks it tells which questions stand in the text. Tokens that were not asked for may be
    another model's; they are then left aside.
    """
    if any(name in OF_TEXT for name in names):
        return open_corpus(settings, out, tokenizer)
    if "tasks" not in names or not has_tokens:
        return None
    try:
        return Corpus(settings.tokens or out / "tokens", tokenizer)  # addresses are not needed
    except ValueError:
        if settings.tokens:
            raise
    return None


def open_corpus(settings, out, tokenizer):
    """Return the Corpus, with the documents' addresses if the files are there."""
    files = settings.documents
    if files is None:
        found = out / "documents.jsonl.gz"
        files = (found,) if found.exists() else ()
    corpus = Corpus(settings.tokens or out / "tokens", tokenizer, files)
    if not len(corpus.train) or not len(corpus.val):
        raise ValueError(
            f"{settings.tokens or out / 'tokens'} has {len(corpus.train)} documents to train on "
            f"and {len(corpus.val)} held out; there must be one of each: bring more text"
        )
    return corpus


def hash_weights(folder):
    """Return a hash of a model's weights, which may be in several files."""
    sha256 = hashlib.sha256()
    for path in sorted(folder.glob("model*.safetensors")):
        with open(path, "rb") as file:
            sha256.update(hashlib.file_digest(file, "sha256").digest())
    return sha256.hexdigest()


def earlier(path, weights):
    """Return the sections that `path` holds of the same weights."""
    try:
        found = json.loads(path.read_text("utf-8"))
        sections = found["sections"] if found["weights"] == weights else {}
        for section in sections.values():
            _ = section["seconds"] + section["tokens"] + 0.0, section["title"], section["parts"]
        return {name: sections[name] for name in SECTIONS if name in sections}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError,
            RecursionError):  # fmt: skip
        return {}  # there is no file, or it is of no use: it is made anew


def evaluate(settings, device="cpu", show=lambda section: None):
    """Examine a model, write evaluation.json and return it; `show` gets each section when done.

    Sections that need the training text are left out where there is none, unless they are asked
    for. Raises ValueError for settings, models, tokens and tasks that do not go together.
    """
    folder = Path(settings.model)
    out = Path(settings.out) if settings.out else folder.parent
    model, tokenizer = load(folder, device)
    has_tokens = bool(settings.tokens) or (out / "tokens").exists()
    names = names_of_sections(settings, has_tokens)
    for path in settings.tasks:
        choices.read_task(path)  # what is wrong with a file should be said first
    corpus = corpus_for(names, has_tokens, settings, out, tokenizer)
    weights = hash_weights(folder)
    found = earlier(out / RESULTS, weights)
    if settings.only is None and not settings.tasks:
        found.pop("tasks", None)
    sections = {}
    with Workers(model.device.n_workers(0)) as workers:
        subject = Subject(model, tokenizer, workers)
        for name in names:
            began, tokens = time.monotonic(), subject.n_tokens
            rng = np.random.default_rng([settings.seed, list(SECTIONS).index(name)])
            section = SECTIONS[name](subject, corpus, rng, settings)
            cost = {"seconds": time.monotonic() - began, "tokens": subject.n_tokens - tokens}
            sections[name] = section | cost
            show(sections[name])
    merged = found | sections
    n_tokens = sum(section["tokens"] for section in merged.values())
    report = {
        "stage": "evaluate",
        "seconds": round(sum(section["seconds"] for section in merged.values()), 3),
        "tokens": n_tokens,
        "flops": n_tokens * model.config.flops_per_token() // 3,  # a forward pass: a third
        "model": str(settings.model),
        "weights": weights,
        "sections": {name: merged[name] for name in SECTIONS if name in merged},
    }
    write_json(out / RESULTS, report)
    return report


def section_text(section):
    """Return a section as Markdown."""
    parts = [text for text in map(to_text, section["parts"]) if text]
    return "\n\n".join([f"## {section['title']}", *parts]) + "\n"
