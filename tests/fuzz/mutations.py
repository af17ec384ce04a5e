"""Malformed inputs, made of good ones."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

NAMES = (
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "\ud800",
    "x" * 300,
    "NUL",
)
NUMBERS = (
    -1,
    0,
    1,
    3,
    2**31 - 1,
    2**31,
    2**62,
    2**64,
    10**400,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    -float("inf"),
)
_DEEP = json.loads("[" * 60 + "]" * 60)
_REMOVED = object()


def odd_values() -> st.SearchStrategy:
    """Draws JSON values of every type, mostly such as nobody expects."""
    plain = st.one_of(
        st.sampled_from(NUMBERS),
        st.sampled_from(NAMES),
        st.none(),
        st.booleans(),
        st.text(max_size=12),
        st.integers(-(10**6), 10**6),
    )
    return st.one_of(
        plain,
        st.recursive(
            plain,
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.text(max_size=8), inner, max_size=3),
            ),
            max_leaves=6,
        ),
        st.just(_DEEP),
    )


def edited(document: Any) -> st.SearchStrategy:
    """Draws copies of a JSON document with one to three places edited."""
    places = list(_places(document))
    edit = st.tuples(
        st.sampled_from(places), st.one_of(odd_values(), st.just(_REMOVED))
    )
    return st.lists(edit, min_size=1, max_size=3).map(
        lambda edits: _with_edits(document, edits)
    )


def mangled(content: bytes) -> st.SearchStrategy:
    """Draws bytes that differ from `content`, mostly in little."""
    place = st.integers(0, max(0, len(content) - 1))
    return st.one_of(
        place.map(lambda end: content[:end]),
        st.lists(
            st.tuples(place, st.integers(1, 255)), min_size=1, max_size=4
        ).map(lambda flips: _flipped(content, flips)),
        st.tuples(place, st.integers(1, 40)).map(
            lambda cut: content[: cut[0]] + content[cut[0] + cut[1] :]
        ),
        st.tuples(place, st.binary(min_size=1, max_size=20)).map(
            lambda new: content[: new[0]] + new[1] + content[new[0] :]
        ),
        st.binary(max_size=40),
    ).filter(lambda mutant: mutant != content)


def as_json(value: Any) -> bytes:
    """Returns JSON text of any value: NaN, Infinity and half characters."""
    return json.dumps(value).encode()


def _flipped(content: bytes, flips: list[tuple[int, int]]) -> bytes:
    mutant = bytearray(content)
    for place, mask in flips:
        mutant[place] ^= mask
    return bytes(mutant)


def _places(document: Any, path: tuple = ()):
    """Yields the path of every value inside a JSON document."""
    inner = []
    if isinstance(document, dict):
        inner = list(document.items())
    elif isinstance(document, list):
        inner = list(enumerate(document))
    for key, value in inner:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _with_edits(document: Any, edits: list) -> Any:
    result = copy.deepcopy(document)
    for path, value in edits:
        parent = result
        for key in path[:-1]:
            parent = _child(parent, key)
        if _child(parent, path[-1]) is None:
            continue  # an earlier edit took the place away
        if value is _REMOVED:
            del parent[path[-1]]
        else:
            parent[path[-1]] = copy.deepcopy(value)
    return result


def _child(parent: Any, key: Any) -> Any:
    if isinstance(parent, dict):
        return parent.get(key)
    if isinstance(parent, list) and isinstance(key, int) and key < len(parent):
        return parent[key]
    return None
