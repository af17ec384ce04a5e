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


def tag_accuracy(
    predictions: Sequence[str], references: Sequence[str]
) -> float:
    """The share of words whose tag is right, in percent.

    Args:
        predictions: texts, tags with spaces between them; words that the
            last tag does not reach count as wrong.
        references: as many texts, a tag for each word.
    Raises:
        UserError: nothing to score, different numbers of texts, or more tags
            than words.
    """
    pairs = _tag_pairs(predictions, references, "")
    right = sum(
        p == r for said, real in pairs for p, r in zip(said, real, strict=True)
    )
    return 100.0 * right / max(sum(len(real) for _, real in pairs), 1)


def entity_scores(
    predictions: Sequence[str], references: Sequence[str]
) -> dict[str, float]:
    """Precision, recall and F1 of entities, in percent, as conlleval's.

    An entity is a run of words: its first tag is B-type, or I-type where the
    tag before is of no or another type; the others are I-type. It is right if
    an entity of the reference has the same words and type. Precision is 0
    without any entity, recall and F1 likewise.

    Args:
        predictions: texts, tags with spaces between them, each O, B-type or
            I-type; words that the last tag does not reach have O.
        references: as many texts, a tag for each word.
    Returns:
        `precision`, `recall` and `f1`.
    Raises:
        UserError: nothing to score, different numbers of texts, more tags
            than words, or another tag.
    Reference: Tjong Kim Sang and De Meulder 2003, section 2.3.
    """
    hits = said = real = 0
    for tags, reference in _tag_pairs(predictions, references, "O"):
        found, expected = _entities(tags), _entities(reference)
        hits += len(found & expected)
        said += len(found)
        real += len(expected)
    return {
        "precision": 100.0 * hits / max(said, 1),
        "recall": 100.0 * hits / max(real, 1),
        "f1": 200.0 * hits / max(said + real, 1),
    }


def _tag_pairs(
    predictions: Sequence[str], references: Sequence[str], filler: str
) -> list[tuple[list[str], list[str]]]:
    """Returns (tags, tags of the reference), as many of each."""
    _check(predictions, references)
    pairs = []
    for prediction, reference in zip(predictions, references, strict=True):
        tags, real = prediction.split(), reference.split()
        if len(tags) > len(real):
            raise UserError(
                f"{len(tags):,} tags for the {len(real):,} words of "
                f"{reference!r:.100}; expected at most one for each"
            )
        pairs.append((tags + [filler] * (len(real) - len(tags)), real))
    return pairs


def _entities(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """Returns (first word, word after the last one, type) of each entity."""
    found, start, kind = set(), 0, None
    for i, tag in enumerate([*tags, "O"]):
        mark, dash, name = tag.partition("-")
        if tag != "O" and (mark not in ("B", "I") or not dash or not name):
            raise UserError(
                f"tag {tag!r:.80}: expected O, B-<type> or I-<type>"
            )
        if kind is not None and (mark != "I" or name != kind):
            found.add((start, i, kind))
            kind = None
        if kind is None and tag != "O":
            start, kind = i, name
    return found


def rouge(
    predictions: Sequence[str], references: Sequence[str]
) -> tuple[dict[str, float], str]:
    """ROUGE-1, ROUGE-2 and ROUGE-L by rouge-score: F1, the mean over texts.

    Words are lower-cased runs of a-z and 0-9, stemmed by Porter's stemmer,
    as in papers on summaries; other letters count as spaces.

    Args:
        predictions: texts.
        references: as many texts.
    Returns:
        `(scores, signature)`: `rouge1`, `rouge2` and `rougeL`, 0 to 100.
    Raises:
        UserError: nothing to score, or different numbers of texts.
    Reference: Lin 2004.
    """
    from importlib.metadata import version

    from rouge_score.rouge_scorer import RougeScorer

    _check(predictions, references)
    names = ("rouge1", "rouge2", "rougeL")
    scorer = RougeScorer(names, use_stemmer=True)
    found = [
        scorer.score(reference, prediction)
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    scores = {
        name: 100.0 * sum(each[name].fmeasure for each in found) / len(found)
        for name in names
    }
    return (
        scores,
        f"nrefs:1|case:lc|stem:porter|version:{version('rouge-score')}",
    )


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
