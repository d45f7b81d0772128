"""Named sets of settings, from a minute's run to GPT-2's four sizes, and one dial for a size of
one's own.

Every field can be overruled by its flag: `pretrain --preset gpt2 --n-layer 6`.

Sources: karpathy/nanoGPT, README and config/ (train_shakespeare_char.py, train_gpt2.py), for the
two Shakespeare settings and GPT-2's training; Radford et al. 2019, "Language Models are
Unsupervised Multitask Learners", table 2, for GPT-2's shapes; Brown et al. 2020, "Language Models
are Few-Shot Learners", table 2.1, for the learning rates of its larger sizes.
"""

import math
from dataclasses import dataclass, replace

from minigpt.config import ModelConfig, TrainConfig, require

N_BYTES = 257  # every byte, and the separator: text as it is, without a merge
GPT2_VOCAB = 50257


@dataclass(frozen=True)
class Preset:
    """A whole road: how much to crawl, how many symbols, which model, how to train it."""

    about: str
    pages: int  # fetch at most so many
    facts: int  # ask the assistant for so many
    model: ModelConfig
    train: TrainConfig


def shakespeare(about, model, **train):
    """Return a setting of nanoGPT's for tinyshakespeare, read byte by byte."""
    settings = TrainConfig(
        learning_rate=1e-3, min_learning_rate=1e-4, warmup_steps=100, beta2=0.99, eval_every=250,
        **train,
    )  # fmt: skip
    return Preset(about, pages=2000, facts=900, model=model, train=settings)


def gpt2(about, shape, learning_rate, batch_size):
    """Return a size of GPT-2 as published, to be trained as nanoGPT does: 480 windows an update.

    `shape` is (layers, channels, heads); `batch_size` is how many of the windows fit in memory at
    a time.
    """
    n_layer, n_embd, n_head = shape
    train = TrainConfig(
        steps=600_000, batch_size=batch_size, accumulate=480 // batch_size,
        learning_rate=learning_rate, min_learning_rate=learning_rate / 10, warmup_steps=2000,
        beta2=0.95, eval_every=1000, eval_windows=200, sample_every=1000, save_every_s=600.0,
    )  # fmt: skip
    model = ModelConfig(GPT2_VOCAB, 1024, n_embd, n_layer, n_head)
    return Preset(about, pages=100_000, facts=900, model=model, train=train)


PRESETS = {
    "smoke": Preset(
        "the whole road in a minute, to see it run; the model babbles",
        pages=150,
        facts=90,
        model=ModelConfig(vocab_size=1024, n_positions=64, n_embd=96, n_layer=3, n_head=3),
        train=TrainConfig(
            steps=400, optimizer="muon", learning_rate=4e-3, min_learning_rate=4e-4,
            warmup_steps=40, eval_every=100, eval_windows=100, sample_every=200,
        ),
    ),
    "tiny": Preset(
        "the default: ten to fifteen minutes of training on two cores; it writes like its pages",
        pages=2000,
        facts=960,
        model=ModelConfig(vocab_size=2048, n_positions=128, n_embd=192, n_layer=4, n_head=6),
        train=TrainConfig(
            steps=1800, batch_size=12, optimizer="muon", learning_rate=2.5e-3,
            min_learning_rate=1e-4, weight_decay=0.2,  # it sees its text three times
            eval_every=200, eval_windows=200, sample_every=400,
        ),
    ),
    "small": Preset(
        "50 minutes on two cores: half as many facts again, twice the window, better answers",
        pages=2000,
        facts=1500,
        model=ModelConfig(vocab_size=2048, n_positions=256, n_embd=256, n_layer=6, n_head=8),
        train=TrainConfig(
            steps=2000, batch_size=8, optimizer="muon", learning_rate=2e-3,
            min_learning_rate=1e-4, weight_decay=0.2,
            eval_every=200, eval_windows=100, sample_every=400,
        ),
    ),
    "shakespeare-cpu": shakespeare(
        "nanoGPT's for a laptop, byte by byte; it reached 1.88 nats on tinyshakespeare",
        ModelConfig(N_BYTES, n_positions=64, n_embd=128, n_layer=4, n_head=4),
        steps=2000, batch_size=12, eval_windows=240,
    ),
    "shakespeare-gpu": shakespeare(
        "nanoGPT's for a GPU, byte by byte; it reached 1.47 nats on tinyshakespeare",
        ModelConfig(N_BYTES, n_positions=256, n_embd=384, n_layer=6, n_head=6, dropout=0.2),
        steps=5000, batch_size=64, eval_windows=500,
    ),
    "gpt2": gpt2("OpenAI's smallest, 124 M", (12, 768, 12), 6e-4, batch_size=4),
    "gpt2-medium": gpt2("OpenAI's second, 355 M", (24, 1024, 16), 3e-4, batch_size=4),
    "gpt2-large": gpt2("OpenAI's third, 774 M", (36, 1280, 20), 2.5e-4, batch_size=2),
    "gpt2-xl": gpt2("OpenAI's largest, 1558 M", (48, 1600, 25), 2e-4, batch_size=1),
}  # fmt: skip


def get_preset(name):
    """Return the preset called `name`; raise ValueError for an unknown one."""
    if name not in PRESETS:
        raise ValueError(f"preset is {name!r}; it must be one of {', '.join(PRESETS)}")
    return PRESETS[name]


def by_depth(depth, vocab_size):
    """Return (ModelConfig, TrainConfig) for a model of `depth` layers; the rest follows.

    - Width: 64 channels a layer, in heads of 64. Depth 12 is GPT-2's smallest.
    - Window: 64 tokens times depth, rounded up to a power of two, at most GPT-2's 1024.
    - Learning rate: GPT-2's 6e-4 at its width of 768, and inversely with width (Yang et al. 2022,
      "Tensor Programs V", table 8), at most 3e-3; it falls to a tenth.
    - Tokens of an update: 256 depth^3, which is about GPT-2's half a million at depth 12. Larger
      models learn from larger batches (McCandlish et al. 2018, "An Empirical Model of Large-Batch
      Training").
    - Steps: so many that the run reads 20 tokens for each weight of the layers, 12 width^2 each
      (Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models"). Tokens and weights
      both grow with depth^3, so that is about 3840 steps at any depth.
    - beta2: 0.99 for small batches, whose gradients are noisy, 0.95 from depth 8 on.

    Raises ValueError for a depth below 1.
    """
    require(depth >= 1, "depth", depth, "be at least 1")
    n_positions = min(1024, 64 * 2 ** math.ceil(math.log2(depth)))
    model = ModelConfig(vocab_size, n_positions, 64 * depth, depth, depth)
    n_windows = max(1, round(256 * depth**3 / n_positions))
    accumulate = math.ceil(n_windows / 16)  # 16 windows at a time are as fast as more
    batch_size = math.ceil(n_windows / accumulate)
    weights = 12 * depth * model.n_embd**2
    steps = math.ceil(20 * weights / (batch_size * accumulate * n_positions))
    learning_rate = min(3e-3, 6e-4 * 768 / model.n_embd)
    train = TrainConfig(
        steps=steps, batch_size=batch_size, accumulate=accumulate,
        learning_rate=learning_rate, min_learning_rate=learning_rate / 10,
        warmup_steps=steps // 20, beta2=0.95 if depth >= 8 else 0.99,
        eval_every=max(1, steps // 20), eval_windows=200, sample_every=max(1, steps // 10),
    )  # fmt: skip
    return model, train


def settings(preset, depth, vocab_size):
    """Return (ModelConfig, TrainConfig) of a preset, or by depth where there is one."""
    if depth is not None:
        return by_depth(depth, vocab_size)
    chosen = get_preset(preset)
    return replace(chosen.model, vocab_size=vocab_size), chosen.train
