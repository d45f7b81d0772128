"""From a body, as OpenAI's clients send it, to what the engine is asked for.

Every field is checked (see api_fields.py, api_messages.py), and an error names the first at fault.
Beyond OpenAI's fields, with vLLM's names: top_k, min_p, repetition_penalty, return_token_ids, and
truncate_prompt_tokens for /v1/completions.

Source: OpenAI's API reference, "Create chat completion" and "Create completion (legacy)".
"""

from dataclasses import dataclass

from minigpt.api_errors import invalid
from minigpt.api_fields import Fields, find_model
from minigpt.api_messages import read_messages
from minigpt.chat_format import render_prompt, room_for_questions, shorten
from minigpt.completion import encode_prompt
from minigpt.dataset import SEPARATOR
from minigpt.distribution import Settings
from minigpt.engine import Request

MAX_LOGPROBS = 1 << 17  # that an answer may have: about 10 MB
MAX_N, MAX_ROWS, MAX_STOPS, MAX_STOP_CHARS = 16, 64, 4, 256
MAX_TOP = 20  # OpenAI's for chats; for completions it has 5, vLLM has 20
DEFAULT_COMPLETION_TOKENS = 16  # OpenAI's
DRAWN_AT = 0.8  # a temperature: that of the page, and of `minigpt sample`

COMMON = {
    "model", "max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "stop",
    "frequency_penalty", "presence_penalty", "seed", "n", "logprobs", "stream", "stream_options",
    "return_token_ids",
}  # fmt: skip
CHAT = COMMON | {"messages", "max_completion_tokens", "top_logprobs"}
COMPLETION = COMMON | {"prompt", "echo", "truncate_prompt_tokens"}


@dataclass(frozen=True)
class Asked:
    """A checked body: a Request for each prompt, and how the answer shall look.

    `echo`: how many ids at the start of each prompt are not given back; None: it is not at all.
    """

    served: object
    requests: list
    chat: bool
    n: int
    n_top: int | None
    stream: bool
    include_usage: bool
    return_token_ids: bool
    echo: list | None


# ---- what is common ----------------------------------------------------------------------------


def standard_temperature(served, draws):
    """Return the temperature where none is given: that of the page (settings.js).

    An assistant is asked for what it knows, and that is the likeliest; a base model would go round
    in a circle. But where a request `draws`, for it asks for several texts, or for a draw from some
    tokens only, an assistant's are drawn too.
    """
    return 0.0 if served.assistant and not draws else DRAWN_AT


def read_settings(fields, served):
    """Return how to draw."""
    n_vocab = served.tokenizer.n_vocab
    top_k = fields.number("top_k", -1, 2**31, whole=True)  # 0 and -1: all, as vLLM has it
    top_k = min(top_k, n_vocab) if top_k and top_k > 0 else None
    top_p, min_p = fields.number("top_p", 0, 1), fields.number("min_p", 0, 1)
    # a top_p of 1, a top_k or min_p of 0 leave nothing out: they ask for no draw
    draws = fields.get("n") not in (None, 1) or top_k or top_p not in (None, 1) or min_p
    return Settings(
        temperature=fields.number("temperature", 0, 2, standard_temperature(served, draws)),
        top_k=top_k,
        top_p=top_p if top_p is None else max(top_p, 1e-9),  # 0: the likeliest alone
        min_p=min_p,
        repetition_penalty=fields.number("repetition_penalty", 0.01, 10, 1.0),
        frequency_penalty=fields.number("frequency_penalty", -2, 2, 0.0),
        presence_penalty=fields.number("presence_penalty", -2, 2, 0.0),
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


def asked(fields, served, prompts, max_new_tokens, n_top, chat, timeout_s, echo=None):
    """Return the Asked of a body whose prompts are ids already."""
    stream, include_usage = read_stream(fields)
    n = fields.number("n", 1, MAX_N, 1, whole=True)
    if n * len(prompts) > MAX_ROWS:
        param = "prompt" if len(prompts) > 1 else "n"
        raise invalid(param, f"{n} texts for each of {len(prompts)} prompts are too many; "
                      f"they must be at most {MAX_ROWS} together")  # fmt: skip
    n_tokens = n * (len(prompts) * max_new_tokens + (0 if echo is None else sum(map(len, prompts))))
    check_logprobs(n_tokens, n_top, "top_logprobs" if chat else "logprobs")
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
        served, requests, chat, n, n_top, stream, include_usage,
        fields.boolean("return_token_ids"), echo,
    )  # fmt: skip


def check_logprobs(n_tokens, n_top, name):
    """Raise ApiError, naming a field, where as many tokens have too many log-probabilities."""
    n_numbers = 0 if n_top is None else n_tokens * (1 + n_top)
    if n_numbers > MAX_LOGPROBS:
        raise invalid(name, f"{name}: with their alternatives, {n_tokens:,} tokens may have "
                      f"{n_numbers:,} log-probabilities; they must be at most {MAX_LOGPROBS:,}: "
                      "lower max_tokens or n")  # fmt: skip


# ---- the two kinds -------------------------------------------------------------------------------


def read_chat(body, models, max_tokens, timeout_s):
    """Return the Asked of a body of /v1/chat/completions."""
    fields = Fields(body, CHAT)
    served = find_model(models, fields.required("model"))
    check_assistant(served)
    messages = read_messages(fields.required("messages"))
    T = served.model.config.n_positions
    both = ("max_completion_tokens", "max_tokens")
    new = [fields.number(name, 1, max_tokens, whole=True) for name in both]
    max_new = next((value for value in new if value is not None), None)
    try:
        ids = render_prompt(served.tokenizer, messages, room_for_questions(T, max_new))
    except ValueError as error:
        raise invalid("messages", f"messages: {error}", "context_length_exceeded") from None
    if max_new is None:
        max_new = min(T - len(ids), max_tokens)
    n_top = fields.number("top_logprobs", 0, MAX_TOP, whole=True)
    if not fields.boolean("logprobs"):
        if n_top is not None:
            raise invalid("top_logprobs", "top_logprobs is only allowed with logprobs: true")
    else:
        n_top = n_top or 0
    return asked(fields, served, [ids], max_new, n_top, True, timeout_s)


def check_assistant(served):
    """Raise ApiError where a model has learnt no conversations."""
    if not served.assistant:
        raise invalid(
            "model", f"model {served.name} has no chat template: it goes on with a text and does "
            "not answer; use /v1/completions", "no_chat_template",
        )  # fmt: skip


def read_completion(body, models, max_tokens, timeout_s):
    """Return the Asked of a body of /v1/completions."""
    fields = Fields(body, COMPLETION)
    served = find_model(models, fields.required("model"))
    given = read_prompts(fields.required("prompt"))
    prompts = [prompt_ids(p, served) for p in given]
    T = served.model.config.n_positions
    keep = fields.number("truncate_prompt_tokens", -1, T, whole=True)
    if keep is not None:
        if keep == 0:
            raise invalid("truncate_prompt_tokens", "truncate_prompt_tokens is 0; it must be -1, "
                          "for as many as fit, or above 0")  # fmt: skip
        prompts = [ids[-(T if keep == -1 else keep) :] for ids in prompts]
    for ids in prompts:
        if len(ids) > T:
            text = f"prompt is {len(ids)} tokens long; at most {T} fit: give a shorter one"
            raise invalid("prompt", text, "context_length_exceeded")
    default = min(DEFAULT_COMPLETION_TOKENS, max_tokens)
    max_new = fields.number("max_tokens", 0, max_tokens, default, whole=True)
    n_top = fields.number("logprobs", 0, MAX_TOP, whole=True)
    echo = None
    if fields.boolean("echo"):  # all but the separator that was put before a text
        separator = served.tokenizer.special_tokens.get(SEPARATOR)
        pairs = zip(given, prompts, strict=True)
        echo = [int(isinstance(p, str) and ids[0] == separator) for p, ids in pairs]
    return asked(fields, served, prompts, max_new, n_top, False, timeout_s, echo)


def read_prompts(prompt):
    """Return a list of texts and lists of ids, which are not checked yet."""
    if isinstance(prompt, str) or (
        isinstance(prompt, list) and prompt and not isinstance(prompt[0], (str, list))
    ):
        prompt = [prompt]
    if not isinstance(prompt, list) or not prompt:
        message = f"prompt is {shorten(prompt)}; it must be a text, ids, or a list of those"
        raise invalid("prompt", message, "invalid_type")
    if len(prompt) > MAX_ROWS:
        raise invalid("prompt", f"prompt has {len(prompt)} texts; it must have at most {MAX_ROWS}")
    return prompt


def prompt_ids(prompt, served):
    """Return the ids of a prompt; a text follows the separator, as in training."""
    if isinstance(prompt, str):
        separator = served.tokenizer.special_tokens.get(SEPARATOR)
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
