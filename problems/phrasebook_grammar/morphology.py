"""German endings: articles, possessives, adjectives and contractions.

Genders are "m", "f", "n" and, for every plural, "p". Cases are "nom", "acc",
"dat" and "gen".
"""

from __future__ import annotations

CASES = ("nom", "acc", "dat", "gen")
_ORDER = "mfnp"
_DEFINITE = {
    "nom": ("der", "die", "das", "die"),
    "acc": ("den", "die", "das", "die"),
    "dat": ("dem", "der", "dem", "den"),
    "gen": ("des", "der", "des", "der"),
}
# The endings of dieser and welcher; strong adjectives share them except in
# the genitive singular, which the grammar never uses.
_STRONG = {
    "nom": ("er", "e", "es", "e"),
    "acc": ("en", "e", "es", "e"),
    "dat": ("em", "er", "em", "en"),
    "gen": ("es", "er", "es", "er"),
}
_EIN = {
    "nom": ("", "e", "", "e"),
    "acc": ("en", "e", "", "e"),
    "dat": ("em", "er", "em", "en"),
    "gen": ("es", "er", "es", "er"),
}
_WEAK = {
    "nom": ("e", "e", "e", "en"),
    "acc": ("en", "e", "e", "en"),
    "dat": ("en", "en", "en", "en"),
    "gen": ("en", "en", "en", "en"),
}
_MIXED = {
    "nom": ("er", "e", "es", "en"),
    "acc": ("en", "e", "es", "en"),
    "dat": ("en", "en", "en", "en"),
    "gen": ("en", "en", "en", "en"),
}
_ENDINGS = {"strong": _STRONG, "weak": _WEAK, "mixed": _MIXED}
POSSESSIVES = {
    "my": "mein",
    "your": "dein",
    "his": "sein",
    "her": "ihr",
    "our": "unser",
    "their": "ihr",
}
_CONTRACTIONS = {
    ("in", "dem"): "im",
    ("in", "das"): "ins",
    ("an", "dem"): "am",
    ("an", "das"): "ans",
    ("von", "dem"): "vom",
    ("bei", "dem"): "beim",
    ("zu", "dem"): "zum",
    ("zu", "der"): "zur",
}


def definite(gender: str, case: str) -> str:
    """Returns der, die, das, den, dem or des."""
    return _DEFINITE[case][_ORDER.index(gender)]


def ein_word(stem: str, gender: str, case: str) -> str:
    """Returns ein, kein, mein, unser ... with their ending."""
    return stem + _EIN[case][_ORDER.index(gender)]


def dieser_word(stem: str, gender: str, case: str) -> str:
    """Returns dies- or welch- with their ending."""
    return stem + _STRONG[case][_ORDER.index(gender)]


def adjective(stem: str, declension: str, gender: str, case: str) -> str:
    """Returns an adjective's attributive form.

    Args:
        stem: str, the form that takes endings ("teur" for teuer).
        declension: "weak" (after der, dieser), "mixed" (after ein, kein,
            mein) or "strong" (after nothing or a number).
        gender: str, one of m, f, n, p.
        case: str, one of nom, acc, dat.
    """
    return stem + _ENDINGS[declension][case][_ORDER.index(gender)]


def with_preposition(preposition: str, phrase: str) -> str:
    """Returns "im Garten" for "in" and "dem Garten"."""
    article, _, rest = phrase.partition(" ")
    contracted = _CONTRACTIONS.get((preposition, article))
    return f"{contracted} {rest}" if contracted else f"{preposition} {phrase}"
