"""Every problem of TFDS on small data in TFDS's format; and what is refused.

The features are those of TFDS's own builders.
"""

import shutil

import numpy as np
import pytest

from t2t_lite import problems
from t2t_lite.errors import UserError
from t2t_lite.problems.tfds_source import TfdsSource
from t2t_lite.registry import PROBLEMS
from tests.problems import tfds_folders

CLIP = [-(2**15), 5, 2**15 - 1]
_AUDIO = {"speech": CLIP, "text": "HELLO THERE"}
# By problem: TFDS's name, its splits' examples, and what train becomes.
DATA = {
    "sentiment_imdb": (
        "imdb_reviews/plain_text",
        {
            split: [
                {"text": f"A  <br />{split}\n film {i}", "label": i % 2}
                for i in range(40)
            ]
            for split in ("train", "test")
        },
        {"inputs": "A train film 1", "targets": "positive"},
    ),
    "glue_cola": (
        "glue/cola",
        {
            "train": [{"sentence": "Is  ü\n fine", "label": 1}],
            "validation": [{"sentence": "a", "label": 0}],
        },
        {"inputs": "Is ü fine", "targets": "acceptable"},
    ),
    "glue_sst2": (
        "glue/sst2",
        {
            "train": [{"sentence": "good ", "label": 1}],
            "validation": [{"sentence": "a", "label": 0}],
        },
        {"inputs": "good", "targets": "positive"},
    ),
    "glue_mrpc": (
        "glue/mrpc",
        {
            "train": [{"sentence1": "a", "sentence2": "b", "label": 0}],
            "validation": [{"sentence1": "a", "sentence2": "b", "label": 1}],
        },
        {"inputs": "a ||| b", "targets": "not_equivalent"},
    ),
    "glue_rte": (
        "glue/rte",
        {
            "train": [{"sentence1": "a", "sentence2": "b", "label": 0}],
            "validation": [{"sentence1": "a", "sentence2": "b", "label": 1}],
        },
        {"inputs": "a ||| b", "targets": "entailment"},
    ),
    "glue_qnli": (
        "glue/qnli",
        {
            "train": [{"question": "a", "sentence": "b", "label": 1}],
            "validation": [{"question": "a", "sentence": "b", "label": 1}],
        },
        {"inputs": "a ||| b", "targets": "not_entailment"},
    ),
    "glue_mnli": (
        "glue/mnli",
        {
            "train": [{"premise": "a", "hypothesis": "b", "label": 2}],
            "validation_matched": [
                {"premise": "a", "hypothesis": "b", "label": 1}
            ],
        },
        {"inputs": "a ||| b", "targets": "contradiction"},
    ),
    "languagemodel_lm1b": (
        "lm1b",
        {
            "train": [{"text": " The end . "}],
            "test": [{"text": f"line {i}"} for i in range(20)],
        },
        {"targets": "The end .", "ends": True},
    ),
    "ner_conll2003": (
        "conll2003/conll2003",
        {
            split: [
                {"tokens": ["EU", "a\u00a0b", "York"], "ner": [3, 0, 6]},
                {"tokens": [], "ner": []},
            ]
            for split in ("train", "dev", "test")
        },
        {"inputs": "EU a_b York", "targets": "B-ORG O I-LOC"},
    ),
    "summarize_cnn_dailymail": (
        "cnn_dailymail",
        {
            split: [
                {
                    "article": " ".join(map(str, range(500))),
                    "highlights": "One .\nTwo .",
                },
                {"article": "a", "highlights": " "},
            ]
            for split in ("train", "validation", "test")
        },
        {
            "inputs": " ".join(map(str, range(400))),
            "targets": "One . Two .",
        },
    ),
    "summarize_aeslc": (
        "aeslc",
        {
            split: [
                {"email_body": "Dear\n\nall", "subject_line": "Hello\n"},
                {"email_body": "\n", "subject_line": "nothing"},
            ]
            for split in ("train", "validation", "test")
        },
        {"inputs": "Dear all", "targets": "Hello"},
    ),
    "speech_digits": (
        "spoken_digit",
        {
            "train": [
                {"audio": CLIP, "audio/filename": f"7_theo_{take}.wav"}
                for take in (12, 0, 7)
            ]
        },
        {"inputs": np.array(CLIP, np.int16), "targets": "seven"},
    ),
    "librispeech": (
        "librispeech/default",
        {
            split: [_AUDIO]
            for split in (
                "train_clean100",
                "train_clean360",
                "train_other500",
                "dev_clean",
                "test_clean",
            )
        },
        {"inputs": np.array(CLIP, np.int16), "targets": "hello there"},
    ),
    "image_cifar10": (
        "cifar10",
        {
            split: [
                {"image": np.full((32, 32, 3), i, np.uint8), "label": i % 10}
                for i in range(40)
            ]
            for split in ("train", "test")
        },
        {"inputs": np.full((32, 32, 3), 1, np.uint8), "targets": "automobile"},
    ),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """TFDS's folder with all of it."""
    folder = tmp_path_factory.mktemp("tfds")
    for name, splits, _ in DATA.values():
        tfds_folders.write(folder, name, splits)
    return folder


def _create(name, root):
    return problems.create(name, {"tfds_data_dir": str(root)})


def _same(first, second):
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key])


def test_every_problem_of_tfds_is_here():
    found = {
        name
        for name in PROBLEMS.names()
        if "tfds_data_dir" in problems.create(name).option_names
    }
    translation = {n for n in found if n.startswith("translate_")}
    assert found - translation - {"mix"} == set(DATA)


@pytest.mark.parametrize("name", DATA)
class TestEveryProblem:
    def test_reads_what_tfds_writes(self, name, root, offline):
        problem = _create(name, root)
        assert problem.source_is_local()
        _, _, expected = DATA[name]
        found = [e for e in problem.examples("train") if _is(e, expected)]
        _same(found[0], expected)

    def test_every_split_has_examples(self, name, root, offline):
        problem = _create(name, root)
        for split in problem.splits:
            facts = problem.source(split)
            assert facts.count > 0
            assert problem.data.dataset in facts.description

    def test_without_data_one_line_says_what_to_do(
        self, name, tmp_path, offline
    ):
        problem = _create(name, tmp_path)
        assert not problem.source_is_local()
        with pytest.raises(UserError, match="no route") as error:
            problem.source("train")
        assert "\n" not in str(error.value)
        assert f"no prepared {problem.data.name} in {tmp_path}" in str(
            error.value
        )


@pytest.mark.parametrize(
    "name", [n for n in DATA if n.startswith(("glue_", "ner_"))]
)
def test_labels_are_tfdss_own(name, root):
    import tensorflow_datasets as tfds

    problem = _create(name, root)
    features = tfds.builder(problem.data.name, data_dir=root).info.features
    label = features["ner"].feature if name == "ner_conll2003" else None
    assert list(problem.labels) == (label or features["label"]).names


def _is(example, expected):
    return all(
        np.array_equal(example[key], value) for key, value in expected.items()
    )


class TestSplits:
    def test_lm1b_parts_its_test(self, root, offline):
        problem = _create("languagemodel_lm1b", root)
        found = {
            split: [e["targets"] for e in problem.examples(split)]
            for split in ("validation", "test")
        }
        assert found["validation"] == ["line 0", "line 10"]
        assert len(found["test"]) == 18

    @pytest.mark.parametrize("name", ["sentiment_imdb", "image_cifar10"])
    def test_a_part_of_training_is_held_out(self, name, root, offline):
        problem = _create(name, root)
        counts = {s: problem.source(s).count for s in problem.splits}
        assert counts == {"train": 38, "validation": 2, "test": 40}
        assert "1 in 20" in problem.describe_source("validation")
        assert "1 in 20" not in problem.describe_source("test")

    def test_takes_of_digits(self, root, offline):
        problem = _create("speech_digits", root)
        assert [problem.source(s).count for s in problem.splits] == [1, 1, 1]

    def test_summaries_without_words_are_left_out(self, root, offline):
        for name in ("summarize_aeslc", "summarize_cnn_dailymail"):
            assert _create(name, root).source("train").count == 1

    def test_words_of_a_text_are_an_option(self, root, offline):
        options = {"tfds_data_dir": str(root), "text_words": 3}
        problem = problems.create("summarize_cnn_dailymail", options)
        assert next(problem.examples("test"))["inputs"] == "0 1 2"


class TestRefusals:
    def test_a_label_out_of_range(self, tmp_path, offline):
        examples = [{"sentence": "x", "label": -1}]
        tfds_folders.write(
            tmp_path, "glue/cola", {"train": examples, "validation": examples}
        )
        with pytest.raises(UserError, match=r"glue/cola: a label of -1, expe"):
            _create("glue_cola", tmp_path).source("train")

    def test_another_data_set_of_the_same_form(self, root, offline):
        folder = root / "glue" / "sst2" / "2.0.0"
        with pytest.raises(
            UserError, match="holds glue/sst2, but glue_cola needs glue/cola"
        ):
            _create("glue_cola", folder).source("train")

    def test_other_features(self, root, offline):
        folder = root / "lm1b" / "1.1.0"
        with pytest.raises(UserError, match="holds text, but glue_cola needs"):
            _create("glue_cola", folder).source("train")

    def test_a_feature_of_another_type(self, tmp_path, offline):
        import tensorflow_datasets as tfds

        features = tfds.features.FeaturesDict(
            {"sentence": tfds.features.Text(), "label": tfds.features.Text()}
        )
        tfds_folders.write_features(
            tmp_path,
            "glue/cola",
            features,
            {"train": [{"sentence": "a", "label": "b"}]},
        )
        with pytest.raises(
            UserError, match=r"label is Text.*glue_cola needs number; give"
        ):
            _create("glue_cola", tmp_path).source("train")

    def test_a_missing_split(self, root, offline):
        folder = root / "conll2003" / "conll2003" / "1.0.0"
        problem = _create("ner_conll2003", folder)
        with pytest.raises(UserError, match="has no nothing split"):
            list(problem.data.rows(problem, "nothing"))

    def test_text_that_is_no_utf8(self, tmp_path, offline):
        tfds_folders.write(tmp_path, "lm1b", {"train": [{"text": b"\xff"}]})
        with pytest.raises(UserError, match="lm1b: the train records cannot"):
            _create("languagemodel_lm1b", tmp_path).source("train")

    def test_audio_of_more_than_16_bits(self, tmp_path, offline):
        clip = {"audio": [2**15], "audio/filename": "1_x_0.wav"}
        tfds_folders.write(tmp_path, "spoken_digit", {"train": [clip]})
        with pytest.raises(UserError, match="audio of more than 16 bits"):
            _create("speech_digits", tmp_path).source("train")

    def test_an_empty_split(self, tmp_path, offline):
        sentence = {"tokens": [], "ner": []}
        name = "conll2003/conll2003"
        tfds_folders.write(tmp_path, name, {"train": [sentence]})
        with pytest.raises(UserError, match="train split has no examples"):
            _create("ner_conll2003", tmp_path).source("train")

    @pytest.mark.parametrize("name", ["ner_conll2003", "image_cifar10"])
    def test_damaged_records(self, name, root, tmp_path, offline):
        tfds_name = DATA[name][0]
        shutil.copytree(root / tfds_name, tmp_path / tfds_name)
        (records,) = tmp_path.rglob("*-train.tfrecord*")
        content = bytearray(records.read_bytes())
        content[len(content) // 2] ^= 255
        records.write_bytes(content)
        with pytest.raises(UserError, match="the train records cannot be read"):
            _create(name, tmp_path).source("train")


def test_small_batches_read_the_same(root, offline):
    problem = _create("sentiment_imdb", root)
    kinds = {"text": "text", "label": "number"}
    found = [
        list(
            TfdsSource(
                "imdb_reviews", "plain_text", kinds, "", batch=batch
            ).rows(problem, "train")
        )
        for batch in (1, 7, 1024)
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 40
