"""Noun phrases, pronouns, names, places and times in both languages."""

from __future__ import annotations

import dataclasses
import functools

from t2t_lite.problems.phrasebook_grammar import morphology, numbers
from t2t_lite.problems.phrasebook_grammar.adjectives import Adjective
from t2t_lite.problems.phrasebook_grammar.nouns import NOUNS, Noun


@dataclasses.dataclass(frozen=True)
class Phrase:
    """Who or what: a noun phrase, a pronoun or a name.

    Args:
        english, english_object: str, as subject and as object.
        german: dict of case -> str.
        person: int, 1 to 3.
        plural: bool, the verb's number.
        own: str, the English possessive that refers back to it ("his"), or
            "" where the languages disagree (the child, the girl).
        pronoun: bool.
        none: dict of case -> str, the same with kein, or None for phrases
            that are negated with nicht.
        sex: "m", "f" or "", for people.
        indefinite: bool; the new thing, which German says late.
    """

    english: str
    english_object: str
    german: dict[str, str]
    person: int = 3
    plural: bool = False
    own: str = ""
    pronoun: bool = False
    none: dict[str, str] | None = None
    sex: str = ""
    indefinite: bool = False

    @property
    def index(self) -> int:
        """Position of the verb form in (ich, du, er, wir)."""
        return 3 if self.plural else self.person - 1


@dataclasses.dataclass(frozen=True)
class Adverbial:
    """A place or a time, said whole.

    Args:
        frequency: bool, "often": English says it before the verb.
        direction: bool, whereto: German says it last.
    """

    english: str
    german: str
    frequency: bool = False
    direction: bool = False


def _pronoun(english, german, person, plural, own) -> Phrase:
    subject, english_object = english
    cases = dict(zip(("nom", "acc", "dat"), german, strict=True))
    sex = {"he": "m", "she": "f"}.get(subject, "")
    return Phrase(
        subject, english_object, cases, person, plural, own, True, None, sex
    )


PRONOUNS = (
    _pronoun(("I", "me"), ("ich", "mich", "mir"), 1, False, "my"),
    _pronoun(("you", "you"), ("du", "dich", "dir"), 2, False, "your"),
    _pronoun(("he", "him"), ("er", "ihn", "ihm"), 3, False, "his"),
    _pronoun(("she", "her"), ("sie", "sie", "ihr"), 3, False, "her"),
    _pronoun(("we", "us"), ("wir", "uns", "uns"), 1, True, "our"),
    _pronoun(("they", "them"), ("sie", "sie", "ihnen"), 3, True, "their"),
)
IT = Phrase("it", "it", {"nom": "es"}, pronoun=True)


def _name(name: str, sex: str) -> Phrase:
    own = "his" if sex == "m" else "her"
    cases = {"nom": name, "acc": name, "dat": name}
    return Phrase(name, name, cases, own=own, sex=sex)


NAMES = (
    _name("Anna", "f"),
    _name("Maria", "f"),
    _name("Lisa", "f"),
    _name("Peter", "m"),
    _name("Paul", "m"),
    _name("Martin", "m"),
)


def couple(first: Phrase, second: Phrase) -> Phrase:
    """Returns "Anna and Peter" / "Anna und Peter"."""
    english = f"{first.english} and {second.english}"
    german = {
        case: f"{first.german[case]} und {second.german[case]}"
        for case in first.german
    }
    return Phrase(english, english, german, plural=True, own="their")


def _determiner(kind: str, gender: str, case: str) -> tuple[str, str]:
    """Returns the German determiner and the declension that follows it."""
    if kind == "the":
        return morphology.definite(gender, case), "weak"
    if kind in ("this", "which"):
        stem = {"this": "dies", "which": "welch"}[kind]
        return morphology.dieser_word(stem, gender, case), "weak"
    if kind == "a":
        return morphology.ein_word("ein", gender, case), "mixed"
    if kind == "no":
        return morphology.ein_word("kein", gender, case), "mixed"
    if kind in morphology.POSSESSIVES:
        stem = morphology.POSSESSIVES[kind]
        return morphology.ein_word(stem, gender, case), "mixed"
    if kind.isdigit():
        return numbers.german_number(int(kind)), "strong"
    return {"": "", "many": "viele", "how many": "wie viele"}[kind], "strong"


def _german(noun: Noun, kind, plural, adjective, case) -> str:
    gender = "p" if plural else noun.gender
    word, declension = _determiner(kind, gender, case)
    if kind in ("many", "how many") and case == "dat":
        word += "n"
    described = ""
    if adjective:
        described = morphology.adjective(
            adjective.stem, declension, gender, case
        )
    words = (word, described, noun.form(case, plural))
    return " ".join(part for part in words if part)


def _english(noun: Noun, kind, plural, adjective) -> str:
    word = noun.plural if plural else noun.english
    if adjective:
        word = f"{adjective.english} {word}"
    if kind == "a":
        kind = "an" if word[0] in "aeiou" else "a"
    elif kind == "this" and plural:
        kind = "these"
    elif kind.isdigit():
        kind = numbers.english_number(int(kind))
    return f"{kind} {word}".strip()


def _own(noun: Noun, plural: bool) -> str:
    if plural:
        return "their"
    if "human" not in noun.tags or "neuter" in noun.tags:
        return ""
    return "his" if noun.gender == "m" else "her"


@functools.cache
def noun_phrase(
    english: str,
    kind: str = "the",
    plural: bool = False,
    adjective: Adjective | None = None,
) -> Phrase:
    """Returns a noun with its determiner and adjective, agreeing.

    Args:
        english: str, the noun, a key of `NOUNS`.
        kind: "the", "a", "this", "which", a possessive ("my"), a number as
            digits, "many", "how many", or "" for none.
        plural: bool.
        adjective: Adjective or None.
    """
    noun = NOUNS[english]
    cases = morphology.CASES[:3]
    said = _english(noun, kind, plural, adjective)
    negated = None
    if kind in ("a", ""):
        negated = {
            case: _german(noun, "no", plural, adjective, case) for case in cases
        }
    own = _own(noun, plural)
    sex = {"his": "m", "her": "f"}.get(own, "")
    return Phrase(
        said,
        said,
        {c: _german(noun, kind, plural, adjective, c) for c in cases},
        plural=plural,
        own=own,
        none=negated,
        sex=sex,
        indefinite=kind in ("", "a", "many") or kind.isdigit(),
    )


def possessed(owner: Noun, english: str, owner_kind: str = "the") -> Phrase:
    """Returns "the teacher's car" / "das Auto des Lehrers"."""
    noun = NOUNS[english]
    article, _ = _determiner(owner_kind, owner.gender, "gen")
    said = f"{owner_kind} {owner.english}'s {noun.english}"
    german = {
        case: f"{_german(noun, 'the', False, None, case)} {article}"
        f" {owner.form('gen', False)}"
        for case in morphology.CASES[:3]
    }
    return Phrase(said, said, german)


def relation(prepositions: str, case: str, thing: Phrase) -> Adverbial:
    """Returns a prepositional phrase.

    Args:
        prepositions: str, "english/german": "in front of/vor".
        case: str, the case that the German preposition takes here.
        thing: Phrase.
    """
    english, german = prepositions.split("/")
    return Adverbial(
        f"{english} {thing.english_object}",
        morphology.with_preposition(german, thing.german[case]),
        direction=case == "acc" and german not in ("für", "ohne"),
    )
