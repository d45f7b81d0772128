"""GPT-2 by hand, on NumPy or CuPy: training, sampling, and everything in between."""

import importlib

HOME = {
    "load": "minigpt.checkpoint", "generate": "minigpt.sample", "complete": "minigpt.completion",
}  # fmt: skip
__all__ = ["complete", "generate", "load"]


def __getattr__(name):
    """Import `load`, `generate`, `complete` when first asked for: `--help` needs no NumPy."""
    if name not in HOME:
        raise AttributeError(f"module 'minigpt' has no attribute {name!r}")
    return getattr(importlib.import_module(HOME[name]), name)
