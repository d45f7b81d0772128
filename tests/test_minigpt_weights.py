import json
import re
import shutil

import numpy as np
import pytest
import safetensors.numpy
from minigpt_examples import example_texts, example_tokenizer, save_example_model

from minigpt import machine
from minigpt.__main__ import main
from minigpt.checkpoint import load, load_model
from minigpt.config import ModelConfig
from minigpt.info import describe
from minigpt.model import param_shapes


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model's folder that tests only read."""
    folder = tmp_path_factory.mktemp("saved")
    save_example_model(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A model's folder to change."""
    return shutil.copytree(saved, tmp_path / "model")


def read(folder):
    return safetensors.numpy.load_file(folder / "model.safetensors")


def write(folder, tensors, name="model.safetensors"):
    safetensors.numpy.save_file(tensors, folder / name, {"format": "pt"})


def shard(folder, n=3):
    """Cut model.safetensors into n files with an index; return the index's path."""
    tensors = read(folder)
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for i in range(n):
        file = f"model-{i + 1:05d}-of-{n:05d}.safetensors"
        names = sorted(tensors)[i::n]
        write(folder, {name: tensors[name] for name in names}, file)
        weight_map |= dict.fromkeys(names, file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


def change_index(index, change):
    content = json.loads(index.read_text())
    change(content["weight_map"])
    index.write_text(json.dumps(content))


def same(folder, saved):
    return (load_model(folder).params.flat == load_model(saved).params.flat).all()


def bfloat16_file(path, tensors):
    """Write tensors as bfloat16, rounded towards 0, byte by byte."""
    header, data = {}, b""
    for name, x in tensors.items():
        upper = (np.ascontiguousarray(x, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
        offsets = [len(data), len(data) + len(upper)]
        header[name] = {"dtype": "BF16", "shape": x.shape, "data_offsets": offsets}
        data += upper
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


# ---- what is read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "n_params"),
    [
        (ModelConfig(), 124_439_808),
        (ModelConfig(n_embd=1024, n_layer=24, n_head=16), 354_823_168),
        (ModelConfig(n_embd=1280, n_layer=36, n_head=20), 774_030_080),
        (ModelConfig(n_embd=1600, n_layer=48, n_head=25), 1_557_611_200),
    ],
)
def test_the_published_sizes_have_their_number_of_parameters(config, n_params):
    shapes = param_shapes(config)
    assert config.n_params() == n_params == sum(int(np.prod(s)) for s in shapes.values())
    assert len(shapes) == 4 + 12 * config.n_layer


@pytest.mark.parametrize("n", [1, 3, 28])
def test_shards_are_read_as_one_file(folder, saved, n):
    shard(folder, n)
    assert same(folder, saved)


def test_one_file_counts_more_than_an_index(folder, saved):
    whole = (folder / "model.safetensors").read_bytes()
    change_index(shard(folder), lambda names: names.clear())
    (folder / "model.safetensors").write_bytes(whole)
    assert same(folder, saved)


def test_masks_and_a_tied_head_are_no_parameters(folder, saved):
    tensors = read(folder)
    for l in range(2):
        tensors[f"transformer.h.{l}.attn.bias"] = np.tril(np.ones((1, 1, 16, 16), np.float32))
        tensors[f"h.{l}.attn.masked_bias"] = np.array(-1e4, np.float32)
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"]
    write(folder, tensors)
    assert same(folder, saved)


def test_the_one_matrix_may_have_been_saved_as_the_head(folder, saved):
    tensors = read(folder)
    tensors["lm_head.weight"] = tensors.pop("transformer.wte.weight")
    write(folder, tensors)
    assert same(folder, saved)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float16, 1e-3), (np.float64, 0)])
def test_other_floating_point_types_become_float32(folder, saved, dtype, rtol):
    write(folder, {name: x.astype(dtype) for name, x in read(folder).items()})
    flat = load_model(folder).params.flat
    assert flat.dtype == np.float32
    np.testing.assert_allclose(flat, load_model(saved).params.flat, rtol=rtol, atol=1e-7)


def test_bfloat16_is_the_upper_half_of_float32(folder, saved):
    tensors = read(folder)
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"]
    bfloat16_file(folder / "model.safetensors", tensors)
    flat, expected = load_model(folder).params.flat, load_model(saved).params.flat
    np.testing.assert_allclose(flat, expected, rtol=2**-7)
    assert not (flat.view(np.uint32) & 0xFFFF).any()


def test_a_tokenizer_in_two_files_is_read_too(folder):
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    (folder / "tokenizer.json").unlink()
    vocab, merges = content["model"]["vocab"], content["model"]["merges"]
    (folder / "vocab.json").write_text(json.dumps(vocab), "utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    _, tokenizer = load(folder)
    assert tokenizer.eot_token == example_tokenizer().eot_token
    assert tokenizer.tokens == example_tokenizer().tokens
    text = example_texts()[0]
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(
    "changes", [{"n_inner": None}, {"n_inner": 64}, {"activation_function": "gelu_pytorch_tanh"}]
)
def test_a_config_that_says_the_same_in_other_words_is_read(folder, saved, changes):
    change_config(folder, changes)
    assert same(folder, saved)


# ---- what is refused -------------------------------------------------------------------------


def change_config(folder, changes):
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


def refused(folder):
    """Return the message that the folder is refused with."""
    with pytest.raises(ValueError, match=r".") as caught:
        load(folder)
    return str(caught.value)


def test_tensors_of_another_architecture_are_named(folder):
    tensors = {f"model.layers.0.{name}": np.zeros((16, 16), np.float32) for name in "abcd"}
    write(folder, tensors)
    message = refused(folder)
    assert "lacks wte.weight, of shape (300, 16), and 27 more" in message
    assert "it has model.layers.0.a (16, 16), model.layers.0.b" in message


def test_more_blocks_than_the_config_says_are_no_trifle(folder):
    change_config(folder, {"n_layer": 1})
    message = refused(folder)
    assert re.search(r"model.safetensors has h\.1\.\S+ \(.*\), .* of the shape in config", message)


def test_fewer_blocks_than_the_config_says_are_missing(folder):
    change_config(folder, {"n_layer": 3})
    assert "lacks h.2.ln_1.weight, of shape (16,), and 11 more" in refused(folder)


@pytest.mark.parametrize("look", [load, describe])
@pytest.mark.parametrize(
    ("n", "message"),
    [
        (10_000, "says that n_layer is 10000, and beside it are 28 tensors, of which"),
        (10**9, "n_layer is 1000000000; it must be at most 10,000"),
    ],
)
def test_thousands_of_layers_and_a_billion_are_refused_at_once(folder, look, n, message):
    change_config(folder, {"n_layer": n})
    with pytest.raises(ValueError, match=f"config.json:? {message}"):
        look(folder)


@pytest.mark.parametrize("name", ["vocab_size", "n_positions", "n_embd"])
def test_a_billion_of_anything_is_refused_before_anything_is_built(folder, name, monkeypatch):
    change_config(folder, {name: 10**9, "n_head": 1})
    monkeypatch.setattr("minigpt.checkpoint.GPT", None)
    with pytest.raises(ValueError, match=r"by config.json it must be \(.*1000000000"):
        load(folder)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["transformer.wte.weight", "transformer.h.1.ln_2.bias"])
def test_weights_that_are_no_numbers_are_named_by_whatever_computes_with_them(
    folder, name, number, capsys
):
    tensors = read(folder)
    tensors[name].flat[3] = number
    write(folder, tensors)
    short = name.removeprefix("transformer.")
    said = f"model.safetensors: {short} holds numbers that are not finite; all must be"
    for command in ("sample", "chat", "serve", "evaluate"):
        assert main([command, str(folder)]) == 2
        assert said in capsys.readouterr().err
    assert main(["info", str(folder)]) == 0


def test_a_model_for_which_the_memory_is_too_small_is_refused(folder, monkeypatch):
    monkeypatch.setattr("minigpt.checkpoint.GPT", None)
    monkeypatch.setattr(machine, "available_bytes", lambda: 40_000)
    with pytest.raises(ValueError, match=r"needs 46.6 kB of memory and 40.0 kB are free; it must"):
        load(folder)


def test_a_tensor_under_both_its_names_is_refused(folder):
    tensors = read(folder)
    write(folder, tensors | {"ln_f.bias": tensors["transformer.ln_f.bias"]})
    assert "has ln_f.bias a second time" in refused(folder)


def test_an_output_matrix_of_its_own_is_refused(folder):
    tensors = read(folder)
    write(folder, tensors | {"lm_head.weight": tensors["transformer.wte.weight"] + 1})
    assert "lm_head.weight differs from wte.weight" in refused(folder)
    write(folder, tensors | {"lm_head.weight": np.zeros((301, 16), np.float32)})
    assert "lm_head.weight has shape (301, 16); it must be (300, 16)" in refused(folder)


def test_whole_numbers_are_no_weights(folder):
    tensors = read(folder)
    name = "transformer.ln_f.bias"
    write(folder, tensors | {name: tensors[name].astype(np.int32)})
    assert "ln_f.bias is of type I32; it must be F32" in refused(folder)


def test_a_pickle_is_not_read_and_the_cure_is_said(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    message = refused(folder)
    assert "model.safetensors does not exist; pytorch_model.bin is not read" in message
    assert "save_pretrained" in message


def test_a_feed_forward_part_of_another_width_is_refused(folder):
    change_config(folder, {"n_inner": 32})
    assert "config.json: n_inner is 32; it must be 64, 4 n_embd" in refused(folder)


# ---- shards ----------------------------------------------------------------------------------


def test_a_missing_shard_is_named(folder):
    shard(folder)
    (folder / "model-00002-of-00003.safetensors").unlink()
    message = refused(folder)
    assert "model-00002-of-00003.safetensors does not exist" in message
    assert "model.safetensors.index.json names it" in message


def test_a_shard_cut_off_is_named(folder):
    shard(folder)
    path = folder / "model-00002-of-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    assert f"{path} is not a whole safetensors file" in refused(folder)


def test_a_shard_that_lacks_what_the_index_says_is_named_with_it(folder):
    index = shard(folder)
    name = "transformer.ln_f.bias"
    shards = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]

    def move(names):
        names[name] = next(s for s in shards if s != names[name])

    change_index(index, move)
    assert re.search(rf"says that model-\S+ \S.* {name}, but it (has|lacks) it", refused(folder))


def test_a_tensor_that_the_index_does_not_name_is_no_secret(folder):
    change_index(shard(folder), lambda names: names.pop("transformer.ln_f.bias"))
    assert "does not have transformer.ln_f.bias, but it has it" in refused(folder)


@pytest.mark.parametrize(
    "content", ["", "[" * 100_000, "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": []}}']
)
def test_an_index_that_is_none_is_refused(folder, content):
    shard(folder).write_text(content)
    assert "model.safetensors.index.json is no index of shards" in refused(folder)


@pytest.mark.parametrize("file", ["../model.safetensors", "/etc/passwd", 7, "", ".."])
def test_shards_must_lie_beside_their_index(folder, file):
    change_index(shard(folder), lambda names: names.update(a=file))
    assert "it must be a file beside it" in refused(folder)


def test_an_empty_index_lacks_everything(folder):
    change_index(shard(folder), lambda names: names.clear())
    assert "model.safetensors.index.json lacks wte.weight, of shape (300, 16)" in refused(folder)
