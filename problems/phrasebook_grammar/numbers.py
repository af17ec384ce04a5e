"""Numbers as words, clock times, weekdays and months."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_EN_ONES = _words(
    "zero one two three four five six seven eight nine ten eleven twelve"
    " thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_DE_ONES = _words(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf"
    " dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
)
_EN_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_DE_TENS = _words(
    "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
)
DAYS = (
    ("Monday", "Montag"),
    ("Tuesday", "Dienstag"),
    ("Wednesday", "Mittwoch"),
    ("Thursday", "Donnerstag"),
    ("Friday", "Freitag"),
    ("Saturday", "Samstag"),
    ("Sunday", "Sonntag"),
)
MONTHS = (
    ("January", "Januar"),
    ("February", "Februar"),
    ("March", "März"),
    ("April", "April"),
    ("May", "Mai"),
    ("June", "Juni"),
    ("July", "Juli"),
    ("August", "August"),
    ("September", "September"),
    ("October", "Oktober"),
    ("November", "November"),
    ("December", "Dezember"),
)


def english_number(value: int) -> str:
    """Returns "twenty-one" for 21; 0 to 99."""
    if value < 20:
        return _EN_ONES[value]
    tens, ones = divmod(value, 10)
    text = _EN_TENS[tens - 2]
    return f"{text}-{_EN_ONES[ones]}" if ones else text


def german_number(value: int) -> str:
    """Returns "einundzwanzig" for 21; 0 to 99 ("eins" alone)."""
    if value < 20:
        return _DE_ONES[value]
    tens, ones = divmod(value, 10)
    text = _DE_TENS[tens - 2]
    if not ones:
        return text
    return f"{'ein' if ones == 1 else _DE_ONES[ones]}und{text}"


def clock(hour: int, minutes: int) -> tuple[str, str]:
    """Returns a time of day without "at" and "um".

    Args:
        hour: int, 1 to 12.
        minutes: int, 0, 15, 30 or 45; half past three is "halb vier".
    """
    following = hour % 12 + 1
    english, german = english_number(hour), german_number(hour)
    if minutes == 0:
        whole = "ein" if hour == 1 else german
        return f"{english} o'clock", f"{whole} Uhr"
    if minutes == 15:
        return f"a quarter past {english}", f"Viertel nach {german}"
    if minutes == 30:
        return f"half past {english}", f"halb {german_number(following)}"
    return (
        f"a quarter to {english_number(following)}",
        f"Viertel vor {german_number(following)}",
    )
