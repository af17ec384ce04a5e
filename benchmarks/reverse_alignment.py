"""Asserts what a run that reverses digits looks at: its input, from the end.

    python benchmarks/reverse_alignment.py --output_dir=runs/reverse/seed1 \
        --picture=docs/results/tasks/reverse/alignment.png

Of all test inputs of the most digits: what output digit i of n looks at most
must be input digit n - 1 - i or one beside it, for a recurrent encoder's states
know their neighbours. Exits with 1 where it is another. The picture is the mean
of their alignments.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

import numpy as np

import t2t_lite
from t2t_lite.data import storage
from t2t_lite.errors import UserError


def alignments(predictor, texts: list[str]) -> np.ndarray:
    """Returns what each output digit looked at.

    Args:
        predictor: of a run that reverses digits.
        texts: n digits each, which it reverses without a mistake.
    Returns:
        Float32 (texts, n, n): of output digit i, the weight of input digit j.
    Raises:
        UserError: an output is wrong.
    """
    count, found = len(texts[0]), []
    for text, said in zip(texts, predictor.translate(texts), strict=True):
        if said.outputs[0] != text[::-1]:
            raise UserError(f"{text}: reversed to {said.outputs[0]}")
        found.append(said.attention[:count, :count])
    return np.stack(found)


def draw(mean: np.ndarray, path: pathlib.Path) -> None:
    """Draws the mean alignment (n, n)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(mean, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="attention weight")
    axes.set(
        xlabel="input digit",
        ylabel="output digit",
        title="What each output digit looks at",
    )
    with storage.replacing(str(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def main() -> int:
    """Prints how many digits look where they should; returns the status."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--output_dir", required=True, help="the run's folder")
    parser.add_argument("--picture", type=pathlib.Path)
    args = parser.parse_args()
    folder = pathlib.Path(args.output_dir)
    lines = (folder / "test.sources.txt").read_text().splitlines()
    longest = max(map(len, lines))
    texts = [line for line in lines if len(line) == longest]
    found = alignments(t2t_lite.load(str(folder)), texts)
    far = np.abs(found.argmax(2) - np.arange(longest)[::-1])
    places = np.arange(longest)
    near = np.abs(places[:, None] + places - (longest - 1)) <= 1
    weights = (found * near).sum(2)
    print(
        f"{len(texts)} test inputs of {longest} digits: of {far.size} output "
        f"digits {(far == 0).sum()} look most at their own, {(far == 1).sum()} "
        f"at one beside it, {(far > 1).sum()} at another; the weight of these "
        f"three is {weights.mean():.3f} in the mean, {weights.min():.3f} at "
        "least"
    )
    if args.picture:
        draw(found.mean(0), args.picture)
        print(args.picture)
    return 0 if (far <= 1).all() else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"reverse_alignment.py: {error}", file=sys.stderr)
        sys.exit(2)
