import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import example_texts, example_tokenizer, make_example, untimed, write_jsonl

import bpe
from minigpt.dataset import (
    SEPARATOR,
    TokenWriter,
    Windows,
    fingerprint,
    load_tokens,
    read_report,
    require_window,
    split_documents,
    tail_start,
    tokenize,
)

pytest_plugins = ["minigpt_fixtures"]


def parts(texts):
    """Split texts; return the lists of training and of validation texts."""
    split = list(split_documents(texts))
    return [[text for part, text in split if part == name] for name in ("train", "val")]


# ---- which text is held out ------------------------------------------------------------------


@pytest.mark.parametrize(("n", "held_out"), [(20, [19]), (39, [19]), (41, [19, 39])])
def test_one_document_in_twenty_is_held_out_whole(n, held_out):
    texts = [f"document {i}" for i in range(n)]
    train, val = parts(iter(texts))
    assert val == [texts[i] for i in held_out]
    assert train == [text for text in texts if text not in val]


@untimed
@given(texts=st.lists(st.text(), max_size=19))
def test_of_fewer_documents_the_tail_of_each_is_held_out(texts):
    train, val = parts(texts)
    assert [a + b for a, b in zip(train, val, strict=True)] == texts


def test_the_tail_is_a_tenth_and_starts_after_the_end_of_a_line_where_one_is_near():
    assert tail_start("x" * 1000) == 900
    assert tail_start("x" * 950 + "\n" + "y" * 49) == 951
    assert tail_start("x" * 800 + "\n" + "y" * 199) == 900  # never before its tenth
    assert tail_start("x" * 9000 + "\n" + "y" * 999) == 9001
    assert tail_start("a" * 100_000 + "\n") == 90_000  # too far away
    assert tail_start("") == 0
    assert tail_start("x" * 999 + "\n") == 900  # the text's own end leaves nothing


# ---- documents to ids on disk ----------------------------------------------------------------


def test_ids_on_disk_are_an_ordinary_numpy_file_and_decode_to_the_documents(example):
    tokenizer, (train, val) = example_tokenizer(), parts(example_texts())
    for name, texts in (("train", train), ("val", val)):
        ids = np.load(example.tokens / f"{name}.npy")
        assert (ids.ndim, ids.dtype) == (1, np.uint16)
        assert tokenizer.decode(ids) == "".join(SEPARATOR + text for text in texts)
        assert int((ids == tokenizer.eot_token).sum()) == len(texts)
        mapped = load_tokens(example.tokens / f"{name}.npy")
        assert isinstance(mapped, np.memmap)
        assert (mapped == ids).all()


def test_the_report_counts_each_part_and_is_beside_the_ids(example):
    report, (train, val) = read_report(example.tokens), parts(example_texts())
    assert report["stage"] == "tokens"
    assert report["seconds"] >= 0
    assert (report["vocab_size"], report["dtype"]) == (300, "uint16")
    for name, texts in (("train", train), ("val", val)):
        ids = np.load(example.tokens / f"{name}.npy")
        assert report[name] == {
            "documents": len(texts),
            "tokens": len(ids),
            "bytes": sum(len(text.encode()) for text in texts),
            "sha256": hashlib.sha256(ids.tobytes()).hexdigest(),
        }


def test_what_is_written_follows_from_the_documents_alone(example, tmp_path):
    again = make_example(tmp_path)
    for name in ("train.npy", "val.npy"):
        assert (again.tokens / name).read_bytes() == (example.tokens / name).read_bytes()
    assert sorted(file.name for file in again.tokens.iterdir()) == [
        "tokens.json", "train.npy", "val.npy",
    ]  # fmt: skip


def test_several_files_are_one_row_of_documents(tmp_path):
    texts = example_texts(30)
    files = [write_jsonl(tmp_path / f"{i}.jsonl", texts[i : i + 10]) for i in (0, 10, 20)]
    seen = []
    tokenize(
        files,
        example_tokenizer(),
        tmp_path / "out",
        lambda texts: (seen.append(text) or text for text in texts),
    )
    assert seen == texts  # what progress was given
    ids = load_tokens(tmp_path / "out/val.npy")
    assert example_tokenizer().decode(ids) == SEPARATOR + texts[19]


def test_a_large_vocabulary_takes_four_bytes_an_id(tmp_path):
    large = bpe.Tokenizer(
        {i: bytes([i]) for i in range(256)}, [], special_tokens={SEPARATOR: 70_000}
    )
    file = write_jsonl(tmp_path / "a.jsonl", ["Hello\n"] * 20)
    assert tokenize([file], large, tmp_path)["dtype"] == "uint32"
    ids = load_tokens(tmp_path / "val.npy")
    assert ids.dtype == np.uint32
    assert ids.tolist() == [70_000, *b"Hello\n"]


def test_a_separator_spelled_out_in_a_document_is_text_like_any_other(tmp_path):
    text = f"The separator is {SEPARATOR}.\n"
    tokenize([write_jsonl(tmp_path / "a.jsonl", [text] * 20)], example_tokenizer(), tmp_path)
    ids = load_tokens(tmp_path / "val.npy")
    assert int((ids == example_tokenizer().eot_token).sum()) == 1
    assert example_tokenizer().decode(ids[1:]) == text


def test_empty_documents_are_left_out(tmp_path):
    file = write_jsonl(tmp_path / "a.jsonl", [*["text"] * 10, *[""] * 9, "held out"])
    report = tokenize([file], example_tokenizer(), tmp_path)
    assert (report["train"]["documents"], report["val"]["documents"]) == (10, 1)


# ---- bad input -------------------------------------------------------------------------------


def test_a_tokenizer_without_separator_is_refused(tmp_path):
    plain = bpe.train(example_texts(), 280)
    with pytest.raises(ValueError, match=r"no <\|endoftext\|>; train it with that special token"):
        tokenize([], plain, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b'{"text": "a"}\n{"tex', "line 2"), (b'{"text": "a"}\n\xff', "not text")],
)
def test_a_bad_file_is_refused_and_leaves_nothing_behind(tmp_path, content, message):
    (tmp_path / "bad.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tokenize([tmp_path / "bad.jsonl"], example_tokenizer(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failure_leaves_what_an_earlier_run_wrote(tmp_path):
    example = make_example(tmp_path)
    before = {file.name: file.read_bytes() for file in example.tokens.iterdir()}
    with pytest.raises(FileNotFoundError):
        tokenize([example.documents, tmp_path / "missing"], example_tokenizer(), example.tokens)
    assert {file.name: file.read_bytes() for file in example.tokens.iterdir()} == before


def test_there_is_no_report_of_ids_that_were_only_half_replaced(tmp_path, monkeypatch):
    example = make_example(tmp_path)
    close = TokenWriter.close

    def close_train_only(self):
        if self.path.name == "val.npy":
            raise OSError("no space left")
        close(self)

    monkeypatch.setattr(TokenWriter, "close", close_train_only)
    with pytest.raises(OSError, match="no space"):
        tokenize([example.documents], example_tokenizer(), example.tokens)
    with pytest.raises(ValueError, match=r"tokens.json does not exist; tokenize first"):
        read_report(example.tokens)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a whole report"),
        ("[]", "is not a whole report"),
        ('{"stage": "tokens"}', "is not a whole report"),
        ("[" * 99999, "is not a whole report"),
    ],
)
def test_a_damaged_report_is_refused(tmp_path, content, message):
    (tmp_path / "tokens.json").write_text(content)
    with pytest.raises(ValueError, match=rf"tokens.json {message}.*tokenize again"):
        read_report(tmp_path)


def test_the_fingerprint_tells_tokenizers_apart_and_survives_saving(tmp_path):
    tokenizer = example_tokenizer()
    tokenizer.save(tmp_path / "t.json")
    assert fingerprint(bpe.Tokenizer.load(tmp_path / "t.json")) == fingerprint(tokenizer)
    texts = [text[::-1] for text in example_texts()]
    others = [
        bpe.train(texts, 300, special_tokens=[SEPARATOR]),
        bpe.train(example_texts(), 300, "gpt2", special_tokens=[SEPARATOR]),
        bpe.train(example_texts(), 300, special_tokens=["<|end|>"]),
    ]
    assert len({fingerprint(t) for t in [tokenizer, *others]}) == 4


@pytest.mark.parametrize("left", [0, 5, 60, 127, 130, 200])
def test_a_cut_off_file_of_ids_is_refused(tmp_path, left):
    np.save(tmp_path / "a.npy", np.arange(100, dtype=np.uint16))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[:left])
    with pytest.raises(ValueError, match=r"a.npy is not a whole .npy file .*tokenize again"):
        load_tokens(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "header",
    [
        "", "{", "'", "\\", "{[]: 1}", "  1\n 2\n", "(" * 300, "-" * 5000 + "1", "1" * 5000,
        "{}" * 9999,
        "{'descr': '<u2', 'fortran_order': False, 'shape': (9" + "9" * 30 + ",)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (-5,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1000,)}",
    ],
)  # fmt: skip
def test_a_header_that_lies_or_is_none_is_refused(tmp_path, header):
    data = header.encode()
    start = b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little")
    (tmp_path / "a.npy").write_bytes(start + data + bytes(200))
    with pytest.raises(ValueError, match=r"a.npy is not a whole .npy file .*tokenize again$"):
        load_tokens(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2), np.uint16), np.zeros(3), np.zeros(3, np.int64), np.uint16(3)]
)
def test_an_array_that_is_no_row_of_ids_is_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match="it must be one row of ids"):
        load_tokens(tmp_path / "a.npy")


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match=r"a.npy is not a whole .npy file"):
        load_tokens(tmp_path / "a.npy")


def test_an_archive_of_arrays_is_no_row_of_ids(tmp_path):
    with open(tmp_path / "a.npy", "wb") as file:
        np.savez(file, np.arange(3, dtype=np.uint16))
    with pytest.raises(ValueError, match=r"a.npy is not a whole .npy file"):
        load_tokens(tmp_path / "a.npy")


# ---- the writer ------------------------------------------------------------------------------


@untimed
@given(rows=st.lists(st.lists(st.integers(0, 65535), max_size=20), max_size=8))
def test_a_writer_appends_rows(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("writer") / "a.npy"
    writer = TokenWriter(path, np.uint16)
    for row in rows:
        writer.append(np.array(row, np.int64))
    assert not path.exists()
    writer.close()
    assert np.load(path).tolist() == list(itertools.chain.from_iterable(rows))
    assert [file.name for file in path.parent.iterdir()] == ["a.npy"]


def test_a_discarded_writer_leaves_nothing_behind(tmp_path):
    writer = TokenWriter(tmp_path / "a.npy", np.uint16)
    writer.append(np.arange(10))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_to_one_file_the_later_goes_on(tmp_path):
    earlier, later = (TokenWriter(tmp_path / "a.npy", np.uint16) for _ in range(2))
    for i in range(1000):
        earlier.append(np.full(10, i))
        later.append(np.full(10, i + 1000))
    with pytest.raises(FileNotFoundError):
        earlier.close()
    earlier.discard()
    later.close()
    assert load_tokens(tmp_path / "a.npy").tolist() == np.repeat(range(1000, 2000), 10).tolist()
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    TokenWriter(tmp_path / "a.npy", np.uint16).file.close()
    writer = TokenWriter(tmp_path / "a.npy", np.uint16)
    writer.close()
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


# ---- windows ---------------------------------------------------------------------------------

lengths = st.integers(1, 9)
tokens = st.integers(0, 100)


@untimed
@given(T=lengths, extra=tokens, batch_size=st.integers(1, 7), index=st.integers(0, 50))
def test_targets_are_the_ids_one_position_later(T, extra, batch_size, index):
    row = np.arange(T + 1 + extra, dtype=np.uint16)
    ids, targets = Windows(row, T, seed=1).batch(index, batch_size)
    assert ids.shape == targets.shape == (batch_size, T)
    assert (targets == ids + 1).all()
    assert (np.diff(ids, axis=1) == 1).all()
    assert ids.min() >= 0
    assert targets.max() < len(row)


@untimed
@given(T=lengths, extra=tokens, epoch=st.integers(0, 5), seed=st.integers(0, 1000))
def test_an_epoch_uses_every_window_once_and_they_do_not_overlap(T, extra, epoch, seed):
    windows = Windows(np.arange(T + 1 + extra, dtype=np.uint32), T, seed)
    n = windows.per_epoch
    starts = sorted(int(windows.batch(epoch * n + i, 1)[0][0, 0]) for i in range(n))
    assert [b - a for a, b in itertools.pairwise(starts)] == [T] * (n - 1)
    assert len(windows.tokens) - n * T < 2 * T  # so little is left over at both ends


@untimed
@given(
    T=lengths, extra=tokens, n=st.integers(1, 5), order=st.permutations(range(12)),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_a_batch_follows_from_seed_and_index_alone(T, extra, n, order, seed):
    row = np.arange(T + 1 + extra, dtype=np.uint16)
    straight = Windows(row, T, seed)
    batches = [straight.batch(i, n)[0].tolist() for i in range(12)]
    jumping = Windows(row, T, seed)
    for i in order:
        assert jumping.batch(i, n)[0].tolist() == batches[i]


def test_the_size_of_the_batches_does_not_change_the_order():
    windows = Windows(np.arange(1000, dtype=np.uint16), 10, seed=4)
    large = np.concatenate([windows.batch(i, 6)[0] for i in range(5)])
    small = np.concatenate([windows.batch(i, 2)[0] for i in range(15)])
    assert (large == small).all()


def test_epochs_and_seeds_differ_in_order_and_place():
    row = np.arange(1000, dtype=np.uint16)

    def epoch(number, seed):
        return tuple(Windows(row, 10, seed).starts(number).tolist())

    orders = {epoch(number, seed) for number in range(5) for seed in range(5)}
    assert len(orders) == 25
    assert len({min(order) for order in orders}) > 5


def test_validation_windows_are_spread_over_the_row_and_always_the_same():
    windows = Windows(np.arange(1001, dtype=np.uint16), 10, seed=0)
    ids, targets = windows.spread(5)
    assert ids[:, 0].tolist() == [0, 247, 495, 742, 990]
    assert (targets == ids + 1).all()
    assert (Windows(windows.tokens, 10, seed=9).spread(5)[0] == ids).all()
    assert windows.spread(1)[0][:, 0].tolist() == [0]


@untimed
@given(T=lengths, extra=tokens, n=st.integers(1, 200))
def test_there_are_no_more_validation_windows_than_the_row_holds(T, extra, n):
    length = T + 1 + extra
    ids, targets = Windows(np.arange(length, dtype=np.uint16), T, seed=0).spread(n)
    assert 1 <= len(ids) <= min(n, (length - 1) // T)
    assert targets.max() < length


@pytest.mark.parametrize(
    "lengths, window", [((5000, 65), 64), ((128, 90), 64), ((100, 100), 64), ((128, 128), 64)]
)
def test_a_text_too_small_is_told_a_window_that_it_has(lengths, window):
    lengths = dict(zip(["training", "validation"], lengths, strict=True))
    with pytest.raises(ValueError, match=r"it must have at least 129.*bring more text") as caught:
        require_window(lengths, 128)
    assert f'make: TRAIN="--n-positions {window}")' in str(caught.value)
    require_window(lengths, window)


@pytest.mark.parametrize("n_documents", [1, 19, 20, 39, 100])
def test_the_text_that_is_asked_for_is_enough_however_little_there_was(tmp_path, n_documents):
    """Of little text the tokens are long: so it cannot be said how many times as much is needed."""
    text = "\n".join(example_texts(200)).encode("ascii", "ignore").decode()
    path, folder = tmp_path / "text.jsonl", tmp_path / "tokens"

    def lengths(n):
        size = n // n_documents
        texts = [text[i * size : (i + 1) * size] for i in range(n_documents)]
        write_jsonl(path, texts)
        tokenizer = bpe.train(texts, 1024, at_most=True, special_tokens=[SEPARATOR])
        report = tokenize([path], tokenizer, folder)
        return {part: report[part]["tokens"] for part in ("train", "val")}

    for n in (100, 650):
        with pytest.raises(ValueError, match=r"bring more text, 15\.2 kB or so in all"):
            require_window(lengths(n), 64)
    require_window(lengths(15_200), 64)


def test_a_text_too_small_for_a_conversation_s_window_is_told_how_much_more():
    with pytest.raises(
        ValueError, match=r"text, 30\.2 kB or so in all \(a longer one, more pages\)$"
    ):
        require_window({"training": 500, "validation": 64}, 128)


@pytest.mark.parametrize("length", [0, 1, 10])
def test_a_row_shorter_than_one_window_is_refused_with_the_cure(length):
    with pytest.raises(ValueError, match=rf"has {length} tokens?; it must have at least 11.*bring"):
        Windows(np.zeros(length, np.uint16), 10, seed=0)
    assert Windows(np.zeros(11, np.uint16), 10, seed=0).batch(5, 3)[0].shape == (3, 10)
