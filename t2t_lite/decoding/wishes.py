"""What a caller asks of a search, as Python values: names, lists, ranges.

This module does not load TensorFlow, so that a client of a server needs none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from t2t_lite.decoding.options import SearchOptions
from t2t_lite.errors import UserError, closest

PHRASES = ("required", "forbidden")


def check_names(wishes: Collection[str], names: Collection[str]) -> None:
    """Raises UserError where a wish is none of `names`."""
    for name in wishes:
        if name not in names:
            raise UserError(
                f"{name}: no wish of a search{closest(name, names)}; there "
                f"are {', '.join(names) or 'none, for nothing is searched'}"
            )


def by_name(count: int, wishes: Mapping[str, Any]) -> dict[str, list]:
    """Returns lists of one value for all texts or of one for each.

    Args:
        count: int, texts.
        wishes: values by name, one for all texts or a list of one each; None
            asks for nothing.
    Raises:
        UserError: a list is of another length, or phrases are a text alone.
    """
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
        if name in PHRASES:
            _check_phrases(name, each)
        found[name] = each
    return found


def _is_list(name: str, value: Any) -> bool:
    """Returns whether a value is one of each text."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        return False
    if name in PHRASES:
        return any(not isinstance(item, (str, bytes)) for item in value)
    return True


def _check_phrases(name: str, each: list) -> None:
    for phrases in each:
        # A text has a length and items too: its letters would be phrases.
        if isinstance(phrases, (str, bytes)) or not hasattr(phrases, "__len__"):
            raise UserError(
                f"{name}: expected a list of phrases, got {phrases!r:.100}"
            )


def check_ranges(
    defaults: SearchOptions, count: int, wishes: Mapping[str, Any]
) -> None:
    """Raises UserError where a text's options make no sense together.

    Args:
        defaults: SearchOptions of what is not asked for.
        count: int, texts.
        wishes: as for `by_name`.
    """
    fields = {field.name for field in dataclasses.fields(SearchOptions)}
    each = by_name(count, wishes)
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
