"""The command that examines a model: what it keeps, what it leaves out, what it refuses."""

import json
from dataclasses import replace

import pytest
from minigpt_examples import write_jsonl
from minigpt_planted import CONFIG, fresh_model, make_site, planted_model, save_run

from minigpt import evaluate as module
from minigpt.__main__ import main
from minigpt.evaluate import RESULTS, SECTIONS, Settings, evaluate
from minigpt.model import GPT

TASK = [{"query": "Who sang in the wood?", "choices": ["a", "b"], "gold": 0}] * 3


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of a run with a model that learnt a page by heart."""
    out = tmp_path_factory.mktemp("out")
    corpus, tokenizer = make_site(out)
    save_run(out, planted_model(corpus), tokenizer)
    return out


@pytest.fixture(scope="module")
def full(out):
    """The results of everything, and the sections in the order they were shown."""
    shown = []
    settings = Settings(str(out / "base"), documents=(str(out / "documents.jsonl"),), samples=2)
    return evaluate(settings, show=shown.append), shown


def task_file(folder):
    path = folder / "birds.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in TASK))
    return path


def test_every_section_is_made_and_kept(out, full):
    report, shown = full
    assert list(report["sections"]) == [name for name in SECTIONS if name != "tasks"]
    assert [section["title"] for section in shown] == [
        section["title"] for section in report["sections"].values()
    ]
    assert json.loads((out / RESULTS).read_text()) == report
    assert report["stage"] == "evaluate"
    assert report["seconds"] > 0
    assert report["flops"] > report["tokens"] > 1000


def test_the_planted_page_is_named_in_the_results(out, full):
    report, _ = full
    text = module.section_text(report["sections"]["copies"])
    assert "The longest matches, and where they came from" in text
    assert "| /" in text


def test_a_model_with_room_for_more_symbols_writes_only_those_there_are(tmp_path):
    _, tokenizer = make_site(tmp_path)
    model = GPT(replace(CONFIG, vocab_size=384)).initialise(0)
    model.params["wte.weight"][CONFIG.vocab_size :] *= 50  # what means nothing is likely
    save_run(tmp_path, model, tokenizer)
    report = evaluate(Settings(str(tmp_path / "base"), only=("knows", "samples"), samples=1))
    assert set(report["sections"]) == {"knows", "samples"}


def test_the_same_seed_gives_the_same_tables(out, full):
    report, _ = full
    settings = Settings(str(out / "base"), documents=(str(out / "documents.jsonl"),), samples=2,
                        only=("copies", "learns"))  # fmt: skip
    again = evaluate(settings)
    for name in ("copies", "learns"):
        assert again["sections"][name]["parts"] == report["sections"][name]["parts"]


def test_tasks_alone_are_added_to_what_was_found_before(out, full, tmp_path):
    report, _ = full
    again = evaluate(Settings(str(out / "base"), tasks=(str(task_file(tmp_path)),)))
    assert list(again["sections"]) == list(SECTIONS)
    assert again["sections"]["loss"] == report["sections"]["loss"]
    *_, seen = again["sections"]["tasks"]["parts"]
    assert seen["rows"] == [["birds", 3, 0.0, 0, None, 3, again_right(again)]]
    some = evaluate(Settings(str(out / "base"), only=("samples",), samples=1))
    assert "tasks" in some["sections"]
    everything = evaluate(Settings(str(out / "base"), samples=2))
    assert list(everything["sections"]) == [name for name in SECTIONS if name != "tasks"]


def again_right(report):
    """Return the accuracy that the table of tasks tells."""
    return report["sections"]["tasks"]["parts"][1]["rows"][0][3]


def test_tasks_need_no_training_text_and_may_be_of_a_model_with_another_tokenizer(out, tmp_path):
    save_run(tmp_path, fresh_model(), make_site(tmp_path)[1])
    tokens = tmp_path / "tokens" / "tokens.json"
    tokens.write_text(json.dumps(json.loads(tokens.read_text()) | {"tokenizer": "another"}))
    settings = Settings(str(tmp_path / "base"), tasks=(str(task_file(tmp_path)),))
    assert len(evaluate(settings)["sections"]["tasks"]["parts"]) == 2
    with pytest.raises(ValueError, match="another tokenizer"):
        evaluate(replace(settings, tokens=str(tokens.parent)))


def test_tasks_need_the_tokens_alone_and_no_documents(tmp_path):
    save_run(tmp_path, fresh_model(), make_site(tmp_path)[1])
    (tmp_path / "documents.jsonl.gz").write_bytes(b"of another run")
    found = evaluate(Settings(str(tmp_path / "base"), tasks=(str(task_file(tmp_path)),)))
    assert len(found["sections"]["tasks"]["parts"]) == 4


def test_results_of_other_weights_are_dropped(out, full, tmp_path):
    _, tokenizer = make_site(tmp_path)
    save_run(tmp_path, fresh_model(), tokenizer)
    (tmp_path / RESULTS).write_text((out / RESULTS).read_text())
    report = evaluate(Settings(str(tmp_path / "base"), only=("chat",)))
    assert list(report["sections"]) == ["chat"]


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"weights": 1}'])
def test_damaged_results_are_made_anew(tmp_path, damaged):
    _, tokenizer = make_site(tmp_path)
    save_run(tmp_path, fresh_model(), tokenizer)
    (tmp_path / RESULTS).write_text(damaged)
    assert list(evaluate(Settings(str(tmp_path / "base"), only=("chat",)))["sections"]) == ["chat"]


@pytest.mark.parametrize(
    "damage", [{"seconds": []}, {"seconds": 10**400}, {"tokens": "5"}, {"title": 0}, {"parts": 0}]
)
def test_results_with_a_damaged_section_are_made_anew(tmp_path, damage):
    _, tokenizer = make_site(tmp_path)
    save_run(tmp_path, fresh_model(), tokenizer)
    settings = Settings(str(tmp_path / "base"), only=("samples",), samples=1)
    report = evaluate(settings)
    section = report["sections"]["samples"]
    section.update(damage)
    if damage.keys() & {"title", "parts"}:
        section.pop(*damage)
    (tmp_path / RESULTS).write_text(json.dumps(report))
    assert list(evaluate(replace(settings, only=("chat",)))["sections"]) == ["chat"]


def test_a_model_without_its_text_is_examined_without_it(tmp_path, capsys):
    _, tokenizer = make_site(tmp_path / "elsewhere")
    save_run(tmp_path, fresh_model(), tokenizer)
    assert main(["evaluate", str(tmp_path / "base"), "--brief"]) == 0
    said = capsys.readouterr().out
    assert "left out for want of" in said
    assert list(json.loads((tmp_path / RESULTS).read_text())["sections"]) == ["learns", "chat"]


def test_the_command_prints_tables(out, full, capsys, tmp_path):
    assert main(["evaluate", str(out / "base"), "--tasks", str(task_file(tmp_path))]) == 0
    said = capsys.readouterr().out
    assert "## Tasks" in said
    assert "| birds | multiple choice |" in said


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--only", "luck"], "section is 'luck'; it must be one of loss, copies"),
        (["--only", "tasks"], "section is 'tasks'; it needs files"),
        (["--samples", "0"], "samples is 0; it must be at least 1"),
        (["--temperature", "-1"], "temperature is -1.0; it must be at least 0"),
        (["--temperature", "nan"], "temperature is nan; it must be at least 0"),
        (["--shots", "-1"], "shots is -1"),
        (["--seed", "-1"], "seed is -1"),
        (["--tasks", "nowhere.jsonl"], "nowhere.jsonl: No such file"),
        (["--tokens", "nowhere"], "nowhere/tokens.json does not exist; tokenize first"),
    ],
)
def test_bad_input_is_one_line(out, capsys, flags, message):
    assert main(["evaluate", str(out / "base"), *flags]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_an_unknown_length_is_refused():
    with pytest.raises(ValueError, match=r"length is 'words'; it must be one of tokens, bytes"):
        Settings("out/base", length="words")


def test_a_malformed_task_is_said_before_anything_is_done(out, capsys, tmp_path):
    path = tmp_path / "my.jsonl"
    path.write_text(json.dumps(TASK[0]) + "\n{}\n")
    assert main(["evaluate", str(out / "base"), "--tasks", str(path)]) == 2
    assert "my.jsonl, line 2: neither choices nor continuation" in capsys.readouterr().err


def test_documents_of_another_run_are_refused(out, capsys, tmp_path):
    other = write_jsonl(tmp_path / "other.jsonl", ["a b c"] * 30)
    assert main(["evaluate", str(out / "base"), "--only", "loss", "--documents", str(other)]) == 2
    assert "--documents" in capsys.readouterr().err
