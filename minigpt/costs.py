"""What a training run will hold in memory, predicted from its settings before it starts.

Most of it is arrays whose sizes follow from the model: the four of the parameters' size, what the
forward keeps for the backward, and what an operation needs while it runs. The counts for a CPU
are those of model.py, cpu_ops.py and cpu_attention.py; a test holds them against a real step.
Those for a GPU are what its fused operations keep, on paper: no GPU has confirmed them.
"""

from minigpt.cpu_attention import group_size, keeps_scores, query_blocks
from minigpt.cpu_ops import BLOCK, LOSS_ROWS, PIECE
from minigpt.cuda.flash import HEADS as FLASH_HEADS
from minigpt.cuda_ops import LOGITS
from minigpt.parallel import slices

FLOAT = 4  # bytes of a float32
LIBRARIES = 35e6  # bytes: Python, NumPy and the program itself
LAYER = 8e3  # bytes: names and views of a layer's parameters, and of their gradients
WORKER = 10e6  # bytes that each further process has of them for itself
CONTEXT = 600e6  # bytes of a GPU's memory: the driver's context, kernels, cublasLt's workspace


def training_memory(model, train, workers):
    """Return a dict from what a training step on a CPU holds to its bytes, at most.

    `workers` is the number of processes, at least 1. Tokens on disk and checkpoints come on top.
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
    rows = min(most, max(LOSS_ROWS, 4 * BLOCK // V))  # rows whose logits exist together
    # see next_token_loss_forward
    piece = min(V * C, PIECE)
    loss = most * V + 2 * piece if most < C else V * C + piece + rows * V
    # of a group's block of queries, in the backward pass; where scores are made again, one array
    # more; and its keys and values, turned
    _, queries = query_blocks(T)[0]
    scores = (2 if keeps_scores(T, model.dropout) else 3) * queries * H + 2 * C
    scores *= group_size(most // T, H, T, model.dropout) * T
    # what a block computes with, or the scores of its queries; and in Muon's turn, two times its
    # largest matrix and five times the square of that one's shorter side
    block = 8 * C * C + max(most * 8 * C, most * 4 * C + scores)
    muon = 13 * C * C if train.optimizer == "muon" else 0
    return {
        "parameters": FLOAT * P,
        "gradients": FLOAT * P,
        "optimizer": FLOAT * 2 * P,
        "activations": FLOAT * N * (L * per_row + dropout + 6 * C),
        "loss": FLOAT * len(parts) * (loss + most * C),
        "workspace": FLOAT * len(parts) * max(block, muon),
        # ids and targets of all windows of an update, 8 bytes each, which every worker reads
        "windows": 16 * train.windows_per_step() * T * len(parts),
        "libraries": LIBRARIES + LAYER * L + WORKER * (len(parts) - 1),
    }


def kept_by_attention(T, H, dropout):
    """Return how many numbers attention keeps for a row, on average; see attention_forward."""
    if not keeps_scores(T, dropout):
        return H
    seen = sum((end - start) * end for start, end in query_blocks(T)) / T  # keys
    return H * seen * (3 if dropout else 1)


def training_bytes(model, train, workers):
    """Return the bytes that training holds at most, on a CPU with `workers` processes."""
    return int(sum(training_memory(model, train, workers).values()))


def gpu_training_memory(model, train, precision, packed=False):
    """Return a dict from what a training step on a GPU holds to its bytes, at most.

    `packed`: several texts share a window (packing.py), which flash attention cannot.
    """
    V, C, L, H, T = model.vocab_size, model.n_embd, model.n_layer, model.n_head, model.n_positions
    P, N, low = model.n_params(), train.batch_size * T, 2 if precision == "bf16" else FLOAT
    # for every row of a block: x twice, and normalised (4 C); queries, keys and values (3 C);
    # attention's output (C); the inputs and outputs of GELU (8 C); means and deviations, and of
    # every head a normaliser, in float32
    per_row = low * 16 * C + FLOAT * (4 + H)
    has_flash = precision == "bf16" and C // H in FLASH_HEADS and not packed
    scores = 0
    if not has_flash:
        per_row += low * H * T * (2 if model.dropout else 1)
        scores = N * H * T * (FLOAT + low)  # of one block's backward, and in float32
    block = low * N * 12 * C + FLOAT * 8 * C * C + scores
    # in Muon's turn, which is plain lines (cuda/update.py): three arrays of the size of the
    # embeddings, of all vectors, or what a matrix takes, as on a CPU
    muon = max(3 * (V + T) * C, 3 * (13 * L + 2) * C, 13 * C * C)
    muon = FLOAT * muon if train.optimizer == "muon" else 0
    return {
        "parameters": FLOAT * P + (low * P if precision == "bf16" else 0),
        "gradients": FLOAT * P,
        "optimizer": FLOAT * 2 * P,
        "activations": N * (L * per_row + low * 6 * C),
        "loss": low * (min(N * V, LOGITS) + N * C + V * C) + FLOAT * V * C,
        "workspace": max(block, muon),
        # names and views are in the computer's own memory: counted, since only the GPU's is asked
        "libraries": CONTEXT + LAYER * L,
    }
