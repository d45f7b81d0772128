"""Have NumPy's matrix library use the widest vectors the processor has. To be called before NumPy
is imported; imports nothing of it.

OpenBLAS, the library in NumPy's wheels, picks its kernels by the processor's name when it is
loaded. A processor newer than the library is a stranger to it: on AMD's Zen 5 it falls back to
kernels of 256 bits where 512 are there, which halves the speed of every matrix product. The
variable OPENBLAS_CORETYPE overrides its choice.

Sources: OpenBLAS, README.md, "Setting the target core at runtime"; Linux, proc_cpuinfo(5).
"""

import os
from pathlib import Path

# What the kernels named SkylakeX need; OpenBLAS uses them on AMD's Zen 4, too.
NEEDED = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def choose_kernels(environment=os.environ, cpuinfo="/proc/cpuinfo"):
    """Set OPENBLAS_CORETYPE on an AMD processor with AVX-512, unless it is set already.

    Intel's own are known to OpenBLAS, and where there is no such file nothing is changed.
    """
    try:
        text = Path(cpuinfo).read_text(encoding="utf-8")
    except OSError:
        return
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    if "AuthenticAMD" in text and set(flags) >= NEEDED:
        environment.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
