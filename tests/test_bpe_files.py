"""A file is there whole, or as it was before."""

import os

import pytest

from bpe.files import atomic_file, atomic_write


def test_text_or_bytes_replace_what_was_there(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    atomic_write(path, "naïve")
    assert path.read_bytes() == "naïve".encode()
    atomic_write(str(path), b"\0")
    assert path.read_bytes() == b"\0"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_the_file_has_the_usual_permissions(tmp_path):
    atomic_write(tmp_path / "ours", b"")
    (tmp_path / "usual").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_alone(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), atomic_file(path) as file:
        file.write(b"half of the new")
        raise error
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_nothing_appears_before_the_end(tmp_path):
    path = tmp_path / "file"
    with atomic_file(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        assert [entry.suffix for entry in tmp_path.iterdir()] == [".tmp"]
    assert path.read_bytes() == b"half"
