"""What the page asks beyond OpenAI's API: tokens, merges, attention, sources, training runs.

Routes for Starlette, JSON in and out; `routes` has the list. Errors are in OpenAI's shape. What
takes longer than a moment runs in a thread. The ideas themselves are in modules that know nothing
of HTTP: attention.py, sources.py, runs.py, and the package bpe.
"""

import base64
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from bpe.merges import merge_steps
from bpe.page import panel
from bpe.show import visible
from bpe.split import to_bytes
from minigpt import runs
from minigpt.attention import attention_weights
from minigpt.playground_json import Refused, endpoint, number, read_fields, text_field
from minigpt.playground_tokenizers import Shelf
from minigpt.sources import Library

MOST_TEXT = 20_000  # characters to tokenize or to look for
MOST_PANELS = 8
MOST_PLAYED, MOST_CHUNKS, MOST_CHUNK = 2_000, 50, 200  # characters, chunks, bytes: merges to play
MOST_LOOKED_AT = 256  # tokens of an attention matrix
MOST_IDS = 100_000


@dataclass
class Places:
    """Where the page's knowledge comes from: models by name, and what made them.

    A served model has `.model`, `.tokenizer` and `.folder`. `out` holds runs, tokens and reports;
    `documents` are the files the tokens were made from.
    """

    models: dict
    out: Path | None = None
    documents: list = field(default_factory=list)


def routes(places):
    """Return the list of Routes, all below /playground/api/."""
    insight = Insight(places)
    table = [
        ("tokenizers", insight.tokenizers, "GET"),
        ("tokenize", insight.tokenize, "POST"),
        ("merges", insight.merges, "POST"),
        ("attention", insight.attention, "POST"),
        ("sources", insight.sources, "POST"),
        ("page", insight.page, "GET"),
        ("runs", insight.runs, "GET"),
        ("runs/{name}", insight.run, "GET"),
        ("funnel", insight.funnel, "GET"),
    ]
    return [
        Route(f"/playground/api/{path}", endpoint(function), methods=[method])
        for path, function, method in table
    ]


class Insight:
    """The endpoints: each takes a Starlette Request and returns what is answered as JSON."""

    def __init__(self, places):
        self.places = places
        self.shelf = Shelf(places.models, places.out)
        tokens = places.out and Path(places.out) / "tokens"
        tokenizers = [served.tokenizer for served in places.models.values()]
        self.library = Library(tokens, places.documents, tokenizers)

    # ---- tokens --------------------------------------------------------------------------------

    async def tokenizers(self, request):
        """List [{"name", "n_vocab", "about"}]."""
        return self.shelf.describe()

    async def tokenize(self, request):
        """Return {"panels"}: the text as tokens of each tokenizer, see bpe/page.py for "groups"."""
        body = await read_fields(request, "text", "tokenizers")
        text, names = text_field(body, "text", MOST_TEXT), body["tokenizers"]
        if not isinstance(names, list) or not 1 <= len(names) <= MOST_PANELS:
            raise Refused(
                f"tokenizers must be a list of 1 to {MOST_PANELS} names; "
                f"GET /playground/api/tokenizers lists them",
                "tokenizers",
            )

        def work():
            return [panel(text, name, self.shelf.tokenizer(name), False) for name in names]

        return {"panels": await run_in_threadpool(work)}

    async def merges(self, request):
        """Return {"chunks", "left_out"}: each chunk's merges step by step, the last step whole."""
        body = await read_fields(request, "text", "tokenizer")
        text = text_field(body, "text", MOST_PLAYED)
        return await run_in_threadpool(
            lambda: played(self.shelf.tokenizer(body["tokenizer"], "tokenizer"), text)
        )

    # ---- a model ---------------------------------------------------------------------------------

    def served(self, body):
        """Return the served model that a body names."""
        name = body["model"]
        if not isinstance(name, str) or name not in self.places.models:
            known = ", ".join(self.places.models)
            raise Refused(
                f"there is no model {str(name)[:60]!r}; there are {known}", "model",
                404, "model_not_found",
            )  # fmt: skip
        return self.places.models[name]

    async def attention(self, request):
        """Return {"tokens", "first", "n_layer", "n_head", "weights"} of the last ids."""
        body = await read_fields(request, "model", "ids", "layer")
        served, ids = self.served(body), body["ids"]
        if (
            not isinstance(ids, list)
            or not 1 <= len(ids) <= MOST_IDS
            or not all(type(i) is int and 0 <= i < served.tokenizer.n_vocab for i in ids)
        ):
            raise Refused(
                f"ids must be a list of 1 to {MOST_IDS} ids from 0 to "
                f"{served.tokenizer.n_vocab - 1}, as token_ids has them",
                "ids",
            )
        c = served.model.config
        layer = number(body["layer"], "layer", 0, c.n_layer - 1)
        shown = ids[-min(MOST_LOOKED_AT, c.n_positions) :]
        weights = await run_in_threadpool(attention_weights, served.model, shown, layer)
        levels = np.rint(weights * 255).astype(np.uint8)  # (H, T, T)
        tokens = served.tokenizer.decode_tokens_bytes(shown)
        return {
            "tokens": [
                {"id": i, "text": token.decode("utf-8", "replace")}
                for i, token in zip(shown, tokens, strict=True)
            ],
            "first": len(ids) - len(shown),
            "n_layer": c.n_layer,
            "n_head": c.n_head,
            "weights": base64.b64encode(levels.tobytes()).decode("ascii"),
        }

    # ---- the documents ---------------------------------------------------------------------------

    async def sources(self, request):
        """Return {"spans"}, {"indexing": true, "share"} or {"missing": reason}."""
        body = await read_fields(request, "text", "model")
        text, served = text_field(body, "text", MOST_TEXT), self.served(body)
        return await run_in_threadpool(self.library.look_up, text, served.tokenizer)

    async def page(self, request):
        """Return {"url", "title", "text", "start", "end", "first"} of a document."""
        query = request.query_params
        document, start, end = (
            number(query.get(name), name, 0, 2**53) for name in ("document", "start", "end")
        )
        try:
            return await run_in_threadpool(self.library.page, document, start, end)
        except ValueError as error:
            raise Refused(str(error), "document", 404, "page_not_found") from None

    # ---- training --------------------------------------------------------------------------------

    async def runs(self, request):
        """List the training runs of the out folder."""
        return await run_in_threadpool(runs.runs, self.places.out) if self.places.out else []

    async def run(self, request):
        """Return {"metrics", "samples", "running"} of a run, later than step `after`."""
        after = number(request.query_params.get("after", "-1"), "after", -1, 2**53)
        name = request.path_params["name"]
        try:
            folder = await run_in_threadpool(runs.find_run, self.places.out or "", name)
        except ValueError as error:
            raise Refused(str(error), "name", 404, "run_not_found") from None
        return await run_in_threadpool(runs.read_run, folder, after)

    async def funnel(self, request):
        """Return {"steps"} of the cleaning, or {"missing": reason}."""
        if not self.places.out:
            return {"missing": "no out folder is known; serve a model that `make train` made"}
        return await run_in_threadpool(runs.funnel, self.places.out)


def played(tokenizer, text):
    """Return the merges of each chunk of `text`, and how many chunks are left out."""
    chunks = tokenizer.splitter.chunks(text)
    found = []
    for chunk in chunks[:MOST_CHUNKS]:
        if len(to_bytes(chunk)) > MOST_CHUNK:
            raise Refused(
                f"the chunk {chunk[:20]!r}... has {len(to_bytes(chunk))} bytes; it must have at "
                f"most {MOST_CHUNK}, so that its merges can be played: put a space into it",
                "text",
            )
        steps = [
            {
                "pieces": [visible(token) for token in tokenizer.decode_tokens_bytes(step.ids)],
                "ids": step.ids,
                "at": step.at,
                "rank": step.rank,
                "new_id": step.new_id,
            }
            for step in merge_steps(tokenizer, chunk)
        ]
        found.append({"text": chunk, "steps": steps})
    return {"chunks": found, "left_out": max(0, len(chunks) - MOST_CHUNKS)}
