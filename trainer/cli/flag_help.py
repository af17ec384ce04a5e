"""What --help prints: description, examples, and every flag in columns."""

from __future__ import annotations

import contextlib
import re
import shutil
import textwrap
import weakref
from collections.abc import Iterator, Sequence

from absl import flags

_NO_GROUP = "Flags"
_VALUE_WORDS = {"int": "INT", "float": "FLOAT", "multi int": "INT"}
_COLUMN = 28

_groups: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def group(values: flags.FlagValues, title: str) -> Iterator[None]:
    """Puts the flags that are defined in its block under `title` in --help.

    with group(FLAGS, "Evaluation"):
        flags.DEFINE_integer("eval_steps", ..., flag_values=FLAGS)
    """
    before = set(values)
    yield
    titles = _groups.setdefault(values, {})
    titles.update({name: title for name in set(values) - before})


def help_text(
    program: str,
    values: flags.FlagValues,
    description: str,
    examples: Sequence[str],
) -> str:
    """Returns the whole text of --help, wrapped to the terminal's width.

    Args:
        program: str, the command's name as the user types it.
        values: FlagValues, the command's own flags.
        description: str, what the command does.
        examples: command lines, printed as they are.
    """
    width = max(60, min(100, shutil.get_terminal_size().columns))
    parts = [textwrap.fill(f"{program}: {description}", width)]
    if examples:
        parts.append("Examples:\n" + "\n".join(f"  {x}" for x in examples))
    for title, names in _grouped(values).items():
        lines = [_flag_lines(values[name], width) for name in names]
        parts.append(f"{title}:\n" + "\n".join(lines))
    parts.append(
        textwrap.fill(
            "Write --flag=value or --flag value; --flag or --noflag where the "
            "value is true or false. --flagfile=FILE reads flags from FILE, "
            "one a line. --help prints this.",
            width,
        )
    )
    return "\n\n".join(parts)


def _grouped(values: flags.FlagValues) -> dict[str, list[str]]:
    """Returns names by title: groups in the order they were defined."""
    titles = _groups.get(values, {})
    grouped: dict[str, list[str]] = {}
    # Flags without a group come first, then groups as they were defined.
    for title in (_NO_GROUP, *dict.fromkeys(titles.values())):
        names = [n for n in values if titles.get(n, _NO_GROUP) == title]
        if names:
            grouped[title] = names
    return grouped


def _flag_lines(flag: flags.Flag, width: int) -> str:
    left = f"  {_usage(flag)}"
    # absl adds an enum's choices and a remark on repeats; ours are elsewhere.
    words = re.sub(r"^<[^>]*>: |;\s+repeat this option.*", "", flag.help or "")
    text = textwrap.wrap(f"{words} {_default(flag)}".strip(), width - _COLUMN)
    if len(left) > _COLUMN - 2 or not text:
        lines = [left]
    else:
        lines = [f"{left:<{_COLUMN}}{text.pop(0)}"]
    return "\n".join(lines + [" " * _COLUMN + line for line in text])


def _usage(flag: flags.Flag) -> str:
    if flag.boolean:
        return f"--[no]{flag.name}"
    choices = getattr(flag.parser, "enum_values", None)
    if choices:
        return f"--{flag.name}=" + "|".join(str(c) for c in choices)
    return f"--{flag.name}={_VALUE_WORDS.get(flag.flag_type(), 'TEXT')}"


def _default(flag: flags.Flag) -> str:
    repeated = " (may be repeated)" if flag.flag_type().startswith("m") else ""
    if flag.default is None or flag.default in ("", []):
        return repeated.strip()
    if flag.boolean:
        return f"(default: {'true' if flag.default else 'false'})"
    shown = flag.default
    if isinstance(shown, list):
        shown = ",".join(str(value) for value in shown)
    return f"(default: {shown}){repeated}"
