"""Documents -> ids on disk -> batches.

`tokenize` writes a folder of

    train.npy, val.npy   all ids in one row, uint16 or uint32; every document starts with the
                         separator <|endoftext|>; a file may be larger than memory, since it is
                         opened memory-mapped
    tokens.json          the report: documents, tokens and bytes of each part, and a fingerprint
                         of the tokenizer

One whole document in 20 is held out for validation, so training never sees its text. Where there
are fewer than 20 documents (a book, say) the last tenth of each is held out instead.

The tokenizer itself is in the package `bpe`; the format .npy is NumPy's (NEP 1).
"""

import hashlib
import itertools
import json
import math
import os
import secrets
import time
from pathlib import Path

import numpy as np

from bpe.documents import documents
from bpe.files import atomic_write
from bpe.mistakes import reason
from minigpt.amounts import count, format_bytes

SEPARATOR = "<|endoftext|>"
REPORT = "tokens.json"
LEAST_CHAT_WINDOW = 64  # tokens; a smaller one holds little of what fine-tuning asks and answers
VAL_EVERY = 20  # one document in so many is held out,
VAL_TAIL = 0.1  # or this share of each, where there are fewer documents than that
# Text for each token of a window, so that the held-out text fills one: of 39 documents only one is
# held out, and from so little text the tokenizer makes tokens of up to six bytes.
ENOUGH_BYTES = 6 * (2 * VAL_EVERY - 1)


def split_documents(texts):
    """Yield (part, text) for an iterable of texts, part being "train" or "val"."""
    texts = iter(texts)
    first = list(itertools.islice(texts, VAL_EVERY))
    if len(first) < VAL_EVERY:
        for text in first:
            cut = tail_start(text)
            yield "train", text[:cut]
            yield "val", text[cut:]
        return
    for i, text in enumerate(itertools.chain(first, texts)):
        yield ("val" if i % VAL_EVERY == VAL_EVERY - 1 else "train"), text


def tail_start(text):
    """Return where the last tenth of `text` starts: after a line's end if there is one near."""
    cut = int(len(text) * (1 - VAL_TAIL))
    line_end = text.find("\n", cut, min(cut + 1000, len(text) - 1))
    return line_end + 1 if line_end >= 0 else cut


class TokenWriter:
    """Append ids to a .npy file whose length is known only at the end.

    The ids go to a file that ends in .part; `close` puts the header before them and renames the
    file. Of two writers to one path the later one succeeds, and the earlier one cannot close.
    """

    def __init__(self, path, dtype):
        self.path, self.dtype = Path(path), np.dtype(dtype)
        for left in self.path.parent.glob(f"{self.path.name}.*part"):  # by one that was killed
            left.unlink(missing_ok=True)
        self.part = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.part")
        self.file = open(self.part, "wb")  # noqa: SIM115  close() and discard() close it
        self.n_tokens, self.sha256 = 0, hashlib.sha256()
        self._write_header()  # as long as the final one: NumPy leaves room for a longer number

    def _write_header(self):
        shape = (self.n_tokens,)
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, ids):
        """Append an array of ids."""
        data = ids.astype(self.dtype).tobytes()
        self.file.write(data)
        self.sha256.update(data)
        self.n_tokens += len(ids)

    def close(self):
        """Finish the file."""
        start = self.file.tell() - self.n_tokens * self.dtype.itemsize
        self.file.seek(0)
        self._write_header()
        assert self.file.tell() == start, "the header grew"
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.part, self.path)

    def discard(self):
        """Remove what was written."""
        self.file.close()
        self.part.unlink(missing_ok=True)


def tokenize(paths, tokenizer, folder, progress=lambda texts: texts):
    """Write the ids of all documents of the files `paths` to `folder`; return the report.

    `progress` may wrap the iterable of texts. Raises ValueError for files that are empty or not
    text, and for a tokenizer without <|endoftext|>.
    """
    began = time.monotonic()
    if SEPARATOR not in tokenizer.special_tokens:
        raise ValueError(f"the tokenizer has no {SEPARATOR}; train it with that special token")
    separator = np.array([tokenizer.special_tokens[SEPARATOR]])
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dtype = np.uint16 if tokenizer.n_vocab <= 1 << 16 else np.uint32
    writers = {part: TokenWriter(folder / f"{part}.npy", dtype) for part in ("train", "val")}
    counts = {part: {"documents": 0, "tokens": 0, "bytes": 0} for part in writers}
    try:
        texts = progress(itertools.chain.from_iterable(map(documents, paths)))
        for part, text in split_documents(texts):
            if text:
                writers[part].append(separator)
                # a separator that somebody has typed is text like any other
                writers[part].append(tokenizer.encode_to_numpy(text, disallowed_special=()))
                counts[part]["documents"] += 1
                counts[part]["bytes"] += len(text.encode("utf-8", "surrogatepass"))
        (folder / REPORT).unlink(missing_ok=True)  # it would describe other ids from here on
        for writer in writers.values():
            writer.close()
    except BaseException:
        for writer in writers.values():
            writer.discard()
        raise
    report = {"stage": "tokens", "seconds": round(time.monotonic() - began, 3)}
    for part, writer in writers.items():
        written = {"tokens": writer.n_tokens, "sha256": writer.sha256.hexdigest()}
        report[part] = counts[part] | written
    dtype_name, tokenizer_hash = np.dtype(dtype).name, fingerprint(tokenizer)
    report |= {"vocab_size": tokenizer.n_vocab, "dtype": dtype_name, "tokenizer": tokenizer_hash}
    atomic_write(folder / REPORT, json.dumps(report, indent=1).encode())
    return report


def fingerprint(tokenizer):
    """Return a hash of everything that decides the ids of a text."""
    t = tokenizer
    tokens, special_tokens = sorted(t.tokens.items()), sorted(t.special_tokens.items())
    merges = [(int(first), int(second)) for first, second in t.merges]
    parts = (tokens, merges, t.splitter.pattern, special_tokens, t.ignore_merges)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def read_report(folder):
    """Return the report of a folder that `tokenize` wrote; raise ValueError for a bad one."""
    path = Path(folder) / REPORT
    try:
        report = json.loads(path.read_text("utf-8"))
        train, val = report["train"], report["val"]
        _ = report["tokenizer"], train["sha256"], train["tokens"], val["tokens"]
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist; tokenize first, or give another --tokens"
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path} is not a whole report ({reason(error)}); tokenize again"
        ) from None
    return report


def load_tokens(path, n_vocab=None):
    """Open a .npy file of ids memory-mapped: -> (N,) unsigned integers.

    Raises ValueError if the file is not such an array or was cut off, and for an id that is not
    below `n_vocab`, where that is given.
    """
    try:
        tokens = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # NumPy parses the header as Python: any error may come of it
        said = str(error).partition("\n")[0]
        raise ValueError(f"{path} is not a whole .npy file ({said}); tokenize again") from error
    if tokens.ndim != 1 or tokens.dtype.kind != "u":
        raise ValueError(
            f"{path} holds {tokens.dtype} of shape {tokens.shape}; it must be one row of ids"
        )
    if n_vocab is not None and len(tokens) and (largest := int(tokens.max())) >= n_vocab:
        raise ValueError(
            f"{path} holds the id {largest} at {int(tokens.argmax())}; ids must be below "
            f"{n_vocab}, the number of symbols: tokenize again"
        )
    return tokens


def require_window(lengths, n_positions):
    """Raise ValueError, with what to do, if a text is too short for a window of `n_positions`.

    `lengths` has the number of tokens of each text, by its name.
    """
    name, length = min(lengths.items(), key=lambda item: item[1])
    needed = n_positions + 1
    if length >= needed:
        return
    enough = format_bytes(needed * ENOUGH_BYTES)
    cure = f"bring more text, {enough} or so in all (a longer one, more pages)"
    if length > LEAST_CHAT_WINDOW:
        smaller = f"--n-positions {2 ** int(math.log2(length - 1))}"
        cure += f', or take a smaller window: {smaller} (with make: TRAIN="{smaller}")'
    raise ValueError(
        f"the {name} text has {count(length, 'token')}; it must have at least {needed}, one window "
        f"and its next token: {cure}"
    )


class Windows:
    """Windows of T = `n_positions` ids from a row of ids, and their targets: the id after each.

    In a row a b c d e f g h i, with T = 3, these may be

        ids      b c d      e f g
        targets  c d e      f g h

    An epoch goes through the whole row once, in windows that do not overlap, in a random order.
    The next epoch cuts them at other places. A window may hold the end of one document and the
    beginning of the next, with the separator between them. The windows of a step follow from the
    seed and the step alone, so a training run can be continued anywhere.
    """

    def __init__(self, tokens, n_positions, seed):
        require_window({"training": len(tokens)}, n_positions)
        self.tokens, self.n_positions, self.seed = tokens, n_positions, seed
        self.per_epoch = max(1, (len(tokens) - n_positions) // n_positions)
        self._epoch, self._starts = None, None

    def starts(self, epoch):
        """Return where the windows of `epoch` start, in the order they are used."""
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, epoch])
            # what the windows leave over, at least 1: the last window's last target
            room = len(self.tokens) - self.per_epoch * self.n_positions
            offset = rng.integers(min(room, self.n_positions))
            order = rng.permutation(self.per_epoch)
            self._epoch, self._starts = epoch, offset + order * self.n_positions
        return self._starts

    def batch(self, index, batch_size):
        """Return batch number `index` from the run's start: ids (B, T) and targets (B, T)."""
        first = index * batch_size
        places = (divmod(i, self.per_epoch) for i in range(first, first + batch_size))
        return self._gather([int(self.starts(epoch)[place]) for epoch, place in places])

    def spread(self, n):
        """Return at most `n` windows spread evenly over the row, always the same ones."""
        last = len(self.tokens) - self.n_positions - 1
        n = min(n, last // self.n_positions + 1)
        return self._gather([int(start) for start in np.linspace(0, last, n)])

    def _gather(self, starts):
        T = self.n_positions
        rows = np.stack([self.tokens[start : start + T + 1] for start in starts])  # (B, T + 1)
        rows = rows.astype(np.int64)
        return rows[:, :-1], rows[:, 1:]  # (B, T), (B, T)
