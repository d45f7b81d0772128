"""The command line: `python -m minigpt COMMAND`.

Here are the parser and what happens to errors; the commands are in train_commands.py,
model_commands.py and chat_commands.py.
"""

import sys

from bpe.mistakes import Parser, file_error
from minigpt import chat_commands, model_commands, train_commands

# What a missing file, by the end of its name, is made by.
MADE_BY = {
    "tokenizer.json": "python -m bpe train FILE --vocab-size 2048",
    "documents.jsonl.gz": "python -m crawler clean out/pages.warc.gz",
    **dict.fromkeys(
        ("train.jsonl", "val.jsonl", "questions.jsonl"),
        "python -m minigpt conversations out/documents.jsonl.gz",
    ),
}


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
    args = build_parser().parse_args(argv)
    if getattr(args, "precision", None):
        args.device = f"{args.device}:{args.precision}"  # as open_device takes it
    try:
        return args.function(args)
    except OSError as error:
        print(f"minigpt: {file_error(error, MADE_BY)}", file=sys.stderr)
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
