"""The command `serve`: which models, which address, how it ends, and what it keeps to itself."""

import contextlib
import gc
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import closing
from pathlib import Path

import pytest
import safetensors.numpy

pytest.importorskip("uvicorn", reason="needs the chat extra: pip install .[chat]")
from playground_server import make_models, serving, until
from raw_http import connect, get, post, read_all, read_answer, request

from minigpt import machine, run_lock
from minigpt import serve as serve_module
from minigpt.__main__ import main
from minigpt.api_models import Shelf, distinct_names
from minigpt.checkpoint import load, save_weights
from minigpt.engine import Closed, Request
from minigpt.serve import Options

ROOT = Path(__file__).resolve().parent.parent
CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
HELLO = {"model": "chat", "messages": [{"role": "user", "content": "a list"}], "max_tokens": 3}
LONG = HELLO | {"max_tokens": 2048, "stream": True}


def names(port):
    return [model["id"] for model in get(port, "/v1/models").json["data"]]


# ---- the command ---------------------------------------------------------------------------------


class Command:
    """A process that serves: `lines` is what it printed, `port` where it listens."""

    def __init__(self, command):
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
        environment.pop("MAKEFLAGS", None)
        self.process = subprocess.Popen(
            [str(word) for word in command], cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.lines, self.port = [], None
        threading.Thread(target=self._read, daemon=True).start()
        until(lambda: self.port or self.process.poll() is not None, 60)
        assert self.port, self.lines

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(found[1])

    def stop(self):
        """Send Ctrl-C; return (exit status, seconds until the end)."""
        start = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        status = self.process.wait(30)
        return status, time.monotonic() - start


@contextlib.contextmanager
def command(*words):
    """Run `python -m minigpt serve` until the block ends."""
    running = Command([sys.executable, "-m", "minigpt", "serve", "--no-browser", *words])
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve") / "out"
    make_models(folder)
    (folder / "settings").mkdir()
    (folder / "clean.json").write_text("{}")
    return folder


SECRET = "Wombats-of-the-conversation"


def test_a_server_says_where_it_is_and_nothing_that_was_said(out):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with command(*sorted(out.iterdir()), "--port", port, "--log") as server:
            assert server.port != port
            said = "\n".join(server.lines)
            assert f"port {port} is taken" in said
            assert "base, chat: http" in said
            assert "skipped" in said
            assert names(server.port) == ["base", "chat"]
            question = {"messages": [{"role": "user", "content": SECRET}]}
            for body in (
                HELLO | question,
                LONG | question | {"max_tokens": 9},
                HELLO | {SECRET: 1},
            ):
                post(server.port, CHAT, body)
            post(server.port, CHAT, f'{{"{SECRET}'.encode())
            post(server.port, "/v1/tokenize", {"model": "chat", "input": SECRET})
            post(server.port, "/playground/api/tokenize", {"text": SECRET, "tokenizers": ["chat"]})
            get(server.port, f"/v1/models?q={SECRET}", User_Agent=SECRET)
            s = connect(server.port)
            s.sendall(request("POST", CHAT, json.dumps(LONG | question).encode()))
            assert s.recv(15) == b"HTTP/1.1 200 OK"
            status, seconds = server.stop()
            assert status == 0
            assert seconds < 5  # one, but for a busy machine
            with s:
                rest = read_all(s)
            until(lambda: server.lines[-1] == "stopped")
            said = "\n".join(server.lines)
            assert re.search(r"^POST /v1/chat/completions 200 \d+ ms$", said, re.M)
            assert re.search(r"^GET /v1/models 200 \d+ ms$", said, re.M)
            assert SECRET not in said
            assert "Traceback" not in said
    assert b"[DONE]" in rest or b"shutting down" in rest


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_make_chat_serves_what_was_trained(out, tmp_path):
    command = ["make", "chat", f"PY={sys.executable}", "PORT=0"]
    none = subprocess.run(
        [*command, f"OUT={tmp_path / 'none'}"], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert none.returncode == 2
    assert f"`make train OUT={tmp_path / 'none'}` makes it" in none.stderr
    server = Command([*command, f"OUT={out}"])
    try:
        assert names(server.port) == ["base", "chat"]
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["{out}/nope"], "does not exist"),
        (["{out}/clean.json"], "is no folder"),
        (["{out}", "--port", "70000"], "from 0"),
        (["{out}", "--max-tokens", "0"], "max_tokens is 0"),
        (["{out}", "--rows", "0"], "rows is 0"),
        (["{out}", "--queue", "0"], "queue is 0"),
        (["{out}", "--timeout-s", "-1"], "timeout_s is -1"),
        (["{out}", "--timeout-s", "nan"], "timeout_s is nan"),
        (["{out}", "--host", "0.0.0.0"], "--api-key"),
        (["{out}", "--host", "192.0.2.1", "--api-key", "k"], "give another --host"),
        (["{out}", "--api-key", "two words"], "API key"),
        (["{out}", "--device", "abacus"], "device"),
        (["{out}", "--documents", "{out}/nope"], "does not exist"),
        (["{out}", "--out", "{out}/nope"], "does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_served_is_said_in_a_line(out, capsys, words, reason):
    words = [word.format(out=out) for word in words]
    assert main(["serve", "--no-browser", *words]) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert said.count("\n") == 1


def test_a_broken_model_is_an_error_if_given_and_left_out_if_found(tmp_path, capsys):
    _, chat = make_models(tmp_path)
    (chat / "model.safetensors").write_bytes(b"cut off")
    assert main(["serve", "--no-browser", str(chat)]) == 2
    assert "model.safetensors" in capsys.readouterr().err
    said = []
    shelf = Shelf([tmp_path], say=said.append)
    shelf.refresh()
    shelf.refresh()  # and is said once
    assert list(shelf.models) == ["base"]
    assert len(said) == 1
    shelf.close()


def test_a_model_for_which_memory_becomes_free_is_served_then(tmp_path, monkeypatch):
    make_models(tmp_path)
    said = []
    with closing(Shelf([tmp_path], say=said.append)) as shelf:
        monkeypatch.setattr(machine, "available_bytes", lambda: 1000)
        shelf.refresh()
        shelf.refresh()  # and is said once
        assert not shelf.models
        assert [" needs " in line for line in said] == [True, True]
        monkeypatch.undo()
        shelf.refresh()
        assert [*shelf.models] == ["base", "chat"]


def test_another_address_is_served_with_a_key_only():
    Options(host="0.0.0.0", api_key="k").check()
    Options(host="localhost").check()
    with pytest.raises(ValueError, match="--api-key"):
        Options(host="0.0.0.0").check()


def test_a_folder_among_the_documents_is_a_models_that_came_too_late(tmp_path):
    text = tmp_path / "text.jsonl"
    text.touch()
    Options(documents=(text,)).check()
    with pytest.raises(ValueError, match="a folder; models' folders come before it"):
        Options(documents=(text, tmp_path)).check()


def test_the_key_may_come_from_the_environment(out, monkeypatch):
    given = []
    monkeypatch.setattr(serve_module, "serve", lambda models, options: given.append(options) or 0)
    monkeypatch.setenv("MINIGPT_API_KEY", "from-outside")
    assert main(["serve", str(out)]) == 0
    assert main(["serve", str(out), "--api-key", "by-hand", "--host", "0.0.0.0"]) == 0
    assert [options.api_key for options in given] == ["from-outside", "by-hand"]


def test_without_its_packages_serve_says_what_to_install(out, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "minigpt.serve")
    assert main(["serve", str(out)]) == 2
    assert "uvicorn is not installed; `make chat` does it" in capsys.readouterr().err


# ---- models that come and go ---------------------------------------------------------------------


def test_names_are_made_distinct():
    folders = [Path(p) for p in ("a/base", "b/base", "b/chat")]
    assert distinct_names(folders) == ["a-base", "b-base", "chat"]
    assert distinct_names([Path("x/a/base"), Path("y/a/base")]) == ["a-base", "a-base-2"]


def test_models_appear_while_serving(tmp_path, monkeypatch):
    monkeypatch.setattr(serve_module, "LOOK_EVERY_S", 0.05)
    with serving(tmp_path) as server:
        assert names(server.port) == []
        answer = post(server.port, CHAT, HELLO)
        assert answer.status == 503
        assert "make train" in answer.error["message"]
        assert int(answer.headers["retry-after"]) > 0
        make_models(tmp_path)
        until(lambda: names(server.port) == ["base", "chat"])
        until(lambda: post(server.port, CHAT, HELLO).status == 200)  # its template came last
        shutil.rmtree(tmp_path / "base")
        until(lambda: names(server.port) == ["chat"])


def test_a_model_in_several_files_is_served_when_the_last_of_them_has_come(tmp_path):
    base, _ = make_models(tmp_path / "made")
    tensors = safetensors.numpy.load_file(base / "model.safetensors")
    (base / "model.safetensors").unlink()
    files = [f"model-{i}-of-2.safetensors" for i in (1, 2)]
    parts = [dict(sorted(tensors.items())[i::2]) for i in (0, 1)]
    for file, part in zip(files, parts, strict=True):
        safetensors.numpy.save_file(part, base / file, {"format": "pt"})
    where = {name: file for file, part in zip(files, parts, strict=True) for name in part}
    index = {"metadata": {}, "weight_map": where}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))
    (base / files[1]).rename(tmp_path / "on its way")
    with closing(Shelf([tmp_path / "made"], say=lambda text: None)) as shelf:
        shelf.refresh()
        assert [*shelf.models] == ["chat"]
        (tmp_path / "on its way").rename(base / files[1])
        shelf.refresh()
        assert [*shelf.models] == ["base", "chat"]
        before = shelf.models["base"]
        os.utime(base / files[1], (1, 1))  # another one has come in its place
        shelf.refresh()
        assert shelf.models["base"] is not before


def test_a_template_that_comes_last_in_a_file_of_its_own_makes_an_assistant(tmp_path):
    _, chat = make_models(tmp_path)
    path = chat / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8"))
    template = settings.pop("chat_template")
    path.write_text(json.dumps(settings))
    with closing(Shelf([chat], say=lambda text: None)) as shelf:
        shelf.refresh()
        assert not shelf.models["chat"].assistant
        (chat / "chat_template.jinja").write_text(template, encoding="utf-8")
        shelf.refresh()
        assert shelf.models["chat"].assistant


def test_a_model_whose_own_folder_was_given_goes_with_it_and_others_still_come(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(serve_module, "LOOK_EVERY_S", 0.05)
    base, chat = make_models(tmp_path / "made")
    out = tmp_path / "out"
    out.mkdir()
    with serving(base, out) as server:
        shutil.rmtree(base)
        until(lambda: names(server.port) == [])
        chat.rename(out / "chat")
        until(lambda: names(server.port) == ["chat"])
    assert capsys.readouterr().err == ""


def test_a_model_trained_further_is_loaded_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(serve_module, "LOOK_EVERY_S", 0.05)
    base, _ = make_models(tmp_path)
    asked = {"model": "base", "prompt": "a", "max_tokens": 40, "seed": 1, "stream": True}
    with serving(base, slow_s=0.005) as server, connect(server.port) as s:
        before = server.shelf.models["base"]
        s.sendall(request("POST", COMPLETION, json.dumps(asked).encode()))
        until(lambda: server.rows_busy() == 1)
        model, _ = load(base)
        model.params.flat *= -1
        save_weights(base, model)
        until(lambda: server.shelf.models["base"] is not before)
        after = post(server.port, COMPLETION, asked | {"stream": False}).json["choices"][0]["text"]
        chunks = [line[6:] for line in read_answer(s).body.split(b"\n") if line[:6] == b"data: "]
        assert chunks.pop() == b"[DONE]"
        old = "".join(json.loads(chunk)["choices"][0]["text"] for chunk in chunks)
        assert old != after
        until(lambda: not server.shelf._old)  # its memory is given back
        again = post(server.port, COMPLETION, asked | {"stream": False}).json
        assert again["choices"][0]["text"] == after


def test_a_model_is_announced_once_and_at_the_end_of_its_training(tmp_path, monkeypatch):
    """And not at each of its checkpoints."""
    monkeypatch.setattr(serve_module, "LOOK_EVERY_S", 0.05)
    said, out = [], tmp_path / "out"
    out.mkdir()
    base, chat = make_models(tmp_path / "made")
    with serving(out) as server:
        server.shelf.say = said.append
        with run_lock.held(base):
            chat.rename(out / "chat")
            base = base.rename(out / "base")
            until(lambda: len(said) == 2)
            assert sorted(said) == [
                "base is served now, as far as it is trained", "chat is served now",
            ]  # fmt: skip
            for _ in range(2):
                before = server.shelf.models["base"]
                save_weights(base, load(base)[0])
                until(lambda before=before: server.shelf.models["base"] is not before)
        until(lambda: len(said) == 3)
        assert said[2].startswith("base: its training has ended")
        save_weights(base, load(base)[0])  # by another program
        until(lambda: len(said) == 4)
        assert said[3].startswith("base has changed")


def test_who_found_a_model_may_ask_it_though_it_is_replaced(tmp_path):
    base, _ = make_models(tmp_path)
    with closing(Shelf([base], say=lambda text: None)) as shelf:
        shelf.refresh()
        before = shelf.models["base"]
        model, _ = load(base)
        save_weights(base, model)
        shelf.refresh()
        assert shelf.models["base"] is not before
        assert len(list(before.engine.submit(Request("a", 3)))) == 3
        shelf.refresh()
        with pytest.raises(Closed):
            before.engine.submit(Request("a", 3))


def test_the_memory_of_a_replaced_model_is_given_back(tmp_path):
    base, _ = make_models(tmp_path)
    with closing(Shelf([base], say=lambda text: None)) as shelf:
        shelf.refresh()
        gone = weakref.ref(shelf.models["base"].model)
        shelf.models["base"].text_of(7)
        list(shelf.models["base"].engine.submit(Request("a", 3)))
        gc.disable()  # it need not wait for that
        try:
            save_weights(base, load(base)[0])
            shelf.refresh()
            shelf.refresh()
            assert gone() is None
        finally:
            gc.enable()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_broke_down_is_replaced(tmp_path, monkeypatch):
    def die():
        raise SystemExit

    base, _ = make_models(tmp_path)
    with closing(Shelf([base], say=lambda text: None)) as shelf:
        shelf.refresh()
        engine = shelf.models["base"].engine
        monkeypatch.setattr(engine, "_round", die)
        with pytest.raises(Closed, match="broke down"):
            list(engine.submit(Request("a", 3)))
        until(lambda: not engine.alive)
        shelf.refresh()
        assert len(list(shelf.models["base"].engine.submit(Request("a", 3)))) == 3


def test_models_appear_though_nobody_can_be_told(tmp_path, monkeypatch):
    def broken(text):
        raise BrokenPipeError

    monkeypatch.setattr(serve_module, "LOOK_EVERY_S", 0.05)
    with serving(tmp_path) as server:
        server.shelf.say = broken
        base, _ = make_models(tmp_path)
        until(lambda: names(server.port) == ["base", "chat"])
        shutil.rmtree(base)
        until(lambda: names(server.port) == ["chat"])


# ---- when something is wrong ---------------------------------------------------------------------


def test_a_mistake_of_ours_is_a_500_without_its_text(out, monkeypatch, capsys):
    def broken(*arguments):
        raise KeyError(SECRET)

    monkeypatch.setattr("minigpt.api.ChatReply", broken)
    with serving(out) as server:
        answer = post(server.port, CHAT, HELLO)
        assert answer.status == 500
        assert answer.error["type"] == "server_error"
        assert "content-security-policy" in answer.headers
        assert SECRET.encode() not in answer.body
        until(lambda: server.rows_busy() == 0)  # nothing is left behind
    said = capsys.readouterr()
    assert "KeyError in broken" in said.err
    assert SECRET not in said.err + said.out


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
@pytest.mark.parametrize("stream", [True, False])
def test_damaged_weights_are_said_to_be(tmp_path, stream, capsys):
    base, _ = make_models(tmp_path)
    model, _ = load(base)
    model.params["ln_f.weight"][...] = 3e38  # finite, but what is multiplied with it is not
    save_weights(base, model)
    with serving(base) as server:
        asked = {"model": "base", "prompt": "a", "stream": stream}
        answer = post(server.port, COMPLETION, asked)
        assert answer.status == (200 if stream else 500)
        assert b"not finite" in answer.body
        assert b"[DONE]" not in answer.body
        assert b'"server_error"' in answer.body
        scored = post(server.port, COMPLETION, asked | {"echo": True, "logprobs": 1})
        assert scored.status == 500
        assert b"not finite" in scored.body
    assert "ValueError" in capsys.readouterr().err


def test_the_end_of_the_server_ends_streams_with_an_error(out):
    with serving(out, slow_s=0.005) as server:
        s = connect(server.port)
        s.sendall(request("POST", CHAT, json.dumps(LONG).encode()))
        until(lambda: server.rows_busy() == 1)
    with s:
        answer = read_answer(s)
    assert answer.status == 200
    assert b"the server is shutting down" in answer.body


def test_time_is_limited(out):
    with serving(out, slow_s=0.01, timeout_s=0.1) as server:
        answer = post(server.port, CHAT, LONG | {"stream": False}).json
        assert answer["choices"][0]["finish_reason"] == "length"
        assert 0 < answer["usage"]["completion_tokens"] < 200
