"""What checkpoints cost a run: seconds of saving against seconds of training.

    python benchmarks/checkpoint_cost.py --model=transformer_small

Trains on the phrasebook and saves in between, in turn, on the calling thread
and on another. Prints the share of the run's time at the trainer's default
interval: one save in `--save_checkpoints_secs` of training. Times are of this
machine alone: quote the shares.
"""

import argparse
import json
import os
import statistics
import tempfile
import time

from t2t_lite import problems
from t2t_lite.models.resolve import resolve
from t2t_lite.trainer.memory import keep_freed_memory
from t2t_lite.trainer.options import TrainingOptions
from t2t_lite.trainer.progress import Progress
from t2t_lite.trainer.provenance import provenance
from t2t_lite.trainer.saving import Saver
from t2t_lite.trainer.setup import Setup

STEPS = 10
RATE = 1e-4


def _setup(model: str, folder: str) -> Setup:
    name, hparams = resolve(model)
    options = TrainingOptions(
        output_dir=os.path.join(folder, "run"),
        data_dir=os.path.join(folder, "data"),
        train_steps=100_000,
        eval_interval=2000,
    )
    problem = problems.create("translate_ende_phrasebook", {}, options.data_dir)
    return Setup(problem, name, hparams, options)


def _train(setup: Setup, first: int) -> float:
    """Makes STEPS updates; returns their seconds."""
    begin = time.perf_counter()
    for step in range(first, first + STEPS):
        batch = setup.batches.batch(step)
        float(setup.step.update([batch], step, RATE)["loss"])
    return time.perf_counter() - begin


def measure(setup: Setup, repeats: int, asynchronous: bool) -> dict:
    """Returns medians of the seconds that one save takes from training."""
    root = os.path.join(setup.run.path, f"saved-{asynchronous}")
    saver = Saver(root, (1, 1), 1, 0.0, asynchronous)
    os.makedirs(root)
    alone, beside, waited = [], [], []
    for repeat in range(repeats):
        alone.append(_train(setup, 1 + 2 * STEPS * repeat))
        begin = time.perf_counter()
        tensors = setup.model_tensors() | setup.optimizer_tensors()
        saver.save(tensors, Progress(step=repeat + 1))
        waited.append(time.perf_counter() - begin)
        beside.append(_train(setup, 1 + STEPS + 2 * STEPS * repeat))
        saver.wait()
    saver.close()
    bytes_saved = sum(v.nbytes for v in tensors.values())
    slower = statistics.median(beside) - statistics.median(alone)
    return {
        "megabytes": round(bytes_saved / 1e6, 1),
        "seconds_waited": round(statistics.median(waited), 3),
        "seconds_waited_range": [round(min(waited), 3), round(max(waited), 3)],
        "seconds_slower_beside": round(max(0.0, slower), 3),
        "seconds_per_update": round(statistics.median(alone) / STEPS, 4),
    }


def main() -> None:
    """Prints both ways of saving and their share of a run's time."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="transformer_small")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        setup = _setup(args.model, folder)
        _train(setup, 1)  # traces
        interval = setup.options.save_checkpoints_secs
        found = {}
        for name, asynchronous in (("here", False), ("beside", True)):
            row = measure(setup, args.repeats, asynchronous)
            cost = row["seconds_waited"]
            if asynchronous:
                cost += row["seconds_slower_beside"]
            row["share_at_default_interval"] = f"{cost / interval:.3%}"
            found[name] = row
        setup.close()
    report = {
        "default_interval_seconds": interval,
        "saved_on_the_training_thread": found["here"],
        "saved_on_another_thread": found["beside"],
        "made_by": provenance(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
