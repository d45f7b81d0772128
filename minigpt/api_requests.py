"""From a body, as OpenAI's clients send it, to what the engine is asked for.

Every field is checked, and an error names the first at fault. What is OpenAI's but cannot be done
here is refused unless it asks for nothing (`tools: []`), and so is a field nobody knows: it may be
misspelt. Beyond OpenAI's fields, with vLLM's names: top_k, min_p, repetition_penalty,
return_token_ids, and truncate_prompt_tokens for /v1/completions.

Source: OpenAI's API reference, "Create chat completion" and "Create completion (legacy)".
"""

import json
import math
import re
from dataclasses import dataclass

from minigpt.api_errors import ApiError, invalid, unavailable
from minigpt.chat_format import render_prompt, shorten
from minigpt.completion import encode_prompt
from minigpt.distribution import Settings
from minigpt.engine import Request

MAX_N, MAX_ROWS, MAX_STOPS, MAX_STOP_CHARS = 16, 64, 4, 256
DEFAULT_COMPLETION_TOKENS = 16  # OpenAI's
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

COMMON = {
    "model", "max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "stop",
    "seed", "n", "logprobs", "stream", "stream_options", "return_token_ids",
}  # fmt: skip
CHAT = COMMON | {"messages", "max_completion_tokens", "top_logprobs"}
COMPLETION = COMMON | {"prompt", "truncate_prompt_tokens"}
# fields that change nothing here
IGNORED = {
    "user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "store",
    "parallel_tool_calls",
}  # fmt: skip
# fields of OpenAI's that are not supported, with values that ask for nothing; null never does
NOTHING = {
    "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "echo": (False,),
    "suffix": ("",), "best_of": (1,), "tools": ([],), "functions": ([],), "tool_choice": ("none",),
    "function_call": ("none",), "response_format": ({"type": "text"},), "modalities": (["text"],),
    "audio": (), "prediction": (), "reasoning_effort": ("none",), "verbosity": (),
    "web_search_options": (), "prompt_cache_retention": (),
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A checked body: a Request for each prompt, and how the answer shall look."""

    served: object
    requests: list
    chat: bool
    n: int
    n_top: int | None
    stream: bool
    include_usage: bool
    return_token_ids: bool


# ---- bodies ------------------------------------------------------------------------------------


def read_json(body):
    """Return the JSON object in a body; raise ApiError for anything else."""

    def no_number(text):
        raise ValueError(f"{text} is no JSON")

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=no_number)
        if SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise too_deep() from None
    except UnicodeDecodeError as error:
        raise invalid(None, f"the body is no UTF-8 (byte {error.start}); send UTF-8") from None
    except UnicodeEncodeError:
        raise invalid(None, "the body has half a surrogate pair; send whole characters") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise invalid(None, f"the body is no JSON ({error.msg}: {where})") from None
    except ValueError as error:  # a number of thousands of digits, or NaN
        reason = str(error).partition(";")[0]
        raise invalid(None, f"the body is no JSON that is read here ({reason})") from None
    if not isinstance(value, dict):
        raise invalid(None, f"the body is {shorten(value)}; it must be a JSON object")
    return value


def too_deep():
    """Return the ApiError of a body that is nested too deeply to be read."""
    return invalid(None, "the body is nested too deeply; no field needs that")


class Fields:
    """The fields of a body; each method checks one and returns it, or the default for null."""

    def __init__(self, body, known):
        self.body = body
        for name, value in body.items():
            if name in known or name in IGNORED or value is None:
                continue
            if name not in NOTHING:
                message = f"{shorten(name)} is no parameter that is known here; remove it"
                raise invalid(name[:64], message, "unknown_parameter")
            if value not in NOTHING[name] or isinstance(value, bool) != (name == "echo"):
                message = f"{name} is not supported by this server; remove it"
                raise invalid(name, message, "unsupported_parameter")

    def get(self, name):
        """Return a field as it is, None where it is null or missing."""
        return self.body.get(name)

    def required(self, name):
        """Return a field that must be there."""
        if (value := self.get(name)) is None:
            raise invalid(name, f"{name} is missing; it is required", "missing_required_parameter")
        return value

    def number(self, name, least, most, default=None, whole=False):
        """Return a number from `least` to `most`."""
        value = self.get(name)
        if value is None:
            return default
        kinds, what = ((int,), "a whole number") if whole else ((int, float), "a number")
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise invalid(name, f"{name} is {shorten(value)}; it must be {what}", "invalid_type")
        if not least <= value <= most or not math.isfinite(value):
            raise invalid(name, f"{name} is {shorten(value)}; it must be from {least} to {most}")
        return value

    def text(self, name):
        """Return a text, which must be there."""
        value = self.required(name)
        if not isinstance(value, str):
            raise invalid(name, f"{name} is {shorten(value)}; it must be text", "invalid_type")
        return value

    def boolean(self, name):
        """Return True or False, which is the default."""
        value = self.get(name)
        if not isinstance(value, (bool, type(None))):
            message = f"{name} is {shorten(value)}; it must be true or false"
            raise invalid(name, message, "invalid_type")
        return bool(value)


def find_model(models, name):
    """Return the served model of a name; raise ApiError where there is none."""
    if not isinstance(name, str):
        raise invalid("model", f"model is {shorten(name)}; it must be a name", "invalid_type")
    if name in models:
        return models[name]
    if not models:
        raise unavailable("no model is loaded yet; `make train` makes one")
    known = ", ".join(models)
    raise ApiError(
        404, f"model is {shorten(name)}; it must be one of: {known}", "model", "model_not_found"
    )


# ---- what is common ----------------------------------------------------------------------------


def read_settings(fields, served):
    """Return how to draw."""
    n_vocab = served.tokenizer.n_vocab
    top_k = fields.number("top_k", -1, 2**31, whole=True)  # 0 and -1: all, as vLLM has it
    top_p = fields.number("top_p", 0, 1)
    return Settings(
        temperature=fields.number("temperature", 0, 2, 1.0),
        top_k=min(top_k, n_vocab) if top_k and top_k > 0 else None,
        top_p=top_p if top_p is None else max(top_p, 1e-9),  # 0: the likeliest alone
        min_p=fields.number("min_p", 0, 1),
        repetition_penalty=fields.number("repetition_penalty", 0.01, 10, 1.0),
    )


def read_stop(fields):
    """Return the stop strings."""
    stop = fields.get("stop")
    stop = [] if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or not all(isinstance(s, str) for s in stop):
        message = f"stop is {shorten(stop)}; it must be a text or a list of texts"
        raise invalid("stop", message, "invalid_type")
    if len(stop) > MAX_STOPS:
        raise invalid("stop", f"stop has {len(stop)} texts; it must have at most {MAX_STOPS}")
    for text in stop:
        if not 1 <= len(text) <= MAX_STOP_CHARS:
            raise invalid(
                "stop",
                f"stop has a text of {len(text)} characters; it must have from 1 to "
                f"{MAX_STOP_CHARS}",
            )
    return stop


def read_stream(fields):
    """Return (stream, include_usage)."""
    stream, options = fields.boolean("stream"), fields.get("stream_options")
    if options is None:
        return stream, False
    if not isinstance(options, dict):
        message = f"stream_options is {shorten(options)}; it must be an object"
        raise invalid("stream_options", message, "invalid_type")
    if not stream:
        raise invalid("stream_options", "stream_options is only allowed with stream: true")
    if unknown := options.keys() - {"include_usage", "include_obfuscation"}:
        name = min(unknown)
        raise invalid("stream_options", f"stream_options has {shorten(name)}; remove it")
    return stream, Fields(options, options).boolean("include_usage")


def asked(fields, served, prompts, max_new_tokens, n_top, chat, timeout_s):
    """Return the Asked of a body whose prompts are ids already."""
    stream, include_usage = read_stream(fields)
    n = fields.number("n", 1, MAX_N, 1, whole=True)
    if n * len(prompts) > MAX_ROWS:
        param = "prompt" if len(prompts) > 1 else "n"
        raise invalid(param, f"{n} texts for each of {len(prompts)} prompts are too many; "
                      f"they must be at most {MAX_ROWS} together")  # fmt: skip
    seed = fields.number("seed", -(2**63), 2**63 - 1, whole=True)
    settings, stop = read_settings(fields, served), (*served.end_ids, *read_stop(fields))
    requests = [
        Request(
            prompt, max_new_tokens, settings, stop, n, None if seed is None else seed % 2**64,
            n_top, timeout_s,
        )
        for prompt in prompts
    ]  # fmt: skip
    return Asked(
        served, requests, chat, n, n_top, stream, include_usage, fields.boolean("return_token_ids")
    )


def too_long(param, n_tokens, room):
    """Return the ApiError of a prompt that does not fit."""
    return invalid(
        param, f"{param} is {n_tokens} tokens long; at most {room} fit: say it in fewer words",
        "context_length_exceeded",
    )  # fmt: skip


# ---- conversations -----------------------------------------------------------------------------


def read_chat(body, models, max_tokens, timeout_s):
    """Return the Asked of a body of /v1/chat/completions."""
    fields = Fields(body, CHAT)
    served = find_model(models, fields.required("model"))
    if not served.assistant:
        raise invalid(
            "model", f"model {served.name} has no chat template: it goes on with a text and does "
            "not answer; use /v1/completions", "no_chat_template",
        )  # fmt: skip
    messages = read_messages(fields.required("messages"))
    T = served.model.config.n_positions
    both = ("max_completion_tokens", "max_tokens")
    new = [fields.number(name, 1, max_tokens, whole=True) for name in both]
    max_new = next((value for value in new if value is not None), min(T // 2, max_tokens))
    room = T - min(max_new, T // 2)
    try:
        ids = render_prompt(served.tokenizer, messages, room)
    except ValueError as error:
        raise invalid("messages", f"messages: {error}", "context_length_exceeded") from None
    n_top = fields.number("top_logprobs", 0, 20, whole=True)
    if not fields.boolean("logprobs"):
        if n_top is not None:
            raise invalid("top_logprobs", "top_logprobs is only allowed with logprobs: true")
    else:
        n_top = n_top or 0
    return asked(fields, served, [ids], max_new, n_top, True, timeout_s)


def read_messages(messages):
    """Return messages as chat_format has them; raise ApiError naming the field at fault."""
    if not isinstance(messages, list):
        message = f"messages is {shorten(messages)}; it must be a list"
        raise invalid("messages", message, "invalid_type")
    if not messages:
        raise invalid("messages", "messages is empty; it must hold a message at least")
    system, turns = [], []
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        role, content = read_message(message, where)
        if role == "system" and not turns and not system:
            # nothing said is as good as no message
            system += [{"role": role, "content": content}] if content.strip() else []
            continue
        expected = ("user", "assistant")[len(turns) % 2]
        if role != expected:
            raise invalid(
                f"{where}.role",
                f"{where}.role is {role!r}; it must be {expected!r}: after one message of the "
                "system, or none, user and assistant take turns",
            )
        if not content.strip():
            if role == "user":
                text = f"{where}.content is empty; it must say something"
                raise invalid(f"{where}.content", text)
            content = "..."  # the model has learnt no empty answers
        turns.append({"role": role, "content": content})
    if len(turns) % 2 == 0:
        text = "the last of messages is not the user's; the assistant answers to one"
        raise invalid("messages", text)
    return system + turns


def read_message(message, where):
    """Return (role, content) of a message."""
    if not isinstance(message, dict):
        text = f"{where} is {shorten(message)}; it must be an object"
        raise invalid(where, text, "invalid_type")
    for name in ("tool_calls", "function_call", "audio", "tool_call_id"):
        if message.get(name):
            text = f"{where}.{name} is not supported"
            raise invalid(f"{where}.{name}", text, "unsupported_parameter")
    role = read_role(message, where)
    return role, read_content(message.get("content"), f"{where}.content")


def read_role(message, where):
    """Return the role of a message."""
    role = message.get("role")
    if role == "developer":  # OpenAI's newer name
        return "system"
    if role not in ("system", "user", "assistant"):
        raise invalid(
            f"{where}.role",
            f"{where}.role is {shorten(role)}; it must be system, user or assistant",
        )
    return role


def read_content(content, where):
    """Return the text of a content: a text, or a list of parts {"type": "text", "text": ...}."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid(where, f"{where} is {shorten(content)}; it must be text", "invalid_type")
    texts = []
    for i, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text":
            kind = part.get("type") if isinstance(part, dict) else part
            raise invalid(
                f"{where}[{i}]", f'{where}[{i}] is {shorten(kind)}; it must be of type "text"'
            )
        if not isinstance(part.get("text"), str):
            raise invalid(f"{where}[{i}].text", f"{where}[{i}].text must be text", "invalid_type")
        texts.append(part["text"])
    return "\n".join(texts)


# ---- texts to go on with -----------------------------------------------------------------------


def read_completion(body, models, max_tokens, timeout_s):
    """Return the Asked of a body of /v1/completions."""
    fields = Fields(body, COMPLETION)
    served = find_model(models, fields.required("model"))
    prompts = read_prompts(fields.required("prompt"), served)
    T = served.model.config.n_positions
    keep = fields.number("truncate_prompt_tokens", -1, T, whole=True)
    if keep is not None:
        if keep == 0:
            raise invalid("truncate_prompt_tokens", "truncate_prompt_tokens is 0; it must be -1, "
                          "for as many as fit, or above 0")  # fmt: skip
        prompts = [ids[-(T if keep == -1 else keep) :] for ids in prompts]
    for ids in prompts:
        if len(ids) > T:
            raise too_long("prompt", len(ids), T)
    default = min(DEFAULT_COMPLETION_TOKENS, max_tokens)
    max_new = fields.number("max_tokens", 0, max_tokens, default, whole=True)
    n_top = fields.number("logprobs", 0, 5, whole=True)
    return asked(fields, served, prompts, max_new, n_top, False, timeout_s)


def read_prompts(prompt, served):
    """Return a list of lists of ids."""
    if isinstance(prompt, str) or (
        isinstance(prompt, list) and prompt and not isinstance(prompt[0], (str, list))
    ):
        prompt = [prompt]
    if not isinstance(prompt, list) or not prompt:
        message = f"prompt is {shorten(prompt)}; it must be a text, ids, or a list of those"
        raise invalid("prompt", message, "invalid_type")
    if len(prompt) > MAX_ROWS:
        raise invalid("prompt", f"prompt has {len(prompt)} texts; it must have at most {MAX_ROWS}")
    return [prompt_ids(p, served) for p in prompt]


def prompt_ids(prompt, served):
    """Return the ids of a prompt; a text follows the separator, as in training."""
    if isinstance(prompt, str):
        separator = served.tokenizer.special_tokens.get("<|endoftext|>")
        ids = encode_prompt(served.tokenizer, prompt)
        prompt = ids if separator is None else [separator, *ids]
    if not isinstance(prompt, list) or not prompt:
        raise invalid("prompt", f"prompt holds {shorten(prompt)}; it must be a text or ids")
    n_vocab = served.tokenizer.n_vocab
    for id in prompt:
        if isinstance(id, bool) or not isinstance(id, int) or not 0 <= id < n_vocab:
            raise invalid(
                "prompt", f"prompt holds {shorten(id)}; an id must be from 0 to {n_vocab - 1}"
            )
    return prompt
