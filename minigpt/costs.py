"""What a training run will hold in memory, predicted from its settings before it starts.

Most of it is arrays whose sizes follow from the model: the four of the parameters' size, what the
forward keeps for the backward, and what an operation needs while it runs. The counts below are
those of model.py, cpu_ops.py and cpu_attention.py; a test holds them against a real step.
"""

from minigpt.cpu_attention import QUERIES
from minigpt.cpu_ops import BLOCK, LOSS_ROWS, PIECE
from minigpt.parallel import slices

FLOAT = 4  # bytes of a float32
LIBRARIES = 35e6  # bytes: Python, NumPy and the program itself
WORKER = 10e6  # bytes that each further process has of them for itself


def training_memory(model, train, workers):
    """Return a dict from what a training step on a CPU holds to its bytes, at most.

    `workers` is the number of threads, at least 1. Tokens on disk and checkpoints come on top.
    """
    V, C, L, H, T = model.vocab_size, model.n_embd, model.n_layer, model.n_head, model.n_positions
    P = model.n_params()
    parts = slices(train.batch_size, workers)
    N = train.batch_size * T  # rows of the whole batch
    most = max(part.stop - part.start for part in parts) * T  # rows of a worker
    # for every row of a block: x normalised, and scaled, twice (4 C); queries, keys and values
    # (3 C); attention's output (C); the gate's slope and output (8 C); what attention keeps
    per_row = 16 * C + 4 + kept_by_attention(T, H, model.dropout)
    dropout = (2 * L + 1) * C if model.dropout else 0
    block = min(most, max(LOSS_ROWS, 4 * BLOCK // V))  # rows whose logits exist together
    # see next_token_loss_forward
    piece = min(V * C, PIECE)
    loss = most * V + 2 * piece if most < C else V * C + piece + block * V
    return {
        "parameters": FLOAT * P,
        "gradients": FLOAT * P,
        "optimizer": FLOAT * 2 * P,
        "activations": FLOAT * N * (L * per_row + dropout + 6 * C),
        "loss": FLOAT * len(parts) * (loss + most * C),
        "workspace": FLOAT * len(parts) * (8 * C * C + most * 12 * C),
        "libraries": LIBRARIES + WORKER * (len(parts) - 1),
    }


def kept_by_attention(T, H, dropout):
    """Return how many numbers attention keeps for a row, on average; see attention_forward."""
    if T > QUERIES and not dropout:
        return H
    ends = [min(start + QUERIES, T) for start in range(0, T, QUERIES)]
    rows = [end - start for start, end in zip(range(0, T, QUERIES), ends, strict=True)]
    seen = sum(n * end for n, end in zip(rows, ends, strict=True)) / T  # keys
    return H * seen * (3 if dropout else 1)


def training_bytes(model, train, workers):
    """Return the bytes that training holds at most, on a CPU with `workers` threads."""
    return int(sum(training_memory(model, train, workers).values()))
