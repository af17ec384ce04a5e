"""Times in both languages, by what they suit."""

from __future__ import annotations

from t2t_lite.problems.phrasebook_grammar import numbers
from t2t_lite.problems.phrasebook_grammar.phrases import Adverbial


def _times(table: str, frequency: bool = False) -> tuple[Adverbial, ...]:
    pairs = (line.split("|") for line in table.strip().splitlines())
    return tuple(Adverbial(en, de, frequency) for en, de in pairs)


NOW = _times("""now|jetzt
today|heute
at the moment|im Moment""")
DAILY = _times("""every day|jeden Tag
every morning|jeden Morgen
every evening|jeden Abend
on weekends|am Wochenende
on Mondays|montags
on Sundays|sonntags""")
WEEKLY = _times("""every week|jede Woche
on weekends|am Wochenende
on Saturdays|samstags
on Fridays|freitags""")
OFTEN = _times(
    """often|oft
always|immer
never|nie
sometimes|manchmal""",
    True,
)
PAST = _times("""yesterday|gestern
yesterday evening|gestern Abend
this morning|heute Morgen""")
LONG_PAST = _times("""last week|letzte Woche
last year|letztes Jahr""")
FUTURE = _times("""tomorrow|morgen
soon|bald
tomorrow evening|morgen Abend""")
LONG_FUTURE = _times("""next week|nächste Woche
next year|nächstes Jahr""")
ON_DAYS = tuple(
    Adverbial(f"on {english}", f"am {german}")
    for english, german in numbers.DAYS
)
IN_MONTHS = tuple(
    Adverbial(f"in {english}", f"im {german}")
    for english, german in numbers.MONTHS
)
_SHORT_SPANS = (("hours", "Stunden"), ("days", "Tagen"))
_LONG_SPANS = (
    ("days", "Tagen"),
    ("weeks", "Wochen"),
    ("months", "Monaten"),
    ("years", "Jahren"),
)


def _spans(english: str, german: str, spans) -> tuple[Adverbial, ...]:
    return tuple(
        Adverbial(
            english.format(f"{numbers.english_number(count)} {span}"),
            f"{german} {numbers.german_number(count)} {span_german}",
        )
        for count in range(2, 7)
        for span, span_german in spans
    )


AGO = _spans("{} ago", "vor", _SHORT_SPANS)
LONG_AGO = _spans("{} ago", "vor", _LONG_SPANS)
IN_SPANS = _spans("in {}", "in", _SHORT_SPANS)
LONG_IN = _spans("in {}", "in", _LONG_SPANS)
CLOCKS = tuple(
    Adverbial(f"at {english}", f"um {german}")
    for english, german in (
        numbers.clock(hour, minutes)
        for hour in range(1, 13)
        for minutes in (0, 15, 30, 45)
    )
)


def _verbs(keys: str) -> tuple[str, ...]:
    return tuple(keys.split())


# Acts that one remembers for years, acts with an hour, acts that take a
# moment, weekly acts, acts without a plan: keys of verbs.
EVENTS = _verbs(
    "buy sell visit travel fly learn meet find lose repair write send draw"
    " invite see stay"
)
HOURLY = _verbs(
    "eat drink visit call pick_up open close cook meet go drive fly arrive"
    " leave get_up wake_up come_back turn_on turn_off watch_tv come"
)
PUNCTUAL = _verbs("arrive leave get_up wake_up come_back")
WEEKLY_ACTS = _verbs(
    "visit clean buy wash tidy_up call write shop swim invite travel fly"
)
MOODY = _verbs("laugh cry thank answer help ask run")
