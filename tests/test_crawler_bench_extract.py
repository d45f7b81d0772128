"""The benchmark of extraction reads its file, measures, and refuses what it cannot read."""

import gzip
import json

import bench_extract
import pytest

LINE = json.dumps({"html": "<p>A page of one paragraph, to be read twice.</p>", "url": None}) + "\n"


@pytest.mark.parametrize("name", ["pages.jsonl", "pages.jsonl.gz"])
def test_pages_per_second_are_printed(tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr(bench_extract, "extractors", lambda: {"minigpt": bench_extract.extract})
    data = LINE.encode() * 2
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert bench_extract.main([str(tmp_path / name), "--rounds", "2"]) == 0
    assert "pages/s" in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b"no json", b"{}"])
def test_a_file_without_pages_is_refused(tmp_path, capsys, data):
    (tmp_path / "pages.jsonl").write_bytes(data)
    assert bench_extract.main([str(tmp_path / "pages.jsonl")]) == 2
    assert "bench_extract:" in capsys.readouterr().err
