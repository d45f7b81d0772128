"""Ours beside the frameworks everybody uses: the same logits, gradients, updates and ids.

Needs the `bench` extra (PyTorch, transformers); run by `make peers`.
"""

from dataclasses import replace

import numpy as np
import pytest
from minigpt_examples import MODEL, WORDS, example_texts, example_tokenizer, small_model

from minigpt import cpu_ops, ops, row_ops
from minigpt.backend import Device
from minigpt.checkpoint import load, load_model, save_model
from minigpt.config import ModelConfig, TrainConfig
from minigpt.decode import Decoder
from minigpt.model import GPT
from minigpt.muon import Muon
from minigpt.optim import AdamW, clip_factor, norm
from minigpt.sample import generate, next_token_probabilities

pytestmark = pytest.mark.peer

V, T = MODEL.vocab_size, MODEL.n_positions


def lively_model():
    """Return a model away from gains of 1 and biases of 0, whose logits differ much."""
    model = small_model()
    rng = np.random.default_rng(1)
    model.params.flat += 0.1 * rng.standard_normal(len(model.params.flat)).astype(np.float32)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The lively model as we save it."""
    folder = tmp_path_factory.mktemp("ours")
    save_model(folder, lively_model(), example_tokenizer())
    return folder


@pytest.fixture
def theirs(folder):
    """The same model in transformers, loaded from our folder."""
    import transformers

    model = transformers.GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager")
    return model.eval()


def batch(n=1, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield rng.integers(0, V, (3, T)), rng.integers(0, V, (3, T))


def their_logits(model, ids):
    import torch

    with torch.no_grad():
        return model(torch.tensor(ids)).logits.numpy()


def their_loss(model, ids, targets):
    import torch

    logits = model(torch.tensor(ids)).logits
    return torch.nn.functional.cross_entropy(
        logits.reshape(-1, V), torch.tensor(targets).reshape(-1)
    )


def their_parameters(model):
    """Return {our name: their parameter}; the tied head is named once."""
    return {n.removeprefix("transformer."): p for n, p in model.named_parameters()}


# ---- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["GPT2LMHeadModel", "AutoModelForCausalLM"])
def test_transformers_loads_our_folder_whole_and_gives_the_same_logits(folder, name):
    import transformers

    theirs, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info  # no key missing, unexpected or of another shape
    [(ids, _)] = batch()
    ours = lively_model().logits(ids)
    assert np.abs(ours - their_logits(theirs.eval(), ids)).max() < 1e-4
    assert np.abs(ours).max() > 1  # or there would be nothing to see


def test_what_transformers_saves_loads_in_ours_with_the_same_logits(tmp_path):
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=V, n_positions=24, n_embd=32, n_layer=3, n_head=4, initializer_range=0.2
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = load_model(tmp_path)
    assert (ours.config.n_layer, ours.config.n_positions, ours.config.dropout) == (3, 24, 0.1)
    [(ids, _)] = batch()
    assert np.abs(ours.logits(ids) - their_logits(theirs, ids)).max() < 1e-4
    assert np.abs(their_logits(theirs, ids)).max() > 1


GPT2 = ModelConfig()  # 124 M parameters


@pytest.fixture(scope="module")
def gpt2_folder(tmp_path_factory):
    """A GPT-2 of 124 M random parameters as transformers saves it, in shards, without tokenizer."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("gpt2")
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    theirs.save_pretrained(folder, max_shard_size="200MB")
    return folder


def test_the_logits_of_124_million_parameters_are_the_same(gpt2_folder):
    import transformers

    assert len(list(gpt2_folder.glob("*.safetensors"))) > 1
    ours = load_model(gpt2_folder)
    assert ours.config == replace(GPT2, dropout=0.1)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(gpt2_folder).eval()
    ids = np.random.default_rng(0).integers(0, GPT2.vocab_size, 100)
    expected = their_logits(theirs, ids[None])[0]  # (T, V)
    assert np.abs(expected).max() > 1
    assert np.abs(ours.logits(ids) - expected).max() < 1e-4
    decoder = Decoder(ours, 3)
    decoder.read(1, [5, 6, 7])
    got = [decoder.read(0, ids[:60])]
    got += [decoder.step([0, 1], [id, 9])[0] for id in ids[60:]]
    assert np.abs(np.array(got) - expected[59:]).max() < 1e-4
    assert np.abs(np.array(got) - ours.logits(ids)[59:]).max() < 1e-5


def test_124_million_parameters_that_we_save_load_in_transformers(tmp_path):
    import transformers

    model = GPT(GPT2).initialise(3)
    noise = np.random.default_rng(0).standard_normal(len(model.params.flat), dtype=np.float32)
    model.params.flat += 0.02 * noise
    del noise
    save_model(tmp_path, model, example_tokenizer())
    theirs, report = transformers.GPT2LMHeadModel.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report.values()), report
    ids = np.random.default_rng(0).integers(0, GPT2.vocab_size, 100)
    assert np.abs(model.logits(ids) - their_logits(theirs.eval(), ids[None])[0]).max() < 1e-4


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_as_transformers_saves_it_is_read(folder, tmp_path, dtype):
    import transformers

    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder, dtype=dtype)
    theirs.save_pretrained(tmp_path)
    ours = load_model(tmp_path)
    for name, parameter in their_parameters(theirs).items():
        assert (ours.params[name] == parameter.detach().float().numpy()).all(), name


def test_a_transformer_without_head_has_names_without_prefix_and_is_read(folder, tmp_path):
    import transformers

    transformers.GPT2Model.from_pretrained(folder).save_pretrained(tmp_path)
    assert (load_model(tmp_path).params.flat == lively_model().params.flat).all()


def test_generation_with_a_penalty_is_the_same(folder, theirs):
    import torch

    model, tokenizer = load(folder)
    ids = tokenizer.encode("the list")
    n = T - len(ids)
    greedy = theirs.generate(
        torch.tensor([ids]), do_sample=False, max_new_tokens=n, repetition_penalty=1.5,
        eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    ours = list(generate(model, ids, n, temperature=0, repetition_penalty=1.5))
    assert ours == greedy[0, len(ids) :].tolist()
    assert ours != list(generate(model, ids, n, temperature=0))


@pytest.mark.parametrize(
    "settings",
    [{"temperature": 0.7}, {"top_k": 5}, {"top_p": 0.8}, {"min_p": 0.1},
     {"temperature": 1.5, "top_k": 40, "top_p": 0.9, "min_p": 0.02}],
)  # fmt: skip
def test_distributions_are_those_that_transformers_draws_from(settings):
    import torch
    import transformers

    config = transformers.GenerationConfig(do_sample=True, **{"top_k": 0, **settings})
    processors = transformers.LogitsProcessorList()
    kinds = [
        ("temperature", transformers.TemperatureLogitsWarper),
        ("top_k", transformers.TopKLogitsWarper),
        ("top_p", transformers.TopPLogitsWarper),
        ("min_p", transformers.MinPLogitsWarper),
    ]
    for name, kind in kinds:
        if name in settings:
            processors.append(kind(getattr(config, name)))
    logits = 3 * np.random.default_rng(0).standard_normal((20, V)).astype(np.float32)
    expected = torch.softmax(processors(None, torch.tensor(logits)), dim=-1).numpy()
    for row, p in zip(logits, expected, strict=True):
        np.testing.assert_allclose(next_token_probabilities(row, **settings), p, atol=1e-6)


def test_generation_by_the_likeliest_is_the_same(folder, theirs):
    import torch

    model, tokenizer = load(folder)
    ids = tokenizer.encode("the list")
    n = T - len(ids)
    greedy = theirs.generate(
        torch.tensor([ids]), do_sample=False, max_new_tokens=n, eos_token_id=None, pad_token_id=0
    )
    assert list(generate(model, ids, n, temperature=0)) == greedy[0, len(ids) :].tolist()


# ---- the tokenizer ---------------------------------------------------------------------------

TEXTS = [
    *example_texts(10), "", " ", "\n\n  \n", "I'll say it's 12345!", "größer ≥ naïve 数 🙂🙂",
    "".join(WORDS), "\ttabs\r\nand lines\r\n",
]  # fmt: skip


def test_auto_tokenizer_finds_our_ids_and_our_text(folder):
    import transformers

    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), example_tokenizer()
    assert len(theirs) == ours.n_vocab
    assert theirs.eos_token_id == theirs.bos_token_id == ours.eot_token
    assert theirs.model_max_length == T
    for text in TEXTS:
        ids = ours.encode(text)
        assert theirs.encode(text) == ids
        assert theirs.decode(ids) == text


def test_the_tokenizers_library_finds_our_ids(folder):
    import tokenizers

    theirs, ours = (
        tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")),
        example_tokenizer(),
    )
    for text in TEXTS:
        assert theirs.encode(text).ids == ours.encode(text)


# ---- training --------------------------------------------------------------------------------


@pytest.fixture(params=[ops, cpu_ops], ids=["ops", "cpu_ops"])
def ours(request):
    """The lively model, computing with the plain operations and with the fast ones."""
    model = lively_model()
    model.device = Device("cpu", np, request.param, row_ops)
    return model


def difference(ours, theirs):
    """Return |ours - theirs| / |theirs|, the lengths of the whole arrays, computed in float64."""
    ours, theirs = np.float64(ours), np.float64(theirs)
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


def test_autograd_gives_our_loss_and_gradient_of_every_parameter(ours, theirs):
    model = ours
    [(ids, targets)] = batch()
    targets[0, :5] = -100  # what PyTorch, too, leaves out
    loss, cache = model.forward(ids, targets)
    grads = model.new_grads()
    model.backward(cache, grads)
    expected = their_loss(theirs, ids, targets)
    expected.backward()
    assert difference(loss, expected.item()) < 1e-5
    parameters = their_parameters(theirs)
    assert set(parameters) == set(grads)
    for name, parameter in parameters.items():
        assert difference(grads[name], parameter.grad.numpy()) < 1e-5, name


def test_three_steps_of_adamw_with_clipping_are_those_of_pytorch(ours, theirs):
    import torch

    # A large epsilon: where a gradient is 0 but for rounding errors, as that of the keys' bias
    # is, a small one would have Adam make full steps of them.
    config = TrainConfig(epsilon=1e-4, weight_decay=0.3, grad_clip=0.5, beta2=0.95)
    rates = [0.01, 0.02, 0.005]
    model = ours
    optimizer = AdamW(model.params, config)
    parameters = their_parameters(theirs)
    groups = [
        {"params": [p for p in parameters.values() if p.ndim >= 2], "weight_decay": 0.3},
        {"params": [p for p in parameters.values() if p.ndim < 2], "weight_decay": 0.0},
    ]
    their_optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.95), eps=1e-4)
    for step, ((ids, targets), rate) in enumerate(zip(batch(3), rates, strict=True), start=1):
        _, cache = model.forward(ids, targets)
        grads = model.new_grads()
        model.backward(cache, grads)
        length = norm(grads.flat)
        optimizer.step(grads.flat, step, rate, clip_factor(length, config.grad_clip))

        their_optimizer.zero_grad()
        their_loss(theirs, ids, targets).backward()
        their_length = torch.nn.utils.clip_grad_norm_(parameters.values(), config.grad_clip)
        assert difference(length, their_length.item()) < 1e-5
        assert length > config.grad_clip
        for group in their_optimizer.param_groups:
            group["lr"] = rate
        their_optimizer.step()
    start = lively_model()
    for name, parameter in parameters.items():
        assert difference(model.params[name], parameter.detach().numpy()) < 1e-5, name
        assert np.abs(model.params[name] - start.params[name]).max() > 1e-3  # it did move


def test_a_step_of_muon_is_pytorchs(ours):
    import torch

    config = TrainConfig(optimizer="muon", weight_decay=0.3)
    optimizer, rate = Muon(ours.params, config), 0.02
    start = {name: np.array(ours.params[name]) for name in optimizer.matrices}
    theirs = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in start.items()}
    their_optimizer = torch.optim.Muon(
        theirs.values(), lr=rate, weight_decay=0.3, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    for step, (ids, targets) in enumerate(batch(3), start=1):
        _, cache = ours.forward(ids, targets)
        grads = ours.new_grads()
        ours.backward(cache, grads)
        optimizer.step(grads.flat, step, rate)
        for name, w in theirs.items():
            w.grad = torch.tensor(np.array(grads[name]))
        their_optimizer.step()
    for name, w in theirs.items():  # theirs multiplies in bfloat16: 8 significant bits
        mine, other = ours.params[name] - start[name], w.detach().numpy() - start[name]
        assert difference(mine, other) < 0.1, name
