"""python -m t2t_lite.trainer.cli.model_tables: what models there are."""

from __future__ import annotations

import sys

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Prints a Markdown table of the registered models and hparams sets, or "
    "brings the one in a document up to date."
)
EXAMPLES = (
    "python -m t2t_lite.trainer.cli.model_tables",
    "python -m t2t_lite.trainer.cli.model_tables --write=docs/models.md",
)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "write",
        None,
        "Document whose table is replaced, between its marks.",
        flag_values=values,
    )


def tables(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite import models
    from t2t_lite.data import storage
    from t2t_lite.trainer import model_tables

    del models  # imported for its registrations
    if values.write is None:
        print(model_tables.models(), end="")
        return 0
    try:
        with open(values.write, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise UserError(f"--write={values.write}: not UTF-8") from error
    text = model_tables.refreshed(text, values.write)
    storage.write_text(values.write, text)
    return 0


_define(FLAGS)


def main() -> None:
    """Runs the command."""
    command.run(tables, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())
