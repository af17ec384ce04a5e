"""Which verb goes with which subjects, objects and places."""

from __future__ import annotations

import dataclasses
import functools

# verb subjects objects tenses places. An object is "case:tags", or
# "case:for/auf:tags" with prepositions. Marks before the tags: "!" only
# definite, "~" no numbers, "^" no possessive, "+" a plural without article,
# "=" fixed words.
# Tenses: p present, h habit, a past, f future, m modal, i imperative,
# n negatable. "!" after the places: the verb needs one.
_TABLE = """
eat human acc:edible phafmin eating
eat human acc:edible phafmin eating
feed carnivore acc:meat phan yard
feed herbivore acc:^feed phan yard
drink human acc:soft phafmin eating
drink human acc:soft phafmin eating
drink adult acc:alcohol phafmin eating
buy human acc:^edible,drink phafmin food_shops
buy human acc:^edible,drink phafmin food_shops
buy adult acc:^thing,clothes pafmin shops
sell adult acc:thing pafmin shops
sell adult acc:farm,fruit pafmin farm_shops
read human acc:text,tale phafmin reading
write human acc:^story phafmin reading
see human acc:human,animal,vehicle,building an town
look_for human acc:for/:~lost,small,clothes,pet pafmin home
find human acc:lost,small,clothes,pet afmin town
need human acc:thing,tool,clothes pafn -
have human acc:^thing,pet,clothes pan -
like human acc:+fruit,pet,plant,mass pn -
love human acc:!kin,pet pn -
know human acc:human pn -
visit human acc:!kin,own,tour phafmin -
help human dat:human phafmin work
thank human dat:human pafmi -
answer human dat:human pafmi -
open human acc:!opened,box phafmin -
close human acc:!opened,box phafmin -
pick_up human acc:human phafmin pickup
call human acc:human phafmin -
invite human acc:human phafmi -
turn_on human acc:!device phafmin home
turn_off human acc:!device phafmin home
tidy_up human acc:!room phafmi -
put_on human acc:~dressed pafmin -
wear human acc:~worn phafmn -
wash human acc:!clothes,vehicle,fruit phafmin yard_or_home
draw human acc:plant,animal,tree pafmi yard_or_home
repair adult acc:!vehicle,device,toy,seat pafmi yard_or_home
clean human acc:!opened,vehicle,room phafmin -
carry human acc:box,upright pafmi direction
lose human acc:~lost an town
forget human acc:~lost,small,clothes an -
cook human acc:^cooked phafmin kitchen
bake human acc:^baked phafmi kitchen
cut human acc:^baked,fruit pafmi kitchen
catch hunter acc:^prey,bird pan yard
learn human acc:=language phafmin school
speak human acc:=language phmn -
play human acc:=game phafmi yard
ask human acc:human pafmi -
meet human acc:human phafmn town
bring_along human acc:gift,drink,baked pafmi -
wait human acc:for/auf:human,transit phafmi waiting
belong thing dat:to/:human pn -
give human dat:human;acc:gift,drink,fruit pafmi -
give human dat:human;acc:gift,drink,fruit pafmi -
show human dat:human;acc:thing,building pafmi -
bring human dat:human;acc:small,gift,drink,fruit pafmi -
send adult dat:human;acc:post,toy,clothes pafmi -
buy adult dat:human;acc:^gift,clothes,vehicle pafmi shops
tell human dat:human;acc:tale phafmi -
sleep human,animal - phafmin sleeping
work adult - phafmin work
laugh human - phan town
cry human - pan home
dance human - phafmin yard
sing human - phafmin home
swim human - phafmin bathing
run human - phafmi direction!
run pet,herbivore - pha yard!
go human - phafmin direction!
go human - phafmin direction!
drive adult - phafmin far!
travel human - phafmin country!
fly human - phafmin country!
come human - pafmin direction!
live human - pan living!
live human - pan living!
stay human - hafmin staying!
arrive human,transit - pafn arriving
leave transit - phaf -
get_up human - hafmi -
wake_up human - haf -
fall_asleep human - ha sleeping
watch_tv human - phafmin home
shop adult - phafmi food_shops
come_back human - pafmin -
"""


@dataclasses.dataclass(frozen=True)
class Frame:
    """A verb's company.

    Args:
        verb: str, a key of `verbs.VERBS`.
        subjects: str, comma-separated tags.
        objects: tuple of (case, prepositions, marked tags).
        tenses: str, the letters explained above.
        places: str, a key of `places.GROUPS`, or "".
        placed: bool, the verb needs its place.
    """

    verb: str
    subjects: str
    objects: tuple[tuple[str, str, str], ...]
    tenses: str
    places: str = ""
    placed: bool = False


def _object(text: str) -> tuple[str, str, str]:
    case, *prepositions, tags = text.split(":")
    return case, prepositions[0] if prepositions else "/", tags


def frame(line: str) -> Frame:
    """Returns the frame that a line of the table describes."""
    verb, subjects, objects, tenses, places = line.split()
    return Frame(
        verb,
        subjects,
        tuple(_object(text) for text in objects.split(";") if text != "-"),
        tenses,
        places.rstrip("!").replace("-", ""),
        places.endswith("!"),
    )


FRAMES = tuple(frame(line) for line in _TABLE.strip().splitlines())


@functools.cache
def frames_with(letters: str, verbs: str = "") -> tuple[Frame, ...]:
    """Returns the frames that allow all tense letters.

    Args:
        letters: str.
        verbs: str, comma-separated keys, or "" for all.
    """
    keys = verbs.split(",") if verbs else None
    return tuple(
        frame
        for frame in FRAMES
        if all(letter in frame.tenses for letter in letters)
        and (keys is None or frame.verb in keys)
    )
