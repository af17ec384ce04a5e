"""Kinds of inputs and targets: bounds, units, JSON, and what is refused."""

import dataclasses
import itertools
import json

import pytest
from hypothesis import given, settings

from t2t_lite.task import INPUTS, TARGETS, Task
from tests.fuzz import counting, mutations

TEXT = Task(vocab_size=300)
LABELS = Task(targets="label", vocab_size=300, labels=("a", "b", "c"))
TAGS = Task(targets="tags", vocab_size=300, labels=("O", "B-x"))
IMAGES = Task(
    inputs="image",
    targets="label",
    vocab_size=259,
    labels=("a", "b"),
    image_shape=(4, 5, 3),
)
SPEECH = Task(inputs="audio", vocab_size=259, sample_rate=8000)
LANGUAGE = Task(inputs="none", vocab_size=300)
TASKS = (TEXT, LABELS, TAGS, IMAGES, SPEECH, LANGUAGE)


@pytest.mark.parametrize(
    ("task", "side", "bounds", "unit", "length"),
    [
        (TEXT, "inputs", (0, 300), 1, None),
        (TEXT, "targets", (0, 300), 1, None),
        (LABELS, "targets", (1, 4), 1, 1),
        (TAGS, "targets", (0, 3), 1, None),
        (IMAGES, "inputs", (0, 256), 60, 60),
        (IMAGES, "targets", (1, 3), 1, 1),
        (SPEECH, "inputs", (-32768, 32768), 80, None),
        (SPEECH, "targets", (0, 259), 1, None),
        (LANGUAGE, "inputs", (0, 300), 1, None),
    ],
)
def test_sides(task, side, bounds, unit, length):
    assert task.bounds(side) == bounds
    assert task.unit(side) == unit
    assert task.exact_length(side) == length


@pytest.mark.parametrize(
    ("rate", "unit"), [(1, 1), (99, 1), (100, 1), (16_000, 160), (22_050, 220)]
)
def test_a_unit_of_audio_is_ten_milliseconds(rate, unit):
    task = Task(inputs="audio", vocab_size=259, sample_rate=rate)
    assert task.unit("inputs") == unit


def test_sizes_of_outputs():
    assert [t.num_targets for t in TASKS] == [300, 4, 3, 3, 259, 300]
    assert [t.num_labels for t in TASKS] == [1, 4, 3, 3, 1, 1]
    assert [t.has_text for t in TASKS] == [True, True, True, False, True, True]
    assert LANGUAGE.features == ("targets",)
    assert all(t.features == ("inputs", "targets") for t in TASKS[:-1])
    assert [t.describe() for t in TASKS] == [
        "text to text",
        "text to label",
        "text to tags",
        "image to label",
        "audio to text",
        "none to text",
    ]


@pytest.mark.parametrize("task", TASKS)
def test_json_round_trip(task):
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task


@pytest.mark.parametrize(
    ("inputs", "targets"), list(itertools.product(INPUTS, TARGETS))
)
def test_every_pair_of_kinds_but_tags_of_no_text(inputs, targets):
    values = {
        "inputs": inputs,
        "targets": targets,
        "vocab_size": 5,
        "labels": () if targets == "text" else ("a",),
        "image_shape": (1, 1, 1) if inputs == "image" else None,
        "sample_rate": 1 if inputs == "audio" else None,
    }
    if targets == "tags" and inputs != "text":
        with pytest.raises(ValueError, match="task: wrong inputs"):
            Task(**values)
        return
    task = Task(**values)
    assert (task.kind("inputs"), task.kind("targets")) == (inputs, targets)


@pytest.mark.parametrize(
    ("task", "changes", "field"),
    [
        (TEXT, {"inputs": "video"}, "inputs"),
        (TEXT, {"inputs": ["text"]}, "inputs"),
        (TEXT, {"targets": "image"}, "targets"),
        (TEXT, {"vocab_size": 0}, "vocab_size"),
        (TEXT, {"vocab_size": 2**31}, "vocab_size"),
        (TEXT, {"vocab_size": True}, "vocab_size"),
        (TEXT, {"vocab_size": 3.0}, "vocab_size"),
        (TEXT, {"labels": ("a",)}, "labels"),
        (TEXT, {"image_shape": (1, 1, 1)}, "image_shape"),
        (TEXT, {"sample_rate": 8000}, "sample_rate"),
        (LABELS, {"labels": ()}, "labels"),
        (LABELS, {"labels": ("a", "a")}, "labels"),
        (LABELS, {"labels": ("a", "")}, "labels"),
        (LABELS, {"labels": ("a", 2)}, "labels"),
        (LABELS, {"labels": "ab"}, "labels"),
        (LABELS, {"labels": None}, "labels"),
        (LABELS, {"labels": tuple(map(str, range(100_001)))}, "labels"),
        (TAGS, {"labels": ("O", "B x")}, "labels"),
        (TAGS, {"labels": ("O ",)}, "labels"),
        (IMAGES, {"image_shape": None}, "image_shape"),
        (IMAGES, {"image_shape": (4, 5)}, "image_shape"),
        (IMAGES, {"image_shape": [4, 5, 3]}, "image_shape"),
        (IMAGES, {"image_shape": (4, 0, 3)}, "image_shape"),
        (IMAGES, {"image_shape": (4, 5.0, 3)}, "image_shape"),
        (IMAGES, {"image_shape": (65_537, 1, 1)}, "image_shape"),
        (IMAGES, {"image_shape": (65_536, 65_536, 1)}, "image_shape"),
        (SPEECH, {"sample_rate": None}, "sample_rate"),
        (SPEECH, {"sample_rate": 0}, "sample_rate"),
        (SPEECH, {"sample_rate": 8000.0}, "sample_rate"),
        (SPEECH, {"sample_rate": 1_000_001}, "sample_rate"),
    ],
)
def test_refusals(task, changes, field):
    with pytest.raises(ValueError, match=f"^task: wrong {field}: "):
        dataclasses.replace(task, **changes)


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        "text",
        {},
        {**TEXT.to_json(), "more": 1},
        {k: v for k, v in TEXT.to_json().items() if k != "labels"},
    ],
)
def test_json_that_is_no_task(values):
    with pytest.raises(ValueError, match="task: expected inputs, targets, voc"):
        Task.from_json(values)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": "ab"},
        {"labels": ("a", "b")},
        {"labels": [["a"], "b"]},
        {"labels": {"a": 1}},
        {"image_shape": "123"},
        {"image_shape": {"1": 2}},
    ],
)
def test_json_of_another_form(changes):
    with pytest.raises(ValueError, match="task: wrong"):
        Task.from_json({**LABELS.to_json(), **changes})


@pytest.mark.parametrize("task", TASKS, ids=Task.describe)
def test_edited_json_is_a_task_or_refused(task):
    @given(mutations.edited(task.to_json()))
    @settings(max_examples=150, deadline=None)
    def attempt(values):
        try:
            found = Task.from_json(values)
        except ValueError as error:
            counting.check_message(error, "task: ")
            return
        for side in ("inputs", "targets"):
            least, end = found.bounds(side)
            assert -(2**31) <= least < end <= 2**31
            assert 0 < found.unit(side) < 2**31
        assert Task.from_json(found.to_json()) == found

    attempt()
