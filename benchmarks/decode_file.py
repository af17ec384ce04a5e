"""Memory while a long file is decoded, and what is lost when that is killed.

    python benchmarks/decode_file.py --output_dir=runs/ende --file=train.en \
        --kills=3 --report

Runs t2t_lite_decoder on the file and samples its memory. Then once more with
--resume, killed with SIGKILL after random times and started again until it
ends. Exits with 1 where memory grew by more than --max_growth MiB after the
first four tenths of the time, in which it rises to its level, or the two
results differ in any byte.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import measuring
from serving_process import Memory, growth

REPORT = measuring.RESULTS.parent / "decoding" / "decode_file.json"
_INTERVAL = 0.5  # seconds between samples of memory
_WARM_UP = 0.4  # share of the time
_KEPT = 60  # samples in the report


class Decoder:
    """t2t_lite_decoder on a file, in a process of its own.

    Args:
        run: the run's folder.
        source, target: paths.
        flags: further ones.
    """

    def __init__(self, run: str, source: str, target: str, *flags: str):
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "t2t_lite.trainer.cli.decode"),
                f"--output_dir={run}",
                f"--decode_from_file={source}",
                f"--decode_to_file={target}",
                *flags,
            ],
            stderr=self._errors,
        )

    def wait(self, seconds: float | None = None) -> bool:
        """Waits so long at most; returns whether it has ended, and well.

        Exits where it ended otherwise.
        """
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._errors.seek(0)
        last = self._errors.read().strip().splitlines()[-1:]
        self._errors.close()
        if status:
            sys.exit(f"the decoder ended with status {status}: {last}")
        return True

    def kill(self) -> None:
        """Kills it as a machine's failure would."""
        self.process.kill()
        self.process.wait()
        self._errors.close()


def undisturbed(args, target: str) -> dict:
    """Decodes the file; returns seconds and memory."""
    begin = time.perf_counter()
    decoder = Decoder(args.output_dir, args.file, target, *args.flags)
    memory = Memory(decoder.process.pid, _INTERVAL)
    decoder.wait()
    memory.end()
    samples = [s for s in memory.samples if s[1]]  # it ends with none
    step = max(1, len(samples) // _KEPT)
    return {
        "seconds": time.perf_counter() - begin,
        "growth_mib": growth(samples, _WARM_UP),
        "most_mib": max(mib for _, mib in samples),
        "samples": [[round(s, 1), round(m)] for s, m in samples[::step]],
    }


def killed(args, target: str, seconds: float) -> list[int]:
    """Decodes it with kills; returns the lines done at each.

    Args:
        args: the flags.
        target: path of the result.
        seconds: what an undisturbed start takes.
    """
    draw = random.Random(args.seed)
    done = []
    for _ in range(args.kills):
        decoder = Decoder(
            args.output_dir, args.file, target, "--resume", *args.flags
        )
        if decoder.wait(draw.uniform(0.2, 0.9) * seconds):
            return done
        decoder.kill()
        done.append(_lines(f"{target}.partial"))
        print(f"  killed after {done[-1]:,} lines", flush=True)
    last = Decoder(args.output_dir, args.file, target, "--resume", *args.flags)
    last.wait()
    return done


def _lines(path: str) -> int:
    """Returns how many lines a file has; 0 where there is none."""
    if not os.path.exists(path):
        return 0
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def main() -> None:
    """Measures, prints, and exits with the status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output_dir", required=True, help="a run's folder")
    parser.add_argument("--file", required=True, help="what is decoded")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument(
        "--max_growth", type=float, default=32, help="MiB, at most"
    )
    parser.add_argument(
        "--flags", nargs="*", default=[], help="further ones of the decoder"
    )
    parser.add_argument(
        "--report", nargs="?", const=str(REPORT), help="JSON file (%(const)s)"
    )
    args = parser.parse_args()
    lines = _lines(args.file)
    with tempfile.TemporaryDirectory() as folder:
        plain, resumed = (os.path.join(folder, n) for n in ("plain", "resumed"))
        found = undisturbed(args, plain)
        grown = found["growth_mib"]
        print(
            f"{lines:,} lines in {found['seconds']:.0f} s, start included; "
            f"memory at most {found['most_mib']:,.0f} MiB, "
            + (
                "too short a run to say whether it grows"
                if grown is None
                else f"changed by {grown:+.0f} MiB after the first four tenths"
            ),
            flush=True,
        )
        done = killed(args, resumed, found["seconds"])
        contents = [pathlib.Path(p).read_bytes() for p in (plain, resumed)]
    same, count = contents[0] == contents[1], contents[1].count(b"\n")
    print(
        f"killed {len(done)} times after {done} lines and resumed: "
        f"{'the same' if same else 'ANOTHER'} result, "
        f"{count:,} lines"
    )
    if args.report:
        report = {**found, "lines": lines, "killed_after": done, "same": same}
        measuring.write_report(args.report, report)
    flat = grown is not None and grown <= args.max_growth
    sys.exit(0 if flat and same and count == lines else 1)


if __name__ == "__main__":
    main()
