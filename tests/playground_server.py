"""The real server for tests, on a free port: `with serving(*make_models(folder)) as server:`.

`make_models` writes a base model and an assistant, both minute and untrained: what they say means
nothing and never ends by itself, but is the same every time. `serving` runs what `python -m minigpt
serve` does, in a thread; `slow_s` makes every token take so many seconds, so that there is time to
stop an answer.
"""

import contextlib
import faulthandler
import threading
import time

from minigpt_examples import MODEL, example_tokenizer, small_model

from minigpt.api_models import Shelf
from minigpt.chat_format import with_control_tokens
from minigpt.chat_template import save_template
from minigpt.checkpoint import save_model
from minigpt.serve import Options, listen, make_server


def make_models(folder, n_positions=128):
    """Write `base` and `chat` below a folder; return the two folders."""
    tokenizers = {"base": example_tokenizer(), "chat": with_control_tokens(example_tokenizer())}
    for seed, (name, tokenizer) in enumerate(tokenizers.items()):
        n_vocab = max(tokenizer.n_vocab, MODEL.vocab_size)
        model = small_model(vocab_size=n_vocab, n_positions=n_positions, seed=seed)
        never(model, tokenizer.special_tokens.values())
        save_model(folder / name, model, tokenizer)
    save_template(folder / "chat", tokenizers["chat"])
    return folder / "base", folder / "chat"


def never(model, ids):
    """Make some ids so unlikely that they do not come: scores are ln_f's output times wte's row."""
    model.params["ln_f.bias"][...] = 1
    model.params["wte.weight"][[*ids]] = -1


class Running:
    """A server that runs; `url` ends without a slash."""

    def __init__(self, server, shelf, port):
        self.server, self.shelf, self.port = server, shelf, port
        self.api, self.guard = server.api, server.config.app
        self.url = f"http://127.0.0.1:{port}"

    def rows_busy(self):
        """Return how many requests are being answered."""
        return sum(served.engine.stats()["running"] for served in self.shelf.models.values())


@contextlib.contextmanager
def serving(*folders, slow_s=0.0, **options):
    """Serve models until the block ends; `options` are those of serve.Options."""
    options = Options(browser=False, port=0, **options)
    shelf = Shelf(folders, options.device, options.rows, options.queue, say=lambda text: None)
    shelf.refresh()
    if slow_s:
        for served in shelf.models.values():
            slow_down(served.tokenizer, slow_s)
    listener = listen("127.0.0.1", 0)
    server = make_server(shelf, options)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield Running(server, shelf, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)  # it takes a fraction of a second, but the machine may be busy
        if thread.is_alive():
            faulthandler.dump_traceback()  # what is it waiting for?
        shelf.close()
    assert not thread.is_alive(), "the server does not end"


def let_files_be_kept(server):
    """Have the browser keep the page's files: to ask for each of them takes half of a test's time.

    The server itself has it ask again, so that a newer page is seen.
    """
    app = server.guard.app

    async def kept(scope, receive, send):
        async def send_kept(message):
            if message["type"] == "http.response.start" and scope["path"].endswith((".js", ".css")):
                keep = (b"cache-control", b"max-age=3600")
                message["headers"] = [*message.get("headers", []), keep]
            await send(message)

        await app(scope, receive, send_kept)

    server.guard.app = kept


def slow_down(tokenizer, seconds):
    """Have a tokenizer take so long for each token that is made text."""
    decode = tokenizer.decode_bytes

    def slow(ids):
        time.sleep(seconds)
        return decode(ids)

    tokenizer.decode_bytes = slow


def until(condition, seconds=20):
    """Wait until a condition holds; fail where it does not come to hold."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.005)
