"""Target tokens/s of whole train steps: graph against XLA, and allocators.

    python benchmarks/train_modes.py --model=transformer_tiny --repeats=5

Each mode runs in a process of its own, the modes in turn (A B C A B C ...);
the table gives the median and the spread of the processes, and the ratio to
the first mode. Times are of this machine alone: quote the ratios.
"""

import argparse
import json
import platform
import subprocess
import sys
import time

import numpy as np

import t2t_lite  # noqa: F401 turns oneDNN on, in every mode alike

MODES = {
    "graph": ("graph", False),
    "graph, freed memory kept": ("graph", True),
    "XLA": ("xla", False),
    "XLA, freed memory kept": ("xla", True),
}


def measure(model: str, mode: str, rows: int, length: int, vocab: int):
    """Prints the seconds of the first step and tokens/s of the later ones."""
    execution, keep = MODES[mode]
    if keep:
        from t2t_lite.trainer.memory import keep_freed_memory

        keep_freed_memory()
    import tensorflow as tf

    from t2t_lite.models.resolve import build, resolve
    from t2t_lite.trainer.step import TrainStep

    name, hparams = resolve(model)
    step = TrainStep(
        build(name, hparams, vocab, "float32"),
        hparams,
        tf.distribute.get_strategy(),
        xla=execution == "xla",
        seed=1,
    )
    rng = np.random.default_rng(0)
    batch = {
        side: rng.integers(3, vocab, (rows, length)).astype(np.int32)
        for side in ("inputs", "targets")
    }
    times = []
    for number in range(1, 10):
        begin = time.perf_counter()
        float(step.update([batch], number, 1e-4)["loss"])
        times.append(time.perf_counter() - begin)
    speed = rows * length / float(np.median(times[2:]))
    print(json.dumps({"first": times[0], "speed": speed}))


def main():
    """Runs every mode in turn and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="transformer_tiny")
    parser.add_argument("--rows", type=int, default=102)
    parser.add_argument("--length", type=int, default=20)
    parser.add_argument("--vocab", type=int, default=8000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.mode:
        measure(args.model, args.mode, args.rows, args.length, args.vocab)
        return
    found = {mode: [] for mode in MODES}
    for _ in range(args.repeats):
        for mode, results in found.items():
            done = subprocess.run(
                [sys.executable, *sys.argv, f"--mode={mode}"],
                capture_output=True,
                text=True,
                check=True,
            )
            results.append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{args.model}, {args.rows} x {args.length}, {platform.processor()}")
    print(
        f"{'mode':<26}{'tokens/s':>10}{'min':>9}{'max':>9}{'ratio':>7}", end=""
    )
    print(f"{'first step s':>14}")
    base = np.median([r["speed"] for r in found["graph"]])
    for mode, results in found.items():
        speeds = [r["speed"] for r in results]
        middle = np.median(speeds)
        first = np.median([r["first"] for r in results])
        print(
            f"{mode:<26}{middle:>10,.0f}{min(speeds):>9,.0f}"
            f"{max(speeds):>9,.0f}{middle / base:>7.2f}{first:>14.1f}"
        )


if __name__ == "__main__":
    main()
