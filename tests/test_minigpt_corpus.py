"""Every place in the rows of ids has its document's address again."""

import gzip
import json

import numpy as np
import pytest
from minigpt_examples import example_texts, example_tokenizer, write_jsonl

from minigpt import dataset
from minigpt.corpus import Corpus, one_line


def make(folder, files):
    dataset.tokenize(files, example_tokenizer(), folder)
    return Corpus(folder, example_tokenizer(), files)


def write_pages(path, texts, urls):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        for text, url in zip(texts, urls, strict=True):
            file.write(json.dumps({"text": text, "url": url}) + "\n")
    return path


def test_a_file_is_lines_or_one_text_as_the_tokenizer_takes_it(tmp_path):
    text = tmp_path / "a.jsonl.txt"
    text.write_text("\n".join(example_texts(25)), "utf-8")
    for path, n in ((text, 1), (write_jsonl(tmp_path / "B.JSONL", example_texts(25)), 24)):
        assert len(make(tmp_path / path.stem, [path]).train.addresses) == n


def test_every_document_has_its_url_in_either_part(tmp_path):
    texts = example_texts(45)
    urls = [f"https://site.test/{i}" for i in range(45)]
    corpus = make(tmp_path / "tokens", [write_pages(tmp_path / "a.jsonl.gz", texts, urls)])
    assert (len(corpus.train), len(corpus.val), corpus.is_cut) == (43, 2, False)
    for part in (corpus.train, corpus.val):
        for i, url in enumerate(part.addresses):
            assert part.document_text(i) == texts[int(url.rpartition("/")[2])]
            for place in (part.starts[i], part.ends[i] - 1):
                assert part.document(place) == i


def test_titles_stand_beside_the_addresses(tmp_path):
    titles = [None if i == 2 else 7 if i == 3 else " \n" if i == 4 else f"T{i}" for i in range(25)]
    lines = [
        json.dumps({"text": text, "url": f"u{i}", "title": title})
        for i, (text, title) in enumerate(zip(example_texts(25), titles, strict=True))
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    corpus = make(tmp_path / "tokens", [tmp_path / "a.jsonl"])
    assert corpus.train.titles[:6] == ["T0", "T1", None, None, None, "T5"]
    assert corpus.val.titles == ["T19"]
    assert Corpus(tmp_path / "tokens", example_tokenizer()).val.titles == [None]


def test_empty_documents_are_no_documents(tmp_path):
    texts = example_texts(25)
    texts[3] = texts[19] = ""
    urls = [f"https://site.test/{i}" for i in range(25)]
    corpus = make(tmp_path / "tokens", [write_pages(tmp_path / "a.jsonl", texts, urls)])
    assert urls[3] not in corpus.train.addresses
    assert len(corpus.val) == 0
    assert corpus.train.document_text(3) == texts[4]


def test_few_documents_are_in_both_parts(tmp_path):
    texts = example_texts(3)
    for i, text in enumerate(texts):
        (tmp_path / f"book{i}.txt").write_text(text, "utf-8")
    files = [tmp_path / f"book{i}.txt" for i in range(3)]
    corpus = make(tmp_path / "tokens", files)
    assert corpus.is_cut
    assert corpus.train.addresses == corpus.val.addresses == [str(path) for path in files]
    assert corpus.train.document_text(1) + corpus.val.document_text(1) == texts[1]


def test_lines_without_a_url_are_named_by_their_number(tmp_path):
    corpus = make(tmp_path / "tokens", [write_jsonl(tmp_path / "a.jsonl", example_texts(25))])
    assert corpus.train.addresses[0] == f"{tmp_path / 'a.jsonl'}, line 1"


def test_without_files_documents_have_numbers(tmp_path):
    make(tmp_path / "tokens", [write_jsonl(tmp_path / "a.jsonl", example_texts(25))])
    corpus = Corpus(tmp_path / "tokens", example_tokenizer())
    assert corpus.train.addresses[:2] == ["document 1", "document 2"]


@pytest.mark.parametrize(
    ("urls", "sources"),
    [
        (["http://a.test:80/xml.dom.html", "http://a.test/os.html"], ["xml", "os"]),
        (["http://a.test/news/1", "http://b.test/news/2"], ["a.test", "b.test"]),
        (["http://a.test/", "http://a.test"], ["a.test", "a.test"]),
    ],
)
def test_a_source_is_a_host_or_a_package_of_the_only_host(tmp_path, urls, sources):
    texts, pages = example_texts(24), urls * 12
    corpus = make(tmp_path / "tokens", [write_pages(tmp_path / "a.jsonl", texts, pages)])
    assert [corpus.source(url) for url in urls] == sources


def test_names_leave_out_the_only_host_and_keep_the_question(tmp_path):
    pages = ["http://a.test/topic?key=x", "http://a.test"] * 12
    corpus = make(
        tmp_path / "tokens", [write_pages(tmp_path / "a.jsonl", example_texts(24), pages)]
    )
    assert [corpus.name(page) for page in pages[:2]] == ["/topic?key=x", "/"]
    corpus.one_host = False
    assert corpus.name(pages[0]) == "a.test/topic?key=x"


def test_other_documents_are_refused_with_the_cure(tmp_path):
    make(tmp_path / "tokens", [write_jsonl(tmp_path / "a.jsonl", example_texts(25))])
    other = write_jsonl(tmp_path / "b.jsonl", example_texts(30))
    with pytest.raises(ValueError, match=r"b.jsonl: 29 documents for train.*has 24.*--documents"):
        Corpus(tmp_path / "tokens", example_tokenizer(), [other])


def test_another_tokenizer_is_refused(tmp_path):
    import bpe

    make(tmp_path / "tokens", [write_jsonl(tmp_path / "a.jsonl", example_texts(25))])
    other = bpe.train(["abc abc"], 258, special_tokens=[dataset.SEPARATOR])
    with pytest.raises(ValueError, match=r"another tokenizer than the model's.*--tokens"):
        Corpus(tmp_path / "tokens", other)


def test_texts_that_are_no_characters_can_be_shown(tmp_path):
    corpus = make(tmp_path / "tokens", [write_jsonl(tmp_path / "a.jsonl", example_texts(25))])
    assert corpus.train.text(example_tokenizer().encode_bytes(b"a\xff")) == "a\ufffd"
    assert one_line("a\n b" + "c" * 100, 10) == "a bcccccc…"
    assert one_line("\ud800x") == "?x"
    assert np.issubdtype(corpus.train.ids.dtype, np.unsignedinteger)
