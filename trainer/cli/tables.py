"""python -m t2t_lite.trainer.cli.tables: tables of what is registered."""

from __future__ import annotations

import sys

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command, common

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Prints a Markdown table of the registered problems, or brings the one in "
    "a document up to date."
)
EXAMPLES = (
    "python -m t2t_lite.trainer.cli.tables",
    "python -m t2t_lite.trainer.cli.tables --kind=problems "
    "--write=docs/problems.md",
)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "kind", "problems", "What the table is of.", flag_values=values
    )
    flags.DEFINE_string(
        "write",
        None,
        "Document whose table is replaced, between its marks.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "t2t_usr_dir",
        None,
        "Folder of your own Python modules that register more.",
        flag_values=values,
    )


def tables(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite.data import storage
    from t2t_lite.trainer import registry_tables

    common.import_registrations(values)
    known = registry_tables.TABLES
    if values.kind not in known:
        raise UserError(
            f"--kind={values.kind}: expected one of {', '.join(known)}"
        )
    if values.write is None:
        print(known[values.kind](), end="")
        return 0
    try:
        with open(values.write, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise UserError(f"--write={values.write}: not UTF-8") from error
    text = registry_tables.refreshed(text, values.kind, values.write)
    storage.write_text(values.write, text)
    return 0


_define(FLAGS)


def main() -> None:
    """Runs the command."""
    command.run(tables, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())
