"""What `make train` asks first: can this work? What cannot should not be said after the crawl only.

It is no dry run: the flags of the stages are read and turned into settings as the stages do it, the
files are opened, and where a run would take very long its time is foreseen.
"""

import shlex

from minigpt.config import TrainConfig, require, with_flags
from minigpt.forecast import check_time, may_take_long
from minigpt.presets import get_preset

LEAST_VOCAB = 256  # every byte; `bpe train` adds <|endoftext|> to these


def check(args):
    """Raise ValueError, OSError or SystemExit for flags of `check` with which a stage must fail."""
    from minigpt.chat_format import read_conversations
    from minigpt.text_files import check_names, check_text

    preset = get_preset(args.preset)
    numbers = ("VOCAB", args.vocab_size, LEAST_VOCAB), ("PAGES", args.pages, 1)
    for name, value, at_least in numbers:
        if value is not None:
            is_number = value.strip().isdecimal()
            require(is_number and int(value) >= at_least, name, value, f"be at least {at_least}")
    n_vocab = preset.model.vocab_size if args.vocab_size is None else int(args.vocab_size)
    check_pretrain(args, n_vocab)
    check_sft(args)
    for names in (args.text, args.files, args.chat):
        check_names(names)
    for file in args.text:
        check_text(file)
    for file in args.files:
        open(file, "rb").close()
    for file in args.chat:
        for _ in read_conversations(file):
            pass


def check_pretrain(args, n_vocab):
    """Raise ValueError where `pretrain` could not run, or would for longer than anybody waits.

    How long it takes on several machines, or with --epochs, is not known yet: `pretrain` says it.
    """
    from minigpt.backend import open_device
    from minigpt.train_commands import settings_asked

    asked = read_flags(args.train, "pretrain", "--preset", args.preset, "--device", args.device)
    model, train = settings_asked(asked, n_vocab)
    device = open_device(asked.device)
    if args.launched or asked.force or train.epochs or not may_take_long(model, train):
        return
    from minigpt.machine import measure_peak
    from minigpt.parallel import Workers

    with Workers(device.n_workers(train.workers)) as workers:
        peak = measure_peak(device, workers)
    check_time(model, train, device, peak, in_make=True)


def check_sft(args):
    """Raise ValueError where `sft` could not run."""
    from minigpt.backend import open_device

    asked = read_flags(args.sft, "sft", "OUT/base", "--device", args.device)
    with_flags(TrainConfig(), asked)
    open_device(asked.device)


def read_flags(flags, command, *words):
    """Return what `command` makes of these flags behind the `words` that make gives it.

    Exits, after a line that says why, where it cannot run with them. It cannot with --help either:
    what that says would be followed by hours without these flags. Raises ValueError for an open
    quote, and for a folder that the stages that follow would not look into.
    """
    from minigpt.__main__ import build_parser

    try:
        given = shlex.split(flags)
    except ValueError as error:
        raise ValueError(f"flags for {command} are {flags!r} ({error}); close the quote") from None
    out = "OUT/ANY"
    try:
        asked = build_parser().parse_args([command, *words, "-o", out, *given])
    except SystemExit as end:
        raise SystemExit(end.code or 1) from None
    if asked.out != out:
        raise ValueError(
            f"flags for {command} have -o {asked.out}; they must leave -o out, for the next stages "
            f"read what make names: give make OUT=folder"
        )
    if asked.precision:
        asked.device = f"{asked.device}:{asked.precision}"  # as open_device takes it
    return asked
