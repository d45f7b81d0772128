"""Completions on a terminal: as they come, several in turn, or tokens with probabilities."""

import math


def print_stream(prompt, pieces):
    """Print a prompt and the one text that continues it, as it comes."""
    print(prompt, end="", flush=True)
    for piece in pieces:
        print(piece.text, end="", flush=True)
    print()


def print_in_turn(prompt, pieces, n):
    """Print `n` completions, each when it and those before it are complete."""
    texts, done, shown = [""] * n, set(), 0
    for piece in pieces:
        texts[piece.row] += piece.text
        if piece.finish_reason:
            done.add(piece.row)
        while shown in done:
            print(f"--- sample {shown + 1} ---\n{prompt}{texts[shown]}", flush=True)
            shown += 1


def print_probabilities(tokenizer, pieces, n, n_top):
    """Print a line for each token: itself, its probability, and the `n_top` likeliest with theirs.

    A heading comes first; with several samples, `n`, each line begins with the sample's number.
    """
    which = "n: " if n > 1 else ""
    likeliest = "the likeliest" if n_top == 1 else f"the {n_top} likeliest"
    print(f"{which}{'written, how likely':24} {likeliest if n_top else ''}".rstrip(), flush=True)
    for piece in pieces:
        if piece.token is not None:
            which = f"{piece.row + 1}: " if n > 1 else ""
            chosen = describe(tokenizer, piece.token.id, piece.token.logprob)
            top = ", ".join(describe(tokenizer, *likely) for likely in piece.token.top)
            print(f"{which}{chosen:24} {top}".rstrip(), flush=True)


def describe(tokenizer, id, logprob):
    """Return a token as text in quotes, and its probability."""
    text = tokenizer.decode_bytes([id]).decode("utf-8", "backslashreplace")
    return f"{text!r} {math.exp(logprob):.1%}"
