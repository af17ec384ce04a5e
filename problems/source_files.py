"""The files of a corpus: in a folder that is given, else downloaded once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from absl import logging

from t2t_lite.errors import UserError
from t2t_lite.problems import downloads
from t2t_lite.problems.problem import Option

OPTION = Option(
    "source_dir",
    "folder that holds the source's own files; without it they are downloaded",
    kind="path",
    defines_data=False,
)


class SourceFiles:
    """Files by their own names, each with where it can be had.

    Args:
        folder: str, the folder below <data_dir>/downloads.
        urls: URL by file name.
        check: called with the path of a download and the file's name; raises
            UserError if the content is not what was expected.
    """

    def __init__(
        self,
        folder: str,
        urls: dict[str, str],
        check: Callable[[str, str], None] = lambda path, name: None,
    ):
        self._folder = folder
        self._urls = urls
        self._check = check

    def are_local(self, problem) -> bool:
        """Whether nothing has to be downloaded."""
        return problem.settings[OPTION.name] is not None or all(
            self._local(problem, name) for name in self._urls
        )

    def describe(self, problem, names: Iterable[str]) -> str:
        """Returns some words about files and where they come from."""
        names = list(names)
        given = problem.settings[OPTION.name]
        origin = given or os.path.dirname(self._urls[names[0]])
        return f"{' and '.join(names)} from {origin}"

    def path(self, problem, name: str) -> str:
        """Returns the path of a file; downloads it if need be.

        Args:
            problem: Problem, with the option `OPTION`.
            name: str, one of the files. In a folder that is given it may lie
                unpacked, without ".gz".
        Raises:
            UserError: it is neither there nor can it be downloaded.
        """
        if path := self._local(problem, name):
            return path
        if given := problem.settings[OPTION.name]:
            raise UserError(
                f"--{OPTION.name}={given}: holds no {name}; give the folder of"
                f" the source's files ({', '.join(self._urls)}), or leave the"
                " flag out to download them"
            )
        url = self._urls[name]
        folder = self._root(problem)
        if reason := downloads.unreachable(url):
            raise UserError(
                f"{problem.name}: {name} is neither in {folder} nor can it be"
                f" downloaded from {url} ({reason}); mend the network, or give"
                f" --{OPTION.name}=<folder with the source's files>"
            )
        logging.info("downloading %s", url)
        path = os.path.join(folder, name)
        downloads.download(url, path, lambda part: self._check(part, name))
        return path

    def _root(self, problem) -> str:
        return problem.settings[OPTION.name] or os.path.join(
            problem.data_dir, "downloads", self._folder
        )

    def _local(self, problem, name: str) -> str | None:
        """Returns the path of a file that is there, packed or not."""
        for file in (name, name.removesuffix(".gz")):
            path = os.path.join(self._root(problem), file)
            if os.path.isfile(path):
                return path
        return None
