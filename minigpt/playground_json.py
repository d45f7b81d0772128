"""Bodies, numbers and errors of the page's own endpoints.

An error is an answer in OpenAI's shape, {"error": {"message", "type", "param", "code"}}. JSON is
written in ASCII: a text may hold a lone surrogate, which UTF-8 cannot write.
"""

import json
import logging

from starlette.responses import Response

MOST_BYTES = 1 << 20  # of a body
log = logging.getLogger(__name__)


class Refused(ValueError):
    """A request that is answered with an error."""

    def __init__(self, message, param=None, status=400, code=None):
        super().__init__(message)
        self.param, self.status, self.code = param, status, code


def answer(value, status=200):
    """Return a Response with a value as JSON, never kept by the browser."""
    body = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Response(body, status, {"Cache-Control": "no-store"}, "application/json")


def refuse(error):
    """Return the Response for a Refused."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    described = {"message": str(error), "type": kind, "param": error.param, "code": error.code}
    return answer({"error": described}, error.status)


def endpoint(function):
    """Return an endpoint for Starlette: what `function` returns or refuses, as JSON."""

    async def respond(request):
        try:
            return answer(await function(request))
        except Refused as error:
            return refuse(error)

    return respond


async def read_fields(request, *names):
    """Return the JSON object of a body, which must have the fields `names`."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MOST_BYTES:
            raise Refused(f"the body has more than {MOST_BYTES} bytes; send less text", status=413)
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is no valid JSON ({error}); send an object") from None
    if not isinstance(body, dict):
        raise Refused(f"the body is a {type(body).__name__}; it must be an object")
    for name in names:
        if name not in body:
            raise Refused(f"the body lacks {name!r}; it must have {', '.join(names)}", name)
    return body


def text_field(body, name, most):
    """Return a field that must be text of at most `most` characters."""
    text = body[name]
    if not isinstance(text, str):
        raise Refused(f"{name} is a {type(text).__name__}; it must be text", name)
    if len(text) > most:
        raise Refused(
            f"{name} has {len(text)} characters; it must have at most {most}: send a part of it",
            name,
        )
    return text


def number(value, name, least, most):
    """Return a whole number, given as such or as digits in a query, from `least` to `most`."""
    found = None
    if type(value) is int:
        found = value
    elif isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
        found = int(value)
    if found is None or not least <= found <= most:
        raise Refused(
            f"{name} is {str(value)[:40]}; it must be a whole number from {least} to {most}", name
        )
    return found
