"""Peak memory of a process that trains, beside the peers, and what saves it.

    python -m pip install ".[peers]"
    python benchmarks/memory.py --rows=128 --length=32 --report

Each contender makes a few whole updates in a process of its own, the
contenders in turn (A B C A B C ...). The table has the median over repeats of
the most memory that a process ever had (its "maximum resident set size", with
libraries, weights and Adam's slots), and of its target tokens/s. What is not
installed is skipped, and said.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring
from contenders import SHAPES, hugging_face, joeynmt, keras_hub, ours

_CHUNK = 512
_SAVING = {
    "": {},
    " --recompute": {"recompute": True},
    f" softmax_chunk={_CHUNK}": {"softmax_chunk": _CHUNK},
    " both": {"recompute": True, "softmax_chunk": _CHUNK},
}
CONTENDERS = {
    f"t2t_lite {precision}{name}": (
        functools.partial(ours, changes=changes),
        precision,
    )
    for precision in ("bfloat16", "float32")
    for name, changes in _SAVING.items()
} | {
    f"{name} {precision}": (build, precision)
    for name, build in (
        ("Hugging Face", hugging_face),
        ("JoeyNMT", joeynmt),
        ("KerasHub fit", keras_hub),
    )
    for precision in ("bfloat16", "float32")
}


def measure(name: str, shape, steps: int) -> None:
    """Prints the peak in bytes and the seconds of each step but the first."""
    build, precision = CONTENDERS[name]
    seconds = []
    with contextlib.redirect_stdout(sys.stderr):
        train, _ = build(shape, precision, False)
        for _ in range(steps + 1):
            begin = time.perf_counter()
            train(1)
            seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peak": peak, "seconds": seconds[1:]}))


def measure_in_turn(names, arguments, repeats: int) -> dict[str, list[dict]]:
    """Returns what each contender's processes printed."""
    found: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in list(found):
            command = [sys.executable, __file__, f"--serve={name}", *arguments]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                last = done.stderr.strip().splitlines()[-1]
                print(f"  skipped {name}: {last}", flush=True)
                del found[name]
                continue
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            peak = found[name][-1]["peak"] / 1e9
            print(f"  {name}: {peak:.2f} GB", flush=True)
    return found


def rows_of(found: dict[str, list[dict]], tokens: int) -> list[dict]:
    """Returns a table row of each contender."""
    rows = []
    for name, runs in found.items():
        peaks = [run["peak"] / 1e9 for run in runs]
        seconds = [s for run in runs for s in run["seconds"]]
        rows.append(
            {
                "contender": name,
                "peak_gb": round(statistics.median(peaks), 2),
                "least_gb": round(min(peaks), 2),
                "most_gb": round(max(peaks), 2),
                "tokens_per_second": round(
                    measuring.spread(tokens, seconds)["median"]
                ),
            }
        )
    return rows


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--steps", type=int, default=2, help="after the first")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS)
    parser.add_argument(
        "--report",
        nargs="?",
        const=measuring.RESULTS / "memory.json",
        help="JSON file of the figures",
    )
    parser.add_argument("--serve", choices=CONTENDERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    shape = dataclasses.replace(
        SHAPES[args.shape], rows=args.rows, length=args.length
    )
    if args.serve:
        measure(args.serve, shape, args.steps)
        return
    sizes = ("shape", "rows", "length", "steps")
    arguments = [f"--{name}={getattr(args, name)}" for name in sizes]
    print(f"{args.shape}: {shape}", flush=True)
    names = args.only or CONTENDERS
    found = measure_in_turn(names, arguments, args.repeats)
    rows = rows_of(found, args.rows * args.length)
    measuring.print_table(
        ("", "peak", "least", "most", "tokens/s"),
        [
            (
                row["contender"],
                f"{row['peak_gb']:.2f} GB",
                f"{row['least_gb']:.2f}",
                f"{row['most_gb']:.2f}",
                f"{row['tokens_per_second']:,}",
            )
            for row in rows
        ],
    )
    if args.report:
        report = {"shape": dataclasses.asdict(shape), "rows": rows}
        measuring.write_report(args.report, {**report, "repeats": args.repeats})


if __name__ == "__main__":
    main()
