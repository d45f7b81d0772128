"""The model that is examined: what it writes, and how likely it finds what others wrote.

`Subject` puts many questions to a model at once, on all cores, shows a bar meanwhile, and counts
the tokens, so that an evaluation knows its cost. It knows ids, not questions: those are in the
modules that use it.

Scoring never needs sampling. Whether greedy decoding would write a given continuation is read from
one pass over it: as long as the model's likeliest token is the given one at every place, greedy
decoding goes the same way.
"""

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from minigpt.backend import to_numpy
from minigpt.distribution import Settings
from minigpt.parallel import slices
from minigpt.sample import Generation, write

LOGITS = 1 << 24  # scores held at a time by each worker
BATCH = 32  # sequences at a time, at most


class Scored(NamedTuple):
    """What a model thinks of the last ids of a sequence, one value for each."""

    losses: np.ndarray  # (n,) nats
    likeliest: np.ndarray  # (n,) bool: greedy decoding would have chosen this id


class Subject:
    """A model with its tokenizer and the Workers it may use."""

    def __init__(self, model, tokenizer, workers, quiet=False):
        self.model, self.tokenizer, self.workers, self.quiet = model, tokenizer, workers, quiet
        self.window = model.config.n_positions
        self.separator = tokenizer.eot_token
        self.n_tokens = 0  # read or written; a cache of keys and values would compute each once

    def encode(self, text):
        """Return the ids of a text."""
        return self.tokenizer.encode_ordinary(text)

    def decode(self, ids):
        """Return the text of ids; bytes that are no whole character show as U+FFFD."""
        return self.tokenizer.decode_bytes(list(ids)).decode("utf-8", "replace")

    def bar(self, title, total):
        """Return a progress bar; none where nobody watches."""
        return tqdm(desc=title, total=total, disable=True if self.quiet else None, leave=False)

    def ids_with(self, piece):
        """Return all ids whose bytes hold `piece`, to stop before."""
        return [i for i, token in self.tokenizer.tokens.items() if piece in token]

    def write(self, title, prompts, n_tokens, temperature, seed=0, top_p=None, stop=()):
        """Return for each prompt (ids) what the model writes, up to `n_tokens` ids.

        It ends before a separator and before an id of `stop`. Prompt number i is written with the
        seed `seed` + i.
        """
        settings, stop = Settings(temperature, top_p=top_p), (self.separator, *stop)
        groups = slices(len(prompts), max(self.workers.n, -(-len(prompts) // BATCH)))
        with self.bar(title, len(prompts)) as bar:

            def work(group):
                seeds = range(seed + group.start, seed + group.stop)
                generation = Generation(
                    self.model, prompts[group], n_tokens, settings, stop, seeds,
                    n_vocab=self.tokenizer.n_vocab,
                )  # fmt: skip
                written = write(generation)
                bar.update(len(written))
                return written

            written = [ids for part in self.workers.map(work, groups) for ids in part]
        self.n_tokens += sum(map(len, [*prompts, *written]))
        return written

    def score(self, title, sequences, greedy=False):
        """Return a Scored for each of `sequences`, pairs of ids and how many last ones count.

        The first id of a sequence is context and never counts. A sequence that is longer than
        the window, and the id to predict, keeps its end. Without `greedy` likeliest is empty.
        """
        T, V = self.window, self.model.config.vocab_size
        sequences = [(ids[-T - 1 :], min(n, len(ids[-T - 1 :]) - 1)) for ids, n in sequences]
        order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i][0]))
        batches, room, scored = [], 0, [None] * len(sequences)
        for i in order:  # sequences of like length together
            if not batches or len(batches[-1]) >= room:
                batches.append([])
                room = max(1, min(BATCH, LOGITS // (V * len(sequences[i][0]))))
            batches[-1].append(i)
        with self.bar(title, len(sequences)) as bar:

            def work(batch):
                for i, result in zip(batch, self._score([sequences[i] for i in batch], greedy),
                                     strict=True):  # fmt: skip
                    scored[i] = result
                bar.update(len(batch))

            self.workers.map(work, batches)
        self.n_tokens += sum(len(ids) - 1 for ids, _ in sequences)
        return scored

    def _score(self, batch, greedy):
        """Score a few sequences at once, the shorter ones filled up at their end."""
        T = max(len(ids) for ids, _ in batch) - 1
        xp = self.model.device.xp
        ids = np.zeros((len(batch), T), np.int64)  # (B, T)
        targets = np.full((len(batch), T), -1, np.int64)  # (B, T)
        for row, (sequence, n) in enumerate(batch):
            end = len(sequence) - 1
            ids[row, :end] = sequence[:-1]
            targets[row, end - n : end] = sequence[len(sequence) - n :]
        if greedy:
            logits = to_numpy(self.model.logits(ids))  # (B, T, V)
            hits = logits.argmax(-1) == targets  # (B, T)
            logits -= logits.max(-1, keepdims=True)
            given = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], -1)[..., 0]
            losses = np.log(np.exp(logits).sum(-1)) - given  # (B, T)
        else:
            losses = to_numpy(self.model.losses(xp.asarray(ids), xp.asarray(targets)))  # (B, T)
        for row, (sequence, n) in enumerate(batch):
            counted = slice(len(sequence) - 1 - n, len(sequence) - 1)
            yield Scored(losses[row, counted], hits[row, counted] if greedy else np.zeros(0, bool))
