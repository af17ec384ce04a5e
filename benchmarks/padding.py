"""Padding of planned batches, and what it costs a train step.

    python benchmarks/padding.py --source_dir=multi30k --report

For plans of one and of several examples in a row on Multi30k: the share of
padding, the shapes, and target tokens/s of training on the batches, windows in
turn. Beside plans of one example in a row stands the least padding that any
choice of as many shapes could leave (a Lagrangian bound, without fillers).
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
REPORT = measuring.RESULTS / "padding.json"


def least_padding(
    lengths: dict[str, np.ndarray], shapes: int, rounds: int = 1500
) -> float:
    """Returns a share of padding that no `shapes` bucket shapes can go below.

    Each pair of lengths must lie in one shape, and at most so many shapes are
    open. Where the first is asked for by prices alone, the best shapes are
    those whose examples earn most, and the total is a bound for any prices;
    subgradient steps raise it. Fillers of last batches are not counted.

    Args:
        lengths: "inputs" and "targets", int arrays `(n,)`.
        shapes: int.
        rounds: int, steps; more give a tighter bound.
    """
    pairs = np.stack([lengths["inputs"], lengths["targets"]], axis=1)
    cells, counts = np.unique(pairs, axis=0, return_counts=True)
    bounds = [np.unique(cells[:, side]) for side in (0, 1)]
    grid = np.stack(np.meshgrid(*bounds, indexing="ij"), -1).reshape(-1, 2)
    fits = (cells[:, None] <= grid[None]).all(axis=2)
    cost = np.where(fits, grid.sum(1)[None] * counts[:, None], np.inf)
    prices = 1.1 * cells.sum(1) * counts
    real, best, step, since = int(pairs.sum()), 0.0, 1.0, 0
    largest = len(grid) - 1  # holds the longest of both sides: always open
    upper = cost[:, largest].sum()  # what the largest alone would take
    for _ in range(rounds):
        gains = np.minimum(0, cost - prices[:, None])
        totals = gains.sum(0)
        totals[largest], last = -np.inf, totals[largest]
        chosen = np.argsort(totals)[:shapes]
        value = prices.sum() + totals[chosen[1:]].sum() + last
        best, since = (value, 0) if value > best else (best, since + 1)
        if since == 10:
            step, since = step / 2, 0
        slack = 1 - (gains[:, chosen] < 0).sum(1)
        upper = min(upper, cost[:, chosen].min(1).sum())
        change = step * (upper - value) / max(1, (slack**2).sum())
        prices = np.maximum(0, prices + change * slack)
    return 1 - real / best


class Modes:
    """One model that trains on batches of several plans.

    Args:
        args: the command's arguments.
        split: the prepared training split.
        vocab_size: int.
    """

    def __init__(self, args, split, vocab_size: int):
        import tensorflow as tf

        from t2t_lite.data import TrainBatches, plan_buckets, plan_packing
        from t2t_lite.models.resolve import build, resolve
        from t2t_lite.trainer import strategies
        from t2t_lite.trainer.lanes import set_threads
        from t2t_lite.trainer.step import TrainStep

        name, hparams = resolve(args.model)
        self.lanes = int(strategies.choose_lanes("auto", "auto", "off").value)
        set_threads(self.lanes, strategies.num_cores())
        self.precision = strategies.choose_precision("auto").value
        self._step = TrainStep(
            build(
                *(name, hparams, vocab_size),
                strategies.policy_name(self.precision),
            ),
            hparams,
            tf.distribute.get_strategy(),
            xla=False,
            seed=1,
            lanes=self.lanes,
        )
        asked = (split.lengths, args.batch_size, args.max_length)
        plans = {
            "one in a row, 8 shapes": plan_buckets(*asked, 8),
            "one in a row, 12 shapes": plan_buckets(*asked, 12),
            "several, 1 shape": plan_packing(*asked, 1),
            "several, 8 shapes at most": plan_packing(*asked, 8),
        }
        self.batches = {n: TrainBatches(split, p, 1) for n, p in plans.items()}
        self._next = dict.fromkeys(plans, 0)
        self._updates = 0
        self._steps = args.steps

    def seconds_per_token(self, name: str) -> float:
        """Trains on the next batches of a plan."""
        begin, tokens = time.perf_counter(), 0
        for _ in range(self._steps):
            batch = self.batches[name].batch(self._next[name])
            self._next[name] += 1
            self._updates += 1
            sums = self._step.update([batch], self._updates, 1e-4)
            tokens += int(sums["tokens"])
        return (time.perf_counter() - begin) / tokens

    def see_all_shapes(self) -> None:
        """Trains on a batch of each shape: their programs are compiled."""
        for batches in self.batches.values():
            waiting = {s.targets_length for s in batches.shapes}
            number = 0
            while waiting:
                batch = batches.batch(number)
                number += 1
                if batch["targets"].shape[1] in waiting:
                    waiting.remove(batch["targets"].shape[1])
                    self._updates += 1
                    self._step.update([batch], self._updates, 1e-4)


def _rows(modes: Modes, found: dict, lengths) -> list[dict]:
    rows = []
    for name, batches in modes.batches.items():
        plan = batches.plan
        row = {
            "plan": name,
            "shapes": [
                f"{s.rows} x {s.inputs_length}/{s.targets_length}"
                for s in batches.shapes
            ],
            "padding": round(batches.padding_share, 4),
            "least_padding_of_any": None,
            "target_tokens_per_second": measuring.spread(1, found[name]),
        }
        if not plan.packed:
            least = least_padding(lengths, len(plan.shapes))
            row["least_padding_of_any"] = round(least, 4)
        rows.append(row)
    return rows


def _print(rows: list[dict]) -> None:
    base = rows[0]["target_tokens_per_second"]["median"]
    cells = []
    for row in rows:
        rates = row["target_tokens_per_second"]
        least = row["least_padding_of_any"]
        cells.append(
            (
                row["plan"],
                str(len(row["shapes"])),
                f"{row['padding']:.1%}",
                "" if least is None else f"{least:.1%}",
                measuring.text_of(rates),
                f"{rates['median'] / base:.2f}",
            )
        )
    head = ("", "shapes", "padding", "least of any", "target tokens/s")
    measuring.print_table((*head, "ratio"), cells)


def main() -> None:
    """Plans, trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source_dir", help="folder of Multi30k's files")
    parser.add_argument("--data_dir", default="t2t_data")
    parser.add_argument("--model", default="transformer_multi30k")
    parser.add_argument("--batch_size", type=int, default=2560)
    parser.add_argument("--max_length", type=int, default=100)
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12, help="of a window")
    parser.add_argument(
        "--report", nargs="?", const=str(REPORT), help="JSON file (%(const)s)"
    )
    args = parser.parse_args()
    from t2t_lite import problems
    from t2t_lite.data import prepare
    from t2t_lite.trainer.memory import keep_freed_memory

    keep_freed_memory()
    settings = {"source_dir": args.source_dir} if args.source_dir else {}
    problem = problems.create(
        "translate_ende_multi30k", settings, args.data_dir
    )
    data = prepare(problem, "bpe", 4000, args.data_dir)
    split = data.split("train")
    modes = Modes(args, split, data.encoder.vocab_size)
    modes.see_all_shapes()
    found = measuring.windows_in_turn(
        {n: lambda n=n: modes.seconds_per_token(n) for n in modes.batches},
        args.windows,
    )
    kept = np.maximum(*split.lengths.values()) <= args.max_length
    rows = _rows(modes, found, {k: v[kept] for k, v in split.lengths.items()})
    _print(rows)
    if args.report:
        settings = {
            name: getattr(args, name)
            for name in ("model", "batch_size", "max_length", "windows")
        }
        settings |= {"precision": modes.precision, "lanes": modes.lanes}
        measuring.write_report(args.report, {**settings, "rows": rows})


if __name__ == "__main__":
    main()
