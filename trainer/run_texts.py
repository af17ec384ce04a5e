"""The test of a finished run as plain text, line by line.

<output_dir>/
  test.outputs.txt      what the run decoded
  test.references.txt   what it was compared with
  test.sources.txt      what it was given
"""

from __future__ import annotations

import dataclasses
import os

from t2t_lite.data import storage
from t2t_lite.decoding.results import one_line
from t2t_lite.problems.text_files import read_lines

_FILES = {
    "outputs": "test.outputs.txt",
    "references": "test.references.txt",
    "sources": "test.sources.txt",
}


@dataclasses.dataclass(frozen=True)
class RunTexts:
    """Outputs of a test beside its references and sources.

    Fields:
        outputs, references, sources: as many texts of each.
    """

    outputs: list[str]
    references: list[str]
    sources: list[str]

    def write(self, folder: str) -> None:
        """Writes the files into a run's folder, each whole or not at all."""
        for name, file in _FILES.items():
            lines = [one_line(text) + "\n" for text in getattr(self, name)]
            storage.write_text(os.path.join(folder, file), "".join(lines))

    @classmethod
    def read(cls, folder: str) -> RunTexts:
        """Reads the files of a run's folder.

        Raises:
            UserError: one is missing, cannot be read or is no UTF-8.
        """
        return cls(
            **{
                name: list(read_lines(os.path.join(folder, file)))
                for name, file in _FILES.items()
            }
        )


def missing(folder: str) -> list[str]:
    """Returns which of the files a run's folder lacks."""
    return [
        file
        for file in _FILES.values()
        if not os.path.isfile(os.path.join(folder, file))
    ]
