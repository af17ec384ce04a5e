"""Scores of decoded texts, each with a signature that says how it was made."""

from __future__ import annotations

from collections.abc import Sequence

from t2t_lite.errors import UserError


def bleu(
    predictions: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    lowercase: bool = False,
) -> tuple[float, str]:
    """Corpus BLEU by sacrebleu: n-grams up to 4, one reference.

    Args:
        predictions: detokenised texts.
        references: as many texts.
        tokenize: str, sacrebleu's tokenizer; "13a" is what papers report as
            sacreBLEU, "none" is for text that is tokenised already.
        lowercase: bool, whether case is ignored.
    Returns:
        `(score, signature)`: 0 to 100, and sacrebleu's signature.
    Raises:
        UserError: nothing to score, different numbers of texts, or an
            unknown tokenizer.
    Reference: Papineni et al. 2002; Post 2018 for the signature.
    """
    from sacrebleu.metrics import BLEU

    _check(predictions, references)
    if tokenize not in BLEU.TOKENIZERS:
        raise UserError(
            f"BLEU: unknown tokenizer {tokenize!r}; expected one of "
            f"{', '.join(sorted(BLEU.TOKENIZERS))}"
        )
    # `force` only silences a warning about text that looks tokenised.
    metric = BLEU(tokenize=tokenize, lowercase=lowercase, force=True)
    return _score(metric, predictions, references)


def chrf(
    predictions: Sequence[str],
    references: Sequence[str],
    word_order: int = 0,
    lowercase: bool = False,
) -> tuple[float, str]:
    """Corpus chrF by sacrebleu: F2 over character n-grams up to 6.

    Args:
        predictions: detokenised texts.
        references: as many texts.
        word_order: int, longest word n-gram; 2 gives chrF++.
        lowercase: bool, whether case is ignored.
    Returns:
        `(score, signature)`: 0 to 100, and sacrebleu's signature.
    Raises:
        UserError: nothing to score, or different numbers of texts.
    Reference: Popovic 2015.
    """
    from sacrebleu.metrics import CHRF

    _check(predictions, references)
    metric = CHRF(word_order=word_order, lowercase=lowercase)
    return _score(metric, predictions, references)


def exact_match(
    predictions: Sequence[str], references: Sequence[str]
) -> tuple[float, str]:
    """The share of predictions equal to their references, in percent.

    Args:
        predictions: texts.
        references: as many texts.
    Returns:
        `(score, signature)`: 0 to 100; case and spaces count.
    Raises:
        UserError: nothing to score, or different numbers of texts.
    """
    _check(predictions, references)
    pairs = zip(predictions, references, strict=True)
    right = sum(prediction == reference for prediction, reference in pairs)
    return 100.0 * right / len(references), "nrefs:1|case:mixed|strip:no"


def f1(
    predictions: Sequence[str], references: Sequence[str], positive: str
) -> float:
    """F1 of one label, in percent; 0 where there is no hit.

    `2 hits / (predicted + real)`, of the texts that are, or are said to be,
    `positive`.

    Raises:
        UserError: nothing to score, or different numbers of texts.
    """
    _check(predictions, references)
    both = list(zip(predictions, references, strict=True))
    hits = both.count((positive, positive))
    said = sum((positive == p) + (positive == r) for p, r in both)
    return 200.0 * hits / said if said else 0.0


def matthews(
    predictions: Sequence[str], references: Sequence[str], positive: str
) -> float:
    """Matthews' correlation of two labels, from -100 to 100; 0 where undefined.

    Raises:
        UserError: nothing to score, or different numbers of texts.
    Reference: Matthews 1975.
    """
    _check(predictions, references)
    pairs = [
        (p == positive, r == positive)
        for p, r in zip(predictions, references, strict=True)
    ]
    tp, fp = pairs.count((True, True)), pairs.count((True, False))
    fn, tn = pairs.count((False, True)), pairs.count((False, False))
    scale = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return 100.0 * (tp * tn - fp * fn) / scale**0.5 if scale else 0.0


def word_error_rate(
    predictions: Sequence[str], references: Sequence[str]
) -> float:
    """Edits per word of the references, in percent; may exceed 100.

    Least insertions, deletions and substitutions of words.

    Raises:
        UserError: nothing to score, or different numbers of texts.
    """
    return _error_rate(predictions, references, str.split)


def character_error_rate(
    predictions: Sequence[str], references: Sequence[str]
) -> float:
    """As `word_error_rate`, of characters."""
    return _error_rate(predictions, references, list)


def _error_rate(predictions, references, units) -> float:
    _check(predictions, references)
    edits = length = 0
    for prediction, reference in zip(predictions, references, strict=True):
        edits += _distance(units(prediction), units(reference))
        length += len(units(reference))
    return 100.0 * edits / max(length, 1)


def _distance(first: Sequence, second: Sequence) -> int:
    """Returns the Levenshtein distance of two sequences."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            diagonal = before + (a != b)
            before = row[j]
            row[j] = min(row[j] + 1, row[j - 1] + 1, diagonal)
    return row[-1]


def _check(predictions: Sequence[str], references: Sequence[str]) -> None:
    for name, texts in (
        ("predictions", predictions),
        ("references", references),
    ):
        if isinstance(texts, str):
            raise UserError(f"{name}: expected a list of texts, got one text")
    if len(predictions) != len(references):
        raise UserError(
            f"{len(predictions):,} predictions but {len(references):,}"
            " references; each prediction needs its reference"
        )
    if not len(references):
        raise UserError("nothing to score: no predictions and no references")


def _score(metric, predictions, references) -> tuple[float, str]:
    result = metric.corpus_score(list(predictions), [list(references)])
    return result.score, str(metric.get_signature())
