"""The nouns: both languages' forms, what they can do, what describes them."""

from __future__ import annotations

import dataclasses
import functools

# english plural german gender plural genitive tags adjectives; "_" is a
# space. Masculine nouns of the n-declension carry the tag weak.
_PEOPLE = """
man men Mann m Männer Mannes human,adult person
woman women Frau f Frauen Frau human,adult person
boy boys Junge m Jungen Jungen human,weak child
girl girls Mädchen n Mädchen Mädchens human,neuter child
child children Kind n Kinder Kindes human,neuter child
teacher teachers Lehrer m Lehrer Lehrers human,adult,own,job person
student students Student m Studenten Studenten human,adult,weak,job person
doctor doctors Arzt m Ärzte Arztes human,adult,own,job person
friend friends Freund m Freunde Freundes human,adult,kin person
neighbor neighbors Nachbar m Nachbarn Nachbarn human,adult,own,weak person
farmer farmers Bauer m Bauern Bauern human,adult,weak,job person
baker bakers Bäcker m Bäcker Bäckers human,adult,job person
gardener gardeners Gärtner m Gärtner Gärtners human,adult,job person
guest guests Gast m Gäste Gastes human,adult,own guest
brother brothers Bruder m Brüder Bruders human,adult,kin kin
sister sisters Schwester f Schwestern Schwester human,adult,kin kin
mother mothers Mutter f Mütter Mutter human,adult,kin elder
father fathers Vater m Väter Vaters human,adult,kin elder
son sons Sohn m Söhne Sohnes human,kin kin
daughter daughters Tochter f Töchter Tochter human,kin kin
grandfather - Großvater m - Großvaters human,adult,kin elder
grandmother - Großmutter f - Großmutter human,adult,kin elder
uncle uncles Onkel m Onkel Onkels human,adult,kin kin
aunt aunts Tante f Tanten Tante human,adult,kin kin
"""
_ANIMALS = """
dog dogs Hund m Hunde Hundes animal,pet,carnivore,hunter animal
cat cats Katze f Katzen Katze animal,pet,carnivore,hunter animal
horse horses Pferd n Pferde Pferdes animal,farm,herbivore animal
cow cows Kuh f Kühe Kuh animal,farm,herbivore animal
bird birds Vogel m Vögel Vogels animal,bird animal
mouse mice Maus f Mäuse Maus animal,prey animal
bear bears Bär m Bären Bären animal,wild,weak,carnivore animal
rabbit rabbits Kaninchen n Kaninchen Kaninchens animal,pet,herbivore animal
"""
_FOOD = """
apple apples Apfel m Äpfel Apfels edible,fruit,feed fruit
pear pears Birne f Birnen Birne edible,fruit fruit
banana bananas Banane f Bananen Banane edible,fruit banana
egg eggs Ei n Eier Eies edible,cooked egg
tomato tomatoes Tomate f Tomaten Tomate edible,fruit fruit
potato potatoes Kartoffel f Kartoffeln Kartoffel edible,cooked potato
carrot carrots Karotte f Karotten Karotte edible,cooked,feed potato
cake cakes Kuchen m Kuchen Kuchens edible,baked,gift cake
soup soups Suppe f Suppen Suppe edible,cooked,single soup
salad salads Salat m Salate Salats edible salad
bread - Brot n - Brotes edible,baked,mass bread
cheese - Käse m - Käses edible,mass cheese
rice - Reis m - Reises edible,cooked,mass cheap
meat - Fleisch n - Fleisches edible,cooked,mass,meat fresh
butter - Butter f - Butter edible,mass fresh
water - Wasser n - Wassers drink,soft,mass water
milk - Milch f - Milch drink,soft,mass milk
coffee - Kaffee m - Kaffees drink,soft,mass coffee
tea - Tee m - Tees drink,soft,mass tea
juice - Saft m - Saftes drink,soft,mass juice
wine - Wein m - Weines drink,mass,alcohol wine
beer - Bier n - Bieres drink,mass,alcohol beer
"""
_THINGS = """
book books Buch n Bücher Buches thing,text,story,gift,flat,small text
newspaper newspapers Zeitung f Zeitungen Zeitung thing,text,flat,small news
letter letters Brief m Briefe Briefes text,story,flat,post,small text
story stories Geschichte f Geschichten Geschichte story,tale text
picture pictures Bild n Bilder Bildes thing,gift,hung,art object
table tables Tisch m Tische Tisches thing,costly,surface object
chair chairs Stuhl m Stühle Stuhls thing,costly,seat,surface object
lamp lamps Lampe f Lampen Lampe thing,upright,device object
bicycle bicycles Fahrrad n Fahrräder Fahrrads thing,costly,vehicle,gift machine
car cars Auto n Autos Autos thing,dear,vehicle machine
coat coats Mantel m Mäntel Mantels thing,worn,dressed,clothes,hung clothes
dress dresses Kleid n Kleider Kleides thing,clothes,gift clothes
shirt shirts Hemd n Hemden Hemdes thing,worn,dressed,clothes clothes
hat hats Hut m Hüte Hutes thing,worn,clothes,gift clothes
jacket jackets Jacke f Jacken Jacke thing,worn,dressed,clothes,hung clothes
cup cups Tasse f Tassen Tasse thing,upright,dish dish
glass glasses Glas n Gläser Glases upright,dish dish
plate plates Teller m Teller Tellers thing,dish dish
bottle bottles Flasche f Flaschen Flasche thing,upright dish
knife knives Messer n Messer Messers thing,flat,tool,small knife
key keys Schlüssel m Schlüssel Schlüssels thing,flat,small,lost key
kite kites Drachen m Drachen Drachens thing,gift,toy,small toy
doll dolls Puppe f Puppen Puppe thing,gift,toy toy
bag bags Tasche f Taschen Tasche thing,upright,lost,box box
box boxes Kiste f Kisten Kiste thing,box box
suitcase suitcases Koffer m Koffer Koffers thing,upright,lost,box box
telephone telephones Telefon n Telefone Telefons thing,costly,device machine
computer computers Computer m Computer Computers thing,costly,device machine
radio radios Radio n Radios Radios thing,device machine
flower flowers Blume f Blumen Blume thing,gift,plant flower
ring rings Ring m Ringe Ringes thing,gift,lost,flat ring
guitar guitars Gitarre f Gitarren Gitarre thing,costly,gift machine
door doors Tür f Türen Tür opened door
window windows Fenster n Fenster Fensters opened door
bed beds Bett n Betten Bettes thing,costly,surface object
sofa sofas Sofa n Sofas Sofas thing,costly,surface,seat object
cupboard cupboards Schrank m Schränke Schrankes thing,costly,cupboard object
wall walls Wand f Wände Wand wall door
tree trees Baum m Bäume Baumes tree tree
train trains Zug m Züge Zuges transit train
bus buses Bus m Busse Busses transit train
"""
# Places: their prepositions are in phrases.py.
_PLACES = """
house houses Haus n Häuser Hauses building place
garden gardens Garten m Gärten Gartens yard,through place
kitchen kitchens Küche f Küchen Küche room place
bathroom bathrooms Bad n Bäder Bades room place
bedroom bedrooms Schlafzimmer n Schlafzimmer Schlafzimmers room place
living_room living_rooms Wohnzimmer n Wohnzimmer Wohnzimmers room place
park parks Park m Parks Parks sight,tour,through place
church churches Kirche f Kirchen Kirche sight,tour,building place
museum museums Museum n Museen Museums sight,tour place
library libraries Bibliothek f Bibliotheken Bibliothek sight,tour place
school schools Schule f Schulen Schule sight,tour place
office offices Büro n Büros Büros work place
hospital hospitals Krankenhaus n Krankenhäuser Krankenhauses sight place
restaurant restaurants Restaurant n Restaurants Restaurants sight place
hotel hotels Hotel n Hotels Hotels sight place
theater theaters Theater n Theater Theaters sight,tour place
cinema cinemas Kino n Kinos Kinos sight place
bakery bakeries Bäckerei f Bäckereien Bäckerei sight place
supermarket supermarkets Supermarkt m Supermärkte Supermarkts sight place
market markets Markt m Märkte Marktes sight place
train_station train_stations Bahnhof m Bahnhöfe Bahnhofs sight,station place
airport airports Flughafen m Flughäfen Flughafens station place
bridge bridges Brücke f Brücken Brücke sight place
street streets Straße f Straßen Straße way place
city cities Stadt f Städte Stadt town,through place
village villages Dorf n Dörfer Dorfes town,through place
forest forests Wald m Wälder Waldes nature,through dark
lake lakes See m Seen Sees nature nature
river rivers Fluss m Flüsse Flusses nature nature
beach beaches Strand m Strände Strandes nature nature
"""


@dataclasses.dataclass(frozen=True)
class Noun:
    """A noun in both languages.

    Args:
        plural, german_plural: str, "" for a mass noun.
        gender: str, m, f or n.
        genitive: str, the German genitive singular.
        tags: frozenset, the roles that it can fill.
        adjectives: str, a key of `adjectives.GROUPS`.
    """

    english: str
    plural: str
    german: str
    gender: str
    german_plural: str
    genitive: str
    tags: frozenset[str]
    adjectives: str

    def form(self, case: str, plural: bool) -> str:
        """Returns the German form; Kindern, Studenten, Autos."""
        if plural:
            base = self.german_plural
            takes_n = case == "dat" and base[-1] not in "ns"
            return base + "n" if takes_n else base
        if case == "gen" or (case != "nom" and "weak" in self.tags):
            return self.genitive
        return self.german


def _parse(table: str) -> list[Noun]:
    nouns = []
    for line in table.strip().splitlines():
        english, plural, german, gender, german_plural, *rest = line.split()
        genitive, tags, group = rest
        nouns.append(
            Noun(
                english.replace("_", " "),
                plural.replace("_", " ").replace("-", ""),
                german,
                gender,
                german_plural.replace("-", ""),
                genitive,
                frozenset(tags.split(",")),
                group,
            )
        )
    return nouns


NOUNS = {
    noun.english: noun
    for table in (_PEOPLE, _ANIMALS, _FOOD, _THINGS, _PLACES)
    for noun in _parse(table)
}
_BY_TAG: dict[str, tuple[Noun, ...]] = {}
for _noun in NOUNS.values():
    for _tag in sorted(_noun.tags):
        _BY_TAG[_tag] = (*_BY_TAG.get(_tag, ()), _noun)


@functools.cache
def tagged(tags: str) -> tuple[Noun, ...]:
    """Returns the nouns that carry one of the comma-separated tags."""
    found = {
        noun.english: noun for tag in tags.split(",") for noun in _BY_TAG[tag]
    }
    return tuple(found.values())
