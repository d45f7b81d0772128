"""Several GPUs that add up arrays, by NCCL, NVIDIA's library for that: no number passes a host.

Each GPU has a process of its own, of a cluster (cluster.py). The processes find each other by an id
that one of them makes up and MPI carries to the others. From then on NCCL knows the ways between
the GPUs, NVLink, PCIe or a network, and takes the fastest. A sum is only enqueued on a stream, like
a kernel; it begins when all GPUs have come to it. All of them get the same sum, to the last bit.

In which order it adds, NCCL does not promise: where switches add (NVLink SHARP), a run that is made
again may end in other last bits.

Sources: NCCL's user guide, "Creating a communicator", "Group calls", "Destroying a communicator";
S. Jeaugey in NVIDIA/nccl issues 434, 855 (the same everywhere) and 1497 (not the same again).
"""

import warnings

import numpy as np

from minigpt.cuda.checks import INSTALL, one_line
from minigpt.cuda.kernels import address

LEADER = 0


def library():
    """Return CuPy's module of NCCL; raise ValueError where the library itself is not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy's, of many lines
        from cupy.cuda import nccl
    if not nccl.available:
        raise ValueError(
            f"device is 'gpu' in several processes, whose gradients NCCL adds up, and CuPy finds "
            f"no NCCL; it must be there: {INSTALL}"
        )
    return nccl


class Gpus:
    """The GPUs of a cluster; this process speaks for its current one.

    All processes must make it, call its methods with arrays of the same sizes, and close it, in the
    same order. Arrays are contiguous and of float32, as weights, gradients and moments are whatever
    the precision. Raises ValueError where the GPUs cannot be connected.
    """

    def __init__(self, cluster):
        self.nccl = nccl = library()
        try:
            name = cluster.first(nccl.get_unique_id() if cluster.leads else None)
            self.communicator = nccl.NcclCommunicator(cluster.n, name, cluster.index)
        except RuntimeError as error:
            raise ValueError(f"NCCL cannot connect the GPUs: {one_line(error)}") from error

    def add_up(self, stream, *arrays):
        """Enqueue on `stream` that each array becomes the sum of all GPUs' arrays."""
        nccl = self.nccl
        nccl.groupStart()  # then all arrays are one launch
        for x in arrays:
            self.communicator.allReduce(*in_place(nccl, x), nccl.NCCL_SUM, stream.ptr)
        nccl.groupEnd()

    def spread(self, stream, *arrays):
        """Enqueue on `stream` that each array becomes what the leader has in it."""
        nccl = self.nccl
        nccl.groupStart()
        for x in arrays:
            self.communicator.broadcast(*in_place(nccl, x), LEADER, stream.ptr)
        nccl.groupEnd()

    def close(self):
        """Wait for what was enqueued, and for the other processes here to close theirs."""
        self.communicator.destroy()


def in_place(nccl, x):
    """Return what NCCL is to be told of an array: from where, to where, how many, of which type."""
    assert x.dtype == np.float32 and x.flags.c_contiguous
    return address(x), address(x), x.size, nccl.NCCL_FLOAT32
