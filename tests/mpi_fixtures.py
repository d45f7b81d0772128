"""A pytest plugin, for test files that say `pytest_plugins = ["mpi_fixtures"]`."""

import subprocess
import sys
from pathlib import Path

import pytest
from mpi_programs import MPIEXEC


@pytest.fixture(scope="module")
def mpi():
    pytest.importorskip("mpi4py")
    if MPIEXEC is None:
        pytest.skip("no mpiexec: pip install mpich")
    words = [MPIEXEC, "-n", "2", sys.executable, "-c", "from mpi4py import MPI"]
    if subprocess.run(words, capture_output=True, timeout=60).returncode != 0:
        pytest.skip("mpiexec starts nothing here")


@pytest.fixture
def no_litter():
    """Remove what MPICH's mpiexec leaves behind, wherever TMPDIR is, when a program aborts."""
    before = set(Path("/tmp").glob("hydra_hwloc_xmlfile_*"))
    yield
    for file in set(Path("/tmp").glob("hydra_hwloc_xmlfile_*")) - before:
        file.unlink(missing_ok=True)
