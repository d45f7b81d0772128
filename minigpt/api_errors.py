"""What goes wrong, as OpenAI's API says it: {"error": {"message", "type", "param", "code"}}.

A status, a sentence for a person and, for a program, the field at fault (`param`) and a word for
the reason (`code`). This is not the checks themselves, see api_requests.py and api_guard.py.

Source: OpenAI's API reference, "Error codes"; RFC 9110, sections 15.5 and 10.2.3 (Retry-After).
"""

import json

TYPES = {429: "requests", 500: "server_error", 503: "server_error"}
CODES = {
    401: "invalid_api_key", 405: "method_not_allowed", 408: "request_timeout",
    413: "request_too_large", 415: "unsupported_media_type", 429: "rate_limit_exceeded",
    503: "unavailable",
}  # fmt: skip


class ApiError(Exception):
    """An answer other than what was asked for."""

    def __init__(self, status, message, param=None, code=None, **headers):
        """`headers`: further ones, with _ for -."""
        super().__init__(message)
        self.status, self.param, self.code = status, param, code or CODES.get(status)
        self.headers = {name.replace("_", "-"): str(value) for name, value in headers.items()}

    def json(self):
        """Return the body, a dict."""
        return {
            "error": {
                "message": str(self),
                "type": TYPES.get(self.status, "invalid_request_error"),
                "param": self.param,
                "code": self.code,
            }
        }

    def body(self):
        """Return the error as OpenAI's clients read it: `json`, in UTF-8."""
        return json.dumps(self.json()).encode()


def invalid(param, message, code="invalid_value"):
    """Return the ApiError of a field that is not as it must be."""
    return ApiError(400, message, param, code)


def busy(retry_after_s):
    """Return the ApiError of a full queue."""
    return ApiError(
        429, f"the server is busy; try again in {retry_after_s} s", retry_after=retry_after_s
    )


def unavailable(message, retry_after_s=5):
    """Return the ApiError of a server that cannot answer now, but will."""
    return ApiError(503, message, retry_after=retry_after_s)
