"""`make bench`: the playground's server under load, over loopback.

    python tests/bench_serve.py [FOLDER] [--seconds 5] [--turns 3] [--clients 64] [--crowd 500]

One client and then many stream answers from a model for so many seconds each, in turns: without
FOLDER, the preset `tiny` with random weights. Every answer must be what the same request gives
alone. Then a crowd comes at once: some are served, the others must be refused politely, and the
server must still answer. Clients are bare sockets in a process of their own, so that they cost
little; all share the machine's cores.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench import machine
from minigpt_examples import example_texts
from playground_server import never, serving

import bpe
from minigpt import complete
from minigpt.checkpoint import save_model
from minigpt.dataset import SEPARATOR
from minigpt.model import GPT
from minigpt.presets import PRESETS

MAX_TOKENS = 60  # of the shortest answer
N_PROMPTS = 16  # different requests; each is asked again and again
HEAD = "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="a model's folder")
    parser.add_argument("--seconds", type=float, default=5, help="of each turn (%(default)s)")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--crowd", type=int, default=500)
    arguments = parser.parse_args()
    print(machine(), flush=True)
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or tiny(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        server = stack.enter_context(serving(folder))
        pool = stack.enter_context(ProcessPoolExecutor(1, spawn))
        served = next(iter(server.shelf.models.values()))
        asked = [body(served, k) for k in range(N_PROMPTS)]

        def clients(n: int, seconds: float) -> tuple[list, float]:
            before, start = served.engine.stats()["tokens"], time.perf_counter()
            running = pool.submit(run_clients, server.port, asked, n, seconds)
            time.sleep(seconds)
            speed = (served.engine.stats()["tokens"] - before) / (time.perf_counter() - start)
            return running.result(), speed

        clients(1, 0.5)  # both processes are warm
        speeds, all_answers = {1: [], arguments.clients: []}, []
        for _ in range(arguments.turns):
            for n, taken in speeds.items():
                answers, speed = clients(n, arguments.seconds)
                taken.append(speed)
                all_answers += answers
                report(n, answers, speed)
        one, many = map(statistics.median, speeds.values())
        print(f"{arguments.clients} clients beside one: {many / one:.2f}x the tokens/s")
        wrong = mixed_up(served, asked, all_answers)
        print(f"answers that are wrong or broken: {wrong} of {len(all_answers)}")
        crowd(clients(arguments.crowd, 0)[0], server)
        return 1 if wrong else 0


def tiny(folder: Path) -> Path:
    """Write the preset `tiny` with random weights."""
    config = PRESETS["tiny"].model
    tokenizer = bpe.train(example_texts(), 300, special_tokens=[SEPARATOR])
    model = GPT(config).initialise(0)
    never(model, [tokenizer.eot_token, *range(tokenizer.n_vocab, config.vocab_size)])
    save_model(folder / "tiny", model, tokenizer)
    return folder / "tiny"


def body(served, k: int) -> dict:
    """Return the `k`-th request: prompts of several lengths, drawn with different settings."""
    text = " ".join(example_texts()[k].split()[: 2 + 2 * k])
    ids = served.tokenizer.encode_ordinary(text)[: served.model.config.n_positions // 2]
    return {
        "model": served.name, "prompt": [served.tokenizer.eot_token, *ids], "seed": k,
        "max_tokens": MAX_TOKENS + 5 * k, "temperature": (0, 0.8, 1.0)[k % 3], "stream": True,
        "return_token_ids": True,
    }  # fmt: skip


def mixed_up(served, asked: list, answers: list) -> int:
    """Count the answers that broke off, or whose ids or text are not those of the request alone."""
    expected = []
    for request in asked:
        drawn = {name: request[name] for name in ("seed", "temperature")}
        model, prompt, n = served.model, request["prompt"], request["max_tokens"]
        pieces = list(complete(model, served.tokenizer, prompt, n, served.end_ids, **drawn))
        ids = [piece.token.id for piece in pieces if piece.token is not None]
        expected.append((ids, "".join(piece.text for piece in pieces)))
    return sum(
        bool(answer["error"]) or (answer["ids"], answer["text"]) != expected[answer["k"]]
        for answer in answers
    )


def report(n: int, answers: list, speed: float) -> None:
    """Print a line about a turn of n clients."""
    good = [answer for answer in answers if answer["status"] == 200 and not answer["error"]]
    first = sorted(answer["first"] for answer in good)
    tokens = sum(len(answer["ids"]) for answer in good)
    a_chunk = tokens / max(1, sum(answer["chunks"] for answer in good))
    print(
        f"{n} at a time: {speed:,.0f} tokens/s, {speed / n:,.0f} each; first token after "
        f"{1000 * statistics.median(first):.0f} ms (median), "
        f"{1000 * first[int(0.95 * (len(first) - 1))]:.0f} ms (p95); {a_chunk:.1f} tokens a chunk; "
        f"{len(good)} answers, {len(answers) - len(good)} errors",
        flush=True,
    )


def crowd(answers: list, server) -> None:
    """Print how a crowd fared, and whether the server is well."""
    count = collections.Counter(answer["status"] for answer in answers)
    errors = sum(bool(answer["error"]) for answer in answers)
    polite = all(answer["retry_after"] for answer in answers if answer["status"] in (429, 503))
    said = ", ".join(f"{n} got {status or 'no answer'}" for status, n in sorted(count.items()))
    still = read_answer(asyncio.run(one_answer(server.port, get("/health"), 0)))["status"] == 200
    print(
        f"{len(answers)} clients at once: {said}; broken: {errors}; "
        f"every refusal with Retry-After: {polite}; the server still answers: {still}"
    )


# ---- the clients' process ------------------------------------------------------------------------


def run_clients(port: int, asked: list, n: int, seconds: float) -> list:
    """Run n clients that ask again and again for so long, once at least; return all answers."""
    requests = [post(request) for request in asked]

    async def client(i: int, end: float, answers: list) -> None:
        k = i
        while True:
            answers.append(await one_answer(port, requests[k % N_PROMPTS], k % N_PROMPTS))
            k += n if n % N_PROMPTS else n + 1  # another request each time
            if time.monotonic() >= end:
                return

    async def all_clients() -> list:
        answers, end = [], time.monotonic() + seconds
        await asyncio.gather(*(client(i, end, answers) for i in range(n)))
        return answers

    # what came is read when all is over: until then the processor is the server's
    return [read_answer(answer) for answer in asyncio.run(all_clients())]


def post(request: dict) -> bytes:
    data = json.dumps(request).encode()
    return f"{HEAD}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


async def one_answer(port: int, request: bytes, k: int) -> dict:
    """Send a request and read all that comes; time stops at the first token and at the end."""
    start, first, parts, error = time.perf_counter(), None, [], ""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        while part := await reader.read(1 << 16):
            parts.append(part)
            if first is None and b'"token_ids":[' in part.replace(b'"token_ids":[]', b""):
                first = time.perf_counter() - start
        writer.close()
    except OSError as e:
        error = repr(e)
    times = {"start": start, "first": first, "end": time.perf_counter()}
    return {"k": k, "data": b"".join(parts), "error": error, **times}


def read_answer(answer: dict) -> dict:
    """Add the status, the ids and the text of an HTTP answer to what is known of it."""
    head, _, rest = answer.pop("data").partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head else 0
    found = {**answer, "status": status, "ids": [], "text": "", "chunks": 0}
    found["retry_after"] = b"\r\nretry-after:" in head.lower()
    if status != 200 or b"text/event-stream" not in head:
        return found
    lines = [line for line in rest.split(b"\n") if line.startswith(b"data: ")]
    if not lines or lines[-1].strip() != b"data: [DONE]":
        return found | {"error": "the stream has no end"}
    for line in lines[:-1]:
        chunk = json.loads(line[6:])
        if "error" in chunk:
            return found | {"error": chunk["error"]["message"]}
        for choice in chunk["choices"]:
            found["ids"] += choice.get("token_ids", [])
            found["text"] += choice["text"]
        found["chunks"] += 1
    return found


if __name__ == "__main__":
    sys.exit(main())
