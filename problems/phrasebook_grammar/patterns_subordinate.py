"""Patterns of two clauses: weil, dass, ob, wenn, als, obwohl, während."""

from __future__ import annotations

import dataclasses

from t2t_lite.problems.phrasebook_grammar import clause as say
from t2t_lite.problems.phrasebook_grammar.adjectives import ADJECTIVES
from t2t_lite.problems.phrasebook_grammar.clause import Clause, sentence
from t2t_lite.problems.phrasebook_grammar.patterns_be import MOODS, mood_clause
from t2t_lite.problems.phrasebook_grammar.phrases import PRONOUNS, Phrase
from t2t_lite.problems.phrasebook_grammar.places import place
from t2t_lite.problems.phrasebook_grammar.rng import Rng
from t2t_lite.problems.phrasebook_grammar.sampler import (
    Wish,
    draw_clause,
    draw_subject,
)

Pair = tuple[str, str]
_TENSES = {"p": "present", "a": "past", "f": "future"}
_ACTIVE = (
    "eat,drink,read,write,sleep,work,sing,wash,repair,clean,play,dance,draw"
    ",cook,bake,learn,watch_tv,wait,cut,tidy_up,look_for,swim"
)


def pronoun_of(subject: Phrase) -> Phrase | None:
    """Returns the pronoun that repeats `subject`, None if there is none."""
    if subject.pronoun:
        return subject
    for pronoun in PRONOUNS:
        if pronoun.person == 3 and pronoun.own == subject.own:
            return pronoun
    return None


def _repeated(rng: Rng, pronouns: int = 45) -> tuple[Phrase, Phrase]:
    """Returns a subject and the pronoun that repeats it."""
    while True:
        subject = draw_subject(rng, "adult", pronouns)
        pronoun = pronoun_of(subject)
        if pronoun is not None:
            return subject, pronoun


def _other_subject(rng: Rng, first: Phrase) -> Phrase:
    """Returns a subject that cannot be taken for `first`."""
    while True:
        other = draw_subject(rng, "adult", 35)
        same = other.pronoun and other.own == first.own
        if not same and other.english != first.english:
            return other


def _joined(main: Clause, words: Pair, second: Clause) -> Pair:
    """Returns main clause, conjunction, subordinate clause."""
    return sentence(
        f"{say.english(main)} {words[0]} {say.english(second)}",
        f"{say.german(main)}, {words[1]} {say.german_subordinate(second)}",
    )


def _led(words: Pair, first: Clause, main: Clause) -> Pair:
    """Returns the subordinate clause first, then the inverted main one."""
    return sentence(
        f"{words[0]} {say.english(first)}, {say.english(main)}",
        f"{words[1]} {say.german_subordinate(first)},"
        f" {say.german_inverted(main)}",
    )


_BECAUSE = ("because", "weil")
_OPEN_MODALS = ("can", "may", "should")
# Which mood makes one do what.
_URGES = (
    ("hungry", "eat,cook,go,bake"),
    ("thirsty", "drink"),
    ("tired", "sleep,come_back"),
    ("sick", "sleep,call"),
    ("happy", "dance,sing,laugh,play,invite,thank"),
    ("sad", "cry,write"),
    ("angry", "call"),
)
_FOOD_DIRECTIONS = ("Restaurant", "Küche", "Markt", "Supermarkt")


def _goes_elsewhere(clause: Clause) -> bool:
    """Whether a hungry person goes where there is nothing to eat."""
    if clause.verb.key != "go":
        return False
    return clause.places[0].german.split()[-1] not in _FOOD_DIRECTIONS


def because_mood(rng: Rng) -> Pair:
    """He is crying because he is sad. / Er weint, weil er traurig ist."""
    subject, pronoun = _repeated(rng)
    mood, verbs = rng.choice(_URGES)
    letter = rng.choice("pa")
    wish = Wish(letter, 0, 30, subject=subject, verbs=verbs)
    main = draw_clause(rng, wish)
    while _goes_elsewhere(main):
        main = draw_clause(rng, wish)
    word, very = ADJECTIVES[mood], rng.percent(30)
    reason = mood_clause(pronoun, word, _TENSES[letter], very)
    return _joined(main, _BECAUSE, reason)


# What one moves for: to people anywhere, to chores at home.
_TO_PEOPLE = "help,meet,pick_up,visit,work"
_CHORES = (
    "work,cook,clean,wash,learn,read,write,call,repair,tidy_up,look_for,bake"
    ",sleep,watch_tv"
)


def because_plan(rng: Rng) -> Pair:
    """I am going home because I want to sleep. / ..., weil ich ... will."""
    subject, pronoun = _repeated(rng)
    verb = rng.choice(("go", "go", "drive", "come_back"))
    main = draw_clause(rng, Wish("p", 0, 20, subject=subject, verbs=verb))
    plans = _TO_PEOPLE if main.places else _CHORES
    if main.places and rng.percent(40):
        main = dataclasses.replace(main, places=(place("to home"),))
        plans = _CHORES
    plan = Wish("m", 0, 0, subject=pronoun, verbs=plans, present_modal=True)
    reason = draw_clause(rng, plan)
    while reason.modal.auxiliary in _OPEN_MODALS or any(
        item.phrase.english == subject.english for item in reason.objects
    ):
        reason = draw_clause(rng, plan)
    return _joined(main, _BECAUSE, reason)


_KIND = "visit,help,thank,invite,come_back,call,cook,bake,sing"
_KIND_GIFTS = "give,bring,show,send,tell"
_UNKIND = "lose,forget,sell,eat"


def because_event(rng: Rng) -> Pair:
    """I am happy because you visited me. / ..., weil du mich besucht hast."""
    subject, pronoun = _repeated(rng, 60)
    other = _other_subject(rng, subject)
    target = None
    if {pronoun.person, other.person} & {1, 2} and rng.percent(70):
        target = None if pronoun.own == "their" else pronoun
    mood = rng.choice(("happy", "happy", "sad", "angry"))
    verbs, negated = rng.choice((_KIND, _KIND_GIFTS)), 0
    if mood != "happy":
        verbs = rng.choice((_UNKIND, "visit,help,call"))
        negated = 0 if verbs == _UNKIND else 100
    letter = rng.choice("pa") if mood == "happy" else "a"
    wish = Wish(
        letter, 0, 15, negated, subject=other, verbs=verbs, other=target
    )
    main = mood_clause(subject, ADJECTIVES[mood], "present", rng.percent(25))
    return _joined(main, _BECAUSE, draw_clause(rng, wish))


_THINK = (
    ("know", "knows", ("weiß", "weißt", "weiß", "wissen")),
    ("think", "thinks", ("glaube", "glaubst", "glaubt", "glauben")),
    ("hope", "hopes", ("hoffe", "hoffst", "hofft", "hoffen")),
    ("say", "says", ("sage", "sagst", "sagt", "sagen")),
)


def _content(rng, who: Phrase, tenses: str, negated=0, asked=False):
    """Returns what `who` thinks, or asks."""
    subject = _other_subject(rng, who)
    while asked and subject.person == 1:
        subject = _other_subject(rng, who)
    letter = rng.choice(tenses)
    if rng.percent(25) and letter in "pa":
        return mood_clause(subject, rng.choice(MOODS), _TENSES[letter])
    wish = Wish(letter, 12, 25, negated, subject=subject, present_modal=True)
    return draw_clause(rng, wish)


def that(rng: Rng) -> Pair:
    """I know that you are tired. / Ich weiß, dass du müde bist."""
    who = draw_subject(rng, "human", 55)
    plain, third, german = rng.choice(_THINK)
    clause = _content(rng, who, "f" if plain == "hope" else "pafm", 15)
    verb = third if who.index == 2 else plain
    return sentence(
        f"{who.english} {verb} that {say.english(clause)}",
        f"{who.german['nom']} {german[who.index]},"
        f" dass {say.german_subordinate(clause)}",
    )


def whether(rng: Rng) -> Pair:
    """I do not know whether he is at home. / Ich weiß nicht, ob ..."""
    who = draw_subject(rng, "human", 70)
    if rng.percent(35):
        who = PRONOUNS[1]
    clause = _content(rng, who, "pafm", asked=True)
    english, german = say.english(clause), say.german_subordinate(clause)
    if who is PRONOUNS[1]:
        return sentence(
            f"do you know whether {english}", f"weißt du, ob {german}", "?"
        )
    helper = "does" if who.index == 2 else "do"
    return sentence(
        f"{who.english} {helper} not know whether {english}",
        f"{who.german['nom']} {_THINK[0][2][who.index]} nicht, ob {german}",
    )


_IF = ("if", "wenn")
_OCCASIONS = "visit,come_back,call,help,invite,need,find,arrive,see,meet"
# Verbs after which "if" would mean ob (ask, tell, show) are missing.
_RESULTS = (
    "visit,call,help,cook,bake,bring_along,go,drive,stay,invite,read"
    ",watch_tv,pick_up,play,dance,give,drink,eat"
)
_COMFORTS = (
    ("hungry", "cook,bake"),
    ("sick", "help,visit,call,stay"),
    ("tired", "help,sleep,stay,pick_up"),
    ("sad", "visit,call,help,invite,sing"),
)


def _result(rng: Rng, first: Phrase, verbs: str, other=None) -> Clause:
    subject = _other_subject(rng, first)
    while other is not None and subject.person == other.person:
        subject = _other_subject(rng, first)
    letter = rng.choice("ffm")
    wish = Wish(letter, 0, 20, subject=subject, verbs=verbs, other=other)
    main = draw_clause(rng, wish)
    while main.modal and main.modal.auxiliary not in _OPEN_MODALS:
        main = draw_clause(rng, wish)
    return main


def condition(rng: Rng) -> Pair:
    """If you come back, I will bake a cake. / Wenn du zurückkommst, ..."""
    subject, pronoun = _repeated(rng, 50)
    if rng.percent(15):
        main = _result(rng, subject, _RESULTS)
        return sentence(
            f"if it rains, {say.english(main)}",
            f"wenn es regnet, {say.german_inverted(main)}",
        )
    if rng.percent(60):
        first = _untimed(rng, subject, _OCCASIONS)
        main = _result(rng, subject, _RESULTS)
        if rng.percent(40):
            return _joined(main, _IF, first)
        return _led(_IF, first, main)
    mood, verbs = rng.choice(_COMFORTS)
    while pronoun.own == "their":
        subject, pronoun = _repeated(rng, 50)
    main = _result(rng, subject, verbs, pronoun)
    return _led(_IF, mood_clause(subject, ADJECTIVES[mood]), main)


def _untimed(rng: Rng, subject: Phrase, verbs: str) -> Clause:
    """Returns a clause in the English simple present, without a time."""
    wish = Wish("h", 0, 15, subject=subject, verbs=verbs, untimed=True)
    return draw_clause(rng, wish)


_WHEN = ("when", "als")
_ARRIVALS = "arrive,come_back,wake_up,get_up,call,visit,open,ask,help"
_REACTIONS = (
    "call,thank,open,close,turn_on,turn_off,laugh,cry,dance,sing,help,give"
    ",cook,go,drink,eat,fall_asleep,wake_up"
)


def when(rng: Rng) -> Pair:
    """When I arrived, he was tired. / Als ich angekommen bin, war er ..."""
    subject = draw_subject(rng, "human", 55)
    other = _other_subject(rng, subject)
    event = draw_clause(rng, Wish("a", 0, 20, subject=subject, verbs=_ARRIVALS))
    main = mood_clause(other, rng.choice(MOODS), "past")
    if rng.percent(60):
        wish = Wish("a", 0, 20, subject=other, verbs=_REACTIONS)
        main = draw_clause(rng, wish)
    return (
        _led(_WHEN, event, main)
        if rng.percent(55)
        else _joined(main, _WHEN, event)
    )


_ALTHOUGH = ("although", "obwohl")
_HINDRANCES = (
    ("tired", "work,read,clean,repair,dance,help,cook,tidy_up,play,learn"),
    ("sick", "work,swim,go,run,drive,travel,visit,clean,dance,play,fly"),
    ("sad", "laugh,sing,dance,play,work"),
    ("hungry", "work,read,sleep,write,clean,learn,wait"),
    ("thirsty", "work,run,dance,clean,repair,wait"),
    ("angry", "help,thank,laugh,answer,give"),
)


def although(rng: Rng) -> Pair:
    """Although he is sick, he is working. / Obwohl er krank ist, ..."""
    subject, pronoun = _repeated(rng, 55)
    mood, verbs = rng.choice(_HINDRANCES)
    letter, very = rng.choice("pa"), rng.percent(25)
    if rng.percent(55):
        first = mood_clause(subject, ADJECTIVES[mood], _TENSES[letter], very)
        wish = Wish(letter, 0, 30, subject=pronoun, verbs=verbs)
        return _led(_ALTHOUGH, first, draw_clause(rng, wish))
    wish = Wish(letter, 0, 30, subject=subject, verbs=verbs)
    reason = mood_clause(pronoun, ADJECTIVES[mood], _TENSES[letter], very)
    return _joined(draw_clause(rng, wish), _ALTHOUGH, reason)


def _two(rng: Rng, letter: str) -> tuple[Clause, Clause]:
    subject = draw_subject(rng, "adult", 45)
    other = _other_subject(rng, subject)
    first = Wish(letter, 0, 20, subject=subject, verbs=_ACTIVE)
    second = Wish(letter, 0, 20, subject=other, verbs=_ACTIVE)
    return draw_clause(rng, first), draw_clause(rng, second)


def while_clause(rng: Rng) -> Pair:
    """I am cooking while you are reading. / ..., während du liest."""
    first, second = _two(rng, "p")
    return _joined(first, ("while", "während"), second)


def coordination(rng: Rng) -> Pair:
    """My mother is cooking, but I am reading. / ..., aber ich lese."""
    first, second = _two(rng, rng.choice("paf"))
    english, german = rng.choice(((" and", " und"), (", but", ", aber")))
    return sentence(
        f"{say.english(first)}{english} {say.english(second)}",
        f"{say.german(first)}{german} {say.german(second)}",
    )


SUBORDINATE = {
    "because_mood": (because_mood, 2),
    "because_plan": (because_plan, 3),
    "because_event": (because_event, 3),
    "that": (that, 4),
    "whether": (whether, 2),
    "condition": (condition, 3),
    "when": (when, 2),
    "although": (although, 3),
    "while": (while_clause, 1),
    "coordination": (coordination, 2),
}
