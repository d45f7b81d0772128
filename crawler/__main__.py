"""The command line: `python -m crawler crawl ...`, `clean ...` and `extract ...`."""

import sys


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status: 2 for bad input, 130 after Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        from crawler import command  # here, so that Ctrl-C while it is loaded is one line, too

        return command.run(argv)
    except KeyboardInterrupt as interrupt:
        name = argv[0] if argv else "crawler"
        print(f"\n{name}: {str(interrupt) or 'stopped'}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
