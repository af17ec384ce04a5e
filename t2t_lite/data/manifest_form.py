"""The form of a manifest: every field's type, range and agreement.

A manifest's hash says that it was written as it is, not by whom: what it
claims is checked before it is used, and no number in it is believed that the
size of a file does not bear out.
"""

from __future__ import annotations

from typing import Any

from t2t_lite.data import untrusted
from t2t_lite.data.text_encoder import MAX_VOCABULARY_BYTES, VOCAB_KINDS
from t2t_lite.task import Task

_INT32_BYTES = 4


def check(manifest: Any) -> None:
    """Checks a complete manifest.

    Raises:
        ValueError: names the field, and what is wrong with it.
    """
    _check_request(manifest)
    _check_tokenizer(manifest["tokenizer"])
    features = _list(manifest, "features")
    for name in features:
        _require(isinstance(name, str), "features", "a list of names", name)
    sides = Task.from_json(_field(manifest, "task")).features
    _require(
        set(features) >= set(sides) and len(set(features)) == len(features),
        "features",
        f"{' and '.join(sides)}, each once",
        features,
    )
    for split in manifest["split_names"]:
        _check_split(manifest, split)


def check_partial(partial: Any) -> None:
    """Checks the manifest with holes of an interrupted run.

    Raises:
        ValueError: names the field, and what is wrong with it.
    """
    _check_request(partial)
    if partial.get("tokenizer") is not None:
        _check_tokenizer(partial["tokenizer"])
    if partial.get("features") is not None:
        for name in _list(partial, "features"):
            _require(isinstance(name, str), "features", "a list of names", name)
    if _field(partial, "task") is not None:
        Task.from_json(partial["task"])
    _ = _field(partial, "tokenizer"), _field(partial, "features")
    for split in partial["split_names"]:
        for shard in _list(_field(partial["splits"], split), "shards"):
            if shard is not None:
                _check_shard(shard)


def _check_request(manifest: Any) -> None:
    """Checks what the caller decided: the problem, its splits and sources."""
    _object(manifest, "the manifest")
    _text(manifest, "problem")
    _object(_field(manifest, "options"), "options")
    kind = _text(manifest, "vocab_kind")
    _require(kind in VOCAB_KINDS, "vocab_kind", "a known kind", kind)
    _count(manifest, "vocab_size")
    if "vocabulary" in manifest:  # one was given, and none trained
        _text(manifest, "vocabulary")
    sampling = _field(manifest, "sampling")
    if sampling is not None:
        _count(sampling, "samples")
        alpha = _field(sampling, "alpha")
        _require(type(alpha) is float, "alpha", "a number", alpha)
    names = _list(manifest, "split_names")
    for name in names:
        _require(isinstance(name, str), "split_names", "a list of names", name)
    for field in ("source", "num_shards", "splits"):
        there = _object(_field(manifest, field), field)
        _require(
            set(there) == set(names) and len(there) == len(names),
            field,
            "the splits of split_names",
            list(there),
        )
    for name in names:
        source = _object(manifest["source"][name], "source")
        _text(source, "description")
        _text(source, "sha256")
        _count(source, "count")
        shards = _list(_field(manifest["splits"], name), "shards")
        told = _count(manifest["num_shards"], name)
        _require(told == len(shards) > 0, "num_shards", len(shards), told)


def _check_tokenizer(entry: Any) -> None:
    _check_entry(entry)
    _require(
        entry["bytes"] <= MAX_VOCABULARY_BYTES,
        "bytes of the vocabulary",
        f"at most {MAX_VOCABULARY_BYTES:,}",
        entry["bytes"],
    )


def _check_split(manifest: dict[str, Any], name: str) -> None:
    """Checks that shards, lengths and source agree on the examples."""
    split = manifest["splits"][name]
    examples = _count(split, "examples")
    for shard in split["shards"]:
        _check_shard(shard)
    passes = samples_of(manifest, name)
    _require(
        examples
        == sum(shard["examples"] for shard in split["shards"])
        == manifest["source"][name]["count"] * passes
        > 0,
        f"examples of {name}",
        "the sum of its shards' and its source's count (times the samples of "
        "each), above 0",
        examples,
    )
    lengths = _field(split, "lengths")
    _check_entry(lengths)
    # A real file stands behind the numbers: its size is compared later.
    needed = _INT32_BYTES * examples * len(manifest["features"])
    _require(
        lengths["bytes"] >= needed,
        f"bytes of the lengths of {name}",
        f"at least {needed}",
        lengths["bytes"],
    )


def samples_of(manifest: dict[str, Any], split: str) -> int:
    """Returns how often an example of the source is in a split."""
    sampling = manifest["sampling"]
    return sampling["samples"] if sampling and split == "train" else 1


def _check_shard(entry: Any) -> None:
    _check_entry(entry)
    _count(entry, "examples")
    tokens = _object(_field(entry, "tokens"), "tokens")
    for name in tokens:
        _count(tokens, name)


def _check_entry(entry: Any) -> None:
    """Checks the name, size and hash of a file."""
    _object(entry, "a file's entry")
    untrusted.check_plain_name(_field(entry, "file"))
    _count(entry, "bytes")
    _text(entry, "sha256")


def _field(values: Any, name: str) -> Any:
    _object(values, f"what holds {name}")
    if name not in values:
        raise ValueError(f"{name} is missing")
    return values[name]


def _object(value: Any, where: str) -> dict[str, Any]:
    _require(isinstance(value, dict), where, "a JSON object", value)
    return value


def _list(values: Any, name: str) -> list:
    value = _field(values, name)
    _require(isinstance(value, list), name, "a list", value)
    return value


def _text(values: Any, name: str) -> str:
    value = _field(values, name)
    _require(isinstance(value, str), name, "a text", value)
    return value


def _count(values: Any, name: str) -> int:
    value = _field(values, name)
    good = type(value) is int and value >= 0
    _require(good, name, "a whole number of at least 0", value)
    return value


def _require(condition: bool, where: str, expected: Any, value: Any) -> None:
    if not condition:
        raise ValueError(f"{where}: expected {expected}, got {value!r:.80}")
