"""Patterns of being: qualities, comparisons, professions, ages, prices."""

from __future__ import annotations

import dataclasses

from t2t_lite.problems.phrasebook_grammar import clause as say
from t2t_lite.problems.phrasebook_grammar import numbers, places, times
from t2t_lite.problems.phrasebook_grammar.adjectives import ADJECTIVES, GROUPS
from t2t_lite.problems.phrasebook_grammar.clause import Clause, sentence
from t2t_lite.problems.phrasebook_grammar.nouns import tagged
from t2t_lite.problems.phrasebook_grammar.phrases import (
    IT,
    NAMES,
    PRONOUNS,
    Phrase,
    noun_phrase,
)
from t2t_lite.problems.phrasebook_grammar.rng import Rng
from t2t_lite.problems.phrasebook_grammar.sampler import (
    draw_adjective,
    draw_subject,
)
from t2t_lite.problems.phrasebook_grammar.verbs import BE, HAVE, VERBS

Pair = tuple[str, str]


def _named(words: str) -> tuple:
    return tuple(ADJECTIVES[word] for word in words.split())


MOODS = _named("tired happy sad sick hungry thirsty angry")
_TRAITS = _named(
    "healthy lazy friendly polite clever rich poor famous strong young old"
)
_DEGREES = (("", ""), ("", ""), ("very ", "sehr "), ("too ", "zu "))
_TOO = _named("big small long short expensive heavy old hot cold sweet")


def _statement(clause: Clause, front: str = "") -> Pair:
    return sentence(say.english(clause, front), say.german(clause, front))


def _asked_or_said(rng: Rng, clause: Clause, asked: int) -> Pair:
    if clause.negated or not rng.percent(asked):
        return _statement(clause)
    return sentence(
        say.english_question(clause), say.german_inverted(clause), "?"
    )


def mood_clause(
    subject: Phrase, mood, tense: str = "present", very: bool = False
) -> Clause:
    """Returns "my uncle is tired" / "mein Onkel ist müde"."""
    words = (mood.english, mood.german)
    if very:
        words = (f"very {mood.english}", f"sehr {mood.german}")
    return Clause(subject, BE, tense, (), words)


def mood(rng: Rng) -> Pair:
    """The boys were not tired. / Die Jungen waren nicht müde."""
    tense = rng.choice(("present", "present", "past"))
    subject = draw_subject(rng, "human", 40)
    temporary = tense == "past" or rng.percent(60)
    word = rng.choice(MOODS if temporary else _TRAITS)
    very = rng.percent(25)
    clause = mood_clause(subject, word, tense, very)
    time = None
    if temporary and rng.percent(40):
        time = times.PAST[0] if tense == "past" else times.NOW[1]
    negated = not very and rng.percent(25)
    clause = dataclasses.replace(clause, time=time, negated=negated)
    if time and rng.percent(40):
        return _statement(clause, "time")
    return _asked_or_said(rng, clause, 30)


def _thing_subject(rng: Rng, noun, many: bool) -> Phrase:
    kind = rng.choice(("the", "the", "this"))
    if noun.adjectives != "place" and rng.percent(40):
        kind = rng.choice(("my", "your", "his", "her", "our"))
    plural = many and bool(noun.plural) and "single" not in noun.tags
    return noun_phrase(noun.english, kind, plural)


def quality(rng: Rng) -> Pair:
    """These apples are too small. / Diese Äpfel sind zu klein."""
    noun = rng.choice(tagged("thing,edible,drink,clothes,sight,text"))
    adjective = rng.choice(GROUPS[noun.adjectives])
    degree = rng.choice(_DEGREES)
    if not adjective.comparative or adjective.english == "good":
        degree = ("", "")
    if degree[1] == "zu " and adjective not in _TOO:
        degree = _DEGREES[2]
    words = (degree[0] + adjective.english, degree[1] + adjective.german)
    tense = "past" if rng.percent(25) else "present"
    negated = not degree[0] and rng.percent(30)
    subject = _thing_subject(rng, noun, rng.percent(30))
    clause = Clause(subject, BE, tense, (), words, negated=negated)
    return _asked_or_said(rng, clause, 20)


_COMPARED = _named("young tall clever strong rich lazy friendly polite fast")


def comparison(rng: Rng) -> Pair:
    """My bag is heavier than your bag. / Meine Tasche ist schwerer als ..."""
    if rng.percent(45):
        first = draw_subject(rng, "human", 30)
        second = draw_subject(rng, "human", 0)
        suited = _COMPARED
    else:
        tags = "thing,building,clothes,text"
        noun, other = rng.choice(tagged(tags)), rng.choice(tagged(tags))
        if rng.percent(50):
            other = noun
        many = rng.percent(30)
        first = _thing_subject(rng, noun, many)
        second = _thing_subject(rng, other, many)
        suited = [a for a in GROUPS[noun.adjectives] if a.comparative]
        if noun.adjectives != other.adjectives:
            return comparison(rng)
    if first.english == second.english:
        return comparison(rng)
    return _compared(rng, first, second, rng.choice(suited))


def _compared(rng: Rng, first: Phrase, second: Phrase, adjective) -> Pair:
    words = (
        f"{adjective.comparative} than {second.english_object}",
        f"{adjective.german_comparative} als {second.german['nom']}",
    )
    if rng.percent(35):
        words = (
            f"as {adjective.english} as {second.english_object}",
            f"so {adjective.german} wie {second.german['nom']}",
        )
    return _statement(Clause(first, BE, "present", (), words))


def age(rng: Rng) -> Pair:
    """My aunt is forty-one years old. / Meine Tante ist einundvierzig ..."""
    if rng.percent(35):
        subject, years = rng.choice(PRONOUNS[:4] + NAMES), 2 + rng.below(98)
    else:
        noun = rng.choice(tagged("human"))
        kind = "the"
        if "kin" in noun.tags:
            kind = rng.choice(("my", "your", "his", "her", "our"))
        subject = noun_phrase(noun.english, kind)
        years = _age_of(rng, noun)
    if rng.percent(12):
        clause = Clause(subject, BE)
        return sentence(
            say.english_question(clause, "How old"),
            say.german_inverted(clause, "Wie alt"),
            "?",
        )
    words = (
        f"{numbers.english_number(years)} years old",
        f"{numbers.german_number(years)} Jahre alt",
    )
    return _statement(Clause(subject, BE, "present", (), words))


def _age_of(rng: Rng, noun) -> int:
    if "grand" in noun.english:
        return 60 + rng.below(40)
    return 20 + rng.below(50) if "adult" in noun.tags else 2 + rng.below(16)


def _price(rng: Rng, noun) -> tuple[str, str]:
    """Returns a plausible number of euros as words."""
    if "costly" in noun.tags:
        hundreds = 1 + rng.below(9)
        ones = "ein" if hundreds == 1 else numbers.german_number(hundreds)
        return f"{numbers.english_number(hundreds)} hundred", f"{ones}hundert"
    cheap = noun.tags & {"edible", "drink", "small"}
    euros = 2 + rng.below(12 if cheap else 98)
    return numbers.english_number(euros), numbers.german_number(euros)


def price(rng: Rng) -> Pair:
    """This lamp costs thirty-five euros. / Diese Lampe kostet ... Euro."""
    nouns = tagged("thing,clothes,edible,drink")
    noun = rng.choice([noun for noun in nouns if "dear" not in noun.tags])
    kind = rng.choice(("the", "this"))
    plural = bool(noun.plural) and "single" not in noun.tags
    plural = plural and rng.percent(30)
    adjective = draw_adjective(rng, noun, 35)
    thing = noun_phrase(noun.english, kind, plural, adjective)
    verb = "kosten" if plural else "kostet"
    if rng.percent(20):
        helper = "do" if plural else "does"
        return sentence(
            f"how much {helper} {thing.english} cost",
            f"wie viel {verb} {thing.german['nom']}",
            "?",
        )
    euros, german_euros = _price(rng, noun)
    return sentence(
        f"{thing.english} cost{'' if plural else 's'} {euros} euros",
        f"{thing.german['nom']} {verb} {german_euros} Euro",
    )


_JOBS = (
    ("teacher", "Lehrer", "Lehrerin"),
    ("doctor", "Arzt", "Ärztin"),
    ("baker", "Bäcker", "Bäckerin"),
    ("gardener", "Gärtner", "Gärtnerin"),
    ("student", "Student", "Studentin"),
)


def profession(rng: Rng) -> Pair:
    """My sister is a doctor. / Meine Schwester ist Ärztin."""
    subject = draw_subject(rng, "human", 25)
    while not subject.sex or subject.english.split()[-1] in _WORKERS:
        subject = draw_subject(rng, "human", 25)
    english, man, woman = rng.choice(_JOBS)
    german = man if subject.sex == "m" else woman
    tense = "past" if rng.percent(25) else "present"
    clause = Clause(subject, BE, tense, (), (f"a {english}", german))
    return _asked_or_said(rng, clause, 25)


_WORKERS = (*(noun.english for noun in tagged("job")), "boy", "guest")
_WEATHER = (("cold", "kalt"), ("warm", "warm"), ("hot", "heiß"))


def weather(rng: Rng) -> Pair:
    """Yesterday it was cold in Rome. / Gestern war es in Rom kalt."""
    tense = rng.choice(("present", "past", "future"))
    degree, word = rng.choice(_DEGREES), rng.choice(_WEATHER)
    town = rng.choice((*places.IN_TOWNS, places.place("garden")))
    choices = {
        "present": times.NOW[:2],
        "past": times.PAST[:2],
        "future": times.FUTURE[:1] + times.ON_DAYS,
    }
    words = (
        f"{degree[0]}{word[0]} {town.english}",
        f"{town.german} {degree[1]}{word[1]}",
    )
    time = rng.choice(choices[tense])
    clause = Clause(IT, BE, tense, (), words, time=time)
    return _statement(clause, rng.choice(("", "time")))


def clock_time(rng: Rng) -> Pair:
    """It is half past three. / Es ist halb vier."""
    english, german = numbers.clock(1 + rng.below(12), 15 * rng.below(4))
    return sentence(f"it is {english}", f"es ist {german}")


def origin(rng: Rng) -> Pair:
    """He comes from Italy. Where does he come from? / Woher kommt er?"""
    subject = draw_subject(rng, "human", 40)
    clause = Clause(subject, VERBS["come"], "habit")
    if rng.percent(20):
        english = say.english_question(clause, "Where")
        return sentence(
            f"{english} from", say.german_inverted(clause, "Woher"), "?"
        )
    town = rng.choice(places.FROM_TOWNS)
    return _statement(dataclasses.replace(clause, places=(town,)))


_BORN = ("wurde", "wurdest", "wurde")


def birthday(rng: Rng) -> Pair:
    """My son has his birthday in May. / Mein Sohn hat im Mai Geburtstag."""
    who = draw_subject(rng, "human", 40)
    while who.plural or not who.own:
        who = draw_subject(rng, "human", 40)
    year, month = 1960 + rng.below(41), rng.choice(times.IN_MONTHS)
    german = who.german["nom"]
    if rng.percent(50):
        was = "were" if who.person == 2 else "was"
        return sentence(
            f"{who.english} {was} born in {year}",
            f"{german} {_BORN[who.index]} {year} geboren",
        )
    return sentence(
        f"{say.english(Clause(who, HAVE))} {who.own} birthday {month.english}",
        f"{german} {HAVE.present[who.index]} {month.german} Geburtstag",
    )


BEING = {
    "mood": (mood, 2),
    "quality": (quality, 3),
    "comparison": (comparison, 3),
    "age": (age, 2),
    "price": (price, 2),
    "profession": (profession, 1),
    "weather": (weather, 1),
    "clock_time": (clock_time, 1),
    "origin": (origin, 1),
    "birthday": (birthday, 1),
}
