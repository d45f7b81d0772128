"""The commands of `python -m minigpt` that have to do with conversations."""

import os
import sys

from minigpt.amounts import count
from minigpt.config import TrainConfig, add_flags, add_paths, add_run_flags, require

# What fine-tuning takes from the base it starts from, unless a flag says otherwise.
INHERITED = "the training (default: the base model's, for at most 3,000 steps, at a lower rate)"


def add_commands(command):
    """Add the parsers; `command(name, function, help, example)` makes one."""
    for add in (add_conversations, add_sft, add_evaluate_chat, add_chat, add_serve, add_show_chat):
        add(command)


def add_conversations(command):
    """Add `conversations` with its flags."""
    p = command(
        "conversations", conversations, "make conversations of the documents, to fine-tune on",
        "conversations out/documents.jsonl.gz --chat my.jsonl",
    )  # fmt: skip
    p.description += (
        " Of what the pages say of a name it makes questions in many wordings with their answer, "
        "and questions about invented names, what was not taught of a name, and what is no name at "
        "all, of which the assistant is to say that it does not know."
    )
    p.add_argument(
        "documents", nargs="*",
        help='JSON Lines, an object a line, of which "text", "title", "url" and "in_degree" are '
        "read; default: only written conversations",
    )  # fmt: skip
    p.add_argument(
        "--chat", nargs="+", default=[], metavar="FILE", help="more conversations, JSON Lines"
    )
    p.add_argument("--facts", type=int, default=900, help="facts to teach, at most (%(default)s)")
    p.add_argument(
        "--rounds", type=int, default=1, help="times each phrasing is used (%(default)s)"
    )
    p.add_argument("--seed", type=int, default=1337, help="decides what is chosen (%(default)s)")
    p.add_argument(
        "--base",
        metavar="FOLDER",
        help="of the model that is to learn them, to say how large it is",
    )
    p.add_argument("-o", "--out", default="out/conversations", help="folder (%(default)s)")


def add_sft(command):
    """Add `sft` with its flags."""
    p = command(
        "sft", sft, "make an assistant of a base model; a run that was stopped is continued",
        "sft out/base -o out/chat",
    )  # fmt: skip
    p.description += (
        " It is trained on conversations, and learns from what the assistant says in them only. "
        "By mpiexec it is started as pretrain is."
    )
    p.add_argument("base", nargs="?", default="out/base", help="its folder (%(default)s)")
    add_conversations_folder(p)
    p.add_argument(
        "-o", "--out", help="folder to write (default: chat, where base and conversations are, "
        "else out/chat)",
    )  # fmt: skip
    p.add_argument(
        "--if-fits", action="store_true",
        help="make no assistant, and say so, where most conversations are longer than the window",
    )  # fmt: skip
    add_run_flags(p)
    add_paths(p, "--device")
    add_flags(p.add_argument_group(INHERITED), TrainConfig)


def add_evaluate_chat(command):
    """Add `evaluate-chat` with its flags."""
    p = command(
        "evaluate-chat", evaluate_chat, "examine an assistant: what it knows and what it makes up",
        "evaluate-chat out/chat --base out/base",
    )  # fmt: skip
    p.description += (
        " Asks the questions of CONVERSATIONS/questions.jsonl, in wordings never trained on, and "
        "writes MODEL/evaluation.json."
    )
    add_assistant(p)
    p.add_argument("--base", help="the base model's folder, to see its figures beside")
    add_conversations_folder(p)
    add_paths(p, "--device")


def add_chat(command):
    """Add `chat` with its flags."""
    p = command("chat", chat, "talk to an assistant in the terminal", "chat out/chat")
    add_assistant(p)
    p.description += " /help lists what else can be typed; lines from a pipe are messages, too."
    p.add_argument("--prompt", metavar="TEXT", help="answer this, and end")
    p.add_argument(
        "--temperature", type=float, default=0.0,
        help="0: always the likeliest token; 1: as likely as the model finds it (%(default)s)",
    )  # fmt: skip
    p.add_argument("--system", help="how the assistant should behave")
    p.add_argument(
        "--max-new-tokens", type=int, metavar="N",
        help="length of an answer in tokens, at most; default: what the window has left",
    )  # fmt: skip
    p.add_argument("--seed", type=int, help="the same seed, the same answers")
    add_paths(p, "--device")


def add_serve(command):
    """Add `serve` with its flags."""
    p = command(
        "serve", serve, "open the playground in the browser: models to talk to and look into",
        "serve out/base out/chat",
    )  # fmt: skip
    add_serve_flags(p)


def add_show_chat(command):
    """Add `show-chat` with its flags."""
    p = command(
        "show-chat", show_chat, "show conversations as the model sees them: ids, roles, mask",
        "show-chat data/conversations.jsonl --first 3",
    )  # fmt: skip
    p.add_argument("file", help="conversations, JSON Lines")
    p.add_argument("--first", type=int, default=1, metavar="N", help="show so many (%(default)s)")
    add_paths(p, "--tokenizer", beside="FILE's folder")


def add_serve_flags(parser):
    """Add the flags of `serve`."""
    parser.description += (
        " Speaks OpenAI's API at /v1, so that its clients can be used too; a request without a "
        "temperature is answered as on the page: an assistant's at 0, a base model's at 0.8. "
        "Models that are trained meanwhile appear by themselves."
    )
    add = parser.add_argument
    add("models", nargs="*", default=["out"], metavar="FOLDER",
        help="models' folders, or a folder that holds some (out)")  # fmt: skip
    add("--host", default="127.0.0.1", help="another address needs --api-key (%(default)s)")
    add("--port", type=int, default=8000, help="or the next that is free (%(default)s)")
    add("--api-key", metavar="KEY", help="what clients must send (default: MINIGPT_API_KEY)")
    add("--allow-origin", action="append", default=[], metavar="ORIGIN",
        help="let pages of this one ask too, as http://localhost:3000 (none); may be given "
        "again")  # fmt: skip
    add("--no-browser", action="store_true", help="print the address only")
    add("--max-tokens", type=int, default=2048, metavar="N",
        help="an answer has so many at most (%(default)s)")  # fmt: skip
    add("--timeout-s", type=float, default=120, metavar="S",
        help="and takes so many seconds at most (%(default)s)")  # fmt: skip
    add("--rows", type=int, default=64, metavar="N",
        help="write so many texts at the same time (%(default)s)")  # fmt: skip
    add("--queue", type=int, default=128, metavar="N",
        help="let so many requests wait for that (%(default)s)")  # fmt: skip
    add("--documents", nargs="+", default=(), metavar="FILE",
        help="what they were trained on, to find their words in "
        "(OUT/documents.jsonl.gz)")  # fmt: skip
    add("--out", help="folder of the training runs to show (default: the one the models are in)")
    add("--log", action="store_true", help="print a line for each request: no text, no query")
    add_paths(parser, "--device")


def add_assistant(parser):
    parser.add_argument("model", nargs="?", default="out/chat", help="its folder (%(default)s)")


def add_conversations_folder(parser):
    parser.add_argument(
        "--conversations", metavar="FOLDER",
        help="written by `conversations` (default: beside the model, else out/conversations)",
    )  # fmt: skip


def conversations(args):
    from minigpt.chat_data import make
    from minigpt.summary import NO_FACTS, knows_nothing

    require(args.facts >= 1, "facts", args.facts, "be at least 1")
    require(args.rounds >= 1, "rounds", args.rounds, "be at least 1")
    r = make(
        args.documents, args.out, args.chat, args.facts, args.rounds, args.seed, base=args.base
    )
    print(
        f"{count(r['train'], 'conversation')} to train on: {sum(r['pieces'].values()):,} short "
        f"ones, some put behind others, so that topics change; {r['val']:,} others are held out "
        f"-> {args.out}"
    )
    for n, what in zip(r["pieces"].values(), pieces(r), strict=True):
        if n:
            print(f"  {n:7,} {what}")
    if r.get("own_system"):
        print(system_line(r))
    if r["best_known"]:
        more = ", ..." * (len(r["best_known"]) < r["facts"])
        print(f"the best known of the names that are taught: {', '.join(r['best_known'])}{more}")
    if knows_nothing(r):
        print(NO_FACTS)
    return 0


def system_line(r):
    """Return what becomes of the system's messages in the user's own conversations."""
    some = f"{r['own_system']:,} of your {r['own']:,} conversations begin with what the system says"
    if r["own_systems_differ"]:
        return f"{some}: as it differs, give it to the assistant, too (System prompt, --system)"
    return f"{some}: every second time they are trained on without it, so that it is not needed"


def pieces(r):
    """Return what the conversations of a report's "pieces" are about."""
    return (
        f"about {count(r['facts'], 'fact')}, each in {r['asked']} of "
        f"{count(r['phrasings'], 'phrasing')} or more",
        "about names asked for by their end, after others: and sleep?",
        "about what else may be asked of these names",
        "about names that it is not to know",
        "in which a name is to be repeated",
        f"written by hand: {r['written']:,}, each {count(r['written_repeats'], 'time')}",
        f"of small talk, drawn from {count(r['small_talk'], 'wording')}",
        "about nothing that is taught",
        f"of your own: {r['own']:,}, each {count(r['own_repeats'], 'time')}, typed in several ways",
    )


def sft(args):
    from tqdm import tqdm

    from minigpt.beside import home
    from minigpt.cluster import exit_status, joined
    from minigpt.config import with_flags
    from minigpt.sft import inherit, make_none, sft
    from minigpt.window_fit import too_narrow

    where = home(args.base, "conversations")
    conversations, out = args.conversations or where / "conversations", args.out or where / "chat"
    with joined(tqdm.write, args.device) as (cluster, say):
        if args.if_fits and (why := too_narrow(args.base, conversations)):
            make_none(args.base, out, why, say, cluster)
            return 0
        config = with_flags(inherit(args.base), args)
        report = sft(
            args.base, conversations, out, config, args.device, args.start, say,
            args.force, cluster,
        )  # fmt: skip
    return exit_status(report, cluster)


def evaluate_chat(args):
    from minigpt.beside import beside
    from minigpt.evaluate_chat import evaluate_chat
    from minigpt.report_assistant import print_table

    conversations = args.conversations or beside(args.model, "conversations")
    report = evaluate_chat(args.model, conversations, args.base, args.device)
    print_table(report, conversations)
    return 0


def chat(args):
    from minigpt.chat import run

    run(
        args.model, args.device, args.prompt, temperature=args.temperature, system=args.system,
        max_new_tokens=args.max_new_tokens, seed=args.seed,
    )  # fmt: skip
    return 0


def serve(args):
    try:
        from minigpt.serve import Options, serve
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed; `make chat` does it, or pip install starlette uvicorn"
        ) from None
    options = Options(
        args.host, args.port, args.api_key or os.environ.get("MINIGPT_API_KEY") or None,
        not args.no_browser, args.device, args.max_tokens, args.queue, args.rows, args.timeout_s,
        tuple(args.documents), args.out, args.log, tuple(args.allow_origin),
    )  # fmt: skip
    return serve(args.models, options)


def show_chat(args):
    from itertools import islice
    from pathlib import Path

    from bpe import Tokenizer
    from bpe.show import wants_colour
    from minigpt.beside import TOKENIZER, beside
    from minigpt.chat_format import read_conversations, with_control_tokens
    from minigpt.show_chat import draw_conversation, legend

    require(args.first >= 1, "first", args.first, "be at least 1")
    file = args.tokenizer or beside(Path(args.file).parent, TOKENIZER)
    tokenizer = with_control_tokens(Tokenizer.load(file))
    print(legend(wants_colour(sys.stdout)))
    for number, messages in islice(read_conversations(args.file), args.first):
        print(f"{args.file}, line {number}")
        print(draw_conversation(tokenizer, messages, wants_colour(sys.stdout)))
    return 0
