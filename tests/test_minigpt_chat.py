"""Talking in the terminal: commands, history, stopping."""

import os
import select
import signal
import subprocess
import sys
import threading
import time

import pytest
from chat_examples import make_assistant

from minigpt import chat as chat_module
from minigpt.chat import Chat, obey, talk
from minigpt.chat_format import END
from minigpt.checkpoint import load

pty = pytest.importorskip("pty", reason="there are no terminals here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_assistant(tmp_path_factory.mktemp("assistant")) / "chat"


@pytest.fixture
def chat(folder):
    return Chat(*load(folder), max_new_tokens=6, seed=1)


def said(pieces):
    return "".join(pieces)


def converse(chat, *lines):
    """Return what is written for lines typed one after the other."""
    lines, written = iter(lines), []

    def read(prompt):
        line = next(lines, None)
        if line is None:
            raise EOFError
        if isinstance(line, BaseException):
            raise line
        return line

    talk(chat, read, written.append)
    return "".join(written)


# ---- the conversation ----------------------------------------------------------------------


@pytest.mark.parametrize(("most", "expected"), [(None, "the rest"), (3, 3), (100, 100)])
def test_an_answer_may_fill_what_the_window_has_left(folder, monkeypatch, most, expected):
    asked = []
    monkeypatch.setattr(
        chat_module, "generate", lambda model, ids, n, *_, **__: asked.append((ids, n)) or []
    )
    chat = Chat(*load(folder), max_new_tokens=most)
    T = chat.model.config.n_positions
    said(chat.ask("the?"))
    ((ids, n),) = asked
    assert n == (T - len(ids) if expected == "the rest" else expected)
    assert len(ids) <= T - min(n, T // 3)  # a third of it is kept for the answer


def test_an_answer_is_streamed_and_remembered(chat):
    pieces = list(chat.ask("the?"))
    assert pieces
    assert [m["role"] for m in chat.messages] == ["user", "assistant"]
    assert chat.messages[1]["content"] == (said(pieces).strip() or "...")
    assert END["assistant"] not in said(pieces)


def test_the_next_question_is_asked_with_what_was_said_before(chat, monkeypatch):
    prompts = []
    real = chat_module.render_prompt
    monkeypatch.setattr(chat_module, "render_prompt", lambda *a: prompts.append(a[1]) or real(*a))
    list(chat.ask("a"))
    chat.system = "key"
    list(chat.ask("b"))
    assert [m["content"] for m in prompts[1]][:2] == ["key", "a"]
    assert prompts[1][-1] == {"role": "user", "content": "b"}


def test_retry_answers_the_same_question_otherwise_and_clear_forgets(chat):
    list(chat.ask("the?"))
    for _ in range(3):
        list(chat.retry())
    assert chat.messages[0]["content"] == "the?"
    assert len(chat.messages) == 2
    chat.clear()
    with pytest.raises(ValueError, match="nothing was asked yet"):
        chat.retry()


def test_a_retry_that_does_not_fit_the_window_forgets_nothing(chat):
    list(chat.ask("the?"))
    before = list(chat.messages)
    chat.system = "word " * 200
    with pytest.raises(ValueError, match="with what the system says"):
        chat.retry()
    assert chat.messages == before
    chat.system = None
    assert list(chat.retry())


def test_retry_at_temperature_0_draws_and_each_retry_with_another_seed(chat, monkeypatch):
    seen = []
    monkeypatch.setattr(
        chat_module, "generate",
        lambda model, ids, n, temperature, stop, seed: seen.append((temperature, seed)) or iter(()),
    )  # fmt: skip
    list(chat.ask("a"))
    list(chat.retry())
    list(chat.retry())
    assert [t for t, _ in seen] == [0.0, 0.7, 0.7]
    assert len({seed for _, seed in seen}) == 3


def test_an_answer_stopped_half_way_is_what_was_said(chat, monkeypatch):
    monkeypatch.setattr(chat_module, "stream_text", lambda *a: iter(["one ", "two ", "three"]))
    pieces = chat.ask("a")
    assert next(pieces) == "one "
    pieces.close()
    assert chat.messages[1]["content"] == "one"
    monkeypatch.setattr(chat_module, "stream_text", lambda *a: iter([]))
    list(chat.ask("b"))
    assert chat.messages[3]["content"] == "..."  # never empty: the model must be able to read it


# ---- commands ------------------------------------------------------------------------------


def test_commands_change_what_they_say(chat):
    assert said(obey(chat, "/system be brief")) == "(the system says: be brief)"
    assert chat.system == "be brief"
    assert said(obey(chat, "/system")) == "(the system says: nothing)"
    assert said(obey(chat, "/temperature 0.7")) == "(temperature 0.7)"
    assert chat.temperature == 0.7
    help = said(obey(chat, "/help"))
    assert all(word in help for word in ("/system", "/temperature", "/retry", "/clear", "Ctrl-C"))
    list(chat.ask("a"))
    obey(chat, "/clear")
    assert chat.messages == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("/temperature", "(temperature is ''; it must be a number, as 0.7)"),
        ("/temperature hot", "(temperature is 'hot'; it must be a number, as 0.7)"),
        ("/temperature -1", "(temperature is -1.0; it must be 0 or more)"),
        ("/temperature nan", "(temperature is nan; it must be 0 or more)"),
        ("/retry", "(nothing was asked yet; ask something first)"),
        ("/shout", "(there is no command /shout; /help lists them)"),
        ("the list " * 30, "tokens long; at most 11 fit"),
    ],
)
def test_a_mistake_is_answered_in_a_line_and_the_talk_goes_on(chat, line, complaint):
    written = converse(chat, line, "/temperature 0.5")
    assert complaint in written
    assert written.endswith("(temperature 0.5)\n")


@pytest.mark.parametrize("leave", ["/quit", "/exit", "/bye", "/quit now"])
def test_the_words_to_leave_and_the_end_of_the_input_leave_and_blank_lines_say_nothing(chat, leave):
    assert converse(chat, "", "  ", leave, "the?") == ""
    assert converse(chat) == ""


def test_lines_between_quotes_are_one_message_in_which_nothing_is_a_command(chat, monkeypatch):
    questions = []
    monkeypatch.setattr(chat, "ask", lambda text: questions.append(text) or iter(()))
    converse(chat, '"""the', "", "  list", '/clear? """ not this')
    converse(chat, '"""/clear', 'all"""', '"""one"""', '"""/quit"""', '"""', "  ", '"""', "a")
    assert questions == ["the\n\n  list\n/clear?", "/clear\nall", "one", "/quit", "a"]


def test_quotes_that_nobody_closes_end_with_the_input_or_are_dropped_by_ctrl_c(chat):
    written = converse(chat, '"""the', KeyboardInterrupt(), '"""a', "b")
    assert written.startswith("\n(Ctrl-D or /quit leaves)\n")
    assert [m["content"] for m in chat.messages if m["role"] == "user"] == ["a\nb"]


def test_it_is_said_once_when_an_answer_was_given_without_the_first_questions(chat, monkeypatch):
    monkeypatch.setattr(chat_module, "stream_text", lambda *a: iter(["the list"]))
    T, asked = chat.model.config.n_positions, ["a", "the", "a"]
    note = f"(it no longer saw your first question: {T} tokens are all it sees, answer included)\n"
    written = converse(chat, *asked)
    assert note in written
    assert written.count("no longer") == 1
    written = converse(chat, "/clear", asked[0], *asked)
    assert written.startswith("(forgotten)\nthe list\n")
    assert written.count("no longer") == 1
    assert chat_module.forgotten(3) == "it no longer saw your first 3 questions"


def test_ctrl_c_at_the_prompt_and_in_an_answer_do_not_leave(chat, monkeypatch):
    def interrupted(*_):
        yield "one "
        raise KeyboardInterrupt

    monkeypatch.setattr(chat_module, "stream_text", interrupted)
    written = converse(chat, KeyboardInterrupt(), "a", "/temperature 1")
    assert written == "\n(Ctrl-D or /quit leaves)\none  (stopped)\n(temperature 1)\n"
    assert chat.messages[1]["content"] == "one"


def test_settings_out_of_range_are_refused(folder):
    with pytest.raises(ValueError, match="temperature is -1"):
        Chat(*load(folder), temperature=-1)
    with pytest.raises(ValueError, match="max_new_tokens is 0; it must be at least 1"):
        Chat(*load(folder), max_new_tokens=0)


# ---- a real terminal, a real pipe ----------------------------------------------------------


def command(folder, *words):
    return [sys.executable, "-m", "minigpt", "chat", str(folder), "--max-new-tokens", "5", *words]


def test_from_a_pipe_each_line_is_answered_and_nothing_else_is_printed(folder):
    done = subprocess.run(
        command(folder), input="the?\n/temperature 1\n", capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "(temperature 1)"
    assert "> " not in done.stdout
    assert done.stderr == ""


def test_bytes_from_a_pipe_that_are_no_utf_8_end_no_conversation(folder):
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}  # as most people's locale has it
    done = subprocess.run(
        command(folder), input=b"caf\xe9\n/temperature 1\n", capture_output=True, timeout=60,
        env=strict, check=True,
    )  # fmt: skip
    assert done.stdout.endswith(b"(temperature 1)\n")


def test_a_prompt_is_answered_and_that_is_all(folder):
    def answered(*words, typed):
        words = command(folder, *words)
        return subprocess.run(words, input=typed, capture_output=True, text=True, timeout=60)

    done, piped = answered("--prompt", "the?", typed="a?\n"), answered(typed="the?\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == piped.stdout
    empty = answered("--prompt", " ", typed="")
    assert (empty.returncode, empty.stdout) == (2, "")
    assert empty.stderr == 'minigpt: message 1: content is " "; it must be text\n'


class Terminal:
    """A command at a terminal of its own, to type at and to read from."""

    def __init__(self, words):
        self.child, self.fd = pty.fork()
        if self.child == 0:
            os.environ["TERM"] = "xterm"
            os.execv(words[0], words)
        self.came = b""

    def type(self, keys):
        os.write(self.fd, keys)

    def read_until(self, text, seconds=60):
        """Read on until `text` has come.

        Python's readline looks for signals only when one wakes it, so it sleeps through a Ctrl-C
        that came just before it fell asleep: SIGWINCH, which means nothing here, wakes it.
        """
        end = time.monotonic() + seconds
        while text not in self.came and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                self.came += os.read(self.fd, 1000)
            else:
                os.kill(self.child, signal.SIGWINCH)
        before, found, self.came = self.came.partition(text)
        assert found, before

    def close(self):
        """Kill the command if it still runs; return its exit status."""
        killer = threading.Timer(20, os.kill, (self.child, signal.SIGKILL))
        killer.start()
        _, status = os.waitpid(self.child, 0)
        killer.cancel()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_at_a_terminal_arrow_up_brings_the_last_line_back_and_ctrl_d_leaves(folder):
    terminal = Terminal(command(folder))
    terminal.read_until(b"\r\n")  # what it is and which commands there are
    terminal.read_until(b"> ")
    terminal.type(b"/temperature 0.25\r")
    terminal.read_until(b"(temperature 0.25)\r\n")
    terminal.read_until(b"> ")
    terminal.type(b"\x1b[A\x7f6\r")  # arrow up, backspace, 6
    terminal.read_until(b"(temperature 0.26)\r\n")
    terminal.read_until(b"> ")
    terminal.type(b"not sent\x03")  # Ctrl-C at the prompt: the line is dropped
    terminal.read_until(b"> ")
    terminal.type(b"\x04")
    assert terminal.close() == 0


def test_lines_that_are_pasted_are_one_message(folder):
    if "libedit" in pytest.importorskip("readline").__doc__:
        pytest.skip("libedit does not tell what is pasted")
    terminal = Terminal(command(folder))
    terminal.read_until(b"> ")
    terminal.type(b"\x1b[200~/shout\nas loud\nas you can\x1b[201~")
    terminal.read_until(b"as you can")
    terminal.type(b"\r")
    terminal.read_until(b"tokens long; at most 11 fit")
    terminal.read_until(b"> ")
    terminal.type(b"\x04")
    assert terminal.close() == 0


def test_a_base_model_is_no_assistant(folder, capsys):
    from minigpt.__main__ import main

    assert main(["chat", str(folder.parent / "base")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has no chat_template: it is no assistant" in line
