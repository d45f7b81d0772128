import errno
import json
import os
import re
import shutil
import stat

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import tokenizers
from minigpt_examples import (
    MODEL,
    TRAIN,
    example_texts,
    example_tokenizer,
    save_example_model,
    small_model,
)

import bpe
from minigpt import checkpoint
from minigpt.checkpoint import load, load_model, load_state, read_progress, save_model, save_state
from minigpt.model import param_shapes
from minigpt.optim import AdamW
from minigpt.tensor_file import check_tensors, write_tensors

FILES = [
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
    "tokenizer_config.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model's folder that tests only read."""
    folder = tmp_path_factory.mktemp("saved")
    save_example_model(folder, dropout=0.1)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A model's folder to damage."""
    return shutil.copytree(saved, tmp_path / "model")


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def rewrite_tensors(folder, change):
    """Change the dict of tensors of a saved model."""
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    change(tensors)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def halve(tensors):
    """Turn a dict of tensors to half precision."""
    for name, x in tensors.items():
        tensors[name] = x.astype(np.float16)


def rewrite_config(folder, **changes):
    """Change values of config.json; None removes one."""
    values = json.loads((folder / "config.json").read_text()) | changes
    values = {name: value for name, value in values.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(values))


# ---- what is written -------------------------------------------------------------------------


def test_a_model_comes_back_as_it_was_saved(saved):
    model, tokenizer = load(saved)
    expected = small_model(dropout=0.1)
    assert model.config == expected.config
    assert (model.params.flat == expected.params.flat).all()
    text = example_texts()[0]
    assert tokenizer.encode(text) == example_tokenizer().encode(text)


def test_the_folder_holds_the_files_of_a_hugging_face_model_and_nothing_else(saved):
    assert names(saved) == FILES


def test_tensors_have_gpt2s_names_and_shapes(saved):
    with safetensors.safe_open(saved / "model.safetensors", "numpy") as file:
        assert file.metadata()["format"] == "pt"
        shapes = {name: file.get_tensor(name).shape for name in file.keys()}  # noqa: SIM118
        assert file.get_tensor("transformer.wte.weight").dtype == np.float32
    assert shapes == {f"transformer.{name}": s for name, s in param_shapes(MODEL).items()}
    assert shapes["transformer.h.1.attn.c_attn.weight"] == (16, 48)  # (in, out)


def test_config_json_describes_the_model_in_gpt2s_words(saved):
    config = json.loads((saved / "config.json").read_text("utf-8"))
    end = example_tokenizer().eot_token
    assert config == {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 300,
        "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2, "layer_norm_epsilon": 1e-5,
        "activation_function": "gelu_new", "tie_word_embeddings": True, "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False,
        "embd_pdrop": 0.1, "resid_pdrop": 0.1, "attn_pdrop": 0.1,
        "bos_token_id": end, "eos_token_id": end,
    }  # fmt: skip
    generation = json.loads((saved / "generation_config.json").read_text("utf-8"))
    assert generation["eos_token_id"] == end


def test_the_tokenizer_is_copied_and_other_programs_find_the_same_ids(saved, tmp_path):
    example_tokenizer().save(tmp_path / "tokenizer.json")
    assert (saved / "tokenizer.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()
    theirs = tokenizers.Tokenizer.from_file(str(saved / "tokenizer.json"))
    for text in example_texts(5):
        assert theirs.encode(text).ids == example_tokenizer().encode(text)


def test_files_may_be_read_by_whom_the_umask_allows(tmp_path):
    old = os.umask(0o027)
    try:
        save_example_model(tmp_path / "model")
    finally:
        os.umask(old)
    for file in (tmp_path / "model").iterdir():
        if file.name != "tokenizer.json":  # the example's own
            assert stat.S_IMODE(file.stat().st_mode) == 0o640, file.name


def test_saving_twice_gives_the_same_bytes(folder):
    before = {name: (folder / name).read_bytes() for name in FILES}
    save_model(folder, load_model(folder), bpe.Tokenizer.load(folder / "tokenizer.json"))
    assert {name: (folder / name).read_bytes() for name in FILES} == before


# ---- what others wrote -----------------------------------------------------------------------


def test_names_without_prefix_and_further_tensors_are_read_too(folder, saved):
    def as_openai_published_it(tensors):
        for name in list(tensors):
            tensors[name.removeprefix("transformer.")] = tensors.pop(name)
        tensors["h.0.attn.bias"] = np.tril(np.ones((1, 1, 16, 16), np.float32))

    rewrite_tensors(folder, as_openai_published_it)
    assert (load_model(folder).params.flat == load_model(saved).params.flat).all()


def test_half_precision_is_widened(folder, saved):
    rewrite_tensors(folder, halve)
    flat = load_model(folder).params.flat
    assert flat.dtype == np.float32
    np.testing.assert_allclose(flat, load_model(saved).params.flat, rtol=1e-3, atol=1e-7)


def test_settings_that_are_not_named_have_gpt2s_values(folder, saved):
    defaults = dict.fromkeys(checkpoint.FIXED)
    rewrite_config(folder, resid_pdrop=None, **defaults)
    assert load_model(folder).config.dropout == 0
    assert (load_model(folder).params.flat == load_model(saved).params.flat).all()


# ---- what is damaged -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"holds no {name};|{name} does not exist"):
        load(folder)


def test_a_folder_of_models_and_a_file_are_no_models_folder(folder):
    with pytest.raises(
        ValueError, match=rf"holds models, and must be one of them: .*{folder.name}"
    ):
        load(folder.parent)
    with pytest.raises(ValueError, match=r"config.json is a file; it must be a model's folder"):
        load(folder / "config.json")


def test_a_folder_that_does_not_exist_is_no_models_folder(tmp_path):
    with pytest.raises(ValueError, match=r"does not exist; .* must be a model's folder"):
        load(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("left", [0, 4, 0.5, -1])
def test_a_file_cut_off_is_named(folder, name, left):
    data = (folder / name).read_bytes()
    end = int(left * len(data)) if isinstance(left, float) else left
    (folder / name).write_bytes(data[:end].rstrip())  # the last newline alone is no loss
    if name != "model.safetensors" and left == -1:
        (folder / name).write_bytes(data.rstrip()[:-1])
    with pytest.raises(ValueError, match=re.escape(str(folder / name))):
        load(folder)


def test_random_bytes_are_no_model(folder):
    (folder / "model.safetensors").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ValueError, match=r"model.safetensors is not a whole safetensors file"):
        load(folder)


def test_a_missing_tensor_is_named_with_the_shape_it_must_have(folder):
    name = "h.1.mlp.c_fc.weight"
    rewrite_tensors(folder, lambda t: t.update(renamed=t.pop(f"transformer.{name}")))
    message = rf"model.safetensors lacks {name}, of shape \(16, 64\); it has renamed \(16, 64\),"
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_a_tensor_of_another_shape_is_named_with_both_shapes(folder):
    name = "transformer.h.0.attn.c_attn.weight"
    rewrite_tensors(folder, lambda t: t.update({name: t[name].T.copy()}))
    with pytest.raises(ValueError, match=r"h.0.attn.c_attn.weight has shape \(48, 16\); by "
                       r"config.json it must be \(16, 48\)"):  # fmt: skip
        load(folder)


def test_a_config_that_does_not_fit_the_tensors_is_refused(folder):
    rewrite_config(folder, n_embd=32)
    with pytest.raises(ValueError, match=r"wte.weight has shape \(300, 16\); .* \(300, 32\)"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "model_type is 'llama'; it must be 'gpt2'"),
        ({"model_type": None}, "model_type is None; it must be 'gpt2'"),
        ({"n_layer": None}, "lacks 'n_layer'"),
        ({"n_head": 3}, "n_head is 3; it must divide n_embd, which is 16"),
        ({"n_embd": "16"}, "n_embd is '16'; it must be a whole number"),
        ({"n_layer": 2.0}, "n_layer is 2.0; it must be a whole number"),
        ({"activation_function": "relu"}, "activation_function is 'relu'; it must be 'gelu_new'"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False; it must be True"),
        ({"scale_attn_by_inverse_layer_idx": True}, "it must be False"),
    ],
)
def test_a_config_of_another_model_is_refused_with_file_and_reason(folder, changes, message):
    rewrite_config(folder, **changes)
    with pytest.raises(ValueError, match=rf"config.json.*{re.escape(message)}"):
        load(folder)


def test_a_config_that_is_no_json_is_refused(folder):
    for content in ("{", "[" * 100_000):
        (folder / "config.json").write_text(content)
        with pytest.raises(ValueError, match=r"config.json is not JSON"):
            load(folder)


@pytest.mark.parametrize("content", ["[]", "3", "null"])
def test_a_config_that_is_no_object_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config.json holds a .*; it must hold an object"):
        load(folder)


def test_a_tokenizer_of_more_symbols_than_the_model_is_refused(folder):
    bpe.train(example_texts(), 310, special_tokens=["<|endoftext|>"]).save(
        folder / "tokenizer.json"
    )
    with pytest.raises(ValueError, match=r"has 310 symbols and the model 300; they must belong"):
        load(folder)


def test_a_tokenizer_without_separator_cannot_be_saved_with_a_model(tmp_path):
    tokenizer = bpe.train(example_texts(), 300)
    with pytest.raises(ValueError, match="endoftext"):
        save_model(tmp_path / "model", small_model(), tokenizer)


# ---- the training state ----------------------------------------------------------------------


def state_example():
    model = small_model()
    optimizer = AdamW(model.params, TRAIN)
    rng = np.random.default_rng(0)
    for flat in (model.params.flat, optimizer.m, optimizer.v):
        flat[...] = rng.standard_normal(len(flat))
    return model, optimizer


def test_the_state_comes_back_to_the_last_bit(tmp_path):
    model, optimizer = state_example()
    progress = {"step": 7, "seconds": 1.5, "run": {"lr": 1e-3, "name": "größer"}, "loss": None}
    save_state(tmp_path, model, optimizer, progress)
    assert names(tmp_path) == ["training_state.safetensors"]
    other = small_model(seed=5)
    other_optimizer = AdamW(other.params, TRAIN)
    assert load_state(tmp_path, other, other_optimizer) == progress == read_progress(tmp_path)
    assert (other.params.flat == model.params.flat).all()
    assert (other.params["ln_f.bias"] == model.params["ln_f.bias"]).all()  # the views are kept
    assert (other_optimizer.m == optimizer.m).all()
    assert (other_optimizer.v == optimizer.v).all()


def test_without_a_state_there_is_no_progress(tmp_path):
    assert read_progress(tmp_path) is None
    assert read_progress(tmp_path / "nothing") is None


@pytest.mark.parametrize("left", [0, 7, 100, 0.5, -1])
def test_a_state_cut_off_is_refused(tmp_path, left):
    save_state(tmp_path, *state_example(), {"step": 1})
    path = tmp_path / "training_state.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(left * len(data)) if isinstance(left, float) else left])
    for read in (lambda: read_progress(tmp_path), lambda: load_state(tmp_path, *state_example())):
        with pytest.raises(ValueError, match=r"training_state.safetensors is not a whole"):
            read()


def test_a_state_of_another_model_is_refused(tmp_path):
    save_state(tmp_path, *state_example(), {"step": 1})
    other = small_model(n_layer=1)
    with pytest.raises(ValueError, match=r"training_state.safetensors: weights must be an array"):
        load_state(tmp_path, other, AdamW(other.params, TRAIN))


def test_a_safetensors_file_without_progress_is_no_state(folder):
    state = folder / "training_state.safetensors"
    for metadata in ({"format": "pt"}, None):
        safetensors.numpy.save_file({"weights": np.zeros(3)}, state, metadata)
        with pytest.raises(ValueError, match=r"training_state.safetensors is not a whole"):
            read_progress(folder)


@pytest.mark.parametrize("name", ["weights", "m", "v"])
def test_a_state_of_another_shape_is_refused_with_both(folder, name):
    model = small_model()
    optimizer = AdamW(model.params, TRAIN)
    arrays = {"weights": model.params.flat, "m": optimizer.m, "v": optimizer.v}
    arrays[name] = arrays[name][:-1]
    write_tensors(folder / checkpoint.STATE, arrays, {"progress": "{}"})
    shape = model.params.flat.shape
    with pytest.raises(ValueError, match=rf"{name} must be an array of shape \({shape[0]},\)"):
        load_state(folder, model, optimizer)


def read_tensors(path):
    """Return (dict of arrays, metadata) of a safetensors file, as the library reads it."""
    with safetensors.safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def test_a_tensor_file_is_what_the_library_reads_and_always_the_same_bytes(tmp_path):
    arrays = {"b": np.arange(6, dtype=np.float32).reshape(2, 3).T, "a": np.ones(2), "c": np.ones(0)}
    metadata = {f"key {i}": "größer" for i in range(9)}
    for path in (tmp_path / "1", tmp_path / "2"):
        write_tensors(path, arrays, metadata)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    found, found_metadata = read_tensors(tmp_path / "1")
    assert found_metadata.pop("crc32")
    assert found_metadata == metadata
    assert list(found) == ["a", "b", "c"]
    for name, x in arrays.items():
        assert found[name].dtype == x.dtype
        np.testing.assert_array_equal(found[name], x)
    check_tensors(tmp_path / "1", "")


def test_every_flipped_bit_of_a_tensor_file_is_noticed(tmp_path):
    path = tmp_path / "file"
    write_tensors(path, {"weights": np.ones(40, np.float32)}, {"progress": '{"step": 3}'})
    whole = path.read_bytes()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        try:
            check_tensors(path, "")
            arrays, metadata = read_tensors(path)
        except (ValueError, safetensors.SafetensorError):
            continue
        assert "crc32" not in metadata  # its own name was hit; the rest is whole
        assert metadata["progress"] == '{"step": 3}'
        assert (arrays["weights"] == 1).all()


# ---- writing in one piece --------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file_and_no_other(folder, monkeypatch):
    before = (folder / "model.safetensors").read_bytes()

    def fail(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left"):
        save_model(folder, small_model(seed=9), bpe.Tokenizer.load(folder / "tokenizer.json"))
    assert (folder / "model.safetensors").read_bytes() == before
    assert names(folder) == FILES


def test_a_folder_that_is_a_file_is_an_os_error(tmp_path):
    tokenizer = example_tokenizer()
    (tmp_path / "model").write_text("a file")
    with pytest.raises(OSError, match="model"):
        save_model(tmp_path / "model", small_model(), tokenizer)
