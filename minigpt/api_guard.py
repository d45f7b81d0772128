"""Who may ask, and how much: everything between the network and the routes.

A page of another site that is open in the same browser can send requests to 127.0.0.1 too, under a
name of its own that it lets point there (DNS rebinding). So the Host must be a name of this
machine's, an Origin must be ours or allowed (api_origins.py), and a body must be called
application/json, which a page may not send elsewhere without asking first. A body is read here,
whole, up to a limit of size and time, and every answer gets the headers that keep a page from
loading or running anything not ours.

What is logged is method, path, status and milliseconds, never what was said.

Sources: WHATWG Fetch, "CORS protocol"; W3C, "Content Security Policy Level 3"; RFC 6750 (Bearer).
"""

import asyncio
import hmac
import sys
import time
import traceback
from urllib.parse import urlsplit

from minigpt.api_errors import ApiError, unavailable
from minigpt.api_origins import is_allowed, is_preflight, send_preflight, told

MAX_BODY_BYTES = 1 << 20
MAX_HELD_BYTES = 64 << 20  # of all bodies that are being read or answered
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
ANY = {"0.0.0.0", "::"}  # all addresses of the machine, whose names nobody can list
OPEN = {"/", "/health"}  # paths that need no key, beside the page's files

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
ENCODED = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """An ASGI app around another."""

    def __init__(
        self, app, host="127.0.0.1", api_key=None, body_timeout_s=15, max_open=800, log=None,
        origins=(),
    ):  # fmt: skip
        """`max_open`: requests that may be answered at the same time; `log` takes lines.

        `origins`: those whose pages may ask, beside our own.
        """
        self.app, self.host, self.api_key, self.log = app, host.lower(), api_key, log
        self.body_timeout_s, self.max_open, self.n_open = body_timeout_s, max_open, 0
        self.origins = origins
        self.max_held_bytes, self.held_bytes = MAX_HELD_BYTES, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started, status = time.monotonic(), None
        headers = dict(scope["headers"])
        elsewhere = is_allowed(headers.get(b"origin", b"").decode("latin-1"), self.origins)

        async def send_guarded(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *ENCODED]
                message["headers"] += told(headers) if elsewhere else []
                if not any(name == b"cache-control" for name, _ in message["headers"]):
                    message["headers"].append((b"cache-control", b"no-cache"))
            await send(message)

        self.n_open += 1
        body = bytearray()
        try:
            self._check_host(headers, elsewhere)
            asks_first = elsewhere and is_preflight(scope, headers)
            if not asks_first:
                self._check(scope, headers)
            if self.n_open > self.max_open:
                raise unavailable("there are too many connections; try again soon")
            if scope["method"] == "POST":
                receive = await self._with_body(receive, headers, body)
            if asks_first:
                await send_preflight(send_guarded, headers)
            else:
                await self.app(scope, receive, send_guarded)
        except ApiError as error:
            await send_error(send_guarded, error)
        except ConnectionError:
            pass  # the client has gone
        except Exception as error:
            say_where(error)
            if status is None:  # else uvicorn closes the connection, as the answer is not whole
                await send_error(send_guarded, ApiError(500, "the server made a mistake"))
        finally:
            self.n_open -= 1
            self.held_bytes -= len(body)
        if self.log:
            path = scope.get("raw_path", b"").decode("ascii", "replace")[:100]
            ms = 1000 * (time.monotonic() - started)
            self.log(f"{scope['method']} {path} {status} {ms:.0f} ms")

    # ---- headers ------------------------------------------------------------------------------

    def _check_host(self, headers, elsewhere):
        host = headers.get(b"host", b"").decode("latin-1")
        name = host_name(host)
        if self.host not in ANY and name not in LOOPBACK | {self.host}:
            raise ApiError(403, f"Host is {host[:100]!r}; it must be {self.host} or localhost",
                           code="host_not_allowed")  # fmt: skip
        origin = headers.get(b"origin", b"").decode("latin-1")
        own = f"http://{host}".lower(), f"https://{host}".lower()
        if b"origin" in headers and origin.lower() not in own and not elsewhere:
            raise ApiError(403, f"Origin is {origin[:100]!r}, another site's; it may ask if the "
                           "server is started with --allow-origin and this",
                           code="origin_not_allowed")  # fmt: skip

    def _check(self, scope, headers):
        if self.api_key and not is_open(scope["path"]):
            self._check_key(headers)
        if scope["method"] == "POST":
            kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0]
            if kind.strip().lower() != "application/json":
                raise ApiError(415, f"Content-Type is {kind[:60]!r}; it must be application/json")
            coding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip()
            if coding.lower() not in ("", "identity"):
                raise ApiError(415, f"Content-Encoding is {coding[:60]!r}; send the body as it is",
                               accept_encoding="identity")  # fmt: skip

    def _check_key(self, headers):
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        if not key:
            raise ApiError(401, "the API key is missing; send Authorization: Bearer KEY",
                           www_authenticate="Bearer")  # fmt: skip
        same = hmac.compare_digest(key.strip(), self.api_key.encode())
        if scheme.lower() != b"bearer" or not same:
            raise ApiError(401, "the API key is not the one this server was started with",
                           www_authenticate="Bearer")  # fmt: skip

    # ---- bodies -------------------------------------------------------------------------------

    async def _with_body(self, receive, headers, body):
        """Read all of `body`; return a `receive` that gives it at once.

        Raises ApiError for one that is too large or too slow.
        """
        length, more = headers.get(b"content-length", b"0"), True
        if not length.isdigit() or len(length) > 12 or int(length) > MAX_BODY_BYTES:
            raise too_large()
        try:
            async with asyncio.timeout(self.body_timeout_s):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ConnectionError
                    part, more = message.get("body", b""), message.get("more_body", False)
                    body += part
                    self.held_bytes += len(part)
                    if len(body) > MAX_BODY_BYTES:
                        raise too_large()
                    if self.held_bytes > self.max_held_bytes:
                        raise unavailable("too much is being sent at once; try again soon")
        except TimeoutError:
            raise ApiError(
                408, f"the body did not come within {self.body_timeout_s} s", connection="close"
            ) from None
        given = False

        async def replay():
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return replay


def is_open(path):
    """Tell whether a path needs no key: a new one does, unless it is one of the page's files."""
    files = path.startswith("/playground/") and not path.startswith("/playground/api/")
    return path in OPEN or files


def host_name(host):
    """Return the name in a Host header without its port, in lower case; "" where it is none."""
    try:
        return "" if "@" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def too_large():
    """Return the ApiError of a body over the limit; the rest of it is not read."""
    return ApiError(
        413, f"the body is too large; it must be at most {MAX_BODY_BYTES:,} bytes",
        connection="close",
    )  # fmt: skip


async def send_error(send, error):
    """Send an ApiError."""
    body = error.body()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers |= error.headers
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def say_where(error):
    """Print what kind of error it was and where, but no text that came with it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    print(
        f"minigpt: {type(error).__name__} in {last.name}, {last.filename}:{last.lineno}",
        file=sys.stderr,
    )
