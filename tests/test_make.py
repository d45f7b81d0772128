"""The whole road by `make`, as a user walks it: every stage a process, every hand-over a file."""

import functools
import http.server
import json
import random
import re
import shlex
import shutil
import subprocess
import sys
import threading

import pytest
from make_command import ROOT, SMALL, clean_environment, make

from minigpt import load
from minigpt.playground_suggestions import suggestions

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
# half as long, of a third of the pages, with a model that learns from few steps
SHAPE = "--n-layer 1 --n-embd 64 --n-head 2"
TRAIN = f"TRAIN={SHAPE} --steps 200 --learning-rate 6e-3 --sample-every 100"
SMOKE = ("PRESET=smoke", "PAGES=50", TRAIN, "SFT=--steps 100")


def files_with_times(folder):
    """Return every file of a stage with the time it was last written."""
    paths = [p for p in folder.rglob("*") if p.is_file() and p.name != ".checked"]
    return {str(p): p.stat().st_mtime_ns for p in paths}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The folder and the output of `make train PRESET=smoke`, made smaller."""
    out = tmp_path_factory.mktemp("smoke") / "out"
    done = make("train", *SMOKE, f"OUT={out}")
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_make_train_goes_from_pydoc_pages_to_a_model_that_writes(smoke):
    out, said = smoke
    model, tokenizer = load(out / "base")
    assert tokenizer.n_vocab == model.config.vocab_size == 1024
    assert "bits/byte" in said
    assert said.count("--- sample") == 3
    beginning = shlex.quote(suggestions(out)["beginning"])
    assert f"minigpt sample {out / 'base'} --prompt {beginning}" in said  # what to type next
    assert f"make chat OUT={out}" in said


def test_every_stage_leaves_a_report_with_its_seconds(smoke):
    out, _ = smoke
    for name in ("crawl", "clean", "tokenizer/training", "tokens/tokens", "base/training",
                 "conversations/conversations", "chat/training", "chat/evaluation"):  # fmt: skip
        report = json.loads((out / f"{name}.json").read_text("utf-8"))
        assert report["seconds"] > 0
        assert report["stage"]


def test_the_run_ends_with_a_report_of_everything(smoke):
    out, said = smoke
    page = (out / "report.html").read_text("utf-8")
    for title in ("What it cost", "The cleaning funnel", "What it copies", "What it writes"):
        assert f">{title}</h2>" in page
    assert str(out / "report.html") in said
    assert "bits a byte" in said  # a result in a sentence


def test_training_helped(smoke):
    out, _ = smoke
    lines = [json.loads(line) for line in (out / "base/metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["bits_per_byte"] < 0.75 * lines[0]["bits_per_byte"]


def test_make_train_ends_with_an_assistant_that_answers(smoke):
    out, said = smoke
    assert "6/6 fine-tune" in said
    assert "invented names: says that it does not know" in said
    lines = [json.loads(line) for line in (out / "chat/metrics.jsonl").read_text().splitlines()]
    # after so few steps it is 0.4 to 0.52 of that, by which pages this Python's pydoc has first
    assert lines[-1]["val_loss"] < 0.6 * lines[0]["val_loss"]
    command = [sys.executable, "-m", "minigpt", "chat", str(out / "chat")]
    done = subprocess.run(
        command, cwd=ROOT, input="Hello\n", capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip()


def test_the_same_command_again_does_nothing(smoke):
    out, _ = smoke
    before = files_with_times(out)
    again = make("train", *SMOKE, f"OUT={out}")
    assert again.returncode == 0
    assert "up to date" in again.stdout
    assert files_with_times(out) == before


def test_a_setting_is_not_taken_for_the_flag_n(smoke, tmp_path):
    makefile = tmp_path / "makefile"  # MAKEFLAGS in recipes as GNU make 3.81 has it, with an n
    makefile.write_text("include Makefile\noverride MAKEFLAGS = PRICE=nothing $(MAKEOVERRIDES)\n")
    again = make("-f", str(makefile), "train", *SMOKE, f"OUT={smoke[0]}")
    assert "up to date" in again.stdout, again.stderr


def test_what_is_examined_by_hand_makes_no_work_and_stays_no_longer_than_it_should(smoke, tmp_path):
    out, tasks = tmp_path / "out", tmp_path / "tasks.jsonl"
    shutil.copytree(smoke[0], out)
    tasks.write_text('{"query": "2 + 2 =", "choices": ["4", "5"], "gold": 0}')
    by_hand = [
        ["evaluate", out / "base", "--tasks", tasks],
        ["evaluate-chat", out / "chat", "--conversations", out / "conversations"],
    ]
    for words in by_hand:
        command = [sys.executable, "-m", "minigpt", *map(str, words)]
        subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=True)
    before = files_with_times(out)
    again = make("train", *SMOKE, f"OUT={out}")
    assert "up to date" in again.stdout
    assert files_with_times(out) == before
    done = make("report", f"OUT={out}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tasks" not in json.loads((out / "evaluation.json").read_text())["sections"]
    assert "base" in json.loads((out / "chat/evaluation.json").read_text())  # as make asks for it


def test_what_make_would_do_is_only_what_is_due_and_nothing_is_written(smoke):
    out, _ = smoke
    before = files_with_times(out)
    nothing = make("-n", "train", *SMOKE, f"OUT={out}")
    fine_tune = make("-n", "train", *SMOKE, f"OUT={out}", "SFT=--steps 3")
    (line,) = nothing.stdout.splitlines()
    assert "Nothing to be done" in line and not nothing.stderr
    assert "minigpt sft" in fine_tune.stdout
    assert "5/6" not in fine_tune.stdout
    assert files_with_times(out) == before


def test_there_is_no_chat_before_a_training_which_is_said_in_a_line(tmp_path):
    for words in (["chat"], ["-n", "chat"]):
        done = make(*words, f"OUT={tmp_path}")
        (line,) = done.stderr.splitlines()
        assert f"nothing in {tmp_path} yet; `make train OUT={tmp_path}` makes it" in line
        assert (done.returncode, done.stdout) == (2, "")
    (tmp_path / "settings").mkdir()  # a training is under way: the page shows it
    assert "minigpt serve" in make("-n", "chat", f"OUT={tmp_path}").stdout


def test_a_model_that_somebody_deleted_comes_back(smoke, tmp_path):
    out, model = tmp_path / "out", tmp_path / "out/base/model.safetensors"
    shutil.copytree(smoke[0], out)
    before = model.read_bytes()
    model.unlink()
    done = make(str(model), *SMOKE, f"OUT={out}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert model.read_bytes() == before


def test_pages_that_are_asked_for_again_come_back_and_the_model_is_still_theirs(smoke, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(smoke[0], out)
    tokens, model = str(out / "tokens/tokens.json"), str(out / "base/training.json")
    other = make(tokens, *SMOKE, f"OUT={out}", "PAGES=20")
    assert other.returncode == 0, other.stdout + other.stderr
    assert json.loads((out / "crawl.json").read_text())["pages"] == 20
    back = make(model, *SMOKE, f"OUT={out}")
    assert back.returncode == 0, back.stdout + back.stderr
    assert "change places" in back.stderr
    for name in ("pages.warc.gz", "documents.jsonl.gz", "tokens/train.npy"):
        assert (out / name).read_bytes() == (smoke[0] / name).read_bytes()
    assert "base is complete" in back.stdout
    assert make(model, *SMOKE, f"OUT={out}").stdout == ""  # nothing is made once more


def test_sample_streams_text_after_a_prompt(smoke):
    out, _ = smoke
    command = [sys.executable, "-m", "minigpt", "sample", str(out / "base")]
    command += ["--prompt", "Return the", "--max-new-tokens", "20", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("Return the")
    assert len(done.stdout) > len("Return the\n")


NOUNS = ["keeper", "gull", "boat", "letter", "harbour", "lamp", "wind", "road", "fish", "storm"]
VERBS = ["saw", "carried", "left", "found", "counted", "wanted", "mended", "sold", "watched"]
ENDS = ["in the morning", "before the rain", "with great care", "for a while", "of all things"]


def sentences(n, seed=0):
    """Make up `n` English sentences."""
    rng = random.Random(seed)
    for _ in range(n):
        (who, whom, other), verb, end = rng.sample(NOUNS, 3), rng.choice(VERBS), rng.choice(ENDS)
        yield f"The {who} {verb} the {whom} and the {other} {end}."


def write_text(path, lines=400):
    path.write_text("\n".join(sentences(lines)), "utf-8")
    return path


def test_make_train_takes_a_text_as_it_is_and_a_users_own_conversations(tmp_path):
    text, mine = write_text(tmp_path / "some.txt"), tmp_path / "my.jsonl"
    turns = [{"role": "user", "content": "Gulls?"}, {"role": "assistant", "content": "Many."}]
    mine.write_text(json.dumps({"messages": turns}))
    done = make(
        "train", f"TEXT={text}", f"CHAT={mine}", "SFT=--steps 3", f"OUT={tmp_path / 'out'}", *SMALL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert load(tmp_path / "out/base")[1].n_vocab == 300
    assert "no facts" in done.stdout
    assert f"minigpt chat {tmp_path / 'out/chat'}" in done.stdout
    assert "Gulls?" in (tmp_path / "out/conversations/train.jsonl").read_text()
    assert not (tmp_path / "out/pages.warc.gz").exists()


def test_a_window_that_holds_no_conversation_gives_a_base_model_and_says_why(tmp_path):
    text, out = write_text(tmp_path / "some.txt"), tmp_path / "out"
    words = ("train", f"TEXT={text}", "SFT=--steps 3", f"OUT={out}", *SMALL[:2])
    short = f"{SMALL[2]} --n-positions 16"
    done = make(*words, short)
    assert done.returncode == 0, done.stdout + done.stderr
    why = "no assistant is made: the window is 16 tokens"
    assert done.stdout.count(why) == 2  # when it is found out, and on the last page
    assert f"{out}/base is up to date" in done.stdout
    beginning = shlex.quote(suggestions(out)["beginning"])
    assert f"minigpt sample {out / 'base'} --prompt {beginning}" in done.stdout
    assert "minigpt chat" not in done.stdout
    assert not (out / "chat").exists()
    assert ">The assistant</h2>" not in (out / "report.html").read_text("utf-8")
    before = files_with_times(out)
    again = make(*words, short)
    assert again.returncode == 0
    assert again.stdout.count("---") == 0 and f"{out}/base is up to date" in again.stdout
    assert files_with_times(out) == before
    (out / "report.html").unlink()  # as after a kill
    assert "--- report" in make(*words, short).stdout
    wider = make(*words, SMALL[2])
    assert wider.returncode == 0, wider.stdout + wider.stderr
    assert f"{out}/chat is up to date" in wider.stdout
    assert wider.stdout.count("an assistant will know nothing of the text; `sample`") == 2
    assert ">The assistant</h2>" in (out / "report.html").read_text("utf-8")
    back = make(*words, short)
    assert f"{out / 'chat'} is now {out / 'chat.previous'}" in back.stdout + back.stderr
    assert ">The assistant</h2>" not in (out / "report.html").read_text("utf-8")
    assert not (out / "chat").exists()


@pytest.fixture
def site(tmp_path):
    """The address of a small web site of linked pages, served from a folder."""
    pages = tmp_path / "site"
    pages.mkdir()
    for i in range(12):
        paragraphs = "".join(f"<p>{line}</p>\n" for line in sentences(60, seed=i))
        links = "".join(f'<a href="{k}.html">{k}</a> ' for k in range(12))
        (pages / f"{i}.html").write_text(f"<title>{i}</title><nav>{links}</nav>{paragraphs}")
    (pages / "index.html").write_text('<a href="0.html">the first</a>')

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=pages)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_make_crawls_a_site_for_an_assistant_and_reads_its_archive_again(site, tmp_path):
    out = tmp_path / "out"
    words = (f"SITE={site}", "SFT=--steps 3", f"OUT={out}")
    done = make(str(out / "chat/model.safetensors"), *words, *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((out / "crawl.json").read_text())["pages"] == 13
    assert (out / "chat/model.safetensors").exists()
    from_archive = tmp_path / "from_archive"
    words = (f"WARC={out / 'pages.warc.gz'}", "PROFILE=reference", f"OUT={from_archive}")
    same = "documents.jsonl.gz"
    done = make(str(from_archive / same), *words, *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (from_archive / same).read_bytes() == (out / same).read_bytes()


@pytest.mark.parametrize(
    "words, profile",
    [
        ([], "reference"),
        (["SITE=http://docs.example/"], "reference"),
        (["SITE=http://docs.example/", "PROFILE=web"], "web"),
        (["WARC=a.warc.gz"], "web"),
        (["WARC=a.warc.gz", "PROFILE=reference"], "reference"),
    ],
)
def test_a_site_that_was_chosen_is_cleaned_as_documentation_and_an_archive_as_the_web(
    words, profile, tmp_path
):
    said = make("-n", str(tmp_path / "documents.jsonl.gz"), *words, f"OUT={tmp_path}").stdout
    assert f"--profile {profile} " in said


def test_make_passes_flags_on_to_the_crawl_and_crawls_anew_for_others(site, tmp_path):
    target = str(tmp_path / "out/pages.warc.gz")
    for flags, n_pages in (
        ("--include '/([13]|5)[.]html$'", 4),  # with the page to begin with
        ("--include '/([13]|5)[.]html$' --exclude '/5[.]html$'", 3),
    ):
        words = (f"SITE={site}0.html", f"CRAWL={flags}", f"OUT={tmp_path / 'out'}", "PRESET=smoke")
        done = make(target, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads((tmp_path / "out/crawl.json").read_text())["pages"] == n_pages
        assert "1/6" not in make("-n", target, *words).stdout
    without = make("-n", target, words[0], *words[2:])
    assert "1/6" in without.stdout


def test_several_gpus_train_by_mpi_with_the_packages_of_both(tmp_path):
    words = ["make", "-n", "train", f"OUT={tmp_path}", "DEVICE=gpu", "LAUNCH=mpiexec -n 4"]
    done = subprocess.run(
        words, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=60
    )
    said = done.stdout.replace("\\\n\t", "")
    for extra in ("gpu", "cluster"):
        assert f"-e '.[{extra}]'" in said
    assert re.search("mpiexec -n 4 .*python -m minigpt pretrain .* --device gpu", said)
    assert re.search("mpiexec -n 4 .*python -m minigpt sft .* --device gpu", said)


def test_packages_are_installed_by_one_at_a_time_whatever_j_says(tmp_path):
    python, log = tmp_path / "bin/python", tmp_path / "log"
    python.parent.mkdir()
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in *install*) ;; *) exit ;; esac\n'
        f"echo begins >> {log}; sleep 0.3; echo ends >> {log}\n"
    )
    python.chmod(0o755)
    words = [f"{tmp_path}/.chat", f"{tmp_path}/.cluster", f"VENV={tmp_path}", f"PYTHON={python}"]
    done = make("-j2", *words)
    assert done.returncode == 0, done.stderr
    assert log.read_text().split() == ["begins", "ends"] * 2


def test_the_help_fits_a_terminal():
    lines = make("help").stdout.splitlines()
    assert len(lines) > 10
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["preset=smoke"], "preset is no setting; the settings are SITE PAGES"),
        (["STEPS=5"], "STEPS is no setting"),
        (["PRESET=giant"], "preset is 'giant'; it must be one of"),
        (["PRESET="], "preset is ''; it must be one of"),
        (["DEVICE=tpu"], "device is 'tpu'; it must be one of"),
        (["VOCAB=many"], "VOCAB is many; it must be at least 256"),
        (["PAGES=abc"], "PAGES is abc; it must be at least 1"),
        (
            ["TRAIN=--stepps 5"],
            "pretrain: unrecognized arguments: --stepps 5 (do you mean --steps?)",
        ),
        (["CRAWL=--inclde /docs/"], "unrecognized arguments: --inclde (do you mean --include?)"),
        (["CRAWL=--max-depth -1"], "max_depth is -1; it must be at least 0"),
        (["CRAWL=--blocklist missing.txt"], "missing.txt: No such file"),
        (["CRAWL=--help"], "make: *** "),
        (["SITE=ftp://a.example/"], "'ftp://a.example/' is an address of ftp"),
        (["SFT=--steps many"], "argument --steps: invalid int value: 'many'"),
        (["SFT=--steps 0"], "steps is 0; it must be at least 1"),
        (["TRAIN=-o elsewhere"], "have -o elsewhere; they must leave -o out"),
        (["PRESET=gpt2"], 'it must take at most 30 days: try TRAIN="--steps '),
        (["PRESET=gpt2", "LAUNCH=missing -n 2"], "LAUNCH is missing"),  # how many is not known
        (["OUT=two words"], "OUT is 'two words'; it must be one folder"),
        (["TEXT=a.txt", "WARC=b.warc.gz"], "WARC and TEXT are given; "),
        (["TEXT=a.txt", "SITE=http://a.example/"], "SITE and TEXT are given; "),
        (["WARC=a.warc.gz", "SITE=http://a.example/"], "SITE and WARC are given; "),
        (["TEXT=a.txt", "PAGES=5"], "PAGES and TEXT are given; with TEXT nothing is crawled"),
        (["WARC=a.warc.gz", "CRAWL=--include a$$"], "CRAWL and WARC are given; "),
        (["TEXT=a.txt", "PROFILE=web"], "PROFILE and TEXT are given; a text is not cleaned"),
        (["TEXT={folder}/page.html"], "page.html is HTML; TEXT= takes plain text and JSON Lines: "),
        (["TEXT={folder}/latin1.txt"], "latin1.txt: byte 0xe9 at offset 3 is not text; "),
        (["TEXT={folder}/my novel.txt"], "my novel.txt' has blanks in its name, and make takes"),
        (["TEXT={folder}/missing.txt"], "missing.txt"),
        (["TEXT={folder}/empty.txt"], "empty"),
        (["TEXT={folder}/binary.txt"], "is not text"),
        (["TEXT={folder}/short.txt", "PRESET=smoke", "VOCAB=258"], "one window and its next token"),
        (["TEXT={folder}/some.txt", "VOCAB=200"], "VOCAB is 200; it must be at least 256"),
        (["TEXT={folder}/some.txt", "VOCAB=9000"], "this text gives at most"),
        (["SITE=http://127.0.0.1:9/", "PRESET=smoke"], "no page"),
        (["OUT=/proc/minigpt"], "OUT=/proc/minigpt cannot be written to"),
        (["LAUNCH=missing -n 2"], "LAUNCH is missing -n 2; it must start Python with mpi4py"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_status_2(words, said, tmp_path):
    write_text(tmp_path / "some.txt")
    write_text(tmp_path / "short.txt", lines=3)
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)) * 40)
    write_text(tmp_path / "my novel.txt")
    (tmp_path / "page.html").write_text("<p>It is late.</p>")
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9")
    words = [word.format(folder=tmp_path) for word in words]
    out = tmp_path / "out"
    done = make("train", f"OUT={out}", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    left = [p for p in tmp_path.rglob("*") if p.suffix in (".part", ".tmp")]
    assert left == []
    said_first = ("preset", "device", "VOCAB is", "PAGES", "pretrain:", "argument", "LAUNCH", "mis",
                  "unrec", "max_depth", "make: ***", "'ftp", "WARC", "SITE", "CRAWL", "PROFILE",
                  "empty", "is not text", "page.html", "latin1", "my novel")  # fmt: skip
    assert not (said.startswith(said_first) and out.exists())
