"""Files of a corpus: in a folder, downloaded, or to be unpacked by hand."""

import gzip

import pytest

from t2t_lite.errors import UserError
from t2t_lite.problems.problem import Problem
from t2t_lite.problems.source_files import OPTION, FromFiles, SourceFiles

ARCHIVE = "https://example.org/corpus.zip"


class Corpus(FromFiles, Problem):
    """Whatever the files hold."""

    name = "corpus"
    files = SourceFiles("corpus", {"a.txt": "", "b.txt.gz": ""})

    def describe_source(self, split):
        return self.files.describe(self, ["a.txt", "b.txt.gz"])

    def examples(self, split):
        return iter(())


@pytest.fixture
def upstream(tmp_path):
    """The address of a folder that stands in for a host."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    (folder / "b.txt.gz").write_bytes(gzip.compress(b"b\n"))
    return f"file://{folder}"


def _downloaded(tmp_path, upstream, check=lambda path, name: None):
    problem = Corpus()
    problem.data_dir = str(tmp_path / "data")
    names = ("a.txt", "b.txt.gz")
    problem.files = SourceFiles(
        "corpus", {name: f"{upstream}/{name}" for name in names}, check
    )
    return problem


class TestFolder:
    @pytest.mark.parametrize("there", ["a.txt", "a.txt.gz"])
    @pytest.mark.parametrize("asked", ["a.txt", "a.txt.gz"])
    def test_packed_or_not(self, tmp_path, there, asked):
        (tmp_path / there).write_text("")
        problem = Corpus(source_dir=str(tmp_path))
        assert problem.source_is_local()
        path = SourceFiles("x", {asked: ""}).path(problem, asked)
        assert path == str(tmp_path / there)

    def test_missing_file(self, tmp_path):
        problem = Corpus(source_dir=str(tmp_path))
        with pytest.raises(UserError) as error:
            problem.files.path(problem, "b.txt.gz")
        assert str(error.value) == (
            f"--source_dir={tmp_path}: holds neither b.txt.gz nor b.txt; give"
            " the folder of the source's files (a.txt, b.txt.gz), or leave the"
            " flag out to download them"
        )

    def test_missing_folder(self, tmp_path):
        problem = Corpus(source_dir=str(tmp_path / "no"))
        with pytest.raises(UserError, match="/no: is no folder; give"):
            problem.files.path(problem, "a.txt")

    def test_is_no_part_of_what_defines_the_data(self, tmp_path):
        problem = Corpus(source_dir=str(tmp_path))
        assert problem.options == {}
        assert f"a.txt and b.txt.gz from {tmp_path}" == (
            problem.describe_source("train")
        )

    def test_empty_path_is_refused(self):
        with pytest.raises(UserError, match="--source_dir: expected a path"):
            Corpus(source_dir="")


class TestDownload:
    def test_is_kept(self, tmp_path, upstream):
        problem = _downloaded(tmp_path, upstream)
        assert not problem.source_is_local()
        for name in ("a.txt", "b.txt.gz"):
            path = problem.files.path(problem, name)
            assert path == str(tmp_path / "data/downloads/corpus" / name)
        assert problem.source_is_local()
        again = _downloaded(tmp_path, "file:///nowhere")
        assert again.files.path(again, "a.txt").endswith("a.txt")

    def test_is_checked(self, tmp_path, upstream):
        def refuse(path, name):
            raise UserError(f"{name}: wrong content")

        problem = _downloaded(tmp_path, upstream, refuse)
        with pytest.raises(UserError, match=r"a\.txt: wrong content"):
            problem.files.path(problem, "a.txt")
        assert not list((tmp_path / "data/downloads/corpus").iterdir())

    def test_no_network(self, tmp_path, upstream, offline):
        problem = _downloaded(tmp_path, upstream)
        with pytest.raises(UserError, match=r"no route.*--source_dir=<") as e:
            problem.files.path(problem, "a.txt")
        assert "\n" not in str(e.value)
        assert f"{upstream}/a.txt" in str(e.value)

    def test_origin_names_the_hosts(self):
        urls = {
            "a": "http://x.org/a",
            "b": "https://y.org/b",
            "c": "http://x.org/c",
        }
        files = SourceFiles("x", urls)
        assert files.origin == "a download from x.org and y.org"


class TestArchive:
    files = SourceFiles("x", {"a.txt": None}, archive=ARCHIVE)

    def test_is_to_be_unpacked(self, tmp_path):
        problem = Corpus()
        problem.data_dir = str(tmp_path)
        with pytest.raises(
            UserError, match=f"download and unpack {ARCHIVE}, and give --sou"
        ):
            self.files.path(problem, "a.txt")

    def test_a_wrong_folder(self, tmp_path):
        problem = Corpus(**{OPTION.name: str(tmp_path)})
        with pytest.raises(UserError, match=f"or unpack {ARCHIVE}"):
            self.files.path(problem, "a.txt")

    def test_describes_itself(self):
        assert ARCHIVE in self.files.origin
        assert self.files.describe(Corpus(), ["a.txt"]) == (
            f"a.txt from {ARCHIVE}"
        )
