"""What a caller asks of a search, from Python values to a graph's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

from t2t_lite.decoding.search import SearchOptions
from t2t_lite.decoding.wishes import (
    PHRASES,
    by_name,
    check_names,
    check_ranges,
)
from t2t_lite.errors import UserError


class Searcher(Protocol):
    """What wishes are asked of: a predictor, or an export of one."""

    options: SearchOptions

    def defaults(self) -> dict[str, tf.Tensor]:
        """Returns what holds where nothing is asked for, by name."""


def request_values(
    searcher: Searcher, count: int, wishes: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Returns the inputs of `TextGraphs.translate` but the texts.

    Args:
        searcher: whose defaults hold where nothing is asked for.
        count: int, texts of the batch.
        wishes: values by name, one for all texts or a list of one each.
    Raises:
        UserError: a name is unknown, a list is of another length, or a value
            is out of range.
    """
    values = searcher.defaults()
    check_names(wishes, values)
    for name, each in by_name(count, wishes).items():
        values[name] = _tensor(name, each, values[name].dtype)
    check_ranges(searcher.options, count, wishes)
    return values


def wishes_of(
    part: Sequence[int], count: int, wishes: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the wishes of some texts.

    Args:
        part: their places.
        count: int, all texts.
        wishes: those of all.
    """
    return {
        name: [each[i] for i in part] if len(each) > 1 else each
        for name, each in by_name(count, wishes).items()
    }


def together(
    searcher: Searcher, each: Sequence[Mapping[str, Any]]
) -> dict[str, list]:
    """Returns the wishes of several texts as lists of one value each.

    Args:
        searcher: whose defaults stand in for what a text does not ask for.
        each: the texts' wishes by name; names are known.
    """
    defaults = searcher.defaults()
    names = {name: None for wishes in each for name in wishes}
    found = {}
    for name in names:
        default = [] if name in PHRASES else defaults[name].numpy()[0]
        if isinstance(default, bytes):
            default = default.decode()
        default = getattr(default, "tolist", lambda d=default: d)()
        found[name] = [wishes.get(name, default) for wishes in each]
    return found


def _tensor(name: str, each: list, dtype: tf.DType) -> tf.Tensor:
    if name in PHRASES:
        width = max(1, *(len(phrases) for phrases in each))
        each = [[*phrases, *[""] * (width - len(phrases))] for phrases in each]
    try:
        return tf.constant(each, dtype)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name}: expected {dtype.name}, got {each[0]!r:.100}"
        ) from error
