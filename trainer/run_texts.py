"""What a finished run decoded, as plain text, line by line.

<output_dir>/
  test.outputs.txt      what the run decoded
  test.references.txt   what it was compared with
  test.sources.txt      what it was given
  validation.*.txt      the same of the validation split
"""

from __future__ import annotations

import dataclasses
import os

from t2t_lite.data import storage
from t2t_lite.decoding.results import one_line
from t2t_lite.problems.text_files import read_lines

_SIDES = ("outputs", "references", "sources")


@dataclasses.dataclass(frozen=True)
class RunTexts:
    """Outputs beside their references and sources.

    Fields:
        outputs, references, sources: as many texts of each.
    """

    outputs: list[str]
    references: list[str]
    sources: list[str]

    def write(self, folder: str, split: str = "test") -> None:
        """Writes the files into a run's folder, each whole or not at all."""
        for side in _SIDES:
            lines = [one_line(text) + "\n" for text in getattr(self, side)]
            path = os.path.join(folder, _name(split, side))
            storage.write_text(path, "".join(lines))

    @classmethod
    def read(cls, folder: str, split: str = "test") -> RunTexts:
        """Reads the files of a run's folder.

        Raises:
            UserError: one is missing, cannot be read or is no UTF-8.
        """
        return cls(
            **{
                side: list(read_lines(os.path.join(folder, _name(split, side))))
                for side in _SIDES
            }
        )


def missing(folder: str, split: str = "test") -> list[str]:
    """Returns which of the files a run's folder lacks."""
    return [
        _name(split, side)
        for side in _SIDES
        if not os.path.isfile(os.path.join(folder, _name(split, side)))
    ]


def _name(split: str, side: str) -> str:
    return f"{split}.{side}.txt"
