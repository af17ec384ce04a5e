"""What tests of problems share: no network, and files of lines."""

import gzip

import pytest

from t2t_lite.problems import downloads


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
