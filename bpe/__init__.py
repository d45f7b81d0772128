"""Byte-level BPE: `bpe.train` learns a tokenizer, `bpe.Tokenizer` encodes and decodes with it."""

try:
    from bpe.tokenizer import Tokenizer
    from bpe.train import train
except ModuleNotFoundError as error:
    cure = "source .venv/bin/activate, which make made; or pip install -e ."
    raise ModuleNotFoundError(f"{error.name} is not installed here; {cure}") from None

__all__ = ["Tokenizer", "train"]
