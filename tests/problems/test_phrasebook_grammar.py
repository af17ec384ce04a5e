"""Hand-checked translations of one content after the other."""

import pytest

from t2t_lite.problems.phrasebook_grammar import clause as say
from t2t_lite.problems.phrasebook_grammar import morphology, numbers
from t2t_lite.problems.phrasebook_grammar.adjectives import ADJECTIVES
from t2t_lite.problems.phrasebook_grammar.clause import Clause, Object
from t2t_lite.problems.phrasebook_grammar.nouns import NOUNS, tagged
from t2t_lite.problems.phrasebook_grammar.patterns import PATTERNS
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
from t2t_lite.problems.phrasebook_grammar.rng import Rng
from t2t_lite.problems.phrasebook_grammar.verbs import BE, HAVE, MODALS, VERBS

ICH, YOU, HE, SHE, WE, THEY = PRONOUNS
CAN, HAVE_TO, SHOULD, MAY, WOULD, WANT, WANTED, HAD_TO = MODALS
YESTERDAY = Adverbial("yesterday", "gestern")
TODAY = Adverbial("today", "heute")
TOMORROW = Adverbial("tomorrow", "morgen")
OFTEN = Adverbial("often", "oft", frequency=True)


def _np(text):
    """Returns the phrase of "the old man", "my brothers", "3 eggs"."""
    kind, *adjective, word = text.split(" ")
    kind = {"-": "", "an": "a", "these": "this"}.get(kind, kind)
    described = ADJECTIVES[adjective[0]] if adjective else None
    for noun in NOUNS.values():
        if word in (noun.english, noun.plural):
            plural = word != noun.english
            return noun_phrase(noun.english, kind, plural, described)
    raise KeyError(word)


def _clause(subject, verb, tense="present", *objects, **extra):
    subject = _np(subject) if isinstance(subject, str) else subject
    made = []
    for item in objects:
        case, thing = item if isinstance(item, tuple) else ("acc", item)
        thing = _np(thing) if isinstance(thing, str) else thing
        made.append(Object(thing, case))
    if "place" in extra:
        extra["places"] = (extra.pop("place"),)
    return Clause(subject, VERBS[verb], tense, tuple(made), **extra)


_BUS = Object(_np("the bus"), "acc", "for/auf")
_ON_TABLE = relation("on/auf", "dat", _np("the table"))
_ONTO_TABLE = relation("on/auf", "acc", _np("the table"))
_WITH_BROTHER = relation("with/mit", "dat", _np("his brother"))

STATEMENTS = [
    # Cases, genders, articles.
    (
        _clause("the man", "see", "past", "the dog"),
        "the man saw the dog",
        "der Mann hat den Hund gesehen",
    ),
    (
        _clause("the woman", "buy", "present", "a lamp"),
        "the woman is buying a lamp",
        "die Frau kauft eine Lampe",
    ),
    (
        _clause(HE, "buy", "present", "a table"),
        "he is buying a table",
        "er kauft einen Tisch",
    ),
    (
        _clause(ICH, "help", "present", ("dat", "the child")),
        "I am helping the child",
        "ich helfe dem Kind",
    ),
    (
        _clause(SHE, "thank", "past", ("dat", "my sisters")),
        "she thanked my sisters",
        "sie hat meinen Schwestern gedankt",
    ),
    (
        _clause(WE, "give", "future", ("dat", "the boy"), "an apple"),
        "we will give the boy an apple",
        "wir werden dem Jungen einen Apfel geben",
    ),
    (
        _clause(THEY, "know", "present", "our neighbor"),
        "they know our neighbor",
        "sie kennen unseren Nachbarn",
    ),
    # Adjectives: weak, mixed, strong.
    (
        _clause("the old man", "sleep"),
        "the old man is sleeping",
        "der alte Mann schläft",
    ),
    (
        _clause(ICH, "need", "present", "a new coat"),
        "I need a new coat",
        "ich brauche einen neuen Mantel",
    ),
    (
        _clause("a small child", "cry"),
        "a small child is crying",
        "ein kleines Kind weint",
    ),
    (
        _clause(HE, "drink", "present", "- cold water"),
        "he is drinking cold water",
        "er trinkt kaltes Wasser",
    ),
    (
        _clause(HE, "drink", "present", "- strong coffee"),
        "he is drinking strong coffee",
        "er trinkt starken Kaffee",
    ),
    (
        _clause(SHE, "buy", "past", "3 red apples"),
        "she bought three red apples",
        "sie hat drei rote Äpfel gekauft",
    ),
    (
        _clause(SHE, "wear", "present", "this expensive dress"),
        "she is wearing this expensive dress",
        "sie trägt dieses teure Kleid",
    ),
    (
        _clause("my old friends", "help", "past", ("dat", "the young women")),
        "my old friends helped the young women",
        "meine alten Freunde haben den jungen Frauen geholfen",
    ),
    # Perfect with haben and sein, war and hatte.
    (
        _clause("my uncle", "travel", "past", time=YESTERDAY),
        "my uncle traveled yesterday",
        "mein Onkel ist gestern gereist",
    ),
    (
        _clause("the children", "stay", "past", place=place("home")),
        "the children stayed at home",
        "die Kinder sind zu Hause geblieben",
    ),
    (
        _clause(WE, "have", "past", "a car"),
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
        _clause(YOU, "pick_up", "present", "the child", time=TODAY),
        "you are picking up the child today",
        "du holst heute das Kind ab",
    ),
    (
        _clause(ICH, "pick_up", "future", HE),
        "I will pick him up",
        "ich werde ihn abholen",
    ),
    (
        _clause("my aunt", "invite", "past", "the teacher"),
        "my aunt invited the teacher",
        "meine Tante hat den Lehrer eingeladen",
    ),
    (
        _clause("the boys", "get_up", "past"),
        "the boys got up",
        "die Jungen sind aufgestanden",
    ),
    (
        _clause(HE, "turn_off", "present", "the lamp"),
        "he is turning off the lamp",
        "er schaltet die Lampe aus",
    ),
    # Modals.
    (
        _clause("the girl", "swim", modal=CAN),
        "the girl can swim",
        "das Mädchen kann schwimmen",
    ),
    (
        _clause(ICH, "call", "present", "my father", modal=HAVE_TO),
        "I have to call my father",
        "ich muss meinen Vater anrufen",
    ),
    (
        _clause("the farmer", "sell", "present", "a cow", modal=WANTED),
        "the farmer wanted to sell a cow",
        "der Bauer wollte eine Kuh verkaufen",
    ),
    (
        _clause(SHE, "drink", "present", "- tea", modal=WOULD),
        "she would like to drink tea",
        "sie möchte Tee trinken",
    ),
    (
        _clause(YOU, "sleep", modal=SHOULD),
        "you should sleep",
        "du solltest schlafen",
    ),
    # Negation.
    (
        _clause(ICH, "have", "present", "a dog", negated=True),
        "I do not have a dog",
        "ich habe keinen Hund",
    ),
    (
        _clause("the baker", "buy", "past", "- apples", negated=True),
        "the baker did not buy apples",
        "der Bäcker hat keine Äpfel gekauft",
    ),
    (
        _clause(HE, "read", "present", "the letter", negated=True),
        "he is not reading the letter",
        "er liest den Brief nicht",
    ),
    (
        _clause(SHE, "sleep", place=place("garden"), negated=True),
        "she is not sleeping in the garden",
        "sie schläft nicht im Garten",
    ),
    (
        _clause(SHE, "sing", modal=CAN, negated=True),
        "she cannot sing",
        "sie kann nicht singen",
    ),
    (
        _clause(HE, "work", modal=HAVE_TO, negated=True),
        "he does not have to work",
        "er muss nicht arbeiten",
    ),
    # Two-way prepositions.
    (
        _clause("the key", "lie", place=_ON_TABLE),
        "the key is lying on the table",
        "der Schlüssel liegt auf dem Tisch",
    ),
    (
        _clause(HE, "lay", "past", "the key", place=_ONTO_TABLE),
        "he put the key on the table",
        "er hat den Schlüssel auf den Tisch gelegt",
    ),
    (
        _clause(SHE, "go", place=place("to garden")),
        "she is going into the garden",
        "sie geht in den Garten",
    ),
    (
        _clause(SHE, "go", place=place("to cinema")),
        "she is going to the cinema",
        "sie geht ins Kino",
    ),
    (
        _clause(WE, "buy", "past", "- bread", place=place("market")),
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
        _clause(HE, "dance", "past", place=_WITH_BROTHER),
        "he danced with his brother",
        "er hat mit seinem Bruder getanzt",
    ),
    (
        _clause("the baker", "drink", "habit", "- milk", time=OFTEN),
        "the baker often drinks milk",
        "der Bäcker trinkt oft Milch",
    ),
    (
        _clause(couple(NAMES[0], NAMES[3]), "laugh"),
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


FRONTED = [
    (
        _clause("my brother", "buy", "past", "a house", time=YESTERDAY),
        "time",
        "yesterday my brother bought a house",
        "gestern hat mein Bruder ein Haus gekauft",
    ),
    (
        _clause("the man", "visit", "future", YOU, time=TOMORROW),
        "time",
        "tomorrow the man will visit you",
        "morgen wird dich der Mann besuchen",
    ),
    (
        _clause("the children", "dance", place=place("garden")),
        "place",
        "in the garden the children are dancing",
        "im Garten tanzen die Kinder",
    ),
    (
        _clause("the bus", "leave", time=TODAY),
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
    (_clause(HE, "sleep"), "he is sleeping", "er schläft"),
    (
        _clause("the teacher", "pick_up", "present", "the child"),
        "the teacher is picking up the child",
        "der Lehrer das Kind abholt",
    ),
    (
        _clause(SHE, "pick_up", "past", "the child"),
        "she picked up the child",
        "sie das Kind abgeholt hat",
    ),
    (
        _clause(ICH, "come_back", modal=HAVE_TO),
        "I have to come back",
        "ich zurückkommen muss",
    ),
    (
        _clause(YOU, "go", "past", place=place("to home")),
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
        _clause(YOU, "read", "past", "the letter"),
        "",
        "",
        "did you read the letter",
        "hast du den Brief gelesen",
    ),
    (
        _clause("your sister", "call", "present", YOU),
        "",
        "",
        "is your sister calling you",
        "ruft dich deine Schwester an",
    ),
    (
        _clause(SHE, "arrive", "future"),
        "when",
        "wann",
        "when will she arrive",
        "wann wird sie ankommen",
    ),
    (
        _clause(HE, "go"),
        "where",
        "wohin",
        "where is he going",
        "wohin geht er",
    ),
    (
        _clause("the man", "have", "present", "a key"),
        "",
        "",
        "does the man have a key",
        "hat der Mann einen Schlüssel",
    ),
    (
        _clause(HE, "buy"),
        _np("which coat").english,
        _np("which coat").german["acc"],
        "which coat is he buying",
        "welchen Mantel kauft er",
    ),
    (
        _clause(YOU, "help", "past"),
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
        _clause(YOU, "open", "present", "the window"),
        "open the window",
        "öffne das Fenster",
    ),
    (
        _clause(YOU, "give", "present", ("dat", "the child"), "an egg"),
        "give the child an egg",
        "gib dem Kind ein Ei",
    ),
    (
        _clause(YOU, "turn_on", "present", "the radio"),
        "turn on the radio",
        "schalte das Radio ein",
    ),
    (
        _clause(YOU, "eat", "present", "- cheese", negated=True),
        "do not eat cheese",
        "iss keinen Käse",
    ),
]


@pytest.mark.parametrize(("clause", "english", "german"), IMPERATIVES)
def test_imperative(clause, english, german):
    assert say.english_imperative(clause) == english
    assert say.german_imperative(clause) == german


def test_infinitive_with_zu():
    clause = _clause(HE, "pick_up", "present", "the child")
    assert say.german_infinitive(clause, True) == "das Kind abzuholen"
    assert say.german_infinitive(clause, False) == "das Kind abholen"
    clause = _clause(HE, "buy", "present", "an apple")
    assert say.german_infinitive(clause, True) == "einen Apfel zu kaufen"


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
    assert relation(prepositions, case, _np(thing)).german == german


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
    assert MAY.german[2] == "darf"
    assert HAD_TO.past
    assert WANT.english == ("want to", "wants to")
