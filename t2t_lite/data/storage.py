"""Files that are never half written: atomic writes, hashes, a folder lock."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from t2t_lite.errors import UserError

TEMPORARY_SUFFIX = ".tmp"


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yields a temporary name in the folder of `path`; renames it at the end.

    The file appears under `path` whole or not at all. The temporary name is
    unique to the process and the call. After an error nothing is left; after
    a kill the leftover ends in `.tmp` (see `remove_temporary_files`).
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(
        folder, f".{name}.{os.getpid()}-{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"
    )
    try:
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


def write_bytes(path: str, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def write_text(path: str, text: str) -> None:
    """Writes `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: str, content: Any) -> None:
    """Writes `content` to `path` as indented JSON, whole or not at all."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    write_bytes(path, (text + "\n").encode())


def remove_temporary_files(folder: str) -> None:
    """Removes what killed processes left; call it under `folder_lock`."""
    for name in os.listdir(folder):
        if name.startswith(".") and name.endswith(TEMPORARY_SUFFIX):
            os.remove(os.path.join(folder, name))


def sha256_of_bytes(content: bytes) -> str:
    """Returns the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: str) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_json(content: Any) -> str:
    """Returns the SHA-256 of `content` as sorted, compact JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256_of_bytes(text.encode())


@contextlib.contextmanager
def folder_lock(folder: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the one lock of `folder` among the processes of this machine.

    The lock is a file beside the folder, `.<name>.lock`. The system frees it
    when its holder dies, however it dies; it is removed at the end.

    Args:
        folder: str, path of the folder.
        waiting: called once if another process holds the lock, before
            waiting for it.
    """
    parent, name = os.path.split(os.path.abspath(folder))
    path = os.path.join(parent, f".{name}.lock")
    file = _locked_file(path, waiting)
    try:
        yield
    finally:
        os.remove(path)
        file.close()


def try_lock(path: str) -> BinaryIO | None:
    """Opens and locks a file; None if another process holds its lock.

    The system frees the lock when the file is closed or its holder dies. Who
    removes the file while holding it does so before closing it.

    Args:
        path: str, made if missing; its content is left as it is.
    Raises:
        UserError: the file system takes no locks.
    """
    while True:
        file = open(path, "a+b")  # noqa: SIM115 (the caller closes it)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError as error:
            file.close()
            raise UserError(
                f"{path} cannot be locked ({error.strerror}); give a folder on "
                "a file system that takes locks"
            ) from error
        if _is_same_file(path, file):
            return file
        file.close()  # the previous holder removed it: lock the new one


def _locked_file(path: str, waiting: Callable[[], None]):
    """Returns the opened file at `path`, locked."""
    told = False
    while True:
        file = open(path, "a")  # noqa: SIM115 (the caller closes it)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                waiting()
            told = True
            fcntl.flock(file, fcntl.LOCK_EX)
        if _is_same_file(path, file):
            return file
        file.close()  # the previous holder removed it: lock the new one


def _is_same_file(path: str, file) -> bool:
    """Returns whether `path` still names the opened `file`."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def flush_to_disk(path: str) -> None:
    """Asks the system to write `path` before the rename that publishes it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
