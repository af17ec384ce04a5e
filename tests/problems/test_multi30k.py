"""Multi30k from a folder, from a download, and without either."""

import gzip
import pathlib

import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems import downloads, multi30k

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "multi30k"
LINES = {"train": 4, "validation": 3, "test": 2}
LANGUAGES = ("en", "de", "fr", "cs")


def _write_raw(folder):
    """Writes upstream's files, with the few lines of LINES."""
    folder.mkdir(parents=True)
    for split, name in (
        ("train", "train"),
        ("validation", "val"),
        ("test", "test_2016_flickr"),
    ):
        for language in LANGUAGES:
            lines = [f"{split} {language} {i}\n" for i in range(LINES[split])]
            content = gzip.compress("".join(lines).encode())
            (folder / f"{name}.{language}.gz").write_bytes(content)
    return folder


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """Makes a local folder stand in for upstream's repository."""
    raw = _write_raw(tmp_path / "upstream" / "raw")
    monkeypatch.setattr(multi30k, "_URL", f"file://{raw.parent}")
    monkeypatch.setattr(multi30k, "_LINES", LINES)
    return raw


@pytest.mark.parametrize("target", ["de", "fr", "cs"])
def test_local_folder(tmp_path, target):
    folder = _write_raw(tmp_path / "raw")
    problem = problems.create(
        f"translate_en{target}_multi30k", {"source_dir": str(folder)}
    )
    assert list(problem.examples("test")) == [
        {"inputs": "test en 0", "targets": f"test {target} 0"},
        {"inputs": "test en 1", "targets": f"test {target} 1"},
    ]
    assert str(folder) in problem.source("test").description
    assert problem.data_key == problem.name


def test_unpacked_files_serve_too(tmp_path):
    (tmp_path / "val.en").write_text("a\nb\n")
    (tmp_path / "val.de").write_text("c\nd\n")
    problem = problems.create(
        "translate_ende_multi30k", {"source_dir": str(tmp_path)}
    )
    assert problem.source("validation").count == 2


def test_other_length_than_upstream_is_told(tmp_path, caplog):
    folder = _write_raw(tmp_path / "raw")
    problem = problems.create(
        "translate_ende_multi30k", {"source_dir": str(folder)}
    )
    with caplog.at_level("WARNING"):
        problem.source("test")
    assert "2 pairs, where upstream's file has 1000" in caplog.text


def test_folder_without_the_files(tmp_path):
    problem = problems.create(
        "translate_ende_multi30k", {"source_dir": str(tmp_path)}
    )
    with pytest.raises(
        UserError, match=r"--source_dir=.*neither train\.en\.gz nor train\.en"
    ):
        problem.source("train")


class TestDownload:
    def test_is_kept_below_the_data_folder(self, upstream, tmp_path):
        data_dir = tmp_path / "data"
        problem = problems.create(
            "translate_ende_multi30k", data_dir=str(data_dir)
        )
        assert not problem.source_is_local()
        counts = {s: problem.source(s).count for s in problem.splits}
        assert counts == LINES
        kept = data_dir / "downloads" / "multi30k"
        assert len(list(kept.iterdir())) == 6
        assert problem.source_is_local()
        for file in upstream.iterdir():
            file.unlink()
        again = problems.create(
            "translate_ende_multi30k", data_dir=str(data_dir)
        )
        assert again.source("train") == problem.source("train")

    def test_is_the_same_data_as_a_local_folder(self, upstream, tmp_path):
        name = "translate_ende_multi30k"
        downloaded = problems.create(name, data_dir=str(tmp_path))
        local = problems.create(name, {"source_dir": str(upstream)})
        facts = [p.source("train").sha256 for p in (downloaded, local)]
        assert facts[0] == facts[1]
        assert downloaded.options == local.options

    def test_wrong_number_of_lines(self, upstream, tmp_path, monkeypatch):
        monkeypatch.setattr(multi30k, "_LINES", {**LINES, "train": 29_000})
        problem = problems.create(
            "translate_ende_multi30k", data_dir=str(tmp_path)
        )
        with pytest.raises(UserError, match="has 4 lines instead of 29,000"):
            problem.source("train")
        assert not list((tmp_path / "downloads" / "multi30k").iterdir())

    def test_no_network(self, tmp_path, monkeypatch):
        monkeypatch.setattr(downloads, "unreachable", lambda url: "no route")
        problem = problems.create(
            "translate_ende_multi30k", data_dir=str(tmp_path)
        )
        with pytest.raises(UserError, match=r"no route.*--source_dir") as info:
            problem.source("train")
        assert "raw.githubusercontent.com/multi30k/dataset" in str(info.value)
        assert "\n" not in str(info.value)


def test_tokenized_text_is_other_data_and_scored_as_it_is(tmp_path):
    (tmp_path / "val.lc.norm.tok.en").write_text("a man .\n")
    (tmp_path / "val.lc.norm.tok.de").write_text("ein mann .\n")
    options = {"source_dir": str(tmp_path), "multi30k_text": "lc.norm.tok"}
    problem = problems.create("translate_ende_multi30k", options)
    assert next(problem.examples("validation"))["targets"] == "ein mann ."
    assert problem.data_key != problem.name
    texts = ["ein mann läuft schnell ."]
    assert "tok:none" in problem.score(texts, texts)["bleu_signature"]
    raw = problems.create("translate_ende_multi30k")
    assert "tok:13a" in raw.score(texts, texts)["bleu_signature"]


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no Multi30k in {REAL}")
@pytest.mark.parametrize("target", ["de", "fr", "cs"])
def test_real_files(target):
    problem = problems.create(
        f"translate_en{target}_multi30k", {"source_dir": str(REAL)}
    )
    counts = [problem.source(split).count for split in problem.splits]
    assert counts == [29_000, 1_014, 1_000]
    first = next(problem.examples("train"))["inputs"]
    assert first == "Two young, White males are outside near many bushes."
