"""The playground's server: the API, the page and what the page needs, on one port.

    python -m minigpt serve out/base out/chat

`make_app` puts the parts together, `serve` runs them with uvicorn until Ctrl-C. See api.py for the
API, api_guard.py for who may ask, playground_api.py for the page's own endpoints.
"""

import asyncio
import contextlib
import errno
import math
import mimetypes
import os
import re
import socket
import sys
import threading
import webbrowser
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from minigpt import playground_api
from minigpt.api import Api
from minigpt.api_connection import Connection, allow_connections
from minigpt.api_errors import ApiError
from minigpt.api_guard import LOOPBACK, Guard, say_where, send_error
from minigpt.api_models import Shelf
from minigpt.api_origins import check_origins
from minigpt.distribution import check_integer
from minigpt.playground_api import Places
from minigpt.runs import is_running

PAGE = Path(__file__).parent / "playground"
PORTS_TO_TRY = 20
LOOK_EVERY_S = 2


@dataclass(frozen=True)
class Options:
    """How to serve; the defaults of the command line."""

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = None
    browser: bool = True
    device: str = "cpu"
    max_tokens: int = 2048  # that one answer may have
    queue: int = 128  # requests that may wait
    rows: int = 64  # texts that are written at the same time
    timeout_s: float = 120  # that one answer may take
    documents: tuple = ()  # files; default: documents.jsonl.gz in `out`
    out: str | None = None  # folder of the training runs; default: where the models are
    log: bool = False
    origins: tuple = ()  # of other sites, whose pages may ask too

    def check(self):
        """Raise ValueError for options that cannot be."""
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; it must be from 0, any free one, to 65535")
        for name, least in (("max_tokens", 1), ("queue", 1), ("rows", 1)):
            check_integer(name, getattr(self, name), least)
        if not 0 < self.timeout_s < math.inf:
            raise ValueError(f"timeout_s is {self.timeout_s}; it must be above 0")
        if self.api_key is not None and not re.fullmatch(r"[!-~]+", self.api_key):
            raise ValueError("the API key must be of ASCII characters, without blanks")
        if self.host not in LOOPBACK and not self.api_key:
            raise ValueError(
                f"host is {self.host}, which others can reach; give an --api-key, or leave --host "
                "away: then only this machine can"
            )
        check_origins(self.origins)
        for path in (*self.documents, *([self.out] if self.out else [])):
            if not Path(path).exists():
                raise ValueError(f"{path} does not exist; give a file or folder that does")
        for path in filter(os.path.isdir, self.documents):
            raise ValueError(f"--documents has {path}, a folder; models' folders come before it")


def make_app(shelf, options):
    """Return (the ASGI app, its Api)."""
    mimetypes.add_type("text/javascript", ".js")  # some systems say otherwise, or nothing
    api = Api(shelf, options.max_tokens, options.timeout_s)

    async def index(request):
        path = PAGE / "index.html"
        return FileResponse(path) if path.exists() else Response("There is no page here, see /v1.")

    routes = [
        Route("/", index),
        *api.routes(),
        *page_routes(shelf, options),
        *([Mount("/playground", StaticFiles(directory=PAGE))] if PAGE.is_dir() else []),
    ]
    handlers = {HTTPException: on_http_error, ApiError: on_api_error, Exception: on_mistake}
    app = Starlette(routes=routes, exception_handlers=handlers)
    log = partial(print, file=sys.stderr, flush=True) if options.log else None
    return Guard(app, options.host, options.api_key, log=log, origins=options.origins), api


def page_routes(shelf, options):
    """Return the routes of the page's own endpoints."""
    models = shelf.model_folders()
    out = Path(options.out or (models[0].resolve().parent if models else shelf.folders[0]))
    return playground_api.routes(Places(shelf.models, out, options.documents))


class Error:
    """Sends an ApiError; ASGI."""

    def __init__(self, error):
        self.error = error

    async def __call__(self, scope, receive, send):
        await send_error(send, self.error)


async def on_api_error(request, error):
    return Error(error)


async def on_mistake(request, error):
    return Error(ApiError(500, "the server made a mistake"))


async def on_http_error(request, error):
    """Say in OpenAI's shape what Starlette says of paths and methods."""
    path = request.url.path[:100]
    messages = {
        404: f"there is no {path!r} here; the API is /v1/models, /v1/chat/completions, "
        "/v1/completions and /v1/tokenize: the base URL that a client is given ends in /v1",
        405: f"{request.method} is not allowed here",
    }
    headers = {k.lower().replace("-", "_"): v for k, v in (error.headers or {}).items()}
    message = messages.get(error.status_code, str(error.detail))
    code = "unknown_url" if error.status_code == 404 else None  # OpenAI's word for it
    return Error(ApiError(error.status_code, message, code=code, **headers))


class News:
    """Says which models came and which ended their training, not each checkpoint between."""

    def __init__(self, shelf):
        self.shelf, self.known = shelf, seen(shelf)

    def tell(self):
        """Say what has changed since the last time."""
        before, self.known = self.known, seen(self.shelf)
        for name, (version, is_trained) in self.known.items():
            old_version, was_trained = before.get(name, (None, False))
            if name not in before:
                so_far = ", as far as it is trained" if is_trained else ""
                self.shelf.say(f"{name} is served now{so_far}")
            elif was_trained and not is_trained:
                self.shelf.say(f"{name}: its training has ended; its last checkpoint is served")
            elif version != old_version and not is_trained:
                self.shelf.say(f"{name} has changed; it is served as it is now")


def seen(shelf):
    """Return {name: (version, whether it is being trained)} of the models that are served."""
    return {name: (s.version, is_running(s.folder)) for name, s in shelf.models.items()}


class Server(uvicorn.Server):
    """uvicorn's, with models that come while it runs; it ends within seconds."""

    def __init__(self, config, shelf, api):
        super().__init__(config)
        self.shelf, self.api, self.watcher = shelf, api, None
        self.news = News(shelf)

    async def startup(self, sockets=None):
        """Listen, and look for models."""
        await super().startup(sockets)
        self.watcher = asyncio.create_task(self._watch())

    async def _watch(self):
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                self.shelf.put(await run_in_threadpool(self.shelf.look))
                self.news.tell()
            except Exception as error:  # a folder or who reads what is printed may be gone
                say_where(error)

    async def shutdown(self, sockets=None):
        """End what is being written, then stop."""
        self.watcher.cancel()
        self.api.close()
        await super().shutdown(sockets)


def make_server(shelf, options):
    """Return a Server that is not running yet."""
    app, api = make_app(shelf, options)
    config = uvicorn.Config(
        app, http=Connection, ws="none", lifespan="off", loop="asyncio", log_config=None,
        log_level="critical", access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=1, timeout_keep_alive=20, backlog=1024,
    )  # fmt: skip
    return Server(config, shelf, api)


def serve(folders, options):
    """Serve until Ctrl-C; raise ValueError, OSError for what cannot be served."""
    options.check()
    shelf = Shelf(folders, options.device, options.rows, options.queue)
    shelf.refresh(strict=True)
    if shelf.models and (skipped := [path.name for path in shelf.without_models()]):
        more = f" and {len(skipped) - 4} more" if len(skipped) > 4 else ""
        print(f"skipped, no model is in them: {', '.join(skipped[:4])}{more}")
    allow_connections()
    listener = listen(options.host, options.port)
    port = listener.getsockname()[1]
    if port != options.port and options.port:
        print(f"port {options.port} is taken; {port} is free")
    shown = f"[{options.host}]" if ":" in options.host else options.host
    address = f"http://{shown}:{port}/"
    print(f"{', '.join(shelf.models) or 'no model yet'}: {address}  (Ctrl-C ends it)", flush=True)
    server = make_server(shelf, options)
    if options.browser and has_display():
        opening = threading.Timer(0.5, webbrowser.open, [address])
        opening.daemon = True
        opening.start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        shelf.close()
    print("stopped")
    return 0


def listen(host, port):
    """Return a socket that listens at `port`, or at the first free one after it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + PORTS_TO_TRY, 65536)) if port else [0]:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(1024)
            return listener
        except OSError as error:
            listener.close()
            last = error
    no_address = isinstance(last, socket.gaierror) or last.errno == errno.EADDRNOTAVAIL
    cure = "--host" if no_address else "--port"
    raise OSError(f"{host}:{port} cannot be listened at: {last.strerror}; give another {cure}")


def has_display():
    """Tell whether a browser could be seen."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
