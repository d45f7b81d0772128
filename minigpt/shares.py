"""A step's work, shared out to the cores: prompts to be read, and rows to go on.

Each share is done by one thread from the first matrix product to the token drawn, so that threads
meet once in a step and not in every layer, and nobody waits while a prompt is read. It changes no
bit of anybody's text: a row's result has nothing to do with what is beside it.
"""

from dataclasses import dataclass

ROWS = 8  # so many rows that go on are worth a thread of their own
ID_COST = 0.4  # of an id of a prompt; a row that goes on costs 1: a product of many rows is faster


@dataclass
class Reading:
    """Chunks of ids that one row reads after each other; then the others are copies of it.

    `whole` is false where more chunks remain for the next step.
    """

    rows: list
    chunks: list
    whole: bool

    @property
    def cost(self):
        """How long it takes, in steps of a row."""
        return ID_COST * sum(map(len, self.chunks))


def share_out(readings, going, n):
    """Return at most `n` pairs (readings, rows that go on), none empty, that take equally long."""
    costs = [reading.cost for reading in readings]
    n = max(1, min(n, int(sum(costs) + len(going)) // ROWS))
    loads, shares = [0.0] * n, [[] for _ in range(n)]
    for cost, reading in sorted(zip(costs, readings, strict=True), key=lambda pair: -pair[0]):
        least = loads.index(min(loads))
        loads[least] += cost
        shares[least].append(reading)
    # the rows fill up the shares to one level; a share's rows are consecutive, as in the cache
    level = (sum(loads) + len(going)) / n
    rooms = [max(0.0, level - load) for load in loads]
    out, start, filled = [], 0, 0.0
    for mine, room in zip(shares, rooms, strict=True):
        filled += room
        end = round(len(going) * filled / sum(rooms)) if going else 0
        if mine or end > start:
            out.append((mine, going[start:end]))
        start = end
    return out
