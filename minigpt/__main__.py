"""The command line: `python -m minigpt COMMAND`.

Here are the parser and what happens to errors; the commands are in train_commands.py,
model_commands.py and chat_commands.py.
"""

import argparse
import os
import sys

from minigpt import chat_commands, launched, model_commands, train_commands

# What a missing file is made by.
MADE_BY = {
    "tokenizer.json": "python -m bpe train FILE --vocab-size 2048",
    "documents.jsonl.gz": "python -m crawler clean out/pages.warc.gz",
    **dict.fromkeys(
        [f"conversations/{name}.jsonl" for name in ("train", "val", "questions")],
        "python -m minigpt conversations out/documents.jsonl.gz",
    ),
}
# By which flag another may be given, to commands that have it.
FLAGS = {"tokenizer.json": "tokenizer", "conversations/*.jsonl": "conversations"}

# What a package that is missing needs.
ACTIVATE = "source .venv/bin/activate, which make made; or pip install ."


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def parse_known_args(self, args=None, namespace=None):
        """Refuse what a command does not know in its own name, with the flag that may be meant."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            from bpe.mistakes import unrecognized  # here: it takes a while, as NumPy does

            self.error(unrecognized(self, unknown))
        return found, unknown


def build_parser():
    """Return the parser of all commands."""
    parser = Parser(
        prog="python -m minigpt", description="Train a GPT-2 by hand, and let it write.",
        epilog="`make train` runs, in this order: check, tokenize, pretrain, conversations, sft, "
        "evaluate-chat, evaluate, report, summary; `make chat` runs serve. Each explains itself, "
        "with an example: python -m minigpt COMMAND --help",
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, function, help, example):
        p = commands.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + ".",
            epilog=f"example: python -m minigpt {example}",
        )  # fmt: skip
        p.set_defaults(function=function)
        return p

    train_commands.add_commands(command)
    model_commands.add_commands(command)
    chat_commands.add_commands(command)
    return parser


def main(argv=None):
    """Run a command; return its exit status: 2 for bad input, 130 after Ctrl-C."""
    try:
        status = run(argv)
    except SystemExit as end:  # after --help, or a flag that is none
        launched.end_all_after(end.code)
        raise
    launched.end_all_after(status)
    return status


def run(argv):
    """Do what `main` does for a process that is alone."""
    args = None
    try:
        args = build_parser().parse_args(argv)
        if getattr(args, "precision", None):
            args.device = f"{args.device}:{args.precision}"  # as open_device takes it
        return args.function(args)
    except BrokenPipeError:  # as in `... | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        from bpe.mistakes import file_error

        flags = {end: f"--{name}" for end, name in FLAGS.items() if hasattr(args, name)}
        print(f"minigpt: {file_error(error, MADE_BY, flags)}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"minigpt: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] in ("minigpt", "bpe"):
            raise
        print(f"minigpt: {error.name} is not installed here; {ACTIVATE}", file=sys.stderr)
        return 2
    except MemoryError:
        print("minigpt: not enough memory; ask for a smaller model or batch", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nminigpt: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
