"""A model as one GGUF file: the library of the format's makers reads what we write."""

import json

import numpy as np
import pytest
from chat_examples import make_assistant
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import MODEL, example_tokenizer, save_example_model, small_model, untimed

import bpe
from bpe.tokenizer_json import spell
from minigpt import checkpoint
from minigpt.__main__ import main
from minigpt.checkpoint import load, load_model
from minigpt.export import export
from minigpt.gguf import ALIGNMENT, write_gguf

gguf = pytest.importorskip("gguf")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.one_of(
    st.booleans(), st.integers(0, 2**32 - 1), st.floats(width=32, allow_nan=False), texts,
    st.lists(texts, min_size=1, max_size=5), st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5),
)  # fmt: skip
shapes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The folder of an untrained model, that tests only read."""
    folder = tmp_path_factory.mktemp("base")
    save_example_model(folder)
    return folder


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """The folder of an assistant, that tests only read."""
    return make_assistant(tmp_path_factory.mktemp("assistant")) / "chat"


def exported(folder, path, type="f32"):
    """Export a folder; return the reader of the file, its metadata and its arrays."""
    export(folder, path, type)
    reader = gguf.GGUFReader(path)
    metadata = {key: field.contents() for key, field in reader.fields.items()}
    arrays = {x.name: x.data.reshape(*reversed(x.shape.tolist())) for x in reader.tensors}
    return reader, metadata, arrays


# ---- the format ----------------------------------------------------------------------------------


@untimed
@given(st.dictionaries(texts.filter(bool), values, max_size=6), st.lists(shapes, max_size=4))
def test_what_is_written_is_read_by_the_formats_own_library(tmp_path_factory, metadata, shapes):
    path = tmp_path_factory.mktemp("written") / "any.gguf"
    rng = np.random.default_rng(0)
    arrays = {f"x{i}": rng.normal(size=s).astype(np.float32) for i, s in enumerate(shapes)}
    types = {name: ("float16", "float32")[i % 2] for i, name in enumerate(arrays)}
    # the reader wants to know of which kind of model a file is
    write_gguf(path, {"general.architecture": "gpt2"} | metadata, arrays, types)
    reader = gguf.GGUFReader(path)
    for key, value in metadata.items():
        if not key.startswith(("GGUF.", "general.")):
            assert reader.fields[key].contents() == value
    for tensor, (name, x) in zip(reader.tensors, arrays.items(), strict=True):
        assert (tensor.name, tensor.data_offset % ALIGNMENT) == (name, 0)
        np.testing.assert_array_equal(tensor.data, x.astype(types[name]))
    assert path.stat().st_size % ALIGNMENT == 0


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_text("before")
    with pytest.raises(KeyError):
        write_gguf(path, {}, {"x": np.zeros(3, np.float32)}, {"x": "float128"})
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("scale", [1e-5, 1, 300])
def test_q8_0_is_byte_for_byte_that_of_the_formats_own_library(tmp_path, scale):
    rng = np.random.default_rng(0)
    x = (scale * rng.normal(size=(100, 64))).astype(np.float32)
    x[0], x[1] = 0, np.arange(-32, 32) / 2  # halves are rounded away from 0
    write_gguf(tmp_path / "q.gguf", {"general.architecture": "gpt2"}, {"x": x}, {"x": "q8_0"})
    (tensor,) = gguf.GGUFReader(tmp_path / "q.gguf").tensors
    expected = gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0)
    np.testing.assert_array_equal(tensor.data, expected)
    assert tensor.tensor_type == gguf.GGMLQuantizationType.Q8_0
    assert tensor.shape.tolist() == [64, 100]


@pytest.mark.parametrize(("type", "largest"), [("float16", 65504), ("q8_0", 127 * 65504)])
def test_a_number_too_large_for_its_type_is_refused(tmp_path, type, largest):
    x = np.zeros((2, 32), np.float32)
    x[1, 3] = -largest
    write_gguf(tmp_path / "m.gguf", {}, {"x": x}, {"x": type})
    (tmp_path / "m.gguf").unlink()
    x[1, 3] *= 1.01
    with pytest.raises(ValueError, match=rf"x holds a number of size .*; as {type} it must be at"):
        write_gguf(tmp_path / "m.gguf", {}, {"x": x}, {"x": type})
    assert not (tmp_path / "m.gguf").exists()


@pytest.mark.parametrize("type", ["float32", "float16", "q8_0"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused(tmp_path, type, number):
    x = np.zeros((2, 32), np.float32)
    x[1, 3] = number
    with pytest.raises(ValueError, match="x holds numbers that are not finite; all must be"):
        write_gguf(tmp_path / "m.gguf", {}, {"x": x}, {"x": type})
    assert list(tmp_path.iterdir()) == []


# ---- a model -------------------------------------------------------------------------------------


def test_all_parameters_are_there_linear_layers_as_out_in(base, tmp_path):
    _, _, arrays = exported(base, tmp_path / "base.gguf")
    params = load_model(base).params
    assert len(arrays) == len(params)
    for ours, theirs in (
        ("wte.weight", "token_embd.weight"),
        ("wpe.weight", "position_embd.weight"),
        ("ln_f.bias", "output_norm.bias"),
        ("h.1.ln_1.weight", "blk.1.attn_norm.weight"),
        ("h.1.attn.c_attn.bias", "blk.1.attn_qkv.bias"),
        ("h.0.mlp.c_fc.bias", "blk.0.ffn_up.bias"),
    ):
        np.testing.assert_array_equal(arrays[theirs], params[ours])
    for ours, theirs in (
        ("h.1.attn.c_attn.weight", "blk.1.attn_qkv.weight"),
        ("h.0.attn.c_proj.weight", "blk.0.attn_output.weight"),
        ("h.0.mlp.c_fc.weight", "blk.0.ffn_up.weight"),
        ("h.1.mlp.c_proj.weight", "blk.1.ffn_down.weight"),
    ):
        np.testing.assert_array_equal(arrays[theirs], params[ours].T)


def test_half_precision_is_for_matrices_alone(base, tmp_path):
    reader, metadata, arrays = exported(base, tmp_path / "base.gguf", "f16")
    params = load_model(base).params
    kinds = {x.name: x.tensor_type.name for x in reader.tensors}
    assert metadata["general.file_type"] == gguf.LlamaFileType.MOSTLY_F16
    assert kinds["blk.0.ffn_up.weight"] == kinds["token_embd.weight"] == "F16"
    assert {kinds[name] for name in kinds if "norm" in name or "bias" in name} == {"F32"}
    assert kinds["position_embd.weight"] == "F32"
    up = params["h.0.mlp.c_fc.weight"].T
    np.testing.assert_allclose(arrays["blk.0.ffn_up.weight"], up, rtol=2**-10, atol=1e-7)


def test_q8_0_is_for_the_same_matrices_if_their_rows_are_blocks(base, tmp_path):
    with pytest.raises(ValueError, match="n_embd is 16; as q8_0 it must be a multiple of 32"):
        export(base, tmp_path / "base.gguf", "q8_0")
    model = small_model(n_embd=32)
    checkpoint.save_model(tmp_path, model, example_tokenizer())
    said = export(tmp_path, tmp_path / "m.gguf", "q8_0")
    assert "parameters as q8_0" in said
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    tensors = {x.name: x for x in reader.tensors}
    assert reader.fields["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_Q8_0
    assert reader.fields[gguf.Keys.General.QUANTIZATION_VERSION].contents() == 2
    names = {name for name, x in tensors.items() if x.tensor_type.name == "Q8_0"}
    assert names == {
        "token_embd.weight",
        *(f"blk.{l}.{part}.weight" for l in range(MODEL.n_layer)
          for part in ("attn_qkv", "attn_output", "ffn_up", "ffn_down")),
    }  # fmt: skip
    down = tensors["blk.1.ffn_down.weight"]
    found = gguf.quants.dequantize(down.data, down.tensor_type)
    expected = model.params["h.1.mlp.c_proj.weight"].T
    np.testing.assert_allclose(found, expected, atol=np.abs(expected).max() / 127)


def test_the_shape_is_told_in_llama_cpps_words(base, tmp_path):
    _, metadata, _ = exported(base, tmp_path / "base.gguf")
    expected = {
        gguf.Keys.General.ARCHITECTURE: "gpt2",
        gguf.Keys.LLM.CONTEXT_LENGTH: MODEL.n_positions,
        gguf.Keys.LLM.EMBEDDING_LENGTH: MODEL.n_embd,
        gguf.Keys.LLM.FEED_FORWARD_LENGTH: 4 * MODEL.n_embd,
        gguf.Keys.LLM.BLOCK_COUNT: MODEL.n_layer,
        gguf.Keys.Attention.HEAD_COUNT: MODEL.n_head,
        gguf.Keys.Attention.LAYERNORM_EPS: np.float32(MODEL.layer_norm_epsilon),
    }
    for key, value in expected.items():
        assert metadata[key.format(arch="gpt2")] == value


def test_tokens_and_merges_are_there_in_the_order_of_ids(base, tmp_path):
    _, metadata, _ = exported(base, tmp_path / "base.gguf")
    tokenizer, Keys = example_tokenizer(), gguf.Keys.Tokenizer
    words = metadata[Keys.LIST]
    assert len(words) == MODEL.vocab_size
    assert all(words[id] == spell(token) for id, token in tokenizer.tokens.items())
    assert words[tokenizer.eot_token] == "<|endoftext|>"
    merged = [merge.split(" ") for merge in metadata[Keys.MERGES]]
    assert [(words.index(a), words.index(b)) for a, b in merged] == tokenizer.merges
    kinds = metadata[Keys.TOKEN_TYPE]
    assert [id for id, kind in enumerate(kinds) if kind == gguf.TokenType.CONTROL] == [
        tokenizer.eot_token
    ]
    assert metadata[Keys.BOS_ID] == metadata[Keys.EOS_ID] == tokenizer.eot_token
    assert metadata[Keys.ADD_BOS] is True


def test_ids_without_a_token_are_marked_as_unused(tmp_path):
    save_example_model(tmp_path / "base")
    model = small_model(vocab_size=MODEL.vocab_size + 4)
    checkpoint.save_model(tmp_path / "base", model, example_tokenizer())
    _, metadata, _ = exported(tmp_path / "base", tmp_path / "base.gguf")
    assert metadata[gguf.Keys.Tokenizer.TOKEN_TYPE][-4:] == [gguf.TokenType.UNUSED] * 4
    assert len(set(metadata[gguf.Keys.Tokenizer.LIST])) == MODEL.vocab_size + 4


def test_an_assistant_brings_its_template_and_its_turns(chat, tmp_path):
    _, metadata, _ = exported(chat, tmp_path / "chat.gguf")
    _, tokenizer = load(chat)
    Keys = gguf.Keys.Tokenizer
    assert metadata[Keys.EOS_ID] == tokenizer.special_tokens["<|assistant_end|>"]
    assert metadata[Keys.BOS_ID] == tokenizer.special_tokens["<|bos|>"]
    assert metadata[Keys.ADD_BOS] is False  # the template begins with it
    template = metadata[Keys.CHAT_TEMPLATE]
    assert "<|assistant_start|>" in template
    assert "generation -" not in template and "replace" not in template
    kinds = metadata[Keys.TOKEN_TYPE]
    assert all(kinds[id] == gguf.TokenType.CONTROL for id in tokenizer.special_tokens.values())


def save_with_tokenizer(folder, pattern, ignore_merges=False):
    """Write an untrained model with a tokenizer that cuts texts so."""
    t = bpe.train(["a b"], 257, pattern=pattern, special_tokens=["<|endoftext|>"])
    parts = t.tokens, t.merges, t.splitter.pattern, t.special_tokens, ignore_merges
    checkpoint.save_model(folder, small_model(vocab_size=t.n_vocab), bpe.Tokenizer(*parts))


@pytest.mark.parametrize(
    ("pattern", "ignore_merges", "name"),
    [("gpt2", False, "gpt-2"), ("gpt4", False, "dbrx"), ("gpt4", True, "llama-bpe")],
)
def test_how_texts_are_cut_is_named(tmp_path, pattern, ignore_merges, name):
    save_with_tokenizer(tmp_path / "m", pattern, ignore_merges)
    _, metadata, _ = exported(tmp_path / "m", tmp_path / "m.gguf")
    assert metadata[gguf.Keys.Tokenizer.PRE] == name


# ---- the command, and bad input ------------------------------------------------------------------


def test_the_command_says_what_it_wrote(base, tmp_path, capsys):
    assert main(["export", str(base), "-o", str(tmp_path / "some" / "base.gguf")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path}/some/base.gguf: 0.01 M parameters as f16, ")


@pytest.mark.parametrize(
    ("pattern", "ignore_merges", "said"),
    [
        (r"\w+|\W", False, r"by '\\w+|\\W'; llama.cpp must know how"),
        ("gpt2", True, "with ignore_merges; llama.cpp must know how"),
    ],
)
def test_what_llama_cpp_would_cut_otherwise_is_refused(
    tmp_path, capsys, pattern, ignore_merges, said
):
    save_with_tokenizer(tmp_path / "m", pattern, ignore_merges)
    assert main(["export", str(tmp_path / "m"), "-o", str(tmp_path / "m.gguf")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "m.gguf").exists()


def test_a_folder_without_a_model_is_refused(tmp_path, capsys):
    assert main(["export", str(tmp_path), "-o", str(tmp_path / "m.gguf")]) == 2
    assert "must be a model's folder" in capsys.readouterr().err


def test_a_foreign_template_is_refused(base, tmp_path):
    for file in base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"chat_template": "{{ x }}"}))
    with pytest.raises(ValueError, match="chat_template is not the one of minigpt"):
        export(tmp_path, tmp_path / "m.gguf")


def test_another_type_is_refused(base, tmp_path):
    with pytest.raises(ValueError, match="type is 'q4'; it must be one of f16, f32, q8_0"):
        export(base, tmp_path / "m.gguf", "q4")
