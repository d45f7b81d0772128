"""`make bench DEVICE=gpu`: what a GPU makes of ours and of PyTorch's, all of it in one run.

    python tests/bench_gpu.py [--text tinyshakespeare.txt] [-o folder] [--only PART] [--toy]

Each part runs in a process of its own with a time limit, so that one that fails, or takes the
GPU's context down with it, does not lose the others. A part prints its lines and gives its figures
as they come: to folder/bench_gpu/PART.json, and all of them to folder/bench_gpu.json. What one part
leaves of its time, the next may take; together they take less than ten minutes. What takes longest
and is asked for least, PyTorch compiled, comes last.

`--toy` runs all parts at tiny sizes, to see whether the script itself works. It needs no more than
a Python that has the packages of the extras `gpu` and, for the peer, torch.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # the product, where it is not installed

PARTS = {  # in the order in which they are run, the seconds of each
    "device": 50,
    "tests": 70,
    "exactness": 35,
    "gpt2": 90,
    "shakespeare": 60,
    "tinyshakespeare": 75,
    "attention": 25,
    "kernels": 30,
    "products": 20,
    "launches": 15,
    "generation": 20,
    "nccl": 24,
    "compiled": 65,
}
END_S = 10  # the longest that is waited for a process to end that was killed


def find(part):
    """Return the function of a part; each takes the command line and returns figures."""
    import bench_gpu_kernels
    import bench_gpu_nccl
    import bench_gpu_state
    import bench_gpu_training

    for module in (bench_gpu_state, bench_gpu_kernels, bench_gpu_training, bench_gpu_nccl):
        if hasattr(module, f"part_{part}"):
            return getattr(module, f"part_{part}")
    raise ValueError(f"there is no part {part!r}; they are {', '.join(PARTS)}")


def run_part(part, arguments, folder, limit_s):
    """Run a part in a new process; return its figures, with an "error" where it failed."""
    found = folder / f"{part}.json"
    found.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--part", part, "--found", str(found)]
    command += ["--text", arguments.text] if arguments.text else []
    command += ["--toy"] if arguments.toy else []
    began, error = time.monotonic(), None
    process = subprocess.Popen(command, start_new_session=True)
    try:
        code = process.wait(limit_s)
        if code:
            error = f"ended with status {code}"
    except subprocess.TimeoutExpired:
        error = f"took longer than {limit_s:.0f} s"
    finally:
        end(process)
    figures = json.loads(found.read_text()) if found.exists() else {}
    if error:
        figures["error"] = f"{figures['error']} ({error})" if "error" in figures else error
        print(f"  {part}: {figures['error']}", flush=True)
    return figures | {"seconds": round(time.monotonic() - began, 1)}


def end(process):
    """End a process and all that it has started.

    Whoever waits for a GPU that hangs ends only when the driver lets it: the others need not wait.
    """
    with contextlib.suppress(ProcessLookupError):  # all have ended
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_S)


@contextlib.contextmanager
def left_by_an_exception():
    """Have SIGTERM raise SystemExit meanwhile, so that the part that is running is ended, too."""

    def leave(number, frame):
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def in_this_process(part, arguments):
    """Run a part here; write its figures, those before an error too; return the exit status."""
    from bench_gpu_common import cause

    figures, status = {}, 0

    def note(**more):
        figures.update(more)
        new = Path(f"{arguments.found}.new")  # this process may be ended at any time
        new.write_text(json.dumps(figures, default=str))
        new.replace(arguments.found)

    try:
        find(part)(arguments, note)
    except Exception as error:
        note(error=cause(error))
        status = 1
    refused = products_without_algorithm()
    if refused is not None:
        note(products_without_algorithm=refused)
        print(f"  kinds of product that cublasLt has no algorithm for: {len(refused)}"
              + "".join(f"\n    {kind}" for kind in refused[:5]), flush=True)  # fmt: skip
    return status


def products_without_algorithm():
    """Return those that this process asked for; None where it multiplied nothing on a GPU."""
    gemm = sys.modules.get("minigpt.cuda.gemm")
    handles = gemm._handles.values() if gemm else ()
    return [str(kind) for lt in handles for kind in lt.without_algorithm()] if handles else None


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
    file = Path(arguments.out) / "bench_gpu.json"
    folder = file.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    found, began, until = {}, time.monotonic(), 0
    for part in arguments.only or PARTS:
        print(f"--- {part}", flush=True)
        until += PARTS[part]
        with left_by_an_exception():
            found[part] = run_part(part, arguments, folder, until - (time.monotonic() - began))
        file.write_text(json.dumps(found, indent=1))
    failed = [part for part, figures in found.items() if "error" in figures]
    said = f"; failed: {', '.join(failed)}" if failed else ""
    took = time.monotonic() - began
    print(f"{file}: {len(found) - len(failed)} parts of {len(found)} in {took:.0f} s{said}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
