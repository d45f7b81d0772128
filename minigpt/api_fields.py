"""Bodies of requests, and their fields: JSON in, checked values out, one ApiError for each fault.

What is OpenAI's but cannot be done here is refused, unless it asks for nothing (`tools: []`); so is
a field that nobody knows: it may be misspelt. Which fields there are is said in api_requests.py.

Sources: OpenAI's API reference; RFC 8259 (JSON), sections 6, 8.1 and 8.2.
"""

import json
import math
import re

from minigpt.api_errors import ApiError, invalid, unavailable
from minigpt.chat_format import shorten

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

# fields that change nothing here
IGNORED = {
    "user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "store",
    "parallel_tool_calls",
}  # fmt: skip
# fields of OpenAI's that are not supported, with values that ask for nothing; null never does
NOTHING = {
    "logit_bias": ({},), "echo": (False,), "suffix": ("",), "best_of": (1,), "tools": ([],),
    "functions": ([],), "tool_choice": ("none",), "function_call": ("none",),
    "response_format": ({"type": "text"},), "modalities": (["text"],),
    "audio": (), "prediction": (), "reasoning_effort": ("none",), "verbosity": (),
    "web_search_options": (), "prompt_cache_retention": (),
}  # fmt: skip


def read_json(body):
    """Return the JSON object in a body; raise ApiError for anything else."""

    def no_number(text):
        raise ValueError(f"{text} is no JSON")

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=no_number)
        if SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise invalid(None, "the body is nested too deeply; no field needs that") from None
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
