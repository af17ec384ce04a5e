"""Draws of subjects, objects, times and whole clauses."""

from __future__ import annotations

import dataclasses

from t2t_lite.problems.phrasebook_grammar import places, times
from t2t_lite.problems.phrasebook_grammar.adjectives import GROUPS
from t2t_lite.problems.phrasebook_grammar.clause import Clause, Object
from t2t_lite.problems.phrasebook_grammar.frames import Frame, frames_with
from t2t_lite.problems.phrasebook_grammar.nouns import NOUNS, Noun, tagged
from t2t_lite.problems.phrasebook_grammar.phrases import (
    NAMES,
    PRONOUNS,
    Adverbial,
    Phrase,
    couple,
    noun_phrase,
)
from t2t_lite.problems.phrasebook_grammar.rng import Rng
from t2t_lite.problems.phrasebook_grammar.verbs import MODALS, VERBS

_OWNERS = ("my", "your", "his", "her", "our")


def _fixed(pair: tuple[str, str]) -> Phrase:
    english, german = pair
    cases = dict.fromkeys(("nom", "acc", "dat"), german)
    return Phrase(english, english, cases, indefinite=True)


def _language(pair: tuple[str, str]) -> Phrase:
    negated = dict.fromkeys(("nom", "acc", "dat"), f"kein {pair[1]}")
    return dataclasses.replace(_fixed(pair), none=negated)


LANGUAGES = tuple(_language(pair) for pair in places.LANGUAGES)
GAMES = tuple(_fixed(pair) for pair in places.GAMES)


def draw_adjective(rng: Rng, noun: Noun, chance: int):
    """Returns an adjective that suits `noun`, or None."""
    return rng.choice(GROUPS[noun.adjectives]) if rng.percent(chance) else None


def _owner(rng: Rng, subject: Phrase | None) -> str:
    """Returns a possessive; ihr never has two readings beside `subject`."""
    if subject is None:
        return rng.choice(_OWNERS)
    if subject.own and rng.percent(65):
        return subject.own
    choices = ("my", "your", "our")
    return rng.choice([owner for owner in choices if owner != subject.own])


def _human_noun(rng: Rng, noun: Noun, subject: Phrase | None) -> Phrase:
    if "kin" in noun.tags:
        plural = noun.adjectives != "elder" and rng.percent(20)
        owner, adjective = _owner(rng, subject), draw_adjective(rng, noun, 8)
        return noun_phrase(noun.english, owner, plural, adjective)
    plural, kind = rng.percent(22), "the"
    if "own" in noun.tags and rng.percent(60):
        kind = _owner(rng, subject)
    elif rng.percent(8):
        kind = "this"
    adjective = draw_adjective(rng, noun, 18)
    return noun_phrase(noun.english, kind, plural, adjective)


def _person(rng: Rng, tag: str, pronouns: int, asked: bool) -> Phrase:
    if rng.percent(pronouns):
        return rng.choice(_ASKED if asked else PRONOUNS)
    if rng.percent(15):
        if rng.percent(25):
            first, second = rng.shuffled(NAMES)[:2]
            return couple(first, second)
        return rng.choice(NAMES)
    return _human_noun(rng, rng.choice(tagged(tag)), None)


# One does not ask the other what I am cooking.
_ASKED = tuple(p for p in PRONOUNS if p.english not in ("I", "we"))


def draw_subject(
    rng: Rng, tags: str, pronouns: int = 30, asked: bool = False
) -> Phrase:
    """Returns a subject that carries one of `tags`.

    Args:
        tags: str, comma-separated.
        pronouns: int, percent of pronouns among people.
        asked: bool, for a question: neither I nor we.
    """
    chosen = rng.choice(tags.split(","))
    if chosen in ("human", "adult"):
        return _person(rng, chosen, pronouns, asked)
    noun = rng.choice(tagged(chosen))
    kind = "the"
    if "wild" not in noun.tags and "transit" not in noun.tags:
        kind = rng.choice(("the", "the", "the", "this", "my", "our"))
    adjective = draw_adjective(rng, noun, 18)
    return noun_phrase(noun.english, kind, rng.percent(20), adjective)


def _mass(rng: Rng, noun: Noun, negated: bool) -> Phrase:
    kind = "" if negated or rng.percent(65) else "the"
    return noun_phrase(noun.english, kind, False, draw_adjective(rng, noun, 35))


def _thing(rng: Rng, noun: Noun, subject: Phrase, mark: str) -> Phrase:
    adjective = draw_adjective(rng, noun, 25)
    draw = rng.below(100)
    if mark == "!":
        draw = 32 + rng.below(48)
    elif mark == "~" or "single" in noun.tags:
        draw = rng.below(80)
    if mark == "^" and 52 <= draw < 66:
        draw = rng.below(52)
    kind, plural = "", True
    if draw < 32:
        kind, plural = "a", False
    elif draw < 52:
        kind, plural = "the", False
    elif draw < 66:
        kind, plural = _owner(rng, subject), rng.percent(25)
    elif draw < 74:
        kind, plural = "this", rng.percent(20)
    elif draw < 80:
        kind = "the"
    elif draw >= 90:
        kind = "many" if rng.percent(25) else str(2 + rng.below(9))
    plural = plural and "single" not in noun.tags
    return noun_phrase(noun.english, kind, plural, adjective)


def _person_object(rng: Rng, subject: Phrase) -> Phrase:
    if rng.percent(28):
        others = [
            pronoun
            for pronoun in PRONOUNS
            if pronoun.english != "they" and not _overlap(pronoun, subject)
        ]
        return rng.choice(others)
    if rng.percent(10) and not subject.sex:
        return rng.choice(NAMES)
    return _human_noun(rng, rng.choice(tagged("human")), subject)


def _overlap(one: Phrase, other: Phrase) -> bool:
    """Whether both may mean the same person, as in "we see me"."""
    if one.person == 3:
        return other.person == 3
    return {one.person, other.person} in ({1}, {2})


def draw_object(
    rng: Rng, tags: str, subject: Phrase, negated: bool = False
) -> Phrase:
    """Returns an object that carries one of `tags`.

    Args:
        tags: str, comma-separated, with the marks of `frames`.
        subject: Phrase; the object may belong to it.
        negated: bool, no numbers then.
    """
    mark = tags[0] if tags[0] in "!~^+=" else ""
    chosen = rng.choice(tags.lstrip(mark or " ").split(","))
    if mark == "=":
        return rng.choice(LANGUAGES if chosen == "language" else GAMES)
    if chosen == "human":
        return _person_object(rng, subject)
    noun = rng.choice(tagged(chosen))
    if "mass" in noun.tags:
        return _mass(rng, noun, negated)
    if mark == "+":
        adjective = draw_adjective(rng, noun, 25)
        return noun_phrase(noun.english, "", True, adjective)
    if "human" in noun.tags:
        return _human_noun(rng, noun, subject)
    if noun.adjectives in _PUBLIC:
        kind = rng.choice(("the", "the", "this"))
        adjective = draw_adjective(rng, noun, 20)
        return noun_phrase(noun.english, kind, False, adjective)
    return _thing(rng, noun, subject, "~" if negated and not mark else mark)


_PUBLIC = ("place", "dark", "nature", "train")


def draw_place(rng: Rng, group: str) -> Adverbial:
    """Returns a place of the group, sometimes described."""
    if group == "country":
        return rng.choice(places.TO_TOWNS)
    if group == "living" and rng.percent(50):
        return rng.choice(places.IN_TOWNS)
    if group == "arriving" and rng.percent(30):
        return rng.choice(places.IN_TOWNS)
    name = rng.choice(places.GROUPS[group])
    noun = NOUNS.get(name.removeprefix("to "))
    kind, adjective = "the", None
    if noun is not None:
        adjective = draw_adjective(rng, noun, 15)
        if group == "living" or (adjective and rng.percent(40)):
            kind = "a"
    return places.place(name, kind, adjective)


def _usual_time(rng: Rng, verb: str) -> Adverbial:
    if verb in times.MOODY:
        return rng.choice(times.OFTEN)
    usual = times.WEEKLY if verb in times.WEEKLY_ACTS else times.DAILY
    return rng.choice(rng.choice((usual, usual, times.OFTEN)))


def _past_time(rng: Rng, verb: str) -> Adverbial:
    if verb == "live":
        return rng.choice(times.LONG_PAST[1:] + times.LONG_AGO[3::4])
    near, far = times.PAST, times.AGO
    if verb in times.EVENTS:
        near, far = near + times.LONG_PAST, times.LONG_AGO
    return rng.choice(rng.choice((near, near, far)))


def _future_time(rng: Rng, verb: str) -> Adverbial:
    near, far = times.FUTURE, times.IN_SPANS
    if verb in times.EVENTS:
        near, far = near + times.LONG_FUTURE, times.LONG_IN
    return rng.choice(rng.choice((near, times.ON_DAYS, far)))


def draw_time(
    rng: Rng, tense: str, verb: str, negated: bool = False
) -> Adverbial:
    """Returns a time that suits the tense and the verb (a key).

    Args:
        negated: bool; nobody denies an act for "in five days".
    """
    if negated and tense in ("past", "future"):
        near = times.PAST if tense == "past" else times.FUTURE[:1]
        return rng.choice(near + times.ON_DAYS * (tense == "future"))
    if verb in times.PUNCTUAL and (tense == "habit" or rng.percent(50)):
        return rng.choice(times.CLOCKS)
    if tense == "present":
        return rng.choice(times.NOW)
    draws = {"habit": _usual_time, "past": _past_time, "future": _future_time}
    return draws[tense](rng, verb)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a pattern asks of a clause.

    Args:
        tense: one of the letters of `frames`, or "" for any.
        time, place, negated: percent.
        pronouns: percent of pronouns among subjects that are people.
        subject: Phrase or None for any.
        verbs: str, comma-separated keys of verbs, or "" for all.
        asked: bool, the clause becomes a question.
        other: Phrase or None; the human object.
        present_modal: bool, no "wanted to" and "had to".
        untimed: bool, no time even where the simple present needs one.
    """

    tense: str = ""
    time: int = 30
    place: int = 30
    negated: int = 0
    pronouns: int = 30
    subject: Phrase | None = None
    verbs: str = ""
    asked: bool = False
    other: Phrase | None = None
    present_modal: bool = False
    untimed: bool = False


_TENSES = {"p": "present", "h": "habit", "a": "past", "f": "future"}


def draw_clause(rng: Rng, wish: Wish) -> Clause:
    """Returns a clause that fulfils `wish`."""
    letter = wish.tense or rng.choice("phafm")
    negated = rng.percent(wish.negated)
    usable = frames_with(letter + "n" * negated, wish.verbs)
    if not usable:
        negated, usable = False, frames_with(letter, wish.verbs)
    if not usable:
        raise ValueError(f"no frame of {wish.verbs} takes tense {letter!r}")
    frame = rng.choice(usable)
    while wish.subject is not None and not _may_do(wish.subject, frame):
        frame = rng.choice(usable)
    return fill(rng, frame, letter, negated, wish)


def _may_do(subject: Phrase, frame: Frame) -> bool:
    tags = frame.subjects.split(",")
    if subject.german["nom"].split()[-1] in _YOUNG:
        return "human" in tags
    return "human" in tags or "adult" in tags


_YOUNG = tuple(
    form
    for noun in tagged("human")
    if "adult" not in noun.tags
    for form in (noun.german, noun.german_plural)
)


def _object(rng, wish: Wish, subject: Phrase, tags: str, negated) -> Phrase:
    if wish.other is not None and tags == "human":
        return wish.other
    thing = draw_object(rng, tags, subject, negated)
    while _unsuited(thing, tags, subject):
        thing = draw_object(rng, tags, subject, negated)
    return thing


def _foreign(owner: str, subject: Phrase) -> bool:
    return owner in _OWNERS and owner != subject.own


def _unsuited(thing: Phrase, tags: str, subject: Phrase) -> bool:
    """Nobody meets himself or wears our hat; several wear several hats."""
    worn = tags in ("~worn", "~dressed")
    owner = thing.english.split()[0]
    if worn and (thing.plural != subject.plural or _foreign(owner, subject)):
        return True
    return thing.english == subject.english


def _time(rng, wish: Wish, frame: Frame, letter: str, negated):
    tense = _TENSES.get(letter, "present")
    state = tense == "present" and not VERBS[frame.verb].english[3]
    if letter in "mi" or state or wish.untimed or (negated and letter == "h"):
        return None
    if tense == "habit" or rng.percent(wish.time):
        return draw_time(rng, tense, frame.verb, negated)
    return None


def fill(rng: Rng, frame: Frame, letter: str, negated, wish: Wish) -> Clause:
    """Returns a clause of the given frame; see `draw_clause`."""
    subject = wish.subject or draw_subject(
        rng, frame.subjects, wish.pronouns, wish.asked
    )
    objects = tuple(
        Object(_object(rng, wish, subject, tags, negated), case, prepositions)
        for case, prepositions, tags in frame.objects
    )
    time = _time(rng, wish, frame, letter, negated)
    often = time is not None and time.frequency and objects
    where = ()
    if frame.placed or (frame.places and not often and rng.percent(wish.place)):
        where = (draw_place(rng, frame.places),)
    modal = None
    if letter == "m":
        now = [m for m in MODALS if m.negatable or not negated]
        if wish.present_modal:
            now = [m for m in now if not m.past]
        modal = rng.choice(now)
    return Clause(
        subject=subject,
        verb=VERBS[frame.verb],
        tense=_TENSES.get(letter, "present"),
        objects=objects,
        places=where,
        time=time,
        modal=modal,
        negated=negated,
    )
