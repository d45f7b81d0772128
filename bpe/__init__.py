"""Byte-level BPE: `bpe.train` learns a tokenizer, `bpe.Tokenizer` encodes and decodes with it."""

from bpe.tokenizer import Tokenizer
from bpe.train import train

__all__ = ["Tokenizer", "train"]
