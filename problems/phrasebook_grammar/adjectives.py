"""The adjectives, and which of them describe which nouns."""

from __future__ import annotations

import dataclasses

# english german attributive-stem [comparatives]
_TABLE = """
old alt alt older älter
young jung jung younger jünger
new neu neu newer neuer
big groß groß bigger größer
tall groß groß taller größer
small klein klein smaller kleiner
red rot rot
blue blau blau
green grün grün
yellow gelb gelb
black schwarz schwarz
white weiß weiß
brown braun braun
beautiful schön schön more_beautiful schöner
expensive teuer teur more_expensive teurer
cheap billig billig cheaper billiger
heavy schwer schwer heavier schwerer
long lang lang longer länger
short kurz kurz shorter kürzer
fast schnell schnell faster schneller
modern modern modern more_modern moderner
strong stark stark stronger stärker
famous berühmt berühmt more_famous berühmter
friendly freundlich freundlich friendlier freundlicher
clever klug klug cleverer klüger
rich reich reich richer reicher
poor arm arm poorer ärmer
polite höflich höflich more_polite höflicher
hungry hungrig hungrig
thirsty durstig durstig
tired müde müd
happy glücklich glücklich happier glücklicher
sad traurig traurig
sick krank krank
healthy gesund gesund
angry wütend wütend
lazy faul faul lazier fauler
fresh frisch frisch
sweet süß süß sweeter süßer
cold kalt kalt colder kälter
warm warm warm warmer wärmer
hot heiß heiß hotter heißer
sharp scharf scharf
empty leer leer
full voll voll
clean sauber sauber
dirty schmutzig schmutzig
interesting interessant interessant more_interesting interessanter
boring langweilig langweilig more_boring langweiliger
funny lustig lustig funnier lustiger
quiet ruhig ruhig quieter ruhiger
dark dunkel dunkl darker dunkler
good gut gut better besser
"""
# Which adjectives may stand before a noun of the group.
_GROUPS = """
person old young friendly tall famous rich poor polite clever
child small happy clever tired hungry sick friendly
guest friendly polite famous hungry
kin young clever tall polite
elder old clever tall friendly
animal old young big small black white brown hungry
fruit fresh sweet big small red green
banana fresh sweet yellow big small
egg fresh big small white brown
potato fresh big small cheap
cake sweet big small fresh good
soup hot cold good warm
salad fresh big small green good
bread fresh good warm white
cheese good fresh cheap expensive
cheap cheap good white
fresh fresh good cheap
water cold warm fresh clean
milk fresh cold warm hot
coffee hot black strong cold good
tea hot black green sweet strong
juice cold fresh sweet
wine red white good expensive cheap
beer cold cheap good
text long short new old interesting boring funny
news old new interesting boring
object old new big small expensive cheap beautiful heavy
machine old new expensive cheap modern good
clothes old new red blue green black white beautiful expensive warm
dish empty full clean dirty small big white
knife sharp big small clean dirty
key old new small big
toy new old big small red blue yellow
box old new heavy big small empty
flower beautiful red yellow white blue
ring old new beautiful expensive
door new old big small white
tree old tall big small beautiful
train old new modern fast
place old new big small modern beautiful
dark big dark quiet beautiful
nature big beautiful quiet
"""


@dataclasses.dataclass(frozen=True)
class Adjective:
    """An adjective in both languages; `comparative` may be ""."""

    english: str
    german: str
    stem: str
    comparative: str = ""
    german_comparative: str = ""


def _parse() -> dict[str, Adjective]:
    found = {}
    for line in _TABLE.strip().splitlines():
        words = [word.replace("_", " ") for word in line.split()]
        found[words[0]] = Adjective(*words)
    return found


ADJECTIVES = _parse()
GROUPS = {
    line.split()[0]: tuple(ADJECTIVES[word] for word in line.split()[1:])
    for line in _GROUPS.strip().splitlines()
}
