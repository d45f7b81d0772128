"""Bad bodies: the right status, and an error that names the field."""

import json

import pytest

pytest.importorskip("uvicorn", reason="needs the chat extra: pip install .[chat]")
from playground_server import make_models, serving
from raw_http import post

from minigpt.api_replies import encode_json
from minigpt.api_requests import read_chat

CHAT, COMPLETION, TOKENIZE = "/v1/chat/completions", "/v1/completions", "/v1/tokenize"
USER = {"role": "user", "content": "a list"}
OF_CHAT = {"model": "chat", "messages": [USER], "max_tokens": 2}
OF_COMPLETION = {"model": "base", "prompt": "a list", "max_tokens": 2}
LONG = 10**400


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(*make_models(tmp_path_factory.mktemp("models"), n_positions=32)) as running:
        yield running


def said(*contents):
    """Return messages of user and assistant in turns."""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(contents)]


BOTH = [  # changes of a body, the field that the error names
    ({"model": None}, "model"),
    ({"model": 3}, "model"),
    ({"model": ["chat"]}, "model"),
    ({"model": ""}, "model"),
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"temperature": LONG}, "temperature"),
    ({"temperature": []}, "temperature"),
    ({"top_p": -1}, "top_p"),
    ({"top_p": 1.5}, "top_p"),
    ({"top_k": -2}, "top_k"),
    ({"top_k": 1.5}, "top_k"),
    ({"min_p": 2}, "min_p"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": 10**6}, "max_tokens"),
    ({"max_tokens": LONG}, "max_tokens"),
    ({"max_tokens": "many"}, "max_tokens"),
    ({"n": 0}, "n"),
    ({"n": 17}, "n"),
    ({"n": True}, "n"),
    ({"seed": 1.5}, "seed"),
    ({"seed": 2**63}, "seed"),
    ({"seed": "1"}, "seed"),
    ({"stop": 5}, "stop"),
    ({"stop": [1]}, "stop"),
    ({"stop": ""}, "stop"),
    ({"stop": ["a", ""]}, "stop"),
    ({"stop": list("abcde")}, "stop"),
    ({"stop": "a" * 257}, "stop"),
    ({"stream": "yes"}, "stream"),
    ({"stream": 1}, "stream"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": []}, "stream_options"),
    ({"stream": True, "stream_options": {"x": 1}}, "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": 3}}, "include_usage"),
    ({"return_token_ids": "a"}, "return_token_ids"),
    ({"frequency_penalty": 2.5}, "frequency_penalty"),
    ({"frequency_penalty": "0"}, "frequency_penalty"),
    ({"presence_penalty": -2.1}, "presence_penalty"),
    ({"presence_penalty": False}, "presence_penalty"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"temprature": 0}, "temprature"),
    ({"\n": 0}, "\n"),
]
CHAT_ONLY = [
    ({"echo": True}, "echo"),
    ({"messages": None}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": ["hello"]}, "messages[0]"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": " \n"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        "messages[0].content[0]",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
        "messages[0].content[0].text",
    ),
    ({"messages": [USER, USER]}, "messages[1].role"),
    ({"messages": [{"role": "assistant", "content": "x"}, USER]}, "messages[0].role"),
    ({"messages": [USER, {"role": "system", "content": "x"}]}, "messages[1].role"),
    ({"messages": said("a", "b")}, "messages"),
    ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
    ({"messages": [USER | {"tool_calls": [1]}]}, "messages[0].tool_calls"),
    ({"messages": said("key " * 100)}, "messages"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ({"logprobs": 3}, "logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 20, "n": 4, "max_tokens": 2048}, "top_logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"tools": [{"type": "function"}]}, "tools"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"audio": {}}, "audio"),
    ({"prompt": "x"}, "prompt"),
    ({"model": "base"}, "model"),
]
COMPLETION_ONLY = [
    ({"prompt": None}, "prompt"),
    ({"prompt": 5}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": [[]]}, "prompt"),
    ({"prompt": [-1]}, "prompt"),
    ({"prompt": [300]}, "prompt"),
    ({"prompt": [1.5]}, "prompt"),
    ({"prompt": [True]}, "prompt"),
    ({"prompt": [LONG]}, "prompt"),
    ({"prompt": ["a", 5]}, "prompt"),
    ({"prompt": [5, "a"]}, "prompt"),
    ({"prompt": [{}]}, "prompt"),
    ({"prompt": ["a"] * 65}, "prompt"),
    ({"prompt": ["a"] * 33, "n": 2}, "prompt"),
    ({"prompt": "key " * 100}, "prompt"),
    ({"logprobs": 21}, "logprobs"),
    ({"logprobs": True}, "logprobs"),
    ({"prompt": ["a"] * 64, "logprobs": 5, "max_tokens": 2048}, "logprobs"),
    ({"truncate_prompt_tokens": 0}, "truncate_prompt_tokens"),
    ({"echo": "yes"}, "echo"),
    ({"echo": 0}, "echo"),
    ({"prompt": ["a b"] * 64, "echo": True, "logprobs": 20, "max_tokens": 97}, "logprobs"),
    ({"best_of": 2}, "best_of"),
    ({"best_of": True}, "best_of"),
    ({"suffix": "x"}, "suffix"),
    ({"messages": [USER]}, "messages"),
]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [(CHAT, OF_CHAT | changes, param) for changes, param in BOTH + CHAT_ONLY]
    + [(COMPLETION, OF_COMPLETION | changes, param) for changes, param in BOTH + COMPLETION_ONLY]
    + [
        (TOKENIZE, {"model": "base"}, "prompt"),
        (TOKENIZE, {"model": "base", "input": "x", "prompt": "x"}, "prompt"),
        (
            TOKENIZE,
            {"model": "base", "input": "x", "add_special_tokens": True},
            "add_special_tokens",
        ),
        (TOKENIZE, {"model": "base", "prompt": ["x"]}, "prompt"),
        (TOKENIZE, {"model": "base", "prompt": "x" * 100_001}, "prompt"),
        (TOKENIZE, {"model": "base", "prompt": "x", "return_token_strs": 1}, "return_token_strs"),
        (TOKENIZE, {"model": "base", "messages": [USER]}, "model"),
        (TOKENIZE, {"model": "chat", "messages": []}, "messages"),
        (TOKENIZE, {"model": "chat", "messages": said("x" * 100_001)}, "messages"),
        (
            TOKENIZE,
            {"model": "chat", "messages": [USER], "add_special_tokens": True},
            "add_special_tokens",
        ),
        (TOKENIZE, {"model": "base", "input": 5}, "input"),
        (TOKENIZE, {"model": "base", "input": "x" * 100_001}, "input"),
        (TOKENIZE, {"input": "x"}, "model"),
        (TOKENIZE, {"model": "base", "input": "x", "y": 1}, "y"),
    ],
    ids=str,
)
def test_an_error_names_the_field(server, path, body, param):
    answer = post(server.port, path, body)
    assert answer.status == (404 if body.get("model") == "" else 400)
    error = answer.error
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert error["code"]
    assert len(error["message"]) < 300
    assert param.strip() in error["message"]


def test_without_changes_these_bodies_are_good(server):
    assert post(server.port, CHAT, OF_CHAT).status == 200
    assert post(server.port, COMPLETION, OF_COMPLETION).status == 200
    nothing = dict.fromkeys(
        ["temperature", "top_p", "stop", "seed", "n", "tools", "stream", "echo"]
    )
    assert post(server.port, COMPLETION, OF_COMPLETION | nothing).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe{}",
        b'{"model": "\xff"}',
        b'\xef\xbb\xbf{"model": "chat"}',
        b'{"model": "chat"} trailing',
        b'{"model": "chat", "temperature": NaN}',
        b'{"model": "chat", "temperature": Infinity}',
        b'{"model": "chat", "temperature": -Infinity}',
        b'{"model": "chat", "seed": ' + b"9" * 10_000 + b"}",
        b'{"model": "chat", "messages": "\\ud800"}',
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b"\0" * 1000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_is_no_json_object_is_refused(server, body):
    length = {"Content_Length": len(body), "Content_Type": "application/json"}
    for path in (CHAT, COMPLETION, TOKENIZE):
        answer = post(server.port, path, body, **length)
        assert answer.status == 400
        assert answer.error["type"] == "invalid_request_error"
        assert "body" in answer.error["message"]


def test_no_depth_of_nesting_is_a_mistake_of_the_servers(server):
    for depth in range(900, 1000, 9):
        for name in ("messages", "stop", "temperature"):
            body = f'{{"model": "chat", "messages": [], "{name}": {"[" * depth}{"]" * depth}}}'
            assert post(server.port, CHAT, body.encode()).status == 400


def test_numbers_with_huge_exponents_are_out_of_range(server):
    body = (
        b'{"model": "chat", "messages": [{"role": "user", "content": "a"}], "temperature": 1e999}'
    )
    assert post(server.port, CHAT, body).error["param"] == "temperature"


def test_a_whole_surrogate_pair_is_a_character(server):
    body = b'{"model": "base", "input": "\\ud83d\\ude42"}'
    data = post(server.port, TOKENIZE, body).json["data"]
    assert b"".join(bytes(token["bytes"]) for token in data).decode() == "🙂"


def test_tokenize_gives_ids_texts_and_bytes(server):
    tokenizer = server.shelf.models["base"].tokenizer
    text = "the naïve list <|endoftext|>"
    answer = post(server.port, TOKENIZE, {"model": "base", "input": text}).json
    assert [token["id"] for token in answer["data"]] == tokenizer.encode_ordinary(text)
    assert answer["count"] == len(answer["data"])
    assert b"".join(bytes(token["bytes"]) for token in answer["data"]).decode() == text
    assert post(server.port, TOKENIZE, {"model": "base", "input": ""}).json["count"] == 0


def test_an_answer_is_one_line_however_lines_are_cut():
    text = "one\u0085two\u2028three\u2029four\n"
    assert len(encode_json([text]).splitlines()) == 1
    assert json.loads(encode_json(text)) == text


def test_a_long_conversation_is_read_in_one_pass(server):
    messages = said(*["a key", "a list"] * 8000, "the list")
    answer = post(server.port, CHAT, OF_CHAT | {"messages": messages, "return_token_ids": True})
    assert answer.status == 200
    assert len(answer.json["prompt_token_ids"]) <= 30


def test_control_tokens_in_a_text_are_text(server):
    served = server.shelf.models["chat"]
    special = set(served.tokenizer.special_tokens.values())
    extra = {"return_token_ids": True}
    text = "<|assistant_start|><|endoftext|>a"
    body = {"model": "chat", "prompt": text, "max_tokens": 1, **extra}
    first, *ids = post(server.port, COMPLETION, body).json["prompt_token_ids"]
    assert first == served.tokenizer.eot_token
    assert not special & set(ids)


def test_an_answer_of_nothing_may_be_sent_back(server):
    messages = said("a", "", "b")
    assert post(server.port, CHAT, OF_CHAT | {"messages": messages}).status == 200
    system = [{"role": "system", "content": " "}, USER]
    assert post(server.port, CHAT, OF_CHAT | {"messages": system}).status == 200


# ---- vLLM's tokenizer API ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/tokenize", "/tokenize"])
def test_a_prompt_has_the_tokens_that_a_completion_would_begin_with(server, path):
    body = {"model": "base", "prompt": "the naïve list"}
    asked = {**body, "max_tokens": 1, "return_token_ids": True}
    ids = post(server.port, COMPLETION, asked).json["prompt_token_ids"]
    assert post(server.port, path, body).json == {
        "count": len(ids), "max_model_len": 32, "tokens": ids, "token_strs": None,
    }  # fmt: skip
    plain = post(server.port, path, body | {"add_special_tokens": False}).json
    assert plain["tokens"] == ids[1:]


def test_tokens_are_spelt_as_in_the_tokenizers_file(server):
    body = {"model": "base", "prompt": "a é", "return_token_strs": True}
    words = post(server.port, TOKENIZE, body).json["token_strs"]
    assert words[0] == "<|endoftext|>"
    assert "".join(words[1:]) == "aĠÃ©"  # bytes 61 20 C3 A9, as GPT-2 writes them


def test_messages_have_the_tokens_that_an_answer_would_follow(server):
    body = {"model": "chat", "messages": said("a", "b", "a list")}
    asked = {**body, "max_tokens": 1, "return_token_ids": True}
    ids = post(server.port, CHAT, asked).json["prompt_token_ids"]
    answer = post(server.port, TOKENIZE, body).json
    assert (answer["tokens"], answer["count"]) == (ids, len(ids))
    begun = post(server.port, TOKENIZE, body | {"add_generation_prompt": False}).json
    assert begun["tokens"] == ids[:-1]


def test_a_conversation_longer_than_the_window_is_counted_whole(server):
    body = {"model": "chat", "messages": said(*["a key", "a list"] * 20, "the list")}
    answer = post(server.port, TOKENIZE, body).json
    assert answer["count"] > answer["max_model_len"]


def test_an_answer_of_no_told_length_may_fill_what_the_window_has_left(server):
    body = {"model": "chat", "messages": [USER]}
    (request,) = read_chat(body, server.shelf.models, 2048, 60).requests
    assert len(request.prompt) + request.max_new_tokens == 32
