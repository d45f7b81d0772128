"""What the page asks beyond OpenAI's API, all of it below /playground/api/:

    GET  tokenizers   what texts can be cut with
    POST tokenize     {"text", "tokenizers": [name]} -> a text's tokens, for each tokenizer
    POST merges       {"text", "tokenizer"} -> how the tokens came about, merge by merge
    POST attention    {"model", "ids", "layer"} -> who looks at whom
    POST sources      {"text", "model"} -> what of the text stands in the training documents
    GET  page         ?document=&start=&end= -> the text of such a document
    GET  runs         the training runs; runs/NAME?after=STEP -> one of them, as it goes on
    GET  funnel       what cleaning kept of the crawled pages
    GET  suggestions  what to ask the models

JSON in and out, errors as in api_errors.py. The ideas are in modules that know nothing of HTTP:
attention.py, sources.py, library.py, runs.py, playground_tokenizers.py, playground_suggestions.py.
What may take longer than a moment runs in a thread (playground_line.py), and everything is bounded.
"""

import base64
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from starlette.routing import Route

from bpe.page import panel
from minigpt import runs
from minigpt.api_errors import ApiError, invalid
from minigpt.api_fields import Fields, find_model, read_json
from minigpt.attention import attention_weights
from minigpt.library import Library
from minigpt.playground_line import Line, in_thread
from minigpt.playground_suggestions import suggestions
from minigpt.playground_tokenizers import Tokenizers, play

MOST_CUT = 5_000  # characters to cut into tokens; flag after flag takes the square of it
MOST_TEXT = 20_000  # characters to look for
MOST_PANELS = 8
MOST_PLAYED = 2_000  # characters whose merges are played
MOST_LOOKED_AT = 256  # tokens of an attention matrix
NO_OUT = "it is not known where the training's files are; serve their folder: serve out"


@dataclass
class Places:
    """Where the answers come from: the models by name, and the files they were made with.

    A served model has `.model` and `.tokenizer`; `models` may change between two requests. `out`
    holds tokens, runs and reports; `documents` are the files the tokens were made from.
    """

    models: dict
    out: Path | None = None
    documents: tuple = ()


def routes(places):
    """Return the list of Routes."""
    insight = Insight(places)
    table = [
        ("tokenizers", "GET", insight.tokenizers),
        ("tokenize", "POST", insight.tokenize),
        ("merges", "POST", insight.merges),
        ("attention", "POST", insight.attention),
        ("sources", "POST", insight.sources),
        ("page", "GET", insight.page),
        ("runs", "GET", insight.runs),
        ("runs/{name}", "GET", insight.run),
        ("funnel", "GET", insight.funnel),
        ("suggestions", "GET", insight.suggestions),
    ]
    line = Line()
    return [
        Route(f"/playground/api/{path}", in_thread(function, places, line), methods=[method])
        for path, method, function in table
    ]


class Insight:
    """The endpoints: each takes a Request, its body and the models, and returns what JSON can say.

    They run in threads, and raise ApiError.
    """

    def __init__(self, places):
        self.places = places
        self.shelf = Tokenizers(places.out)
        self.library = Library(places.out and Path(places.out) / "tokens", places.documents)

    # ---- tokens --------------------------------------------------------------------------------

    def tokenizers(self, request, body, models):
        """List [{"name", "n_vocab", "about"}]."""
        return self.shelf.describe(models)

    def tokenize(self, request, body, models):
        """Return {"panels"}; bpe/page.py says what a panel is."""
        fields = Fields(read_json(body), {"text", "tokenizers"})
        text, names = text_of(fields, MOST_CUT), fields.required("tokenizers")
        if not isinstance(names, list) or not 1 <= len(names) <= MOST_PANELS:
            raise invalid(
                "tokenizers", f"tokenizers must be a list of 1 to {MOST_PANELS} names, of those "
                f"that GET /playground/api/tokenizers lists"
            )  # fmt: skip
        found = [self.shelf.tokenizer(models, name, "tokenizers") for name in names]
        return {
            "panels": [panel(text, name, t, False) for name, t in zip(names, found, strict=True)]
        }

    def merges(self, request, body, models):
        """Return {"chunks", "left_out"}; see playground_tokenizers.play."""
        fields = Fields(read_json(body), {"text", "tokenizer"})
        text, name = text_of(fields, MOST_PLAYED), fields.required("tokenizer")
        tokenizer = self.shelf.tokenizer(models, name, "tokenizer")
        try:
            return play(tokenizer, text)
        except ValueError as error:
            raise invalid("text", str(error)) from None

    # ---- a model ---------------------------------------------------------------------------------

    def attention(self, request, body, models):
        """Return {"tokens", "first", "n_layer", "n_head", "weights"} of the last ids.

        `first` is the number of ids before them; `weights` is base64 of bytes (H, T, T), 255 for
        all of the attention.
        """
        fields = Fields(read_json(body), {"model", "ids", "layer"})
        served, ids = (
            find_model(models, fields.required("model")),
            fields.required("ids"),
        )
        c, n_vocab = served.model.config, served.tokenizer.n_vocab
        if not isinstance(ids, list) or not all(type(i) is int and 0 <= i < n_vocab for i in ids):
            raise invalid("ids", f"ids must be a list of whole numbers from 0 to {n_vocab - 1}")
        if not ids:
            raise invalid("ids", "ids is empty; it must have at least one id")
        fields.required("layer")
        layer = fields.number("layer", 0, c.n_layer - 1, whole=True)
        shown = ids[-min(MOST_LOOKED_AT, c.n_positions) :]
        try:
            tokens = served.tokenizer.decode_tokens_bytes(shown)
        except ValueError as error:
            raise invalid("ids", str(error)) from None
        weights = attention_weights(served.model, shown, layer)
        levels = np.rint(weights * 255).astype(np.uint8)  # (H, T, T)
        return {
            "tokens": [
                {"id": i, "text": token.decode("utf-8", "replace")}
                for i, token in zip(shown, tokens, strict=True)
            ],
            "first": len(ids) - len(shown),
            "n_layer": c.n_layer,
            "n_head": c.n_head,
            "weights": base64.b64encode(levels).decode("ascii"),
        }

    # ---- the documents ---------------------------------------------------------------------------

    def sources(self, request, body, models):
        """Return {"spans"}, {"indexing": true, "share"} or {"missing": reason}."""
        fields = Fields(read_json(body), {"text", "model"})
        text = text_of(fields, MOST_TEXT)
        served = find_model(models, fields.required("model"))
        if not self.places.out:
            return {"missing": NO_OUT}
        return self.without_path(self.library.look_up(text, served.tokenizer))

    def page(self, request, body, models):
        """Return {"url", "title", "text", "start", "end", "first"} of a document."""
        document, start, end = (
            query_number(request, name) for name in ("document", "start", "end")
        )
        if not self.places.out:
            return {"missing": NO_OUT}
        tokenizers = [served.tokenizer for served in models.values()]
        try:
            return self.without_path(self.library.page(document, start, end, tokenizers))
        except ValueError as error:
            raise ApiError(404, str(error), "document", "page_not_found") from None

    # ---- training --------------------------------------------------------------------------------

    def runs(self, request, body, models):
        """List the training runs, see runs.describe."""
        return runs.runs(self.places.out) if self.places.out else []

    def run(self, request, body, models):
        """Return {"metrics", "samples", "running"} of a run, later than step `after`."""
        after = query_number(request, "after", -1, -1)
        try:
            folder = runs.find_run(self.places.out or "", request.path_params["name"])
        except ValueError as error:
            raise ApiError(404, str(error), "name", "run_not_found") from None
        return runs.read_run(folder, after)

    def funnel(self, request, body, models):
        """Return {"steps"} of the cleaning, or {"missing": reason}."""
        if not self.places.out:
            return {"missing": NO_OUT}
        return self.without_path(runs.funnel(self.places.out))

    def without_path(self, answer):
        """Return an answer whose reason names files from the out folder on, not where that is."""
        if "missing" in answer:
            above = f"{Path(self.places.out).parent}{os.sep}"
            answer["missing"] = answer["missing"].replace(above, "")
        return answer

    def suggestions(self, request, body, models):
        """Return what to ask, see playground_suggestions.py; {} where nothing is known."""
        places = self.places
        return suggestions(places.out, places.documents) if places.out else {}


def text_of(fields, most):
    """Return the field "text", of at most so many characters."""
    text = fields.text("text")
    if len(text) > most:
        raise invalid(
            "text", f"text has {len(text):,} characters; it must have at most {most:,}: send a part"
        )
    return text


def query_number(request, name, least=0, default=None):
    """Return a whole number of a query; one that is not there is `default`, unless None."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    digits = (text or "").removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < 16 and int(text) >= least:
        return int(text)
    raise invalid(
        name, f"{name} is {(text or '')[:20]!r}; it must be a whole number of {least} or more"
    )
