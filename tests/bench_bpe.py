"""`make bench`: our tokenizer beside tiktoken and Hugging Face `tokenizers` (both Rust).

    python tests/bench_bpe.py [TEXT ...] [--ranks cl100k_base.tiktoken]

Trains on all the texts together, and encodes the first 10 MB of each, with the vocabulary of a rank
file or else with the one that was trained. Without texts: Python's own library, its sources.
"""

import argparse
import sysconfig
import tempfile
from pathlib import Path

import tiktoken
from bench import HEAD, TURNS, in_new_process, in_turns, machine, num_cores, row, timed
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Peer

import bpe
from bpe.split import GPT4

TRAIN_BYTES, ENCODE_BYTES = 50_000_000, 10_000_000
VOCAB_SIZE = 32_768


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", nargs="*", help="files of text, UTF-8")
    parser.add_argument("--ranks", help="a .tiktoken file with GPT-4's pattern, for encoding")
    parser.add_argument("--turns", type=int, default=TURNS)
    arguments = parser.parse_args()
    texts = {Path(path).name: read(path) for path in arguments.texts} or {"python": sources()}
    print(machine(), HEAD, sep="\n", flush=True)
    trained = bench_training("".join(texts.values()), arguments.turns)
    ours = bpe.Tokenizer.load(arguments.ranks, "gpt4", {}) if arguments.ranks else trained
    for name, text in texts.items():
        bench_encoding(name, start_of(text, ENCODE_BYTES), ours, arguments.turns)


def read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def sources() -> str:
    """Join the sources of Python's library, a text every machine has."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(p for p in folder.rglob("*.py") if "site-packages" not in p.parts)
    return "\n".join(read(str(path)) for path in paths)


def start_of(text: str, num_bytes: int) -> str:
    return text.encode()[:num_bytes].decode(errors="ignore")


# ---- training ------------------------------------------------------------------------------------


def train_ours(path: Path) -> tuple[float, list[bytes]]:
    with path.open(encoding="utf-8", newline="") as lines:
        seconds, tokenizer = timed(bpe.train, lines, VOCAB_SIZE)
    return seconds, [tokenizer.tokens[id] for id in range(VOCAB_SIZE)]


def train_peer(path: Path) -> tuple[float, int]:
    peer = Peer(models.BPE())
    peer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT4), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, initial_alphabet=alphabet, show_progress=False
    )
    with path.open(encoding="utf-8", newline="") as lines:
        seconds, _ = timed(peer.train_from_iterator, lines, trainer)
    return seconds, peer.get_vocab_size()


def bench_training(text: str, turns: int) -> bpe.Tokenizer:
    """Compare training in processes of their own; return the tokenizer."""
    text = start_of(text, TRAIN_BYTES)
    memory, results = {}, {}

    def run(name, function):
        seconds, memory[name], results[name] = in_new_process(function, path)
        return seconds

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        path.write_text(text, encoding="utf-8", newline="")
        size = path.stat().st_size / 1e6
        runs = {"ours": lambda: run("ours", train_ours), "peer": lambda: run("peer", train_peer)}
        seconds = in_turns(runs, turns)
    assert len(results["ours"]) == results["peer"] == VOCAB_SIZE
    what = f"train {size:.0f} MB, {num_cores()} cores (tokenizers)"
    print(row(what, seconds["ours"], seconds["peer"], "s", False))
    print(row("  peak memory", memory["ours"], memory["peer"], "MB", False), flush=True)
    tokens = dict(enumerate(results["ours"]))
    return bpe.Tokenizer(tokens, bpe.ranks.merges_from_ranks(tokens))


# ---- encoding ------------------------------------------------------------------------------------


def bench_encoding(name: str, text: str, ours: bpe.Tokenizer, turns: int) -> None:
    """Compare encoding on one core: with nothing remembered, and with all of the text.

    Neither side is timed while its tokenizer is made.
    """
    ranks = {token: id for id, token in ours.tokens.items()}
    peer = tiktoken.Encoding(name, pat_str=GPT4, mergeable_ranks=ranks, special_tokens={})
    parts = ours.tokens, ours.merges, "gpt4"
    assert ours.encode_ordinary(text) == peer.encode_ordinary(text)
    cold = {}

    def run_cold():
        cold["tokenizer"] = bpe.Tokenizer(*parts)
        return timed(cold["tokenizer"].encode_ordinary, text)[0]

    seconds = in_turns(
        {
            "cold": run_cold,
            "warm": lambda: timed(cold["tokenizer"].encode_ordinary, text)[0],
            "peer": lambda: timed(peer.encode_ordinary, text)[0],
            "array": lambda: timed(cold["tokenizer"].encode_to_numpy, text)[0],
            "peer's array": lambda: timed(lambda: peer.encode_to_numpy(text))[0],
        },
        turns,
    )
    size = len(text.encode()) / 1e6
    speed = {name: size / taken for name, taken in seconds.items()}
    what = f"encode {name} {size:.1f} MB"
    print(row(f"{what}, cold (tiktoken)", speed["cold"], speed["peer"], "MB/s", True))
    print(row("  warm", speed["warm"], speed["peer"], "MB/s", True))
    print(row("  warm, to NumPy", speed["array"], speed["peer's array"], "MB/s", True), flush=True)


if __name__ == "__main__":
    main()
