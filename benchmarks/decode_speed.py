"""Target tokens/s of decoding: exports, CTranslate2 and Hugging Face.

    python -m pip install ".[peers]" ctranslate2
    python benchmarks/decode_speed.py --shape=base \\
        --report=docs/results/decoding/base.json

A model of the shape with random weights decodes sentences of a synthetic
vocabulary, each to exactly so many ids (a least and a most length), greedily
and with a beam of 4: batches of 1, 8 and 32 of one length, and a whole file of
128 sentences of many lengths in batches of 32. Exports and CTranslate2 have the
same weights; Hugging Face's model and the naive graph have the same sizes.
Every contender lives in a process of its own on all cores; windows are taken in
turn, A B C A B C ..., while the others wait. MiB is what the process holds
after the setting. What is not installed is skipped, and said.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring
from contenders import SHAPES, Shape
from decode_contenders import (
    CONTENDERS,
    INPUT,
    JEMALLOC,
    OUTPUT,
    sentences,
)
from serving_process import resident_mib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_BEAMS = (1, 4)
# Sentences, and how far their lengths lie apart.
_SETTINGS = {"1": (1, 0), "8": (8, 0), "32": (32, 0), "file": (128, 20)}


def serve(name: str, shape: Shape) -> None:
    """Builds a contender and decodes a batch for each input line."""
    with contextlib.redirect_stdout(sys.stderr):
        begin = time.perf_counter()
        decode = CONTENDERS[name](shape)
        first = decode(sentences(2, shape.vocab_size), 4)
    ready = {"outputs": first, "seconds": time.perf_counter() - begin}
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        beam, setting = json.loads(line)
        count, spread = _SETTINGS[setting]
        texts = sentences(count, shape.vocab_size, spread)
        begin = time.perf_counter()
        decode(texts, beam)
        print(time.perf_counter() - begin, flush=True)


def compare(args) -> None:
    """Runs all contenders in turn and prints a table of each setting."""
    shape = SHAPES[args.shape]
    contenders = []
    for name in args.only or CONTENDERS:
        contender = measuring.Contender(
            name,
            __file__,
            f"--shape={args.shape}",
            preload=JEMALLOC if name.endswith(", jemalloc") else "",
        )
        if contender.facts is None:
            print(f"  skipped {name}: {contender.why_not()}", flush=True)
            continue
        contenders.append(contender)
        print(
            f"  ready {name} after {contender.facts['seconds']:.1f} s: "
            f"{contender.facts['outputs'][0][:60]}",
            flush=True,
        )
    tables = []
    for beam in _BEAMS:
        for setting in args.settings:
            seconds = measuring.windows_in_turn(
                {
                    c: functools.partial(c.ask, [beam, setting])
                    for c in contenders
                },
                args.windows,
            )
            tables.append(_table(beam, setting, seconds))
    for contender in contenders:
        contender.end()
    if args.report:
        report = {"shape": dataclasses.asdict(shape), "tables": tables}
        measuring.write_report(args.report, {**report, "windows": args.windows})


def _table(beam: int, setting: str, seconds) -> dict:
    """Prints and returns the figures of one setting."""
    rows = []
    for contender, times in seconds.items():
        rates = measuring.spread(_SETTINGS[setting][0] * OUTPUT, times)
        held = resident_mib(contender.pid)
        rows.append({"contender": contender.name, **rates, "mib": held})
    best = rows[0]["median"]
    print(f"beam {beam}, {_said(setting)}", flush=True)
    measuring.print_table(
        ("", "tokens/s", "least", "most", "first / it", "MiB"),
        [
            (
                row["contender"],
                f"{row['median']:,.0f}",
                f"{row['least']:,.0f}",
                f"{row['most']:,.0f}",
                f"{best / row['median']:.2f}",
                f"{row['mib']:,.0f}",
            )
            for row in rows
        ],
    )
    return {"beam_size": beam, "setting": _said(setting), "rows": rows}


def _said(setting: str) -> str:
    count, spread = _SETTINGS[setting]
    if not spread:
        return f"batch {count}"
    least, most = INPUT - spread, INPUT + spread
    return f"a file of {count} sentences of {least} to {most} ids"


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS)
    parser.add_argument(
        "--settings", nargs="*", choices=_SETTINGS, default=list(_SETTINGS)
    )
    parser.add_argument("--report", help="JSON file of the figures")
    parser.add_argument("--serve", choices=CONTENDERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, SHAPES[args.shape])
    else:
        compare(args)


if __name__ == "__main__":
    main()
