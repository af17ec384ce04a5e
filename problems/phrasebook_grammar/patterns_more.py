"""Patterns of infinitives with zu, relative clauses and company."""

from __future__ import annotations

import dataclasses

from t2t_lite.problems.phrasebook_grammar import clause as say
from t2t_lite.problems.phrasebook_grammar import morphology
from t2t_lite.problems.phrasebook_grammar.adjectives import GROUPS
from t2t_lite.problems.phrasebook_grammar.clause import sentence
from t2t_lite.problems.phrasebook_grammar.frames import frame, frames_with
from t2t_lite.problems.phrasebook_grammar.nouns import tagged
from t2t_lite.problems.phrasebook_grammar.phrases import (
    noun_phrase,
    relation,
)
from t2t_lite.problems.phrasebook_grammar.places import place
from t2t_lite.problems.phrasebook_grammar.rng import Rng
from t2t_lite.problems.phrasebook_grammar.sampler import (
    Wish,
    draw_clause,
    draw_object,
    draw_subject,
    fill,
)
from t2t_lite.problems.phrasebook_grammar.verbs import BE, HAVE

Pair = tuple[str, str]
# Where one goes, and what for.
_GOALS = tuple(
    (whereto, frame(goal))
    for whereto, goal in (
        ("to market", "buy human acc:^edible i -"),
        ("to supermarket", "buy human acc:^edible,drink i -"),
        ("to city", "buy human acc:^clothes,gift i -"),
        ("to train station", "pick_up human acc:human i -"),
        ("to airport", "pick_up human acc:human i -"),
        ("to restaurant", "eat human acc:^edible i -"),
        ("to kitchen", "cook human acc:^cooked i -"),
        ("to kitchen", "bake human acc:^baked i -"),
        ("to garden", "play human acc:=game i -"),
        ("to library", "read human acc:text i -"),
        ("to lake", "swim human - i -"),
        ("to home", "sleep human - i -"),
        ("to home", "watch_tv human - i -"),
        ("to park", "meet human acc:human i -"),
        ("to village", "visit human acc:!kin,own i -"),
        ("to house", "look_for human acc:for/:~lost,pet i -"),
    )
)


def purpose(rng: Rng) -> Pair:
    """He went home to sleep. / Er ist nach Hause gegangen, um zu schlafen."""
    whereto, goal = rng.choice(_GOALS)
    subject = draw_subject(rng, "human", 45)
    aim = fill(rng, goal, "i", False, Wish("i", 0, 0, subject=subject))
    letter = rng.choice("paf")
    wish = Wish(letter, 0, 0, subject=subject, verbs="go")
    main = dataclasses.replace(draw_clause(rng, wish), places=(place(whereto),))
    return sentence(
        f"{say.english(main)} to {say.english_infinitive(aim)}",
        f"{say.german(main)}, um {say.german_infinitive(aim, True)}",
    )


_TRIED = (
    ("tried", "versucht", "find,open,help,sleep,learn,repair,close,catch,call"),
    (
        "forgot",
        "vergessen",
        "close,buy,call,pick_up,turn_off,bring_along,thank,send,tidy_up,clean"
        ",invite,wash",
    ),
)


def infinitive(rng: Rng) -> Pair:
    """She forgot to close the door. / Sie hat vergessen, die Tür zu ..."""
    subject = draw_subject(rng, "adult", 45)
    english, german, verbs = rng.choice(_TRIED)
    wish = Wish("i", 0, 0, subject=subject, verbs=verbs)
    aim = draw_clause(rng, wish)
    return sentence(
        f"{subject.english} {english} to {say.english_infinitive(aim)}",
        f"{subject.german['nom']} {HAVE.present[subject.index]} {german},"
        f" {say.german_infinitive(aim, True)}",
    )


def relative(rng: Rng) -> Pair:
    """The man who is sleeping is old. / Der Mann, der schläft, ist alt."""
    nouns = [noun for noun in tagged("adult") if "kin" not in noun.tags]
    noun, plural = rng.choice(nouns), rng.percent(25)
    subject = noun_phrase(noun.english, "the", plural)
    tense = rng.choice("pa")
    inner = draw_clause(rng, Wish(tense, 0, 30, subject=subject))
    who = f"{subject.english} who {say.english(inner, subject=False)}"
    # The relative pronoun of a subject is the definite article.
    gender = "p" if plural else noun.gender
    clause = (
        f"{morphology.definite(gender, 'nom')}"
        f" {say.german_subordinate(inner, False)}"
    )
    if rng.percent(50):
        word = rng.choice(GROUPS[noun.adjectives])
        return sentence(
            f"{who} {'are' if plural else 'is'} {word.english}",
            f"{subject.german['nom']}, {clause},"
            f" {BE.present[subject.index]} {word.german}",
        )
    known = f"{subject.german['acc']}, {clause}"
    if rng.percent(50):
        return sentence(f"do you know {who}", f"kennst du {known}", "?")
    return sentence(f"I know {who}", f"ich kenne {known}")


_WITH = (
    ("go", "with/mit", "human"),
    ("play", "with/mit", "human"),
    ("live", "with/mit", "kin"),
    ("travel", "with/mit", "!kin,pet"),
    ("drive", "with/mit", "kin,own"),
    ("dance", "with/mit", "human"),
    ("swim", "with/mit", "kin"),
    ("eat", "with/mit", "human"),
    ("sing", "for/für", "human"),
    ("cook", "for/für", "human"),
    ("bake", "for/für", "human"),
    ("buy", "for/für", "human"),
    ("draw", "for/für", "human"),
    ("work", "for/für", "human"),
    ("come_back", "without/ohne", "!lost,pet,kin"),
    ("fly", "without/ohne", "kin"),
    ("run", "through/durch", "through"),
)


def company(rng: Rng) -> Pair:
    """She is dancing with her brother. / Sie tanzt mit ihrem Bruder."""
    verb, prepositions, tags = rng.choice(_WITH)
    letter = rng.choice("pa")
    usable = [f for f in frames_with(letter, verb) if len(f.objects) < 2]
    subject = draw_subject(rng, "adult", 45)
    wish = Wish(letter, 15, 0, subject=subject)
    clause = fill(rng, rng.choice(usable), letter, False, wish)
    case = "dat" if prepositions.endswith("mit") else "acc"
    thing = draw_object(rng, tags, subject)
    while thing.english == subject.english:
        thing = draw_object(rng, tags, subject)
    places = (relation(prepositions, case, thing), *clause.places)
    if verb == "run":
        places = places[:1]
    clause = dataclasses.replace(clause, places=places)
    front = "time" if clause.time and rng.percent(50) else ""
    return sentence(say.english(clause, front), say.german(clause, front))


MORE = {
    "purpose": (purpose, 2),
    "infinitive": (infinitive, 2),
    "relative": (relative, 2),
    "company": (company, 3),
}
