"""Target tokens/s of train steps against batch, model and sequence length.

    python benchmarks/scaling.py --report
    python benchmarks/scaling.py --report --only=length

Every model lives in a process of its own, with the trainer's own choices of
precision, XLA and lanes, which ends before the next sweep begins. The points
of a sweep are taken in turn, window by window, after one window each to trace
and warm up. A law is fitted to each sweep: tokens/s in proportion to a power
of what is varied. What does not fit the free memory is left out, and said.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring
from contenders import ADAM, Shape, our_step

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
REPORT = measuring.RESULTS / "scaling.json"
MODELS = ("tiny", "small", "base", "big")
_WINDOW_SECONDS = 2.0  # a window has as many steps as that takes, or one
_FREE_SHARE = 0.8  # of the free memory, which a point may ask for


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Points that differ in one thing.

    Fields:
        varied: "batch", "length" or "model".
        points: pairs of a model's name and its batch `(rows, length)`.
    """

    varied: str
    points: tuple[tuple[str, int, int], ...]


def sweeps(quick: bool) -> list[Sweep]:
    """Returns what is measured; with `quick`, what shows that it works."""
    batches = [256, 512] if quick else [256, 512, 1024, 2048, 4096, 8192]
    lengths = [16, 64] if quick else [16, 32, 64, 128, 256, 512, 1024]
    models = MODELS[:2] if quick else MODELS
    tokens = 256 if quick else 2048
    found = [Sweep("model", tuple((m, 1024 // 32, 32) for m in models))]
    found += [
        Sweep("batch", tuple((m, b // 32, 32) for b in batches)) for m in models
    ]
    # At 2,048 tokens, rows of 1,024 are two: one for each of two lanes.
    found += [
        Sweep("length", tuple((m, tokens // n, n) for n in lengths))
        for m in (models if quick else ("tiny", "base"))
    ]
    return found


def shape_of(model: str, rows: int, length: int, vocab_size: int) -> Shape:
    """Returns transformer_<model>'s shape on a batch."""
    from t2t_lite.models.resolve import resolve

    _, h = resolve(f"transformer_{model}")
    sizes = (h.hidden_size, h.filter_size, h.num_heads, h.num_hidden_layers)
    return Shape(*sizes, vocab_size, rows, length)


def needed_bytes(shape: Shape) -> float:
    """Returns roughly what a float32 step of two lanes holds at once.

    Per token and layer, what the backward pass reads of both stacks: some 27
    vectors of the hidden size, 6 of the filter's, and 3 arrays of the weights
    of 3 attentions; 3 arrays of logits. Per weight: the weight, two averages,
    a gradient for each lane and one new value.
    """
    h, f = shape.hidden_size, shape.filter_size
    token = 27 * h + 6 * f + 3 * 3 * shape.num_heads * shape.length
    token = shape.num_layers * token + 3 * shape.vocab_size
    weights = shape.num_layers * (12 * h * h + 4 * h * f)
    weights += h * shape.vocab_size
    return 4 * (shape.rows * shape.length * token + 6 * weights) + 1e9


def serve(model: str, vocab_size: int) -> None:
    """Builds a model and trains on batches as each input line asks."""
    from t2t_lite.trainer import strategies

    with contextlib.redirect_stdout(sys.stderr):
        xla = strategies.choose_xla("auto").value == "on"
        shape = shape_of(model, 1, 2, vocab_size)
        step, lanes = our_step(shape, "auto", xla)
        precision = strategies.choose_precision("auto").value
    facts = {"precision": precision, "xla": xla, "lanes": lanes}
    facts["parameters"] = sum(math.prod(p.shape) for p in step.parameters)
    print(json.dumps(facts), flush=True)
    number = 0
    for line in sys.stdin:
        rows, length, steps = json.loads(line)
        here = dataclasses.replace(shape, rows=rows, length=length)
        inputs, targets = (ids.astype("int32") for ids in here.batch())
        begin = time.perf_counter()
        for _ in range(steps):
            number += 1
            batch = {"inputs": inputs, "targets": targets}
            float(step.update([batch], number, ADAM["lr"])["loss"])
        seconds = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps([seconds, peak]), flush=True)


class Trainer:
    """A process that trains one model."""

    def __init__(self, model: str, vocab_size: int):
        self._begin = time.perf_counter()
        self.first_step: float | None = None
        self.peak_bytes = 0
        self._process = subprocess.Popen(
            [
                *(sys.executable, __file__, f"--serve={model}"),
                f"--vocab_size={vocab_size}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts = json.loads(self._answer())

    def run(self, rows: int, length: int, steps: int) -> float:
        """Makes some steps; returns their seconds."""
        self._process.stdin.write(f"{json.dumps([rows, length, steps])}\n")
        self._process.stdin.flush()
        seconds, self.peak_bytes = json.loads(self._answer())
        if self.first_step is None:
            self.first_step = time.perf_counter() - self._begin
        return seconds

    def _answer(self) -> str:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the process ended with {self._process.wait()} (-9: memory)"
            )
        return line

    def end(self) -> None:
        """Ends the process and waits until its memory is free."""
        self._process.stdin.close()
        self._process.wait()


def free_bytes() -> float:
    """Returns the memory that processes can still take."""
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    raise RuntimeError("/proc/meminfo does not say MemAvailable")


def fitting(
    points: Iterable[tuple[str, int, int]], vocab_size: int
) -> list[tuple[str, int, int]]:
    """Returns the points that the free memory holds; says what it does not.

    One process serves all points of a model and holds what the largest needs;
    those of other models stand beside it.
    """
    kept, needed = [], {}
    for point in points:
        model, rows, length = point
        here = needed_bytes(shape_of(*point, vocab_size))
        beside = sum(v for name, v in needed.items() if name != model)
        if here + beside > _FREE_SHARE * free_bytes():
            print(
                f"  left out {model} {rows} x {length}: it needs about "
                f"{here / 1e9:.0f} GB, with {beside / 1e9:.0f} GB beside it"
            )
            continue
        needed[model] = max(needed.get(model, 0), here)
        kept.append(point)
    return kept


def measure(sweep: Sweep, windows: int, vocab_size: int) -> dict:
    """Returns a sweep's figures: one row for each point."""
    points = fitting(sweep.points, vocab_size)
    trainers = {m: Trainer(m, vocab_size) for m, _, _ in points}
    steps = {}
    for point in points:
        model, rows, length = point
        try:
            trainers[model].run(rows, length, 1)  # traces; the next one tells
            seconds = trainers[model].run(rows, length, 1)
        except RuntimeError as error:
            print(f"  left out {model} {rows} x {length}: {error}", flush=True)
            trainers[model] = Trainer(model, vocab_size)
            continue
        steps[point] = max(1, math.ceil(_WINDOW_SECONDS / seconds))
    points = list(steps)
    found = measuring.windows_in_turn(
        {p: lambda p=p: trainers[p[0]].run(*p[1:], steps[p]) for p in points},
        windows,
    )
    for trainer in trainers.values():
        trainer.end()
    rows = [
        _row(sweep, p, [s / steps[p] for s in found[p]], trainers[p[0]])
        for p in points
    ]
    _add_operations(rows, vocab_size)
    return {"varied": sweep.varied, "rows": rows, **fit(sweep.varied, rows)}


def _row(sweep: Sweep, point, seconds: Sequence[float], trainer) -> dict:
    model, rows, length = point
    return {
        "model": model,
        "rows": rows,
        "length": length,
        "batch": rows * length,
        "target_tokens_per_second": measuring.spread(rows * length, seconds),
        "seconds_to_first_step": round(trainer.first_step, 1),
        "peak_gigabytes_of_process": round(trainer.peak_bytes / 1e9, 2),
        **trainer.facts,
    }


def _add_operations(rows: list[dict], vocab_size: int) -> None:
    for row in rows:
        point = (row["model"], row["rows"], row["length"])
        flops = shape_of(*point, vocab_size).matmul_flops
        row["flops_per_target_token"] = flops / row["batch"]


def fit(varied: str, rows: Sequence[dict]) -> dict:
    """Returns the power law `tokens/s ~ x^exponent` of a sweep.

    x is the batch, the length, or, of models, their operations per target
    token; a least-squares line through the logarithms of the medians.
    `largest_miss` is the largest factor between law and median.
    """
    import numpy as np

    if len(rows) < 2:
        return {"exponent": None, "largest_miss": None}
    x = np.log([row[X_NAMES[varied]] for row in rows])
    y = np.log([row["target_tokens_per_second"]["median"] for row in rows])
    slope, offset = np.polyfit(x, y, 1)
    miss = np.exp(np.abs(y - slope * x - offset).max())
    return {"exponent": round(float(slope), 3), "largest_miss": float(miss)}


X_NAMES = {
    "batch": "batch",
    "length": "length",
    "model": "flops_per_target_token",
}
_X_LABELS = {
    "batch": "batch (target tokens), rows of 32",
    "length": "sequence length (tokens), same batch",
    "model": "operations of products (FLOP / target token)",
}


def plot(found: Sequence[dict], path: str) -> None:
    """Draws a panel for each thing that is varied, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, varied in zip(figure.subplots(1, 3), _X_LABELS, strict=True):
        for sweep in found:
            if sweep["varied"] == varied and sweep["rows"]:
                _draw(axes, sweep)
        axes.set(xscale="log", yscale="log", xlabel=_X_LABELS[varied])
        if varied != "model":
            mine = [s for s in found if s["varied"] == varied]
            _label(axes, [r[varied] for s in mine for r in s["rows"]])
        axes.set_ylabel("training speed (target tokens / s)")
        axes.grid(alpha=0.3, which="both")
        if axes.has_data():
            axes.legend()
    figure.savefig(path, format="png", dpi=110)
    print(f"written {path}")


def _label(axes, values: Sequence[int]) -> None:
    """Labels a logarithmic axis at the values that were measured."""
    from matplotlib.ticker import NullFormatter

    ticks = sorted(set(values))
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks], fontsize="small")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw(axes, sweep: dict) -> None:
    rows = sweep["rows"]
    rates = [row["target_tokens_per_second"] for row in rows]
    x = [row[X_NAMES[sweep["varied"]]] for row in rows]
    y = [rate["median"] for rate in rates]
    below = [rate["median"] - rate["least"] for rate in rates]
    above = [rate["most"] - rate["median"] for rate in rates]
    several = sweep["varied"] == "model"
    names = [row["model"] for row in rows]
    name = f"{names[0]} to {names[-1]}" if several else names[0]
    law = "" if sweep["exponent"] is None else f" ~ x^{sweep['exponent']:.2f}"
    axes.errorbar(x, y, (below, above), fmt="o-", capsize=3, label=name + law)


def _print(found: Sequence[dict]) -> None:
    cells = [
        (
            sweep["varied"],
            row["model"],
            f"{row['rows']:,} x {row['length']:,}",
            measuring.text_of(row["target_tokens_per_second"]),
            f"{row['seconds_to_first_step']:.1f} s",
            f"{row['peak_gigabytes_of_process']:.1f} GB",
        )
        for sweep in found
        for row in sweep["rows"]
    ]
    head = ("varied", "model", "batch", "target tokens/s", "first step")
    measuring.print_table((*head, "process"), cells)
    for sweep in found:
        if sweep["exponent"] is not None:
            models = {row["model"]: None for row in sweep["rows"]}
            print(
                f"{sweep['varied']} of {', '.join(models)}: tokens/s ~ "
                f"x^{sweep['exponent']:.2f}, within a factor of "
                f"{sweep['largest_miss']:.2f}"
            )


def main() -> None:
    """Measures all sweeps, prints and draws them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--vocab_size", type=int, default=8192)
    parser.add_argument(
        "--quick", action="store_true", help="few small points, to try it"
    )
    parser.add_argument(
        "--only",
        choices=X_NAMES,
        help="what is varied; a report keeps its other sweeps",
    )
    parser.add_argument(
        "--report",
        nargs="?",
        const=str(REPORT),
        help="JSON file (%(const)s), and a PNG beside it",
    )
    parser.add_argument("--serve", choices=MODELS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.vocab_size)
        return
    found = []
    for sweep in sweeps(args.quick):
        if args.only not in (None, sweep.varied):
            continue
        models = dict.fromkeys(point[0] for point in sweep.points)
        print(f"{sweep.varied}: {', '.join(models)}", flush=True)
        found.append(measure(sweep, args.windows, args.vocab_size))
    _print(found)
    if args.report:
        content = {"vocab_size": args.vocab_size, "windows": args.windows}
        if args.only:
            found = _others(args.report, args.only, content) + found
        measuring.write_report(args.report, {**content, "sweeps": found})
        plot(found, str(pathlib.Path(args.report).with_suffix(".png")))


def _others(path: str, varied: str, content: dict) -> list[dict]:
    """Returns the sweeps of a report of the same settings and other kinds."""
    report = json.loads(pathlib.Path(path).read_text())
    for name, value in content.items():
        if report[name] != value:
            raise SystemExit(
                f"{path} has {name}={report[name]}; give the same, or another "
                "--report"
            )
    return [s for s in report["sweeps"] if s["varied"] != varied]


if __name__ == "__main__":
    main()
