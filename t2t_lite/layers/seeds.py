"""Where dropout takes its seeds from: scopes that hand one out per draw."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import tensorflow as tf

# Odd multipliers that spread the counter over 32 bits, so that a caller who
# counts steps or replicas in the seed never meets another call's stream.
_MIX = (0x9E3779B9, 0x85EBCA6B)
# Of a random word the 24 bits that a float32 below 1 has.
_SHIFT = 8
_UNIT = 2.0**-24
# What a seed's third number counts the share of the rates in.
_PARTS = 2**16


class _Source(Protocol):
    """What hands out seeds; `own` makes one from the asking layer's state."""

    def next(self, own: Callable[[], tf.Tensor]) -> tf.Tensor: ...


class _Counted:
    """Derives one seed for every draw of a trace, by counting the draws."""

    def __init__(self, seed: tf.Tensor) -> None:
        self._seed = tf.convert_to_tensor(seed, tf.int32)
        if self._seed.shape not in [(2,), (3,)]:
            raise ValueError(
                "seed must be an int32 tensor of shape (2,) or (3,), got shape "
                f"{self._seed.shape}."
            )
        self._count = 0

    def next(self, own: Callable[[], tf.Tensor]) -> tf.Tensor:
        self._count += 1
        mixed = [(self._count * factor) % 2**32 for factor in _MIX]
        signed = [m - 2**32 if m >= 2**31 else m for m in mixed]
        signed += [0] * (self._seed.shape[0] - len(signed))
        return tf.bitwise.bitwise_xor(self._seed, tf.constant(signed, tf.int32))


class _Recorded:
    """Hands out what the scope around it does, and keeps a list of it."""

    def __init__(self, source: _Source | None) -> None:
        self._source = source
        self.drawn: list[tf.Tensor] = []

    def next(self, own: Callable[[], tf.Tensor]) -> tf.Tensor:
        source = self._source
        self.drawn.append(own() if source is None else source.next(own))
        return self.drawn[-1]


class _Replayed:
    """Hands out the seeds of a list in their order."""

    def __init__(self, seeds: Sequence[tf.Tensor]) -> None:
        self._seeds = iter(seeds)

    def next(self, own: Callable[[], tf.Tensor]) -> tf.Tensor:
        return next(self._seeds)


_source: contextvars.ContextVar[_Source | None] = contextvars.ContextVar(
    "t2t_lite_seed_source", default=None
)


@contextlib.contextmanager
def _taking_from(source: _Source) -> Iterator[None]:
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


@contextlib.contextmanager
def seed_scope(seed: tf.Tensor) -> Iterator[None]:
    """Makes every `Dropout` call inside draw from `seed`.

    The n-th call of the scope draws from (seed, n): the draws are a pure
    function of the seed, in eager mode and in a traced function alike, and no
    state is read or written. Enter it inside the replica function, since
    threads do not inherit it.

    Args:
        seed: int32 tensor `(2,)`; or `(3,)`, whose last number is what
            `share_of_rates` gives: the share of their rates that the
            `Dropout` layers inside drop.

    Raises:
        ValueError: the seed's shape is another one.
    """
    with _taking_from(_Counted(seed)):
        yield


@contextlib.contextmanager
def recorded_seeds() -> Iterator[list[tf.Tensor]]:
    """Gives a list that every seed drawn inside is added to.

    The seeds are those that the calls inside draw without it.
    """
    source = _Recorded(_source.get())
    with _taking_from(source):
        yield source.drawn


@contextlib.contextmanager
def replayed_seeds(seeds: Sequence[tf.Tensor]) -> Iterator[None]:
    """Makes the `Dropout` calls inside draw from `seeds`, one each, in order.

    Args:
        seeds: int32 tensors, as many as there are draws inside.
    """
    with _taking_from(_Replayed(seeds)):
        yield


def share_of_rates(share: float) -> int:
    """Returns the third number of a seed: a share in [0, 1], in 65,536ths."""
    return round(share * _PARTS)


def next_seed(
    own: Callable[[], tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns (seed of one more draw, share of its rate that dropout has).

    The seed is int32 `(2,)`; the share a float32 scalar, or None: all of it.

    Args:
        own: makes a seed where no scope gives one.
    """
    source = _source.get()
    seed = own() if source is None else source.next(own)
    if seed.shape[0] == 2:
        return seed, None
    return seed[:2], tf.cast(seed[2], tf.float32) / _PARTS


def uniform_draws(
    shape: Sequence[int] | tf.Tensor, count: int
) -> list[tf.Tensor]:
    """Returns random numbers in [0, 1) from one more seed of the scope.

    Args:
        shape: of each tensor.
        count: int, tensors that are drawn; no two are alike.
    Returns:
        List of float32 tensors.
    """
    seed, _ = next_seed(_any_seed)
    return draws_of(seed, shape, count)


def draws_of(
    seed: tf.Tensor, shape: Sequence[int] | tf.Tensor, count: int
) -> list[tf.Tensor]:
    """Returns what `uniform_draws` does, from a given seed, int32 `(2,)`."""
    # As `Dropout` draws: what makes floats of words itself differs in XLA.
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.concat([[count], tf.cast(shape, tf.int32)], axis=0),
        key=tf.reshape(tf.bitcast(seed, tf.uint64), [1]),
        counter=tf.zeros([2], tf.uint64),
        alg=1,
        dtype=tf.uint32,
    )
    numbers = tf.cast(tf.bitwise.right_shift(words, _SHIFT), tf.int32)
    return tf.unstack(tf.cast(numbers, tf.float32) * _UNIT, count)


def _any_seed() -> tf.Tensor:
    return tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32)
