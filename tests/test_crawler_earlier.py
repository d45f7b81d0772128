"""The records of an earlier archive: found, read, and doubted."""

import gzip
import io

import pytest

from crawler.earlier import Record, list_records, read_record
from crawler.warc import Writer, read_pages

HTML = ("Content-Type", "text/html")


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "pages.warc.gz"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.write_response("http://h/none", b"x", [HTML])
        writer.write_response("http://h/tag", b"<p>tag</p>" * 9, [HTML, ("ETag", 'W/"1"')])
        writer.write_response("http://h/date", bytes(300_000), [HTML, ("last-modified", "Sun")])
        writer.write_response("http://h/body", b"ETag: no\r\n\r\nETag: no", [HTML])
        writer.write_response("http://h/gone", b"x", [HTML, ("ETag", "2")], status=404)
    return path


def test_pages_with_a_version_or_a_date_are_listed(archive):
    records = list(list_records(archive))
    assert [(r.url, r.etag, r.modified) for r in records] == [
        ("http://h/tag", 'W/"1"', ""),
        ("http://h/date", "", "Sun"),
    ]
    assert records[0].conditions == {"If-None-Match": 'W/"1"'}
    assert records[1].conditions == {"If-Modified-Since": "Sun"}


def test_a_record_is_read_as_it_is_in_the_file(archive):
    tag, date = list_records(archive)
    data, page = read_record(archive.parent, tag)
    assert page.body == b"<p>tag</p>" * 9
    assert archive.read_bytes()[tag.offset : tag.offset + tag.n_bytes] == data
    assert [p.url for p in read_pages(io.BytesIO(data))] == ["http://h/tag"]
    assert len(read_record(archive.parent, date)[1].body) == 300_000


def test_a_record_that_is_not_there_any_more_raises(archive):
    tag, date = list_records(archive)
    with pytest.raises(ValueError, match="has changed"):
        read_record(archive.parent, tag._replace(url="http://h/other"))
    with pytest.raises(ValueError):
        read_record(archive.parent, tag._replace(offset=tag.offset + 1))
    archive.write_bytes(b"")
    with pytest.raises(ValueError):
        read_record(archive.parent, date)
    archive.unlink()
    with pytest.raises(OSError):
        read_record(archive.parent, date)


def test_a_broken_archive_is_listed_up_to_there(archive):
    data = archive.read_bytes()
    tag, date = list_records(archive)
    archive.write_bytes(data[: date.offset + 10])
    assert list(list_records(archive)) == [tag]
    for other in (b"", b"no gzip", gzip.compress(b"no WARC"), bytes(1000)):
        archive.write_bytes(other)
        assert list(list_records(archive)) == []


def test_conditions_are_only_what_there_is():
    assert Record("u", "a", 0, 0, "", "").conditions == {}
