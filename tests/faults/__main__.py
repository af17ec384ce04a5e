"""The long form of the fault tests.

    python -m tests.faults --minutes=30 --report=faults.json

Kills training runs of one and of two workers, the preparation of data and the
export at random moments until the time is over, and says whether what came
out equals undisturbed runs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pathlib
import statistics
import sys
import tempfile
import time

from t2t_lite.data import storage
from t2t_lite.trainer.provenance import provenance
from tests.faults.harness import Harness

_TURNS = (
    *("one worker", "two workers", "one worker", "datagen"),
    *("one worker", "two workers", "one worker", "exporter"),
)


def main() -> int:
    """Runs the harness; returns 0 if nothing differed and nothing was left."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--kills", type=int, default=6, help="at most, a run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", help="JSON file of the figures")
    args = parser.parse_args()
    begin = time.monotonic()

    def log(text: str) -> None:
        print(
            f"[{(time.monotonic() - begin) / 60:5.1f} min] {text}", flush=True
        )

    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(pathlib.Path(folder), args.steps, args.seed, log)
        for name in itertools.cycle(_TURNS):
            if time.monotonic() - begin > args.minutes * 60:
                break
            harness.disturb(name, args.kills)
    report = _report(harness, args, time.monotonic() - begin)
    print(json.dumps(report, indent=2))
    if args.report:
        storage.write_text(args.report, json.dumps(report, indent=2) + "\n")
    return 1 if harness.tally.faults else 0


def _report(harness: Harness, args, seconds: float) -> dict:
    tally = harness.tally
    survivors = tally.survivors
    return {
        "kills": tally.total_kills,
        "kills_by_kind_and_phase": {
            f"{kind}, {phase}": count
            for (kind, phase), count in sorted(tally.kills.items())
        },
        "runs_finished": dict(tally.finished),
        "differences": tally.differences,
        "left_over": tally.left_over,
        "unexplained": tally.unexplained,
        "seconds_until_the_other_worker_ended": {
            "median": round(statistics.median(survivors), 1),
            "largest": round(max(survivors), 1),
        }
        if survivors
        else None,
        "updates_of_a_run": args.steps,
        "seed": args.seed,
        "minutes": round(seconds / 60, 1),
        "made_by": provenance(),
    }


if __name__ == "__main__":
    sys.exit(main())
