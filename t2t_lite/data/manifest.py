"""The manifest of a prepared folder: what it holds, from what, with hashes.

`manifest.json` exists only when everything else does. While the folder is
being written the same content, with holes, is in `manifest.json.partial`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from typing import Any

from t2t_lite.data import manifest_form, storage, untrusted
from t2t_lite.data.text_encoder import load_encoder
from t2t_lite.errors import UserError

FORMAT_VERSION = 3
MANIFEST_FILE = "manifest.json"
PARTIAL_FILE = "manifest.json.partial"


def request(
    problem, vocab_kind: str, vocab_size: int, sampling=None
) -> dict[str, Any]:
    """Returns the part of a manifest that the caller decides.

    Args:
        problem: anything with `name`, `options` (JSON), `splits` and
            `vocab_file`; the manifest has the hash of a vocabulary that is
            given.
        vocab_kind: str, see `text_encoder.VOCAB_KINDS`.
        vocab_size: int, number of ids asked for; byte vocabularies ignore it.
        sampling: SubwordSampling of the training texts, or None.
    """
    requested = 259 if vocab_kind == "byte" else int(vocab_size)
    given = {}
    if problem.vocab_file is not None:
        content = load_encoder(problem.vocab_file).to_bytes()
        given["vocabulary"] = storage.sha256_of_bytes(content)
    return {
        "format_version": FORMAT_VERSION,
        "problem": problem.name,
        "options": json.loads(json.dumps(dict(problem.options))),
        "split_names": list(problem.splits),
        "vocab_kind": vocab_kind,
        "vocab_size": requested,
        "sampling": dataclasses.asdict(sampling) if sampling else None,
        **given,
    }


def sources(problem) -> dict[str, dict[str, Any]]:
    """Returns description, sha256 and count of each split's source."""
    facts = {}
    for split in problem.splits:
        source = problem.source(split)
        facts[split] = {
            "description": source.description,
            "sha256": source.sha256,
            "count": int(source.count),
        }
    return facts


def data_hash(manifest: dict[str, Any]) -> str:
    """Returns one hash of all that decides the data, in hexadecimal.

    The sources' descriptions, which may name folders, are left out.
    """
    content = {k: v for k, v in manifest.items() if k != "data_hash"}
    content["source"] = _without_descriptions(manifest["source"])
    return storage.sha256_of_json(content)


def is_complete(folder: str) -> bool:
    """Returns whether `folder` was prepared to the end."""
    return os.path.isfile(os.path.join(folder, MANIFEST_FILE))


def read(folder: str) -> dict[str, Any]:
    """Returns the checked manifest of a prepared folder.

    Raises:
        UserError: there is none, or it is damaged, or of another version.
    """
    path = os.path.join(folder, MANIFEST_FILE)
    if not os.path.isfile(path):
        raise UserError(_why_missing(folder))
    manifest = _read_json(path)
    if not isinstance(manifest, dict):
        raise damaged(path, "it is no JSON object")
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version!r:.80}, this program reads"
            f" version {FORMAT_VERSION}; {_mend(folder)}"
        )
    if not _is_unchanged(manifest):
        raise damaged(path, "its content does not match its data_hash")
    try:
        manifest_form.check(manifest)
    except ValueError as error:
        raise damaged(path, str(error)) from error
    return manifest


def read_partial(folder: str) -> dict[str, Any] | None:
    """Returns the manifest with holes of an interrupted run, or None.

    A damaged one counts as none: the run starts again.
    """
    try:
        partial = untrusted.read_json(os.path.join(folder, PARTIAL_FILE))
        manifest_form.check_partial(partial)
    except (FileNotFoundError, ValueError):
        return None
    return partial


def write_partial(folder: str, partial: dict[str, Any]) -> None:
    """Writes what is done so far."""
    storage.write_json(os.path.join(folder, PARTIAL_FILE), partial)


def publish(folder: str, manifest: dict[str, Any]) -> None:
    """Adds `data_hash` and makes the folder complete, in one rename."""
    write_partial(folder, {**manifest, "data_hash": data_hash(manifest)})
    os.replace(
        os.path.join(folder, PARTIAL_FILE), os.path.join(folder, MANIFEST_FILE)
    )


def check_matches(
    folder: str, there: dict[str, Any], asked: dict[str, Any]
) -> None:
    """Checks that the folder's manifest answers a request.

    Args:
        folder: str, named in the message.
        there: the folder's manifest.
        asked: a request, with `source` if the sources are to be compared.
    Raises:
        UserError: names each differing field, what is there, what was asked.
    """
    differing = [
        f"{field} is {_shown(old)} there but {_shown(new)} was asked for"
        for field, old, new in _differences(there, asked)
    ]
    if differing:
        raise UserError(
            f"the data prepared in {folder} are others: "
            + "; ".join(differing)
            + "; delete that folder or give another data_dir"
        )


def same_request(partial: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Returns whether an interrupted run wrote what is asked for now."""
    try:
        return not list(_differences(partial, asked))
    except (KeyError, TypeError, AttributeError):
        return False


def damaged(path: str, what: str) -> UserError:
    """Returns the error of a damaged file: the file, what, and the mend."""
    return UserError(
        f"{path} is damaged ({what}); {_mend(os.path.dirname(path))}"
    )


def check_file(path: str, entry: dict[str, Any]) -> None:
    """Checks that a file is there and has the size of its manifest entry."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(
            f"{path} is missing; {_mend(os.path.dirname(path))}"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise damaged(path, "it is no regular file")
    size = status.st_size
    if size != entry["bytes"]:
        raise damaged(path, f"{size} bytes, the manifest says {entry['bytes']}")


def read_checked(path: str, entry: dict[str, Any]) -> bytes:
    """Returns a file's content, checked against its manifest entry.

    Raises:
        UserError: the file is missing, has another size or another SHA-256.
    """
    check_file(path, entry)
    with open(path, "rb") as file:
        content = file.read()
    if storage.sha256_of_bytes(content) != entry["sha256"]:
        raise damaged(path, "its SHA-256 is not the manifest's")
    return content


def file_entry(path: str) -> dict[str, Any]:
    """Returns name, size and SHA-256 of a file, for a manifest."""
    return {
        "file": os.path.basename(path),
        "bytes": os.path.getsize(path),
        "sha256": storage.sha256_of_file(path),
    }


def _is_unchanged(manifest: dict[str, Any]) -> bool:
    """Returns whether a manifest still has the hash it was written with."""
    try:
        return manifest["data_hash"] == data_hash(manifest)
    except (KeyError, AttributeError, TypeError):
        return False  # it has not even the form of a manifest


def _differences(there, asked):
    """Yields (field, there, asked) for each field of `asked` that differs."""
    for field, new in asked.items():
        old = there.get(field)
        if field == "source":
            old, new = _without_descriptions(old), _without_descriptions(new)
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted({*old, *new}):
                if old.get(key) != new.get(key):
                    yield f"{field}.{key}", old.get(key), new.get(key)
        elif old != new:
            yield field, old, new


def _shown(value: Any) -> str:
    """Returns `value` for a message; a source's facts in a few words."""
    if isinstance(value, dict) and {"count", "sha256"} <= value.keys():
        return f"{value['count']:,} examples ({value['sha256'][:8]})"
    return repr(value)


def _without_descriptions(source):
    return {
        split: {k: v for k, v in facts.items() if k != "description"}
        for split, facts in source.items()
    }


def _why_missing(folder: str) -> str:
    if not os.path.isdir(folder):
        return f"there is no folder {folder}; prepare the data first"
    if os.path.isfile(os.path.join(folder, PARTIAL_FILE)):
        return (
            f"the data in {folder} are not complete (an earlier run was"
            " interrupted); prepare the data again to finish them"
        )
    return (
        f"{folder} holds no prepared data (no {MANIFEST_FILE}); {_mend(folder)}"
    )


def _read_json(path: str):
    try:
        return untrusted.read_json(path)
    except ValueError as error:
        raise damaged(path, str(error)) from error


def _mend(folder: str) -> str:
    return f"delete the folder {folder} and prepare the data again"
