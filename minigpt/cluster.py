"""Several machines that train one model, by MPI: who belongs to it, and what they tell each other.

    mpiexec -n 2 --hosts red,blue python -m minigpt pretrain --preset gpt2

starts the same command on each. All get the same settings and files, and the first machine leads:
it alone decides, writes and talks. The others wait for its word. How they share a step is in
cluster_trainer.py.

It is no crew (crew.py), whose members have memory in common. With --device gpu every process, here
called a machine all the same, has one GPU: as many are started on a computer as it has GPUs.

Source: the MPI standard 4.1, sections 6.4 (broadcast), 6.9 (all-reduce) and 6.12 (those that do
not block).
"""

import contextlib
import math
import os
import pickle
import signal
import sys
import time
from dataclasses import replace

import numpy as np

from minigpt.backend import take_gpu
from minigpt.config import require
from minigpt.launched import PASSED_ON_S, size
from minigpt.parallel import count_cores, slices
from minigpt.resume import differing
from minigpt.train import NotFinite

# While others are waited for: how long without a pause, and the longest pause, in seconds; and a
# pause as a share of the time waited so far, which is at most so much longer for it.
EAGER_S, LONGEST_PAUSE_S, PAUSE = 0.001, 0.01, 0.05


class Dismissed(SystemExit):
    """The end of a machine because the first one has failed, and said so."""


@contextlib.contextmanager
def joined(say, device="cpu"):
    """Give the Cluster that this process belongs to, in a `with` statement, None if it is alone.

    Beside it gives what to say things with: `say` on the first machine, silence on the others.
    When the first machine leaves, also by an error, the others are told to. An error amid work
    ends all of them. Whatever one machine may lack and another have, as a file, is to be looked for
    inside: a machine that ends before it has joined ends all, without order (launched.py). If the
    `device`, called as open_device takes it, is a GPU, this process takes one for itself. Raises
    ValueError where MPI cannot be used, or no such GPU.
    """
    name, n = size()
    if n == 1:
        yield None, say
        return
    cure = f"on every machine: pip install mpi4py mpich; to train on one alone: unset {name}"
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"{name} is {n}, as set by mpiexec, and mpi4py cannot be used ({error}); it must be "
            f"there, with an MPI library, {cure}"
        ) from None
    cluster = Cluster(MPI)
    if cluster.n != n:
        raise ValueError(
            f"{name} is {n}, as set by mpiexec, and mpi4py finds {cluster.n}; both must be of the "
            f"same MPI library, {cure}"
        )
    if not cluster.leads:
        for number in (signal.SIGINT, signal.SIGTERM):  # sent to all; the leader decides
            signal.signal(number, signal.SIG_IGN)
    with cluster.last:
        try:
            if device.partition(":")[0] == "gpu":
                take_gpu(cluster.index_here, cluster.n_here)
            yield cluster, say if cluster.leads else lambda line: None
        except Dismissed:
            raise
        except BaseException as error:
            cluster.fail(error)
            raise
        cluster.tell(None)


class Cluster:
    """This machine's place among `n`, of which the one with `index` 0 leads."""

    def __init__(self, mpi):
        self._mpi, self._all = mpi, mpi.COMM_WORLD
        self.index, self.n = self._all.rank, self._all.size
        self.leads = self.index == 0
        self._is_at_work = False  # then the others may be waiting for this machine's part
        # those of the processes that run on this very computer: they share its cores and GPUs
        here = self._all.Split_type(mpi.COMM_TYPE_SHARED)
        self.index_here, self.n_here = here.rank, here.size
        # what is closed when all go home: NCCL would wait for those who have not been told to
        self.last = contextlib.ExitStack()

    def share_of(self, n):
        """Return which of `n` rows are this machine's, a slice."""
        return slices(n, self.n)[self.index]

    def n_workers(self, wanted):
        """Return how many workers to use where `wanted` were asked for (0: one a core)."""
        return wanted or max(1, count_cores() // self.n_here)

    # ---- who does what --------------------------------------------------------------------------

    def agree(self, run):
        """Raise ValueError on the first machine unless all describe the same run (resume.py)."""
        if not self.leads and self.hear()[0] is None:
            raise Dismissed(2)
        with self.work("agree"):
            self.meet()
            runs = self._all.allgather(run)
        for index, other in enumerate(runs):
            if self.leads and (differences := list(differing(other, run))):
                raise ValueError(
                    f"machine {index + 1} was started with other settings or files: "
                    f"{', '.join(differences)}; they must be the same everywhere"
                )

    @contextlib.contextmanager
    def work(self, *order):
        """Do one's part of an order in a `with` statement; the first machine gives it to all.

        An order is the name of a method and what it gets.
        """
        self._is_at_work = True  # first: a signal may come between the two
        self.tell(*order)
        try:
            yield
        except NotFinite:  # on all machines
            self._is_at_work = False
            raise
        self._is_at_work = False

    def tell(self, *order):
        """Give the others an order, or None to go home; but for the first machine, do nothing."""
        if self.leads:
            self.first(order)

    def hear(self):
        """Return what the first machine tells next."""
        return self.first(None)

    def fail(self, error):
        """End all machines, at once or as soon as the first one has said why: then return there.

        What is wrong before any work is mostly wrong everywhere, and is said by the first machine.
        """
        if not self._is_at_work:
            if self.leads:
                return self.tell(None)
            if self.hear()[0] is None:
                raise Dismissed(2)
        what = str(error) or type(error).__name__
        if isinstance(error, KeyboardInterrupt):
            what = "stopped"
        print(f"minigpt: machine {self.index + 1} of {self.n}: {what}", file=sys.stderr, flush=True)
        time.sleep(PASSED_ON_S)
        self._all.Abort(2)
        os._exit(2)

    # ---- what they tell each other --------------------------------------------------------------

    def wait(self, request):
        """Wait until a request of MPI's is done; MPI itself would keep a core busy meanwhile."""
        began = time.perf_counter()
        while not request.Test():
            waited = time.perf_counter() - began
            if waited > EAGER_S:
                time.sleep(min(PAUSE * waited, LONGEST_PAUSE_S))

    def meet(self):
        """Wait until all machines are here."""
        self.wait(self._all.Ibarrier())

    def spread(self, array):
        """Fill an array with what the first machine has in it."""
        self._all.Bcast(array)

    def add_up(self, array):
        """Replace an array by the sum of all machines' arrays, everywhere the same."""
        self.meet()
        self._all.Allreduce(self._mpi.IN_PLACE, array)

    def first(self, value):
        """Return the first machine's value; it is sent as a pickle, as mpi4py sends objects."""
        data = pickle.dumps(value) if self.leads else b""
        length = np.array([len(data)])
        self.wait(self._all.Ibcast(length))
        buffer = bytearray(data) if self.leads else bytearray(length[0])
        self.wait(self._all.Ibcast(buffer))
        return pickle.loads(buffer)

    def total(self, number):
        """Return the sum of all machines' numbers, added in the machines' order."""
        self.meet()
        return sum(self._all.allgather(number))


def share(config, device, cluster):
    """Return a TrainConfig whose batch is one machine's, the largest of all shares.

    Raises ValueError where there is no work for each machine.
    """
    if cluster is None:
        return config
    require(
        config.batch_size >= cluster.n, "batch_size", config.batch_size,
        f"be at least {cluster.n}, a window for each machine",
    )  # fmt: skip
    return replace(
        config, batch_size=math.ceil(config.batch_size / cluster.n),
        workers=device.n_workers(cluster.n_workers(config.workers)),
    )  # fmt: skip


def exit_status(report, cluster):
    """Return a command's exit status: 130 for a run that was stopped, as the leader knows."""
    return 130 if report is None and (cluster is None or cluster.leads) else 0
