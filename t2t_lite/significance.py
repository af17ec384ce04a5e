"""How sure a score is: bootstrap intervals and paired tests, by sacreBLEU.

A metric is made from its signature, so that what is tested is what was
reported. Randomness is seeded: the same texts give the same numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
from collections.abc import Iterator, Sequence

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric
from sacrebleu.significance import PairedTest, Result

from t2t_lite.errors import UserError
from t2t_lite.exact_match import ExactMatch

SEED = 12345  # sacreBLEU's own
SAMPLES = {"bootstrap": 1000, "randomization": 10_000}  # sacreBLEU's own
TESTS = tuple(SAMPLES)
_SACREBLEU_NAMES = {"bootstrap": "bs", "randomization": "ar"}
_SEED_VARIABLE = "SACREBLEU_SEED"
# Those that neither download a model nor need another package.
TOKENIZERS = ("13a", "none", "intl", "char", "zh")
_MAX_ORDER = 20
# What the tests hold in memory, for each sample of each line.
_BYTES = {"bootstrap": 80, "randomization": 10}
_MAX_BYTES = 4_000_000_000


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two systems' outputs for the same lines, judged by one metric.

    Fields:
        scores: of the first and the second system, 0 to 100.
        intervals: `(low, high)` of each, 95 %.
        p_values: by test: how often systems that are equal come out as far
            apart as these.
    """

    scores: tuple[float, float]
    intervals: tuple[tuple[float, float], tuple[float, float]]
    p_values: dict[str, float]

    @property
    def difference(self) -> float:
        """The second system's score less the first one's."""
        return self.scores[1] - self.scores[0]


def metric_of(signature: str) -> Metric | None:
    """Returns the metric that gave `signature`, or None.

    Args:
        signature: str, of BLEU, chrF or exact match, such as
            "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0".
            Tokenizers that need a download or another package give None, and
            so do signatures of a part of the lines, "lines:...".
    """
    fields = dict(part.partition(":")[::2] for part in signature.split("|"))
    if "lines" in fields:
        return None
    if "strip" in fields:
        return ExactMatch()
    if fields.get("tok") in TOKENIZERS:
        return _bleu(fields)
    orders = [fields.get(name, "") for name in ("nc", "nw")]
    if all(re.fullmatch(r"\d{1,2}", order) for order in orders):
        return _chrf(fields, *map(int, orders))
    return None


def _bleu(fields: dict[str, str]) -> Metric | None:
    smooth = re.fullmatch(
        r"([a-z-]+)(?:\[(\d+\.\d+)\])?", fields.get("smooth", "")
    )
    if smooth is None or smooth[1] not in BLEU.SMOOTH_DEFAULTS:
        return None
    # `force` only silences a warning about text that looks tokenised.
    return BLEU(
        lowercase=fields.get("case") == "lc",
        force=True,
        tokenize=fields["tok"],
        smooth_method=smooth[1],
        smooth_value=float(smooth[2]) if smooth[2] else None,
        effective_order=fields.get("eff") == "yes",
    )


def _chrf(fields: dict[str, str], characters: int, words: int) -> Metric | None:
    if not 1 <= characters <= _MAX_ORDER or words > _MAX_ORDER:
        return None
    return CHRF(
        char_order=characters,
        word_order=words,
        lowercase=fields.get("case") == "lc",
        whitespace=fields.get("space") == "yes",
        eps_smoothing=fields.get("eff") == "no",
    )


def score(
    metric: Metric, outputs: Sequence[str], references: Sequence[str]
) -> float:
    """Returns the metric's score of whole texts, 0 to 100."""
    return metric.corpus_score(list(outputs), [list(references)]).score


def interval(
    metric: Metric,
    outputs: Sequence[str],
    references: Sequence[str],
    samples: int = SAMPLES["bootstrap"],
    seed: int = SEED,
) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of a score.

    Lines are drawn with replacement `samples` times; the interval is the
    mean of the scores, less and plus half the distance between their 2.5 %
    and 97.5 % quantiles.

    Args:
        metric: see `metric_of`.
        outputs, references: texts, as many of both.
        samples: int, at least 1.
        seed: int, above 0.
    Returns:
        `(low, high)`, within 0 and 100.
    Raises:
        UserError: the samples do not fit into memory.
    Reference: Koehn 2004, section 3; sacreBLEU's `--confidence`.
    """
    (found,) = _run(metric, [outputs], references, ("bootstrap", samples, seed))
    mean, half = float(found.mean), float(found.ci)
    return max(0.0, mean - half), min(100.0, mean + half)


def compare(
    metric: Metric,
    systems: tuple[Sequence[str], Sequence[str]],
    references: Sequence[str],
    samples: dict[str, int],
    seed: int = SEED,
) -> Comparison:
    """Tests whether two systems differ on the same lines.

    "bootstrap" draws lines with replacement, both systems' together, and
    counts the samples whose difference is larger than the mean of all by more
    than the one observed: one tail, as Moses and sacreBLEU count it.
    "randomization" exchanges the systems' outputs line by line at random, and
    counts both tails: the stricter one. Exact match under it is not sampled
    but computed, as the sign test.

    Args:
        metric: see `metric_of`.
        systems: outputs of the first and of the second.
        references: as many texts.
        samples: by test, how many; the tests that are wanted.
        seed: int, above 0.
    Raises:
        UserError: the samples do not fit into memory.
    Reference: Koehn 2004, section 4; Riezler and Maxwell 2005, section 4.
    """
    draws = samples.get("bootstrap", SAMPLES["bootstrap"])
    first, second = (
        interval(metric, outputs, references, draws, seed)
        for outputs in systems
    )
    p_values = {
        test: _p_value(metric, systems, references, (test, count, seed))
        for test, count in samples.items()
    }
    a, b = (score(metric, outputs, references) for outputs in systems)
    return Comparison((a, b), (first, second), p_values)


def _p_value(metric, systems, references, sampling) -> float:
    """Returns sacreBLEU's p-value, mended where it does not count ties.

    It counts the samples whose difference is larger than the one observed,
    and not those where it is equal. With few lines that differ these are
    many: of k lines exchanged at random, all and none give the very same
    difference, so that p is never under 2 / 2^k.
    """
    test = sampling[0]
    if isinstance(metric, ExactMatch) and test == "randomization":
        return sign_test(*metric.wins(*systems, references))
    a, b = _run(metric, list(systems), references, sampling)
    if a.score == b.score:
        return 1.0
    differing = sum(x != y for x, y in zip(*systems, strict=True))
    least = 2.0 ** (1 - differing) if test == "randomization" else 0.0
    return max(b.p_value, least)


def sign_test(wins: int, losses: int) -> float:
    """Returns the two-sided p-value of a fair coin falling as unevenly.

    `min(1, 2 sum_{i >= max(wins, losses)} C(n, i) / 2^n)`, n = wins + losses.
    """
    count = wins + losses
    if wins == losses:
        return 1.0
    tail = range(max(wins, losses), count + 1)
    return min(1.0, sum(math.comb(count, i) for i in tail) / 2 ** (count - 1))


def _run(
    metric: Metric,
    systems: Sequence[Sequence[str]],
    references: Sequence[str],
    sampling: tuple[str, int, int],
) -> list[Result]:
    """Returns sacreBLEU's result for each of one or two systems."""
    test, samples, seed = sampling
    _check_memory(test, samples, len(references))
    with _seeded(seed):
        _, found = PairedTest(
            [(str(i), list(texts)) for i, texts in enumerate(systems)],
            {"metric": metric},
            [list(references)],
            test_type=_SACREBLEU_NAMES[test],
            n_samples=samples,
        )()
    (results,) = (found[name] for name in found if name != "System")
    return results


def _check_memory(test: str, samples: int, lines: int) -> None:
    size = samples * lines * _BYTES[test]
    if size > _MAX_BYTES:
        raise UserError(
            f"{samples:,} samples of {lines:,} lines take about "
            f"{size / 1e9:,.0f} GB of memory by {test}, at most "
            f"{_MAX_BYTES / 1e9:.0f} are used; take fewer samples"
        )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Sets sacreBLEU's seed, which it takes from the environment alone."""
    before = os.environ.get(_SEED_VARIABLE)
    os.environ[_SEED_VARIABLE] = str(seed)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SEED_VARIABLE]
        else:
            os.environ[_SEED_VARIABLE] = before
