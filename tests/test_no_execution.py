"""Nothing that is loaded is executed: read from the source itself.

Runs, prepared data, vocabularies and texts are JSON, protobuf, TFRecords,
plain arrays and text. What could run a file's content is not used anywhere,
and nothing is unpacked to where an archive's names lead.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ("t2t_lite", "problems", "trainer")
MODULES = {
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "pickle",
    "shelve",
    "tarfile",
    "yaml",
    "zipfile",
}
CALLS = {
    "compile",
    "enable_unsafe_deserialization",
    "eval",
    "exec",
    "load_model",
    "model_from_json",
    "unpack_archive",
    "unsafe_load",
}
# The user names this folder of modules, to be imported, by a flag.
IMPORTERS = {"t2t_lite/registry.py"}


def sources():
    """Paths of the library's modules, each once: links are not followed."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            parts = path.relative_to(ROOT).parts
            if room != "t2t_lite" or parts[1] not in ROOMS:
                yield path.relative_to(ROOT)


def wrong_uses(source, path="x.py"):
    """Yields what `source` uses of the above."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            yield from _wrong_call(node, path)
            continue
        else:
            continue
        yield from (n for n in names if n.split(".")[0] in MODULES)


def _wrong_call(node, path):
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    owner = getattr(getattr(node.func, "value", None), "id", "")
    if name in CALLS and owner != "re":
        yield name
    if name == "import_module" and path not in IMPORTERS:
        yield name
    for word in node.keywords:
        value = getattr(word.value, "value", None)
        if word.arg == "allow_pickle" and value is not False:
            yield word.arg
        if word.arg in ("shell", "safe_mode") and value is not None:
            yield word.arg
    if (owner, name) == ("np", "load"):
        yield "np.load"


@pytest.mark.parametrize("path", sorted(set(sources())), ids=str)
def test_module(path):
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not list(wrong_uses(source, path.as_posix()))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from tarfile import open",
        "def f():\n    import zipfile",
        "eval('1')",
        "keras.models.load_model(x)",
        "shutil.unpack_archive(x)",
        "np.load(x)",
        "f(x, allow_pickle=True)",
        "subprocess.run(x, shell=True)",
        "importlib.import_module(x)",
    ],
)
def test_the_reader_sees(source):
    assert list(wrong_uses(source))


def test_the_reader_allows():
    assert not list(
        wrong_uses("re.compile('a')\nnp.save(x, allow_pickle=False)")
    )
    assert len(set(sources())) > 30
