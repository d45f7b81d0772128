"""The tokenizers that the page compares: the models' own, smaller ones, published ones.

A small vocabulary cuts text finer. Smaller ones cost nothing: the first merges of a tokenizer are
one (bpe/prefix.py). Rank files of GPT-2 and GPT-4 are used where they lie in the out folder as
*.tiktoken; nothing is fetched.
"""

import threading
from functools import partial
from pathlib import Path

from bpe import Tokenizer
from bpe.prefix import first_merges
from bpe.published import recognise
from minigpt.playground_json import Refused

SIZES = (0, 256, 1024, 4096, 16384)  # merges


class Shelf:
    """Tokenizers by name, made when first asked for."""

    def __init__(self, models, out=None):
        self._made, self._lock = {}, threading.Lock()
        self._entries = {}  # name -> (n_vocab, about, how to make it)
        for name, others, tokenizer in distinct(models):
            about = f"the tokenizer of {' and '.join([name, *others])}"
            self._entries[name] = (tokenizer.n_vocab, about, lambda t=tokenizer: t)
        if models:
            name = next(iter(models))
            self._add_smaller(name, models[name].tokenizer)
        if out:
            self._add_published(Path(out))

    def _add_smaller(self, name, tokenizer):
        n_special = len(tokenizer.special_tokens)
        for n in SIZES:
            if n < len(tokenizer.merges):
                title = f"first {n:,} merges" if n else "bytes only"
                about = (
                    f"{name}'s tokenizer when it had learned {n:,} merges"
                    if n
                    else (f"{name}'s tokenizer before it had learned anything")
                )
                make = partial(first_merges, tokenizer, n)
                self._entries[title] = (256 + n + n_special, about, make)

    def _add_published(self, out):
        for path in sorted(out.glob("*.tiktoken")):
            try:
                known = recognise(path)
            except OSError:
                continue
            if known:
                n_vocab = max(known.special_tokens.values()) + 1
                about = f"published by OpenAI, read from {path.name}"
                self._entries[known.name] = (n_vocab, about, partial(Tokenizer.load, path))

    def describe(self):
        """List [{"name", "n_vocab", "about"}]."""
        return [
            {"name": name, "n_vocab": n_vocab, "about": about}
            for name, (n_vocab, about, _) in self._entries.items()
        ]

    def tokenizer(self, name, param="tokenizers"):
        """Return the tokenizer called `name`; raise Refused (404) where there is none."""
        if not isinstance(name, str) or name not in self._entries:
            raise Refused(
                f"there is no tokenizer {str(name)[:60]!r}; there are {', '.join(self._entries)}",
                param, 404, "tokenizer_not_found",
            )  # fmt: skip
        with self._lock:
            if name not in self._made:
                try:
                    self._made[name] = self._entries[name][2]()
                except (OSError, ValueError) as error:
                    raise Refused(str(error), param, 404, "tokenizer_not_found") from None
            return self._made[name]


def distinct(models):
    """Yield (name, names of others that cut text alike, tokenizer) of served models."""
    groups = []
    for name, served in models.items():
        t = served.tokenizer
        key = (t.tokens, t.merges, t.splitter.pattern, t.ignore_merges)
        for known, names, _ in groups:
            if known == key:
                names.append(name)
                break
        else:
            groups.append((key, [name], t))
    for _, (name, *others), tokenizer in groups:
        yield name, others, tokenizer
