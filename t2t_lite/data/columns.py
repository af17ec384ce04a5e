"""Examples in memory: one flat array for each feature."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

_INT32 = np.dtype("<i4")


@dataclasses.dataclass(frozen=True)
class Columns:
    """Many examples as flat arrays.

    Attributes:
        values: per feature, int32 `(total_length,)`, all examples' numbers.
        offsets: per feature, int64 `(num_examples + 1,)`; example `i` is
            `values[offsets[i]:offsets[i + 1]]`.
        example_ids: int64 `(num_examples,)`, numbers within the split.
        units: per feature, how many numbers count as one of its length;
            those that are not named have 1.
    """

    values: dict[str, np.ndarray]
    offsets: dict[str, np.ndarray]
    example_ids: np.ndarray
    units: dict[str, int] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.example_ids)

    def row(self, name: str, index: int) -> np.ndarray:
        """Returns one example's numbers, int32 `(length,)`."""
        offsets = self.offsets[name]
        return self.values[name][offsets[index] : offsets[index + 1]]

    def lengths(self, name: str) -> np.ndarray:
        """Returns the examples' lengths in units, int64 `(num_examples,)`."""
        return -(-np.diff(self.offsets[name]) // self.units.get(name, 1))

    def padded(
        self, name: str, indices: np.ndarray, shape: tuple[int, int]
    ) -> np.ndarray:
        """Returns the examples `indices` as rows padded with zeros.

        Args:
            name: str, the feature.
            indices: int array `(n,)` with n <= shape[0]; the other rows are
                zeros.
            shape: (rows, length), length >= every example's, in units.
        Returns:
            int32 array (rows, length * unit).
        """
        rows, length = shape
        result = np.zeros((rows, length * self.units.get(name, 1)), np.int32)
        starts = self.offsets[name][indices]
        lengths = self.offsets[name][np.asarray(indices) + 1] - starts
        within = ranges(lengths)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        result[rows, within] = self.values[name][
            np.repeat(starts, lengths) + within
        ]
        return result


def columns_of(
    blocks: Sequence, feature_names: Sequence[str], example_ids: np.ndarray
) -> Columns:
    """Returns the examples of `tf.train.Example` blocks as flat arrays."""
    values, offsets = {}, {}
    for name in feature_names:
        values[name] = _joined(blocks, f"{name}/values")
        lengths = _joined(blocks, f"{name}/lengths")
        offsets[name] = np.concatenate(
            [[0], np.cumsum(lengths, dtype=np.int64)]
        )
    return Columns(values, offsets, example_ids)


def ranges(lengths: np.ndarray) -> np.ndarray:
    """Returns 0 .. n-1 for each n of `lengths`, one after the other."""
    lengths = np.asarray(lengths, np.int64)
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - lengths, lengths)


def _joined(blocks: Sequence, name: str) -> np.ndarray:
    joined = b"".join(
        block.features.feature[name].bytes_list.value[0] for block in blocks
    )
    return np.frombuffer(joined, _INT32)
