"""Clauses: one content, said in the word orders of both languages."""

from __future__ import annotations

import dataclasses

from t2t_lite.problems.phrasebook_grammar.phrases import Adverbial, Phrase
from t2t_lite.problems.phrasebook_grammar.verbs import (
    BE,
    HAVE,
    WILL,
    Modal,
    Verb,
)

_DO = {False: ("do", "do", "does", "do"), True: ("did",) * 4}
_BE = {
    False: ("am", "are", "is", "are"),
    True: ("was", "were", "was", "were"),
}


@dataclasses.dataclass(frozen=True)
class Object:
    """An object: its case, or its prepositions as "english/german"."""

    phrase: Phrase
    case: str = "acc"
    prepositions: str = "/"

    @property
    def english(self) -> str:
        """Returns "for the bus"."""
        preposition = self.prepositions.split("/")[0]
        return f"{preposition} {self.phrase.english_object}".strip()

    @property
    def german(self) -> str:
        """Returns "auf den Bus"."""
        preposition = self.prepositions.split("/")[1]
        return f"{preposition} {self.phrase.german[self.case]}".strip()

    @property
    def bare(self) -> bool:
        """Whether German uses no preposition."""
        return self.prepositions.endswith("/")


@dataclasses.dataclass(frozen=True)
class Clause:
    """A statement's content.

    Args:
        tense: "present" (English progressive, or simple for states),
            "habit" (simple present), "past" (German perfect, but war and
            hatte) or "future".
        objects: in English order (dative before accusative).
        complement: pair of str after the verb (a predicate), or None.
        places: what stands after the objects: places, directions, company.
        time: Adverbial or None.
        negated: bool; kein if an indefinite object allows it, else nicht.
    """

    subject: Phrase
    verb: Verb
    tense: str = "present"
    objects: tuple[Object, ...] = ()
    complement: tuple[str, str] | None = None
    places: tuple[Adverbial, ...] = ()
    time: Adverbial | None = None
    modal: Modal | None = None
    negated: bool = False


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _english_modal(clause: Clause, inverted: bool) -> tuple[str, str]:
    modal, base = clause.modal, clause.verb.english[0]
    if modal.auxiliary:
        return modal.auxiliary, _join(modal.english[0], base)
    index = clause.subject.index
    if inverted or clause.negated:
        return _DO[modal.past][index], f"{modal.english[0]} {base}"
    finite = modal.english[1 if modal.past or index == 2 else 0]
    return "", f"{finite} {base}"


def _english_verb(clause: Clause, inverted: bool) -> tuple[str, str]:
    """Returns the auxiliary (maybe "") and the rest of the verb."""
    base, third, past, ing = clause.verb.english
    index, tense = clause.subject.index, clause.tense
    if clause.modal:
        return _english_modal(clause, inverted)
    if tense == "future":
        return "will", base
    if clause.verb is BE:
        return _BE[tense == "past"][index], ""
    if tense == "present" and ing:
        return _BE[False][index], ing
    if inverted or clause.negated:
        return _DO[tense == "past"][index], base
    if tense == "past":
        return "", past
    return "", third if index == 2 else base


def _english_parts(clause: Clause, inverted: bool) -> tuple[str, str, str]:
    """Returns the auxiliary, "not often read" and what follows the verb."""
    auxiliary, verb = _english_verb(clause, inverted)
    often = clause.time and clause.time.frequency
    middle = _join(
        "not" if clause.negated else "",
        clause.time.english if often else "",
        verb,
    )
    objects = [item.english for item in clause.objects]
    pronoun = clause.objects and clause.objects[0].phrase.pronoun
    if clause.verb.particle:
        objects.insert(1 if pronoun else 0, clause.verb.particle)
    if clause.complement:
        objects.append(clause.complement[0])
    # German says with whom before whereto, English the other way round.
    objects += [place.english for place in reversed(clause.places)]
    return auxiliary, middle, _join(*objects)


def english(clause: Clause, front: str = "", subject: bool = True) -> str:
    """Returns the statement, without a capital and a full stop.

    Args:
        front: "", "time" or "place": what stands first.
        subject: bool; False leaves the subject to a question word.
    """
    auxiliary, middle, rest = _english_parts(clause, False)
    first, last = "", ""
    if clause.time and not clause.time.frequency:
        first, last = ("", clause.time.english)
    if front == "time":
        first, last = clause.time.english, ""
    elif front == "place":
        first = clause.places[0].english
        rest = rest[: -len(first)].strip()
    who = clause.subject.english if subject else ""
    text = _join(first, who, auxiliary, middle, rest, last)
    return text.replace("can not", "cannot")


def english_question(clause: Clause, word: str = "") -> str:
    """Returns the question without its mark, after a question word or not."""
    auxiliary, middle, rest = _english_parts(clause, True)
    time = clause.time
    last = "" if not time or time.frequency else time.english
    return _join(word, auxiliary, clause.subject.english, middle, rest, last)


def english_imperative(clause: Clause) -> str:
    """Returns the imperative without its mark."""
    _, middle, rest = _english_parts(
        dataclasses.replace(clause, tense="future"), False
    )
    last = clause.time.english if clause.time else ""
    return _join("do" if clause.negated else "", middle, rest, last)


def english_infinitive(clause: Clause) -> str:
    """Returns "buy an apple at the market"."""
    return english_imperative(clause)


def _german_verb(clause: Clause) -> tuple[str, str]:
    """Returns the finite verb and the infinitive or participle (or "")."""
    verb, index = clause.verb, clause.subject.index
    infinitive = verb.prefix + verb.infinitive
    if clause.modal:
        return clause.modal.german[index], infinitive
    if clause.tense == "future":
        return WILL[index], infinitive
    if clause.tense != "past":
        return verb.present[index], ""
    if verb.preterite:
        return verb.preterite[index], ""
    helper = BE if verb.auxiliary == "sein" else HAVE
    return helper.present[index], verb.participle


def _negated_object(clause: Clause, item: Object) -> bool:
    return clause.negated and item.bare and item.phrase.none is not None


def _objects(clause: Clause) -> dict[str, list[str]]:
    """Returns the German objects without preposition, by kind and case.

    Keys: "pronoun acc", "known dat" (definite), "new acc" (indefinite) ...
    """
    found: dict[str, list[str]] = {}
    for item in clause.objects:
        phrase, case = item.phrase, item.case
        if not item.bare:
            continue
        kind = "new" if phrase.indefinite else "known"
        kind = "pronoun" if phrase.pronoun else kind
        negated = _negated_object(clause, item)
        text = phrase.none[case] if negated else item.german
        found.setdefault(f"{kind} {case}", []).append(text)
    return found


def _places(clause: Clause, front: str, new: bool) -> tuple[list, list]:
    """Returns the places before and after the indefinite object."""
    places = clause.places[1:] if front == "place" else clause.places
    early = [p.german for p in places if new and not p.direction]
    late = [p.german for p in places if p.direction or not new]
    return early, late


def _middle(clause: Clause, subject: str = "", front: str = "") -> str:
    """Returns the middle field, from the subject to the predicate.

    Order: pronouns, dative, time, definite accusative, place, indefinite
    accusative, nicht, prepositional object, direction, predicate. Without
    an indefinite or prepositional object the place stands after nicht. An
    object pronoun precedes a noun as subject.
    """
    said = _objects(clause)
    pronouns = [*said.get("pronoun acc", ()), *said.get("pronoun dat", ())]
    start = [subject, *pronouns]
    if not clause.subject.pronoun:
        start = [*pronouns, subject]
    time = clause.time.german if clause.time and front != "time" else ""
    new = said.get("new acc", [])
    prepositional = [item.german for item in clause.objects if not item.bare]
    early, late = _places(clause, front, bool(new or prepositional))
    kein = any(_negated_object(clause, item) for item in clause.objects)
    return _join(
        *start,
        *said.get("known dat", ()),
        *said.get("new dat", ()),
        time,
        *said.get("known acc", ()),
        *early,
        *new,
        "nicht" if clause.negated and not kein else "",
        *prepositional,
        *late,
        clause.complement[1] if clause.complement else "",
    )


def german(clause: Clause, front: str = "") -> str:
    """Returns the main clause: the finite verb stands second."""
    finite, other = _german_verb(clause)
    end = other or clause.verb.prefix
    if not front:
        return _join(clause.subject.german["nom"], finite, _middle(clause), end)
    first = clause.time if front == "time" else clause.places[0]
    middle = _middle(clause, clause.subject.german["nom"], front)
    return _join(first.german, finite, middle, end)


def german_inverted(clause: Clause, word: str = "") -> str:
    """Returns a question, or a main clause after a subordinate one."""
    finite, other = _german_verb(clause)
    middle = _middle(clause, clause.subject.german["nom"])
    return _join(word, finite, middle, other or clause.verb.prefix)


def german_who(clause: Clause, word: str) -> str:
    """Returns a question whose question word is the subject."""
    finite, other = _german_verb(clause)
    return _join(word, finite, _middle(clause), other or clause.verb.prefix)


def german_subordinate(clause: Clause, subject: bool = True) -> str:
    """Returns the clause after weil, dass ...: the finite verb stands last.

    Args:
        subject: bool; False leaves the subject to a relative pronoun.
    """
    finite, other = _german_verb(clause)
    who = clause.subject.german["nom"] if subject else ""
    if not other:
        finite = clause.verb.prefix + finite
    return _join(who, _middle(clause), other, finite)


def german_imperative(clause: Clause) -> str:
    """Returns the imperative of du."""
    verb = clause.verb
    return _join(verb.imperative, _middle(clause), verb.prefix)


def german_infinitive(clause: Clause, zu: bool) -> str:
    """Returns "einen Apfel zu kaufen", "das Kind abzuholen"."""
    verb = clause.verb
    middle = _middle(clause)
    if not zu:
        return _join(middle, verb.prefix + verb.infinitive)
    if verb.prefix:
        return _join(middle, f"{verb.prefix}zu{verb.infinitive}")
    return _join(middle, "zu", verb.infinitive)


def sentence(english_text: str, german_text: str, mark: str = "."):
    """Returns the pair with capitals and the final mark."""
    return tuple(
        text[0].upper() + text[1:] + mark
        for text in (english_text, german_text)
    )
