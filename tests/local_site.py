"""A small web site on this machine, for tests of everything that speaks HTTP."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]
Route = str | bytes | Answer | Callable[[BaseHTTPRequestHandler], Answer | None]


class LocalSite:
    """Serve `routes`, by path with query: HTML, an answer, or a function that writes one itself.

    `requests` lists the paths asked for, in order; robots.txt only if there is a route for it.
    """

    def __init__(self, routes: dict[str, Route]):
        self.routes = routes
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.n_connections = 0
        self.closing = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                site.n_connections += 1

            def do_GET(self):
                site.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # a client that hangs up is no error here
        self.netloc = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.netloc}/"

    def __enter__(self) -> "LocalSite":
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        route = self.routes.get(handler.path, (404, {}, b"not here"))
        if handler.path != "/robots.txt" or handler.path in self.routes:
            self.requests.append(handler.path)
            self.headers.append(dict(handler.headers))
        if callable(route):
            route = route(handler)
            if route is None:
                return
        if isinstance(route, str):
            route = route.encode("utf-8")
        if isinstance(route, bytes):
            route = (200, {"Content-Type": "text/html; charset=utf-8"}, route)
        status, headers, body = route
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


def page(*links: str, head: str = "", text: str = "A page.") -> str:
    """Return an HTML page with these links."""
    anchors = "".join(f'<a href="{link}">{link}</a>\n' for link in links)
    return f"<html><head><title>t</title>{head}</head><body><p>{text}</p>{anchors}</body></html>"
