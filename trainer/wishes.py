"""What a caller asks of a search, from Python values to a graph's inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError, closest

_PHRASES = ("required", "forbidden")


class Searcher(Protocol):
    """What wishes are asked of: TextGraphs, or an export of them."""

    options: SearchOptions

    def defaults(self) -> dict[str, tf.Tensor]:
        """Returns what holds where nothing is asked for, by name."""


def request_values(
    graphs: Searcher, count: int, wishes: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Returns the inputs of `TextGraphs.translate` but the texts.

    Args:
        graphs: whose defaults hold where nothing is asked for.
        count: int, texts of the batch.
        wishes: values by name, one for all texts or a list of one each.
    Raises:
        UserError: a name is unknown, a list is of another length, or a value
            is out of range.
    """
    values = graphs.defaults()
    for name in wishes:
        if name not in values:
            raise UserError(
                f"{name}: no wish of a search{closest(name, values)}; there "
                f"are {', '.join(values)}"
            )
    for name, each in _by_name(count, wishes).items():
        values[name] = _tensor(name, each, values[name].dtype)
    _check(graphs.options, count, wishes)
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
        for name, each in _by_name(count, wishes).items()
    }


def together(
    graphs: Searcher, each: Sequence[Mapping[str, Any]]
) -> dict[str, list]:
    """Returns the wishes of several texts as lists of one value each.

    Args:
        graphs: whose defaults stand in for what a text does not ask for.
        each: the texts' wishes by name; names are known.
    """
    defaults = graphs.defaults()
    names = {name: None for wishes in each for name in wishes}
    found = {}
    for name in names:
        default = [] if name in _PHRASES else defaults[name].numpy()[0]
        if isinstance(default, bytes):
            default = default.decode()
        default = getattr(default, "tolist", lambda d=default: d)()
        found[name] = [wishes.get(name, default) for wishes in each]
    return found


def _by_name(count: int, wishes: Mapping[str, Any]) -> dict[str, list]:
    """Returns lists of one value for all texts or of one for each."""
    found = {}
    for name, value in wishes.items():
        if value is None:
            continue
        if isinstance(value, np.ndarray):
            value = value.tolist()
        each = list(value) if _is_list(name, value) else [value]
        if len(each) not in (1, count):
            raise UserError(
                f"{name}: {len(each)} values for {count} texts; give one for "
                "all, or a list of one each"
            )
        found[name] = each
    return found


def _is_list(name: str, value: Any) -> bool:
    """Returns whether a value is one of each text."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        return False
    if name in _PHRASES:
        return any(not isinstance(item, (str, bytes)) for item in value)
    return True


def _tensor(name: str, each: list, dtype: tf.DType) -> tf.Tensor:
    if name in _PHRASES:
        width = max(1, *(len(phrases) for phrases in each))
        each = [[*phrases, *[""] * (width - len(phrases))] for phrases in each]
    try:
        return tf.constant(each, dtype)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name}: expected {dtype.name}, got {each[0]!r:.100}"
        ) from error


def _check(
    defaults: SearchOptions, count: int, wishes: Mapping[str, Any]
) -> None:
    """Raises UserError where a text's options make no sense together."""
    fields = {field.name for field in dataclasses.fields(SearchOptions)}
    each = _by_name(count, wishes)
    named = {k: v for k, v in each.items() if k in fields}
    if "num_results" in named and "beam_size" not in named:
        # Asking for more results is asking for a beam that has them.
        least = max(defaults.beam_size, *named["num_results"])
        named["beam_size"] = [-(-least // defaults.num_groups)]
        named["beam_size"][0] *= defaults.num_groups
    rows = max([len(values) for values in named.values()], default=0)
    for row in range(rows):
        mine = {k: v[row if len(v) > 1 else 0] for k, v in named.items()}
        dataclasses.replace(defaults, **mine)
