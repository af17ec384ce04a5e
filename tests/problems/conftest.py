"""What tests of problems share: no network, and files of lines."""

import gzip
import pathlib
import shutil

import pytest

from t2t_lite.problems import downloads
from t2t_lite.registry import PROBLEMS
from tests.problems import mixed

SHARED = pathlib.Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def shared_data(tmp_path):
    """Returns a function: the folder of a real corpus, unpacked."""

    def find(name):
        folder = SHARED / name
        if not folder.is_dir():
            pytest.skip(f"no {folder}")
        for archive in (*folder.glob("*.zip"), *folder.glob("*.tar.gz")):
            safe = {} if archive.suffix == ".zip" else {"filter": "data"}
            shutil.unpack_archive(archive, tmp_path, **safe)
            folder = tmp_path
        return folder

    return find


@pytest.fixture
def offline(monkeypatch):
    """Makes every host unreachable."""
    monkeypatch.setattr(downloads, "unreachable", lambda url: "no route")


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes lines and returns the path."""

    def write_lines(name, lines):
        content = "".join(f"{line}\n" for line in lines).encode()
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            gzip.compress(content) if name.endswith(".gz") else content
        )
        return str(path)

    return write_lines


@pytest.fixture
def registered(monkeypatch):
    """Registers the problems of `mixed` for one test."""
    monkeypatch.setattr(PROBLEMS, "_entries", dict(PROBLEMS._entries))
    mixed.register()
