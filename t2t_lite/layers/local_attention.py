"""Self-attention to near keys alone, block by block."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from t2t_lite.layers._math import at_least, shape_of
from t2t_lite.layers.distances import Distances, Size

# Queries of a block, or the radius if that is more: products of a few rows
# cost more than the keys that smaller blocks would leave out.
_LEAST_BLOCK = 32


@dataclasses.dataclass(frozen=True)
class Blocks:
    """A sequence in blocks of queries, each with a window of keys.

    A window is the block itself and the `reach` positions before it and, if
    not causal, after it. So attention of all blocks is full attention of
    `batch * count` short sequences, whose masks leave out what is beyond the
    radius or the sequence; the cost of a query does not depend on the length.
    A sequence that is no longer than a block is one block without neighbours.

    Fields:
        length: int or int scalar tensor, of the sequence.
        radius: int, the largest distance that is attended to.
        causal: bool, whether keys after the query are left out.
        count: the number of blocks.
        size: queries of a block; the last one is filled up.
        reach: keys on each side of a block.

    Reference: Vaswani et al. 2017, section 4, restricted self-attention;
    complexity O(length * radius * hidden_size).
    """

    length: Size
    radius: int
    causal: bool
    count: Size
    size: Size
    reach: Size

    @classmethod
    def of(cls, length: Size, radius: int, causal: bool) -> Blocks:
        """Returns the blocks of a sequence."""
        most = max(radius, _LEAST_BLOCK)
        if isinstance(length, int):
            size, reach = min(most, length), radius if length > most else 0
        else:
            size = tf.minimum(most, length)
            reach = tf.where(length > most, radius, 0)
        size = at_least(size, 1)
        count = at_least(-(-length // size), 1)
        return cls(length, radius, causal, count, size, reach)

    @property
    def distances(self) -> Distances:
        """Distances of a block's queries and its window's keys."""
        return Distances(self.size, self._width, -self.reach)

    @property
    def _width(self) -> Size:
        return self.size + self.reach * (1 if self.causal else 2)

    def queries(self, heads: tf.Tensor) -> tf.Tensor:
        """Returns the blocks as sequences of their own.

        Args:
            heads: float tensor `(batch, num_heads, length, head_size)`.

        Returns:
            Float tensor `(batch * count, num_heads, size, head_size)`.
        """
        return _as_batch(self._blocks(heads, 0))

    def keys(self, heads: tf.Tensor) -> tf.Tensor:
        """Returns each block's window.

        Args:
            heads: float tensor `(batch, num_heads, length, head_size)`.

        Returns:
            Float tensor `(batch * count, num_heads, width, head_size)`; zeros
            where there is no key.
        """
        return _as_batch(self._windows(heads))

    def mask(self, attention_mask: tf.Tensor | None, batch: Size) -> tf.Tensor:
        """Returns which keys of its window each query may attend to.

        Args:
            attention_mask: as for `MultiHeadAttention`.
            batch: int or int scalar tensor.

        Returns:
            Bool tensor `(batch * count, size, width)`.
        """
        starts = tf.range(self.count)[:, None] * self.size - self.reach
        keys = starts + tf.range(self._width)
        inside = (keys >= 0) & (keys < self.length)
        near = near_mask(self.distances, self.radius, self.causal)
        mask = inside[None, :, None] & near[:, None]
        if attention_mask is not None:
            mask &= self._given(attention_mask)
        shape = [batch, self.count, self.size, self._width]
        mask = tf.broadcast_to(mask, shape)
        return tf.reshape(mask, [batch * self.count, *shape[2:]])

    def _given(self, mask: tf.Tensor) -> tf.Tensor:
        """Returns `attention_mask` as `(batch, count, size or 1, width)`."""
        if mask.shape.rank == 2:
            ids = mask[:, None, :, None]
            mine = self._blocks(ids, 0)[:, :, 0]
            theirs = tf.linalg.matrix_transpose(self._windows(ids)[:, :, 0])
            return (mine == theirs) & (theirs != 0)
        if mask.shape[1] == 1:
            numbers = tf.cast(mask[:, :, :, None], tf.int32)
            found = self._windows(numbers)[:, :, 0]
            return tf.linalg.matrix_transpose(found) != 0
        return self._diagonal(mask)

    def _diagonal(self, mask: tf.Tensor) -> tf.Tensor:
        """Returns the windows of a mask `(batch, length, length)`.

        In rows that are `size` longer than a block's part of the mask, every
        block's window begins at the same place.
        """
        batch, count, size = shape_of(mask)[0], self.count, self.size
        if mask.shape[1] is None:  # perhaps 1
            mask = tf.broadcast_to(mask, [batch, self.length, self.length])
        columns = self._columns
        filled = count * size
        numbers = tf.pad(
            tf.cast(mask, tf.int32),
            [
                [0, 0],
                [0, filled - self.length],
                [self.reach, columns - self.reach - self.length],
            ],
        )
        flat = tf.reshape(numbers, [batch, filled * columns])
        flat = tf.pad(flat, [[0, 0], [0, filled]])
        rows = tf.reshape(flat, [batch, count, size * columns + size])
        rows = rows[:, :, : size * columns]
        rows = tf.reshape(rows, [batch, count, size, columns])
        return rows[..., : self._width] != 0

    def joined(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns what the queries of all blocks got, as sequences again.

        Args:
            rows: tensor `(batch * count, size, width)`.

        Returns:
            Tensor `(batch, length, width)`.
        """
        shape = [self._batch(rows), self.count * self.size, shape_of(rows)[2]]
        return tf.reshape(rows, shape)[:, : self.length]

    def weights(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns attention weights to all keys, most of them 0.

        Args:
            weights: float tensor `(batch * count, num_heads, size, width)`.

        Returns:
            Float tensor `(batch, num_heads, length, length)`.
        """
        heads, columns = shape_of(weights)[1], self._columns
        batch, count, size = self._batch(weights), self.count, self.size
        wide = tf.pad(
            weights, [[0, 0], [0, 0], [0, 0], [0, columns - self._width]]
        )
        rows = tf.reshape(wide, [batch, count, heads, size * columns])
        rows = tf.pad(rows, [[0, 0], [0, 0], [0, 0], [0, size]])
        rows = tf.transpose(rows, [0, 2, 1, 3])
        filled = count * size
        flat = tf.reshape(rows, [batch, heads, filled * (columns + 1)])
        flat = flat[:, :, : filled * columns]
        matrix = tf.reshape(flat, [batch, heads, filled, columns])
        first = self.reach
        return matrix[:, :, : self.length, first : first + self.length]

    @property
    def _columns(self) -> Size:
        """All keys of the blocks, with those that the windows add."""
        return (self.count - 1) * self.size + self._width

    def _batch(self, blocks: tf.Tensor) -> Size:
        return shape_of(blocks)[0] // self.count

    def _blocks(self, tensor: tf.Tensor, more: int) -> tf.Tensor:
        """Cuts axis 2 into blocks, `more` of zeros on each side.

        Returns:
            Tensor `(batch, count + 2 more, heads, size, head_size)`.
        """
        batch, heads, _, width = shape_of(tensor)
        side = more * self.size
        missing = self.count * self.size - self.length
        padded = tf.pad(
            tensor, [[0, 0], [0, 0], [side, side + missing], [0, 0]]
        )
        shape = [batch, heads, self.count + 2 * more, self.size, width]
        return tf.transpose(tf.reshape(padded, shape), [0, 2, 1, 3, 4])

    def _windows(self, tensor: tf.Tensor) -> tf.Tensor:
        """Returns each block of axis 2 with what is near it.

        Returns:
            Tensor `(batch, count, heads, width, head_size)`.
        """
        blocks = self._blocks(tensor, 1)
        first = self.size - self.reach
        parts = [blocks[:, :-2, :, first:], blocks[:, 1:-1]]
        if not self.causal:
            parts.append(blocks[:, 2:, :, : self.reach])
        return tf.concat(parts, axis=3)


def near_mask(
    distances: Distances, radius: int | None, causal: bool
) -> tf.Tensor | None:
    """Returns which pairs are near enough, and not after the query if causal.

    Args:
        distances: Distances.
        radius: int, or None for any.
        causal: bool.

    Returns:
        Bool tensor `(1, query_length, key_length)`; None for all.
    """
    if radius is None and not causal:
        return None
    matrix = distances.matrix()
    size = -matrix if causal else tf.abs(matrix)
    near = size >= 0
    if radius is not None:
        near &= size <= radius
    return near[None]


def _as_batch(blocks: tf.Tensor) -> tf.Tensor:
    """Returns `(batch, count, ...)` as `(batch * count, ...)`."""
    batch, count, *others = shape_of(blocks)
    return tf.reshape(blocks, [batch * count, *others])
