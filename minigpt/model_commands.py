"""The commands that use a model: sample, info, export, evaluate, report, summary.

`add_commands` gives them their flags; the function of a command's name runs it and returns the exit
status. Imports that take a while are inside of these functions, so that `--help` answers at once.
"""

import dataclasses
import sys

from minigpt.config import add_paths, require


def add_commands(command):
    """Add the commands; `command` makes the parser of one."""
    for add in (add_sample, add_info, add_export, add_evaluate, add_report, add_summary):
        add(command)


def add_sample(command):
    """Add `sample` with its flags."""
    p = command(
        "sample", sample, "let a model continue a text, drawing one token after the other",
        'sample out/base --prompt "Return the" --temperature 0.7 --top-p 0.9 --seed 1',
    )  # fmt: skip
    add_sample_flags(p)


def add_info(command):
    """Add `info` with its flags."""
    p = command(
        "info", info, "tell what a model's folder holds: shape, parameters, costs, files",
        "info out/base",
    )  # fmt: skip
    p.add_argument("model", help="a model's folder, ours or any GPT-2 of Hugging Face's")


def add_export(command):
    """Add `export` with its flags."""
    p = command(
        "export", export, "write a model as one file (GGUF) for llama.cpp, Ollama and LM Studio",
        "export out/chat -o chat.gguf",
    )  # fmt: skip
    p.add_argument("model", help="a model's folder, ours or any GPT-2 of Hugging Face's")
    p.add_argument("-o", "--out", required=True, metavar="FILE", help="the file to write")
    p.add_argument(
        "--type", choices=("f16", "f32", "q8_0"), default="f16",
        help="of the matrices: f32 is exact, f16 takes half the room, q8_0 a quarter (%(default)s)",
    )  # fmt: skip


def add_evaluate(command):
    """Add `evaluate` with its flags."""
    p = command(
        "evaluate", evaluate, "examine what a model knows, copies and invents",
        "evaluate out/base --tasks my.jsonl",
    )  # fmt: skip
    add_evaluate_flags(p)


def add_report(command):
    """Add `report` with its flags."""
    p = command(
        "report", report, "make a page of what a run did, cost and learnt",
        "report out --price 0.25",
    )  # fmt: skip
    p.description += " Writes report.html, report.md and its pictures from what the stages left."
    p.add_argument("out", nargs="?", default="out", help="the folder of all stages (%(default)s)")
    p.add_argument(
        "--price", type=float, help="what an hour of the machine costs, in dollars (0.10)"
    )
    p.add_argument(
        "--documents", nargs="+", metavar="FILE",
        help="what it was made from, for the pages' addresses (OUT/documents.jsonl.gz)",
    )  # fmt: skip
    p.add_argument(
        "--without", nargs="+", default=[], metavar="STAGE",
        help="stages that were not run here, as crawl",
    )  # fmt: skip


def add_summary(command):
    """Add `summary` with its flags."""
    p = command(
        "summary", summary, "print what a run made, what it cost and three samples", "summary out"
    )
    p.add_argument("out", nargs="?", default="out", help="the folder of all stages (%(default)s)")
    p.add_argument(
        "--without", nargs="+", default=[], metavar="STAGE",
        help="stages that were not run here, as crawl",
    )  # fmt: skip
    add_paths(p, "--device")


def add_sample_flags(parser):
    """Add the flags of `sample`."""
    add = parser.add_argument
    add("model", help="a model's folder, ours or any GPT-2 of Hugging Face's")
    add("--prompt", default="", help="what to continue; default: a new document")
    add("--special", action="store_true", help="read <|...|> in the prompt as special tokens")
    add("--max-new-tokens", type=int, default=200, metavar="N",
        help="write so many tokens at most (%(default)s)")  # fmt: skip
    add("-n", "--samples", type=int, default=1, metavar="N",
        help="continue it so many times, all at once (%(default)s)")  # fmt: skip
    add("--seed", type=int, help="the same seed, the same text; further samples take the next ones")
    add("--stop", action="append", default=[], metavar="TEXT",
        help="end before this text; may be given several times")  # fmt: skip
    add("--logprobs", type=int, metavar="N",
        help="instead of the text show each token with its probability, the model's own before the "
        "settings below, and the N likeliest")  # fmt: skip
    group = parser.add_argument_group(
        "how to draw", "applied in this order; what one takes away, the next does not see"
    )
    add = group.add_argument
    add("--repetition-penalty", type=float, default=1.0, metavar="X",
        help="above 1: what stands in the text already is less likely (%(default)s)")  # fmt: skip
    add("--frequency-penalty", type=float, default=0.0, metavar="X",
        help="taken from a symbol's score each time that it was written (%(default)s)")  # fmt: skip
    add("--presence-penalty", type=float, default=0.0, metavar="X",
        help="taken from it once, however often that was (%(default)s)")  # fmt: skip
    add("--temperature", type=float, default=0.8, metavar="X",
        help="below 1: the likely is likelier; 0: always the likeliest (%(default)s)")  # fmt: skip
    add("--top-k", type=int, metavar="K", help="draw from the K likeliest symbols only")
    add("--top-p", type=float, metavar="P",
        help="draw from the fewest likeliest symbols that hold this probability")  # fmt: skip
    add("--min-p", type=float, metavar="P",
        help="draw from symbols at least P times as likely as the likeliest")  # fmt: skip
    add_paths(parser, "--device")


def add_evaluate_flags(parser):
    """Add the flags of `evaluate`."""
    add = parser.add_argument
    parser.description += (
        " Prints tables with explanations and keeps them in evaluation.json, for `report`. "
        "Sections: loss (by page and source), copies (what stands word for word in the training "
        "text), knows (facts against made-up names), learns (from examples in the prompt), chat "
        "(an assistant by prompt alone), samples, tasks. With --tasks alone, only the tasks, kept "
        "beside the others until all is examined again, as `make report` does."
    )
    add("model", nargs="?", default="out/base", help="a model's folder (%(default)s)")
    add("-o", "--out", help="folder of the run (default: the one MODEL is in)")
    add("--tokens", help="folder written by `tokenize` (default: tokens in OUT)")
    add(
        "--documents", nargs="+", metavar="FILE",
        help="what it was made from, for the pages' addresses (default: OUT/documents.jsonl.gz)",
    )  # fmt: skip
    add("--only", nargs="+", metavar="SECTION", help="examine no more than these")
    add(
        "--tasks", nargs="+", default=(), metavar="FILE",
        help="JSON Lines with query, choices, gold, or with context, continuation",
    )  # fmt: skip
    add(
        "--length", choices=("tokens", "bytes", "none"),
        help="what the loss of a choice is divided by; default: tokens, as CORE does",
    )  # fmt: skip
    add("--shots", type=int, help="examples before each question of a task; default: 0")
    add("--samples", type=int, help="texts to write of each kind; default: 10")
    add("--temperature", type=float, help="to write them at; default: 0.8")
    add("--seed", type=int, help="the same seed, the same tables; default: 0")
    add("--brief", action="store_true", help="print a sentence for each section")
    add_paths(parser, "--device")


def sample(args):
    from minigpt import complete, load, show
    from minigpt.completion import encode_prompt
    from minigpt.distribution import Settings

    require(args.samples >= 1, "samples", args.samples, "be at least 1")
    require((args.logprobs or 0) >= 0, "logprobs", args.logprobs, "be at least 0")
    model, tokenizer = load(args.model, args.device)
    start = tokenizer.eot_token
    ids = [start, *encode_prompt(tokenizer, args.prompt, args.special)]
    names = [field.name for field in dataclasses.fields(Settings)]
    pieces = complete(
        model, tokenizer, ids, args.max_new_tokens, [start, *args.stop], args.samples, args.seed,
        args.logprobs, **{name: getattr(args, name) for name in names},
    )  # fmt: skip
    if len(ids) > model.config.n_positions:
        print(
            f"minigpt: the prompt has {len(ids):,} tokens; the model sees the last "
            f"{model.config.n_positions:,}", file=sys.stderr,
        )  # fmt: skip
    if args.logprobs is not None:
        show.print_probabilities(tokenizer, pieces, args.samples, args.logprobs)
    elif args.samples > 1:
        show.print_in_turn(args.prompt, pieces, args.samples)
    else:
        show.print_stream(args.prompt, pieces)
    return 0


def info(args):
    from minigpt.info import describe

    print("\n".join(describe(args.model)))
    return 0


def export(args):
    from minigpt.export import export

    print(export(args.model, args.out, args.type))
    return 0


def evaluate(args):
    from minigpt.evaluate import OF_TEXT, Settings, evaluate

    given = {name: getattr(args, name) for name in Settings.__dataclass_fields__}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    found = evaluate(settings, args.device, brief if args.brief else print_section)
    if args.only is None and not args.tasks and "loss" not in found["sections"]:
        print(f"left out for want of the training text: {', '.join(OF_TEXT)}; give --tokens")
    if not args.brief:
        print("`python -m minigpt report` makes a page of all that was examined so far")
    return 0


def print_section(section):
    from minigpt.evaluate import section_text

    print(section_text(section))


def brief(section):
    if section["headline"]:
        print(f"  {section['headline']}")


def report(args):
    from minigpt.report import PRICE, write_report

    price = PRICE if args.price is None else args.price
    print(write_report(args.out, price, args.without, args.documents))
    return 0


def summary(args):
    from minigpt import summary

    summary.run(args.out, args.device, args.without)
    return 0
