"""The package's command line: finds the command that is asked for, and says what went wrong."""

import argparse
import difflib
import errno
import importlib
import os
import sys
from typing import NoReturn

# Imported only when asked for: `crawl` needs nothing of what `clean` loads.
COMMANDS = {
    "crawl": ("crawler.crawl_command", "fetch pages from the web, or from pydoc, into a WARC file"),
    "clean": ("crawler.clean_command", "turn WARC files into clean documents"),
    "extract": ("crawler.extract_command", "print the main text of HTML files"),
}

_ACTIVATE = "source .venv/bin/activate, which make made; or pip install ."
_CURES = {
    FileNotFoundError: "give one that is there",
    IsADirectoryError: "it must be a file",
    FileExistsError: "it must be a folder, or not be there yet",
    NotADirectoryError: "what stands before the last / must be a folder",
    PermissionError: "it must be a place that you may read and write: give another, or chmod it",
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Say it and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def parse_known_args(self, args=None, namespace=None):
        """Refuse what a command does not know in its own name, with the flag that may be meant."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[0].partition("=")[0], flags, 1, cutoff=0.7)
            meant = f" (do you mean {near[0]}?)" if near else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return found, unknown


def file_error(error: OSError) -> str:
    """Say which file it was, what was wrong with it, and what to do."""
    if not error.filename:
        return str(error)
    cure = _CURES.get(type(error))
    if isinstance(error, FileNotFoundError) and str(error.filename).endswith("pages.warc.gz"):
        cure = "`python -m crawler crawl URL` makes it"
    if error.errno == errno.ENOSPC:
        cure = "make room, and the same command goes on from here"
    return f"{error.filename}: {error.strerror}" + (f"; {cure}" if cure else "")


def run(argv: list[str]) -> int:
    """Run a command and return its exit status: 2 for bad input."""
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
            try:
                module = importlib.import_module(module_name)
            except ModuleNotFoundError as error:
                if error.name.startswith("crawler"):
                    raise
                print(f"{name}: {error.name} is not installed here; {_ACTIVATE}", file=sys.stderr)
                return 2
            module.add_arguments(subparser)
    args = parser.parse_args(argv)
    # What this terminal has no letter for is written as Python would.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        module.run(args)
    except BrokenPipeError:  # as in `... | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"{args.command}: {file_error(error)}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"{args.command}: {error}", file=sys.stderr)
        return 2
    return 0
