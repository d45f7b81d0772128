"""The models that are served: found, loaded, and loaded again when their files change.

`python -m minigpt serve` takes models' folders, and folders in which models are or will be: while
`make train` runs, out/base and out/chat come one after the other. `Shelf.refresh` looks for what is
new; a model that was replaced goes on with what it has begun, and is then closed. So is one whose
engine broke down. This does not answer requests, see api.py.
"""

import time
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from minigpt.backend import open_device
from minigpt.chat_format import END
from minigpt.chat_template import check_template
from minigpt.checkpoint import LackOfMemory, load
from minigpt.dataset import SEPARATOR
from minigpt.engine import Engine
from minigpt.weights import INDEX, MODEL

FILES = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", MODEL, INDEX,
)  # fmt: skip
SHARDS = "model-*.safetensors"  # as Hugging Face names them


@dataclass(eq=False)
class Served:
    """A model with a name, and the engine that many may ask."""

    name: str
    folder: Path
    model: object
    tokenizer: object
    version: tuple  # of its files
    engine: Engine | None = None  # comes last, for it has a thread
    created: int = field(default_factory=lambda: int(time.time()))  # in seconds since 1970

    def __post_init__(self):
        # a few hundred thousand symbols at most: every one is looked up once
        self.text_of = cache(partial(text_of, self.tokenizer))
        special = self.tokenizer.special_tokens
        try:
            check_template(self.folder, self.tokenizer)
            self.assistant = True
        except ValueError:
            self.assistant = False
        ends = [SEPARATOR, *([END["assistant"]] if self.assistant else [])]
        self.end_ids = tuple(special[token] for token in ends if token in special)

    def busy(self):
        """Tell whether anything is being written, or waits for that."""
        stats = self.engine.stats()
        return stats["running"] + stats["waiting"] > 0

    def json(self, max_tokens):
        """Return the model as /v1/models lists it; its answers have at most so many tokens."""
        c = self.model.config
        shape = {name: getattr(c, name) for name in ("n_positions", "n_layer", "n_head")}
        return {
            "id": self.name,
            "object": "model",
            "created": self.created,
            "owned_by": "minigpt",
            "minigpt": {
                "assistant": self.assistant,
                "vocab_size": self.tokenizer.n_vocab,
                "parameters": len(self.model.params.flat),
                "max_tokens": max_tokens,
                **shape,
            },
        }


def text_of(tokenizer, id):
    """Return what an id stands for, as text and as a list of bytes."""
    data = tokenizer.decode_bytes([id])
    return data.decode("utf-8", "replace"), list(data)


class Shelf:
    """The models by name, and the folders they come from."""

    def __init__(self, paths, device="cpu", n_rows=64, max_waiting=128, say=print):
        """Raise ValueError for a path that does not exist, no folder at all, no such device."""
        open_device(device)
        self.paths, self.device, self.say = [Path(path) for path in paths], device, say
        self.n_rows, self.max_waiting = n_rows, max_waiting
        self.models, self._old, self._failed = {}, [], {}
        for path in self.paths:
            if not path.exists():
                raise ValueError(f"{path} does not exist; give a model's folder, as out/chat")
        self.folders = [path for path in self.paths if path.is_dir()]
        if not self.folders:
            raise ValueError(f"{self.paths[0]} is no folder; give a model's folder, as out/chat")

    def model_folders(self):
        """List the folders that hold a model now, in order."""
        found = {}
        for folder in self.folders:
            for model in models_in(folder):
                found.setdefault(model.resolve(), model)
        return list(found.values())

    def without_models(self):
        """List the paths that hold no model now."""
        return [path for path in self.paths if not models_in(path)]

    def refresh(self, strict=False):
        """Load what is new or has changed; see `look`."""
        self.put(self.look(strict))

    def look(self, strict=False):
        """Return the models there are now, by name; `put` makes them those that are served.

        One that cannot be loaded is left out and `say` says why, but with `strict` it raises
        ValueError if it was given itself.
        """
        folders, models = self.model_folders(), {}
        known = {served.folder: served for served in self.models.values()}
        for folder, name in zip(folders, distinct_names(folders), strict=True):
            served, version = known.get(folder), version_of(folder)
            good = served is not None and served.engine.alive
            if not good or (served.version, served.name) != (version, name):
                served = self._load(folder, name, version, strict) or served
            if served is not None:
                models[served.name] = served
        return models

    def put(self, models):
        """Serve these models; what others have begun they go on with.

        Such a one is closed by a later `put` at the earliest: somebody may have found it just now
        and ask in a moment. The dict stays the same one, for others hold it too.
        """
        for served in [served for served in self._old if not served.busy()]:
            self._old.remove(served)
            served.engine.close()
        here = list(models.values())
        self._old += [served for served in self.models.values() if served not in here]
        self.models.clear()
        self.models.update(models)

    def _load(self, folder, name, version, strict):
        failed = self._failed.get(folder)
        if failed == (version, True):
            return None
        try:
            model, tokenizer = load(folder, self.device)
            served = Served(name, folder, model, tokenizer, version)
        except (ValueError, OSError) as error:
            if strict and folder in self.folders:
                raise
            # whether for good: memory may be free the next time
            self._failed[folder] = version, not isinstance(error, LackOfMemory)
            if self._failed[folder] != failed:  # it is said once
                self.say(f"not served: {error}")
            return None
        served.engine = Engine(model, tokenizer, self.n_rows, self.max_waiting)
        return served

    def close(self):
        """Have every engine stop."""
        for served in [*self.models.values(), *self._old]:
            served.engine.close()


def models_in(folder):
    """List the models of a folder: itself, or else those right below it; none if it has gone."""
    if is_model(folder):
        return [folder]
    if not folder.is_dir():
        return []
    return [inner for inner in sorted(folder.iterdir()) if is_model(inner)]


def is_model(folder):
    """Tell whether a folder holds a model's shape and its weights."""
    has_weights = any((folder / name).is_file() for name in (MODEL, INDEX))
    return has_weights and (folder / "config.json").is_file()


def version_of(folder):
    """Return what changes when one of a model's files does."""
    paths = [*(folder / name for name in FILES), *sorted(folder.glob(SHARDS))]
    stats = [path.stat() for path in paths if path.exists()]
    return tuple((s.st_ino, s.st_mtime_ns, s.st_size) for s in stats)


def distinct_names(folders):
    """Return a name for each folder: its own, with its parent's before it where two are alike."""
    names = [folder.resolve().name for folder in folders]
    parents = [folder.resolve().parent.name for folder in folders]
    names = [
        f"{parent}-{name}" if names.count(name) > 1 else name
        for name, parent in zip(names, parents, strict=True)
    ]
    seen = {}
    for i, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            names[i] = f"{name}-{seen[name]}"
    return names
