"""The scripts of benchmarks/ lie beside the package, not in it."""

import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """Lets a test import the scripts by their names."""
    if not FOLDER.is_dir():
        pytest.skip(f"no {FOLDER}: a source distribution leaves it out")
    monkeypatch.syspath_prepend(FOLDER)
