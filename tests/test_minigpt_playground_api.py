"""The page's own endpoints: what they answer, and what they refuse."""

import asyncio
import base64
import gzip
import hashlib
import json
import os
import shutil
import time
from itertools import pairwise
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest
from minigpt_examples import MODEL, example_texts, example_tokenizer, small_model

pytest.importorskip("starlette", reason="starlette is not installed (pip install .[chat])")
from starlette.applications import Starlette

import bpe
from bpe import published
from bpe.naive import merge
from bpe.page import panel
from minigpt import dataset, playground_api, run_lock
from minigpt.api_errors import ApiError
from minigpt.attention import attention_weights
from minigpt.chat_format import with_control_tokens
from minigpt.checkpoint import write_json
from minigpt.playground_api import Places, routes
from minigpt.serve import on_api_error

LINE = "Nobody counts paper lanterns before the ferry leaves its harbour in the morning."


def served(name, tokenizer, **changes):
    model = small_model(vocab_size=tokenizer.n_vocab, **changes)
    return SimpleNamespace(name=name, folder=name, model=model, tokenizer=tokenizer)


class Client:
    """Calls the endpoints as a server would, without one."""

    def __init__(self, places):
        handlers = {ApiError: on_api_error}
        self.app = Starlette(routes=routes(places), exception_handlers=handlers)

    def ask(self, method, path, body=b""):
        """Return (status, what the JSON of the answer says)."""
        parts, got = urlsplit(f"/playground/api/{path}"), {"body": b""}
        scope = {
            "type": "http", "method": method, "path": parts.path, "headers": [],
            "query_string": parts.query.encode(),
        }  # fmt: skip

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            got["status"] = message.get("status", got.get("status"))
            got["body"] += message.get("body", b"")

        asyncio.run(self.app(scope, receive, send))
        return got["status"], json.loads(got["body"].decode("ascii"))

    def get(self, path):
        status, value = self.ask("GET", path)
        assert status == 200, value
        return value

    def post(self, path, **body):
        status, value = self.ask("POST", path, json.dumps(body).encode())
        assert status == 200, value
        return value

    def refusal(self, status, path, body=None):
        """Return the error of a request that must be answered with `status`."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        got, value = self.ask("GET", path) if body is None else self.ask("POST", path, data)
        assert got == status, value
        assert value["error"].keys() == {"message", "type", "param", "code"}
        assert value["error"]["type"] == "invalid_request_error"
        return value["error"]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """An out folder as `make train` leaves it, with a run that goes on."""
    out = tmp_path_factory.mktemp("out")
    texts = example_texts(60)
    texts[4] += LINE
    with gzip.open(out / "documents.jsonl.gz", "wt", encoding="utf-8") as file:
        for i, text in enumerate(texts):
            record = {"text": text, "url": f"https://site.test/{i}", "title": f"<b>{i}\ud800"}
            file.write(json.dumps(record) + "\n")
    dataset.tokenize([out / "documents.jsonl.gz"], example_tokenizer(), out / "tokens")
    (out / "base").mkdir()
    lines = [{"step": s, "val_loss": 6 - s / 10} for s in (0, 5, 10)]
    (out / "base/metrics.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 15, "val_lo'
    )
    (out / "base/samples.jsonl").write_text('{"step": 10, "text": "the list \\ud800"}\n')
    return out


@pytest.fixture(scope="module")
def models():
    base, chat = example_tokenizer(), with_control_tokens(example_tokenizer())
    other = bpe.train(["other text " * 9], 264, special_tokens=[dataset.SEPARATOR])
    return {
        "base": served("base", base),
        "chat": served("chat", chat, seed=1),
        "other": served("other", other, n_positions=300),
    }


@pytest.fixture(scope="module")
def client(out, models):
    return Client(Places(models, out, (out / "documents.jsonl.gz",)))


# ---- tokenizers ------------------------------------------------------------------------------


def test_tokenizers_are_the_models_each_once_and_smaller_ones(client):
    found = client.get("tokenizers")
    assert [(t["name"], t["n_vocab"]) for t in found] == [
        ("base", 300), ("other", 264), ("bytes only", 257),
    ]  # fmt: skip
    assert found[0]["about"] == "the tokenizer of base and chat"


def test_a_larger_vocabulary_has_more_stages(out):
    texts = [f"word{i} stands {i * i} times" for i in range(700)]
    tokenizer = bpe.train(texts, 700, special_tokens=[dataset.SEPARATOR], at_most=True)
    big = Client(Places({"big": served("big", tokenizer)}, out))
    names = [t["name"] for t in big.get("tokenizers")]
    assert names == ["big", "bytes only", "first 256 merges"]
    panels = big.post("tokenize", text=texts[9], tokenizers=names)["panels"]
    assert [p["symbols"] for p in panels] == [t["n_vocab"] for t in big.get("tokenizers")]
    assert panels[0]["tokens"] <= panels[2]["tokens"] < panels[1]["tokens"]
    assert panels[1]["tokens"] == len(texts[9])


def test_panels_are_those_of_the_page_for_one_file(client):
    text = "the list größer 🙂 <|endoftext|>"
    panels = client.post("tokenize", text=text, tokenizers=["base", "bytes only"])["panels"]
    assert panels[0] == panel(text, "base", example_tokenizer(), False)
    assert panels[1]["tokens"] == len(text.encode())
    assert client.post("tokenize", text="", tokenizers=["base"])["panels"][0]["groups"] == []


def test_models_that_come_and_go_are_seen(out, models):
    now = {}
    live = Client(Places(now, out))
    assert live.get("tokenizers") == []
    now["base"] = models["base"]
    assert [t["name"] for t in live.get("tokenizers")] == ["base", "bytes only"]
    now.clear()
    now["other"] = models["other"]
    assert live.refusal(404, "tokenize", {"text": "a", "tokenizers": ["base"]})


def test_published_rank_files_of_the_out_folder_are_offered(tmp_path, models, monkeypatch):
    small = bpe.train(example_texts(5), 280)
    small.save(tmp_path / "known.tiktoken")
    small.save(tmp_path / "copy.tiktoken")
    (tmp_path / "unknown.tiktoken").write_bytes(b"IQ== 0\n")
    digest = hashlib.sha256((tmp_path / "known.tiktoken").read_bytes()).hexdigest()
    known = published.Published("published (GPT-X)", "gpt4", {"<|endoftext|>": 280})
    monkeypatch.setitem(published.KNOWN, digest, known)
    found = Client(Places({"base": models["base"]}, tmp_path))
    assert [t["name"] for t in found.get("tokenizers")][2:] == ["published (GPT-X)"]
    (shown,) = found.post("tokenize", text="the list", tokenizers=["published (GPT-X)"])["panels"]
    assert shown["symbols"] == 281


# ---- merges ----------------------------------------------------------------------------------


def test_merges_lead_from_bytes_to_the_tokens(client):
    text = "the list größer"
    answer = client.post("merges", text=text, tokenizer="base")
    assert "".join(chunk["text"] for chunk in answer["chunks"]) == text
    assert answer["left_out"] == 0
    ids = []
    for chunk in answer["chunks"]:
        steps = chunk["steps"]
        assert len(steps[0]["ids"]) == len(chunk["text"].encode())
        for step, after in pairwise(steps):
            pair = (step["ids"][step["at"]], step["ids"][step["at"] + 1])
            assert example_tokenizer().merges[step["rank"]] == pair
            assert len(step["pieces"]) == len(step["ids"]) == len(after["ids"]) + 1
            assert set(after["ids"]) <= set(merge(step["ids"], pair, step["new_id"])) | {*pair}
        assert (steps[-1]["at"], steps[-1]["rank"], steps[-1]["new_id"]) == (None, None, None)
        ids += steps[-1]["ids"]
    assert ids == example_tokenizer().encode_ordinary(text)
    assert answer["chunks"][0]["steps"][0]["pieces"] == ["t", "h", "e"]


def test_only_the_first_chunks_are_played(client):
    answer = client.post("merges", text="a " * 60, tokenizer="base")
    assert len(answer["chunks"]) == 50
    assert answer["left_out"] == 11


# ---- attention -------------------------------------------------------------------------------


def weights_of(answer):
    T = len(answer["tokens"])
    levels = np.frombuffer(base64.b64decode(answer["weights"]), np.uint8)
    return levels.reshape(answer["n_head"], T, T) / 255


def test_attention_is_that_of_the_model_in_256_levels(client, models):
    ids = models["base"].tokenizer.encode_ordinary("the list größer")
    answer = client.post("attention", model="base", ids=ids, layer=1)
    assert (answer["n_layer"], answer["n_head"], answer["first"]) == (2, 2, 0)
    assert [t["id"] for t in answer["tokens"]] == ids
    tokenizer = models["base"].tokenizer
    assert [t["text"] for t in answer["tokens"]] == [tokenizer.decode([i]) for i in ids]
    expected = attention_weights(models["base"].model, ids, 1)
    np.testing.assert_allclose(weights_of(answer), expected, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize(("model", "most"), [("base", MODEL.n_positions), ("other", 256)])
def test_of_many_ids_the_last_that_fit_are_shown(client, models, model, most):
    ids = [i % 250 for i in range(500)]
    answer = client.post("attention", model=model, ids=ids, layer=0)
    assert [t["id"] for t in answer["tokens"]] == ids[-most:]
    assert answer["first"] == 500 - most
    expected = attention_weights(models[model].model, ids[-most:], 0)
    np.testing.assert_allclose(weights_of(answer), expected, atol=0.5 / 255 + 1e-6)


def test_special_tokens_and_parts_of_characters_have_a_text(client, models):
    t = models["chat"].tokenizer
    ids = [t.eot_token, t.special_tokens["<|user_start|>"], *t.encode_ordinary("🙂")[:1]]
    answer = client.post("attention", model="chat", ids=ids, layer=0)
    assert [x["text"] for x in answer["tokens"]][:2] == ["<|endoftext|>", "<|user_start|>"]


# ---- sources ---------------------------------------------------------------------------------


def sources(client, **body):
    """Ask for sources until they are there."""
    for _ in range(1000):
        answer = client.post("sources", **body)
        if not answer.get("indexing"):
            return answer
        assert 0 <= answer["share"] <= 1
        time.sleep(0.01)
    raise AssertionError("indexing does not end")


@pytest.mark.parametrize("model", ["base", "chat"])
def test_a_copied_line_leads_to_its_page(client, model):
    text = f"I think: {LINE} Really?"
    (span,) = sources(client, text=text, model=model)["spans"]
    assert text[span["start"] : span["end"]] == LINE
    (place,) = span["places"]
    assert place["url"] == "https://site.test/4"
    assert place["title"] == "<b>4\ud800"
    page = client.get(place["page"].removeprefix("/playground/api/"))
    assert page["text"] == example_texts(60)[4] + LINE
    assert page["text"][page["start"] : page["end"]] == LINE
    assert page["url"] == "https://site.test/4"


def test_a_model_of_other_documents_has_a_reason(client):
    reason = sources(client, text=LINE, model="other")["missing"]
    assert "/tokens was written with another tokenizer" in reason


def test_without_an_out_folder_there_is_a_reason(models):
    alone = Client(Places(models))
    assert "serve out" in alone.post("sources", text=LINE, model="base")["missing"]
    assert "serve out" in alone.get("page?document=0&start=0&end=1")["missing"]
    assert "serve out" in alone.get("funnel")["missing"]
    assert alone.get("runs") == []
    assert alone.refusal(404, "runs/base")
    assert len(alone.get("tokenizers")) == 3


# ---- runs ------------------------------------------------------------------------------------


def test_a_run_that_goes_on_is_given_line_by_line(client, out):
    with run_lock.held(out / "base"):
        (run,) = client.get("runs")
        whole = client.get("runs/base")
    assert (run["name"], run["stage"], run["step"], run["running"]) == (
        "base", "pretrain", 10, True,
    )  # fmt: skip
    assert [line["step"] for line in whole["metrics"]] == [0, 5, 10]
    assert whole["samples"] == [{"step": 10, "text": "the list \ud800"}]
    assert whole["running"]
    assert [line["step"] for line in client.get("runs/base?after=5")["metrics"]] == [10]
    assert client.get("runs/base?after=10")["samples"] == []


def test_the_funnel_comes_with_the_report_of_the_cleaning(tmp_path, models):
    client = Client(Places(models, tmp_path))
    assert client.get("funnel")["missing"].startswith(f"{tmp_path.name}/clean.json is not there")
    write_json(tmp_path / "clean.json", {"steps": [{"step": "url", "documents_in": 3}]})
    assert client.get("funnel")["steps"][0]["documents_in"] == 3


def test_files_that_vanish_or_are_rubbish_are_no_mistake_of_the_server(out, models, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(out, folder)
    client = Client(Places(models, folder, (folder / "documents.jsonl.gz",)))
    place = sources(client, text=LINE, model="base")["spans"][0]["places"][0]["page"]
    page = place.removeprefix("/playground/api/")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            path.write_bytes(os.urandom(50))
    for request in (page, "runs", "runs/base", "funnel", "tokenizers"):
        client.get(request)
    assert "missing" in sources(client, text=LINE, model="base")
    shutil.rmtree(folder)
    for request in (page, "runs", "funnel", "tokenizers"):
        client.get(request)
    assert "missing" in sources(client, text=LINE, model="base")
    assert client.refusal(404, "runs/base")


# ---- bad input -------------------------------------------------------------------------------

TOKENIZE = {"text": "a", "tokenizers": ["base"]}
MERGES = {"text": "a", "tokenizer": "base"}
ATTENTION = {"model": "base", "ids": [1, 2], "layer": 0}
SOURCES = {"text": "a", "model": "base"}


@pytest.mark.parametrize("path", ["tokenize", "merges", "attention", "sources"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'"x"',
        b"\xff",
        b"null",
        b"[" * 9999,
        b'{"a": NaN}',
        b"{}",
        b'{"text": 1' + b"0" * 9999 + b"}",
    ],
)
def test_a_body_that_is_no_object_with_the_fields_is_refused(client, path, body):
    assert client.refusal(400, path, body)["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "param", "words"),
    [
        ("tokenize", TOKENIZE | {"text": 7}, 400, "text", "text is 7"),
        ("tokenize", TOKENIZE | {"text": "a" * 5_001}, 400, "text", "at most 5,000"),
        ("tokenize", TOKENIZE | {"tokenizers": []}, 400, "tokenizers", "1 to 8 names"),
        ("tokenize", TOKENIZE | {"tokenizers": "base"}, 400, "tokenizers", "list"),
        ("tokenize", TOKENIZE | {"tokenizers": ["base"] * 9}, 400, "tokenizers", "1 to 8"),
        ("tokenize", TOKENIZE | {"tokenizers": ["x"]}, 404, "tokenizers", "there are base, other"),
        ("tokenize", TOKENIZE | {"tokenizers": [["x"]]}, 404, "tokenizers", "no tokenizer"),
        ("tokenize", TOKENIZE | {"colour": 1}, 400, "colour", "no parameter"),
        ("merges", MERGES | {"tokenizer": "x"}, 404, "tokenizer", "no tokenizer 'x'"),
        ("merges", MERGES | {"tokenizer": None}, 400, "tokenizer", "missing"),
        ("merges", MERGES | {"text": "a" * 201}, 400, "text", "chunk of 201 bytes"),
        ("merges", MERGES | {"text": "a b " * 501}, 400, "text", "at most 2,000"),
        ("attention", ATTENTION | {"model": "x"}, 404, "model", "base, chat, other"),
        ("attention", ATTENTION | {"model": 7}, 400, "model", "model is 7"),
        ("attention", ATTENTION | {"ids": []}, 400, "ids", "empty"),
        ("attention", ATTENTION | {"ids": 7}, 400, "ids", "from 0 to 299"),
        ("attention", ATTENTION | {"ids": [1, 300]}, 400, "ids", "from 0 to 299"),
        ("attention", ATTENTION | {"ids": [-1]}, 400, "ids", "from 0 to 299"),
        ("attention", ATTENTION | {"ids": [True]}, 400, "ids", "from 0 to 299"),
        ("attention", ATTENTION | {"ids": [1.0]}, 400, "ids", "from 0 to 299"),
        ("attention", ATTENTION | {"layer": 2}, 400, "layer", "from 0 to 1"),
        ("attention", ATTENTION | {"layer": "0"}, 400, "layer", "whole number"),
        ("attention", ATTENTION | {"layer": None}, 400, "layer", "missing"),
        ("sources", SOURCES | {"text": "a" * 20_001}, 400, "text", "at most 20,000"),
        ("sources", SOURCES | {"model": "x"}, 404, "model", "must be one of"),
    ],
)  # fmt: skip
def test_a_field_that_is_not_as_it_must_be_is_named(client, path, body, status, param, words):
    error = client.refusal(status, path, body)
    assert error["param"] == param
    assert words in error["message"]


@pytest.mark.parametrize(
    ("path", "status", "param"),
    [
        ("page", 400, "document"),
        ("page?document=0&start=0", 400, "end"),
        ("page?document=x&start=0&end=1", 400, "document"),
        ("page?document=-1&start=0&end=1", 400, "document"),
        ("page?document=0&start=--1&end=1", 400, "start"),
        ("page?document=" + "1" * 5000 + "&start=0&end=1", 400, "document"),
        ("page?document=%D9%A3&start=0&end=1", 400, "document"),
        ("page?document=57&start=0&end=1", 404, "document"),
        ("page?document=0&start=9&end=1", 404, "document"),
        ("runs/base?after=x", 400, "after"),
        ("runs/base?after=-2", 400, "after"),
        ("runs/..", 404, "name"),
        ("runs/tokens", 404, "name"),
    ],
)
def test_a_query_that_leads_nowhere_is_refused(client, path, status, param):
    sources(client, text=LINE, model="base")
    assert client.refusal(status, path)["param"] == param


def test_no_model_at_all_is_said_so(out):
    status, value = Client(Places({}, out)).ask("POST", "sources", json.dumps(SOURCES).encode())
    assert status == 503
    assert "no model" in value["error"]["message"]


def test_every_route_is_below_the_pages_own_folder(out, models):
    for route in playground_api.routes(Places(models, out)):
        assert route.path.startswith("/playground/api/")
