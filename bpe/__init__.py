"""Byte-level BPE: `bpe.train` learns a tokenizer, `bpe.Tokenizer` encodes and decodes with it."""

try:
    from bpe.tokenizer import Tokenizer
    from bpe.train import train
except ModuleNotFoundError as error:
    if error.name.startswith("bpe"):
        raise
    cure = "source .venv/bin/activate, which make made; or pip install ."
    what = f"{error.name} is not installed here; {cure}"
    raise ModuleNotFoundError(what, name=error.name) from None

__all__ = ["Tokenizer", "train"]
