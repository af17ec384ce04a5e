"""The stored results: <folder>/<recipe>/seed<k>.json and what is beside it."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

from quality_scores import score
from quality_training import Seed

from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError
from t2t_lite.trainer import run_fields

_KEPT_TRAIN_ROWS = 100
_NAME = re.compile(r"seed(\d+)\.json")
_NUMBER = (int, float)
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "recipe": str,
    "flags": list,
    "seed": int,
    "command": str,
    "starts": list,
    "seconds": _NUMBER,
    "updates": int,
    "target_tokens": _NUMBER,
    "parameters": int,
    "data_hash": str,
    "weights": str,
    "scores": dict,
}
_VERSIONS = ("t2t_lite", "tensorflow", "keras", "python")


def path_of(folder: pathlib.Path, recipe: str, seed: int) -> pathlib.Path:
    """Returns where the result of a seed is stored."""
    return folder / recipe / f"seed{seed}.json"


def store(
    seed: Seed, starts: list[dict[str, Any]], folder: pathlib.Path
) -> pathlib.Path:
    """Stores a finished run: its numbers, outputs and measurements.

    The JSON file is written last: where it is, the others are.

    Args:
        seed: the run.
        starts: as `train` returns them.
        folder: of the stored results.
    Returns:
        The JSON file's path.
    """
    path = path_of(folder, seed.recipe, seed.seed)
    outputs = (seed.run / "test.outputs.txt").read_bytes()
    scores = score(seed.run, seed.source, seed.data)
    store_run(seed, starts, path, scores, {".outputs.txt": outputs})
    return path


def is_stored(seed: Seed, folder: pathlib.Path) -> bool:
    """Returns whether the result of a seed is stored, and says so.

    Raises:
        UserError: what is stored is damaged, or was made with other flags.
    """
    path = path_of(folder, seed.recipe, seed.seed)
    if not path.exists():
        return False
    if read(path)["flags"] != seed.flags:
        raise UserError(
            f"{path} was made with other flags than {seed.recipe} has now; "
            "remove the recipe's folder, or give the recipe another name"
        )
    print(f"{seed.recipe}, seed {seed.seed}: stored already", flush=True)
    return True


def store_run(
    seed: Seed,
    starts: list[dict[str, Any]],
    path: pathlib.Path,
    scores: dict[str, Any],
    beside: dict[str, bytes],
) -> None:
    """Writes a result; the JSON file last: where it is, the others are.

    Args:
        seed: the run, which is finished.
        starts: as `train` returns them.
        path: of the JSON file.
        scores: of the test, by how it was scored.
        beside: what else is stored, by what takes the place of ".json".
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = _rows(seed.run / "metrics.jsonl")
    result = {**_summary(seed, starts, rows), "scores": scores}
    thinned = "".join(json.dumps(row) + "\n" for row in _thinned(rows))
    beside = {**beside, ".metrics.jsonl": thinned.encode()}
    for ending, content in beside.items():
        storage.write_bytes(str(path.with_suffix(ending)), content)
    storage.write_json(str(path), result)


def _summary(seed: Seed, starts, rows) -> dict[str, Any]:
    results = untrusted.read_json(str(seed.run / "results.json"), finite=False)
    run = untrusted.read_json(str(seed.run / run_fields.FILE))
    made_by = results["made_by"]
    return {
        "recipe": seed.recipe,
        "flags": seed.flags,
        "seed": seed.seed,
        "command": seed.shown(),
        "starts": starts,
        "seconds": round(sum(row["seconds"] for row in starts), 1),
        "updates": results["step"],
        "target_tokens": round(
            sum(row["tokens"] for row in rows if row["kind"] == "train")
        ),
        "parameters": results["parameters"],
        "data_hash": results["data_hash"],
        "settings": {
            name: seed.without_places(value) if type(value) is str else value
            for name, value in run["settings"].items()
        },
        "weights": results["weights"],
        "versions": {name: made_by[name] for name in _VERSIONS},
        "validation": results["validation"],
    }


def _rows(path: pathlib.Path) -> list[dict[str, Any]]:
    lines = path.read_bytes().splitlines()
    return [untrusted.parse_json(line, finite=False) for line in lines]


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the evaluations, and about a hundred of the training's rows.

    Signatures are left out: they are in the JSON file.
    """
    train = [row for row in rows if row["kind"] == "train"]
    every = -(-len(train) // _KEPT_TRAIN_ROWS) or 1
    kept = {row["step"] for row in train[::every]} | {
        row["step"] for row in train[-1:]
    }
    return [
        {k: v for k, v in row.items() if not k.endswith("_signature")}
        for row in rows
        if row["kind"] != "train" or row["step"] in kept
    ]


def load(folder: pathlib.Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the stored results by recipe, in the order of their seeds.

    Raises:
        UserError: a file is no such result; names the file and what is wrong.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*/seed*.json")):
        if _NAME.fullmatch(path.name):
            found.setdefault(path.parent.name, []).append(read(path))
    for results in found.values():
        results.sort(key=lambda result: result["seed"])
    return found


def read(path: pathlib.Path) -> dict[str, Any]:
    """Returns one stored result; raises as `load`."""
    try:
        result = untrusted.read_json(str(path), finite=False)
        _check(result)
        if path.name != f"seed{result['seed']}.json":
            raise ValueError(f"it is of seed {result['seed']}")
        if path.parent.name != result["recipe"]:
            raise ValueError(f"it is of the recipe {result['recipe']}")
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}); restore it, or remove it and run "
            "its recipe again"
        ) from error
    return result


def _check(result: Any) -> None:
    if not isinstance(result, dict):
        raise ValueError("it is no JSON object")
    for name, kind in _FIELDS.items():
        if not isinstance(result.get(name), kind):
            raise ValueError(f"{name} is missing or of another type")
    if not isinstance(result["scores"].get("problem"), dict):
        raise ValueError("scores hold none of the problem")


def curves(
    folder: pathlib.Path, result: dict[str, Any], metric: str
) -> dict[str, list[tuple[int, float]]]:
    """Returns the validation's "loss" and `metric` as (update, value)."""
    path = path_of(folder, result["recipe"], result["seed"])
    rows = _rows(path.with_suffix(".metrics.jsonl"))
    return {
        name: [
            (row["step"], row[name])
            for row in rows
            if row["kind"] == "validation" and name in row
        ]
        for name in ("loss", metric)
    }
