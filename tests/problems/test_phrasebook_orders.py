"""Hand-checked word orders: second, last, questions, imperatives."""

import pytest

from t2t_lite.problems.phrasebook_grammar import clause as say
from t2t_lite.problems.phrasebook_grammar.clause import Clause
from t2t_lite.problems.phrasebook_grammar.places import place
from t2t_lite.problems.phrasebook_grammar.verbs import BE
from tests.problems.test_phrasebook_statements import (
    HAVE_TO,
    HE,
    ICH,
    SHE,
    TODAY,
    TOMORROW,
    YESTERDAY,
    YOU,
    make,
    np,
)

FRONTED = [
    (
        make("my brother", "buy", "past", "a house", time=YESTERDAY),
        "time",
        "yesterday my brother bought a house",
        "gestern hat mein Bruder ein Haus gekauft",
    ),
    (
        make("the man", "visit", "future", YOU, time=TOMORROW),
        "time",
        "tomorrow the man will visit you",
        "morgen wird dich der Mann besuchen",
    ),
    (
        make("the children", "dance", place=place("garden")),
        "place",
        "in the garden the children are dancing",
        "im Garten tanzen die Kinder",
    ),
    (
        make("the bus", "leave", time=TODAY),
        "time",
        "today the bus is leaving",
        "heute fährt der Bus ab",
    ),
]


@pytest.mark.parametrize(("clause", "front", "english", "german"), FRONTED)
def test_verb_second(clause, front, english, german):
    assert say.english(clause, front) == english
    assert say.german(clause, front) == german


SUBORDINATE = [
    (make(HE, "sleep"), "he is sleeping", "er schläft"),
    (
        make("the teacher", "pick_up", "present", "the child"),
        "the teacher is picking up the child",
        "der Lehrer das Kind abholt",
    ),
    (
        make(SHE, "pick_up", "past", "the child"),
        "she picked up the child",
        "sie das Kind abgeholt hat",
    ),
    (
        make(ICH, "come_back", modal=HAVE_TO),
        "I have to come back",
        "ich zurückkommen muss",
    ),
    (
        make(YOU, "go", "past", place=place("to home")),
        "you went home",
        "du nach Hause gegangen bist",
    ),
    (
        Clause(HE, BE, complement=("sick", "krank"), negated=True),
        "he is not sick",
        "er nicht krank ist",
    ),
]


@pytest.mark.parametrize(("clause", "english", "german"), SUBORDINATE)
def test_verb_final(clause, english, german):
    assert say.english(clause) == english
    assert say.german_subordinate(clause) == german


QUESTIONS = [
    (
        make(YOU, "read", "past", "the letter"),
        "",
        "",
        "did you read the letter",
        "hast du den Brief gelesen",
    ),
    (
        make("your sister", "call", "present", YOU),
        "",
        "",
        "is your sister calling you",
        "ruft dich deine Schwester an",
    ),
    (
        make(SHE, "arrive", "future"),
        "when",
        "wann",
        "when will she arrive",
        "wann wird sie ankommen",
    ),
    (
        make(HE, "go"),
        "where",
        "wohin",
        "where is he going",
        "wohin geht er",
    ),
    (
        make("the man", "have", "present", "a key"),
        "",
        "",
        "does the man have a key",
        "hat der Mann einen Schlüssel",
    ),
    (
        make(HE, "buy"),
        np("which coat").english,
        np("which coat").german["acc"],
        "which coat is he buying",
        "welchen Mantel kauft er",
    ),
    (
        make(YOU, "help", "past"),
        "who",
        "wem",
        "who did you help",
        "wem hast du geholfen",
    ),
]


@pytest.mark.parametrize(
    ("clause", "word", "german_word", "english", "german"), QUESTIONS
)
def test_question(clause, word, german_word, english, german):
    assert say.english_question(clause, word) == english
    assert say.german_inverted(clause, german_word) == german


IMPERATIVES = [
    (
        make(YOU, "open", "present", "the window"),
        "open the window",
        "öffne das Fenster",
    ),
    (
        make(YOU, "give", "present", ("dat", "the child"), "an egg"),
        "give the child an egg",
        "gib dem Kind ein Ei",
    ),
    (
        make(YOU, "turn_on", "present", "the radio"),
        "turn on the radio",
        "schalte das Radio ein",
    ),
    (
        make(YOU, "eat", "present", "- cheese", negated=True),
        "do not eat cheese",
        "iss keinen Käse",
    ),
]


@pytest.mark.parametrize(("clause", "english", "german"), IMPERATIVES)
def test_imperative(clause, english, german):
    assert say.english_imperative(clause) == english
    assert say.german_imperative(clause) == german


def test_infinitive_with_zu():
    clause = make(HE, "pick_up", "present", "the child")
    assert say.german_infinitive(clause, True) == "das Kind abzuholen"
    assert say.german_infinitive(clause, False) == "das Kind abholen"
    clause = make(HE, "buy", "present", "an apple")
    assert say.german_infinitive(clause, True) == "einen Apfel zu kaufen"
