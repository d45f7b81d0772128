"""An NCCL without GPUs: it sums the arrays of fake_cupy.py in the processes of an MPI program.

What NCCL may answer with an endless wait is an error here: another id, a GPU that two processes
use. Work is done at the end of its group, and on the stream that is used. Capturing it, which NCCL
could, is not meant to happen.
"""

import ctypes
import os

import fake_cupy
import numpy as np

available = True
NCCL_FLOAT32, NCCL_SUM, NCCL_AVG = 7, 0, 4  # as nccl.h has them
_group, _depth = [], 0
log = []  # of what was asked for: (name, number of elements)


class NcclError(RuntimeError):
    pass


def get_unique_id():
    return os.urandom(128)


def get_version():
    return 22707


def groupStart():
    global _depth
    _depth += 1


def groupEnd():
    global _depth
    _depth -= 1
    assert _depth >= 0, "no group has begun"
    while _depth == 0 and _group:
        _group.pop(0)()


class NcclCommunicator:
    def __init__(self, ndev, commId, rank):
        from mpi4py import MPI

        world = MPI.COMM_WORLD if ndev > 1 else MPI.COMM_SELF
        assert isinstance(commId, bytes) and len(commId) == 128
        self._all = world.Dup()
        given = self._all.allgather((commId, fake_cupy.place["gpu"]))
        ids, gpus = map(set, zip(*given, strict=True))
        if (self._all.size, self._all.rank, len(ids)) != (ndev, rank, 1) or len(gpus) < ndev:
            raise NcclError("NCCL_ERROR_INVALID_USAGE: invalid usage (run with NCCL_DEBUG=WARN)")

    def allReduce(self, sendbuf, recvbuf, count, datatype, op, stream):
        from mpi4py import MPI

        def reduce(x):
            self._all.Allreduce(MPI.IN_PLACE, x)
            if op == NCCL_AVG:
                x /= self._all.size

        assert op in (NCCL_SUM, NCCL_AVG)
        self._do("allReduce", sendbuf, recvbuf, count, datatype, stream, reduce)

    def broadcast(self, sendbuff, recvbuff, count, datatype, root, stream):
        self._do("broadcast", sendbuff, recvbuff, count, datatype, stream,
                 lambda x: self._all.Bcast(x, root))  # fmt: skip

    def _do(self, name, source, target, count, datatype, stream, function):
        assert datatype == NCCL_FLOAT32
        assert fake_cupy.tape is None, "NCCL was captured"
        used = fake_cupy.place["stream"]
        assert used.ptr == stream and used.waited
        log.append((name, count))
        given, x = (
            np.ctypeslib.as_array((ctypes.c_float * count).from_address(at))
            for at in (source, target)
        )
        _group.append(lambda: (np.copyto(x, given), function(x)))
        if _depth == 0:
            _group.pop()()

    def destroy(self):
        self._all.Barrier()  # as NCCL waits for those on the same computer
        self._all.Free()
