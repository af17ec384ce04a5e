"""Declension, numbers, clock times, prepositions, every pattern."""

import pytest

from t2t_lite.problems.phrasebook_grammar import morphology, numbers
from t2t_lite.problems.phrasebook_grammar.nouns import NOUNS, tagged
from t2t_lite.problems.phrasebook_grammar.patterns import PATTERNS
from t2t_lite.problems.phrasebook_grammar.phrases import (
    possessed,
    relation,
)
from t2t_lite.problems.phrasebook_grammar.rng import Rng
from t2t_lite.problems.phrasebook_grammar.verbs import BE, HAVE, MODALS
from tests.problems.test_phrasebook_statements import np


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (1, "one", "eins"),
        (7, "seven", "sieben"),
        (12, "twelve", "zwölf"),
        (16, "sixteen", "sechzehn"),
        (17, "seventeen", "siebzehn"),
        (21, "twenty-one", "einundzwanzig"),
        (30, "thirty", "dreißig"),
        (66, "sixty-six", "sechsundsechzig"),
        (77, "seventy-seven", "siebenundsiebzig"),
        (99, "ninety-nine", "neunundneunzig"),
    ],
)
def test_number(value, english, german):
    assert numbers.english_number(value) == english
    assert numbers.german_number(value) == german


@pytest.mark.parametrize(
    ("hour", "minutes", "english", "german"),
    [
        (1, 0, "one o'clock", "ein Uhr"),
        (8, 0, "eight o'clock", "acht Uhr"),
        (3, 15, "a quarter past three", "Viertel nach drei"),
        (3, 30, "half past three", "halb vier"),
        (12, 30, "half past twelve", "halb eins"),
        (4, 45, "a quarter to five", "Viertel vor fünf"),
    ],
)
def test_clock(hour, minutes, english, german):
    assert numbers.clock(hour, minutes) == (english, german)


def test_possessive_declension():
    forms = [
        morphology.ein_word("unser", gender, case)
        for case in ("nom", "acc", "dat")
        for gender in "mfnp"
    ]
    assert " ".join(forms) == (
        "unser unsere unser unsere unseren unsere unser unsere"
        " unserem unserer unserem unseren"
    )


@pytest.mark.parametrize(
    ("noun", "forms"),
    [
        ("boy", "Junge Jungen Jungen Jungen Jungen Jungen"),
        ("neighbor", "Nachbar Nachbarn Nachbarn Nachbarn Nachbarn Nachbarn"),
        ("child", "Kind Kind Kind Kindes Kinder Kindern"),
        ("teacher", "Lehrer Lehrer Lehrer Lehrers Lehrer Lehrern"),
        ("car", "Auto Auto Auto Autos Autos Autos"),
        ("garden", "Garten Garten Garten Gartens Gärten Gärten"),
        ("mouse", "Maus Maus Maus Maus Mäuse Mäusen"),
    ],
)
def test_noun_declension(noun, forms):
    said = [
        NOUNS[noun].form(case, False) for case in ("nom", "acc", "dat", "gen")
    ]
    said += [NOUNS[noun].form(case, True) for case in ("nom", "dat")]
    assert said == forms.split(" ")


def test_genitive():
    phrase = possessed(NOUNS["student"], "car")
    assert phrase.english == "the student's car"
    assert phrase.german["dat"] == "dem Auto des Studenten"
    phrase = possessed(NOUNS["aunt"], "dog", "my")
    assert phrase.german["acc"] == "den Hund meiner Tante"


@pytest.mark.parametrize(
    ("prepositions", "case", "thing", "german"),
    [
        ("in/in", "dat", "the garden", "im Garten"),
        ("into/in", "acc", "the house", "ins Haus"),
        ("at/an", "dat", "the lake", "am See"),
        ("to/an", "acc", "the lake", "an den See"),
        ("behind/hinter", "dat", "the church", "hinter der Kirche"),
        ("with/mit", "dat", "these children", "mit diesen Kindern"),
        ("for/für", "acc", "your son", "für deinen Sohn"),
        ("in/in", "dat", "a small village", "in einem kleinen Dorf"),
    ],
)
def test_relation(prepositions, case, thing, german):
    assert relation(prepositions, case, np(thing)).german == german


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_every_pattern_makes_sentences(name):
    rng = Rng(name)
    pairs = {PATTERNS[name][0](rng) for _ in range(60)}
    assert len(pairs) >= 20
    for english, german in pairs:
        assert english[-1] in ".?!"
        assert english[-1] == german[-1]


def test_every_noun_has_its_adjectives_and_forms():
    for noun in tagged("human,animal,edible,drink,thing"):
        assert noun.gender in "mfn"
        assert noun.german[0].isupper()
        assert bool(noun.plural) == bool(noun.german_plural)


def test_have_and_be_use_the_preterite():
    assert HAVE.preterite[2] == "hatte"
    assert BE.preterite[1] == "warst"
    assert MODALS[3].german[2] == "darf"
