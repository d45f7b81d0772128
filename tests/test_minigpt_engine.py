import math
import threading
import time
from contextlib import closing, contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigpt_examples import example_tokenizer, lively_model

from minigpt import batch as batch_module
from minigpt import engine as engine_module
from minigpt import shares as shares_module
from minigpt import team as team_module
from minigpt.completion import complete
from minigpt.decode import Decoder
from minigpt.distribution import Settings
from minigpt.engine import Busy, Closed, Engine, Request, TimedOut, rows_that_fit

TOKENIZER = example_tokenizer()


MODELS = {
    "windows that slide": lively_model(),
    "several blocks of keys": lively_model(n_positions=300, n_embd=24, n_layer=1, n_head=3),
    "matrices cut into tiles": lively_model(n_embd=384, n_layer=1, n_positions=40),
}
MODEL = MODELS["windows that slide"]


def alone(model, request):
    """Return the Pieces of each row of a request that has no neighbours."""
    pieces = complete(
        model, TOKENIZER, request.prompt, request.max_new_tokens, request.stop, request.n,
        request.seed, request.n_top, **vars(request.settings),
    )  # fmt: skip
    return by_row(pieces, request.n)


def by_row(pieces, n):
    rows = [[] for _ in range(n)]
    for piece in pieces:
        rows[piece.row].append(piece)
    return rows


def an_engine(model=MODEL, **arguments):
    return closing(Engine(model, TOKENIZER, **arguments))


class Gate:
    """A `notify` at which the engine's thread waits, so that a test knows where it is."""

    def __init__(self):
        self._reached, self._open = threading.Event(), threading.Event()

    def __call__(self):
        self._reached.set()
        assert self._open.wait(30)

    def wait(self):
        assert self._reached.wait(30)

    def open(self):
        self._open.set()


# ---- nobody's neighbours change what he gets ----------------------------------------------------

prompts = st.one_of(
    st.sampled_from(["the", "a list of", "größer", [7], [1, 2, 3], list(range(100, 140))]),
    st.lists(st.integers(0, 299), min_size=1, max_size=320),
)
drawings = st.sampled_from([
    Settings(), Settings(0.8), Settings(0.0), Settings(0.7, top_k=20), Settings(top_p=0.9),
    Settings(min_p=0.05, repetition_penalty=1.3), Settings(2.0, 100, 0.8),
    Settings(frequency_penalty=0.7, presence_penalty=-0.3),
])  # fmt: skip
requests = st.builds(
    Request,
    prompt=prompts,
    max_new_tokens=st.integers(0, 45),
    settings=drawings,
    stop=st.sampled_from([(), ("e",), (5,), ("the", 17, "ü")]),
    n=st.integers(1, 3),
    seed=st.integers(0, 99),
    n_top=st.sampled_from([None, None, 0, 3]),
)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_a_request_gets_to_the_last_bit_what_it_gets_alone(model, data):
    asked = data.draw(st.lists(requests, min_size=1, max_size=8))
    pauses = [data.draw(st.integers(0, 12)) for _ in asked]
    cancelled = [data.draw(st.sampled_from([None, None, None, 0, 1, 9])) for _ in asked]
    with an_engine(model, n_rows=data.draw(st.integers(1, 5))) as engine:
        streams, got = [], []
        for request, pause in zip(asked, pauses, strict=True):
            streams.append(engine.submit(request))
            got.append([])
            for _ in range(pause):  # let the others get on
                got[0] += streams[0].take()
                if streams[0].done:
                    break
                engine_turn(engine)
        for i, stream in enumerate(streams):
            for piece in stream:
                got[i].append(piece)
                if cancelled[i] is not None and len(got[i]) > cancelled[i]:
                    stream.cancel()
    for request, pieces, cut in zip(asked, got, cancelled, strict=True):
        expected = alone(model, request)
        for mine, theirs in zip(by_row(pieces, request.n), expected, strict=True):
            assert mine == (theirs if cut is None else theirs[: len(mine)])


def engine_turn(engine):
    """Wait until the engine has drawn something more, or has nothing to do."""
    before = engine.stats()["tokens"]
    while engine.stats()["tokens"] == before and engine.stats()["running"]:
        time.sleep(1e-4)  # its thread needs Python too


def test_many_more_requests_than_rows_and_every_one_its_own_text():
    asked = [
        Request(["the", "a list", "größer"][i % 3], 10 + i % 17, Settings(0.9), seed=i)
        for i in range(60)
    ]
    with an_engine(n_rows=7) as engine:
        streams = [engine.submit(request) for request in asked]
        got = [list(stream) for stream in streams]
    assert [[pieces] for pieces in got] == [alone(MODEL, request) for request in asked]
    assert len({"".join(p.text for p in pieces) for pieces in got}) == 60


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_rows_that_are_shared_out_to_threads_are_what_they_are_alone(model, monkeypatch):
    asked = [Request(["the", "a list"][i % 2], 25, Settings(0.9), seed=i) for i in range(36)]
    expected = [alone(model, request) for request in asked]
    monkeypatch.setattr(team_module, "_team", team_module.Team(3))  # however many cores there are
    together, step = [], Decoder._step

    def spy(self, rows, ids, at):
        together.append(len(rows))
        return step(self, rows, ids, at)

    monkeypatch.setattr(Decoder, "_step", spy)
    gate = Gate()
    with an_engine(model, n_rows=36) as engine:
        engine.submit(Request([7], 1), gate)
        gate.wait()  # so that all begin together
        streams = [engine.submit(request) for request in asked]
        gate.open()
        assert [[list(stream)] for stream in streams] == expected
    assert 12 in together  # a third of them


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_prompts_read_by_one_thread_while_others_write_change_nobodys_text(model, monkeypatch):
    monkeypatch.setattr(team_module, "_team", team_module.Team(3))
    monkeypatch.setattr(shares_module, "ROWS", 1)  # every row is worth a thread
    prompts = [[7], list(range(100)), "a list of", list(range(40)), "the", list(range(40))]
    asked = [
        Request(prompts[i % 6], 3 + 5 * i % 23, Settings((0.0, 0.9)[i % 2]), seed=i)
        for i in range(24)
    ]
    expected = [alone(model, request) for request in asked]
    shared, share_out = [], batch_module.share_out

    def spy(*arguments):
        shared.append(share_out(*arguments))
        return shared[-1]

    monkeypatch.setattr(batch_module, "share_out", spy)
    gate = Gate()
    with an_engine(model, n_rows=7) as engine:
        engine.submit(Request([7], 1), gate)
        gate.wait()  # so that the same ones meet every time
        streams = [engine.submit(request) for request in asked]
        gate.open()
        assert [[list(stream)] for stream in streams] == expected
    assert any(
        any(readings and not going for readings, going in shares)
        and any(going and not readings for readings, going in shares)
        for shares in shared
    )


def test_without_a_seed_every_text_is_another():
    with an_engine() as engine:
        streams = [engine.submit(Request("the", 20)) for _ in range(6)]
        assert len({"".join(p.text for p in stream) for stream in streams}) == 6


# ---- streams ---------------------------------------------------------------------------------


def test_a_reader_that_comes_late_takes_all_at_once_and_was_told_twice():
    told = []
    over = threading.Event()

    def notify():
        told.append(stream_of[0].done if stream_of else False)
        if stream_of and stream_of[0].done:
            over.set()

    stream_of = []
    gate = Gate()
    request = Request([7], 30, seed=1)
    with an_engine() as engine:
        engine.submit(Request([1], 1), gate)
        gate.wait()
        stream_of.append(engine.submit(request, notify))
        gate.open()
        assert over.wait(30)
        [stream] = stream_of
        assert told == [False, True]  # there is something to take; it is over
        assert [stream.take()] == alone(MODEL, request)
        assert stream.take() == []
        assert (stream.done, stream.error) == (True, None)
    assert stream.prompt_ids == [7]


def test_the_ids_of_a_text_follow_the_separator():
    with an_engine() as engine:
        stream = engine.submit(Request("the list", 1))
    assert stream.prompt_ids == [TOKENIZER.eot_token, *TOKENIZER.encode("the list")]


def test_no_tokens_at_all_are_a_last_piece():
    with an_engine() as engine:
        [piece] = engine.submit(Request("the", 0))
    assert (piece.text, piece.token, piece.finish_reason) == ("", None, "length")


def test_more_rows_than_there_are_come_after_each_other():
    request = Request("the", 12, n=5, seed=3)
    with an_engine(n_rows=2) as engine:
        assert by_row(engine.submit(request), 5) == alone(MODEL, request)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": []}, "the prompt is empty"),
        ({"prompt": [300]}, "id 300 is no symbol"),
        ({"settings": Settings(-1)}, "temperature is -1"),
        ({"n": 0}, "n is 0; it must be at least 1"),
        ({"n": 10**12}, "n is 1000000000000; it must be at most 128, the queue's size"),
        ({"seed": -1}, "seed is -1"),
        ({"stop": ("",)}, "a stop string is empty"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1"),
    ],
)
def test_a_bad_request_is_refused_at_once(fields, message):
    with an_engine() as engine, pytest.raises(ValueError, match=message):
        engine.submit(Request(**({"prompt": "the"} | fields)))


# ---- limits ----------------------------------------------------------------------------------


def test_a_full_queue_is_busy_until_somebody_leaves_it():
    gate = Gate()
    with an_engine(n_rows=1, max_waiting=2) as engine:
        first = engine.submit(Request([7], 5), gate)
        gate.wait()
        waiting = [engine.submit(Request([7], 5)) for _ in range(2)]
        assert engine.stats() == {"rows": 1, "running": 1, "waiting": 2, "tokens": 1}
        with pytest.raises(Busy, match="try again in 1 s") as busy:
            engine.submit(Request([7], 5))
        assert busy.value.retry_after_s == 1
        waiting[0].cancel()
        gate.open()
        assert list(waiting[0]) == []
        assert len(list(engine.submit(Request([7], 5)))) == 5
        assert (len(list(first)), len(list(waiting[1]))) == (5, 5)


def test_who_is_refused_is_told_a_time_by_the_recent_speed():
    with an_engine(n_rows=1, max_waiting=4) as engine:
        now = time.monotonic()
        engine._waiting.extend([None] * 4)
        engine._ends.extend([now - 30, now - 20, now - 10])  # a row every 10 seconds
        assert engine._retry_after_s() == 41  # a bit over 40
        engine._ends[0] = now - 1e6
        assert engine._retry_after_s() == 60
        engine._waiting.clear()


def test_rows_begin_in_the_order_they_came():
    gate, order = Gate(), []
    with an_engine(n_rows=1) as engine:
        engine.submit(Request([7], 1), gate)
        gate.wait()
        streams = [
            engine.submit(Request([7], 1), lambda i=i: order.append(i)) for i in range(20)
        ]  # fmt: skip
        gate.open()
        for stream in streams:
            list(stream)
    assert order == sorted(order)
    assert set(order) == set(range(20))


def test_a_cancelled_text_ends_without_an_error_and_frees_its_row():
    with an_engine(n_rows=1) as engine:
        endless = engine.submit(Request([7], 10**9))
        next(iter(endless))
        endless.cancel()
        assert len(list(engine.submit(Request([7], 3)))) == 3
        list(endless)
        assert (endless.done, endless.error) == (True, None)
        assert engine.stats()["running"] == 0


def test_a_time_that_is_over_before_the_turn_came_is_an_error():
    gate = Gate()
    with an_engine(n_rows=1) as engine:
        engine.submit(Request([7], 10**9), gate)
        gate.wait()
        late = engine.submit(Request([7], 5, timeout_s=0))
        gate.open()
        with pytest.raises(TimedOut, match="before anything was written"):
            list(late)
        assert engine.stats()["waiting"] == 0


def test_a_time_that_is_over_ends_a_text_as_a_length_does():
    with an_engine(n_rows=2) as engine:
        request = Request("größer", 10**9, n=3, seed=4)  # the third row waits for ever
        stream = engine.submit(request)
        pieces = []
        for piece in stream:
            pieces.append(piece)
            if len(pieces) == 20:
                stream.end = -math.inf
    rows = by_row(pieces, 3)
    assert [row[-1].finish_reason for row in rows] == ["length"] * 3
    assert all(piece.finish_reason is None for row in rows for piece in row[:-1])
    assert [(p.text, p.token) for p in rows[2]] == [("", None)]
    for i in range(2):
        expected = Request("größer", len(rows[i]) - 1, seed=4 + i)
        [theirs] = alone(MODEL, expected)
        assert [p.token for p in rows[i][:-1]] == [p.token for p in theirs]
        assert "".join(p.text for p in rows[i]) == "".join(p.text for p in theirs)


def test_rows_are_as_many_as_there_is_memory_for(monkeypatch):
    monkeypatch.setattr(engine_module, "CACHE_BYTES", 3 * 2 * 2 * 16 * 16 * 4 + 5)
    assert rows_that_fit(MODEL, 64) == 3
    assert rows_that_fit(MODEL, 2) == 2
    monkeypatch.setattr(engine_module, "CACHE_BYTES", 0)
    assert rows_that_fit(MODEL, 64) == 1


def test_blas_threads_are_switched_off_once_for_a_text_and_on_when_it_is_over(monkeypatch):
    switched = []

    @contextmanager
    def spy():
        switched.append("off")
        yield
        switched.append("on")

    monkeypatch.setattr(engine_module, "one_blas_thread", spy)
    with an_engine() as engine:
        assert len(list(engine.submit(Request([7], 30)))) == 30
    assert switched == ["off", "on"]


# ---- when something breaks -------------------------------------------------------------------


def test_scores_that_are_no_numbers_harm_nobody_else():
    model = lively_model(vocab_size=301)  # the last symbol means nothing to the tokenizer
    model.params["wte.weight"][300] = np.nan
    good = Request([7, 8], 30, seed=2)
    with an_engine(model, n_rows=2) as engine:
        before = engine.submit(good)
        with pytest.raises(ValueError, match="the model's scores are not finite"):
            list(engine.submit(Request([5, 300, 5], 30)))
        after = [engine.submit(good) for _ in range(4)]  # in the same rows of the cache
        for stream in (before, *after):
            assert [list(stream)] == alone(model, good)


def test_an_error_in_a_step_ends_what_was_running_and_nothing_else(monkeypatch):
    gate, good = Gate(), Request([7], 10, seed=1)
    with an_engine(n_rows=1) as engine:
        running = engine.submit(Request([7], 10**9), gate)
        gate.wait()
        waiting = engine.submit(good)

        def fail(most):
            raise MemoryError("no room")

        monkeypatch.setattr(engine._batch, "step", fail)
        gate.open()
        with pytest.raises(MemoryError):
            list(running)
        assert [list(waiting)] == alone(MODEL, good)


def test_who_cannot_be_told_is_given_up():
    def gone():
        raise RuntimeError("the loop is closed")

    with an_engine() as engine:
        stream = engine.submit(Request([7], 10**9), gone)
        good = Request([8], 10, seed=1)
        assert [list(engine.submit(good))] == alone(MODEL, good)
        list(stream)
        assert stream.error is None


def test_a_text_that_cannot_be_decoded_harms_nobody_else(monkeypatch):
    good = Request([8], 10, seed=1)
    with an_engine() as engine:
        bad = engine.submit(Request([7], 10**9))
        monkeypatch.setattr(bad.texts[0].text, "push", lambda id: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(bad)
        assert [list(engine.submit(good))] == alone(MODEL, good)


def test_closing_ends_what_is_running_and_what_waits():
    gate = Gate()
    engine = Engine(MODEL, TOKENIZER, n_rows=1)
    running = engine.submit(Request([7], 10**9), gate)
    gate.wait()
    waiting = engine.submit(Request([7], 5))
    gate.open()
    engine.close()
    for stream in (running, waiting):
        with pytest.raises(Closed, match="the engine has been closed"):
            list(stream)
    with pytest.raises(Closed, match="the engine has been closed"):
        engine.submit(Request([7], 5))
    engine.close()  # once more is no harm
    assert not any(thread is engine._thread for thread in threading.enumerate())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_says_so_to_everybody(monkeypatch):
    gate = Gate()
    engine = Engine(MODEL, TOKENIZER, n_rows=1)
    running = engine.submit(Request([7], 10**9), gate)
    gate.wait()

    def die():
        raise GeneratorExit("no reason")

    monkeypatch.setattr(engine, "_round", die)
    gate.open()
    with pytest.raises(Closed, match="the engine broke down: GeneratorExit"):
        list(running)
    with pytest.raises(Closed, match="the engine broke down"):
        engine.submit(Request([7], 5))
    engine.close()
