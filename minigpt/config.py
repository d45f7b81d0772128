"""Every setting of the model and of a training run, with its default, as flags.

ModelConfig says how large a model is, TrainConfig how it is trained. `python -m minigpt pretrain`
makes its flags from their fields, so that each default stands in one place. The model's names are
those of Hugging Face's config.json for GPT-2. Named sets of settings are in presets.py.
"""

import argparse
import math
from dataclasses import asdict, dataclass, field, fields, replace

OPTIMIZERS = ("adamw", "muon")
# Steps after which the validation loss is measured too, since it falls fastest at first. In a run
# of LONG_RUN steps all three take about a hundredth of the time.
EARLY_LOOKS, LONG_RUN = (25, 50, 100), 1500


def require(condition, name, value, rule):
    """Raise ValueError with value and rule unless `condition` holds."""
    if not condition:
        raise ValueError(f"{name} is {value}; it must {rule}")


def setting(default, help, choices=None):
    """Return a dataclass field with a sentence for --help and the values it may have."""
    return field(default=default, metadata={"help": help, "choices": choices})


MOST_LAYERS = 10_000  # for a billion, the names alone take hours and more memory than there is


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
        few = self.n_layer <= MOST_LAYERS
        require(few, "n_layer", self.n_layer, f"be at most {MOST_LAYERS:,}")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "be at least 0 and below 1")
        epsilon = self.layer_norm_epsilon
        require(epsilon > 0, "layer_norm_epsilon", epsilon, "be above 0")
        require(epsilon < math.inf, "layer_norm_epsilon", epsilon, "be finite")
        divides = self.n_embd % self.n_head == 0
        require(divides, "n_head", self.n_head, f"divide n_embd, which is {self.n_embd}")

    def n_params(self):
        """Return the number of parameters; the token embedding, used twice, counts once."""
        # matrices 3 C C, C C, 4 C C, 4 C C; their biases 9 C; two normalisations of 2 C each
        per_layer = 12 * self.n_embd**2 + 13 * self.n_embd
        embeddings = (self.vocab_size + self.n_positions) * self.n_embd
        return embeddings + self.n_layer * per_layer + 2 * self.n_embd

    def flops_per_token(self):
        """Return the floating-point operations of forward and backward for one token.

        6 for every weight that multiplies: to multiply and to add, once forward and twice backward,
        for dx and for dw. And 12 L T C for attention, as if no key were masked: in each layer
        q k^T and att v take 2 T C each forward (Chowdhery et al. 2022, "PaLM", appendix B).
        """
        multiplying = 12 * self.n_layer * self.n_embd**2 + self.vocab_size * self.n_embd
        return 6 * multiplying + 12 * self.n_layer * self.n_positions * self.n_embd


@dataclass(frozen=True)
class TrainConfig:
    """How long, how fast and on what to train."""

    steps: int = setting(1000, "updates of the weights")
    epochs: float = setting(0.0, "passes over the training text, instead of steps; 0: as steps say")
    batch_size: int = setting(12, "B, windows in a batch")
    accumulate: int = setting(1, "batches whose gradients are added up before an update")
    optimizer: str = setting("adamw", "muon takes fewer steps, each somewhat longer", OPTIMIZERS)
    learning_rate: float = setting(1e-3, "peak of the schedule")
    min_learning_rate: float = setting(1e-4, "end of the schedule's cosine")
    warmup_steps: int = setting(100, "steps over which the learning rate rises from 0")
    beta1: float = setting(0.9, "AdamW: memory of the gradient's mean")
    beta2: float = setting(0.99, "AdamW: memory of the gradient's square")
    epsilon: float = setting(1e-8, "AdamW: keeps the division finite")
    weight_decay: float = setting(0.1, "pull of the matrices towards 0")
    grad_clip: float = setting(1.0, "largest norm of the gradient; 0 for no limit")
    eval_every: int = setting(250, "steps between looks at the validation text")
    eval_windows: int = setting(100, "validation windows looked at, always the same ones")
    sample_every: int = setting(500, "steps between samples of what the model writes; 0 for none")
    patience: int = setting(0, "stop after so many looks without a better loss; 0: never")
    keep_best: bool = setting(True, "keep the model of the lowest validation loss, in OUT/best")
    save_every_s: float = setting(30.0, "seconds between checkpoints")
    workers: int = setting(0, "processes, each with a slice of the batch; 0 for one a core")
    seed: int = setting(1337, "decides the first weights and the order of the data")

    def __post_init__(self):
        at_least_1 = ("steps", "batch_size", "accumulate", "eval_every", "eval_windows")
        for name in at_least_1:
            require(getattr(self, name) >= 1, name, getattr(self, name), "be at least 1")
        at_least_0 = (
            "epochs", "learning_rate", "min_learning_rate", "warmup_steps", "weight_decay",
            "grad_clip", "sample_every", "patience", "save_every_s", "workers", "seed",
        )  # fmt: skip
        for name in at_least_0:
            require(getattr(self, name) >= 0, name, getattr(self, name), "be at least 0")
        for name in ("epochs", "learning_rate", "min_learning_rate", "weight_decay", "epsilon"):
            require(getattr(self, name) < math.inf, name, getattr(self, name), "be finite")
        known = " or ".join(OPTIMIZERS)
        require(self.optimizer in OPTIMIZERS, "optimizer", self.optimizer, f"be {known}")
        for name in ("beta1", "beta2"):
            beta = getattr(self, name)
            require(0 <= beta < 1, name, beta, "be at least 0 and below 1")
        require(self.epsilon > 0, "epsilon", self.epsilon, "be above 0")

    def windows_per_step(self):
        """Return how many windows an update learns from."""
        return self.batch_size * self.accumulate

    def looks_at(self, step):
        """Tell whether the validation loss is measured after so many steps."""
        is_early = step in EARLY_LOOKS and step < self.eval_every and self.steps >= LONG_RUN
        return is_early or self.counts_look(step)

    def counts_look(self, step):
        """Tell whether the look after so many steps can be the best and counts for `patience`."""
        return step % self.eval_every == 0 or step == self.steps

    def with_steps(self, windows_per_epoch):
        """Return the settings with `epochs` turned into steps, rounded up."""
        if not self.epochs:
            return self
        steps = math.ceil(self.epochs * windows_per_epoch / self.windows_per_step())
        return replace(self, steps=max(1, steps), epochs=0.0)


def add_flags(parser, config_class, skip=()):
    """Add a flag to an argparse parser for each field of `config_class`; unset ones are None."""
    for f in fields(config_class):
        if f.name not in skip:
            flag, help = "--" + f.name.replace("_", "-"), f.metadata["help"]
            if f.type is bool:
                parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=help)
            else:
                choices = f.metadata["choices"]
                name = None if choices else f.type.__name__
                parser.add_argument(
                    flag, dest=f.name, type=f.type, metavar=name, choices=choices, help=help
                )


def add_run_flags(parser):
    """Add the flags that say how a run starts."""
    group = parser.add_mutually_exclusive_group()
    for start, help in (
        ("fresh", "start anew even if a run can be continued"),
        ("resume", "only continue: refuse to start anew"),
    ):
        group.add_argument(
            f"--{start}", dest="start", action="store_const", const=start, default="auto", help=help
        )
    parser.add_argument(
        "--force", action="store_true",
        help="try even what seems not to fit in memory, or to take longer than a month",
    )  # fmt: skip


def with_flags(config, args: argparse.Namespace):
    """Return `config` with the fields that were given as flags replaced."""
    given = {name: getattr(args, name, None) for name in asdict(config)}
    return replace(config, **{name: value for name, value in given.items() if value is not None})


def add_paths(parser, *flags, beside=None):
    """Add the flags that several commands share.

    If what they name may be found `beside` an argument (beside.py), their default is None.
    """
    flags_help = {
        "--tokens": ("out/tokens", "folder written by `tokenize` (%(default)s)"),
        "--tokenizer": ("out/tokenizer/tokenizer.json", "the tokenizer (%(default)s)"),
        "--device": ("cpu", "cpu or gpu (%(default)s)"),
    }
    for flag in flags:
        default, help = flags_help[flag]
        if beside is not None:
            help = help.replace("%(default)s", f"default: beside {beside}, else {default}")
            default = None
        parser.add_argument(flag, default=default, help=help)
        if flag == "--device":
            help = "on a GPU fp32, tf32 or bf16, the default where it can; on a CPU fp32"
            parser.add_argument("--precision", choices=("fp32", "tf32", "bf16"), help=help)
