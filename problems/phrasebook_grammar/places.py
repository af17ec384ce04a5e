"""Places and directions with their prepositions, languages and games."""

from __future__ import annotations

from t2t_lite.problems.phrasebook_grammar.phrases import (
    Adverbial,
    noun_phrase,
    relation,
)

# place  location  direction; the direction takes the accusative.
_TABLE = """
house|in/in|into/in
garden|in/in|into/in
kitchen|in/in|into/in
bathroom|in/in|into/in
bedroom|in/in|into/in
living room|in/in|into/in
park|in/in|to/in
church|in/in|into/in
museum|in/in|to/in
library|in/in|to/in
office|in/in|to/in
hospital|in/in|to/in
restaurant|in/in|to/in
hotel|in/in|to/in
theater|in/in|to/in
cinema|in/in|to/in
bakery|in/in|to/in
supermarket|in/in|to/in
market|at/auf|to/auf
train station|at/an|-
airport|at/an|-
bridge|on/auf|-
street|on/auf|onto/auf
city|in/in|to/in
village|in/in|to/in
forest|in/in|into/in
lake|at/an|to/an
river|at/an|to/an
beach|on/an|to/an
"""
_LOCATIONS: dict[str, str] = {}
_DIRECTIONS: dict[str, str] = {}
for _line in _TABLE.strip().splitlines():
    _noun, _at, _to = _line.split("|")
    _LOCATIONS[_noun] = _at
    if _to != "-":
        _DIRECTIONS[_noun] = _to

_FIXED = {
    "home": Adverbial("at home", "zu Hause"),
    "to home": Adverbial("home", "nach Hause", direction=True),
    "school": Adverbial("at school", "in der Schule"),
    "to school": Adverbial("to school", "zur Schule", direction=True),
    "to train station": Adverbial(
        "to the train station", "zum Bahnhof", direction=True
    ),
    "to airport": Adverbial("to the airport", "zum Flughafen", direction=True),
    "to doctor": Adverbial("to the doctor", "zum Arzt", direction=True),
    "in lake": Adverbial("in the lake", "im See"),
    "in river": Adverbial("in the river", "im Fluss"),
}
CITIES = (
    ("Berlin", "Berlin"),
    ("Hamburg", "Hamburg"),
    ("Munich", "München"),
    ("Vienna", "Wien"),
    ("Cologne", "Köln"),
    ("Rome", "Rom"),
    ("Paris", "Paris"),
    ("London", "London"),
)
COUNTRIES = (
    ("Germany", "Deutschland"),
    ("Austria", "Österreich"),
    ("Italy", "Italien"),
    ("France", "Frankreich"),
    ("Spain", "Spanien"),
    ("England", "England"),
    ("Poland", "Polen"),
)
# Places by what one does there. "to ..." is a direction.
_GROUPS = {
    "eating": "home,kitchen,garden,restaurant,park,hotel",
    "yard": "garden,park,street,forest",
    "shops": "city,market",
    "reading": "home,garden,park,library,office,bedroom,living room,school",
    "town": "city,park,street,village,train station",
    "home": "home,kitchen,living room,bedroom",
    "work": "garden,kitchen,office,hospital,restaurant,museum,library,bakery",
    "pickup": "train station,airport",
    "direction": (
        "to kitchen,to house,to garden,to park,to school,to train station,"
        "to market,to museum,to library,to supermarket,to church,to lake,"
        "to beach,to river,to forest,to restaurant,to hotel,to home"
    ),
    "kitchen": "kitchen,home,restaurant",
    "school": "school,home,library",
    "waiting": "train station,airport,street,park,hotel",
    "sleeping": "garden,bedroom,house,hotel,living room",
    "bathing": "in lake,in river,in lake",
    "far": (
        "to city,to village,to beach,to lake,to hospital,to office,"
        "to train station,to airport,to supermarket,to theater,to cinema,"
        "to doctor,to bakery,to home"
    ),
    "staying": "home,house,garden,hotel,city,village,hospital",
    "arriving": "train station,airport",
    "country": "",
    "food_shops": "market,supermarket,city",
    "farm_shops": "market,village",
    "yard_or_home": "home,garden,house",
    "living": "city,village,house,hotel",
}


def place(name: str, kind: str = "the", adjective=None) -> Adverbial:
    """Returns where ("garden": in the garden) or whereto ("to garden").

    Args:
        name: str, a place, "to " and a place, or a fixed phrase ("home").
        kind: str, the determiner.
        adjective: Adjective or None.
    """
    if name in _FIXED:
        return _FIXED[name]
    if name.startswith("to "):
        noun = name[3:]
        thing = noun_phrase(noun, kind, False, adjective)
        return relation(_DIRECTIONS[noun], "acc", thing)
    thing = noun_phrase(name, kind, False, adjective)
    return relation(_LOCATIONS[name], "dat", thing)


def _towns(english: str, german: str, towns) -> tuple[Adverbial, ...]:
    return tuple(
        Adverbial(
            f"{english} {name}",
            f"{german} {name_german}",
            direction=german == "nach",
        )
        for name, name_german in towns
    )


TO_TOWNS = _towns("to", "nach", CITIES + COUNTRIES)
IN_TOWNS = _towns("in", "in", CITIES)
FROM_TOWNS = _towns("from", "aus", CITIES + COUNTRIES)
GROUPS = {
    group: tuple(names.split(",")) if names else ()
    for group, names in _GROUPS.items()
}


LANGUAGES = (
    ("German", "Deutsch"),
    ("English", "Englisch"),
    ("French", "Französisch"),
    ("Italian", "Italienisch"),
    ("Spanish", "Spanisch"),
)
GAMES = (
    ("football", "Fußball"),
    ("tennis", "Tennis"),
    ("chess", "Schach"),
    ("cards", "Karten"),
    ("the guitar", "Gitarre"),
)
