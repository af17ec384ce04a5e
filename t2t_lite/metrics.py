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
