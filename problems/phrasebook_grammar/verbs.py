"""The verbs and modal verbs with every form that the grammar uses."""

from __future__ import annotations

import dataclasses

# key[:base] third past ing [+particle] | infinitive du er participle
# auxiliary imperative [prefix]; the participle without its prefix.
# Auxiliary h is haben, s is sein. "-" for ing marks a state: English uses
# the simple present. "-" for the imperative: none.
_TABLE = """
eat eats ate eating|essen isst isst gegessen h iss
feed:eat eats ate eating|fressen frisst frisst gefressen h -
drink drinks drank drinking|trinken trinkst trinkt getrunken h trink
buy buys bought buying|kaufen kaufst kauft gekauft h kauf
sell sells sold selling|verkaufen verkaufst verkauft verkauft h verkauf
read reads read reading|lesen liest liest gelesen h lies
write writes wrote writing|schreiben schreibst schreibt geschrieben h schreib
see sees saw -|sehen siehst sieht gesehen h -
look_for:look looks looked looking|suchen suchst sucht gesucht h such
find finds found -|finden findest findet gefunden h finde
need needs needed -|brauchen brauchst braucht gebraucht h -
love loves loved -|lieben liebst liebt geliebt h -
know knows knew -|kennen kennst kennt gekannt h -
visit visits visited visiting|besuchen besuchst besucht besucht h besuch
help helps helped helping|helfen hilfst hilft geholfen h hilf
thank thanks thanked thanking|danken dankst dankt gedankt h danke
answer answers answered answering
|antworten antwortest antwortet geantwortet h antworte
belong belongs belonged -|gehören gehörst gehört gehört h -
give gives gave giving|geben gibst gibt gegeben h gib
show shows showed showing|zeigen zeigst zeigt gezeigt h zeig
bring brings brought bringing|bringen bringst bringt gebracht h bring
send sends sent sending|schicken schickst schickt geschickt h schick
tell tells told telling|erzählen erzählst erzählt erzählt h erzähl
open opens opened opening|öffnen öffnest öffnet geöffnet h öffne
close closes closed closing|schließen schließt schließt geschlossen h schließ
pick_up:pick picks picked picking +up|holen holst holt geholt h hol ab
call calls called calling|rufen rufst ruft gerufen h ruf an
invite invites invited inviting|laden lädst lädt geladen h lade ein
turn_on:turn turns turned turning +on
|schalten schaltest schaltet geschaltet h schalte ein
turn_off:turn turns turned turning +off
|schalten schaltest schaltet geschaltet h schalte aus
tidy_up:tidy tidies tidied tidying +up|räumen räumst räumt geräumt h räum auf
put_on:put puts put putting +on|ziehen ziehst zieht gezogen h zieh an
wash washes washed washing|waschen wäschst wäscht gewaschen h wasch
draw draws drew drawing|zeichnen zeichnest zeichnet gezeichnet h zeichne
repair repairs repaired repairing
|reparieren reparierst repariert repariert h repariere
clean cleans cleaned cleaning|putzen putzt putzt geputzt h putz
carry carries carried carrying|tragen trägst trägt getragen h trag
wear wears wore wearing|tragen trägst trägt getragen h -
lose loses lost -|verlieren verlierst verliert verloren h verlier
forget forgets forgot -|vergessen vergisst vergisst vergessen h vergiss
cook cooks cooked cooking|kochen kochst kocht gekocht h koch
bake bakes baked baking|backen backst backt gebacken h back
cut cuts cut cutting|schneiden schneidest schneidet geschnitten h schneide
catch catches caught catching|fangen fängst fängt gefangen h fang
learn learns learned learning|lernen lernst lernt gelernt h lern
speak speaks spoke speaking|sprechen sprichst spricht gesprochen h sprich
play plays played playing|spielen spielst spielt gespielt h spiel
ask asks asked asking|fragen fragst fragt gefragt h frag
meet meets met meeting|treffen triffst trifft getroffen h triff
bring_along:bring brings brought bringing +along
|bringen bringst bringt gebracht h bring mit
lay:put puts put putting|legen legst legt gelegt h leg
stand_up:put puts put putting|stellen stellst stellt gestellt h stell
hang hangs hung hanging|hängen hängst hängt gehängt h häng
lie lies lay lying|liegen liegst liegt gelegen h -
stand stands stood standing|stehen stehst steht gestanden h -
hang_there:hang hangs hung hanging|hängen hängst hängt gehangen h -
sit sits sat sitting|sitzen sitzt sitzt gesessen h -
sleep sleeps slept sleeping|schlafen schläfst schläft geschlafen h schlaf
work works worked working|arbeiten arbeitest arbeitet gearbeitet h arbeite
wait waits waited waiting|warten wartest wartet gewartet h warte
laugh laughs laughed laughing|lachen lachst lacht gelacht h lach
cry cries cried crying|weinen weinst weint geweint h wein
dance dances danced dancing|tanzen tanzt tanzt getanzt h tanz
sing sings sang singing|singen singst singt gesungen h sing
swim swims swam swimming|schwimmen schwimmst schwimmt geschwommen s schwimm
run runs ran running|laufen läufst läuft gelaufen s lauf
go goes went going|gehen gehst geht gegangen s geh
drive drives drove driving|fahren fährst fährt gefahren s fahr
travel travels traveled traveling|reisen reist reist gereist s reise
fly flies flew flying|fliegen fliegst fliegt geflogen s flieg
come comes came coming|kommen kommst kommt gekommen s komm
live lives lived -|wohnen wohnst wohnt gewohnt h -
stay stays stayed staying|bleiben bleibst bleibt geblieben s bleib
arrive arrives arrived arriving|kommen kommst kommt gekommen s - an
leave leaves left leaving|fahren fährst fährt gefahren s - ab
get_up:get gets got getting +up|stehen stehst steht gestanden s steh auf
wake_up:wake wakes woke waking +up|wachen wachst wacht gewacht s wach auf
fall_asleep:fall falls fell falling +asleep
|schlafen schläfst schläft geschlafen s - ein
watch_tv:watch watches watched watching +TV
|sehen siehst sieht gesehen h sieh fern
shop:go goes went going +shopping|kaufen kaufst kauft gekauft h kauf ein
come_back:come comes came coming +back
|kommen kommst kommt gekommen s komm zurück
"""


@dataclasses.dataclass(frozen=True)
class Verb:
    """A verb in both languages.

    Args:
        english: tuple of base, third person, past, -ing form ("" for states).
        particle: str, the English particle ("up") or "".
        infinitive: str, the German infinitive without its prefix.
        present: tuple of the forms of ich, du, er and wir.
        preterite: tuple of the same persons, () where the past is said with
            the perfect.
        participle: str, with the prefix.
        auxiliary: "haben" or "sein".
        imperative: str, the form of du, or "".
        prefix: str, a separable prefix or "".
    """

    key: str
    english: tuple[str, str, str, str]
    particle: str
    infinitive: str
    present: tuple[str, str, str, str]
    preterite: tuple[str, ...]
    participle: str
    auxiliary: str
    imperative: str
    prefix: str


def _parse(line: str) -> Verb:
    english, german = (half.split() for half in line.split("|"))
    particle = english.pop()[1:] if english[-1].startswith("+") else ""
    key, third, past, ing = english
    key, _, base = key.partition(":")
    infinitive, du, er, participle, auxiliary, imperative, *prefix = german
    return Verb(
        key=key,
        english=(base or key, third, past, ing.replace("-", "")),
        particle=particle,
        infinitive=infinitive,
        present=(infinitive[:-1], du, er, infinitive),
        preterite=(),
        participle="".join(prefix) + participle,
        auxiliary="sein" if auxiliary == "s" else "haben",
        imperative=imperative.replace("-", ""),
        prefix="".join(prefix),
    )


def _irregular(key, english, present, preterite, infinitive) -> Verb:
    return Verb(
        key=key,
        english=(*english, ""),
        particle="",
        infinitive=infinitive,
        present=present,
        preterite=preterite,
        participle="",
        auxiliary="haben",
        imperative="",
        prefix="",
    )


BE = _irregular(
    "be",
    ("be", "is", "was"),
    ("bin", "bist", "ist", "sind"),
    ("war", "warst", "war", "waren"),
    "sein",
)
HAVE = _irregular(
    "have",
    ("have", "has", "had"),
    ("habe", "hast", "hat", "haben"),
    ("hatte", "hattest", "hatte", "hatten"),
    "haben",
)
LIKE = _irregular(
    "like",
    ("like", "likes", "liked"),
    ("mag", "magst", "mag", "mögen"),
    ("mochte", "mochtest", "mochte", "mochten"),
    "mögen",
)
_LINES = _TABLE.replace("\n|", "|").strip().splitlines()
WILL = ("werde", "wirst", "wird", "werden")
VERBS = {
    verb.key: verb
    for verb in (
        BE,
        HAVE,
        LIKE,
        *(_parse(line) for line in _LINES),
    )
}


@dataclasses.dataclass(frozen=True)
class Modal:
    """A modal verb.

    Args:
        auxiliary: str, an English auxiliary that inverts ("can"), or "".
        english: tuple of plain, third person and past of an English verb
            with "to" that needs "do" ("want to"), or what follows the
            auxiliary.
        german: tuple of the forms of ich, du, er and wir.
        past: bool, the English verb stands in the past.
        negatable: bool, "not" means the same in both languages.
    """

    auxiliary: str
    english: tuple[str, ...]
    german: tuple[str, str, str, str]
    past: bool = False
    negatable: bool = True


MODALS = (
    Modal("can", ("",), ("kann", "kannst", "kann", "können")),
    Modal("", ("have to", "has to"), ("muss", "musst", "muss", "müssen")),
    Modal("should", ("",), ("sollte", "solltest", "sollte", "sollten")),
    Modal("may", ("",), ("darf", "darfst", "darf", "dürfen")),
    Modal(
        "would",
        ("like to",),
        ("möchte", "möchtest", "möchte", "möchten"),
        negatable=False,
    ),
    Modal("", ("want to", "wants to"), ("will", "willst", "will", "wollen")),
    Modal(
        "",
        ("want to", "wanted to"),
        ("wollte", "wolltest", "wollte", "wollten"),
        past=True,
    ),
    Modal(
        "",
        ("have to", "had to"),
        ("musste", "musstest", "musste", "mussten"),
        past=True,
    ),
)
