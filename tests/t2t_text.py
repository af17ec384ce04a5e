r"""Tensor2Tensor's text encoder, by its published algorithm and no shortcut.

Tokens: cut wherever a character of Unicode's categories L or N stands beside
another; a token of one space is dropped unless it is the first or the last.
Written: `\` and `_` become `\\` and `\u`, a line feed and what is not in the
alphabet `\<number>;`, and an `_` ends it. Ids: the longest entry that a
written token begins with, again and again.
"""

import re
import unicodedata

import tensorflow as tf

NASTY = [
    "",
    " ",
    "  ",
    "a",
    " a",
    "a ",
    "a b",
    "  a  b  ",
    "_",
    "__a__",
    "\\",
    "\\\\u",
    "\\u",
    "\\12;",
    "a\\b_c",
    "x\ny\r\nz",
    "\t\v\f\x00\x01\x1f\x7f\x85",
    "\U0001f600 \U0001f468\u200d\U0001f469",
    "e\u0301 n\u0303o\u0308",
    "\u00a0no-break\u2028sep\u3000wide",
    "\ufeffmark \ufffd \uffff \U0010ffff",
    "½ ² \u2167 ٣٤",
    "日本語 Ωμέγα жук",
    "<pad> <EOS> <pad>_",
    "(a)b[c] 'd' \"e\"",
    "a" * 300,
    "\u3013",
]


def read(path):
    """Returns the entries of a file, read as Tensor2Tensor read it."""
    entries = []
    with tf.io.gfile.GFile(path) as file:
        for line in file:
            line = line.rstrip()
            for quote in ("'", '"'):
                if line.startswith(quote) and line.endswith(quote):
                    line = line[1:-1]
                    break
            entries.append(line)
    return entries


def is_word(character):
    return unicodedata.category(character)[0] in ("L", "N")


def tokenize(text):
    tokens, start = [], 0
    for position in range(1, len(text) + 1):
        inside = position < len(text)
        if inside and is_word(text[position]) == is_word(text[position - 1]):
            continue
        token = text[start:position]
        if token and (token != " " or start == 0 or not inside):
            tokens.append(token)
        start = position
    return tokens


def join(tokens):
    text = ""
    for index, token in enumerate(tokens):
        both = index and is_word(token[0]) and is_word(tokens[index - 1][0])
        text += " " + token if both else token
    return text


def written(token, alphabet):
    result = ""
    for character in token:
        if character == "\\":
            result += "\\\\"
        elif character == "_":
            result += "\\u"
        elif character == "\n" or character not in alphabet:
            result += f"\\{ord(character)};"
        else:
            result += character
    return result + "_"


def encode(text, entries, ids=None, alphabet=None):
    """Returns the ids of a text.

    Args:
        text: str.
        entries: list of str.
        ids, alphabet: from `tables`, if there are many texts.
    """
    if ids is None:
        ids, alphabet = tables(entries)
    found = []
    for token in tokenize(text):
        rest = written(token, alphabet)
        while rest:
            for end in range(len(rest), 0, -1):
                if rest[:end] in ids:
                    found.append(ids[rest[:end]])
                    rest = rest[end:]
                    break
    return found


def tables(entries):
    """Returns ({entry: id}, alphabet) of entries."""
    alphabet = set("\\_u;0123456789")
    for entry in entries:
        alphabet |= set(entry)
    return {e: i for i, e in enumerate(entries) if e}, alphabet


def decode(ids, entries):
    """Returns the text of ids."""

    def character(match):
        if match.group() == "\\u":
            return "_"
        if match.group() == "\\\\":
            return "\\"
        try:
            return chr(int(match.group(1)))
        except (ValueError, OverflowError):
            return "\u3013"

    texts = "".join(entries[i] for i in ids).split("_")
    pattern = re.compile(r"\\u|\\\\|\\([0-9]+);")
    return join([pattern.sub(character, text) for text in texts if text])
