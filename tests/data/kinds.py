"""A small problem of each kind, and its data prepared."""

from __future__ import annotations

import numpy as np

from t2t_lite.data import prepare
from t2t_lite.problems.problem import Problem
from tests.data.fake import quiet

COUNTS = {"train": 9, "validation": 4}


class _Kind(Problem):
    """Examples from a random generator."""

    name = "kind"

    def describe_source(self, split):
        return "random numbers"

    def examples(self, split):
        self.check_split(split)
        rng = np.random.default_rng(len(split))
        for i in range(COUNTS[split]):
            yield self.example(rng, i)


class Labels(_Kind):
    """Texts of letters, and one of three labels."""

    targets_kind = "label"
    labels = ("a", "b", "c d")

    def example(self, rng, i):
        return {"inputs": "x" * (i + 1), "targets": self.labels[i % 3]}


class Tags(_Kind):
    """Words with a tag each."""

    targets_kind = "tags"
    labels = ("O", "B-x", "I-x")

    def example(self, rng, i):
        words, tags = ["word"] * (i + 1), rng.choice(self.labels, i + 1)
        return {"inputs": " ".join(words), "targets": " ".join(tags)}


class Texts(_Kind):
    """Texts alone."""

    inputs_kind = "none"

    def example(self, rng, i):
        return {"targets": "y" * (i + 1)}


class Images(_Kind):
    """Images of 3 x 2 pixels in 2 colours."""

    inputs_kind = "image"
    targets_kind = "label"
    image_shape = (3, 2, 2)
    labels = ("a", "b")

    def example(self, rng, i):
        image = rng.integers(0, 256, self.image_shape, dtype=np.uint8)
        return {"inputs": image, "targets": self.labels[i % 2]}


class Speech(_Kind):
    """Clips of 1 to 9 times 15 samples, ten to a unit."""

    inputs_kind = "audio"
    sample_rate = 1000

    def example(self, rng, i):
        clip = rng.integers(-(2**15), 2**15, 15 * (i + 1), dtype=np.int16)
        return {"inputs": clip, "targets": f"{i}"}


KINDS = (Labels, Tags, Texts, Images, Speech)


def prepared(kind, data_dir, **options):
    """Returns a problem and its data, byte by byte."""
    problem = kind()
    return problem, prepare(
        problem, "byte", 0, str(data_dir), log=quiet, **options
    )
