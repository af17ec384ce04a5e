"""How much faster batches are made than trained on.

    python benchmarks/data_path.py --report

Batches come through the trainer's own Feed, one update ahead of another, on a
thread beside the one that takes them. The same batches are then trained on.
Windows of both are taken in turn, for batches of one and of several examples
in a row; the ratio is what the data path could feed over what training takes.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
REPORT = measuring.RESULTS / "data_path.json"
WORTH = 20  # times the training rate, below which data could slow a GPU down


class DataPath:
    """Feeds and trains the batches of a run.

    Args:
        args: the command's arguments.
        pack: bool, several examples in a row.
        folder: str, of the run.
    """

    def __init__(self, args, pack: bool, folder: str):
        from t2t_lite import problems
        from t2t_lite.models.resolve import resolve
        from t2t_lite.trainer.feeding import Feed
        from t2t_lite.trainer.options import TrainingOptions
        from t2t_lite.trainer.setup import Setup

        name, hparams = resolve(args.model)
        known = {"pack": pack, "batch_size": args.batch_size}
        known |= {"vocab_kind": "bpe", "vocab_size": 2000}
        self.setup = Setup(
            problems.create("translate_ende_phrasebook", {}, folder),
            name,
            dataclasses.replace(hparams, **known),
            TrainingOptions(
                output_dir=os.path.join(folder, f"run-{pack}"),
                data_dir=os.path.join(folder, "data"),
                train_steps=args.steps,
                eval_interval=args.steps,
            ),
        )
        batches = self.setup.batches
        self._feed = Feed(batches, 1)
        self._steps = args.steps
        self._epoch = batches.batches_per_epoch()
        self.tokens_of_epoch = self._tokens(self._epoch)
        self.tokens_of_steps = self._tokens(self._steps)
        self._updates = 0

    def _tokens(self, steps: int) -> int:
        """Returns the target tokens of the first `steps` batches."""
        return sum(
            int((batch["targets"] != 0).sum())
            for _, (batch,) in self._feed.ahead(1, steps)
        )

    def feed(self) -> float:
        """Makes an epoch's batches, nobody training; returns the seconds."""
        begin = time.perf_counter()
        for _ in self._feed.ahead(1, self._epoch):
            pass
        return time.perf_counter() - begin

    def train(self) -> float:
        """Trains on the first batches; returns the seconds."""
        begin = time.perf_counter()
        for _, batches in self._feed.ahead(1, self._steps):
            self._updates += 1
            sums = self.setup.step.update(batches, self._updates, 1e-4)
        float(sums["loss"])
        return time.perf_counter() - begin

    def row(self, windows: int) -> dict:
        """Returns the figures of this way of making batches."""
        found = measuring.windows_in_turn(
            {"fed": self.feed, "trained": self.train}, windows
        )
        fed = measuring.spread(self.tokens_of_epoch, found["fed"])
        trained = measuring.spread(self.tokens_of_steps, found["trained"])
        plan = self.setup.plan
        return {
            "several_examples_in_a_row": plan.packed,
            "shapes": [
                f"{s.rows} x {s.inputs_length}/{s.targets_length}"
                for s in plan.shapes
            ],
            "lanes": self.setup.num_lanes,
            "batches_per_second": measuring.spread(self._epoch, found["fed"]),
            "fed_target_tokens_per_second": fed,
            "trained_target_tokens_per_second": trained,
            "ratio": fed["median"] / trained["median"],
        }


def _print(rows: list[dict]) -> None:
    names = (
        "batches_per_second",
        "fed_target_tokens_per_second",
        "trained_target_tokens_per_second",
    )
    cells = []
    for row in rows:
        several = row["several_examples_in_a_row"]
        title = "several examples in a row" if several else "one in a row"
        rates = [measuring.text_of(row[name]) for name in names]
        cells.append([title, *rates, f"{row['ratio']:,.0f}"])
    head = ("", "batches/s", "target tokens/s fed", "trained", "ratio")
    measuring.print_table(head, cells)


def main() -> None:
    """Measures both ways and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="transformer_tiny")
    parser.add_argument("--batch_size", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=30, help="of a window")
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument(
        "--report", nargs="?", const=str(REPORT), help="JSON file (%(const)s)"
    )
    args = parser.parse_args()
    from t2t_lite.trainer.memory import keep_freed_memory

    keep_freed_memory()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for pack in (False, True):
            path = DataPath(args, pack, folder)
            rows.append(path.row(args.windows))
            path.setup.close()
    _print(rows)
    least = min(row["ratio"] for row in rows)
    print(f"the data path is {least:,.0f} times as fast, {WORTH} asked for")
    if args.report:
        settings = {
            name: getattr(args, name)
            for name in ("model", "batch_size", "steps", "windows")
        }
        measuring.write_report(args.report, {**settings, "rows": rows})


if __name__ == "__main__":
    main()
