"""The official `openai` client, unchanged but for base_url, against the real server."""

import pytest

pytest.importorskip("uvicorn", reason="needs the chat extra: pip install .[chat]")
from playground_server import make_models, serving

from minigpt import complete
from minigpt.chat_format import END, render_prompt
from minigpt.distribution import log_softmax

HELLO = [{"role": "user", "content": "the list"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(*make_models(tmp_path_factory.mktemp("models"))) as running:
        yield running


@pytest.fixture(scope="module")
def openai():
    """The client's package, imported only where it is used: that takes more than a second."""
    return pytest.importorskip("openai", reason="openai is not installed (pip install .[test])")


@pytest.fixture(scope="module")
def client(openai, server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:
        yield client


def alone(served, prompt, **settings):
    """Return the ids and the text that `complete` gives."""
    stop = [*served.end_ids, *settings.pop("stop", [])]
    pieces = list(complete(served.model, served.tokenizer, prompt, stop=stop, **settings))
    ids = [piece.token.id for piece in pieces if piece.token is not None]
    return ids, "".join(piece.text for piece in pieces)


def chat_prompt(server, messages=HELLO):
    return render_prompt(server.shelf.models["chat"].tokenizer, messages)


def ask(client, **changes):
    given = {"model": "chat", "messages": HELLO, "max_tokens": 12, "seed": 4, "temperature": 1}
    given |= changes
    return client.chat.completions.create(**given)


# ---- models --------------------------------------------------------------------------------------


def test_models_are_listed_with_their_shape(client):
    base, chat = client.models.list().data
    assert (base.id, chat.id) == ("base", "chat")
    assert not base.minigpt["assistant"]
    assert chat.minigpt["assistant"]
    assert chat.minigpt["n_positions"] == 128
    assert chat.minigpt["max_tokens"] == 2048
    assert chat.minigpt["vocab_size"] == 307
    assert client.models.retrieve("chat").id == "chat"


def test_a_model_that_is_not_there_is_not_found(openai, client):
    for call in (
        lambda: client.models.retrieve("nope"),
        lambda: ask(client, model="nope"),
        lambda: client.completions.create(model="nope", prompt="a"),
    ):
        with pytest.raises(openai.NotFoundError, match="one of: base, chat") as caught:
            call()
        assert caught.value.code == "model_not_found"
        assert caught.value.type == "invalid_request_error"
        assert caught.value.param == "model"


# ---- conversations -------------------------------------------------------------------------------


def test_an_answer_is_what_complete_gives_alone(server, client):
    served = server.shelf.models["chat"]
    for settings in (
        {"temperature": 0},
        {"temperature": 1.5},
        {"top_p": 0.5},
        {"extra_body": {"top_k": 7, "repetition_penalty": 1.3}},
        {"extra_body": {"min_p": 0.3}},
        {"temperature": 0, "frequency_penalty": 2, "presence_penalty": 2},
        {"frequency_penalty": -0.5, "presence_penalty": 1.5},
    ):
        answer = ask(client, **settings)
        own = {**settings, **settings.get("extra_body", {})}
        own.pop("extra_body", None)
        ids, text = alone(served, chat_prompt(server), max_new_tokens=12, seed=4, **own)
        assert answer.choices[0].message.content == text
        assert answer.choices[0].message.role == "assistant"
        assert answer.usage.completion_tokens == len(ids)
        assert answer.usage.prompt_tokens == len(chat_prompt(server))
        assert answer.usage.total_tokens == len(ids) + len(chat_prompt(server))


def test_without_a_temperature_the_likeliest_is_taken_unless_draws_are_asked_for(client):
    def said(**changes):
        return [choice.message.content for choice in ask(client, **changes).choices]

    all_of_them = {"top_p": 1, "extra_body": {"top_k": -1, "min_p": 0}}
    for unasked in ({}, {"n": 1}, {"frequency_penalty": 1.5}, all_of_them):
        assert said(temperature=None, **unasked) == said(temperature=0, **unasked)
    for asked in ({"n": 3}, {"top_p": 0.9}, {"extra_body": {"top_k": 40}}):
        assert said(temperature=None, **asked) == said(temperature=0.8, **asked)
        assert said(temperature=None, **asked) != said(temperature=0, **asked)
    base = [go_on(client, temperature=t).choices[0].text for t in (None, 0.8, 0)]
    assert base[0] == base[1] != base[2]


def test_a_stream_adds_up_to_the_answer(client):
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    texts = [c.choices[0].delta.content or "" for c in chunks[:-1]]
    assert "".join(texts) == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert all(c.choices[0].finish_reason is None for c in chunks[:-2])
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert len({c.id for c in chunks}) == 1


def test_a_stream_says_nothing_of_usage_unasked(client):
    assert all(c.usage is None and c.choices for c in ask(client, stream=True))


def test_the_same_seed_gives_the_same_text_and_another_another(client):
    texts = [ask(client, seed=seed).choices[0].message.content for seed in (1, 1, 2, -3)]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3


def test_n_answers_are_those_of_the_seeds_that_follow(client):
    many = ask(client, n=3, seed=7)
    assert [choice.index for choice in many.choices] == [0, 1, 2]
    for i, choice in enumerate(many.choices):
        assert choice.message.content == ask(client, seed=7 + i).choices[0].message.content
    assert many.usage.completion_tokens == 36
    streamed = ["", "", ""]
    for chunk in ask(client, n=3, seed=7, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == [choice.message.content for choice in many.choices]


def test_an_answer_ends_before_a_stop_text(client):
    text = ask(client).choices[0].message.content
    stop = text[4:6]
    for given in (stop, [stop, "never to be found"]):
        answer = ask(client, stop=given).choices[0]
        assert answer.message.content == text[: text.index(stop)]
        assert answer.finish_reason == "stop"
    streamed = [c.choices[0].delta.content or "" for c in ask(client, stop=stop, stream=True)]
    assert "".join(streamed) == text[: text.index(stop)]


def test_log_probabilities_are_the_models(server, client):
    answer = ask(client, logprobs=True, top_logprobs=3).choices[0]
    served = server.shelf.models["chat"]
    pieces = complete(
        served.model, served.tokenizer, chat_prompt(server), 12, served.end_ids, seed=4, n_top=3
    )
    tokens = [piece.token for piece in pieces]
    assert len(answer.logprobs.content) == len(tokens) == 12
    for entry, token in zip(answer.logprobs.content, tokens, strict=True):
        assert entry.id == token.id
        assert entry.logprob == pytest.approx(token.logprob)
        assert bytes(entry.bytes) == served.tokenizer.decode_bytes([token.id])
        assert [top.id for top in entry.top_logprobs] == [id for id, _ in token.top]
    streamed = [
        entry
        for chunk in ask(client, logprobs=True, top_logprobs=3, stream=True)
        if chunk.choices[0].logprobs
        for entry in chunk.choices[0].logprobs.content
    ]
    assert streamed == answer.logprobs.content


def test_log_probabilities_without_alternatives(client):
    entries = ask(client, logprobs=True).choices[0].logprobs.content
    assert all(entry.top_logprobs == [] and entry.logprob < 0 for entry in entries)


def test_token_ids_are_given_where_asked_for(server, client):
    served = server.shelf.models["chat"]
    ids, _ = alone(served, chat_prompt(server), max_new_tokens=12, seed=4)
    extra = {"return_token_ids": True}
    answer = ask(client, extra_body=extra)
    assert answer.prompt_token_ids == chat_prompt(server)
    assert answer.choices[0].token_ids == ids
    chunks = list(ask(client, extra_body=extra, stream=True))
    assert chunks[0].prompt_token_ids == chat_prompt(server)
    assert [id for c in chunks for id in getattr(c.choices[0], "token_ids", [])] == ids


def test_an_old_exchange_is_forgotten_where_the_window_is_full(server, client):
    old = [{"role": "user", "content": "key " * 110}, {"role": "assistant", "content": "a"}]
    answer = ask(client, messages=old + HELLO, extra_body={"return_token_ids": True})
    assert answer.prompt_token_ids == chat_prompt(server)


def test_content_may_be_parts_and_the_system_a_developer(server, client):
    parts = [{"role": "user", "content": [{"type": "text", "text": "the list"}]}]
    assert ask(client, messages=parts).choices == ask(client).choices
    system, developer = (
        ask(client, messages=[{"role": role, "content": "be brief"}, *HELLO])
        for role in ("system", "developer")
    )
    assert system.choices == developer.choices
    assert system.usage.prompt_tokens > ask(client).usage.prompt_tokens


def test_several_messages_of_the_system_are_one(client):
    parts = [{"role": "system", "content": text} for text in ("be brief", " ", "be kind")]
    apart = ask(client, messages=[*parts, *HELLO])
    one = [{"role": "system", "content": "be brief\n\nbe kind"}]
    together = ask(client, messages=[*one, *HELLO])
    assert apart.choices == together.choices
    assert apart.usage == together.usage


def test_harmless_parameters_are_accepted(client):
    answer = ask(
        client, user="u", metadata={"a": "b"}, presence_penalty=0, frequency_penalty=0.0,
        logit_bias={}, store=False, response_format={"type": "text"}, service_tier="auto",
        tools=[], tool_choice="none", parallel_tool_calls=True,
    )  # fmt: skip
    assert answer.choices == ask(client).choices


def test_max_completion_tokens_is_max_tokens(openai, client):
    answer = ask(client, max_tokens=openai.NOT_GIVEN, max_completion_tokens=3)
    assert answer.usage.completion_tokens == 3
    assert answer.choices[0].finish_reason == "length"


def test_a_message_too_long_is_said_to_be(openai, client):
    with pytest.raises(openai.BadRequestError, match="tokens long") as caught:
        ask(client, messages=[{"role": "user", "content": "key " * 200}])
    assert caught.value.code == "context_length_exceeded"
    assert caught.value.param == "messages"


def test_a_base_model_does_not_chat(openai, client):
    with pytest.raises(openai.BadRequestError, match="/v1/completions") as caught:
        ask(client, model="base")
    assert caught.value.param == "model"


# ---- completions ---------------------------------------------------------------------------------


def go_on(client, prompt="the list", **changes):
    given = {"model": "base", "prompt": prompt, "max_tokens": 8, "seed": 1, "temperature": 1}
    given |= changes
    return client.completions.create(**given)


def test_a_completion_is_what_complete_gives_alone(server, client):
    served = server.shelf.models["base"]
    ids, text = alone(served, "the list", max_new_tokens=8, seed=1)
    answer = go_on(client, extra_body={"return_token_ids": True})
    assert answer.choices[0].text == text
    assert answer.choices[0].token_ids == ids
    prompt = [served.tokenizer.eot_token, *served.tokenizer.encode_ordinary("the list")]
    assert answer.prompt_token_ids == prompt
    assert answer.usage.prompt_tokens == len(prompt)
    assert go_on(client, prompt).choices[0].text == text  # ids are a prompt too
    assert "".join(c.choices[0].text for c in go_on(client, stream=True)) == text


def test_several_prompts_are_answered_in_order(client):
    prompts = ["the list", "a key", ""]
    both = go_on(client, prompts, n=2)
    assert [choice.index for choice in both.choices] == [*range(6)]
    for i, prompt in enumerate(prompts):
        expected = [choice.text for choice in go_on(client, prompt, n=2).choices]
        assert [choice.text for choice in both.choices[2 * i : 2 * i + 2]] == expected
    streamed = [""] * 6
    for chunk in go_on(client, prompts, n=2, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
    assert streamed == [choice.text for choice in both.choices]


def test_completions_take_16_tokens_unless_told(openai, client):
    assert go_on(client, max_tokens=openai.NOT_GIVEN).usage.completion_tokens == 16
    assert go_on(client, max_tokens=0).choices[0].text == ""


def test_old_log_probabilities_say_the_same_as_the_new(client):
    found = go_on(client, logprobs=2).choices[0]
    old, new = found.logprobs, found.logprobs.content
    assert old.tokens == [entry["token"] for entry in new]
    assert old.token_logprobs == [entry["logprob"] for entry in new]
    assert [max(top.values()) for top in old.top_logprobs] == [
        entry["top_logprobs"][0]["logprob"] for entry in new
    ]
    assert old.text_offset[0] == 0
    for offset, token in zip(old.text_offset, old.tokens, strict=True):
        if "\ufffd" not in found.text:
            assert found.text[offset:].startswith(token)


def test_a_prompt_may_be_cut_to_the_window(openai, client):
    ids = [i % 250 for i in range(200)]
    with pytest.raises(openai.BadRequestError, match="at most 128 fit") as caught:
        go_on(client, ids)
    assert caught.value.code == "context_length_exceeded"
    cut = go_on(client, ids, extra_body={"truncate_prompt_tokens": -1})
    assert cut.usage.prompt_tokens == 128
    assert cut.choices[0].text == go_on(client, ids[-128:]).choices[0].text


# ---- echo ----------------------------------------------------------------------------------------


def scores(served, ids):
    """Return for each id after those before it (its log-probability, that of the likeliest)."""
    logits = served.model.logits(ids)[:, : served.tokenizer.n_vocab]
    each = [log_softmax(row) for row in logits[:-1]]
    return [(row[id], row.max()) for row, id in zip(each, ids[1:], strict=True)]


def test_an_echo_gives_the_prompt_back_with_how_likely_it_was(server, client):
    served, text = server.shelf.models["base"], "the größte list"
    written = go_on(client, text, logprobs=1).choices[0]
    found = go_on(client, text, logprobs=1, echo=True)
    [choice], old = found.choices, found.choices[0].logprobs
    assert choice.text == text + written.text
    assert found.usage == go_on(client, text).usage  # what was given back was not written
    ids = served.tokenizer.encode_ordinary(text)
    expected = scores(served, [served.tokenizer.eot_token, *ids])
    n = len(ids)
    assert [entry["id"] for entry in old.content[:n]] == ids
    assert old.token_logprobs[:n] == pytest.approx([p for p, _ in expected], abs=1e-4)
    best = [max(top.values()) for top in old.top_logprobs[:n]]
    assert best == pytest.approx([most for _, most in expected], abs=1e-4)
    assert old.tokens[n:] == written.logprobs.tokens
    assert old.token_logprobs[n:] == written.logprobs.token_logprobs
    assert old.text_offset[n:] == [len(text) + at for at in written.logprobs.text_offset]
    assert go_on(client, text, echo=True).choices[0].logprobs is None


def test_an_echo_of_ids_has_no_probability_of_the_first(server, client):
    served, ids = server.shelf.models["base"], [7, 260, 3, 41]
    [choice] = go_on(client, ids, logprobs=0, echo=True, max_tokens=1).choices
    old = choice.logprobs
    assert [entry["id"] for entry in old.content[:4]] == ids
    assert (old.token_logprobs[0], old.top_logprobs[0]) == (None, None)
    expected = [p for p, _ in scores(served, ids)]
    assert old.token_logprobs[1:4] == pytest.approx(expected, abs=1e-4)
    assert len(old.tokens) == 5
    one = go_on(client, [7], logprobs=0, echo=True, max_tokens=0).choices[0]
    assert one.logprobs.token_logprobs == [None]
    nothing = go_on(client, "", logprobs=0, echo=True, max_tokens=0).choices[0]
    assert (nothing.text, nothing.logprobs.tokens) == ("", [])
    full = [i % 250 for i in range(128)]  # the window
    assert len(go_on(client, full, logprobs=0, echo=True).choices[0].logprobs.tokens) == 136


def test_an_echo_holds_the_token_that_ended_it_as_who_counts_from_the_end_expects(
    server, client, monkeypatch
):
    served = server.shelf.models["base"]
    first = go_on(client, temperature=0, logprobs=0).choices[0].logprobs.content[0]
    monkeypatch.setattr(served, "end_ids", (first["id"],))
    [choice] = go_on(client, temperature=0, logprobs=0, echo=True, max_tokens=1).choices
    assert (choice.text, choice.finish_reason) == ("the list", "stop")
    assert choice.logprobs.content[-1] == first
    shown = go_on(client, temperature=0, logprobs=0).choices[0]
    assert shown.logprobs.tokens == []  # without an echo it is not part of what was written


def test_echoes_of_several_prompts_come_in_a_stream_too(client):
    ask = {"prompt": ["the list", "a key", [7, 8]], "n": 2, "echo": True, "logprobs": 2}
    ask["extra_body"] = {"return_token_ids": True}
    whole = go_on(client, **ask).choices
    texts, tokens, offsets = ([""] * 6, *([[] for _ in range(6)] for _ in range(2)))
    for chunk in go_on(client, stream=True, **ask):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            if choice.logprobs:
                tokens[choice.index] += choice.logprobs.content
                offsets[choice.index] += choice.logprobs.text_offset
    assert texts == [choice.text for choice in whole]
    assert tokens == [choice.logprobs.content for choice in whole]
    assert offsets == [choice.logprobs.text_offset for choice in whole]
    for choice in whole:
        assert choice.token_ids == [entry["id"] for entry in choice.logprobs.content][-8:]


# ---- errors --------------------------------------------------------------------------------------


def test_a_wrong_key_is_an_authentication_error(openai, tmp_path):
    with serving(*make_models(tmp_path), api_key="secret") as server:
        for key in ("wrong", "secret-but-longer", "sécret"[:1] + "x"):
            client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
            with pytest.raises(openai.AuthenticationError) as caught:
                client.models.list()
            assert caught.value.code == "invalid_api_key"
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="secret", max_retries=0)
        assert len(client.models.list().data) == 2


def test_a_full_queue_is_a_rate_limit_and_clients_try_again(openai, tmp_path):
    folders = make_models(tmp_path)
    with serving(*folders, slow_s=0.005, rows=1, queue=1) as server:
        make = {"base_url": f"{server.url}/v1", "api_key": "any"}
        impatient, patient = (openai.OpenAI(**make, max_retries=n) for n in (0, 5))
        streams = []
        with pytest.raises(openai.RateLimitError) as caught:
            for _ in range(4):
                streams.append(ask(impatient, stream=True, max_tokens=200))
        assert caught.value.code == "rate_limit_exceeded"
        assert int(caught.value.response.headers["retry-after"]) >= 1
        for stream in streams:
            stream.close()
        assert ask(patient).usage.completion_tokens == 12


def test_an_async_client_works_too(openai, server):
    import asyncio

    async def many():
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
            return await asyncio.gather(*(ask(client, seed=seed) for seed in range(8)))

    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
        for seed, answer in enumerate(asyncio.run(many())):
            assert answer.choices == ask(client, seed=seed).choices


def test_end_tokens_end_an_answer(server):
    served = server.shelf.models["chat"]
    special = served.tokenizer.special_tokens
    assert set(served.end_ids) == {special["<|endoftext|>"], special[END["assistant"]]}
    assert server.shelf.models["base"].end_ids == (special["<|endoftext|>"],)
