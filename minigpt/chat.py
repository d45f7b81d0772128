"""Talk to an assistant in the terminal: ask, watch the answer come, ask on.

    /system TEXT       how the assistant should behave; without TEXT: as it likes
    /temperature N     0: always the likeliest token; 1: as likely as the model finds it
    /retry             answer the last question again, in other words
    /clear             forget the conversation
    \"\"\"                begins a message of several lines, and ends it
    /help, /quit       or /exit, /bye, Ctrl-D to leave; Ctrl-C stops an answer

At a terminal the arrow keys edit the line and bring earlier ones back; on leaving these are
forgotten, and no file is kept of what was said. Several pasted lines are one message where Python
has GNU readline; where it has libedit (macOS) or neither (Windows), each line is one. From a pipe
each line is one too: `echo "Who are you?" | python -m minigpt chat out/chat` prints an answer.

What no longer fits the window is forgotten, an exchange at a time, see chat_format.render_prompt.
Generation is in sample.py, the server in serve.py.
"""

import contextlib
import math
import sys

from minigpt.chat_format import END, START, control_ids, render_prompt, room_for_questions
from minigpt.chat_template import check_template
from minigpt.checkpoint import load
from minigpt.distribution import check_integer
from minigpt.sample import generate, stream_text

RETRY_TEMPERATURE = 0.7
LEAVE = ("/quit", "/exit", "/bye")
QUOTES = '"""'  # around a message of several lines, as Ollama has it


class Chat:
    """A conversation with a model; `messages` is what was said.

    `n_forgotten` is how many exchanges before the last question the model was no longer given.
    """

    def __init__(
        self, model, tokenizer, temperature=0.0, system=None, max_new_tokens=None, seed=None
    ):
        """Begin one; an answer has at most `max_new_tokens`, by default what the window has left.

        A third of the window is kept for the answer, or `max_new_tokens` if that is less.
        """
        check_temperature(temperature)
        if max_new_tokens is not None:
            check_integer("max_new_tokens", max_new_tokens, 1)
        self.model, self.tokenizer = model, tokenizer
        self.temperature, self.system, self.seed = temperature, system, seed
        self.max_new_tokens = max_new_tokens
        self.stop = (control_ids(tokenizer)[END["assistant"]],)
        self.messages, self.n_replies, self.n_forgotten = [], 0, 0

    def ask(self, text, temperature=None):
        """Yield the assistant's answer to `text`, piece by piece, and note what was said.

        If the reader stops early, what came until then is what was said. Raises ValueError
        for a message that is empty or does not fit the window.
        """
        system = [{"role": "system", "content": self.system}] if self.system else []
        messages = [*self.messages, {"role": "user", "content": text}]
        T = self.model.config.n_positions
        room = room_for_questions(T, self.max_new_tokens)
        ids = render_prompt(self.tokenizer, system + messages, room)
        questions = [self.tokenizer.special_tokens[START["user"]] == id for id in ids]
        self.n_forgotten = (len(messages) + 1) // 2 - sum(questions)
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
        except ValueError:  # after a longer /system it may not fit
            self.messages = said
            raise

    def clear(self):
        """Forget what was said."""
        self.messages, self.n_forgotten = [], 0


def check_temperature(temperature):
    """Raise ValueError for what is not a temperature, before anything is asked."""
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; it must be 0 or more")


def obey(chat, line):
    """Carry out a command; return pieces of text to print. Raises EOFError for /quit."""
    command, _, rest = line.partition(" ")
    rest = rest.strip()
    if command in LEAVE:
        raise EOFError
    if command in ("/help", "/?"):
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
    raise ValueError(f"there is no command {command}; /help lists them")


def read_message(read):
    """Return (a message, whether it is a command): a line, or several between two QUOTES.

    What is between quotes is not a command; "" is nothing. Raises EOFError at the end.
    """
    line = read("> ").strip()
    if not line.startswith(QUOTES):
        return line, line.startswith("/") and "\n" not in line
    text = line.removeprefix(QUOTES)
    with contextlib.suppress(EOFError):  # the end of a file ends the message too
        while QUOTES not in text:
            text += "\n" + read("... ")
    return text.partition(QUOTES)[0].strip(), False


def talk(chat, read, write):
    """Read lines and write answers until the reader ends.

    `read(prompt)` returns a line and raises EOFError at the end; `write` prints a piece of text.
    """
    told = False  # that not all of the conversation fits the window
    while True:
        try:
            message, is_command = read_message(read)
        except KeyboardInterrupt:  # at the prompt: the line begins anew
            write("\n(Ctrl-D or /quit leaves)\n")
            continue
        except EOFError:
            return
        if not message:
            continue
        pieces = iter(())
        try:
            pieces = obey(chat, message) if is_command else chat.ask(message)
            for piece in pieces:
                write(piece)
            write("\n")
            if chat.n_forgotten and not told:
                T = chat.model.config.n_positions
                sees = f"{T:,} tokens are all it sees, answer included"
                write(f"({forgotten(chat.n_forgotten)}: {sees})\n")
            told = chat.n_forgotten > 0
        except EOFError:
            return
        except ValueError as error:
            write(f"({error})\n")
        except KeyboardInterrupt:
            with contextlib.suppress(AttributeError):
                pieces.close()
            write(" (stopped)\n")


def forgotten(n):
    """Return the words for `n` exchanges that an answer was given without."""
    what = "your first question" if n == 1 else f"your first {n} questions"
    return f"it no longer saw {what}"


def run(folder, device="cpu", prompt=None, **settings):
    """Talk to the assistant in `folder` until the user leaves; see Chat for the settings.

    If there is a `prompt`, only that is answered.
    """
    model, tokenizer = load(folder, device)
    check_template(folder, tokenizer)
    chat = Chat(model, tokenizer, **settings)

    def write(text):
        print(text, end="", flush=True)

    if prompt is not None:
        for piece in chat.ask(prompt):
            write(piece)
        print()
        return
    with contextlib.suppress(AttributeError):  # bytes that are not UTF-8 must not end the talk
        sys.stdin.reconfigure(errors="replace")
    at_terminal = sys.stdin.isatty()
    if at_terminal:
        with contextlib.suppress(ImportError):
            import readline  # importing it gives input() arrow keys and history

            # then a terminal tells what is pasted from what is typed
            readline.parse_and_bind("set enable-bracketed-paste on")
        print(f"Talk to {folder}. /help lists commands, /quit leaves.")
    talk(chat, lambda prompt: input(prompt if at_terminal else ""), write)
    if at_terminal:
        print()
