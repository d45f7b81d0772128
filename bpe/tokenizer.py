"""Encode text into ids and decode ids into text, with a vocabulary learned or loaded.

The names are tiktoken's. `naive.py` says what encoding is; here it is made fast: text repeats its
words, so each chunk is merged once and remembered. This is not the training (`train.py`) nor the
file formats (`files.py`).

Every str comes back from `decode(encode(text))`, lone surrogates included (tiktoken and
`tokenizers` replace or refuse those), and every bytes from `decode_bytes(encode_bytes(data))`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from bpe import files
from bpe.naive import Pair, vocabulary
from bpe.ranks import merge_by_rank, merges_from_ranks, require_every_byte
from bpe.split import Splitter, special_tokens_regex, to_bytes, to_text

END_OF_TEXT = "<|endoftext|>"
CACHE_CHUNKS = 1 << 18  # chunks remembered: 20 MB of novels have 62,000 distinct ones
CACHE_CHUNK_CHARS = 64  # longer ones rarely come again


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

        `ignore_merges`: a chunk that is a token as it stands gets its id, reachable by merges or
        not. Raises ValueError where ids, tokens and merges contradict each other.
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
        self._cache = Cache(lambda chunk: self._encode_chunk(to_bytes(chunk)))

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
        """Load a Hugging Face `tokenizer.json`, or a `.tiktoken` rank file.

        A rank file holds neither pattern (default: "gpt4") nor special tokens (default: none; a
        list takes the ids after the last rank, a dict says its own). Raises ValueError where the
        file is damaged, contradicts itself, or needs what this tokenizer does not have.
        """
        path = Path(path)
        try:
            if path.suffix != ".tiktoken":
                if pattern is not None or special_tokens is not None:
                    raise ValueError("it says its own pattern and special tokens; leave yours out")
                return cls(**files.read_tokenizer_json(path))
            tokens = files.read_ranks(path)
            if not isinstance(special_tokens, Mapping):
                special_tokens = number_special_tokens(special_tokens or (), len(tokens))
            return cls(tokens, merges_from_ranks(tokens), pattern or "gpt4", special_tokens)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save(self, path: str | Path) -> None:
        """Write `tokenizer.json`, or a rank file where `path` ends in .tiktoken.

        A rank file keeps neither the pattern nor the special tokens. Raises ValueError where the
        format cannot say what this tokenizer does.
        """
        path = Path(path)
        if path.suffix != ".tiktoken":
            files.write_tokenizer_json(path, self)
        elif sorted(self.tokens) != [*range(len(self.tokens))]:
            raise ValueError("a .tiktoken file numbers tokens from 0 without a gap; save as .json")
        elif merges_from_ranks(self.tokens) != self.merges:
            raise ValueError("a .tiktoken file orders merges by what they make; save as .json")
        else:
            files.write_ranks(path, self.tokens)

    def __repr__(self) -> str:
        return f"<bpe.Tokenizer of {self.n_vocab:,} symbols>"

    def __reduce__(self):
        # For sending to worker processes: without the cache.
        parts = self.tokens, self.merges, self.splitter.pattern, self.special_tokens
        return Tokenizer, (*parts, self.ignore_merges)

    # ---- text to ids ----------------------------------------------------------------------

    def encode_ordinary(self, text: str) -> list[int]:
        """Encode `text`; what looks like a special token is text like any other."""
        # A C loop from chunk to ids: the cache calls `_encode_chunk` for what it does not know.
        blocks = map(self.splitter.chunks, self.splitter.blocks(text))
        return list(chain.from_iterable(map(self._cache.__getitem__, chain.from_iterable(blocks))))

    def encode(
        self,
        text: str,
        allowed_special: str | Collection[str] = frozenset(),
        disallowed_special: str | Collection[str] = "all",
    ) -> list[int]:
        """Encode `text`, and the special tokens in `allowed_special` as such ("all": every one).

        Raises ValueError where the text holds one of `disallowed_special` ("all": every one not
        allowed), so that nobody's text can pass for a special token unnoticed. With
        `disallowed_special=()` the others are ordinary text.
        """
        allowed = self._special_set(allowed_special, "allowed_special")
        disallowed = self._special_set(disallowed_special, "disallowed_special")
        if disallowed_special == "all":
            disallowed -= allowed
        if found := special_tokens_regex(disallowed).search(text):
            raise ValueError(
                f"text holds the special token {found[0]!r} at character {found.start()}; pass "
                f"allowed_special={{{found[0]!r}}} to encode it as such, or disallowed_special=() "
                "to encode it as ordinary text"
            )
        ids = []
        for i, part in enumerate(special_tokens_regex(allowed).split(text)):
            if i % 2:
                ids.append(self.special_tokens[part])
            else:
                ids += self.encode_ordinary(part)
        return ids

    def _special_set(self, texts: str | Collection[str], name: str) -> set[str]:
        if texts == "all":
            return set(self.special_tokens)
        if isinstance(texts, str):
            raise ValueError(f"{name} is {texts!r}; it must be a set of str, or 'all'")
        if unknown := set(texts) - set(self.special_tokens):
            raise ValueError(
                f"{name} holds {min(unknown)!r}; the special tokens are {[*self.special_tokens]}"
            )
        return set(texts)

    def encode_to_numpy(self, text: str, **special) -> np.ndarray:
        """Encode as `encode` does, into an array of uint32."""
        return np.array(self.encode(text, **special), dtype=np.uint32)  # (T,)

    def encode_batch(self, texts: Iterable[str], **special) -> list[list[int]]:
        """Encode each text as `encode` does."""
        return [self.encode(text, **special) for text in texts]

    def encode_bytes(self, data: bytes) -> list[int]:
        """Encode any bytes; valid UTF-8 gets the ids of its text."""
        try:
            return self.encode_ordinary(data.decode("utf-8"))
        except UnicodeDecodeError:
            # Each invalid byte becomes a lone surrogate, to the pattern a kind of punctuation.
            text = data.decode("utf-8", "surrogateescape")
            chunks = chain.from_iterable(map(self.splitter.chunks, self.splitter.blocks(text)))
            encoded = (self._encode_chunk(c.encode("utf-8", "surrogateescape")) for c in chunks)
            return list(chain.from_iterable(encoded))

    def _encode_chunk(self, chunk: bytes) -> list[int]:
        if self.ignore_merges and chunk in self._ids:
            return [self._ids[chunk]]
        return merge_by_rank([self._byte_ids[byte] for byte in chunk], self._ranks, self._made)

    # ---- ids to text ----------------------------------------------------------------------

    def decode(self, ids: Iterable[int]) -> str:
        """Decode ids into text; bytes that are no UTF-8 become U+FFFD. Raises as `decode_bytes`."""
        return to_text(self.decode_bytes(ids))

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Decode ids into bytes. Raises ValueError for an id without a token."""
        if isinstance(ids, np.ndarray):
            ids = ids.tolist()  # looking up Python's own integers is several times as fast
        try:
            return b"".join(map(self._bytes.__getitem__, ids))
        except KeyError as error:
            id = error.args[0]
            if 0 <= id < self.n_vocab:
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
        """The id of <|endoftext|>. Raises ValueError where there is none."""
        if END_OF_TEXT not in self.special_tokens:
            raise ValueError(
                f"there is no special token {END_OF_TEXT}; name it in special_tokens when training"
            )
        return self.special_tokens[END_OF_TEXT]

    def token_byte_values(self) -> list[bytes]:
        """List the bytes of every ordinary token, sorted."""
        return sorted(self.tokens.values())


class Cache(dict):
    """Remembers what each chunk was encoded to, up to CACHE_CHUNKS of them; then starts anew."""

    def __init__(self, encode: Callable[[str], list[int]]):
        self.encode = encode

    def __missing__(self, chunk: str) -> list[int]:
        ids = self.encode(chunk)
        if len(chunk) <= CACHE_CHUNK_CHARS:
            if len(self) >= CACHE_CHUNKS:
                self.clear()
            self[chunk] = ids
        return ids


def check_special_tokens(texts: Iterable[str]) -> list[str]:
    """Check the texts of special tokens, and list them. One may contain another.

    Raises ValueError for one that is too short to be told from a byte, not Unicode, or there twice.
    """
    if isinstance(texts, str):
        raise ValueError(f"special_tokens is {texts!r}; it must be a list: write [{texts!r}]")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str) or len(to_bytes(text)) < 2:
            rule = "be text of two bytes or more: write it like <|name|>"
        elif any("\ud800" <= char <= "\udfff" for char in text):
            rule = "be valid Unicode: leave the lone surrogate out"
        elif text in texts[:i]:
            rule = "stand in the list once: leave the second one out"
        else:
            continue
        raise ValueError(f"special token is {text!r}; it must {rule}")
    return texts


def number_special_tokens(texts: Iterable[str], first_id: int) -> dict[str, int]:
    """Give special tokens the ids from `first_id` on. Raises as `check_special_tokens`."""
    return {text: first_id + i for i, text in enumerate(check_special_tokens(texts))}


def check_vocabulary(
    tokens: Mapping[int, bytes],
    merges: Sequence[Pair],
    special_tokens: Mapping[str, int],
    ignore_merges: bool,
) -> None:
    """Raise ValueError for the first contradiction between tokens, merges and special tokens."""
    taken = [*tokens, *special_tokens.values()]
    for id in taken:
        if not isinstance(id, int) or id < 0:
            raise ValueError(f"id is {id!r}; it must be a whole number from 0 up")
    if gaps := set(range(max(tokens, default=0))).difference(taken):
        raise ValueError(f"no token has id {min(gaps)}; ids must go up without a gap")

    require_every_byte(set(tokens.values()))
    id_of = {}
    for id, token in tokens.items():
        if not token:
            raise ValueError(f"token {id} is empty; it must be one byte or more")
        if id_of.setdefault(token, id) != id:
            raise ValueError(f"ids {id_of[token]} and {id} are both {token!r}; keep one")

    unmade = {token for token in id_of if len(token) > 1}
    for rank, (first, second) in enumerate(merges):
        if first not in tokens or second not in tokens:
            raise ValueError(f"merge {rank} joins ids {first} and {second}; both must be tokens")
        token = tokens[first] + tokens[second]
        if token not in id_of:
            raise ValueError(f"merge {rank} makes {token!r}; that must be a token")
        unmade.discard(token)
    if len(set(merges)) != len(merges):
        raise ValueError("merges hold a pair twice; each must stand once")
    if unmade and not ignore_merges:
        raise ValueError(f"no merge makes token {id_of[min(unmade)]}, {min(unmade)!r}; one must")

    check_special_tokens(special_tokens)
    for text, id in special_tokens.items():
        if taken.count(id) > 1:
            raise ValueError(f"special token {text!r} has id {id}; another token has it already")
        if to_bytes(text) in id_of:
            raise ValueError(f"special token {text!r} is an ordinary token too; choose another")
