import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from minigpt_examples import (
    example_tokenizer,
    lively_model,
    save_example_model,
    small_model,
    untimed,
)

import bpe
import minigpt
from minigpt import batch as batch_module
from minigpt import plain_sample
from minigpt.batch import Batch
from minigpt.decode import Decoder
from minigpt.distribution import Settings, draw, likeliest, log_softmax, penalise, penalise_counts
from minigpt.sample import (
    Generation,
    check_plan,
    generate,
    new_rows,
    next_token_probabilities,
    stream_text,
)

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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("temperature", [1e-9, 5e-324])
def test_a_tiny_temperature_leaves_the_likeliest_quietly(temperature):
    p = next_token_probabilities(np.array([1.0, 3.0, -2.0]), temperature)
    assert p.tolist() == [0, 1, 0]


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
@given(logits=logits_lists, temperature=temperatures, min_p=st.floats(0, 1))
def test_min_p_leaves_what_is_so_probable_beside_the_likeliest(logits, temperature, min_p):
    p, whole = probabilities(logits, temperature, min_p=min_p), probabilities(logits, temperature)
    ratio = whole / whole.max()
    assert p.argmax() == whole.argmax()
    assert (p[ratio >= min_p + 1e-9] > 0).all()
    assert (p[ratio < min_p - 1e-9] == 0).all()
    kept = np.flatnonzero(p)
    np.testing.assert_allclose(p[kept], whole[kept] / whole[kept].sum(), rtol=1e-9)


@untimed
@given(scores=st.lists(st.integers(-5, 5), min_size=1, max_size=300), n=st.integers(1, 310))
def test_the_likeliest_are_those_of_a_stable_sort(scores, n):
    expected = np.argsort(-np.array(scores), kind="stable")[:n]
    assert likeliest(np.array(scores, float), n).tolist() == expected.tolist()


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 0.999, 1.0])
def test_top_p_of_a_large_vocabulary_is_the_smallest_set(top_p):
    logits = np.random.default_rng(0).standard_normal(5000) * 3
    p, whole = probabilities(logits, top_p=top_p), probabilities(logits)
    in_order = np.sort(whole)[::-1]
    n = int((np.cumsum(in_order) - in_order < top_p).sum())
    assert np.count_nonzero(p) == n
    assert set(np.flatnonzero(p)) == set(np.argsort(-whole)[:n])


def test_a_penalty_divides_what_is_positive_and_multiplies_what_is_negative():
    logits = np.array([4.0, -4.0, 4.0, -4.0, 0.0], np.float32)
    assert penalise(logits, [0, 1, 4], 2.0).tolist() == [2.0, -8.0, 4.0, -4.0, 0.0]
    assert logits.tolist() == [4.0, -4.0, 4.0, -4.0, 0.0]  # what was given is not changed


def test_what_was_written_is_penalised_for_each_time_and_once_for_all():
    logits = np.array([4.0, -4.0, 0.5], np.float32)
    assert penalise_counts(logits, {1: 3, 2: 1}, 0.25, 1.5).tolist() == [4.0, -6.25, -1.25]
    assert penalise_counts(logits, {}, 2, 2).tolist() == logits.tolist() == [4.0, -4.0, 0.5]


@untimed
@given(logits=logits_lists)
def test_log_probabilities_are_the_logarithms_of_the_softmax(logits):
    np.testing.assert_allclose(np.exp(log_softmax(logits)), probabilities(logits), atol=1e-12)


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


def test_what_is_written_is_what_the_plain_loop_draws():
    model, ids, rng = small_model(), [5, 250, 17], np.random.default_rng(1)
    written = list(generate(model, ids, 12, temperature=0.8, top_p=0.9, seed=1))
    for id in written:
        p = next_token_probabilities(model.logits(ids)[-1], temperature=0.8, top_p=0.9)
        assert id == int(draw(p[None], rng.random(1))[0])
        ids.append(id)
    assert len(written) == 12


def test_a_prompt_longer_than_the_window_is_cut_on_the_left():
    model, long = lively_model(), list(range(100, 140))
    expected = list(generate(model, long[-16:], 20, 0))
    assert list(generate(model, long, 20, 0)) == expected
    assert list(generate(model, long[-15:], 20, 0)) != expected


def test_logits_after_slides_are_those_of_the_window_without_a_cache():
    model = lively_model()
    generation = Generation(model, [[1, 2, 3]], 50, Settings(temperature=0), n_top=0)
    slides = 0
    while generation.going:
        row = generation.rows[0]
        generation.step()
        slides += len(row.window) == 9  # the new id, after eight that stayed
        expected = model.logits(row.window[:-1])[-1]
        assert np.abs(row.logits - expected).max() < 1e-5 * np.abs(expected).max()
    assert slides >= 4


# ---- batches ---------------------------------------------------------------------------------

PROMPTS = [[7], [1, 2, 3], list(range(100, 140)), [299, 0, 4, 4, 8, 1, 2, 3], [5] * 16, [7]]
SETTINGS = [
    {}, {"temperature": 0}, {"temperature": 0.7, "top_k": 20}, {"top_p": 0.9},
    {"min_p": 0.05, "repetition_penalty": 1.3}, {"temperature": 2.0, "top_k": 100, "top_p": 0.8},
    {"frequency_penalty": 0.4, "presence_penalty": -0.2}, {"temperature": 0, "presence_penalty": 1},
]  # fmt: skip


def rows_of(steps, n_rows):
    """Return each row's ids of what a batch yielded; None only ever at a row's end."""
    rows = [list(row) for row in zip(*steps, strict=True)] or [[] for _ in range(n_rows)]
    for row in rows:
        while row and row[-1] is None:
            row.pop()
        assert None not in row
    return rows


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_batch_gives_each_row_the_ids_it_gets_alone(settings):
    model = lively_model()
    for seed in range(2):
        steps = list(generate(model, PROMPTS, 40, seed=seed, **settings))
        assert len(steps) == 40
        alone = [list(generate(model, ids, 40, seed=seed, **settings)) for ids in PROMPTS]
        assert rows_of(steps, len(PROMPTS)) == alone


def test_with_many_seeds_too_and_each_row_its_own():
    model = lively_model(n_embd=32, n_positions=24)
    for first in range(0, 60, 6):
        seeds = [first + i for i in range(6)]
        rows = rows_of(generate(model, PROMPTS, 30, seed=seeds), 6)
        for ids, seed, row in zip(PROMPTS, seeds, rows, strict=True):
            assert row == list(generate(model, ids, 30, seed=seed))


def test_a_row_that_ends_yields_none_while_the_others_go_on():
    model = lively_model()
    stop = list(generate(model, [7], 12, 0))[4]
    alone = [list(generate(model, ids, 12, 0, stop=(stop,))) for ids in PROMPTS]
    assert len({len(ids) for ids in alone}) > 1
    steps = list(generate(model, PROMPTS, 12, 0, stop=(stop,)))
    assert rows_of(steps, len(PROMPTS)) == alone
    assert len(steps) == max(map(len, alone))


def test_a_batch_of_one_yields_lists_and_arrays_are_batches_too():
    model = lively_model()
    expected = list(generate(model, [3, 4], 3, 0))
    assert list(generate(model, [[3, 4]], 3, 0)) == [[id] for id in expected]
    assert list(generate(model, np.array([[3, 4]]), 3, 0)) == [[id] for id in expected]


# ---- rows that come and go -------------------------------------------------------------------


def rows_for(model, prompts, n, seeds, **settings):
    plan = check_plan(model, n, Settings(**settings))
    return new_rows(model, prompts, seeds, plan)


def test_a_row_that_joins_gets_the_ids_it_gets_alone():
    model = lively_model(n_positions=24)
    batch, waiting = Batch(model, 3), rows_for(model, PROMPTS * 2, 30, range(12), temperature=0.9)
    ids = {row: [] for row in waiting}
    while waiting or batch.rows:
        if waiting and batch.n_free:
            batch.join(waiting.pop(0))
        for row, token in batch.step():
            ids[row].append(token.id)
    expected = [
        list(generate(model, prompt, 30, 0.9, seed=seed)) for seed, prompt in enumerate(PROMPTS * 2)
    ]
    assert list(ids.values()) == expected


def test_a_long_prompt_is_read_in_pieces_while_the_others_go_on(monkeypatch):
    model = lively_model(n_positions=64)
    monkeypatch.setattr(batch_module, "CHUNK", 10)
    batch = Batch(model, 2)
    [short], [long] = (rows_for(model, [ids], 20, 1) for ids in ([7], list(range(45))))
    batch.join(short)
    batch.step()
    batch.join(long)
    drawn = [[row for row, _ in batch.step(most=10)] for _ in range(5)]
    assert drawn == [[short]] * 4 + [[long, short]]
    while batch.rows:
        batch.step(most=10)
    expected = list(generate(model, list(range(45)), 20, seed=1))
    assert long.window == [*range(45), *expected][-len(long.window) :]


def test_the_same_prompt_is_read_once(monkeypatch):
    model, read = lively_model(), []
    whole = Decoder.read
    monkeypatch.setattr(Decoder, "read", lambda *a: read.append(a[2]) or whole(*a))
    rows = list(generate(model, [[1, 2, 3]] * 4, 5, seed=range(4)))
    assert read == [[1, 2, 3]]
    assert len(set(zip(*rows, strict=True))) == 4


def test_a_row_that_was_ended_makes_room():
    model = lively_model()
    batch = Batch(model, 1)
    first, second = rows_for(model, [[7], [8]], 5, 1)
    batch.join(first)
    batch.step()
    first.end("stop")
    assert (batch.n_free, batch.step()) == (1, [])
    batch.join(second)
    assert [row for row, _ in batch.step()] == [second]


# ---- log-probabilities and penalties -----------------------------------------------------------


def test_tokens_tell_their_log_probability_and_the_alternatives():
    model = lively_model()
    settings = Settings(temperature=0.5, top_k=5)
    generation = Generation(model, [[7]], 5, settings, seed=1, n_top=3)
    window = [7]
    while generation.going:
        [token] = generation.step()
        expected = log_softmax(model.logits(window)[-1])  # the model's own, without settings
        assert token.logprob == pytest.approx(expected[token.id], abs=1e-4)
        assert [id for id, _ in token.top] == np.argsort(-expected)[:3].tolist()
        assert [p for _, p in token.top] == pytest.approx(np.sort(expected)[::-1][:3], abs=1e-4)
        window.append(token.id)


def test_a_high_penalty_keeps_the_model_from_repeating_itself():
    model = lively_model()
    plain = list(generate(model, [7], 100, 0))
    penalised = list(generate(model, [7], 100, 0, repetition_penalty=1e6))
    assert len(set(plain)) < 60
    assert len(set(penalised)) > len(set(plain))
    assert 7 not in penalised[:50]  # the prompt counts too


@pytest.mark.parametrize(("frequency", "presence"), [(0.3, 0.0), (0.0, 2.0), (0.1, 0.5), (-2.0, 0)])
def test_the_penalties_count_what_was_written_and_not_the_prompt(frequency, presence):
    model, prompt = lively_model(), [7, 7, 7, 3]
    penalties = {"frequency_penalty": frequency, "presence_penalty": presence}
    written = list(generate(model, prompt, 10, 0, **penalties))
    for i, id in enumerate(written):
        scores = model.logits(prompt + written[:i])[-1].astype(np.float64)
        for other in set(written[:i]):
            scores[other] -= frequency * written[:i].count(other) + presence
        assert id == scores.argmax()
    assert list(generate(model, prompt, 10, 0)) != written


def test_the_same_seed_gives_the_same_ids_and_other_seeds_others(device):
    model = small_model(device)

    def sample(seed):
        return tuple(generate(model, [1], 20, seed=seed))

    assert sample(3) == sample(3)
    assert len({sample(seed) for seed in range(8)}) == 8
    assert len({sample(None) for _ in range(4)}) == 4


def test_ids_are_drawn_with_their_probabilities():
    model = small_model(vocab_size=4)
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
    out = list(plain_sample.generate(model, [7], 12, temperature=0))
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
        ({"max_new_tokens": 1.5}, "max_new_tokens is 1.5; it must be at least 0, a whole number"),
        ({"temperature": "hot"}, "temperature is hot"),
        ({"top_k": 2.5}, "top_k is 2.5"),
        ({"top_k": True}, "top_k is True"),
        ({"top_k": 301}, "top_k is 301; it must be at most 300, the number of symbols"),
        ({"min_p": -0.1}, "min_p is -0.1; it must be at least 0 and at most 1"),
        ({"min_p": 1.1}, "min_p is 1.1"),
        ({"repetition_penalty": 0}, "repetition_penalty is 0; it must be above 0, 1 for none"),
        ({"repetition_penalty": -1.0}, "repetition_penalty is -1.0"),
        ({"repetition_penalty": float("nan")}, "repetition_penalty is nan"),
        ({"frequency_penalty": float("inf")}, "frequency_penalty is inf; it must be a number"),
        ({"presence_penalty": "much"}, "presence_penalty is much; it must be a number, 0 for none"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"ids": [[1], [2]], "seed": [1]}, "seed holds 1 numbers; it must hold 2, one for a row"),
        ({"stop": (300,)}, "stop id is 300; it must be at most 299, the last id"),
        ({"stop": (-1,)}, "stop id is -1"),
        ({"stop": ("x",)}, "stop is 'x'; it must be an id here"),
        ({"stop": "x"}, "stop is 'x'; it must be an id here"),
        ({"ids": []}, "the prompt is empty; it must hold at least one id"),
        ({"ids": [[1], []]}, "the prompt is empty"),
        ({"ids": [1.5]}, "ids are of type float64; they must be integers"),
        ({"ids": [[[1]]]}, r"a prompt is \[\[1\]\]; it must be a list of ids"),
        ({"ids": [[1], 2]}, "a prompt is 2; it must be a list of ids"),
        ({"ids": "text"}, "a prompt is 'text'"),
        ({"ids": None}, "a prompt is None"),
        ({"ids": [1, [2] * 40]}, r"a prompt is \[1, \[2, 2, .*…; it must"),
        ({"ids": [300, *[1] * 40]}, "id 300 is no symbol"),
        ({"ids": [300]}, "id 300 is no symbol"),
        ({"ids": [-1]}, "id -1 is no symbol"),
    ],
)
def test_settings_out_of_range_are_refused_before_the_first_id(settings, message):
    arguments = {"ids": [1], "max_new_tokens": 1} | settings
    with pytest.raises(ValueError, match=message):
        generate(small_model(), **arguments)


def test_ids_stops_and_seeds_may_be_arrays_or_iterators():
    model = small_model()
    first = next(generate(model, [1, 2], 1, seed=3))
    for ids in (np.array([1, 2]), (1, 2), range(1, 3)):
        for stop in (first, np.int64(first), np.array([first]), iter([first])):
            assert list(generate(model, ids, 1, stop=stop, seed=np.int64(3))) == []
    prompts = np.array([[1, 2], [5, 6]])
    batch = list(generate(model, prompts, 4, seed=np.array([3, 4])))
    assert batch == list(generate(model, prompts.tolist(), 4, seed=[3, 4]))
    assert batch[0][0] == first


def test_scores_that_are_no_numbers_are_an_error():
    model = small_model()
    model.params.flat[:] = np.nan
    for temperature in (0, 1):
        with pytest.raises(ValueError, match="the model's scores are not finite"):
            list(generate(model, [1], 1, temperature=temperature))


def test_the_package_offers_loading_and_generating(tmp_path):
    save_example_model(tmp_path)
    model, tokenizer = minigpt.load(tmp_path)
    ids = list(minigpt.generate(model, tokenizer.encode("The list"), 5, temperature=0))
    assert len(ids) == 5
    pieces = minigpt.complete(model, tokenizer, tokenizer.encode("The list"), 5, temperature=0)
    assert "".join(piece.text for piece in pieces) == tokenizer.decode(ids)


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


def test_a_draw_above_what_rounding_leaves_of_1_is_a_symbol_that_may_be_drawn():
    p = np.array([0.3, 0.6, 0.0])  # 0.9 in all, as rounding could leave
    uniforms = np.array([0.0, 0.299, 0.3, 0.89, 0.95])
    assert draw(np.tile(p, (5, 1)), uniforms) == [0, 0, 1, 1, 1]
