"""Loss curves: in the terminal and as pictures."""

import builtins
import json
import xml.etree.ElementTree

import pytest

from minigpt.__main__ import main
from minigpt.curves import loss_line, plot, read_curves, sparkline


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([5.0], "▁"),
        ([2.0, 2.0], "▁▁"),
        ([8, 7, 6, 5, 4, 3, 2, 1], "█▇▆▅▄▃▂▁"),
        ([0, 100, None, float("nan"), float("inf"), 0], "▁█▁"),
    ],
)
def test_a_sparkline_is_a_block_for_each_number_that_is_one(values, line):
    assert sparkline(values) == line


def test_a_long_sparkline_is_thinned_out_and_keeps_both_ends():
    line = sparkline([9.0] + [1.0] * 1000 + [5.0], width=20)
    assert len(line) == 20
    assert (line[0], line[1], line[-1]) == ("█", "▁", "▅")


@pytest.mark.parametrize(
    ("losses", "line"),
    [
        ((5.0, 3.0, 2.0, 2.5), "5.000 █▄▁▃ 2.500"),
        ((2.0, 2.5, 4.0, 3.0), "2.000 ▁▃█▅ 3.000"),  # it rises: the first is the lowest
        ((4.0, 0.0), "4.000 █▁ 0.000"),
        ((3.0,), "3.000 ▁ 3.000"),
    ],
)
def test_a_runs_losses_are_told_in_a_line_from_the_guess_on(tmp_path, losses, line):
    assert loss_line(make_run(tmp_path / "run", losses)) == line
    assert loss_line(tmp_path) == ""


def make_run(folder, losses=(5.0, 3.0, 2.0, 2.5)):
    """Write the metrics of a run, a last line half there."""
    folder.mkdir()
    lines = [
        {"step": 10 * i, "tokens": 1000 * i, "val_loss": loss, "bits_per_byte": loss / 2,
         "train_loss": loss - 0.5 if i else None, "seconds": float(i)}
        for i, loss in enumerate(losses)
    ]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + '{"step": 99, "val')
    return folder


def test_curves_are_read_in_the_units_asked_for(tmp_path):
    run = make_run(tmp_path / "run")
    validation, training = read_curves(run)
    assert validation == [(0, 5.0), (1000, 3.0), (2000, 2.0), (3000, 2.5)]
    assert training == [(1000, 2.5), (2000, 1.5), (3000, 2.0)]
    assert read_curves(run, "step", bits=True)[0] == [(0, 2.5), (10, 1.5), (20, 1.0), (30, 1.25)]


def test_between_looks_only_the_training_loss_is_known(tmp_path):
    run = make_run(tmp_path / "run")
    between = {"step": 35, "tokens": 3500, "train_loss": 1.8, "seconds": 3.5}
    text = (run / "metrics.jsonl").read_text().partition('{"step": 99')[0]
    (run / "metrics.jsonl").write_text(text + json.dumps(between) + "\n")
    assert loss_line(run) == "5.000 █▄▁▃ 2.500"
    validation, training = read_curves(run)
    assert (len(validation), training[-1]) == (4, (3500, 1.8))
    # in bits a byte as at the look before
    assert read_curves(run, bits=True)[1][-1] == (3500, 0.9)
    later = "".join(json.dumps(x) + "\n" for x in (between, between | {"val_loss": 2.0,
                    "bits_per_byte": 1.0, "tokens": 3600}))  # fmt: skip
    (run / "metrics.jsonl").write_text(later)  # of a file whose beginning is lost
    assert read_curves(run, bits=True)[1] == [(3600, 0.9)]


def test_the_curves_of_several_runs_become_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b", (4.0,))]
    for name, start in (("c.svg", b"<?xml"), ("c.png", b"\x89PNG"), ("c.pdf", b"%PDF")):
        path = plot(runs, tmp_path / "new" / name)
        assert path.read_bytes().startswith(start)
    svg = (tmp_path / "new/c.svg").read_text()
    xml.etree.ElementTree.fromstring(svg)
    for words in (str(runs[0]), str(runs[1]), "2.000", "tokens read", "nats a token"):
        assert f"<!-- {words}" in svg or words in svg


def test_the_same_curves_give_the_same_bytes(tmp_path):
    pytest.importorskip("matplotlib")
    run = make_run(tmp_path / "a")
    first = plot([run], tmp_path / "c.svg").read_bytes()
    assert plot([run], tmp_path / "c.svg").read_bytes() == first


@pytest.mark.parametrize(
    ("run", "out", "message"),
    [
        ("nothing", "c.svg", "nothing holds no metrics.jsonl; it must be a run's folder"),
        ("run", "c.gif", "c.gif ends in '.gif'; it must be one of .svg, .png, .pdf"),
        ("run", "c", "c ends in ''; it must be one of"),
    ],
)
def test_what_cannot_be_plotted_is_one_line(tmp_path, capsys, run, out, message):
    make_run(tmp_path / "run")
    assert main(["plot", str(tmp_path / run), "-o", str(tmp_path / out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / out).exists()


def test_without_matplotlib_it_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    run = make_run(tmp_path / "run")
    assert main(["plot", str(run), "-o", str(tmp_path / "c.svg")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "minigpt: a picture needs matplotlib, which is not installed: pip install matplotlib"
    )
