"""Encode text into ids and decode ids into text, with a vocabulary learned or loaded.

The names are tiktoken's. `naive.py` says what encoding is; `plain.py` makes it quick, and `fast.py`
very quick for longer texts. Training is in `train.py`, the file formats in `loading.py`.

Every str comes back from `decode(encode(text))`, lone surrogates included (tiktoken and
`tokenizers` replace or refuse those), and every bytes from `decode_bytes(encode_bytes(data))`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path

import numpy as np

from bpe import loading
from bpe.fast import FastEncoder
from bpe.fast_merge import Merger
from bpe.fast_ranks import NO_TOKEN
from bpe.naive import Pair, vocabulary
from bpe.plain import PlainEncoder
from bpe.published import END_OF_TEXT
from bpe.ranks import merge_by_rank
from bpe.special import choose, number_special_tokens, split_special
from bpe.split import Splitter, to_bytes, to_text
from bpe.stream import cut_stream, encode_stream
from bpe.vocabulary import check_vocabulary

INSIDE_CHARACTER = bytes(range(0x80, 0xC0))  # begin no character of UTF-8 (RFC 3629, section 3)
ONE_STR = "texts is one str; it must be several: put it into a list, [text]"
FAST_CHARS = 1000  # characters; shorter texts are faster in the plain way than with NumPy

Chosen = str | Collection[str]  # special tokens: some of them, or "all"


class Tokenizer:
    """A byte-level BPE tokenizer; made by `bpe.train` or `Tokenizer.load`."""

    def __init__(
        self,
        tokens: Mapping[int, bytes],
        merges: Sequence[Pair],
        pattern: str = "gpt4",
        special_tokens: Mapping[str, int] | None = None,
        ignore_merges: bool = False,
    ):
        """Build a tokenizer from what each ordinary id stands for and the merges, in order.

        `ignore_merges`: a chunk that is itself a token gets that token's id, whether merges reach
        it or not. Raises ValueError if ids, tokens and merges contradict each other.
        """
        self.tokens = dict(tokens)
        self.merges = list(merges)
        self.special_tokens = dict(special_tokens or {})
        self.ignore_merges = ignore_merges
        self.splitter = Splitter(pattern)
        check_vocabulary(self.tokens, self.merges, self.special_tokens, ignore_merges)
        self._ids = {token: id for id, token in self.tokens.items()}
        self._byte_ids = [self._ids[bytes([byte])] for byte in range(256)]
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self._made = [self._ids[tokens[first] + tokens[second]] for first, second in self.merges]
        self._bytes = self.tokens | {id: to_bytes(t) for t, id in self.special_tokens.items()}
        self.n_vocab = max(self._bytes) + 1  # one more than the highest id
        self._plain = PlainEncoder(self.splitter, self._encode_chunk)
        self._fast = None
        if self.splitter.known and not ignore_merges and max(self.tokens) < NO_TOKEN:
            merger = Merger(self.tokens, self._ranks, self._made)
            self._fast = FastEncoder(merger, self.splitter)

    @classmethod
    def from_merges(
        cls, merges: Sequence[Pair], pattern: str = "gpt4", special_tokens: Iterable[str] = ()
    ) -> "Tokenizer":
        """Number bytes first (in GPT-2's order), then what each merge made, then special tokens."""
        tokens = dict(enumerate(vocabulary(merges)))
        return cls(tokens, merges, pattern, number_special_tokens(special_tokens, len(tokens)))

    @classmethod
    def load(
        cls,
        path: str | Path,
        pattern: str | None = None,
        special_tokens: Mapping[str, int] | Iterable[str] | None = None,
    ) -> "Tokenizer":
        """Load a tokenizer from a file, or from the folder it is in.

        Hugging Face's `tokenizer.json` says everything itself. For the others these are the
        defaults. GPT-2's `vocab.json` and `merges.txt` (name either): pattern "gpt2", and as
        special tokens <|endoftext|> and those in `added_tokens.json`. A `.tiktoken` rank file: what
        tiktoken uses for it, if it is o200k_base, cl100k_base or r50k_base; else pattern "gpt4" and
        no special tokens.

        A dict of `special_tokens` gives their ids. For a list these are the ids in `vocab.json`,
        or those after the last rank. Raises ValueError if the file is damaged, contradicts itself,
        or needs what this tokenizer does not have.
        """
        try:
            return cls(**loading.read(path, pattern, special_tokens))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save(self, path: str | Path) -> None:
        """Write `tokenizer.json`, or a rank file where `path` ends in .tiktoken.

        A rank file keeps neither the pattern nor the special tokens. Raises ValueError if the
        format cannot express what this tokenizer does.
        """
        loading.write(path, self)

    def __repr__(self) -> str:
        return f"<bpe.Tokenizer of {self.n_vocab:,} symbols>"

    def __reduce__(self):
        # For sending to worker processes: without the caches.
        parts = self.tokens, self.merges, self.splitter.pattern, self.special_tokens
        return Tokenizer, (*parts, self.ignore_merges)

    # ---- text to ids ----------------------------------------------------------------------

    def encode_ordinary(self, text: str) -> list[int]:
        """Encode `text`; what looks like a special token is text like any other."""
        return next(self._encode_each([text]))

    def encode_ordinary_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Encode each text as `encode_ordinary` does; many short ones are faster together."""
        if isinstance(texts, str):
            raise ValueError(ONE_STR)
        return list(self._encode_each(list(texts)))

    def encode_single_token(self, text: str | bytes) -> int:
        """Give the id of one token, special or not. Raises ValueError if `text` is not one."""
        token = text if isinstance(text, bytes) else to_bytes(text)
        id = self.special_tokens.get(text, self._ids.get(token))
        if id is None:
            raise ValueError(f"{text!r} is no single token; encode it with `encode`")
        return id

    def encode(
        self, text: str, allowed_special: Chosen = (), disallowed_special: Chosen = "all"
    ) -> list[int]:
        """Encode `text`, and the special tokens in `allowed_special` as such ("all": every one).

        Raises ValueError if the text holds one of `disallowed_special` ("all": every one not
        allowed), so that nobody's text can pass for a special token unnoticed. With
        `disallowed_special=()` the others are ordinary text.
        """
        return self.encode_batch([text], allowed_special, disallowed_special)[0]

    def encode_batch(
        self, texts: Iterable[str], allowed_special: Chosen = (), disallowed_special: Chosen = "all"
    ) -> list[list[int]]:
        """Encode each text as `encode` does; many short ones are faster together."""
        if isinstance(texts, str):
            raise ValueError(ONE_STR)
        allowed, disallowed = choose(self.special_tokens, allowed_special, disallowed_special)
        rows = [split_special(text, allowed, disallowed) for text in texts]
        encoded = self._encode_each([part for row in rows for part in row[::2]])
        batch = []
        for row in rows:
            ids = next(encoded)
            for special in row[1::2]:
                ids.append(self.special_tokens[special])
                ids += next(encoded)
            batch.append(ids)
        return batch

    def encode_to_numpy(
        self, text: str, allowed_special: Chosen = (), disallowed_special: Chosen = "all"
    ) -> np.ndarray:
        """Encode as `encode` does, into an array of uint32."""
        allowed, disallowed = choose(self.special_tokens, allowed_special, disallowed_special)
        row = split_special(text, allowed, disallowed)
        if self._fast and len(text) >= FAST_CHARS:
            row[::2] = map(np.concatenate, self._fast.encode_arrays(row[::2]))
        else:
            row[::2] = [np.fromiter(self._plain.encode(part), np.uint32) for part in row[::2]]
        row[1::2] = [np.array([self.special_tokens[part]], np.uint32) for part in row[1::2]]
        return np.concatenate(row)  # (T,)

    def encode_iterable(
        self, texts: Iterable[str], allowed_special: Chosen = (), disallowed_special: Chosen = "all"
    ) -> Iterator[int]:
        """Encode texts, such as the lines of a file, as the one text they are together.

        Yields its ids one by one. Of a text of any length, less than a megabyte is held in memory;
        all of it with a pattern other than "gpt4" and "gpt2", or where there is no place to cut, as
        in letters alone. Raises as `encode` does, when it comes to the place.
        """
        allowed, disallowed = choose(self.special_tokens, allowed_special, disallowed_special)
        parts = cut_stream(texts, allowed, disallowed, self.splitter.known)
        encode_each = self._fast.smaller().encode_lists if self._fast else self._encode_each
        return encode_stream(parts, encode_each, self.special_tokens)

    def encode_bytes(self, data: bytes) -> list[int]:
        """Encode any bytes; valid UTF-8 gets the ids of its text."""
        try:
            return self.encode_ordinary(data.decode("utf-8"))
        except UnicodeDecodeError:
            # Each invalid byte becomes a lone surrogate, which the pattern takes for punctuation.
            return next(self._encode_each([data.decode("utf-8", "surrogateescape")], escaped=True))

    def _encode_each(self, texts: Sequence[str], escaped: bool = False) -> Iterator[list[int]]:
        if self._fast and sum(map(len, texts)) >= FAST_CHARS:
            return self._fast.encode_lists(texts, escaped)
        return (list(self._plain.encode(text, escaped)) for text in texts)

    def _encode_chunk(self, chunk: bytes) -> list[int]:
        if self.ignore_merges and chunk in self._ids:
            return [self._ids[chunk]]
        return merge_by_rank([self._byte_ids[byte] for byte in chunk], self._ranks, self._made)

    # ---- ids to text ----------------------------------------------------------------------

    def decode(self, ids: Iterable[int], errors: str = "replace") -> str:
        """Decode ids into text; bytes that are not UTF-8 become U+FFFD. Raises as `decode_bytes`.

        `errors`: what to do with such bytes, "replace", "ignore" or "strict" (raises
        UnicodeDecodeError, a ValueError).
        """
        return to_text(self.decode_bytes(ids), errors)

    def decode_batch(self, batch: Iterable[Iterable[int]], errors: str = "replace") -> list[str]:
        """Decode each list of ids as `decode` does."""
        return [self.decode(ids, errors) for ids in batch]

    def decode_with_offsets(self, ids: Iterable[int]) -> tuple[str, list[int]]:
        """Decode ids into text, and tell at which character of it each id begins.

        An id that begins inside a character has the offset of that character. Raises as
        `decode_bytes`, and UnicodeDecodeError, a ValueError, if the bytes are not UTF-8.

        >>> tokenizer = Tokenizer.from_merges([])  # a token is a byte; "é" has two
        >>> tokenizer.decode_with_offsets(tokenizer.encode("née"))
        ('née', [0, 1, 1, 2])
        """
        tokens = self.decode_tokens_bytes(ids)
        offsets, num_chars = [], 0
        for token in tokens:
            offsets.append(num_chars - (token[0] in INSIDE_CHARACTER))
            num_chars += len(token.translate(None, INSIDE_CHARACTER))
        try:
            return to_text(b"".join(tokens), "strict"), offsets
        except UnicodeDecodeError as error:
            error.reason += "; offsets need whole characters: use decode_tokens_bytes"
            raise

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Decode ids into bytes. Raises ValueError for an id without a token."""
        return b"".join(self.decode_tokens_bytes(ids))

    def decode_tokens_bytes(self, ids: Iterable[int]) -> list[bytes]:
        """List the bytes each id stands for. Raises ValueError for an id without a token."""
        if isinstance(ids, np.ndarray):
            ids = ids.tolist()  # looking up Python's own integers is several times as fast
        try:
            return list(map(self._bytes.__getitem__, ids))
        except KeyError as error:
            id = error.args[0]
            if not isinstance(id, Integral):
                id, reason = repr(id), "; it must be a whole number"
            elif 0 <= id < self.n_vocab:
                reason = "; this vocabulary leaves that one out"
            else:
                reason = f"; it must be at least 0 and below n_vocab, {self.n_vocab}"
            raise ValueError(
                f"id is {id}{reason}: decode with the tokenizer that encoded"
            ) from None

    def decode_single_token_bytes(self, id: int) -> bytes:
        """Give the bytes one id stands for. Raises ValueError for an id without a token."""
        return self.decode_bytes([id])

    # ---- the vocabulary -------------------------------------------------------------------

    @property
    def eot_token(self) -> int:
        """The id of <|endoftext|>. Raises ValueError if there is none."""
        if END_OF_TEXT not in self.special_tokens:
            raise ValueError(
                f"there is no special token {END_OF_TEXT}; name it in special_tokens when training"
            )
        return self.special_tokens[END_OF_TEXT]

    @property
    def max_token_value(self) -> int:
        """The highest id."""
        return self.n_vocab - 1

    @property
    def special_tokens_set(self) -> set[str]:
        """The texts of the special tokens."""
        return set(self.special_tokens)

    def is_special_token(self, id: int) -> bool:
        """Tell whether `id` is that of a special token."""
        return id in self.special_tokens.values()

    def token_byte_values(self) -> list[bytes]:
        """List the bytes of every ordinary token, sorted."""
        return sorted(self.tokens.values())
