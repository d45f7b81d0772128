"""Pages of other origins: which may ask, and what their browsers are told (CORS).

None may by default: any page that is open in the same browser could else read and use what runs on
this machine. `serve --allow-origin http://localhost:3000` lets the pages of one in. Before a page
sends JSON, its browser asks with OPTIONS whether it may (a preflight). That question carries no
key, and its answer needs none.

Source: WHATWG Fetch, "CORS protocol".
"""

import re

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?", re.IGNORECASE)
HEADERS = re.compile(rb"[!-~ ]{1,1000}")


def check_origins(origins):
    """Raise ValueError for what is no origin, as a browser sends it."""
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise ValueError(
                f"allowed origin is {origin!r}; it must be as http://localhost:3000 is: "
                "scheme, host and port, no path"
            )


def is_allowed(origin, allowed):
    """Tell whether an Origin, as a browser spells it, is one of those allowed."""
    return origin.lower() in {each.lower() for each in allowed}


def is_preflight(scope, headers):
    """Tell whether a browser asks what a page may."""
    return scope["method"] == "OPTIONS" and b"access-control-request-method" in headers


def told(headers):
    """Return the headers that let the page which sent `headers` read an answer."""
    return [(b"access-control-allow-origin", headers[b"origin"]), (b"vary", b"origin")]


async def send_preflight(send, headers):
    """Answer that the page may send what it wants to."""
    wanted = headers.get(b"access-control-request-headers", b"content-type")
    answer = [
        (b"access-control-allow-methods", b"GET, HEAD, POST"),
        (b"access-control-allow-headers", wanted if HEADERS.fullmatch(wanted) else b"content-type"),
        (b"access-control-allow-private-network", b"true"),  # Chromium's: to 127.0.0.1
        (b"access-control-max-age", b"600"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": answer})
    await send({"type": "http.response.body", "body": b""})
