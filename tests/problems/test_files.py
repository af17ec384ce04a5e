"""translate_files: the user's own files, their pitfalls, the held-out part."""

import gzip

import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes lines and returns the path."""

    def write_lines(name, lines):
        content = "".join(f"{line}\n" for line in lines).encode()
        path = tmp_path / name
        path.write_bytes(
            gzip.compress(content) if name.endswith(".gz") else content
        )
        return str(path)

    return write_lines


def _create(**options):
    return problems.create("translate_files", options)


def _inputs(problem, split):
    return [e["inputs"] for e in problem.examples(split)]


def _numbered(count):
    return [f"s{i}" for i in range(count)], [f"t{i}" for i in range(count)]


def test_given_files_are_the_splits(write):
    problem = _create(
        train_source=write("a.en", ["a", "b"]),
        train_target=write("a.de", ["c", "d"]),
        eval_source=write("e.en.gz", ["e"]),
        eval_target=write("e.de.gz", ["f"]),
        test_source=write("t.tsv", ["g\th"]),
    )
    assert problem.splits == ("train", "validation", "test")
    assert [list(problem.examples(split)) for split in problem.splits] == [
        [
            {"inputs": "a", "targets": "c"},
            {"inputs": "b", "targets": "d"},
        ],
        [{"inputs": "e", "targets": "f"}],
        [{"inputs": "g", "targets": "h"}],
    ]
    assert "held out" not in problem.source("train").description


def test_a_file_and_its_gz_have_the_same_facts(write):
    source, target = _numbered(30)
    plain = _create(
        train_source=write("en", source), train_target=write("de", target)
    )
    packed = _create(
        train_source=write("en.gz", source), train_target=write("de.gz", target)
    )
    tsv = _create(
        train_source=write(
            "x.tsv.gz", map("\t".join, zip(source, target, strict=True))
        )
    )
    digests = {p.source("train").sha256 for p in (plain, packed, tsv)}
    assert len(digests) == 1
    assert len({p.data_key for p in (plain, packed, tsv)}) == 3


class TestHeldOut:
    @pytest.mark.parametrize(
        ("count", "held_out"), [(2, 1), (39, 1), (400, 20), (50_000, 2000)]
    )
    def test_share(self, write, count, held_out):
        source, target = _numbered(count)
        problem = _create(
            train_source=write("en", source), train_target=write("de", target)
        )
        train, validation = (_inputs(problem, s) for s in problem.splits)
        assert len(validation) == held_out
        assert sorted(train + validation) == sorted(source)
        assert "held out" in problem.source("validation").description

    def test_depends_on_the_texts_alone(self, write):
        source, target = _numbered(400)
        forward = _create(
            train_source=write("en", source), train_target=write("de", target)
        )
        backward = _create(
            train_source=write("en2", source[::-1]),
            train_target=write("de2", target[::-1]),
        )
        assert set(_inputs(forward, "validation")) == set(
            _inputs(backward, "validation")
        )

    def test_a_repeated_sentence_is_on_one_side(self, write):
        source = [f"s{i % 50}" for i in range(400)]
        problem = _create(
            train_source=write("en", source),
            train_target=write("de", _numbered(400)[1]),
        )
        train, validation = (set(_inputs(problem, s)) for s in problem.splits)
        assert train
        assert validation
        assert not train & validation

    def test_one_pair_leaves_nothing_to_train_on(self, write):
        problem = _create(train_source=write("x.tsv", ["a\tb"]))
        with pytest.raises(UserError, match="train split has no examples"):
            problem.source("train")

    def test_evaluation_files_leave_the_training_pairs_whole(self, write):
        problem = _create(
            train_source=write("x.tsv", ["a\tb", "c\td"]),
            eval_source=write("y.tsv", ["e\tf"]),
        )
        assert _inputs(problem, "train") == ["a", "c"]


class TestRefusals:
    def test_no_file(self):
        with pytest.raises(UserError, match="needs --train_source=<file> and"):
            _create().source("train")

    def test_missing_file_names_its_flag(self, write):
        problem = _create(
            train_source=write("en", ["a"]), train_target="/nowhere/de"
        )
        with pytest.raises(
            UserError, match="--train_target=/nowhere/de: no such file"
        ):
            problem.source("train")

    def test_a_missing_test_file_is_seen_at_once(self, write):
        problem = _create(
            train_source=write("x.tsv", ["a\tb"]), test_source="/nowhere.tsv"
        )
        with pytest.raises(UserError, match=r"--test_source=/nowhere\.tsv"):
            problem.source("train")

    def test_target_without_source(self, write):
        problem = _create(
            train_source=write("x.tsv", ["a\tb"]),
            eval_target=write("de", ["a"]),
        )
        with pytest.raises(UserError, match="needs --eval_source"):
            problem.source("validation")

    def test_source_without_target(self, write):
        problem = _create(train_source=write("en", ["a"]))
        with pytest.raises(UserError, match="needs --train_target"):
            problem.source("train")

    def test_a_tsv_with_a_target(self, write):
        problem = _create(
            train_source=write("x.tsv", ["a\tb"]),
            train_target=write("de", ["c"]),
        )
        with pytest.raises(UserError, match=r"x\.tsv is a \.tsv, which holds"):
            problem.source("train")

    def test_a_folder(self, write, tmp_path):
        problem = _create(
            train_source=str(tmp_path), train_target=write("de", ["a"])
        )
        with pytest.raises(UserError, match=f"{tmp_path}: is a folder; give"):
            problem.source("train")

    def test_different_lengths(self, write):
        problem = _create(
            train_source=write("en", ["a"] * 3),
            train_target=write("de", ["b"] * 5),
        )
        with pytest.raises(UserError, match=r"has 3 lines but .* has 5"):
            problem.source("train")

    def test_empty_file(self, write):
        problem = _create(
            train_source=write("en", []), train_target=write("de", [])
        )
        with pytest.raises(UserError, match="en: empty"):
            problem.source("train")

    def test_only_empty_sides(self, write):
        problem = _create(train_source=write("x.tsv", ["a\t", "\tb", " \t "]))
        with pytest.raises(UserError, match="no pair has text on both sides"):
            problem.source("train")

    def test_unknown_split(self, write):
        problem = _create(train_source=write("x.tsv", ["a\tb", "c\td"]))
        with pytest.raises(UserError, match="no split 'test'"):
            problem.source("test")


def test_empty_sides_are_left_out_and_counted(write, caplog):
    source, target = _numbered(40)
    source[3], target[5], target[7] = "", "", "  "
    problem = _create(
        train_source=write("en", source), train_target=write("de", target)
    )
    with caplog.at_level("WARNING"):
        facts = [problem.source(split) for split in problem.splits]
    assert sum(fact.count for fact in facts) == 37
    assert "3 pairs with an empty side left out" in facts[0].description
    assert caplog.text.count("left out 3 of 40 pairs") == 1
