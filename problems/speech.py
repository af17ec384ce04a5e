"""Speech: what is said in clips."""

from __future__ import annotations

import functools
import os
import re
import wave
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from t2t_lite.errors import UserError
from t2t_lite.problems import source_files, tfds_source
from t2t_lite.problems.problem import Example, Problem
from t2t_lite.problems.tfds_source import FromTfds, TfdsSource
from t2t_lite.registry import PROBLEMS

if TYPE_CHECKING:
    import numpy as np

_DIGITS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
)
_NAME = re.compile(r"(\d)_(\w+)_(\d+)\.wav")
_MOST_FRAMES = 1 << 26
_CLIPS_AT_ONCE = 16


class SpeechProblem(Problem):
    """Clips and their text."""

    inputs_kind = "audio"
    splits = ("train", "validation", "test")
    defaults = {
        "vocab_kind": "byte",
        "vocab_size": 259,
    }

    def score(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        sources: Sequence[str] | None = None,
    ) -> dict[str, float | str]:
        """Returns exact match, word and character error rate in percent."""
        from t2t_lite import metrics

        value, signature = metrics.exact_match(predictions, references)
        return {
            "exact_match": value,
            "exact_match_signature": signature,
            "wer": metrics.word_error_rate(predictions, references),
            "cer": metrics.character_error_rate(predictions, references),
        }


@PROBLEMS.register(
    "speech_digits", "spoken digits, zero to nine (3,000, by TFDS or its files)"
)
class SpeechDigits(SpeechProblem):
    """The Free Spoken Digit Dataset: 6 speakers, 50 takes of each digit.

    Takes 0 to 4 are the test, as its authors say; takes 5 to 9 validation.
    """

    origin = "TFDS `spoken_digit`, or `--source_dir`"
    sample_rate = 8000
    main_metric = "exact_match"
    defaults = {
        **SpeechProblem.defaults,
        "max_length": 300,
        "batch_size": 3200,
        "train_steps": 2500,
        "eval_interval": 250,
    }
    option_schema = (source_files.OPTION, tfds_source.OPTION)
    data = TfdsSource(
        "spoken_digit",
        "",
        {"audio": "audio", "audio/filename": "text"},
        "https://github.com",
        "--source_dir=<folder of its .wav files>",
    )

    def source_is_local(self) -> bool:
        return bool(self.settings["source_dir"]) or self.data.is_local(self)

    def describe_source(self, split: str) -> str:
        takes = {"test": "0 to 4", "validation": "5 to 9"}.get(split, "10 on")
        origin = self.settings["source_dir"] or self.data.describe("train")
        return f"spoken digits, takes {takes}, from {origin}"

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        for name, samples in self._clips():
            digit, _, take = _NAME.fullmatch(name).groups()
            part = {0: "test", 1: "validation"}.get(int(take) // 5, "train")
            if part == split:
                yield {"inputs": samples(), "targets": _DIGITS[int(digit)]}

    def _clips(self) -> list[tuple[str, Callable[[], np.ndarray]]]:
        """Returns (file name, function that returns its samples), in order."""
        folder = self.settings["source_dir"]
        clips = {} if folder is None else self._files(folder)
        if folder is None:
            for row in self.data.rows(self, "train"):
                clips[row["audio/filename"]] = row["audio"].copy
        found = [name for name in clips if _NAME.fullmatch(name)]
        if not found:
            where = folder or self.data.name
            raise UserError(
                f"{self.name}: {where} has no clips named like 7_theo_0.wav;"
                " give another folder"
            )
        return [(name, clips[name]) for name in sorted(found)]

    def _files(self, folder: str) -> dict[str, Callable[[], np.ndarray]]:
        if os.path.isdir(os.path.join(folder, "recordings")):
            folder = os.path.join(folder, "recordings")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return {
            name: functools.partial(
                read_wav, os.path.join(folder, name), self.sample_rate
            )
            for name in names
        }


def read_wav(path: str, sample_rate: int) -> np.ndarray:
    """Returns the samples of a .wav file of 16 bits and one channel, int16.

    Raises:
        UserError: it is no such file, or of another sample rate.
    """
    import numpy as np

    try:
        with wave.open(path, "rb") as file:
            found = file.getparams()
            form = (found.nchannels, found.sampwidth, found.framerate)
            if form != (1, 2, sample_rate):
                raise UserError(
                    f"{path}: expected one channel of 16 bits at"
                    f" {sample_rate:,} samples a second, got {form[0]} of"
                    f" {8 * form[1]} bits at {form[2]:,}"
                )
            content = file.readframes(min(found.nframes, _MOST_FRAMES))
    except (OSError, EOFError, RuntimeError, wave.Error) as error:
        what = str(error) or "it is damaged"  # wave's RuntimeError is empty
        raise UserError(
            f"{path}: cannot be read as a .wav file ({what}); get it again"
        ) from error
    if not content or len(content) != 2 * found.nframes:
        raise UserError(
            f"{path}: expected {found.nframes:,} samples (at least 1, at most"
            f" {_MOST_FRAMES:,}), got {len(content) // 2:,}; get it again"
        )
    return np.frombuffer(content, "<i2").astype(np.int16)


@PROBLEMS.register(
    "librispeech", "read English speech (960 hours, LibriSpeech by TFDS)"
)
class LibriSpeech(FromTfds, SpeechProblem):
    """Panayotov et al. 2015: all clean and other training hours.

    Validation is dev-clean, test is test-clean.
    """

    sample_rate = 16_000
    main_metric = "wer"
    defaults = {
        **SpeechProblem.defaults,
        "vocab_kind": "bpe",
        "vocab_size": 5000,
        "max_length": 3500,
        "train_steps": 100_000,
        "eval_interval": 2000,
    }
    largest_shard = 200  # some 160 MB of samples
    data = TfdsSource(
        "librispeech",
        "default",
        {"speech": "audio", "text": "text"},
        "https://www.openslr.org",
        batch=_CLIPS_AT_ONCE,
    )
    _parts = {
        "train": ("train_clean100", "train_clean360", "train_other500"),
        "validation": ("dev_clean",),
        "test": ("test_clean",),
    }

    def describe_source(self, split: str) -> str:
        return (
            f"TensorFlow Datasets librispeech, {', '.join(self._parts[split])}"
        )

    def examples(self, split: str) -> Iterator[Example]:
        self.check_split(split)
        for part in self._parts[split]:
            for row in self.data.rows(self, part):
                yield {"inputs": row["speech"], "targets": row["text"].lower()}
