"""Names of the languages that translation problems mention."""

NAMES = {
    "cs": "Czech",
    "de": "German",
    "en": "English",
    "fr": "French",
    "hi": "Hindi",
    "ru": "Russian",
}


def direction(source: str, target: str) -> str:
    """Returns "English to German" for ("en", "de")."""
    return f"{NAMES[source]} to {NAMES[target]}"
