"""What a model maps to what: the kinds of inputs and targets of a task.

A problem says of which kinds its inputs and targets are; models say which
kinds they take. Between the two everything is rows of numbers:

    kind    one example as int32 values
    text    ids of the vocabulary, the last one the end mark
    label   one id: that of label i of `labels` is i + 1
    tags    as many ids as the inputs, those of labels; 0 = no tag here
    image   bytes, row by row, channels last
    audio   samples of 16 bits
    none    nothing: a language model has no inputs

The id 0 of targets is padding, on which no loss is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

INPUTS = ("text", "image", "audio", "none")
TARGETS = ("text", "label", "tags")
SIDES = ("inputs", "targets")
_MAX_LABELS = 100_000
_MAX_SIDE = 65_536
_MAX_VALUES = 1 << 28  # of an image
_MAX_RATE = 1_000_000
_FRAMES_PER_SECOND = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """Kinds and sizes of what a model reads and writes.

    Fields:
        inputs: one of `INPUTS`.
        targets: one of `TARGETS`.
        vocab_size: int, ids of text; also where there is none.
        labels: names of the labels of "label" and "tags", in order; tags have
            no spaces in them.
        image_shape: (height, width, channels) of an image.
        sample_rate: int, audio samples per second.
    Raises:
        ValueError: a field is missing, or wrong for these kinds.
    """

    inputs: str = "text"
    targets: str = "text"
    vocab_size: int
    labels: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    sample_rate: int | None = None

    def __post_init__(self):
        _require(self.inputs in INPUTS, "inputs", self.inputs)
        _require(self.targets in TARGETS, "targets", self.targets)
        size = self.vocab_size
        _require(type(size) is int and 0 < size < 2**31, "vocab_size", size)
        labelled = self.targets in ("label", "tags")
        good = isinstance(self.labels, tuple) and all(
            isinstance(label, str) and label for label in self.labels
        )
        good = good and len(set(self.labels)) == len(self.labels) <= _MAX_LABELS
        _require(good and bool(self.labels) == labelled, "labels", self.labels)
        if self.targets == "tags":
            _require(self.inputs == "text", "inputs", self.inputs)
            good = all(label.split() == [label] for label in self.labels)
            _require(good, "labels", self.labels)
        shape, rate = self.image_shape, self.sample_rate
        if self.inputs == "image":
            good = isinstance(shape, tuple) and len(shape) == 3
            good = good and all(
                type(n) is int and 0 < n <= _MAX_SIDE for n in shape
            )
            good = good and math.prod(shape) <= _MAX_VALUES
        else:
            good = shape is None
        _require(good, "image_shape", shape)
        if self.inputs == "audio":
            good = type(rate) is int and 0 < rate <= _MAX_RATE
        else:
            good = rate is None
        _require(good, "sample_rate", rate)

    @property
    def features(self) -> tuple[str, ...]:
        """The sides that examples have."""
        return SIDES[1:] if self.inputs == "none" else SIDES

    @property
    def num_targets(self) -> int:
        """Rows of a model's output: ids that a target may be, 0 included."""
        return self.vocab_size if self.targets == "text" else self.num_labels

    @property
    def num_labels(self) -> int:
        """Ids of labels, that of padding included."""
        return len(self.labels) + 1

    @property
    def has_text(self) -> bool:
        """Whether anything of it needs a vocabulary."""
        return "text" in (self.inputs, self.targets)

    def kind(self, side: str) -> str:
        """Returns the kind of "inputs" or "targets"."""
        return getattr(self, side)

    def unit(self, side: str) -> int:
        """Returns how many values count as one of a side's length.

        Of an image all, of audio those of ten milliseconds.
        """
        kind = self.kind(side)
        if kind == "image":
            return math.prod(self.image_shape)
        if kind == "audio":
            return max(1, self.sample_rate // _FRAMES_PER_SECOND)
        return 1

    def exact_length(self, side: str) -> int | None:
        """Returns how many values every example of a side has, if that is one.

        Tags are as many as the inputs have ids.
        """
        kind = self.kind(side)
        return {"image": self.unit(side), "label": 1}.get(kind)

    def bounds(self, side: str) -> tuple[int, int]:
        """Returns the least value of a side, and one more than the largest."""
        kind = self.kind(side)
        if kind == "image":
            return 0, 256
        if kind == "audio":
            return -(2**15), 2**15
        if kind in ("label", "tags"):
            return int(kind == "label"), self.num_labels
        return 0, self.vocab_size

    def describe(self) -> str:
        """Returns a few words, such as "text to label"."""
        return f"{self.inputs} to {self.targets}"

    def to_json(self) -> dict[str, Any]:
        """Returns what `from_json` reads."""
        fields = dataclasses.asdict(self)
        fields["labels"] = list(self.labels)
        shape = self.image_shape
        fields["image_shape"] = None if shape is None else list(shape)
        return fields

    @classmethod
    def from_json(cls, values: Any) -> Task:
        """Returns the task of a JSON object.

        Raises:
            ValueError: it is none, or a field is wrong; names it.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, Mapping) or set(values) != set(names):
            raise ValueError(f"task: expected {', '.join(names)}")
        shape, labels = values["image_shape"], values["labels"]
        _require(isinstance(labels, list), "labels", labels)
        _require(shape is None or isinstance(shape, list), "image_shape", shape)
        for label in labels:
            _require(isinstance(label, str), "labels", label)
        return cls(
            **{
                **values,
                "labels": tuple(labels),
                "image_shape": None if shape is None else tuple(shape),
            }
        )


def _require(condition: bool, name: str, value: Any) -> None:
    if not condition:
        raise ValueError(f"task: wrong {name}: {value!r:.80}")
