"""Two worker processes against one process, with the same update.

    python -m tests.faults.same_curve --source_dir=multi30k --report=curve.json

Trains Multi30k twice for some updates in float32, as two processes on
127.0.0.1 and as one that takes each update in two turns, and compares the loss
of every update with the other's. Dropout is on: both draw the same.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile

from t2t_lite.data import storage
from t2t_lite.trainer.provenance import provenance
from tests.faults import runs

BOUND = 1e-3


def _losses(command: list[str], workers: int, run: pathlib.Path) -> list[float]:
    """Runs the command to its end; returns the loss at each update."""
    log = run.parent / f"{run.name}.log"
    processes = runs.Processes.start(command, workers, log)
    if not processes.wait(3600) or not processes.ended_well:
        processes.kill_all()
        raise RuntimeError(log.read_text(errors="replace")[-2000:])
    lines = (run / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["loss"] for row in rows if row["kind"] == "train"]


def main() -> int:
    """Prints the largest relative difference; 0 if it is within BOUND."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source_dir", required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--report", help="JSON file of the figures")
    args = parser.parse_args()
    curves = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, workers in (("one_device", 1), ("multi_worker", 2)):
            run = pathlib.Path(folder) / name
            command = [
                *(sys.executable, "-m", "t2t_lite.trainer.cli.train"),
                "--problem=translate_ende_multi30k",
                f"--source_dir={args.source_dir}",
                "--model=transformer_multi30k",
                "--hparams=batch_size=1280,tokens_per_update=2560",
                "--mixed_precision=float32",
                f"--strategy={name}",
                f"--train_steps={args.steps}",
                f"--eval_interval={args.steps}",
                "--log_interval=1",
                "--eval_decode_examples=20",
                "--noexport",
                f"--output_dir={run}",
                f"--data_dir={folder}/data",
            ]
            curves[name] = _losses(command, workers, run)
            print(f"{name}: {len(curves[name])} updates", flush=True)
    one, two = curves["one_device"], curves["multi_worker"]
    differences = [abs(a - b) / a for a, b in zip(one, two, strict=True)]
    report = {
        "updates": len(differences),
        "largest_relative_difference": max(differences),
        "at_update": 1 + differences.index(max(differences)),
        "bound": BOUND,
        "first_and_last_loss": [one[0], one[-1]],
        "curves": curves,
        "made_by": provenance(),
    }
    shown = {k: v for k, v in report.items() if k != "curves"}
    print(json.dumps(shown, indent=2))
    if args.report:
        storage.write_text(args.report, json.dumps(report, indent=1) + "\n")
    return 0 if max(differences) <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
