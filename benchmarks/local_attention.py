"""Time of local self-attention over full self-attention, against the length.

    python benchmarks/local_attention.py --report

One layer on one sequence, forward and backward, in one process: local and full
attention take turns, window by window, after one window each to trace and warm
up. The table has the median ratio with its spread; a power law of the length is
fitted to the time of each. Local attention's exponent is to be 1, full
attention's goes from 1, where projections cost most, to 2.
"""

from __future__ import annotations

import argparse
import math
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Sequence

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
REPORT = measuring.RESULTS / "local_attention.json"
_WINDOW_SECONDS = 0.5  # a window has as many passes as that takes, or one
KINDS = ("local", "full")


class Attention:
    """One layer of self-attention that is passed forward and backward.

    Args:
        args: the command's arguments.
        radius: int, or None for full attention.
    """

    def __init__(self, args, radius: int | None):
        import tensorflow as tf

        from t2t_lite.layers import AttentionVariant, MultiHeadAttention

        layer = MultiHeadAttention(
            args.hidden_size,
            args.num_heads,
            variant=AttentionVariant(
                position=args.position,
                local_attention_radius=radius,
                causal=args.causal,
            ),
            dtype=args.dtype,
        )
        layer.build()

        @tf.function(
            input_signature=[
                tf.TensorSpec(
                    [None, None, args.hidden_size], layer.compute_dtype
                )
            ],
            autograph=False,
            jit_compile=args.xla,
        )
        def passed(states):
            weights = [v.value for v in layer.trainable_variables]
            with tf.GradientTape() as tape:
                tape.watch([states, *weights])
                output = layer(states)
                loss = tf.reduce_sum(tf.square(tf.cast(output, tf.float32)))
            gradients = tape.gradient(loss, [states, *weights])
            return [tf.reduce_sum(tf.cast(g, tf.float32)) for g in gradients]

        self._passed = passed
        self._random = np.random.default_rng(0)
        self._hidden_size = args.hidden_size
        self._states = {}
        self._dtype = layer.compute_dtype

    def seconds(self, rows: int, length: int, passes: int) -> float:
        """Returns the seconds of some passes over one batch."""
        import tensorflow as tf

        if (rows, length) not in self._states:
            shape = (rows, length, self._hidden_size)
            states = self._random.normal(size=shape)
            self._states[rows, length] = tf.constant(states, self._dtype)
        states = self._states[rows, length]
        begin = time.perf_counter()
        for _ in range(passes):
            float(self._passed(states)[0])
        return time.perf_counter() - begin


def measure(args) -> list[dict]:
    """Returns a row of figures for each length."""
    layers = {
        "local": Attention(args, args.radius),
        "full": Attention(args, None),
    }
    rows = []
    for length in args.lengths:
        passes, runs = {}, {}
        for name, layer in layers.items():
            layer.seconds(args.rows, length, 1)  # traces
            once = layer.seconds(args.rows, length, 1)
            passes[name] = max(1, math.ceil(_WINDOW_SECONDS / once))
            runs[name] = lambda layer=layer, n=length, p=passes[name]: (
                layer.seconds(args.rows, n, p) / p
            )
        rows.append(row(length, measuring.windows_in_turn(runs, args.windows)))
    return rows


def row(length: int, found: dict[str, Sequence[float]]) -> dict:
    """Returns the figures of one length.

    Args:
        length: int.
        found: "local" and "full", seconds of a pass in each window.
    """
    ratios = [a / b for a, b in zip(found["local"], found["full"], strict=True)]
    return {
        "length": length,
        "ratio": _spread(ratios),
        "milliseconds": {
            name: _spread([1000 * s for s in found[name]]) for name in KINDS
        },
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
    }


def exponent(rows: Sequence[dict], name: str) -> float | None:
    """Returns e of the law `seconds ~ length^e`; None of one length.

    A least-squares line through the logarithms of the medians.

    Args:
        rows: of `row`.
        name: "local" or "full".
    """
    if len(rows) < 2:
        return None
    x = np.log([each["length"] for each in rows])
    y = np.log([each["milliseconds"][name]["median"] for each in rows])
    return round(float(np.polyfit(x, y, 1)[0]), 3)


def _print(rows: Sequence[dict], exponents: dict[str, float | None]) -> None:
    cells = []
    for each in rows:
        texts = [
            f"{values['median']:.{digits}f} ({values['least']:.{digits}f} to "
            f"{values['most']:.{digits}f})"
            for values, digits in (
                *((each["milliseconds"][name], 1) for name in KINDS),
                (each["ratio"], 3),
            )
        ]
        cells.append((f"{each['length']:,}", *texts))
    head = ("length", "local, ms", "full, ms", "local / full")
    measuring.print_table(head, cells)
    for name, value in exponents.items():
        if value is not None:
            print(f"{name}: seconds ~ length^{value:.2f}")


def _lengths(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Measures all lengths and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--lengths", type=_lengths, default=[256, 512, 1024, 2048, 4096]
    )
    parser.add_argument("--radius", type=int, default=64)
    parser.add_argument("--rows", type=int, default=1, help="of a batch")
    parser.add_argument("--hidden_size", type=int, default=512)
    parser.add_argument("--num_heads", type=int, default=8)
    parser.add_argument("--position", default="none")
    parser.add_argument("--causal", action="store_true")
    parser.add_argument("--xla", action="store_true")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--windows", type=int, default=7)
    parser.add_argument(
        "--report", nargs="?", const=str(REPORT), help="JSON file (%(const)s)"
    )
    args = parser.parse_args()
    rows = measure(args)
    exponents = {name: exponent(rows, name) for name in KINDS}
    _print(rows, exponents)
    if args.report:
        settings = {k: v for k, v in vars(args).items() if k != "report"}
        measuring.write_report(
            args.report, {**settings, "rows": rows, "exponents": exponents}
        )


if __name__ == "__main__":
    main()
