"""An English-German phrasebook written by a grammar, without any download."""

from __future__ import annotations

import functools
import hashlib

from t2t_lite.problems.phrasebook_grammar.patterns import PATTERNS
from t2t_lite.problems.phrasebook_grammar.rng import Rng

SPLITS = ("train", "validation", "test")
_TOTAL = 37_400
_HELD_OUT = 1_000
_ATTEMPTS = 12
_SHORTEST, _LONGEST = 3, 16


def split_of(english: str) -> str:
    """Returns the split of a sentence, decided by its words alone.

    The key is the SHA-256 of the sorted, lower-case words: "Yesterday he
    slept." and "He slept yesterday." always stand in the same split, so a
    held-out sentence is never a reordering of a training sentence.
    """
    words = sorted(english[:-1].lower().replace(",", "").split())
    digest = hashlib.sha256(" ".join(words).encode("utf-8")).digest()
    bucket = int.from_bytes(digest[:8], "big") % 1000
    if bucket < 32:
        return "test"
    return "validation" if bucket < 64 else "train"


def _draw(pattern, rng: Rng, seen: tuple[set, set]):
    """Returns a pair new in both languages, or None after some attempts."""
    for _ in range(_ATTEMPTS):
        english, german = pattern(rng)
        new = english not in seen[0] and german not in seen[1]
        if new and _SHORTEST <= len(english.split()) <= _LONGEST:
            seen[0].add(english)
            seen[1].add(german)
            return english, german
    return None


def _generate() -> list[tuple[str, str]]:
    """Returns all pairs: one of each pattern, in turn, weight times."""
    rng = Rng("phrasebook")
    seen: tuple[set, set] = (set(), set())
    alive = {name: weight for name, (_, weight) in PATTERNS.items()}
    found: list[tuple[str, str]] = []
    while len(found) < _TOTAL:
        for name, weight in list(alive.items()):
            for _ in range(weight):
                pair = _draw(PATTERNS[name][0], rng, seen)
                if pair is None:
                    del alive[name]
                    break
                found.append(pair)
    return found[:_TOTAL]


@functools.cache
def _splits() -> dict[str, tuple[tuple[str, str], ...]]:
    parts: dict[str, list] = {name: [] for name in SPLITS}
    for pair in Rng("order").shuffled(_generate()):
        parts[split_of(pair[0])].append(pair)
    return {
        name: tuple(part if name == "train" else part[:_HELD_OUT])
        for name, part in parts.items()
    }


def pairs(split: str) -> list[tuple[str, str]]:
    """Returns the sentence pairs of a split, always the same.

    Args:
        split: str, "train" (over 34,000 pairs), "validation" or "test"
            (1,000 each).
    Returns:
        List of (english, german). No sentence of either language occurs
        twice in the three splits.
    Raises:
        ValueError: there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    return list(_splits()[split])
