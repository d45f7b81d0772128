"""GPT-2 by hand, on NumPy or CuPy: training, sampling, and everything in between."""

from minigpt.checkpoint import load
from minigpt.sample import generate

__all__ = ["generate", "load"]
