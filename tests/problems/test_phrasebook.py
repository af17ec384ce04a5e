"""The phrasebook's splits: counts, disjointness, determinism, agreement."""

import hashlib
import re
import subprocess
import sys

import pytest

from t2t_lite.problems import phrasebook
from t2t_lite.problems.phrasebook_grammar.nouns import NOUNS
from t2t_lite.problems.phrasebook_grammar.verbs import MODALS, VERBS

# Changes whenever any sentence, its order or its split changes.
_SHA256 = "2c7d21bccd1d5613145bc13716060f97abf3406a59084041426e3f208ae50bd5"


@pytest.fixture(scope="module")
def splits():
    return {name: phrasebook.pairs(name) for name in phrasebook.SPLITS}


@pytest.fixture(scope="module")
def everything(splits):
    return [pair for part in splits.values() for pair in part]


def _words(english):
    return tuple(sorted(english[:-1].lower().replace(",", "").split()))


def test_counts(splits):
    assert len(splits["train"]) > 34_000
    assert len(splits["validation"]) == 1_000
    assert len(splits["test"]) == 1_000


def test_all_sides_are_distinct(everything):
    assert len({english for english, _ in everything}) == len(everything)
    assert len({german for _, german in everything}) == len(everything)


def test_no_reordered_sentence_crosses_splits(splits):
    bags = {
        name: {_words(english) for english, _ in part}
        for name, part in splits.items()
    }
    assert not bags["train"] & bags["test"]
    assert not bags["train"] & bags["validation"]
    assert not bags["validation"] & bags["test"]


def test_word_order_does_not_change_the_split():
    assert phrasebook.split_of("Yesterday he slept.") == phrasebook.split_of(
        "He slept yesterday."
    )


def _digest(splits):
    lines = (
        f"{name}\t{english}\t{german}\n"
        for name in phrasebook.SPLITS
        for english, german in splits[name]
    )
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def test_output_is_pinned(splits):
    assert _digest(splits) == _SHA256


def test_another_process_says_the_same():
    code = (
        "from t2t_lite.problems import phrasebook as p\n"
        "from tests.problems.test_phrasebook import _digest\n"
        "print(_digest({s: p.pairs(s) for s in p.SPLITS}))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
    )
    assert found.stdout.strip() == _SHA256


def test_the_caller_cannot_change_the_cache():
    phrasebook.pairs("test").clear()
    assert len(phrasebook.pairs("test")) == 1_000


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match=r"split must be one of .*'dev'"):
        phrasebook.pairs("dev")


def test_form(everything):
    for english, german in everything:
        for text in (english, german):
            assert re.fullmatch(r"[A-ZÄÖÜ][^.?!]*\w[.?!]", text), text
            assert "  " not in text
            assert " ," not in text
        assert english[-1] == german[-1]
        assert 3 <= len(english.split()) <= 16


def test_every_german_noun_has_a_capital(everything):
    # "junge" is an adjective, "" the plural of a mass noun.
    wrong = {noun.german.lower() for noun in NOUNS.values()}
    wrong |= {noun.german_plural.lower() for noun in NOUNS.values()}
    wrong -= {"", "junge", "jungen"}
    for _, german in everything:
        assert not wrong & set(re.findall(r"\w+", german)), german


# The table of a grammar book, independent of morphology.py: the endings of
# articles and possessives by case, for masculine, feminine, neuter, plural.
_TABLE = {
    "nom": ("der ein mein", "die eine meine", "das ein mein", "die meine"),
    "acc": ("den einen meinen", "die eine meine", "das ein mein", "die meine"),
    "dat": (
        "dem einem meinem",
        "der einer meiner",
        "dem einem meinem",
        "den meinen",
    ),
    "gen": ("des meines", "der meiner", "des meines", "der meiner"),
}
_DIES = {
    "nom": ("dieser", "diese", "dieses", "diese"),
    "acc": ("diesen", "diese", "dieses", "diese"),
    "dat": ("diesem", "dieser", "diesem", "diesen"),
    "gen": ("dieses", "dieser", "dieses", "dieser"),
}
_STEMS = ("mein", "dein", "sein", "ihr", "unser", "kein")


def _determiners(case, gender):
    words = set(_DIES[case][gender].split())
    words |= {word.replace("dies", "welch") for word in words}
    for word in _TABLE[case][gender].split():
        stems = _STEMS if word.startswith("mein") else ("mein",)
        words |= {word.replace("mein", stem) for stem in stems}
    return words


def _agreeing(cases):
    """Returns all (determiner, noun form) that agree in one of the cases."""
    found = set()
    for noun in NOUNS.values():
        for case in cases:
            singular = _determiners(case, "mfn".index(noun.gender))
            plural = _determiners(case, 3) if noun.german_plural else ()
            found |= {(word, noun.form(case, False)) for word in singular}
            found |= {(word, noun.form(case, True)) for word in plural}
    return found


_ANY = _agreeing(_TABLE)
_WORDS = {word for word, _ in _ANY}
_FORMS = {form for _, form in _ANY}
_ALTERNATIVES = "|".join(sorted(_WORDS, key=len, reverse=True))
_GROUP = (
    rf"\b({_ALTERNATIVES}) (?:(?!(?:{_ALTERNATIVES})\b)[a-zäöüß]+e[nrsm]? )?"
    r"([A-ZÄÖÜ]\w+)"
)


def _disagreeing(german, agreeing, before=""):
    """Yields (determiner, noun) that do not agree.

    Relative pronouns look like articles ("der Bier trinkt"), and ihr may be
    a pronoun ("Erzähl ihr Geschichten!"): neither is judged.
    """
    text = german[0].lower() + german[1:]
    text = re.sub(r", (der|die|das) ", ", ", text)
    for group in re.findall(before + _GROUP, text):
        known = group[0] != "ihr" and group[1] in _FORMS
        if known and group not in agreeing:
            yield group


def test_determiners_agree_with_their_nouns(everything):
    for _, german in everything:
        assert not list(_disagreeing(german, _ANY)), german


def test_the_agreement_test_can_fail():
    assert list(_disagreeing("Er sieht den alten Katze.", _ANY))
    assert list(_disagreeing("Er hilft mit dem Frau.", _ANY))
    assert not list(_disagreeing("Er sieht die alten Katzen.", _ANY))


@pytest.mark.parametrize(
    ("preposition", "case"),
    [
        ("mit", "dat"),
        ("von", "dat"),
        ("aus", "dat"),
        ("für", "acc"),
        ("ohne", "acc"),
        ("durch", "acc"),
    ],
)
def test_the_case_after_a_preposition(everything, preposition, case):
    agreeing = _agreeing([case])
    before = rf"\b{preposition} "
    seen = 0
    for _, german in everything:
        seen += preposition in german.split()
        assert not list(_disagreeing(german, agreeing, before)), german
    assert seen or preposition == "von"


def test_places_contract(everything):
    for _, german in everything:
        assert not re.search(r"\b(in|an|zu|von) (dem|das) [A-ZÄÖÜ]", german), (
            german
        )
        assert not re.search(r"\b[Zz]u der [A-ZÄÖÜ]", german), german


_INNER = re.compile(r", (?:weil|dass|ob|obwohl|während|als|wenn) ([^,]*)[.?]")


def _finite_forms():
    forms = {"wurde", "werde", "wirst", "wird", "werden"}
    for verb in VERBS.values():
        forms |= {verb.prefix + form for form in verb.present}
        forms |= set(verb.preterite)
    for modal in MODALS:
        forms |= set(modal.german)
    return forms | {"habe", "hast", "hat", "haben"} | {"bin", "bist", "ist"}


def test_subordinate_clauses_end_with_the_finite_verb(everything):
    forms = _finite_forms()
    seen = 0
    for _, german in everything:
        for inner in _INNER.findall(german):
            seen += 1
            assert inner.split()[-1] in forms, german
    assert seen > 3_000


def test_a_clause_after_a_subordinate_one_begins_with_its_verb(everything):
    forms, seen = _finite_forms(), 0
    for verb in VERBS.values():
        forms |= set(verb.present)
    for _, german in everything:
        found = re.match(r"(?:Wenn|Als|Obwohl) [^,]*, (\w+) ", german)
        if found:
            seen += 1
            assert found.group(1) in forms, german
    assert seen > 1_000


def test_no_comma_before_und_and_one_before_aber(everything):
    for _, german in everything:
        assert ", und" not in german
        assert " aber " not in german or ", aber " in german


def test_an_english_article_suits_its_word(everything):
    for english, _ in everything:
        assert not re.search(r"\b[Aa] [aeio]", english), english
        assert not re.search(r"\b[Aa]n [^aeiou]", english), english


def test_kein_and_nicht_translate_not(everything):
    for english, german in everything:
        negated = re.search(r"\b(not|cannot|never)\b", english) is not None
        said = re.search(r"\b(nicht|nie|kein\w*)\b", german) is not None
        assert negated == said, (english, german)


def test_du_is_the_only_address(everything):
    du = re.compile(r"\b([Dd]u|dich|dir|[Dd]eine?[mnrs]?)\b")
    for english, german in everything:
        you = re.search(r"\b[Yy]ou(r)?\b", english) is not None
        assert you == (du.search(german) is not None), (english, german)
        assert not re.search(r"\b(ihr seid|euch|euer|Ihnen \w)", german)
