"""The command line: `python -m minigpt COMMAND`.

Here are the parser and what happens to errors; the commands are in train_commands.py,
model_commands.py and chat_commands.py.
"""

import argparse
import sys

from minigpt import chat_commands, model_commands, train_commands


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def build_parser():
    """Return the parser of all commands."""
    parser = Parser(
        prog="python -m minigpt", description="Train a GPT-2 by hand, and let it write."
    )
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
    args = build_parser().parse_args(argv)
    if getattr(args, "precision", None):
        args.device = f"{args.device}:{args.precision}"  # as open_device takes it
    try:
        return args.function(args)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"minigpt: {what}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"minigpt: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("minigpt: not enough memory; ask for a smaller model or batch", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nminigpt: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
