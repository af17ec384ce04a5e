"""Everything registered works, each problem with each model that fits it.

Each problem reads a small source of its own format, which is prepared; each
model of its kinds, at its tiny set, makes two updates on it and is judged. What
a server loads answers as the model does, every time for the first problem that
maps its kinds. The table says what is tried with what.
"""

import numpy as np
import pytest

from t2t_lite import models, problems
from t2t_lite.data.preparing import prepare
from t2t_lite.models.resolve import takes
from t2t_lite.registry import HPARAMS, MODELS, PROBLEMS
from tests.conformance import (
    other_sources,
    text_sources,
    tfds_sources,
)
from tests.conformance.engine import DECODED, Engine
from tests.conformance.table import TINY, WRITERS
from tests.selection import few

assert models
SOURCES = (other_sources, text_sources, tfds_sources)  # they fill WRITERS


def own(registry):
    """Returns the names that the library itself registers."""
    return [
        name
        for name in registry.names()
        if registry.get(name).__module__.startswith("t2t_lite.")
    ]


def test_every_problem_has_a_small_source():
    missing = sorted(set(own(PROBLEMS)) - set(WRITERS))
    assert not missing, (
        f"no small source of {', '.join(missing)}: write one with "
        "@writes(...), see tests/conformance/table.py"
    )
    stale = sorted(set(WRITERS) - set(own(PROBLEMS)))
    assert not stale, f"no such problem: take {', '.join(stale)} out"


def test_every_model_has_a_tiny_set():
    missing = sorted(set(own(MODELS)) - set(TINY))
    assert not missing, (
        f"no tiny set of {', '.join(missing)}: register one of a layer or two "
        "and name it in TINY, see tests/conformance/table.py"
    )
    for model, name in TINY.items():
        assert name in HPARAMS, f"TINY: no hparams set {name!r}"
        expected = MODELS.get(model).hparams_class
        assert type(HPARAMS.get(name)()) is expected, f"{name} is of another"


def kinds_of(name):
    """Returns what a problem maps to what; known before its data are read."""
    problem = PROBLEMS.get(name)
    return problem.inputs_kind, problem.targets_kind


def pairs():
    """Yields (problem, model) of all that fit one another."""
    for problem in own(PROBLEMS):
        for model in own(MODELS):
            if kinds_of(problem) in MODELS.get(model).kinds:
                yield problem, model


def test_every_problem_and_every_model_has_a_partner():
    found = set(pairs())
    assert {problem for problem, _ in found} == set(own(PROBLEMS))
    assert {model for _, model in found} == set(own(MODELS))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """prepared(problem) -> (problem, its data), prepared once."""
    found = {}

    def get(name):
        if name not in found:
            folder = tmp_path_factory.mktemp(name)
            source = folder / "source"
            source.mkdir()
            options = WRITERS[name](source, name)
            options = {k: _plain(v) for k, v in options.items()}
            problem = problems.create(name, options, str(folder / "data"))
            data = prepare(
                problem,
                "byte",
                259,
                str(folder / "data"),
                progress=False,
                log=lambda line: None,
            )
            found[name] = problem, data
        return found[name]

    return get


def _plain(value):
    return value if isinstance(value, int) else str(value)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """engine(model, data, problem) -> Engine, one of each task."""
    found = {}

    def get(model, data, problem):
        key = model, repr(data.task)
        if key not in found:
            folder = tmp_path_factory.mktemp("export")
            found[key] = Engine(model, data, problem, folder)
        return found[key]

    yield get
    for each in found.values():
        if "export" in vars(each):
            each.export.close()


@pytest.mark.parametrize(("name", "model"), sorted(pairs()))
def test_it_learns_and_is_judged(name, model, prepared, engine):
    problem, data = prepared(name)
    assert takes(model, data.task)
    for split in problem.splits:
        assert data.split(split).num_examples > 0
        assert len(list(problem.examples(split))) == (
            data.split(split).num_examples
        )
    made = engine(model, data, problem)
    first, second = made.train(data, problem)
    assert first["tokens"] == second["tokens"] > 0
    assert np.isfinite([first["loss"], second["loss"]]).all()
    moved = zip(made.first_weights, made.model.get_weights(), strict=True)
    assert any((old != new).any() for old, new in moved)
    scores = made.judge(data, problem)
    assert np.isfinite(scores[problem.main_metric])


def first_of_a_kind():
    """Returns the pairs, sorted; those that map other kinds are always run."""
    found = sorted(pairs())
    kinds = [(kinds_of(problem), model) for problem, model in found]
    return few(found, always=[kinds.index(each) for each in set(kinds)])


@pytest.mark.parametrize(("name", "model"), first_of_a_kind())
def test_a_server_answers_as_it_does(name, model, prepared, engine):
    problem, data = prepared(name)
    made = engine(model, data, problem)
    expected, found = made.answers(data)
    assert found == expected
    count = min(DECODED, data.split("validation").num_examples)
    assert len(found) == count
    for signature, outputs in made.signatures(data).items():
        for output in outputs.values():
            assert len(output) == count, signature
