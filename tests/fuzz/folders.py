"""Prepared folders with other files, and a manifest that agrees with them."""

from __future__ import annotations

import os
from typing import Any

from t2t_lite.data import manifest as manifests
from t2t_lite.data import storage
from tests.fuzz import mutations


def sign(manifest: Any) -> Any:
    """Gives an edited manifest its hash, so that more than it is checked."""
    try:
        manifest["data_hash"] = manifests.data_hash(manifest)
    except (AttributeError, KeyError, TypeError):
        return manifest  # the edit took away what is hashed
    return manifest


def write(folder: str, name: str, content: bytes) -> None:
    """Writes a file of a folder."""
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def replace(folder: str, manifest: dict, entry: dict, content: bytes) -> None:
    """Puts `content` into a file, with a manifest that agrees with it."""
    write(folder, entry["file"], content)
    entry["bytes"] = len(content)
    entry["sha256"] = storage.sha256_of_bytes(content)
    write(folder, manifests.MANIFEST_FILE, mutations.as_json(sign(manifest)))


def record(example: bytes) -> bytes:
    """Returns a record of a TFRecord file, without its checksums."""
    return len(example).to_bytes(8, "little") + bytes(4) + example + bytes(4)
