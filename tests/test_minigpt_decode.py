import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import small_model, untimed
from threadpoolctl import ThreadpoolController

from minigpt import cpu_rows, ops, row_ops
from minigpt.backend import to_numpy
from minigpt.cuda import rows as gpu_rows
from minigpt.decode import Decoder
from minigpt.parallel import slices
from minigpt.team import Team, one_blas_thread, team

pytest_plugins = ["minigpt_fixtures"]

# (vocab_size, n_positions, n_embd, n_layer, n_head): small ones, ones cut into tiles, and
# one whose keys fill several blocks
SHAPES = [
    (300, 16, 16, 2, 2), (301, 40, 24, 1, 1), (257, 70, 40, 3, 5), (1000, 33, 384, 2, 6),
    (2048, 100, 320, 1, 4), (513, 8, 510, 1, 2), (300, 290, 24, 1, 2),
]  # fmt: skip


def model_of(shape, device=None):
    names = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
    model = small_model(device, **dict(zip(names, shape, strict=True)))
    rng = np.random.default_rng(1)  # away from gains of 1 and biases of 0
    noise = 0.1 * rng.standard_normal(len(model.params.flat)).astype(np.float32)
    model.params.flat += model.device.xp.asarray(noise)
    return model


def some_ids(model, n, seed=0):
    return np.random.default_rng(seed).integers(0, model.config.vocab_size, n).tolist()


# ---- the same logits as without a cache ------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_cached_logits_are_the_uncached_ones_at_every_position(device, shape):
    model = model_of(shape, device)
    T = model.config.n_positions
    ids = some_ids(model, T)
    expected = to_numpy(model.logits(ids))  # (T, V)
    scale = np.abs(expected).max()
    for n_prompt in {1, 2, T // 2, T - 1, T}:
        end = T if n_prompt == 1 else min(T, n_prompt + 20)  # one by one to the end, once
        decoder = Decoder(model)
        got = [to_numpy(decoder.read(0, ids[:n_prompt]))]
        got += [to_numpy(decoder.step([0], [id]))[0] for id in ids[n_prompt:end]]
        assert np.abs(np.array(got) - expected[n_prompt - 1 : end]).max() < 1e-5 * max(1, scale)
    assert scale > 0.5  # or there would be nothing to see


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_in_pieces_gives_the_same_logits(device, shape):
    model = model_of(shape, device)
    ids = some_ids(model, model.config.n_positions)
    expected = to_numpy(model.logits(ids))[-1]
    decoder, third = Decoder(model), max(1, len(ids) // 3)
    for start in range(0, len(ids), third):
        got = decoder.read(0, ids[start : start + third])
    assert np.abs(to_numpy(got) - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def test_a_row_that_was_forgotten_begins_anew():
    model = model_of(SHAPES[0])
    decoder = Decoder(model, 2)
    first = decoder.read(1, [1, 2, 3])
    decoder.step([1], [9])
    decoder.forget(1)
    assert decoder.lengths == [0, 0]
    assert (decoder.read(1, [1, 2, 3]) == first).all()


# ---- the same bits alone and in a batch ------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_rows", [2, 3, 8])
def test_a_rows_logits_are_the_same_to_the_last_bit_alone_and_in_a_batch(shape, n_rows):
    model = model_of(shape)
    T = model.config.n_positions
    texts = [some_ids(model, T, seed=row) for row in range(n_rows)]
    starts = [1 + row % (T // 2) for row in range(n_rows)]  # lengths differ
    together = Decoder(model, n_rows)
    alone = [Decoder(model) for _ in range(n_rows)]
    for row in range(n_rows):
        begin = texts[row][: starts[row]]
        assert (together.read(row, begin) == alone[row].read(0, begin)).all()
    for t in range(T - max(starts)):
        rows = [row for row in range(n_rows) if (t + row) % 4]  # not all of them every time
        if not rows:
            continue
        ids = [texts[row][together.lengths[row]] for row in rows]
        got = together.step(rows, ids)
        for i, row in enumerate(rows):
            assert (got[i] == alone[row].step([0], [ids[i]])[0]).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_one_length_have_the_same_bits_too(shape):
    model = model_of(shape)
    texts = [some_ids(model, 8, seed=row) for row in range(4)]
    together, alone = Decoder(model, 4), Decoder(model)
    for row, ids in enumerate(texts):
        together.read(row, ids[:4])
    for t in range(4, 7):
        got = together.step([0, 1, 2, 3], [ids[t] for ids in texts])
        alone.forget(0)
        alone.read(0, texts[2][:4])
        for id in texts[2][4 : t + 1]:
            expected = alone.step([0], [id])
        assert (got[2] == expected[0]).all()


def test_a_copied_row_goes_on_as_if_it_had_read_the_same():
    model = model_of(SHAPES[0])
    decoder, other = Decoder(model, 3), Decoder(model)
    decoder.read(2, [1, 2, 3])
    other.read(0, [1, 2, 3])
    decoder.copy(2, 0)
    decoder.step([2], [7])
    assert decoder.lengths == [3, 0, 4]
    assert (decoder.step([0], [9])[0] == other.step([0], [9])[0]).all()


def test_an_erased_row_leaves_nothing_to_who_comes_after():
    model = model_of(SHAPES[0])
    decoder, clean = Decoder(model, 2), Decoder(model, 2)
    decoder.read(1, some_ids(model, 10))
    decoder.kv[:, :, 1] = np.nan
    decoder.erase(1)
    for d in (decoder, clean):
        d.read(0, [4, 5])
        d.read(1, [1])
    assert (decoder.step([0, 1], [3, 3]) == clean.step([0, 1], [3, 3])).all()


def test_what_other_rows_hold_beyond_their_ends_changes_no_bit():
    model = model_of(SHAPES[-1])
    first, second = Decoder(model, 2), Decoder(model, 2)
    second.read(0, some_ids(model, 200))  # left behind by somebody else
    second.forget(0)
    for d in (first, second):
        d.read(0, [4, 5])
        d.read(1, some_ids(model, 250))
    assert (first.step([0, 1], [3, 3]) == second.step([0, 1], [3, 3])).all()


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    model = model_of(SHAPES[4])
    ids = some_ids(model, 60)

    def logits(n_threads):
        threads = Team(n_threads)
        monkeypatch.setattr(cpu_rows, "team", lambda: threads)
        decoder = Decoder(model)
        decoder.read(0, ids[:20])
        return np.array([decoder.step([0], [id])[0] for id in ids[20:]])

    one = logits(1)
    assert (logits(2) == one).all()
    assert (logits(3) == one).all()


# ---- the operations beside their plain twins -------------------------------------------------


def test_every_operation_has_its_form_for_a_cpu_and_for_a_gpu():
    names = {
        name
        for name, x in vars(row_ops).items()
        if getattr(x, "__module__", None) == row_ops.__name__
    }
    assert len(names) == 6
    for module in (cpu_rows, gpu_rows):
        assert {getattr(module, name).__module__ for name in names} == {module.__name__}


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize(("K", "N"), [(16, 48), (768, 2304), (3072, 768), (500, 700), (521, 523)])
@pytest.mark.parametrize("B", [1, 2, 5])
def test_products_of_rows_are_those_of_matrices(K, N, B):
    x, w, b = random(B, K), random(K, N, seed=1), random(N, seed=2)
    tolerance = {"rtol": 1e-4, "atol": 1e-3}
    expected = row_ops.rows_product(w, b)(x)
    np.testing.assert_allclose(cpu_rows.rows_product(w, b)(x), expected, **tolerance)
    expected = row_ops.logits_product(w)(random(B, N))
    np.testing.assert_allclose(cpu_rows.logits_product(w)(random(B, N)), expected, **tolerance)


@untimed
@given(
    heads=st.integers(1, 3), D=st.integers(1, 9), S=st.integers(1, 150), data=st.data(),
    batch=st.sampled_from([(), (2,)]),
)  # fmt: skip
def test_cached_attention_is_its_plain_twin(heads, D, S, data, batch):
    T = data.draw(st.integers(1, S))
    q, k, v = random(*batch, heads, T, D), random(heads, S, D, seed=1), random(heads, S, D, seed=2)
    k, v = (np.broadcast_to(x, (*batch, heads, S, D)) for x in (k, v))
    expected = row_ops.cached_attention(q, k, v)
    np.testing.assert_allclose(cpu_rows.cached_attention(q, k, v), expected, rtol=1e-4, atol=1e-5)


@untimed
@given(
    lengths=st.lists(st.integers(1, 3 * cpu_rows.KEYS), min_size=1, max_size=5),
    H=st.integers(1, 3), D=st.integers(1, 9), data=st.data(),
)  # fmt: skip
def test_attention_of_rows_is_its_plain_twin(lengths, H, D, data):
    rows = data.draw(st.permutations(range(6)))[: len(lengths)]
    q = random(len(rows), H, D)
    kv = random(2, 6, H, 3 * cpu_rows.KEYS, D, seed=1)
    expected = row_ops.rows_attention(rows, lengths)(q, kv)
    got = cpu_rows.rows_attention(rows, lengths)(q, kv)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_cached_attention_of_all_positions_is_causal_attention():
    qkv = random(1, 20, 3 * 12)
    q, k, v = (x[0] for x in ops.split_heads(qkv, 3))
    expected, _ = ops.attention_forward(qkv, 3)
    got = row_ops.cached_attention(q, k, v).swapaxes(0, 1).reshape(20, 12)
    np.testing.assert_allclose(got, expected[0], rtol=1e-5, atol=1e-6)


def test_normalising_and_gelu_are_their_plain_twins():
    x, g, b = 3 * random(50, 4096) + 1, random(4096, seed=1), random(4096, seed=2)
    got = cpu_rows.layernorm(x, g, b, 1e-5)
    np.testing.assert_allclose(got, row_ops.layernorm(x, g, b, 1e-5), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(cpu_rows.gelu(x.copy()), row_ops.gelu(x), rtol=1e-4, atol=1e-6)


# ---- the threads -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_team_does_every_part_once(n):
    threads, done = Team(n), []
    for size in range(1, 20):
        threads.run(done.extend, [range(size)[part] for part in slices(size, n)])
        assert sorted(done) == [*range(size)]
        done.clear()


def test_parts_are_done_at_the_same_time():
    meeting = threading.Barrier(2)
    Team(2).run(lambda part: meeting.wait(timeout=30), [0, 1])  # or it would break


@pytest.mark.parametrize("bad", [0, 1])
def test_what_a_part_raises_is_raised_and_the_team_goes_on(bad):
    threads, done = Team(2), []

    def function(part):
        if part == bad:
            raise KeyError(part)
        done.append(part)

    with pytest.raises(KeyError):
        threads.run(function, [0, 1])
    assert done == [1 - bad]
    threads.run(done.append, [2, 3])
    assert sorted(done) == sorted([1 - bad, 2, 3])


def test_a_team_that_is_busy_is_not_waited_for():
    threads, inner = Team(2), []

    def function(part):
        threads.run(inner.append, [(part, 0), (part, 1)])

    threads.run(function, [0, 1])  # each part asks for the team that is doing it
    assert sorted(inner) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_there_is_one_team_in_a_process():
    assert team() is team()


counted_blas = pytest.mark.skipif(
    not ThreadpoolController().select(user_api="blas").lib_controllers,
    reason="threadpoolctl does not know the BLAS here: Apple's Accelerate",
)


@counted_blas
def test_blas_threads_come_back_after_the_last_user_has_left():
    def n_threads():
        return [p.num_threads for p in
                ThreadpoolController().select(user_api="blas").lib_controllers]  # fmt: skip

    before = n_threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # not in the order of a stack, as two threads might
    assert set(n_threads()) == {1}
    second.__exit__(None, None, None)
    assert n_threads() == before


@counted_blas
def test_blas_threads_are_switched_off_by_whichever_thread_asks():
    libraries, seen = ThreadpoolController().select(user_api="blas").lib_controllers, []

    def n_threads():
        return [library.get_num_threads() for library in libraries]

    def ask():
        with one_blas_thread():
            seen.extend(n_threads())

    before = n_threads()
    ask()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert set(seen) == {1}
    assert n_threads() == before
