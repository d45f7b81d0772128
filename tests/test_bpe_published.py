"""Vocabularies as others published them: GPT-2's two files, and the known rank files."""

import hashlib
import json

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

import bpe
from bpe import Tokenizer, published
from bpe.tokenizer_json import spell

SAMPLE = (
    "A kiln, two kilns, the potter's 12 kilns: Töpfe, горшки, 壺と壺 🏺\n  It's 1200 degrees.\n" * 3
)
END = "<|endoftext|>"
OURS = bpe.train([SAMPLE], 300, "gpt2", special_tokens=[END])


def write_pair(folder, vocab_name="vocab.json", merges_name="merges.txt"):
    """Write OURS as GPT-2's two files."""
    vocab = {spell(token): id for id, token in OURS.tokens.items()} | OURS.special_tokens
    (folder / vocab_name).write_text(json.dumps(vocab), encoding="utf-8")
    pairs = [f"{spell(OURS.tokens[a])} {spell(OURS.tokens[b])}\n" for a, b in OURS.merges]
    lines = "".join(["#version: 0.2\n", *pairs])
    (folder / merges_name).write_text(lines, encoding="utf-8", newline="")
    return folder


class TestVocabAndMerges:
    @pytest.mark.parametrize("name", ["", "vocab.json", "merges.txt"])
    def test_the_folder_or_either_file_gives_the_same_tokenizer(self, tmp_path, name):
        loaded = Tokenizer.load(write_pair(tmp_path) / name)
        assert loaded.merges == OURS.merges
        assert loaded.special_tokens == {END: 299}
        assert loaded.n_vocab == 300
        assert loaded.encode(SAMPLE + END, "all") == OURS.encode(SAMPLE + END, "all")

    @pytest.mark.parametrize(
        ("names", "path"),
        [
            (("encoder.json", "vocab.bpe"), ""),
            (("encoder.json", "vocab.bpe"), "vocab.bpe"),
            (("gpt2-vocab.json", "gpt2-merges.txt"), "gpt2-merges.txt"),
        ],
    )
    def test_the_files_may_have_their_other_names(self, tmp_path, names, path):
        assert Tokenizer.load(write_pair(tmp_path, *names) / path).merges == OURS.merges

    def test_what_tokenizers_writes_is_read(self, tmp_path):
        path = tmp_path / "tokenizer.json"
        OURS.save(path)
        theirs = tokenizers.Tokenizer.from_file(str(path))
        theirs.model.save(str(tmp_path))
        path.unlink()
        assert Tokenizer.load(tmp_path).encode(SAMPLE) == theirs.encode(SAMPLE).ids

    def test_tokenizers_reads_the_same_files_alike(self, tmp_path):
        write_pair(tmp_path)
        model = models.BPE.from_file(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
        theirs = tokenizers.Tokenizer(model)
        theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        assert theirs.encode(SAMPLE).ids == Tokenizer.load(tmp_path).encode(SAMPLE)

    def test_the_first_line_and_line_ends_may_be_others(self, tmp_path):
        path = write_pair(tmp_path) / "merges.txt"
        lines = path.read_text(encoding="utf-8").split("\n")
        path.write_text("\r\n".join(lines[1:]), encoding="utf-8", newline="")
        assert Tokenizer.load(tmp_path).merges == OURS.merges

    def test_a_folder_with_a_tokenizer_json_is_read_from_that(self, tmp_path):
        OURS.save(write_pair(tmp_path) / "tokenizer.json")
        (tmp_path / "vocab.json").write_text("no JSON")
        assert Tokenizer.load(tmp_path).merges == OURS.merges

    def test_tokens_that_were_added_are_special(self, tmp_path):
        path = write_pair(tmp_path) / "added_tokens.json"
        path.write_text('{"<|user|>": 300, "<|kiln|>": 301}')
        loaded = Tokenizer.load(tmp_path)
        assert loaded.special_tokens == {END: 299, "<|user|>": 300, "<|kiln|>": 301}
        assert loaded.encode("a<|kiln|>", "all")[-1] == 301
        assert Tokenizer.load(tmp_path, special_tokens=[END]).n_vocab == 300
        path.write_text('["<|user|>"]')
        with pytest.raises(ValueError, match=r"added_tokens.json: it must be a JSON object from"):
            Tokenizer.load(tmp_path)

    @pytest.mark.peer
    def test_transformers_adds_the_same_tokens(self, tmp_path):
        transformers = pytest.importorskip("transformers")
        (write_pair(tmp_path) / "added_tokens.json").write_text('{"<|user|>": 300}')
        theirs = transformers.GPT2Tokenizer.from_pretrained(tmp_path)
        text = f"a kiln<|user|> two{END}kilns"
        assert Tokenizer.load(tmp_path).encode(text, "all") == theirs(text)["input_ids"]

    def test_pattern_and_special_tokens_may_be_said(self, tmp_path):
        loaded = Tokenizer.load(write_pair(tmp_path), "gpt4", {END: 299, "<|user|>": 400})
        assert loaded.splitter.pattern == bpe.split.GPT4
        assert loaded.special_tokens == {END: 299, "<|user|>": 400}
        assert Tokenizer.load(tmp_path, special_tokens=iter([END])).special_tokens == {END: 299}

    @pytest.mark.parametrize(
        ("special_tokens", "message"),
        [
            ({END: 300}, "added token '<|endoftext|>' has id 300, but 299 in the vocabulary"),
            ([END, "<|user|>"], "'<|user|>' is not in vocab.json; give its id: special_tokens={"),
            ([], "no merge makes token 299, b'<|endoftext|>'; one must"),
            ([END, END], "it must stand in the list once"),
            (END, "it must be a list: write ['<|endoftext|>']"),
            ({END: 299, "<|user|>": 299}, "special token '<|endoftext|>' has id 299; another tok"),
        ],
    )
    def test_special_tokens_that_contradict_are_refused(self, tmp_path, special_tokens, message):
        write_pair(tmp_path)
        with pytest.raises(ValueError) as caught:
            Tokenizer.load(tmp_path, special_tokens=special_tokens)
        assert message in str(caught.value)

    def test_every_truncation_of_the_merges_is_refused(self, tmp_path):
        path = write_pair(tmp_path) / "merges.txt"
        content = path.read_text(encoding="utf-8").removesuffix("\n")
        for length in range(len(content)):
            path.write_text(content[:length], encoding="utf-8")
            with pytest.raises(ValueError, match=r"one must|must join two tokens|must be a token"):
                Tokenizer.load(path)

    def test_every_truncation_of_the_vocabulary_is_refused(self, tmp_path):
        path = write_pair(tmp_path) / "vocab.json"
        content = path.read_bytes()
        for length in range(0, len(content), 7):
            path.write_bytes(content[:length])
            with pytest.raises(ValueError, match=r"vocab\.json: no valid JSON"):
                Tokenizer.load(path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda vocab: vocab.pop("Ġ"), "must join two tokens"),
            (lambda vocab: vocab.pop("Ł"), "no token is byte 0x9f|must join two|no token has id"),
            (lambda vocab: vocab.update({"Ł": 7}), "vocab gives two tokens one id"),
            (lambda vocab: vocab.update({"kk": 301}), "no token has id 300; ids must go up"),
            (lambda vocab: vocab.update({"kk": 300}), "no merge makes token 300, b'kk'; one must"),
            (lambda vocab: vocab.update({"k k": 300}), "'k k' holds ' ', which stands for no byte"),
            (lambda vocab: vocab.update({"kk": "300"}), "it must be a JSON object from tokens to"),
            (lambda vocab: vocab.update({"kk": True}), "it must be a JSON object from tokens to"),
            (lambda vocab: vocab.update({"kk": -1}), "id is -1; it must be a whole number from 0"),
        ],
    )
    def test_a_vocabulary_that_contradicts_itself_is_refused(self, tmp_path, change, message):
        path = write_pair(tmp_path) / "vocab.json"
        vocab = json.loads(path.read_text(encoding="utf-8"))
        change(vocab)
        path.write_text(json.dumps(vocab), encoding="utf-8")
        with pytest.raises(ValueError, match=message) as caught:
            Tokenizer.load(tmp_path)
        assert str(tmp_path) in str(caught.value)

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("k i l", r"merge \['k', 'i', 'l'\] must join two tokens"),
            ("ki qqq", r"merge \['ki', 'qqq'\] must join two tokens"),
            ("q q", "makes b'qq'; that must be a token"),
            (" ".join(spell(OURS.tokens[id]) for id in OURS.merges[0]), "merges hold a pair twice"),
        ],
    )
    def test_merges_that_contradict_are_refused(self, tmp_path, line, message):
        path = write_pair(tmp_path) / "merges.txt"
        path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            Tokenizer.load(tmp_path)

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("vocab.json", b"[]", "vocab.json: it must be a JSON object"),
            ("vocab.json", b"[" * 100_000, "vocab.json: no valid JSON"),
            ("vocab.json", b"{}", "must join two tokens"),
            ("merges.txt", b"\xff", "merges.txt: it must be UTF-8"),
        ],
    )
    def test_what_is_neither_file_is_refused(self, tmp_path, name, data, message):
        (write_pair(tmp_path) / name).write_bytes(data)
        with pytest.raises(ValueError, match=message):
            Tokenizer.load(tmp_path)

    @pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
    def test_the_other_file_must_be_there(self, tmp_path, name):
        (write_pair(tmp_path) / name).unlink()
        with pytest.raises(FileNotFoundError, match=name):
            Tokenizer.load(tmp_path)

    def test_a_folder_without_a_tokenizer_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"it must hold tokenizer\.json or vocab\.json"):
            Tokenizer.load(tmp_path)


class TestKnownRankFiles:
    @pytest.fixture
    def path(self, tmp_path, monkeypatch):
        """A small rank file that is known as if it had been published."""
        path = tmp_path / "small.tiktoken"
        OURS.save(path)
        known = published.Published("small", "gpt2", {END: 299, "<|user|>": 310})
        monkeypatch.setitem(published.KNOWN, hashlib.sha256(path.read_bytes()).hexdigest(), known)
        return path

    def test_a_known_file_comes_with_its_pattern_and_special_tokens(self, path):
        loaded = Tokenizer.load(path)
        assert loaded.splitter.pattern == bpe.split.GPT2
        assert loaded.special_tokens == {END: 299, "<|user|>": 310}
        assert loaded.n_vocab == 311
        assert loaded.encode(SAMPLE + END, "all") == OURS.encode(SAMPLE + END, "all")

    def test_it_is_known_with_the_line_ends_of_windows_too(self, path):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        assert Tokenizer.load(path).special_tokens == {END: 299, "<|user|>": 310}

    def test_what_is_said_comes_first(self, path):
        assert Tokenizer.load(path, pattern="gpt4").splitter.pattern == bpe.split.GPT4
        assert Tokenizer.load(path, pattern="gpt4").n_vocab == 311
        assert Tokenizer.load(path, special_tokens=()).n_vocab == 299
        assert Tokenizer.load(path, special_tokens=["<|x|>"]).special_tokens == {"<|x|>": 299}

    def test_a_changed_file_is_not_known(self, path):
        path.write_bytes(b"\n".join(path.read_bytes().splitlines()[:-1]))
        assert published.recognise(path) is None
        assert Tokenizer.load(path).special_tokens == {}

    @pytest.mark.parametrize("digest", published.KNOWN)
    def test_tiktoken_says_the_same_of_each(self, digest, monkeypatch):
        """Reads tiktoken's own tables, without the files they are for."""
        openai_public = pytest.importorskip("tiktoken_ext.openai_public")
        asked = {}
        monkeypatch.setattr(
            openai_public, "load_tiktoken_bpe", lambda url, expected_hash: asked.update(
                name=url.split("/")[-1].removesuffix(".tiktoken"), digest=expected_hash
            )
        )  # fmt: skip
        known = published.KNOWN[digest]
        theirs = getattr(openai_public, known.name.split()[0])()
        assert asked == {"name": known.name.split()[0], "digest": digest}
        assert theirs["special_tokens"] == known.special_tokens
