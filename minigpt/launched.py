"""Was this process started by MPI's mpiexec, as one of several? Read from the environment, without
MPI (cluster.py)."""

import os
import signal
import sys
import time

# the number of processes, as Open MPI's and MPICH's launchers tell it
SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
PASSED_ON_S = 0.5  # until mpiexec has passed on what was said; while it ends all, it may not


def size():
    """Return the variable that says how many processes were started, and the number; (None, 1)."""
    name = next((name for name in SIZES if name in os.environ), None)
    return name, int(os.environ[name]) if name else 1


def end_all_after(status):
    """End the processes started beside this one, if it fails before it has joined them.

    They wait for it in MPI_Init. Open MPI's launcher ends them because of the exit status; MPICH's
    does so only if a process is ended by a signal, which this process then sends to itself. Once
    MPI is there, it is told (cluster.py).
    """
    has_launcher = size()[1] > 1 and "PMI_FD" in os.environ  # a pipe to MPICH's
    if status and has_launcher and "mpi4py.MPI" not in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(PASSED_ON_S)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
