"""A tiny problem and its prepared data for the tests of the data room."""

import dataclasses
import hashlib
import random
import time

from t2t_lite.data import append_eos
from t2t_lite.errors import UserError
from t2t_lite.task import Task

_WORDS = ["Katze", "läuft", "über", "Straße", "“it”", "eine", "then", "42"]


@dataclasses.dataclass
class Facts:
    description: str
    sha256: str
    count: int


class FakeProblem:
    """Random sentences; `salt` changes the source, `delay` slows it down."""

    name = "fake"
    splits = ("train", "validation")
    largest_shard = 65_536
    vocab_file = None

    def __init__(self, count=3000, salt="", delay=0.0, data_key="fake"):
        self.counts = {"train": count, "validation": 50}
        self.options = {"flavour": "plain"}
        self.salt = salt
        self.delay = delay
        self.data_key = data_key
        self.offline = False

    def source_is_local(self):
        return True

    def source(self, split):
        if self.offline:
            raise UserError("the source is away")
        text = f"{split}{self.salt}{self.counts[split]}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Facts("random sentences", digest, self.counts[split])

    def examples(self, split):
        rng = random.Random(split + self.salt)
        for i in range(self.counts[split]):
            if self.delay and i % 100 == 0:
                time.sleep(self.delay)
            size = rng.randint(1, 20)
            yield {
                "inputs": " ".join(rng.choices(_WORDS, k=size)),
                "targets": " ".join(rng.choices(_WORDS, k=size + 1)) + f" {i}",
            }

    def task(self, vocab_size):
        return Task(vocab_size=vocab_size)

    def vocabulary_texts(self, example):
        return list(example.values())

    def encode_batch(self, examples, encoder):
        return {
            name: [
                append_eos(ids)
                for ids in encoder.encode_batch([e[name] for e in examples])
            ]
            for name in ("inputs", "targets")
        }


def quiet(message):
    """A log that says nothing."""
