"""Further training pairs: there in training alone, and refused in one line."""

import gzip

import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems import more_pairs


@pytest.fixture
def base(tmp_path):
    return problems.create(
        "algorithmic_reverse", {"train_examples": 4}, str(tmp_path)
    )


@pytest.fixture
def pairs(tmp_path):
    """Two files of inputs, one packed, and two of targets."""
    (tmp_path / "a.in").write_text("one\ntwo\n")
    (tmp_path / "a.out").write_text("eins\nzwei\n")
    (tmp_path / "b.in.gz").write_bytes(gzip.compress(b"three\n"))
    (tmp_path / "b.out").write_text("drei\n")
    return [
        ",".join(str(tmp_path / name) for name in names)
        for names in (("a.in", "b.in.gz"), ("a.out", "b.out"))
    ]


def test_they_are_behind_the_training_pairs_alone(base, pairs):
    more = more_pairs.add(base, *pairs)
    own = list(base.examples("train"))
    assert list(more.examples("train")) == [
        *own,
        {"inputs": "one", "targets": "eins"},
        {"inputs": "two", "targets": "zwei"},
        {"inputs": "three", "targets": "drei"},
    ]
    assert list(more.examples("validation")) == list(
        base.examples("validation")
    )
    assert more.source("train").count == len(own) + 3
    assert more.source("train").sha256 != base.source("train").sha256
    assert "b.out" in more.source("train").description
    assert more.source("validation") == base.source("validation")
    assert (more.name, more.options) == (base.name, base.options)


def test_other_files_are_other_data(base, pairs, tmp_path):
    more = more_pairs.add(base, *pairs)
    assert base.data_key != more.data_key
    (tmp_path / "c.out").write_text("x\ny\n")
    other = more_pairs.add(base, str(tmp_path / "a.in"), f"{tmp_path}/c.out")
    assert more.data_key != other.data_key
    before = more.source("train").sha256
    (tmp_path / "a.out").write_text("eins\nZWEI\n")
    assert more_pairs.add(base, *pairs).source("train").sha256 != before


def test_flag_values_give_them_again(base, pairs):
    more = more_pairs.add(base, *pairs)
    again = more_pairs.add(base, **more_pairs.flag_values(more))
    assert again.data_key == more.data_key
    assert more_pairs.flag_values(base) == {}
    assert more_pairs.add(base, None, None) is base


def test_the_other_way_round(base, pairs):
    more = more_pairs.add(base.reversed(), *pairs)
    *_, last = more.examples("train")
    assert last == {"inputs": "three", "targets": "drei"}


@pytest.mark.parametrize(
    ("problem", "source", "target", "message"),
    [
        ("algorithmic_reverse", "a", None, "--more_source needs --more_target"),
        ("algorithmic_reverse", None, "a", "--more_target needs --more_source"),
        (
            "algorithmic_reverse",
            "a,a",
            "a",
            "names 2 files and --more_target 1",
        ),
        ("algorithmic_reverse", "a", "b", "--more_target=b: no such file"),
        ("algorithmic_reverse", ".", "a", "--more_source=.: is a folder"),
        ("sentiment_polarity", "a", "a", "is text to label"),
    ],
)
def test_mistakes(problem, source, target, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("x\n")
    with pytest.raises(UserError, match=message):
        more_pairs.add(problems.create(problem), source, target)


def test_files_of_different_lengths(base, tmp_path):
    (tmp_path / "a").write_text("x\ny\n")
    (tmp_path / "b").write_text("x\n")
    more = more_pairs.add(base, f"{tmp_path}/a", f"{tmp_path}/b")
    with pytest.raises(UserError, match=r"2 lines but .*/b has 1"):
        list(more.examples("train"))
