"""Talk to an assistant in the terminal: ask, watch the answer come, ask on.

    /system TEXT       how the assistant should behave; without TEXT: as it likes
    /temperature N     0: always the likeliest token; 1: as likely as the model finds it
    /retry             answer the last question again, in other words
    /clear             forget the conversation
    /help, /quit       or Ctrl-D to leave; Ctrl-C stops an answer

At a terminal the arrow keys edit the line and bring earlier ones back. From a pipe each line is a
message, so `echo "Who are you?" | python -m minigpt chat out/chat` prints an answer.

What is older than the window is forgotten, an exchange at a time, see chat_format.render_prompt.
This is not the model (sample.py) nor a server.
"""

import contextlib
import math
import sys

from minigpt.chat_format import END, control_ids, render_prompt
from minigpt.chat_template import check_template
from minigpt.checkpoint import load
from minigpt.distribution import check_integer
from minigpt.sample import generate, stream_text

RETRY_TEMPERATURE = 0.7
COMMANDS = "commands: /system TEXT, /temperature N, /retry, /clear, /help, /quit"


class Chat:
    """A conversation with a model; `messages` is what was said."""

    def __init__(
        self, model, tokenizer, temperature=0.0, system=None, max_new_tokens=None, seed=None
    ):
        """Begin one; an answer has at most `max_new_tokens`, by default what the window has left.

        Half of the window is kept for it.
        """
        check_temperature(temperature)
        if max_new_tokens is not None:
            check_integer("max_new_tokens", max_new_tokens, 1)
        self.model, self.tokenizer = model, tokenizer
        self.temperature, self.system, self.seed = temperature, system, seed
        self.max_new_tokens = max_new_tokens
        self.stop = (control_ids(tokenizer)[END["assistant"]],)
        self.messages, self.n_replies = [], 0

    def ask(self, text, temperature=None):
        """Yield the assistant's answer to `text`, piece by piece, and note what was said.

        Where the reader stops early, what came until then is what was said. Raises ValueError
        for a message that is empty or does not fit the window.
        """
        system = [{"role": "system", "content": self.system}] if self.system else []
        messages = [*self.messages, {"role": "user", "content": text}]
        T = self.model.config.n_positions
        room = T - min(self.max_new_tokens or T, T // 2)
        ids = render_prompt(self.tokenizer, system + messages, room)
        # another seed for every reply, or a second try would be the first again
        seed = None if self.seed is None else self.seed + self.n_replies
        self.n_replies += 1
        new_ids = generate(
            self.model, ids, self.max_new_tokens or T - len(ids),
            self.temperature if temperature is None else temperature,
            stop=self.stop, seed=seed,
        )  # fmt: skip
        return self._say(messages, stream_text(self.tokenizer, new_ids))

    def _say(self, messages, pieces):
        said = []
        try:
            for piece in pieces:
                said.append(piece)
                yield piece
        finally:
            # an answer of nothing could not be shown to the model again
            reply = "".join(said).strip() or "..."
            self.messages = [*messages, {"role": "assistant", "content": reply}]

    def retry(self):
        """Yield another answer to the last question; raise ValueError where there is none.

        At temperature 0 it would be the same one, so it is drawn at RETRY_TEMPERATURE at least.
        """
        if not self.messages:
            raise ValueError("nothing was asked yet; ask something first")
        said = self.messages
        *self.messages, question, _ = said
        try:
            return self.ask(question["content"], max(self.temperature, RETRY_TEMPERATURE))
        except ValueError:  # with a longer word of the system it may not fit
            self.messages = said
            raise

    def clear(self):
        """Forget what was said."""
        self.messages = []


def check_temperature(temperature):
    """Raise ValueError for what is no temperature, before anything is asked."""
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; it must be 0 or more")


def obey(chat, line):
    """Carry out a command; return pieces of text to print. Raises EOFError for /quit."""
    command, _, rest = line.partition(" ")
    rest = rest.strip()
    if command == "/quit":
        raise EOFError
    if command == "/help":
        return [__doc__.partition("\n\n")[2].partition("\n\nAt a")[0]]
    if command == "/clear":
        chat.clear()
        return ["(forgotten)"]
    if command == "/system":
        chat.system = rest or None
        return ["(the system says: " + (rest or "nothing") + ")"]
    if command == "/temperature":
        try:
            temperature = float(rest)
        except ValueError:
            raise ValueError(f"temperature is {rest!r}; it must be a number, as 0.7") from None
        check_temperature(temperature)
        chat.temperature = temperature
        return [f"(temperature {temperature:g})"]
    if command == "/retry":
        return chat.retry()
    raise ValueError(f"there is no command {command}; {COMMANDS}")


def talk(chat, read, write):
    """Read lines and write answers until the reader ends.

    `read` returns a line and raises EOFError at the end; `write` prints a piece of text.
    """
    while True:
        try:
            line = read().strip()
        except KeyboardInterrupt:  # at the prompt: the line begins anew
            write("\n")
            continue
        except EOFError:
            return
        if not line:
            continue
        pieces = iter(())
        try:
            pieces = obey(chat, line) if line.startswith("/") else chat.ask(line)
            for piece in pieces:
                write(piece)
            write("\n")
        except EOFError:
            return
        except ValueError as error:
            write(f"({error})\n")
        except KeyboardInterrupt:
            with contextlib.suppress(AttributeError):
                pieces.close()
            write(" (stopped)\n")


def run(folder, device="cpu", **settings):
    """Talk to the assistant in `folder` until the user leaves; see Chat for the settings."""
    model, tokenizer = load(folder, device)
    check_template(folder, tokenizer)
    chat = Chat(model, tokenizer, **settings)
    at_terminal = sys.stdin.isatty()
    if at_terminal:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  importing it gives input() arrow keys and history
        print(f"Talk to {folder}. {COMMANDS}")

    def write(text):
        print(text, end="", flush=True)

    talk(chat, lambda: input("> " if at_terminal else ""), write)
    if at_terminal:
        print()
