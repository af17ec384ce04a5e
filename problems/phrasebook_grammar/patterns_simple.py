"""Patterns of one clause: statements, questions, imperatives."""

from __future__ import annotations

import dataclasses

from t2t_lite.problems.phrasebook_grammar import clause as say
from t2t_lite.problems.phrasebook_grammar import times
from t2t_lite.problems.phrasebook_grammar.clause import Clause, sentence
from t2t_lite.problems.phrasebook_grammar.frames import frames_with
from t2t_lite.problems.phrasebook_grammar.nouns import tagged
from t2t_lite.problems.phrasebook_grammar.phrases import PRONOUNS, noun_phrase
from t2t_lite.problems.phrasebook_grammar.rng import Rng
from t2t_lite.problems.phrasebook_grammar.sampler import (
    Wish,
    draw_adjective,
    draw_clause,
    fill,
)

Pair = tuple[str, str]
YOU, WE = PRONOUNS[1], PRONOUNS[4]


def _statement(clause: Clause, front: str = "") -> Pair:
    return sentence(say.english(clause, front), say.german(clause, front))


def present(rng: Rng) -> Pair:
    """The farmer is selling a horse. / Der Bauer verkauft ein Pferd."""
    return _statement(draw_clause(rng, Wish("p", 20, 30)))


def habit(rng: Rng) -> Pair:
    """She often reads the newspaper. / Sie liest oft die Zeitung."""
    return _statement(draw_clause(rng, Wish("h", 100, 25)))


def perfect(rng: Rng) -> Pair:
    """I bought a lamp. / Ich habe eine Lampe gekauft."""
    return _statement(draw_clause(rng, Wish("a", 40, 30)))


def future(rng: Rng) -> Pair:
    """We will visit you. / Wir werden dich besuchen."""
    return _statement(draw_clause(rng, Wish("f", 45, 30)))


def modal(rng: Rng) -> Pair:
    """He has to work. / Er muss arbeiten."""
    return _statement(draw_clause(rng, Wish("m", 0, 35)))


def negation(rng: Rng) -> Pair:
    """I do not have a dog. / Ich habe keinen Hund."""
    tense = rng.choice("ppafm")
    time = 15 if tense in "af" else 0
    return _statement(draw_clause(rng, Wish(tense, time, 25, 100)))


def fronted_time(rng: Rng) -> Pair:
    """Yesterday my aunt sold her car. / Gestern hat meine Tante ..."""
    wish = Wish(rng.choice("phaf"), 100, 25)
    clause = draw_clause(rng, wish)
    while clause.time is None or clause.time.frequency:
        clause = draw_clause(rng, wish)
    return _statement(clause, "time")


def fronted_place(rng: Rng) -> Pair:
    """In the garden the children are playing. / Im Garten spielen ..."""
    wish = Wish(rng.choice("pa"), 0, 100)
    clause = draw_clause(rng, wish)
    while not _located(clause):
        clause = draw_clause(rng, wish)
    return _statement(clause, "place")


def _located(clause: Clause) -> bool:
    """Whether the place says where, and is not all that the verb says."""
    if not clause.places or clause.places[0].direction:
        return False
    return clause.verb.key not in ("live", "stay", "wait")


def _asked(rng: Rng, tense: str, time: int = 0) -> Clause:
    wish = Wish(tense, time, 25, 0, 50, asked=True)
    return draw_clause(rng, wish)


def _word_question(words: Pair, clause: Clause) -> Pair:
    return sentence(
        say.english_question(clause, words[0]),
        say.german_inverted(clause, words[1]),
        "?",
    )


def yes_no_question(rng: Rng) -> Pair:
    """Did you read the letter? / Hast du den Brief gelesen?"""
    return _word_question(("", ""), _asked(rng, rng.choice("phafm"), 25))


def why_when_question(rng: Rng) -> Pair:
    """When will she arrive? / Wann wird sie ankommen?"""
    if rng.percent(50):
        return _word_question(("Why", "Warum"), _asked(rng, rng.choice("pa")))
    return _word_question(("When", "Wann"), _asked(rng, rng.choice("af")))


def frequency_question(rng: Rng) -> Pair:
    """How often does she clean the kitchen? / Wie oft putzt sie ...?"""
    clause = dataclasses.replace(_asked(rng, "h"), time=None)
    return _word_question(("How often", "Wie oft"), clause)


def where_question(rng: Rng) -> Pair:
    """Where did he buy the hat? / Wo hat er den Hut gekauft?"""
    wish = Wish(rng.choice("pa"), 10, 100, 0, 50, asked=True)
    clause = draw_clause(rng, wish)
    while not clause.places or clause.verb.key in ("carry", "wait", "come"):
        clause = draw_clause(rng, wish)
    bare = dataclasses.replace(clause, places=())
    where = "Wohin" if clause.places[0].direction else "Wo"
    return _word_question(("Where", where), bare)


_WHAT = (
    "eat,buy,sell,read,write,look_for,find,need,repair,cook,bake,wash,draw"
    ",learn,lose,forget,drink,clean,bring_along"
)
_WHOM = "visit,know,pick_up,call,invite,ask,meet,help,thank,answer"


def object_question(rng: Rng) -> Pair:
    """What are you cooking? Who did she visit? / Was ... Wen ... Wem ..."""
    letter, person = rng.choice("paf"), rng.percent(50)
    usable = [
        frame
        for frame in frames_with(letter, _WHOM if person else _WHAT)
        if len(frame.objects) == 1
    ]
    frame = rng.choice(usable)
    words = ("Who", "Wen") if person else ("What", "Was")
    if frame.objects[0][0] == "dat":
        words = ("Who", "Wem")
    preposition = frame.objects[0][1].split("/")[0]
    return _ask_object(rng, frame, letter, words, preposition)


def _ask_object(rng, frame, letter, words: Pair, preposition="") -> Pair:
    """Asks for the frame's object; English leaves "for" at its place."""
    wish = Wish(letter, 25, 30, 0, 50, asked=True)
    clause = fill(rng, frame, letter, False, wish)
    places = clause.places
    bare = dataclasses.replace(clause, objects=())
    if preposition:
        bare = dataclasses.replace(bare, places=(), time=None)
        stranded = say.english_question(bare, words[0]) + " " + preposition
        bare = dataclasses.replace(bare, places=places)
        return sentence(
            " ".join((stranded, *(place.english for place in places))),
            say.german_inverted(bare, words[1]),
            "?",
        )
    return _word_question(words, bare)


def subject_question(rng: Rng) -> Pair:
    """Who is helping the child? / Wer hilft dem Kind?"""
    who = dataclasses.replace(PRONOUNS[2], own="")
    clause = draw_clause(rng, Wish(rng.choice("paf"), 25, 30, 0, 0, who))
    english = "Who " + say.english(clause, subject=False)
    return sentence(english, say.german_who(clause, "Wer"), "?")


def _countable(rng: Rng, tags: str):
    nouns = [
        noun
        for noun in tagged(tags.lstrip("!~^"))
        if not noun.tags & {"mass", "single"}
    ]
    return rng.choice(nouns)


def _thing_question(rng: Rng, verbs: str, kind: str, plural: int) -> Pair:
    letter = rng.choice("paf")
    usable = [
        frame
        for frame in frames_with(letter, verbs)
        if len(frame.objects) == 1
        and frame.objects[0][2] not in ("soft", "alcohol")
    ]
    frame = rng.choice(usable)
    noun = _countable(rng, frame.objects[0][2])
    adjective = draw_adjective(rng, noun, 20)
    many = rng.percent(plural)
    thing = noun_phrase(noun.english, kind, many, adjective)
    words = (thing.english, thing.german["acc"])
    preposition = frame.objects[0][1].split("/")[0]
    return _ask_object(rng, frame, letter, words, preposition)


def which_question(rng: Rng) -> Pair:
    """Which coat is he buying? / Welchen Mantel kauft er?"""
    verbs = "buy,sell,read,repair,need,look_for,find,clean,lose,wash"
    return _thing_question(rng, verbs, "which", 20)


def how_many_question(rng: Rng) -> Pair:
    """How many eggs did she buy? / Wie viele Eier hat sie gekauft?"""
    verbs = "buy,sell,eat,need,write,repair,bring_along,cook"
    return _thing_question(rng, verbs, "how many", 100)


def imperative(rng: Rng) -> Pair:
    """Open the window! / Öffne das Fenster!"""
    negated = rng.percent(15)
    frame = rng.choice(frames_with("in" if negated else "i"))
    clause = fill(rng, frame, "i", negated, Wish("i", 0, 30, subject=YOU))
    english = say.english_imperative(clause)
    german = say.german_imperative(clause)
    if rng.percent(30) and not negated:
        english, german = f"please {english}", f"bitte {german}"
    return sentence(english, german, "!")


def let_us(rng: Rng) -> Pair:
    """Let us go to the park! / Lass uns in den Park gehen!"""
    frame = rng.choice(frames_with("i"))
    clause = fill(rng, frame, "i", False, Wish("i", 0, 40, subject=WE))
    return sentence(
        f"let us {say.english_infinitive(clause)}",
        f"lass uns {say.german_infinitive(clause, False)}",
        "!",
    )


def clock_statement(rng: Rng) -> Pair:
    """We have to leave at half past three. / Wir müssen um halb vier ..."""
    letter = rng.choice("afm")
    wish = Wish(letter, 0, 30, 0, 40, verbs=",".join(times.HOURLY))
    clause = draw_clause(rng, wish)
    time = rng.choice(times.CLOCKS)
    return _statement(dataclasses.replace(clause, time=time))


SIMPLE = {
    "present": (present, 3),
    "habit": (habit, 3),
    "perfect": (perfect, 4),
    "future": (future, 2),
    "modal": (modal, 4),
    "negation": (negation, 4),
    "fronted_time": (fronted_time, 4),
    "fronted_place": (fronted_place, 2),
    "yes_no_question": (yes_no_question, 3),
    "why_when_question": (why_when_question, 2),
    "where_question": (where_question, 2),
    "object_question": (object_question, 2),
    "subject_question": (subject_question, 2),
    "which_question": (which_question, 1),
    "how_many_question": (how_many_question, 1),
    "frequency_question": (frequency_question, 1),
    "imperative": (imperative, 2),
    "let_us": (let_us, 1),
    "clock_statement": (clock_statement, 2),
}
