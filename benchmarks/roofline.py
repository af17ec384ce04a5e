"""The fastest that a train step could be on a GPU: computed, not measured.

    python benchmarks/roofline.py --report

A step is a row of kernels, one after the other; each takes at least the time
of its products at the card's peak, and at least that of the bytes that it must
read and write. What is added up here is the larger of the two of each kernel:
a bound that no step of this model passes on that card, and that real kernels,
launches and waits keep a step well below. `--help` lists the assumptions.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import measuring
from contenders import Shape

REPORT = measuring.RESULTS / "roofline.json"
VOCAB = 32768

ASSUMPTIONS = """
Products multiply bfloat16 and add in float32; activations are bfloat16.
Backward has two products of the same size for each forward one.
A product reads both factors once and writes the result once.
Attention is not one fused kernel: the (length x length) weights of a head are
written and read 6 times forward (logits, their softmax, dropout, the product)
and 8 times backward.
What lies between products is fused into 4 passes over the hidden vectors of a
sub-layer forward and 6 backward, and 2 and 3 over those of its filter.
The loss reads the logits twice forward; its gradient reads and writes them.
Adam reads and writes float32 weights and two averages, reads gradients twice
(once for their norm), and weights are cast to bfloat16 once a step.
No padding; no communication between cards.
"""
_ATTENTION_PASSES = 6 + 8
_HIDDEN_PASSES, _FILTER_PASSES = 4 + 6, 2 + 3
_LOGIT_PASSES = 2 + 2
_ACTIVATION = 2  # bytes
# weights, averages and gradients in float32; both casts to and from bfloat16
_UPDATE_BYTES = (2 * 3 + 2) * 4 + (4 + 2) + (2 + 4)


@dataclasses.dataclass(frozen=True)
class Card:
    """A card by its vendor's figures.

    Fields:
        flops: floating-point operations a second of dense bfloat16 products.
        bandwidth: bytes a second of its memory.
    """

    name: str
    flops: float
    bandwidth: float


# NVIDIA's data sheet of the H100 (SXM); 1,979 TFLOP/s there are of sparse
# matrices, twice those of dense ones.
H100 = Card("NVIDIA H100 SXM", 989e12, 3.35e12)


@dataclasses.dataclass(frozen=True)
class Kernels:
    """Kernels of a kind: their operations, and the bytes that they move."""

    kind: str
    flops: float
    moved: float

    def seconds(self, card: Card) -> float:
        """Returns the least time on a card."""
        return max(self.flops / card.flops, self.moved / card.bandwidth)


def shape_of(set_name: str, tokens: int, length: int) -> Shape:
    """Returns a hyperparameter set's shape on a batch of target tokens."""
    from t2t_lite.models.resolve import resolve

    _, h = resolve(set_name)
    return Shape(
        h.hidden_size,
        h.filter_size,
        h.num_heads,
        h.num_hidden_layers,
        VOCAB,
        tokens // length,
        length,
    )


def parameters_of(shape: Shape) -> int:
    """Returns the weights of the matrices, the one table of ids included."""
    h, f = shape.hidden_size, shape.filter_size
    layers = (4 * h * h + 2 * h * f) + (8 * h * h + 2 * h * f)
    return shape.num_layers * layers + h * shape.vocab_size


def kernels_of(shape: Shape) -> list[Kernels]:
    """Returns what one train step runs."""
    tokens, layers = shape.rows * shape.length, shape.num_layers
    h, f = shape.hidden_size, shape.filter_size
    # Self-attention of both stacks, and the decoder's to the encoder.
    attentions, sublayers = 3 * layers, 5 * layers
    weights = attentions * shape.num_heads * shape.length * tokens
    vectors = _HIDDEN_PASSES * sublayers * h + _FILTER_PASSES * 2 * layers * f
    return [
        _products("projections", tokens, h, 3 * h, 2 * layers),
        _products("projections", tokens, h, h, 2 * layers),
        _products("projections", tokens, h, 2 * h, layers),
        _products("projections", tokens, h, h, 2 * layers),
        _products("feed-forward", tokens, h, f, 2 * layers),
        _products("feed-forward", tokens, f, h, 2 * layers),
        _products("logits", tokens, h, shape.vocab_size, 1),
        Kernels(
            "attention",
            2 * 2 * 3 * attentions * shape.length * h * tokens,
            _ACTIVATION * _ATTENTION_PASSES * weights,
        ),
        Kernels("between", 0, _ACTIVATION * tokens * vectors),
        Kernels(
            "loss", 0, _ACTIVATION * _LOGIT_PASSES * tokens * shape.vocab_size
        ),
        Kernels("update", 0, _UPDATE_BYTES * parameters_of(shape)),
    ]


def _products(kind: str, tokens, inner, outer, count) -> Kernels:
    """Returns `count` products of tokens x inner by inner x outer, thrice."""
    moved = tokens * inner + inner * outer + tokens * outer
    return Kernels(
        kind,
        3 * 2.0 * count * tokens * inner * outer,
        3 * _ACTIVATION * count * moved,
    )


def bound_of(shape: Shape, card: Card) -> dict:
    """Returns the step's least time, its rate, and what the time goes to."""
    seconds: dict[str, float] = {}
    kernels = kernels_of(shape)
    for part in kernels:
        seconds[part.kind] = seconds.get(part.kind, 0) + part.seconds(card)
    total = sum(seconds.values())
    tokens = shape.rows * shape.length
    flops = sum(part.flops for part in kernels)
    moved = sum(part.moved for part in kernels)
    return {
        "target_tokens": tokens,
        "length": shape.length,
        "flops_per_target_token": flops / tokens,
        "bytes_per_target_token": moved / tokens,
        "flops_per_byte": flops / moved,
        "milliseconds": 1e3 * total,
        "target_tokens_per_second": tokens / total,
        "share_of_peak": flops / card.flops / total,
        "shares": {kind: s / total for kind, s in seconds.items()},
    }


def _print(rows: list[dict]) -> None:
    head = ("", "tokens", "length", "GFLOP/token", "FLOP/byte", "ms a step")
    kinds = list(rows[0]["shares"])
    cells = [
        (
            row["model"],
            f"{row['target_tokens']:,}",
            str(row["length"]),
            f"{row['flops_per_target_token'] / 1e9:.3f}",
            f"{row['flops_per_byte']:.0f}",
            f"{row['milliseconds']:.2f}",
            f"{row['target_tokens_per_second']:,.0f}",
            f"{row['share_of_peak']:.0%}",
            *(f"{row['shares'][kind]:.0%}" for kind in kinds),
        )
        for row in rows
    ]
    more = ("target tokens/s", "of peak", *kinds)
    measuring.print_table((*head, *more), cells)


def main() -> None:
    """Prints the bounds of base and big on an H100."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog=ASSUMPTIONS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tokens", type=int, nargs="+", default=[4096, 24576])
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 64, 256])
    parser.add_argument(
        "--report", nargs="?", const=str(REPORT), help="JSON file (%(const)s)"
    )
    args = parser.parse_args()
    rows = [
        {"model": model, **bound_of(shape_of(model, tokens, length), H100)}
        for model in ("transformer_base", "transformer_big")
        for tokens in args.tokens
        for length in args.lengths
    ]
    print(f"{H100.name}: computed, not measured; vocabulary of {VOCAB:,}")
    _print(rows)
    if args.report:
        content = {
            "computed_not_measured": True,
            "card": dataclasses.asdict(H100),
            "vocab_size": VOCAB,
            "assumptions": ASSUMPTIONS.strip().splitlines(),
            "rows": rows,
        }
        measuring.write_report(args.report, content)


if __name__ == "__main__":
    main()
