"""Target tokens/s of whole train steps, beside the peers on the same batch.

    pip install ".[peers]" && pip install --no-deps joeynmt
    python benchmarks/train_speed.py --shape=base --windows=5 --report=base.json

Every contender lives in a process of its own, on all cores. Windows of a few
steps are taken in turn, A B C A B C ..., while the others wait; the table has
the median and the spread of the windows after one to warm up. What is not
installed is skipped, and said. Beside them stands the machine's own limit: the
step's matrix products alone, at the rate measured in the same run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring
from contenders import CONTENDERS, SHAPES

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_STEPS = {"base": 2, "tiny": 8}


def serve(name: str, shape: str) -> None:
    """Builds a contender and runs as many steps as each input line says."""
    build, precision, xla = CONTENDERS[name]
    with contextlib.redirect_stdout(sys.stderr):
        train, facts = build(SHAPES[shape], precision, xla)
        begin = time.perf_counter()
        train(1)
        facts["first"] = time.perf_counter() - begin
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        begin = time.perf_counter()
        train(int(line))
        print(time.perf_counter() - begin, flush=True)


def matmul_rates() -> None:
    """Prints floating-point operations a second of products, by precision."""
    import tensorflow as tf

    rates = {}
    for precision in ("float32", "bfloat16"):
        a = tf.cast(tf.random.normal((2048, 2048)), precision)
        product = tf.function(lambda a: tf.matmul(a, a))
        product(a)
        times = []
        for _ in range(12):
            begin = time.perf_counter()
            product(a)[0, 0].numpy()
            times.append(time.perf_counter() - begin)
        rates[precision] = 2 * 2048**3 / statistics.median(times)
    print(json.dumps(rates))


def _machine() -> str:
    with open("/proc/cpuinfo") as file:
        text = file.read()
    name = text.split("model name", 1)[1].split(":", 1)[1].split("\n", 1)[0]
    found = [f for f in ("amx_bf16", "avx512_bf16", "avx512f") if f in text]
    units = ", ".join(found) or "no AVX-512"
    return f"{os.cpu_count()} cores of {name.strip()} ({units})"


def _row(contender: measuring.Contender, seconds, shape, rates) -> dict:
    """Returns a contender's figures from the seconds of one step."""
    tokens = shape.rows * shape.length
    speeds = measuring.spread(tokens, seconds)
    precision = CONTENDERS[contender.name][1]
    limit = shape.matmul_flops / rates[precision]  # seconds a step
    facts = contender.facts
    return {
        "contender": contender.name,
        "tokens_per_second": round(speeds["median"]),
        "least": round(speeds["least"]),
        "most": round(speeds["most"]),
        "utilisation": round(limit * speeds["median"] / tokens, 3),
        "first_step_seconds": round(facts["first"], 1),
        "parameters": facts["parameters"],
        "lanes": facts.get("lanes"),
    }


def _print_table(rows: list[dict]) -> None:
    best = rows[0]["tokens_per_second"]
    head = ("", "tokens/s", "least", "most", "ours / it", "of the limit")
    measuring.print_table(
        (*head, "first step", "lanes"),
        [
            (
                row["contender"],
                f"{row['tokens_per_second']:,}",
                f"{row['least']:,}",
                f"{row['most']:,}",
                f"{best / row['tokens_per_second']:.2f}",
                f"{row['utilisation']:.1%}",
                f"{row['first_step_seconds']:.1f} s",
                str(row["lanes"] or ""),
            )
            for row in rows
        ],
    )


def compare(args) -> None:
    """Runs all contenders in turn and prints the table."""
    shape, steps = SHAPES[args.shape], _STEPS[args.shape]
    machine = _machine()
    print(f"{args.shape}: {shape}\non {machine}", flush=True)
    found = subprocess.run(
        [sys.executable, __file__, "--matmul"],
        capture_output=True,
        text=True,
        check=True,
    )
    rates = json.loads(found.stdout.splitlines()[-1])
    contenders = []
    for name in args.only or CONTENDERS:
        contender = measuring.Contender(name, __file__, f"--shape={args.shape}")
        if contender.facts is None:
            print(f"  skipped {name}: {contender.why_not()}", flush=True)
        else:
            contenders.append(contender)
            print(f"  ready {name}", flush=True)
    seconds = measuring.windows_in_turn(
        {c: lambda c=c: c.ask(steps) / steps for c in contenders}, args.windows
    )
    for contender in contenders:
        contender.end()
    rows = [_row(c, seconds[c], shape, rates) for c in contenders]
    # Ours first, the fastest of them at the head.
    rows.sort(key=_rank)
    _print_table(rows)
    if args.report:
        report = {
            "shape": args.shape,
            "machine": machine,
            "matmul_flops_per_second": rates,
            "windows": args.windows,
            "steps_per_window": steps,
            "rows": rows,
        }
        measuring.write_report(args.report, report)


def _rank(row: dict) -> tuple[bool, int]:
    ours = row["contender"].startswith("t2t_lite")
    return not ours, -row["tokens_per_second"] if ours else 0


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS)
    parser.add_argument("--report", help="JSON file of the figures")
    parser.add_argument("--serve", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--matmul", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.shape)
    elif args.matmul:
        matmul_rates()
    else:
        compare(args)


if __name__ == "__main__":
    main()
