"""WMT14 through TFDS: a folder in TFDS's own format, and clear refusals."""

import pathlib
import shutil
import time

import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems import downloads, translate
from t2t_lite.registry import PROBLEMS

COUNTS = {"train": 2500, "validation": 3, "test": 2}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Writes wmt14_translate/de-en/1.0.0 as TFDS does; returns its root."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def texts(split, count):
        return tf.data.Dataset.from_tensor_slices(
            {
                language: [f"{split} {language} ü {i}" for i in range(count)]
                for language in ("de", "en")
            }
        )

    root = tmp_path_factory.mktemp("tfds")
    tfds.dataset_builders.store_as_tfds_dataset(
        name="wmt14_translate",
        config="de-en",
        version="1.0.0",
        data_dir=root,
        features=tfds.features.Translation(languages=("de", "en")),
        split_datasets={s: texts(s, n) for s, n in COUNTS.items()},
    )
    return root


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(downloads, "unreachable", lambda url: "no route")


def _create(name, root):
    return problems.create(name, {"tfds_data_dir": str(root)})


class TestPrepared:
    def test_reads_every_pair_once(self, prepared, offline):
        problem = _create("translate_ende", prepared)
        for split, count in COUNTS.items():
            examples = list(problem.examples(split))
            assert {e["inputs"] for e in examples} == {
                f"{split} en ü {i}" for i in range(count)
            }
            for example in examples:
                number = example["inputs"].split()[-1]
                assert example["targets"] == f"{split} de ü {number}"
            assert len(examples) == count

    def test_order_is_always_the_same(self, prepared, offline):
        problem = _create("translate_ende", prepared)
        assert list(problem.examples("train")) == list(
            problem.examples("train")
        )

    def test_both_directions(self, prepared, offline):
        forward = next(_create("translate_ende", prepared).examples("test"))
        names = ("translate_deen", "translate_ende_rev")
        for name in names:
            backward = next(_create(name, prepared).examples("test"))
            assert backward == {
                "inputs": forward["targets"],
                "targets": forward["inputs"],
            }

    @pytest.mark.parametrize(
        "part", ["wmt14_translate/de-en", "wmt14_translate/de-en/1.0.0"]
    )
    def test_a_folder_further_down_serves(self, prepared, offline, part):
        problem = _create("translate_ende", prepared / part)
        assert problem.source("test").count == 2

    def test_environment_names_the_folder(self, prepared, offline, monkeypatch):
        monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
        problem = problems.create("translate_ende")
        assert problem.source_is_local()
        assert problem.source("validation").count == 3
        assert problem.options == {}

    def test_other_pair_is_not_found(self, prepared, offline):
        with pytest.raises(UserError, match=r"no prepared .*/fr-en in"):
            _create("translate_enfr", prepared).source("train")

    def test_wrong_languages(self, prepared, offline):
        folder = prepared / "wmt14_translate" / "de-en" / "1.0.0"
        with pytest.raises(UserError, match="holds de, en, but translate_enfr"):
            _create("translate_enfr", folder).source("train")


class TestDamaged:
    @pytest.fixture
    def copy(self, prepared, tmp_path):
        folder = tmp_path / "1.0.0"
        shutil.copytree(prepared / "wmt14_translate/de-en/1.0.0", folder)
        return folder

    def test_records_cut_short(self, copy, offline):
        (records,) = copy.glob("*-train.tfrecord*")
        records.write_bytes(records.read_bytes()[:-100])
        with pytest.raises(UserError, match="train records cannot be read"):
            _create("translate_ende", copy).source("train")

    def test_records_missing(self, copy, offline):
        (records,) = copy.glob("*-test.tfrecord*")
        records.unlink()
        with pytest.raises(UserError, match="test records cannot be read"):
            _create("translate_ende", copy).source("test")

    def test_facts_unreadable(self, copy, offline):
        (copy / "dataset_info.json").write_text('{"name": ')
        with pytest.raises(UserError, match="not a prepared TFDS folder"):
            _create("translate_ende", copy).source("train")

    def test_split_missing(self, copy, offline):
        info = copy / "dataset_info.json"
        info.write_text(info.read_text().replace('"test"', '"other"'))
        with pytest.raises(UserError, match="has no test split"):
            _create("translate_ende", copy).source("test")


class TestNoData:
    def test_one_line_names_what_was_tried_and_three_ways_on(
        self, tmp_path, offline
    ):
        assert not _create("translate_ende_rev", tmp_path).source_is_local()
        start = time.monotonic()
        with pytest.raises(UserError) as info:
            _create("translate_ende", tmp_path).source("train")
        assert time.monotonic() - start < 5
        message = str(info.value)
        assert "\n" not in message
        for part in (
            f"no prepared wmt14_translate/de-en in {tmp_path}",
            "no route",
            "with a network",
            "--tfds_data_dir=",
            "--problem=translate_files",
        ):
            assert part in message

    def test_a_failed_download_is_one_line(
        self, tmp_path, prepared, monkeypatch
    ):
        import tensorflow_datasets as tfds

        def fail(*args, **kwargs):
            raise ModuleNotFoundError("No module named\n'importlib_resources'")

        monkeypatch.setattr(downloads, "unreachable", lambda url: "")
        monkeypatch.setattr(tfds, "builder", fail)
        with pytest.raises(
            UserError, match=r"named 'importlib_resources'.*tfds_data_dir"
        ):
            _create("translate_ende", tmp_path).source("train")


class TestFamily:
    @pytest.mark.parametrize("language", ["cs", "de", "fr", "hi", "ru"])
    def test_both_directions_are_registered(self, language):
        for name in (f"translate_en{language}", f"translate_{language}en"):
            problem = problems.create(name)
            assert problem.data.config == f"{language}-en"
            assert problem.splits == ("train", "validation", "test")
            assert problem.defaults["vocab_size"] == 32768
            assert len(problem.sample_inputs) == 2
            assert "English" in PROBLEMS.describe(name)

    def test_tfds_has_every_pair(self):
        import tensorflow_datasets as tfds

        configs = tfds.builder_cls("wmt14_translate").builder_configs
        assert {f"{language}-en" for language, _ in translate.LANGUAGES} == set(
            configs
        )

    def test_newest_version_is_taken(self, tmp_path):
        for version in ("1.9.0", "1.10.0"):
            folder = tmp_path / "wmt14_translate" / "de-en" / version
            folder.mkdir(parents=True)
            (folder / "dataset_info.json").write_text("{}")
        (pathlib.Path(folder).parent / "2.0.0").mkdir()  # not finished
        problem = problems.create(
            "translate_ende", {"tfds_data_dir": str(tmp_path)}
        )
        assert problem.data._prepared_folder(problem) == str(folder)
