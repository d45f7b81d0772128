"""The command line: what is printed, where, and with which exit status."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict

import pytest
from make_command import ROOT
from minigpt_examples import (
    MODEL,
    TRAIN,
    example_texts,
    save_example_model,
)

import bpe
from minigpt import dataset
from minigpt.__main__ import main
from minigpt.checkpoint import load_model, read_progress
from minigpt.presets import PRESETS
from minigpt.pretrain import pretrain

pytest_plugins = ["minigpt_fixtures"]


def fails(capsys, *arguments):
    """Run a command that must end with status 2; return its one line on stderr."""
    assert main(list(map(str, arguments))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("minigpt: ")
    return line.removeprefix("minigpt: ")


def process(*arguments, **options):
    """Run `python -m minigpt` in a process of its own."""
    command = [sys.executable, "-m", "minigpt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def flags(example, out, **changes):
    """Return the words after `pretrain` for the settings MODEL and TRAIN, `changes` made."""
    settings = asdict(MODEL) | asdict(TRAIN) | changes
    settings.pop("vocab_size")
    words = ["--tokens", example.tokens, "--tokenizer", example.tokenizer, "-o", out]
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", value]
    return list(map(str, words))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A model's folder that tests only read."""
    folder = tmp_path_factory.mktemp("model")
    save_example_model(folder)
    return folder


# ---- help and presets ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "presets",
        "tokenize",
        "pretrain",
        "plot",
        "sample",
        "info",
        "evaluate",
        "report",
        "gradcheck",
        "summary",
        "conversations",
        "sft",
        "evaluate-chat",
        "chat",
        "show-chat",
    ],
)
def test_help_teaches_every_command_with_an_example(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"example: python -m minigpt {command}" in capsys.readouterr().out


def test_help_lists_the_commands_and_the_preset_of_pretraining(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in ("presets", "tokenize", "pretrain", "sample", "summary"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["trian"], "trian"),
        (["pretrain", "--steps", "many"], "--steps: invalid int value: 'many'"),
        (["pretrain", "--stepz", "3"], "--stepz"),
        (["sample"], "model"),
        (["tokenize"], "FILE"),
        (["presets", "smoke", "colour"], "colour"),
    ],
)
def test_words_that_are_no_command_line_are_named_with_status_2(capsys, arguments, words):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("module", ["minigpt", "crawler", "bpe"])
def test_without_its_packages_a_command_says_how_to_get_them(module):
    words = {"minigpt": "sample out/base", "crawler": "clean x", "bpe": "encode x"}[module].split()
    command = [sys.executable, "-S", "-m", module, *words]  # -S: without site-packages
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    line = done.stderr.splitlines()[-1]
    assert done.returncode != 0
    assert "is not installed here; source .venv/bin/activate" in line
    if module != "bpe":  # Python imports the package before its command
        assert line == done.stderr.strip()


def test_presets_are_listed_with_what_they_are_for(capsys):
    assert main(["presets"]) == 0
    said = capsys.readouterr().out
    for name, preset in PRESETS.items():
        assert name in said
        assert preset.about in said


@pytest.mark.parametrize("name", PRESETS)
def test_a_field_of_a_preset_is_printed_alone_for_the_makefile(capsys, name):
    assert main(["presets", name, "pages"]) == 0
    assert main(["presets", name, "vocab_size"]) == 0
    preset = PRESETS[name]
    assert capsys.readouterr().out.split() == [str(preset.pages), str(preset.model.vocab_size)]


def test_an_unknown_preset_is_one_line(capsys):
    for command in ("presets huge", "pretrain --preset huge"):
        assert fails(capsys, *command.split()) == (
            f"preset is 'huge'; it must be one of {', '.join(PRESETS)}"
        )


# ---- tokenize --------------------------------------------------------------------------------


def test_tokenize_writes_the_ids_and_says_how_many(capsys, example, tmp_path):
    arguments = ["tokenize", example.documents, "--tokenizer", example.tokenizer, "-o", tmp_path]
    assert main(list(map(str, arguments))) == 0
    report = dataset.read_report(example.tokens)
    said = capsys.readouterr().out.splitlines()
    for part, line in zip(("train", "val"), said, strict=True):
        r = report[part]
        assert line.startswith(f"{part}: ")
        assert f"{r['documents']:,} documents, {r['bytes']:,} bytes, {r['tokens']:,} tokens" in line
        assert (tmp_path / f"{part}.npy").read_bytes() == (
            example.tokens / f"{part}.npy"
        ).read_bytes()


def test_what_tokenize_cannot_read_or_write_is_one_line(capsys, example, tmp_path):
    good, missing = ["--tokenizer", example.tokenizer], tmp_path / "missing"
    documents, out = example.documents, tmp_path / "out"
    assert fails(capsys, "tokenize", missing, *good, "-o", out) == (
        f"{missing}: No such file or directory; give one that is there"
    )
    assert str(missing) in fails(capsys, "tokenize", documents, "--tokenizer", missing, "-o", out)
    (tmp_path / "bad.json").write_text("{}")
    line = fails(capsys, "tokenize", documents, "--tokenizer", tmp_path / "bad.json", "-o", out)
    assert "bad.json" in line
    (tmp_path / "file").write_text("")
    assert "file" in fails(capsys, "tokenize", documents, *good, "-o", tmp_path / "file")
    (tmp_path / "empty.txt").write_text("")
    assert "empty.txt" in fails(capsys, "tokenize", tmp_path / "empty.txt", *good, "-o", out)


# ---- pretrain --------------------------------------------------------------------------------


def test_pretrain_trains_what_the_flags_say(capsys, example, tmp_path):
    assert main(["pretrain", *flags(example, tmp_path / "base")]) == 0
    said = capsys.readouterr().out
    assert "0.01 M parameters, 12 steps of 4 windows of 16 tokens" in said
    assert "step    12: validation loss" in said
    assert load_model(tmp_path / "base").config == MODEL
    report = json.loads((tmp_path / "base/training.json").read_text())
    assert report["train"] == asdict(TRAIN)


def test_pretrain_takes_the_vocabulary_from_the_tokenizer_and_the_rest_from_the_preset(
    capsys, example, tmp_path
):
    few = ["--steps", 1, "--eval-windows", 1, "--n-layer", 1, "--workers", 1, "--n-positions", 16]
    words = ["--tokens", example.tokens, "--tokenizer", example.tokenizer, "-o", tmp_path / "base"]
    assert main(list(map(str, ["pretrain", "--preset", "smoke", *words, *few]))) == 0
    config = load_model(tmp_path / "base").config
    assert (config.vocab_size, config.n_layer) == (300, 1)
    assert config.n_embd == PRESETS["smoke"].model.n_embd


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"n_head": 3}, "n_head is 3; it must divide n_embd, which is 16"),
        ({"learning_rate": "nan"}, "learning_rate is nan; it must be at least 0"),
        ({"dropout": 1}, "dropout is 1.0; it must be at least 0 and below 1"),
        ({"n_positions": 100_000}, "it must have at least 100001"),
    ],
)
def test_settings_that_cannot_be_are_one_line(capsys, example, tmp_path, changes, message):
    assert message in fails(capsys, "pretrain", *flags(example, tmp_path / "base", **changes))
    assert not (tmp_path / "base").exists()


def test_what_pretrain_cannot_read_or_write_is_one_line(capsys, example, tmp_path):
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.write_text("")
    words = flags(example, tmp_path / "base")

    def replaced(flag, value):
        changed = list(words)
        changed[words.index(flag) + 1] = str(value)
        return fails(capsys, "pretrain", *changed)

    assert "tokens.json does not exist; tokenize first" in replaced("--tokens", missing)
    assert str(missing) in replaced("--tokenizer", missing)
    assert str(file) in replaced("-o", file)
    assert str(file) in replaced("-o", file / "base")
    assert "device is 'tpu'" in fails(capsys, "pretrain", *words, "--device", "tpu")


INTERRUPTED = """
import os, signal, sys
import tqdm
from minigpt.__main__ import main

write = tqdm.tqdm.write

def write_and_interrupt(text):
    write(text)
    if "step     4:" in text:
        os.kill(os.getpid(), signal.SIGINT)  # what Ctrl-C in the terminal does

tqdm.tqdm.write = write_and_interrupt
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_ends_with_status_130_and_the_same_command_continues(example, tmp_path):
    words = ["pretrain", *flags(example, tmp_path / "base")]
    stopped = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *words], capture_output=True, text=True, timeout=120
    )
    assert stopped.returncode == 130
    assert stopped.stdout.splitlines()[-1] == (
        "stopped by SIGINT after step 4 of 12; the same command continues from there"
    )
    (line,) = stopped.stderr.splitlines()
    assert line.startswith("SIGINT: the run stops after this step; a second Ctrl-C stops it at")
    assert read_progress(tmp_path / "base")["step"] == 4
    continued = process(*words)
    assert (continued.returncode, continued.stderr) == (0, "")
    assert f"continuing {tmp_path / 'base'} after step 4" in continued.stdout
    pretrain(example.tokens, example.tokenizer, tmp_path / "whole", MODEL, TRAIN)
    stopped_model = (tmp_path / "base/model.safetensors").read_bytes()
    assert stopped_model == (tmp_path / "whole/model.safetensors").read_bytes()


def test_ctrl_c_elsewhere_is_one_line_and_status_130(capsys, monkeypatch):
    def interrupted(device):
        signal.raise_signal(signal.SIGINT)

    for place in ("minigpt.gradcheck.run", "minigpt.train_commands.add_commands"):
        monkeypatch.setattr(place, interrupted)
        assert main(["gradcheck"]) == 130
        assert capsys.readouterr().err.split() == ["minigpt:", "stopped"]


# ---- sample ----------------------------------------------------------------------------------


def sampled(capsys, *arguments):
    assert main(["sample", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_sample_continues_the_prompt_the_same_way_for_a_seed(capsys, model_folder):
    words = model_folder, "--prompt", "The größte", "--max-new-tokens", 30
    first = sampled(capsys, *words, "--seed", 1)
    assert first.startswith("The größte")
    assert len(first) > len("The größte\n")
    assert sampled(capsys, *words, "--seed", 1) == first
    assert sampled(capsys, *words, "--seed", 2) != first


def test_sample_without_a_prompt_begins_a_document(capsys, model_folder):
    assert sampled(capsys, model_folder, "--max-new-tokens", 0) == "\n"
    greedy = sampled(capsys, model_folder, "--max-new-tokens", 5, "--temperature", 0)
    assert greedy == sampled(capsys, model_folder, "--max-new-tokens", 5, "--top-k", 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--temperature -1", "temperature is -1.0; it must be 0 or more"),
        ("--top-k 0", "top_k is 0; it must be at least 1"),
        ("--top-p 2", "top_p is 2.0; it must be above 0 and at most 1"),
        ("--max-new-tokens -5", "max_new_tokens is -5; it must be at least 0"),
        ("--top-k 100000", "top_k is 100000; it must be at most 300, the number of symbols"),
        ("--min-p -1", "min_p is -1.0; it must be at least 0 and at most 1"),
        ("--repetition-penalty 0", "repetition_penalty is 0.0; it must be above 0, 1 for none"),
        ("--presence-penalty nan", "presence_penalty is nan; it must be a number, 0 for none"),
        ("--samples 0", "samples is 0; it must be at least 1"),
        ("--logprobs -1", "logprobs is -1; it must be at least 0"),
        ("--seed -1", "seed is -1; it must be at least 0"),
        ("--special --prompt <|im_start|>", "<|im_start|> is no special token here; it must be"),
        ("--device tpu", "device is 'tpu'; it must be one of cpu, gpu"),
        ("--precision bf16", "precision is 'bf16'; on the cpu it must be fp32"),
    ],
)
def test_sample_settings_out_of_range_are_one_line(capsys, model_folder, words, message):
    assert message in fails(capsys, "sample", model_folder, *words.split())


def test_what_is_no_model_is_one_line(capsys, tmp_path):
    assert "must be a model's folder" in fails(capsys, "sample", tmp_path / "missing")
    save_example_model(tmp_path / "model")
    bpe.train(example_texts(), 290).save(tmp_path / "model/tokenizer.json")
    assert "endoftext" in fails(capsys, "sample", tmp_path / "model")


def test_an_empty_stop_string_is_one_line(capsys, model_folder):
    assert "a stop string is empty" in fails(capsys, "sample", model_folder, "--stop", "")


def test_several_samples_are_those_of_following_seeds(capsys, model_folder):
    words = model_folder, "--prompt", "the", "--max-new-tokens", 20
    several = sampled(capsys, *words, "-n", 3, "--seed", 7)
    alone = [sampled(capsys, *words, "--seed", 7 + i) for i in range(3)]
    assert several == "".join(f"--- sample {i + 1} ---\n{text}" for i, text in enumerate(alone))
    assert len(set(alone)) == 3


def test_sample_ends_before_a_stop_text(capsys, model_folder):
    words = model_folder, "--prompt", "the", "--max-new-tokens", 30, "--seed", 7
    text = sampled(capsys, *words).removeprefix("the").removesuffix("\n")
    stop = text[8:11]
    expected = "the" + text.partition(stop)[0] + "\n"
    assert sampled(capsys, *words, "--stop", "never said", "--stop", stop) == expected


def test_log_probabilities_are_a_line_a_token(capsys, model_folder):
    words = model_folder, "--max-new-tokens", 6, "--temperature", 0
    heading, *lines = sampled(capsys, *words, "--logprobs", 2).splitlines()
    assert re.split(" {2,}", heading) == ["written, how likely", "the 2 likeliest"]
    assert len(lines) == 6
    for line in lines:
        shares = [float(share) for share in re.findall(r"([\d.]+)%", line)]
        assert len(shares) == 3
        assert shares[0] == shares[1] >= shares[2] > 0  # the likeliest was chosen
    heading, *several = sampled(capsys, *words, "--logprobs", 0, "-n", 2).splitlines()
    assert heading == "n: written, how likely"
    assert {line[:3] for line in several} == {"1: ", "2: "}


def test_a_prompt_longer_than_the_window_is_said(capsys, model_folder):
    words = "sample", model_folder, "--max-new-tokens", "2", "--prompt"
    assert main([*map(str, words), "the list " * 40]) == 0
    assert "the model sees the last 16" in capsys.readouterr().err
    assert main([*map(str, words), "the"]) == 0
    assert capsys.readouterr().err == ""


# ---- info ------------------------------------------------------------------------------------


def test_info_tells_what_the_folder_holds(capsys, model_folder):
    assert main(["info", str(model_folder)]) == 0
    said = capsys.readouterr().out
    for words in ("a GPT-2 of 0.01 M parameters", "stored as F32 in model.safetensors",
                  "layers              2", "300 symbols", "<|endoftext|> = 299", "config.json",
                  "no training.json here"):  # fmt: skip
        assert words in said, words


def test_info_of_what_cannot_be_loaded_is_one_line(capsys, model_folder, tmp_path):
    assert "holds no config.json" in fails(capsys, "info", tmp_path)
    folder = shutil.copytree(model_folder, tmp_path / "model")
    huge = json.dumps({"tokens": 1, "steps": 1, "epochs": 10**400})
    for damaged in ("{}", "[" * 99999, huge):
        (folder / "training.json").write_text(damaged)
        assert "training.json is not a whole report" in fails(capsys, "info", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_embd": 32}))
    assert "wte.weight has shape (300, 16)" in fails(capsys, "info", folder)


# ---- gradcheck and summary -------------------------------------------------------------------


def test_conversations_that_cannot_be_read_are_said_before_anything_is_made(tmp_path, capsys):
    tasks, missing = tmp_path / "tasks.jsonl", tmp_path / "missing.jsonl"
    tasks.write_text('{"query": "2 + 2 =", "choices": ["4", "5"], "gold": 0}\n', "utf-8")
    assert "tasks.jsonl" in fails(capsys, "check", "--chat", tasks)
    assert "missing.jsonl" in fails(capsys, "check", "--chat", missing)
    talks = tmp_path / "talks.jsonl"
    talks.write_text(
        '{"messages": [{"role": "user", "content": "Hi"},'
        ' {"role": "assistant", "content": "Hello."}]}\n',
        "utf-8",
    )
    assert main(["check", "--chat", str(talks)]) == 0


def test_flags_of_a_later_command_that_stop_it_stop_the_check(capsys):
    for flags, said in (
        ("--steps=many", "invalid int value"),
        ("--stepps=5", "do you mean"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["check", f"--train={flags}"])
        assert caught.value.code == 2
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["check", "--sft=--help"])
    assert caught.value.code == 1  # or all would be made as if it were not there
    assert "usage: python -m minigpt sft" in capsys.readouterr().out
    assert fails(capsys, "check", "--train=--steps '5") == (
        'flags for pretrain are "--steps \'5" (No closing quotation); close the quote'
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--train=--steps 0", "steps is 0; it must be at least 1"),
        ("--train=--batch-size 0", "batch_size is 0; it must be at least 1"),
        ("--train=--learning-rate -1", "learning_rate is -1.0; it must be at least 0"),
        ("--train=--n-head 5", "n_head is 5; it must divide n_embd, which is 192"),
        ("--train=--depth 0", "depth is 0; it must be at least 1"),
        ("--train=--device tpu", "device is 'tpu'; it must be one of cpu, gpu"),
        ("--train=--precision bf16", "precision is 'bf16'; on the cpu it must be fp32"),
        ("--sft=--steps 0", "steps is 0; it must be at least 1"),
        ("--sft=--device tpu", "device is 'tpu'; it must be one of cpu, gpu"),
        ("--train=-o x", "flags for pretrain have -o x; they must leave -o out, for the next"),
        ("--train=-o out/base", "flags for pretrain have -o out/base; they must leave -o out"),
        ("--sft=--out=x", "flags for sft have -o x; they must leave -o out, for the next"),
    ],
)
def test_what_a_stage_would_refuse_is_refused_by_the_check(capsys, flags, said):
    assert fails(capsys, "check", flags).startswith(said)


def test_flags_are_checked_with_the_preset_and_the_symbols_that_are_asked_for(tmp_path, capsys):
    init = tmp_path / "init"
    assert f"{init} does not exist" in fails(capsys, "check", f"--train=--init {init}")
    assert main(["check", "--preset", "shakespeare-cpu", "--train=--n-head 8"]) == 0
    assert main(["check", "--vocab-size", "256", "--train=--steps 5", "--sft=--steps 5"]) == 0
    with pytest.raises(SystemExit):
        main(["check", "--sft=other"])  # make names the base
    assert "sft: unrecognized arguments: other" in capsys.readouterr().err


def test_a_run_of_years_is_refused_before_the_crawl_with_what_make_takes(capsys, monkeypatch):
    monkeypatch.setattr("minigpt.machine.measure_peak", lambda device, workers: 1e11)
    said = fails(capsys, "check", "--preset", "gpt2")
    assert re.fullmatch(
        r"the run would take about 1\d\d years here; it must take at most 30 days: try "
        r'TRAIN="--steps \d+", a smaller PRESET, DEVICE=gpu, or TRAIN="--force" '
        r"to begin it all the same", said,
    )  # fmt: skip
    steps = re.search(r"--steps \d+", said)[0]
    for flags in (steps, "--force", "--epochs 1"):  # of epochs the steps are not known yet
        assert main(["check", "--preset", "gpt2", f"--train={flags}"]) == 0
    assert main(["check", "--preset", "gpt2", "--launched"]) == 0


def test_gradcheck_passes(capsys):
    assert main(["gradcheck"]) == 0
    assert "below 1e-06" in capsys.readouterr().out
    assert "device is 'tpu'" in fails(capsys, "gradcheck", "--device", "tpu")


def test_a_failed_gradcheck_is_status_1(monkeypatch):
    monkeypatch.setattr("minigpt.gradcheck.run", lambda device: False)
    assert main(["gradcheck"]) == 1


def test_summary_of_what_was_made(capsys, example):
    assert main(["summary", str(example.tokens.parent)]) == 0
    assert "tokens to train on" in capsys.readouterr().out


def test_summary_of_nothing_is_one_line(capsys, tmp_path):
    assert "there is no folder" in fails(capsys, "summary", tmp_path / "missing")


# ---- as a program ----------------------------------------------------------------------------


def test_the_module_runs_as_a_program(tmp_path):
    done = process("presets", "smoke", "pages")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{PRESETS['smoke'].pages}\n", "")
    done = process("sample", tmp_path / "missing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minigpt: ")
    assert done.stderr.count("\n") == 1


def test_text_goes_out_as_utf_8_and_a_closed_pipe_ends_it_quietly(model_folder):
    words = ["sample", model_folder, "--prompt", "größer", "--max-new-tokens", 10**7]
    command = [sys.executable, "-m", "minigpt", *map(str, words)]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdout.read(3) == "grö".encode()[:3]
        running.stdout.close()  # as `| head` does
        errors = running.stderr.read().decode()
        assert running.wait(120) != 0
    assert errors == ""


def test_one_document_is_not_documents(capsys, example, tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("a" * 2000 + " list of the values.\n" * 400)
    tokenize = ["tokenize", str(text), "--tokenizer", str(example.tokenizer)]
    assert main([*tokenize, "-o", str(tmp_path / "tokens")]) == 0
    said = capsys.readouterr().out
    assert "1 document, " in said
    assert "1 documents" not in said
