"""Subword regularisation: texts cut into pieces at random, reproducibly."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from t2t_lite.data.text_encoder import SPACE, SentencePieceEncoder
from t2t_lite.errors import UserError

_MOST_SAMPLES = 1000
_PER_WORD = 64


@dataclasses.dataclass(frozen=True)
class SubwordSampling:
    """How often, and how freely, training texts are cut at random.

    Fields:
        samples: int, random segmentations of each training example.
        alpha: float in (0, 1]: of "bpe" the share of merges left out; of
            "unigram" the power of a segmentation's probability, so that a
            lower one is freer.
    Raises:
        UserError: a field is outside its range.
    Reference: Provilkov et al. 2020 (BPE dropout, their p); Kudo 2018
    (subword regularisation, his alpha, with all segmentations: l = infinity).
    """

    samples: int
    alpha: float

    def __post_init__(self):
        if not 1 <= self.samples <= _MOST_SAMPLES:
            raise UserError(
                f"subword_samples={self.samples}: expected a number from 1 to "
                f"{_MOST_SAMPLES}"
            )
        if not 0 < self.alpha <= 1:
            raise UserError(
                f"subword_alpha={self.alpha}: expected a number above 0, at "
                "most 1"
            )


def sampling_of(hparams: Any) -> SubwordSampling | None:
    """Returns the sampling that hyperparameters ask for, if any."""
    if hparams.subword_samples is None:
        return None
    return SubwordSampling(hparams.subword_samples, hparams.subword_alpha)


class SamplingEncoder:
    """An encoder whose segmentations are drawn, as a function of the seed.

    The n-th word ever encoded gets one of its word's 64 segmentations, each a
    function of the word alone, so that a word is cut anew only so often.

    Args:
        encoder: SentencePieceEncoder, trained to cut at spaces.
        alpha: float, see `SubwordSampling`.
        seed: int, of the choice among a word's segmentations.
    Raises:
        UserError: the encoder has no pieces to choose from.
    """

    def __init__(self, encoder, alpha: float, seed: int):
        if not isinstance(encoder, SentencePieceEncoder):
            raise UserError(
                f"subword_samples: {encoder.kind} can be cut in one way only; "
                'choose vocab_kind "unigram" or "bpe", or leave '
                "subword_samples out"
            )
        self.vocab_size = encoder.vocab_size
        self._encoder = encoder
        self._alpha = alpha
        self._rng = np.random.Generator(np.random.Philox(seed))
        self._scores, self._ids = encoder.pieces()
        self._cut = {"bpe": drop_merges, "unigram": sample_unigram}[
            encoder.kind
        ]
        self._segmentation = functools.cache(self._new_segmentation)

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Returns one int32 array `(length,)` per text, without EOS."""
        rows = []
        for text in texts:
            words = self._encoder.words(text)
            numbers = self._rng.integers(0, _PER_WORD, len(words)).tolist()
            cut = map(self._segmentation, words, numbers)
            rows.append(np.array([i for ids in cut for i in ids], np.int32))
        return rows

    def _new_segmentation(self, word: str, number: int) -> list[int]:
        """Returns the ids of a word's segmentation of that number."""
        if not all(character in self._ids for character in word):
            # Unknown characters become bytes, in one way.
            return self._encoder.encode(word.removeprefix(SPACE)).tolist()
        rng = random.Random(f"{number} {word}")
        pieces = self._cut(word, self._scores, self._alpha, rng)
        return [self._ids[piece] for piece in pieces]


def drop_merges(
    word: str, scores: dict[str, float], alpha: float, rng: random.Random
) -> list[str]:
    """Returns the pieces of a word by BPE with merges left out.

    At each step every possible merge is left out with probability `alpha`; of
    the rest the one whose piece has the highest score, the earliest learned,
    is made. It ends when none is left.

    Reference: Provilkov et al. 2020, algorithm 1.
    """
    parts = list(word)
    while True:
        merges = [
            (score, -i)
            for i, pair in enumerate(map("".join, itertools.pairwise(parts)))
            if (score := scores.get(pair)) is not None and rng.random() >= alpha
        ]
        if not merges:
            return parts
        at = -max(merges)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def sample_unigram(
    word: str, scores: dict[str, float], alpha: float, rng: random.Random
) -> list[str]:
    """Returns the pieces of a word, drawn from all its segmentations.

    `P(segmentation) ~ exp(alpha sum of its pieces' scores)`, by filtering
    forward and sampling backward.

    Reference: Kudo 2018, equation 5 with l = infinity.
    """
    masses = [0.0]  # log of the mass of all segmentations of word[:end]
    arcs: list[list[tuple[int, float]]] = [[]]
    for end in range(1, len(word) + 1):
        arcs.append(
            [
                (start, masses[start] + alpha * scores[word[start:end]])
                for start in range(end)
                if word[start:end] in scores
            ]
        )
        masses.append(_log_sum_exp([mass for _, mass in arcs[end]]))
    pieces, end = [], len(word)
    while end:
        weights = [math.exp(mass - masses[end]) for _, mass in arcs[end]]
        (start, _) = rng.choices(arcs[end], weights)[0]
        pieces.append(word[start:end])
        end = start
    return pieces[::-1]


def _log_sum_exp(values: list[float]) -> float:
    most = max(values, default=-math.inf)
    if most == -math.inf:
        return most
    return most + math.log(sum(math.exp(value - most) for value in values))
