"""The rooms: imports point one way, files stay small, flags have one place.

t2t_lite <- problems <- trainer <- trainer/cli, read from the source itself.
"""

import ast
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ("t2t_lite", "problems", "trainer", "trainer/cli")
# Where a room may not look: the rooms above it.
ABOVE = {
    "t2t_lite": ("t2t_lite.problems", "t2t_lite.trainer"),
    "problems": ("t2t_lite.trainer",),
    "trainer": ("t2t_lite.trainer.cli",),
    "trainer/cli": (),
}
# `load` in t2t_lite/__init__.py is the library's one door to the engine.
DOORS = {("t2t_lite/__init__.py", "t2t_lite.trainer.inference")}
MAX_LINES = 400
MAX_FUNCTION_LINES = 60
FOLDERS = ("t2t_lite", "problems", "trainer", "tests", "benchmarks", "docs")


def python_files():
    """Paths relative to the root, each once: links are not followed."""
    found = list(ROOT.glob("*.py"))
    for folder in FOLDERS:
        for place, _, names in os.walk(ROOT / folder):
            found += [
                pathlib.Path(place, name)
                for name in names
                if name.endswith(".py")
            ]
    return sorted(path.relative_to(ROOT) for path in found)


def room_of(path):
    rooms = [room for room in ROOMS if path.is_relative_to(room)]
    return max(rooms, key=len, default=None)


def imported_names(source, module=""):
    """Yields the full names of all that `source` imports, at any depth.

    Args:
        source: str, Python.
        module: str, the importing module's package, for relative imports.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")
            kept = parents[: len(parents) - node.level + 1]
            base = ".".join(
                (kept if node.level else []) + [node.module or ""]
            ).strip(".")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def package_of(path):
    parts = path.parent.parts
    if parts and parts[0] in ("problems", "trainer"):
        parts = ("t2t_lite", *parts)
    return ".".join(parts)


def is_inside(name, package):
    return name == package or name.startswith(package + ".")


def wrong_imports(path, source):
    """Names that `path` may not import."""
    names = set(imported_names(source, package_of(path)))
    above = ABOVE.get(room_of(path), ())
    return sorted(
        name
        for name in names
        if any(is_inside(name, package) for package in above)
        and not any(
            path.as_posix() == file and is_inside(name, door)
            for file, door in DOORS
        )
    )


def bare_imports(source):
    """Names that only work where the root folder is on the path."""
    return sorted(
        name
        for name in set(imported_names(source, "x"))
        if is_inside(name, "problems") or is_inside(name, "trainer")
    )


def uses_absl_flags(source):
    return any(
        is_inside(name, "absl.flags") or is_inside(name, "absl.app")
        for name in imported_names(source)
    )


def test_every_room_is_read():
    rooms = {room_of(path) for path in python_files()}
    assert set(ROOMS) <= rooms
    assert pathlib.Path("trainer/cli/command.py") in python_files()


@pytest.mark.parametrize("path", python_files(), ids=str)
def test_file(path):
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not wrong_imports(path, source), "imports a room above its own"
    assert not bare_imports(source), "import t2t_lite.problems, .trainer"
    assert len(source.splitlines()) <= MAX_LINES
    if room_of(path) is not None and room_of(path) != "trainer/cli":
        assert not uses_absl_flags(source), "flags live in trainer/cli"


def long_functions(source):
    """Names of functions over the limit, their docstrings not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if text := ast.get_docstring(node, clean=False):
                lines -= text.count("\n") + 1
            if lines > MAX_FUNCTION_LINES:
                yield node.name


@pytest.mark.parametrize("path", python_files(), ids=str)
def test_functions_are_short(path):
    assert not list(long_functions((ROOT / path).read_text()))


def test_a_long_function_is_found():
    source = "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES
    assert list(long_functions(source)) == ["f"]


def test_rooms_are_relative_links():
    if not (ROOT / "trainer").exists():
        pytest.skip("a source distribution holds folders in their place")
    for name in ("problems", "trainer"):
        link = ROOT / "t2t_lite" / name
        assert link.is_symlink()
        assert link.readlink() == pathlib.Path("..", name)


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("t2t_lite/x.py", "import t2t_lite.trainer", ["t2t_lite.trainer"]),
        (
            "t2t_lite/layers/x.py",
            "def f():\n    from t2t_lite import problems",
            ["t2t_lite.problems"],
        ),
        (
            "t2t_lite/layers/x.py",
            "from ..trainer import step",
            ["t2t_lite.trainer", "t2t_lite.trainer.step"],
        ),
        ("problems/x.py", "from .. import trainer", ["t2t_lite.trainer"]),
        (
            "trainer/x.py",
            "from t2t_lite.trainer.cli import train",
            ["t2t_lite.trainer.cli", "t2t_lite.trainer.cli.train"],
        ),
        ("trainer/x.py", "from . import cli", ["t2t_lite.trainer.cli"]),
        ("t2t_lite/x.py", "import t2t_lite.trainers, t2t_lite.layers", []),
        ("problems/x.py", "from t2t_lite import layers", []),
        ("trainer/cli/x.py", "from t2t_lite.trainer import step", []),
        ("trainer/x.py", "from t2t_lite.problems import create", []),
    ],
)
def test_the_reader_sees_wrong_directions(path, source, wrong):
    assert wrong_imports(pathlib.Path(path), source) == wrong


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("import problems", ["problems"]),
        ("from trainer.cli import x", ["trainer.cli", "trainer.cli.x"]),
        ("from t2t_lite import problems", []),
        ("from . import trainer", []),
    ],
)
def test_the_reader_sees_bare_names(source, wrong):
    assert bare_imports(source) == wrong


def test_the_reader_sees_flags():
    assert uses_absl_flags("from absl import flags")
    assert uses_absl_flags("import absl.flags")
    assert not uses_absl_flags("from absl import logging")
