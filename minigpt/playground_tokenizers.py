"""The tokenizers that the page compares: the models' own, smaller ones, published ones.

A small vocabulary cuts text finer. Smaller ones cost nothing: the first merges of a tokenizer are
one (bpe/prefix.py). Rank files of GPT-2 and GPT-4 (`*.tiktoken`) are used where they lie in the
out folder; nothing is fetched.
"""

import threading
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bpe import Tokenizer
from bpe.merges import merge_steps
from bpe.prefix import first_merges
from bpe.published import recognise
from bpe.show import visible
from bpe.split import to_bytes
from minigpt.api_errors import ApiError

SIZES = (0, 256, 1024, 4096, 16384)  # merges
MOST_CHUNKS, MOST_CHUNK_BYTES = 50, 200  # whose merges are played


class Entry(NamedTuple):
    """A tokenizer that can be had: `make` takes its time."""

    name: str
    n_vocab: int
    about: str
    make: object


class Tokenizers:
    """Tokenizers by name, each made when it is first asked for.

    `models` are the served ones by name, which may be others every time.
    """

    def __init__(self, out=None):
        self.out, self._lock = out, threading.Lock()
        self._known, self._entries, self._made = None, {}, {}

    def describe(self, models):
        """List [{"name", "n_vocab", "about"}]."""
        entries = self._look(models)[0].values()
        return [{"name": e.name, "n_vocab": e.n_vocab, "about": e.about} for e in entries]

    def tokenizer(self, models, name, param):
        """Return the tokenizer called `name`; raise ApiError (404) where there is none."""
        entries, made = self._look(models)
        try:
            if name not in made:
                made[name] = entries[name].make()
            return made[name]
        except (KeyError, TypeError):
            known = ", ".join(entries)
            reason = f"there is no tokenizer {str(name)[:60]!r}; there are {known}"
        except (OSError, ValueError) as error:
            reason = str(error)
        raise ApiError(404, reason, param, "tokenizer_not_found")

    def _look(self, models):
        """Return (entries, those made) for the models of now."""
        with self._lock:
            now = [(name, served.tokenizer) for name, served in models.items()]
            if now != self._known:
                self._known, self._entries, self._made = now, {}, {}
                for entry in (*own(models), *smaller(models), *published(self.out)):
                    self._entries.setdefault(entry.name, entry)
            return self._entries, self._made


def own(models):
    """Yield an Entry for every different tokenizer of the models.

    Control tokens make no difference: nobody's text has them.
    """
    groups = []
    for name, served in models.items():
        t = served.tokenizer
        parts = (t.tokens, t.merges, t.splitter.pattern, t.ignore_merges)
        for other, names, _ in groups:
            if other == parts:
                names.append(name)
                break
        else:
            groups.append((parts, [name], t))
    for _, names, tokenizer in groups:
        about = f"the tokenizer of {' and '.join(names)}"
        yield Entry(names[0], tokenizer.n_vocab, about, lambda t=tokenizer: t)


def smaller(models):
    """Yield an Entry for each size on the way to the first model's tokenizer."""
    for name, served in list(models.items())[:1]:
        tokenizer = served.tokenizer
        n_others = 256 + len(tokenizer.special_tokens)
        for n in SIZES:
            if n >= len(tokenizer.merges):
                break
            title = f"first {n:,} merges" if n else "bytes only"
            when = f"it had learned {n:,} merges" if n else "it learned anything"
            about = f"{name}'s tokenizer {'when' if n else 'before'} {when}"
            yield Entry(title, n_others + n, about, partial(first_merges, tokenizer, n))


def published(out):
    """Yield an Entry for each rank file in `out` that is known."""
    for path in sorted(Path(out).glob("*.tiktoken")) if out else []:
        try:
            known = recognise(path)
        except OSError:
            continue
        if known:
            n_vocab = max(known.special_tokens.values()) + 1
            about = f"published by OpenAI, from {path.name}"
            yield Entry(known.name, n_vocab, about, partial(Tokenizer.load, path))


def play(tokenizer, text):
    """Return {"chunks": [{"text", "steps"}], "left_out": how many further chunks there are}.

    A step is {"pieces", "ids", "at", "rank", "new_id"}: the pair at `at` is merged next, by the
    merge of that rank, into `new_id`; in the last, which has the tokens, these are None. Raises
    ValueError for a chunk of more than MOST_CHUNK_BYTES: the steps grow with the square of it.
    """
    chunks, played = tokenizer.splitter.chunks(text), []
    for chunk in chunks[:MOST_CHUNKS]:
        if (n_bytes := len(to_bytes(chunk))) > MOST_CHUNK_BYTES:
            raise ValueError(
                f"text has a chunk of {n_bytes} bytes, {chunk[:20]!r}...; it must have at most "
                f"{MOST_CHUNK_BYTES}: put a space into it"
            )
        steps = [
            {
                "pieces": [visible(token) for token in tokenizer.decode_tokens_bytes(step.ids)],
                **step._asdict(),
            }
            for step in merge_steps(tokenizer, chunk)
        ]
        played.append({"text": chunk, "steps": steps})
    return {"chunks": played, "left_out": len(chunks) - len(played)}
