"""The files of a corpus: in a folder that is given, else downloaded once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from absl import logging

from t2t_lite.errors import UserError
from t2t_lite.problems import downloads
from t2t_lite.problems.options import Option

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
        urls: URL by file name; None for a file that `archive` holds.
        check: called with the path of a download and the file's name; raises
            UserError if the content is not what was expected.
        archive: str, URL of an archive of the files, for a user to unpack:
            no archive is unpacked here.
    """

    def __init__(
        self,
        folder: str,
        urls: Mapping[str, str | None],
        check: Callable[[str, str], None] = lambda path, name: None,
        archive: str = "",
    ):
        self._folder = folder
        self._urls = urls
        self._check = check
        self._archive = archive

    @property
    def origin(self) -> str:
        """Where they are from, in a few words."""
        if self._archive:
            return f"`--source_dir`, unpacked from {self._archive}"
        hosts = {urlsplit(url).netloc for url in self._urls.values()}
        return f"a download from {' and '.join(sorted(hosts))}"

    def are_local(self, problem) -> bool:
        """Whether nothing has to be downloaded."""
        return problem.settings[OPTION.name] is not None or all(
            self._local(problem, name) for name in self._urls
        )

    def describe(self, problem, names: Iterable[str]) -> str:
        """Returns some words about files and where they come from."""
        names = list(names)
        given = problem.settings[OPTION.name]
        origin = self._archive or os.path.dirname(self._urls[names[0]] or "")
        return f"{' and '.join(names)} from {given or origin}"

    def path(self, problem, name: str) -> str:
        """Returns the path of a file; downloads it if need be.

        Args:
            problem: Problem, with the option `OPTION`.
            name: str, one of the files. It may lie there packed or not, as
                .gz or without.
        Raises:
            UserError: it is neither there nor can it be downloaded.
        """
        if path := self._local(problem, name):
            return path
        if given := problem.settings[OPTION.name]:
            raise UserError(self._not_in(given, name))
        folder, url = self._root(problem), self._urls[name]
        if url is None:
            raise UserError(
                f"{problem.name}: {name} is not in {folder}; download and"
                f" unpack {self._archive}, and give --{OPTION.name}=<its"
                " folder>"
            )
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

    def _not_in(self, folder: str, name: str) -> str:
        """Returns the message about a folder that is given and lacks a file."""
        packed, plain = _forms(name)
        what = "is no folder"
        if os.path.isdir(folder):
            what = f"holds neither {packed} nor {plain}"
        way = "leave the flag out to download them"
        if self._archive:
            way = f"unpack {self._archive}"
        return (
            f"--{OPTION.name}={folder}: {what}; give the folder of the source's"
            f" files ({', '.join(self._urls)}), or {way}"
        )

    def _root(self, problem) -> str:
        return problem.settings[OPTION.name] or os.path.join(
            problem.data_dir, "downloads", self._folder
        )

    def _local(self, problem, name: str) -> str | None:
        """Returns the path of a file that is there, packed or not."""
        for file in _forms(name):
            path = os.path.join(self._root(problem), file)
            if os.path.isfile(path):
                return path
        return None


class FromFiles:
    """Of a problem that reads `files`."""

    files: SourceFiles
    option_schema: tuple[Option, ...] = (OPTION,)

    @property
    def origin(self) -> str:
        return self.files.origin

    def source_is_local(self) -> bool:
        return self.files.are_local(self)


def _forms(name: str) -> tuple[str, str]:
    """Returns the names of a file, packed and not."""
    plain = name.removesuffix(".gz")
    return f"{plain}.gz", plain
