"""`make bench DEVICE=gpu`: what a GPU makes of ours and of PyTorch's, all of it in one run.

    python tests/bench_gpu.py [--text tinyshakespeare.txt] [-o folder] [--only PART] [--toy]

Each part runs in a process of its own with a time limit, so that one that fails, or takes the
GPU's context down with it, does not lose the others. A part prints its lines and gives its figures;
all of them go to folder/bench_gpu.json. Together they take less than ten minutes.

`--toy` runs all parts at tiny sizes, to see whether the script itself works; where there is no GPU
those that need none still run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = {  # what there is, in the order it is run; seconds that it may take
    "device": 60,
    "exactness": 60,
    "gpt2": 170,
    "shakespeare": 150,
    "tinyshakespeare": 150,
    "attention": 50,
    "products": 60,
    "kernels": 60,
    "launches": 40,
    "generation": 50,
}
TOTAL_S = 590


def find(part):
    """Return the function of a part; each takes the command line and returns figures."""
    import bench_gpu_kernels
    import bench_gpu_training

    for module in (bench_gpu_kernels, bench_gpu_training):
        if hasattr(module, f"part_{part}"):
            return getattr(module, f"part_{part}")
    raise ValueError(f"there is no part {part!r}; they are {', '.join(PARTS)}")


def run_part(part, arguments, limit_s):
    """Run a part in a new process; return its figures, or {"error"} where it has none."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        command = [sys.executable, __file__, "--part", part, "--found", str(found)]
        command += ["--text", arguments.text] if arguments.text else []
        command += ["--toy"] if arguments.toy else []
        began = time.monotonic()
        try:
            code = subprocess.run(command, timeout=limit_s).returncode
            error = None if code == 0 else f"ended with status {code}"
        except subprocess.TimeoutExpired:
            error = f"took longer than {limit_s:.0f} s"
        figures = json.loads(found.read_text()) if found.exists() else {}
    if error:
        figures["error"] = f"{figures['error']} ({error})" if "error" in figures else error
        print(f"  {part}: {figures['error']}", flush=True)
    return figures | {"seconds": round(time.monotonic() - began, 1)}


def in_this_process(part, arguments):
    """Run a part here; write its figures, those before an error too; return the exit status."""
    figures = {}

    def note(**more):
        figures.update(more)
        Path(arguments.found).write_text(json.dumps(figures))

    try:
        find(part)(arguments, note)
    except Exception as error:
        note(error=f"{type(error).__name__}: {error}".partition("\n")[0])
        return 1
    return 0


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", help="tinyshakespeare, to train shakespeare-gpu on")
    parser.add_argument(
        "-o", "--out", default="out", help="folder for bench_gpu.json (%(default)s)"
    )
    parser.add_argument("--only", choices=PARTS, nargs="+", help="no other parts")
    parser.add_argument("--toy", action="store_true", help="tiny sizes")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--found", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.part:
        return in_this_process(arguments.part, arguments)
    began, found = time.monotonic(), {}
    file = Path(arguments.out) / "bench_gpu.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    for part in arguments.only or PARTS:
        print(f"--- {part}", flush=True)
        left = TOTAL_S - (time.monotonic() - began)
        found[part] = run_part(part, arguments, min(PARTS[part], left)) if left > 5 else {
            "error": "no time was left"
        }  # fmt: skip
        file.write_text(json.dumps(found, indent=1))
    failed = [part for part, figures in found.items() if "error" in figures]
    said = f"; failed: {', '.join(failed)}" if failed else ""
    took = time.monotonic() - began
    print(f"{file}: {len(found) - len(failed)} parts of {len(found)} in {took:.0f} s{said}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
