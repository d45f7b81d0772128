import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from minigpt_examples import example_tokenizer, save_example_model, small_model, untimed

import bpe
import minigpt
from minigpt.backend import to_numpy
from minigpt.sample import generate, next_token_probabilities, stream_text

pytest_plugins = ["minigpt_fixtures"]

# Whole numbers far apart enough that no two different logits get the same probability.
logits_lists = st.lists(st.integers(-30, 30), min_size=1, max_size=12)
temperatures = st.floats(0.25, 4)


def probabilities(logits, *settings, **named):
    p = next_token_probabilities(np.array(logits, np.float32), *settings, **named)
    assert p.shape == (len(logits),)
    assert (p >= 0).all()
    assert math.isclose(p.sum(), 1, rel_tol=1e-12)
    return p


# ---- the distribution ------------------------------------------------------------------------


@untimed
@given(logits=logits_lists, temperature=temperatures)
def test_without_limits_it_is_the_softmax_of_the_logits_over_the_temperature(logits, temperature):
    e = np.exp((np.array(logits) - max(logits)) / temperature)
    np.testing.assert_allclose(probabilities(logits, temperature), e / e.sum(), rtol=1e-9)


@untimed
@given(logits=logits_lists, temperature=temperatures, k=st.integers(1, 15))
def test_top_k_leaves_the_k_likeliest_in_their_proportions(logits, temperature, k):
    p, whole = probabilities(logits, temperature, top_k=k), probabilities(logits, temperature)
    kept = np.flatnonzero(p)
    assert len(kept) == min(k, len(logits))
    assert min(whole[kept]) >= max(
        (whole[i] for i in range(len(logits)) if i not in kept), default=0
    )
    np.testing.assert_allclose(p[kept], whole[kept] / whole[kept].sum(), rtol=1e-9)


@untimed
@given(logits=logits_lists, temperature=temperatures, top_p=st.floats(0.01, 1))
def test_top_p_leaves_the_smallest_set_that_holds_so_much(logits, temperature, top_p):
    p, whole = probabilities(logits, temperature, top_p=top_p), probabilities(logits, temperature)
    kept = np.flatnonzero(p)
    assert min(whole[kept]) >= max(
        (whole[i] for i in range(len(logits)) if i not in kept), default=0
    )
    held = np.sort(whole[kept])  # the least likely first
    assert held.sum() >= top_p - 1e-9
    assert held[1:].sum() < top_p + 1e-9  # without the least likely it would be too little
    np.testing.assert_allclose(p[kept], whole[kept] / whole[kept].sum(), rtol=1e-9)


@untimed
@given(logits=logits_lists, k=st.integers(1, 15), top_p=st.floats(0.01, 1))
def test_top_p_counts_within_what_top_k_left(logits, k, top_p):
    both = probabilities(logits, 1.0, k, top_p)
    first = probabilities(logits, 1.0, k)
    after = np.where(first > 0, np.array(logits, float), -np.inf)
    np.testing.assert_allclose(both, next_token_probabilities(after, top_p=top_p), rtol=1e-9)


@untimed
@given(logits=logits_lists, k=st.integers(1, 15), smaller=st.integers(0, 14))
def test_a_tighter_limit_keeps_a_part_of_what_a_looser_one_keeps(logits, k, smaller):
    def support(**limits):
        return set(np.flatnonzero(probabilities(logits, **limits)))

    assert support(top_k=max(1, k - smaller)) <= support(top_k=k)
    assert support(top_p=max(0.01, (k - smaller) / 15)) <= support(top_p=k / 15)


@untimed
@given(logits=logits_lists, cold=temperatures, warm=temperatures)
def test_a_lower_temperature_makes_the_likeliest_likelier(logits, cold, warm):
    cold, warm = sorted((cold, warm))
    best = int(np.argmax(logits))
    assert probabilities(logits, cold)[best] >= probabilities(logits, warm)[best] - 1e-12


@untimed
@given(logits=logits_lists)
def test_temperature_0_is_the_likeliest_and_of_equals_the_first(logits):
    expected = (np.arange(len(logits)) == logits.index(max(logits))).tolist()
    assert probabilities(logits, 0).tolist() == expected
    assert probabilities(logits, 0, top_k=3, top_p=0.5).tolist() == expected
    assert probabilities(logits, 1.0, top_k=1).tolist() == expected


@pytest.mark.parametrize("temperature", [1e-300, 1e-9, 1e9])
def test_extreme_temperatures_and_logits_are_no_trouble(temperature):
    with np.errstate(over="ignore"):
        p = probabilities([1e30, -1e30, 3.0], temperature, top_k=2, top_p=0.9)
    assert p[0] == p.max()


# ---- generation ------------------------------------------------------------------------------


def argmax_continuation(model, ids, n):
    """Continue `ids` by the likeliest id, in the plainest way."""
    ids = list(ids)
    for _ in range(n):
        logits = to_numpy(model.logits(ids[-model.config.n_positions :]))
        ids.append(int(logits[-1].argmax()))
    return ids[-n:]


def lively_model(device=None):
    """Return a model whose logits differ much."""
    model = small_model(device)
    model.params["wte.weight"][...] *= 30
    return model


def test_temperature_0_continues_with_the_likeliest_and_the_window_slides(device):
    model = lively_model(device)
    ids = list(range(5))
    out = list(generate(model, ids, 40, temperature=0))  # the window holds 16
    assert out == argmax_continuation(model, ids, 40)
    assert ids == list(range(5))  # what was given is not changed


def test_a_prompt_longer_than_the_window_is_cut_on_the_left():
    model, long = lively_model(), list(range(100, 140))
    assert list(generate(model, long, 8, 0)) == list(generate(model, long[-16:], 8, 0))


def test_the_same_seed_gives_the_same_ids_and_other_seeds_others(device):
    model = small_model(device)

    def sample(seed):
        return tuple(generate(model, [1], 20, seed=seed))

    assert sample(3) == sample(3)
    assert len({sample(seed) for seed in range(8)}) == 8
    assert len({sample(None) for _ in range(4)}) == 4


def test_ids_are_drawn_with_their_probabilities():
    model = small_model(vocab_size=4)
    model.params["wte.weight"][...] *= 8
    p = next_token_probabilities(model.logits([1])[-1], 1.0, top_k=3)
    drawn = [next(iter(generate(model, [1], 1, 1.0, top_k=3, seed=s))) for s in range(2000)]
    share = np.bincount(drawn, minlength=4) / 2000
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / 2000) + 1e-12).all()
    assert (p[p > 0] < 0.9).all()  # or there would be nothing to see


@pytest.mark.parametrize("draw", [0.0, 1 - 2**-53])
def test_the_lowest_and_the_highest_draw_choose_a_symbol_that_may_be_chosen(monkeypatch, draw):
    model = lively_model()
    logits = model.logits([7])[-1]
    allowed = set(np.argsort(-logits)[:3].tolist())
    assert not allowed & {0, 299}
    monkeypatch.setattr(np.random, "default_rng", lambda seed: SimpleNamespace(random=lambda: draw))
    assert set(generate(model, [7], 1, top_k=3)) <= allowed


def test_generation_ends_before_a_stop_id():
    model = lively_model()
    out = argmax_continuation(model, [7], 12)
    stop = out[6]
    assert list(generate(model, [7], 12, 0, stop=(stop,))) == out[: out.index(stop)]
    assert list(generate(model, [7], 12, 0, stop=(out[0], 5))) == []


def test_ids_come_one_by_one_as_plain_integers():
    ids = generate(small_model(), np.array([1, 2], np.uint16), 10**9, seed=0)
    some = list(itertools.islice(ids, 3))
    assert [type(i) for i in some] == [int] * 3
    assert list(generate(small_model(), [1], 0)) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1; it must be 0 or more"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"top_k": 0}, "top_k is 0; it must be at least 1"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0; it must be above 0 and at most 1"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"top_p": float("nan")}, "top_p is nan"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1; it must be at least 0"),
        ({"ids": []}, r"ids have shape \(0,\)"),
        ({"ids": [300]}, "id 300 is no symbol"),
        ({"ids": [-1]}, "id -1 is no symbol"),
    ],
)
def test_settings_out_of_range_are_refused_before_the_first_id(settings, message):
    arguments = {"ids": [1], "max_new_tokens": 1} | settings
    with pytest.raises(ValueError, match=message):
        generate(small_model(), **arguments)


def test_the_package_offers_loading_and_generating(tmp_path):
    save_example_model(tmp_path)
    model, tokenizer = minigpt.load(tmp_path)
    ids = list(minigpt.generate(model, tokenizer.encode("The list"), 5, temperature=0))
    assert len(ids) == 5
    assert isinstance(tokenizer.decode(ids), str)


# ---- streaming -------------------------------------------------------------------------------

BYTES = bpe.Tokenizer({i: bytes([i]) for i in range(256)}, [])  # every byte is a symbol


@untimed
@given(text=st.text())
def test_streamed_text_is_the_whole_text_and_never_splits_a_character(text):
    data = text.encode("utf-8")
    pieces = list(stream_text(BYTES, data))
    assert "".join(pieces) == text
    assert all(pieces)  # none empty


@untimed
@given(data=st.binary())
@example(data=b"\xed\xa0\x80")  # half a surrogate pair, which could not be printed
@example(data=b"a\xff\xe2\x82")
def test_streamed_bytes_that_are_no_text_are_marked_and_the_rest_can_be_printed(data):
    text = "".join(stream_text(BYTES, data))
    assert text == data.decode("utf-8", "replace")
    text.encode("utf-8")


@untimed
@given(text=st.text())
def test_streaming_real_symbols_gives_the_whole_text(text):
    tokenizer = example_tokenizer()
    assert "".join(stream_text(tokenizer, tokenizer.encode_ordinary(text))) == text


def test_a_character_is_given_out_with_its_last_byte():
    stream = stream_text(BYTES, iter("a€".encode() + b"b"))
    assert list(stream) == ["a", "€", "b"]
    assert list(stream_text(BYTES, "a€".encode()[:-1])) == ["a", "\ufffd"]  # it never became whole
