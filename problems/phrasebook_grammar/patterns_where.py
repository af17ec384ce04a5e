"""Patterns of two-way prepositions, there is, and the genitive."""

from __future__ import annotations

from t2t_lite.problems.phrasebook_grammar import clause as say
from t2t_lite.problems.phrasebook_grammar import places
from t2t_lite.problems.phrasebook_grammar.adjectives import GROUPS
from t2t_lite.problems.phrasebook_grammar.clause import Clause, Object, sentence
from t2t_lite.problems.phrasebook_grammar.nouns import Noun, tagged
from t2t_lite.problems.phrasebook_grammar.phrases import (
    Adverbial,
    Phrase,
    noun_phrase,
    possessed,
    relation,
)
from t2t_lite.problems.phrasebook_grammar.rng import Rng
from t2t_lite.problems.phrasebook_grammar.sampler import (
    Wish,
    draw_adjective,
    draw_clause,
    draw_object,
    draw_subject,
)
from t2t_lite.problems.phrasebook_grammar.verbs import BE, VERBS

Pair = tuple[str, str]
# Prepositions where, the same whereto, and the nouns that they go with.
_ON = ("on/auf", "on/auf", "surface")
_IN = ("in/in", "into/in", "box,cupboard")
_INSIDE = ("in/in", "into/in", "cupboard")
_UNDER = ("under/unter", "under/unter", "surface")
_NEXT = ("next to/neben", "next to/neben", "surface,cupboard")
_BEHIND = ("behind/hinter", "behind/hinter", "building,tree")
_BEFORE = ("in front of/vor", "in front of/vor", "building,tree")
_WALL = ("on/an", "on/an", "wall")
_HANGER = ("in/in", "in/in", "cupboard")
# What lies, stands and hangs; the German verbs differ, and so do the ways of
# putting it: (tag, verb where, verb whereto, spots).
_POSTURES = (
    ("flat", "lie", "lay", (_ON, _ON, _IN, _UNDER, _NEXT)),
    ("upright", "stand", "stand_up", (_ON, _ON, _INSIDE, _UNDER, _NEXT)),
    ("art", "hang_there", "hang", (_WALL,)),
    ("hung", "hang_there", "hang", (_HANGER,)),
)


def _statement(clause: Clause, front: str = "") -> Pair:
    return sentence(say.english(clause, front), say.german(clause, front))


def _spot(rng: Rng, spots, thing: Noun | None, put: bool) -> Adverbial:
    """Returns where or whereto `thing` (never beside or in its like)."""
    where, whereto, tags = rng.choice(spots)
    noun = rng.choice([noun for noun in tagged(tags) if noun is not thing])
    kind = "the"
    if not noun.tags & {"building", "tree", "wall"} and rng.percent(30):
        kind = rng.choice(("my", "your", "a", "this"))
    adjective = draw_adjective(rng, noun, 20)
    phrase = noun_phrase(noun.english, kind, False, adjective)
    if put:
        return relation(whereto, "acc", phrase)
    return relation(where, "dat", phrase)


def _object_of(rng: Rng, tag: str) -> Noun:
    nouns = tagged(tag)
    if tag == "hung":
        nouns = tuple(noun for noun in nouns if "clothes" in noun.tags)
    return rng.choice(nouns)


def position(rng: Rng) -> Pair:
    """The key is lying on the table. / Der Schlüssel liegt auf dem Tisch."""
    tag, verb, _, spots = rng.choice(_POSTURES)
    noun = _object_of(rng, tag)
    spot = _spot(rng, spots, noun, False)
    kind = rng.choice(("the", "the", "my", "your", "a", str(2 + rng.below(6))))
    plural = kind.isdigit() or (kind != "a" and rng.percent(20))
    adjective = draw_adjective(rng, noun, 20)
    subject = noun_phrase(noun.english, kind, plural, adjective)
    clause = Clause(subject, VERBS[verb], places=(spot,))
    draw = rng.below(100)
    if draw < 15:
        return sentence(
            say.english_question(clause), say.german_inverted(clause), "?"
        )
    return _statement(clause, "place" if draw < 40 else "")


def put(rng: Rng) -> Pair:
    """He is putting the cup on the table. / Er stellt ... auf den Tisch."""
    tag, _, verb, spots = rng.choice(_POSTURES)
    noun = _object_of(rng, tag)
    spot = _spot(rng, spots, noun, True)
    subject = draw_subject(rng, "human", 45)
    thing = _draw_noun(rng, tag, noun, subject)
    tense = rng.choice(("present", "past", "past", "future"))
    if rng.percent(15):
        clause = Clause(
            subject, VERBS[verb], objects=(Object(thing),), places=(spot,)
        )
        return sentence(
            say.english_imperative(clause), say.german_imperative(clause), "!"
        )
    return _statement(
        Clause(subject, VERBS[verb], tense, (Object(thing),), places=(spot,))
    )


def _draw_noun(rng: Rng, tag: str, noun: Noun, subject: Phrase) -> Phrase:
    """Returns `noun` with the articles that `draw_object` gives."""
    while True:
        thing = draw_object(rng, "~" + tag, subject)
        last = thing.english.split()[-1]
        if last in (noun.english, noun.plural):
            return thing


def whereabouts(rng: Rng) -> Pair:
    """The cat is sleeping under the table. / Die Katze schläft unter ..."""
    tags = rng.choice(("human", "pet"))
    subject = draw_subject(rng, tags, 30)
    verb = rng.choice(("sit", "sleep", "wait", "stand"))
    spots = (_BEHIND, _BEFORE)
    if tags == "pet":
        spots = (_UNDER, _NEXT, _BEHIND, _BEFORE)
    if verb == "sit" and rng.percent(50):
        spots = (("on/auf", "on/auf", "seat"),)
    spot = _spot(rng, spots, None, False)
    tense = rng.choice(("present", "past"))
    return _statement(Clause(subject, VERBS[verb], tense, places=(spot,)))


def there_is(rng: Rng) -> Pair:
    """There is a park in the city. / In der Stadt gibt es einen Park."""
    noun = rng.choice(tagged("sight"))
    many = rng.percent(35)
    kind = str(2 + rng.below(9)) if many else "a"
    if many and rng.percent(30):
        kind = "many"
    adjective = draw_adjective(rng, noun, 45)
    thing = noun_phrase(noun.english, kind, many, adjective)
    towns = (*places.IN_TOWNS, places.place("city"), places.place("village"))
    town = rng.choice(towns)
    helper = "are" if many else "is"
    if rng.percent(25):
        return sentence(
            f"{helper} there {thing.english} {town.english}",
            f"gibt es {town.german} {thing.german['acc']}",
            "?",
        )
    return sentence(
        f"there {helper} {thing.english} {town.english}",
        f"{town.german} gibt es {thing.german['acc']}",
    )


# What one does with another's things.
_TREATED = (
    ("see", "pet,vehicle,building,worn", "a"),
    ("find", "pet,lost,vehicle,worn", "a"),
    ("look_for", "pet,lost,worn", "paf"),
    ("repair", "vehicle,device", "paf"),
    ("wash", "vehicle,worn", "paf"),
    ("need", "vehicle,device,tool", "p"),
)


def genitive(rng: Rng) -> Pair:
    """The teacher's car is red. / Das Auto des Lehrers ist rot."""
    owner = rng.choice(tagged("adult"))
    kind = "the"
    if "kin" in owner.tags:
        kind = rng.choice(("my", "your", "our"))
    if rng.percent(45):
        noun = rng.choice(tagged("pet,vehicle,worn,device,lost,building"))
        subject = possessed(owner, noun.english, kind)
        adjective = rng.choice(GROUPS[noun.adjectives])
        words = (adjective.english, adjective.german)
        negated = rng.percent(25)
        return _statement(
            Clause(subject, BE, complement=words, negated=negated)
        )
    verb, tags, tenses = rng.choice(_TREATED)
    thing = possessed(owner, rng.choice(tagged(tags)).english, kind)
    who = draw_subject(rng, "adult", 60)
    while who.english == f"{kind} {owner.english}":
        who = draw_subject(rng, "adult", 60)
    wish = Wish(rng.choice(tenses), 0, 0, subject=who, verbs=verb)
    return _treat(draw_clause(rng, wish), thing)


def _treat(clause: Clause, thing: Phrase) -> Pair:
    old = clause.objects[0]
    new = Object(thing, old.case, old.prepositions)
    return _statement(Clause(clause.subject, clause.verb, clause.tense, (new,)))


WHERE = {
    "position": (position, 3),
    "put": (put, 3),
    "whereabouts": (whereabouts, 2),
    "there_is": (there_is, 1),
    "genitive": (genitive, 2),
}
