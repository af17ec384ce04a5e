"""Builds the package; everything about it is in pyproject.toml."""

import pathlib

from setuptools import setup

ROOT = pathlib.Path(__file__).parent

# A checkout without symbolic links (Windows, some archives) holds small text
# files in their place, and would build a package without its rooms.
for name in ("problems", "trainer"):
    if not (ROOT / "t2t_lite" / name).is_dir():
        raise SystemExit(
            f"t2t_lite/{name} must be a symbolic link to ../{name}; clone "
            "again with git -c core.symlinks=true, or link it by hand"
        )

setup()
