"""Hand-checked statements: cases, adjectives, tenses, negation, places."""

import pytest

from t2t_lite.problems.phrasebook_grammar import clause as say
from t2t_lite.problems.phrasebook_grammar.adjectives import ADJECTIVES
from t2t_lite.problems.phrasebook_grammar.clause import Clause, Object
from t2t_lite.problems.phrasebook_grammar.nouns import NOUNS
from t2t_lite.problems.phrasebook_grammar.phrases import (
    NAMES,
    PRONOUNS,
    Adverbial,
    couple,
    noun_phrase,
    possessed,
    relation,
)
from t2t_lite.problems.phrasebook_grammar.places import place
from t2t_lite.problems.phrasebook_grammar.verbs import BE, MODALS, VERBS

ICH, YOU, HE, SHE, WE, THEY = PRONOUNS
CAN, HAVE_TO, SHOULD, MAY, WOULD, WANT, WANTED, HAD_TO = MODALS
YESTERDAY = Adverbial("yesterday", "gestern")
TODAY = Adverbial("today", "heute")
TOMORROW = Adverbial("tomorrow", "morgen")
OFTEN = Adverbial("often", "oft", frequency=True)


def np(text):
    """Returns the phrase of "the old man", "my brothers", "3 eggs"."""
    kind, *adjective, word = text.split(" ")
    kind = {"-": "", "an": "a", "these": "this"}.get(kind, kind)
    described = ADJECTIVES[adjective[0]] if adjective else None
    for noun in NOUNS.values():
        if word in (noun.english, noun.plural):
            plural = word != noun.english
            return noun_phrase(noun.english, kind, plural, described)
    raise KeyError(word)


def make(subject, verb, tense="present", *objects, **extra):
    subject = np(subject) if isinstance(subject, str) else subject
    made = []
    for item in objects:
        case, thing = item if isinstance(item, tuple) else ("acc", item)
        thing = np(thing) if isinstance(thing, str) else thing
        made.append(Object(thing, case))
    if "place" in extra:
        extra["places"] = (extra.pop("place"),)
    return Clause(subject, VERBS[verb], tense, tuple(made), **extra)


_BUS = Object(np("the bus"), "acc", "for/auf")
_ON_TABLE = relation("on/auf", "dat", np("the table"))
_ONTO_TABLE = relation("on/auf", "acc", np("the table"))
_WITH_BROTHER = relation("with/mit", "dat", np("his brother"))

STATEMENTS = [
    # Cases, genders, articles.
    (
        make("the man", "see", "past", "the dog"),
        "the man saw the dog",
        "der Mann hat den Hund gesehen",
    ),
    (
        make("the woman", "buy", "present", "a lamp"),
        "the woman is buying a lamp",
        "die Frau kauft eine Lampe",
    ),
    (
        make(HE, "buy", "present", "a table"),
        "he is buying a table",
        "er kauft einen Tisch",
    ),
    (
        make(ICH, "help", "present", ("dat", "the child")),
        "I am helping the child",
        "ich helfe dem Kind",
    ),
    (
        make(SHE, "thank", "past", ("dat", "my sisters")),
        "she thanked my sisters",
        "sie hat meinen Schwestern gedankt",
    ),
    (
        make(WE, "give", "future", ("dat", "the boy"), "an apple"),
        "we will give the boy an apple",
        "wir werden dem Jungen einen Apfel geben",
    ),
    (
        make(THEY, "know", "present", "our neighbor"),
        "they know our neighbor",
        "sie kennen unseren Nachbarn",
    ),
    # Adjectives: weak, mixed, strong.
    (
        make("the old man", "sleep"),
        "the old man is sleeping",
        "der alte Mann schläft",
    ),
    (
        make(ICH, "need", "present", "a new coat"),
        "I need a new coat",
        "ich brauche einen neuen Mantel",
    ),
    (
        make("a small child", "cry"),
        "a small child is crying",
        "ein kleines Kind weint",
    ),
    (
        make(HE, "drink", "present", "- cold water"),
        "he is drinking cold water",
        "er trinkt kaltes Wasser",
    ),
    (
        make(HE, "drink", "present", "- strong coffee"),
        "he is drinking strong coffee",
        "er trinkt starken Kaffee",
    ),
    (
        make(SHE, "buy", "past", "3 red apples"),
        "she bought three red apples",
        "sie hat drei rote Äpfel gekauft",
    ),
    (
        make(SHE, "wear", "present", "this expensive dress"),
        "she is wearing this expensive dress",
        "sie trägt dieses teure Kleid",
    ),
    (
        make("my old friends", "help", "past", ("dat", "the young women")),
        "my old friends helped the young women",
        "meine alten Freunde haben den jungen Frauen geholfen",
    ),
    # Perfect with haben and sein, war and hatte.
    (
        make("my uncle", "travel", "past", time=YESTERDAY),
        "my uncle traveled yesterday",
        "mein Onkel ist gestern gereist",
    ),
    (
        make("the children", "stay", "past", place=place("home")),
        "the children stayed at home",
        "die Kinder sind zu Hause geblieben",
    ),
    (
        make(WE, "have", "past", "a car"),
        "we had a car",
        "wir hatten ein Auto",
    ),
    (
        Clause(YOU, BE, "past", complement=("tired", "müde")),
        "you were tired",
        "du warst müde",
    ),
    # Separable verbs.
    (
        make(YOU, "pick_up", "present", "the child", time=TODAY),
        "you are picking up the child today",
        "du holst heute das Kind ab",
    ),
    (
        make(ICH, "pick_up", "future", HE),
        "I will pick him up",
        "ich werde ihn abholen",
    ),
    (
        make("my aunt", "invite", "past", "the teacher"),
        "my aunt invited the teacher",
        "meine Tante hat den Lehrer eingeladen",
    ),
    (
        make("the boys", "get_up", "past"),
        "the boys got up",
        "die Jungen sind aufgestanden",
    ),
    (
        make(HE, "turn_off", "present", "the lamp"),
        "he is turning off the lamp",
        "er schaltet die Lampe aus",
    ),
    # Modals.
    (
        make("the girl", "swim", modal=CAN),
        "the girl can swim",
        "das Mädchen kann schwimmen",
    ),
    (
        make(ICH, "call", "present", "my father", modal=HAVE_TO),
        "I have to call my father",
        "ich muss meinen Vater anrufen",
    ),
    (
        make("the farmer", "sell", "present", "a cow", modal=WANTED),
        "the farmer wanted to sell a cow",
        "der Bauer wollte eine Kuh verkaufen",
    ),
    (
        make(SHE, "drink", "present", "- tea", modal=WOULD),
        "she would like to drink tea",
        "sie möchte Tee trinken",
    ),
    (
        make(YOU, "sleep", modal=SHOULD),
        "you should sleep",
        "du solltest schlafen",
    ),
    # Negation.
    (
        make(ICH, "have", "present", "a dog", negated=True),
        "I do not have a dog",
        "ich habe keinen Hund",
    ),
    (
        make("the baker", "buy", "past", "- apples", negated=True),
        "the baker did not buy apples",
        "der Bäcker hat keine Äpfel gekauft",
    ),
    (
        make(HE, "read", "present", "the letter", negated=True),
        "he is not reading the letter",
        "er liest den Brief nicht",
    ),
    (
        make(SHE, "sleep", place=place("garden"), negated=True),
        "she is not sleeping in the garden",
        "sie schläft nicht im Garten",
    ),
    (
        make(SHE, "sing", modal=CAN, negated=True),
        "she cannot sing",
        "sie kann nicht singen",
    ),
    (
        make(HE, "work", modal=HAVE_TO, negated=True),
        "he does not have to work",
        "er muss nicht arbeiten",
    ),
    # Two-way prepositions.
    (
        make("the key", "lie", place=_ON_TABLE),
        "the key is lying on the table",
        "der Schlüssel liegt auf dem Tisch",
    ),
    (
        make(HE, "lay", "past", "the key", place=_ONTO_TABLE),
        "he put the key on the table",
        "er hat den Schlüssel auf den Tisch gelegt",
    ),
    (
        make(SHE, "go", place=place("to garden")),
        "she is going into the garden",
        "sie geht in den Garten",
    ),
    (
        make(SHE, "go", place=place("to cinema")),
        "she is going to the cinema",
        "sie geht ins Kino",
    ),
    (
        make(WE, "buy", "past", "- bread", place=place("market")),
        "we bought bread at the market",
        "wir haben auf dem Markt Brot gekauft",
    ),
    # Prepositional objects, company, frequency, names.
    (
        Clause(ICH, VERBS["wait"], objects=(_BUS,), places=(place("park"),)),
        "I am waiting for the bus in the park",
        "ich warte im Park auf den Bus",
    ),
    (
        make(HE, "dance", "past", place=_WITH_BROTHER),
        "he danced with his brother",
        "er hat mit seinem Bruder getanzt",
    ),
    (
        make("the baker", "drink", "habit", "- milk", time=OFTEN),
        "the baker often drinks milk",
        "der Bäcker trinkt oft Milch",
    ),
    (
        make(couple(NAMES[0], NAMES[3]), "laugh"),
        "Anna and Peter are laughing",
        "Anna und Peter lachen",
    ),
    (
        Clause(
            possessed(NOUNS["teacher"], "bag"),
            VERBS["belong"],
            objects=(Object(ICH, "dat", "to/"),),
        ),
        "the teacher's bag belongs to me",
        "die Tasche des Lehrers gehört mir",
    ),
]


@pytest.mark.parametrize(("clause", "english", "german"), STATEMENTS)
def test_statement(clause, english, german):
    assert say.english(clause) == english
    assert say.german(clause) == german
