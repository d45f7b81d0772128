"""A headless Chromium for tests, spoken to over a pipe (the Chrome DevTools Protocol).

`find()` gives its path or None: tests are skipped where there is none. No port is opened and no
profile is kept. What a person does is done by the browser itself (`click`, `press`, `type`), so a
button that is covered, or a key that something else takes, is noticed.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

# the first is the same engine without what surrounds the page: a fifth less processor time
NAMES = (
    "chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser",
    "google-chrome", "google-chrome-stable", "chrome",
)  # fmt: skip
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--remote-debugging-pipe", "--process-per-site", "--renderer-process-limit=1",
]  # fmt: skip
KEY_CODES = {
    "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37,
    "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip
# a promise, kept once an element is at the same place in three frames, or has moved for too long
STAYS = """new Promise((kept) => {
  let before, same = 0, frames = 0;
  const look = () => {
    const { left, top } = ELEMENT.getClientRects()[0], now = `${left} ${top}`;
    same = now === before ? same + 1 : 0;
    before = now;
    if (same === 2 || ++frames === 200) kept();
    else requestAnimationFrame(look);
  };
  look();
})"""
# a page that asks again every two seconds does so five times a second
HURRY = """{
  const later = window.setTimeout;
  window.setTimeout = (f, ms, ...more) => later(f, ms >= 1500 ? ms / 10 : ms, ...more);
}"""
PATIENCE_S = 60  # for an answer; a busy machine takes seconds, a broken test must not hang


def find() -> str | None:
    """Find a Chromium: the one BROWSER_BINARY names, or the first on the path."""
    return os.environ.get("BROWSER_BINARY") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a headless browser. Use as a context manager."""

    def __init__(self, width: int = 1280, height: int = 900):
        self.profile = tempfile.mkdtemp()
        child_reads, self.to_browser = os.pipe()
        self.from_browser, child_writes = os.pipe()
        pipes = f"3<&{child_reads} 4>&{child_writes}"
        command = [find(), *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" {pipes}', "bash", *command],
            pass_fds=(child_reads, child_writes),
            start_new_session=True,  # all of its processes are a group
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(child_reads)
        os.close(child_writes)
        self.buffer, self.number, self.session = b"", 0, None
        self.events: list[dict] = []
        pages = self.call("Target.getTargets")["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):  # "Network" has much to say; who asks turns it on
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.to_browser)
        os.close(self.from_browser)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, **params) -> dict:
        """Send a command and wait for its answer; what is said meanwhile goes to `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _read(self) -> dict:
        end = time.monotonic() + PATIENCE_S
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.from_browser], [], [], max(0, end - time.monotonic()))
            data = os.read(self.from_browser, 1 << 20) if ready else b""
            assert data, f"the browser says nothing (exit status {self.process.poll()})"
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def open(self, place: Path | str) -> None:
        """Open a file or an address, and wait until it is loaded."""
        url = place if isinstance(place, str) else place.resolve().as_uri()
        here = self.evaluate("location.href").partition("#")[0]
        if "#" in url and url.partition("#")[0] == here:
            self.open("about:blank")  # another part of a page loads nothing
        self._load("Page.navigate", url=url)

    def reload(self) -> None:
        """Load the page that is open once more; nothing can be evaluated while that begins."""
        self._load("Page.reload")

    def _load(self, method: str, **params) -> None:
        self.events.clear()
        self.call(method, **params)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    @contextlib.contextmanager
    def beginning_with(self, script: str):
        """Have every page that is opened meanwhile run a script before its own."""
        added = self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        try:
            yield
        finally:
            self.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])

    def evaluate(self, expression: str):
        """Give the value of a JavaScript expression; of a promise, once it is kept."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_until(self, expression: str, seconds: float = 60) -> None:
        """Wait until a JavaScript expression is true; fail where it does not come to be."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"!!({expression})"):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.02)

    def problems(self) -> list[str]:
        """Say what the console of the page showed as an error or a warning since `open`."""
        self.evaluate("0")  # what was said before comes before its answer
        said = []
        for event in self.events:
            kind, params = event["method"], event.get("params", {})
            if kind == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                said.append(details.get("exception", {}).get("description", details["text"]))
            elif kind == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                said.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            elif kind == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
                args = params["args"]
                said.append(" ".join(str(a.get("value", a.get("description"))) for a in args))
        return said

    def click(self, selector: str, index: int = 0) -> None:
        """Scroll an element into view and click it, where nothing else lies on it.

        The pointer is there first and waits: a page that is pointed at, or still scrolls, moves.
        """
        at = f"document.querySelectorAll({json.dumps(selector)})[{index}]"
        self.wait_until(at)
        for _ in range(2):  # twice where something grew meanwhile and the page was moved by it
            self.evaluate(f"{at}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
            self.pointer("mouseMoved", selector, index)
            self.evaluate(STAYS.replace("ELEMENT", at))
            covered = self.evaluate(
                f"(({{left, top, width, height}}) => ((hit) => {at}.contains(hit) ? '' : "
                "hit ? hit.outerHTML.slice(0, 200) : 'nothing')(document.elementFromPoint("
                f"left + width / 2, top + height / 2)))({at}.getClientRects()[0])"
            )
            if not covered:
                break
        assert not covered, f"{selector} is covered by {covered}"
        self.pointer("click", selector, index)

    def type(self, text: str) -> None:
        """Put a text where the focus is, as a keyboard or a paste would."""
        self.call("Input.insertText", text=text)

    def pointer(self, kind: str, selector: str, index: int = 0) -> None:
        """Move the pointer to the middle of an element ("mouseMoved"), or click it ("click").

        Of an element that is broken over several lines it is the middle of the first one's part.
        """
        x, y = self.evaluate(
            f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])"
            f"(document.querySelectorAll({json.dumps(selector)})[{index}].getClientRects()[0])"
        )
        clicks = ("mouseMoved", "mousePressed", "mouseReleased")
        kinds = clicks if kind == "click" else (kind,)
        for name in kinds:
            button = {} if name == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=name, x=x, y=y, **button)

    def press(self, key: str, shift: bool = False) -> None:
        """Press a key and let it go: "Tab", "Enter", "ArrowRight", "Home"."""
        text = {"text": {"Enter": "\r", " ": " "}[key]} if key in ("Enter", " ") else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code="Space" if key == " " else key,
                windowsVirtualKeyCode=KEY_CODES.get(key, 0),
                modifiers=8 if shift else 0,
                **(text if kind == "keyDown" else {}),
            )

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Give the page a size in pixels, and light or dark colours."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
