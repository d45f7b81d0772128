"""The command line: `python -m crawler crawl ...` and `python -m crawler clean ...`."""

import argparse
import importlib
import sys
from typing import NoReturn

# Imported only when asked for: `crawl` needs nothing of what `clean` loads.
COMMANDS = {
    "crawl": ("crawler.crawl_command", "fetch pages from the web, or from pydoc, into a WARC file"),
    "clean": ("crawler.clean", "turn WARC files into clean documents"),
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status: 2 for bad input, 130 after Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    name = argv[0] if argv and argv[0] in COMMANDS else "crawler"
    try:
        _run(argv)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"{name}: {what}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:  # also while modules are loaded
        print(f"\n{name}: {str(interrupt) or 'stopped'}", file=sys.stderr)
        return 130
    return 0


def _run(argv: list[str]) -> None:
    """Load the command, and run it."""
    parser = Parser(
        prog="python -m crawler",
        description="Gather text: crawl web pages politely, then clean what came back.",
        epilog="example: python -m crawler crawl --pydoc -o out/pages.warc.gz",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module_name, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if argv[:1] == [name]:
            module = importlib.import_module(module_name)
            module.add_arguments(subparser)
    args = parser.parse_args(argv)
    module.run(args)


if __name__ == "__main__":
    sys.exit(main())
