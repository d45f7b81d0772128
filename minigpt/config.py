"""Every setting of the model and of a training run, with its default, and named presets.

A frozen dataclass each; `python -m minigpt pretrain --help` makes its flags from these fields,
so that a default stands in one place only. The model's names are those of Hugging Face's
config.json for GPT-2.
"""

import argparse
from dataclasses import asdict, dataclass, field, fields, replace


def require(condition, name, value, rule):
    """Raise ValueError with value and rule unless `condition` holds."""
    if not condition:
        raise ValueError(f"{name} is {value}; it must {rule}")


def setting(default, help):
    """A dataclass field with a sentence for --help."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a GPT-2."""

    vocab_size: int = setting(50257, "V, number of symbols (the tokenizer decides)")
    n_positions: int = setting(1024, "T, the context window in tokens")
    n_embd: int = setting(768, "C, channels")
    n_layer: int = setting(12, "L, transformer blocks")
    n_head: int = setting(12, "H, attention heads; must divide n_embd")
    dropout: float = setting(0.0, "share of activations zeroed while training")
    layer_norm_epsilon: float = setting(1e-5, "added to the variance in layer normalisation")

    def __post_init__(self):
        for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "be at least 1")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "be at least 0 and below 1")
        epsilon = self.layer_norm_epsilon
        require(epsilon > 0, "layer_norm_epsilon", epsilon, "be above 0")
        divides = self.n_embd % self.n_head == 0
        require(divides, "n_head", self.n_head, f"divide n_embd, which is {self.n_embd}")

    def n_params(self):
        """Return the number of parameters; the token embedding, used twice, counts once."""
        per_layer = 12 * self.n_embd**2 + 13 * self.n_embd
        embeddings = (self.vocab_size + self.n_positions) * self.n_embd
        return embeddings + self.n_layer * per_layer + 2 * self.n_embd

    def flops_per_token(self):
        """Return the floating-point operations of forward and backward for one token.

        6 for every weight that multiplies, 2 forward and 4 backward, and 12 L T C for attention
        as if no key were masked (Chowdhery et al. 2022, "PaLM", appendix B).
        """
        multiplying = 12 * self.n_layer * self.n_embd**2 + self.vocab_size * self.n_embd
        return 6 * multiplying + 12 * self.n_layer * self.n_positions * self.n_embd


@dataclass(frozen=True)
class TrainConfig:
    """How long, how fast and on what to train."""

    steps: int = setting(1000, "updates of the weights")
    batch_size: int = setting(12, "B, windows in a batch")
    accumulate: int = setting(1, "batches whose gradients are added up before an update")
    learning_rate: float = setting(1e-3, "peak of the schedule")
    min_learning_rate: float = setting(1e-4, "end of the schedule's cosine")
    warmup_steps: int = setting(100, "steps over which the learning rate rises from 0")
    beta1: float = setting(0.9, "AdamW: memory of the gradient's mean")
    beta2: float = setting(0.99, "AdamW: memory of the gradient's square")
    epsilon: float = setting(1e-8, "AdamW: keeps the division finite")
    weight_decay: float = setting(0.1, "AdamW: pull of the matrices towards 0")
    grad_clip: float = setting(1.0, "largest norm of the gradient; 0 for no limit")
    eval_every: int = setting(250, "steps between looks at the validation text")
    eval_windows: int = setting(100, "validation windows looked at, always the same ones")
    sample_every: int = setting(500, "steps between samples of what the model writes; 0 for none")
    save_every_s: float = setting(30.0, "seconds between checkpoints")
    workers: int = setting(0, "threads, each with a slice of the batch; 0 for one a core")
    seed: int = setting(1337, "decides the first weights and the order of the data")

    def __post_init__(self):
        at_least_1 = ("steps", "batch_size", "accumulate", "eval_every", "eval_windows")
        for name in at_least_1:
            require(getattr(self, name) >= 1, name, getattr(self, name), "be at least 1")
        at_least_0 = ("learning_rate", "min_learning_rate", "warmup_steps", "weight_decay")
        for name in (*at_least_0, "grad_clip", "sample_every", "save_every_s", "workers", "seed"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "be at least 0")
        for name in ("beta1", "beta2"):
            beta = getattr(self, name)
            require(0 <= beta < 1, name, beta, "be at least 0 and below 1")
        require(self.epsilon > 0, "epsilon", self.epsilon, "be above 0")


@dataclass(frozen=True)
class Preset:
    """A whole road: how much to crawl, how many symbols, which model, how to train it."""

    about: str
    pages: int  # fetch at most so many
    facts: int  # ask the assistant for so many
    model: ModelConfig
    train: TrainConfig


PRESETS = {
    "smoke": Preset(
        "the whole road in a minute, to see it run; the model babbles",
        pages=150,
        facts=90,
        model=ModelConfig(vocab_size=1024, n_positions=64, n_embd=96, n_layer=3, n_head=3),
        train=TrainConfig(
            steps=400, learning_rate=4e-3, min_learning_rate=4e-4, warmup_steps=40,
            eval_every=100, eval_windows=100, sample_every=200,
        ),
    ),
    "tiny": Preset(
        "the default: a few minutes of training on two cores; it writes like its pages",
        pages=2000,
        facts=900,
        model=ModelConfig(vocab_size=2048, n_positions=128, n_embd=192, n_layer=4, n_head=6),
        train=TrainConfig(
            steps=2500, batch_size=12, learning_rate=2.5e-3, min_learning_rate=1e-4,
            eval_every=250, eval_windows=200, sample_every=500,
        ),
    ),
}  # fmt: skip


def get_preset(name):
    """Return the preset called `name`; raise ValueError for an unknown one."""
    if name not in PRESETS:
        raise ValueError(f"preset is {name!r}; it must be one of {', '.join(PRESETS)}")
    return PRESETS[name]


def add_flags(parser, config_class, skip=()):
    """Add a flag to an argparse parser for each field of `config_class`; unset ones are None."""
    for f in fields(config_class):
        if f.name not in skip:
            flag = "--" + f.name.replace("_", "-")
            parser.add_argument(
                flag, dest=f.name, type=f.type, default=None, metavar=f.type.__name__,
                help=f.metadata["help"],
            )  # fmt: skip


def with_flags(config, args: argparse.Namespace):
    """Return `config` with the fields that were given as flags replaced."""
    given = {name: getattr(args, name, None) for name in asdict(config)}
    return replace(config, **{name: value for name, value in given.items() if value is not None})


def add_paths(parser, *flags):
    """Add the flags that several commands share."""
    flags_help = {
        "--tokens": ("out/tokens", "folder written by `tokenize` (%(default)s)"),
        "--tokenizer": ("out/tokenizer/tokenizer.json", "the tokenizer (%(default)s)"),
        "--device": ("cpu", "cpu or gpu (%(default)s)"),
    }
    for flag in flags:
        default, help = flags_help[flag]
        parser.add_argument(flag, default=default, help=help)
