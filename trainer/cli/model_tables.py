"""Writes the table of models and sets into docs/models.md.

python -m t2t_lite.trainer.cli.model_tables
"""

from __future__ import annotations

import sys

from absl import flags

from t2t_lite.trainer.cli import command

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Writes the table of the registered models and hparams sets into a page, "
    "between its two marks."
)
EXAMPLES = (
    "python -m t2t_lite.trainer.cli.model_tables --page=docs/models.md",
)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "page", "docs/models.md", "The page.", flag_values=values
    )


def write(values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite import models
    from t2t_lite.data import storage
    from t2t_lite.errors import UserError
    from t2t_lite.trainer import model_tables

    del models  # imported for its registrations
    try:
        with open(values.page, encoding="utf-8") as file:
            text = file.read()
        storage.write_text(values.page, model_tables.with_table(text))
    except (UserError, UnicodeDecodeError) as error:
        raise UserError(f"--page={values.page}: {error}") from error
    return 0


_define(FLAGS)


def main() -> None:
    """The command."""
    command.run(write, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())
