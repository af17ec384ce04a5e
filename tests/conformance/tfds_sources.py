"""Small sources of the problems that TensorFlow Datasets prepares."""

import numpy as np

from t2t_lite import problems
from tests.conformance.table import ROWS, sentences, writes


def store(folder, name, features, columns, config=None):
    """Writes splits as TFDS does; returns the option that finds them.

    Args:
        folder: where.
        name, config: TFDS's.
        features: its FeaturesDict.
        columns: per split a dict of a list for each feature.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        config=config,
        version="1.0.0",
        data_dir=folder,
        features=features,
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices(values)
            for split, values in columns.items()
        },
    )
    return {"tfds_data_dir": folder}


_LANGUAGES = ("cs", "de", "fr", "hi", "ru")


@writes(
    *(f"translate_en{language}" for language in _LANGUAGES),
    *(f"translate_{language}en" for language in _LANGUAGES),
)
def wmt(folder, name):
    import tensorflow_datasets as tfds

    other = name.removeprefix("translate_").replace("en", "", 1)
    languages = (other, "en")
    return store(
        folder,
        "wmt14_translate",
        tfds.features.Translation(languages=languages),
        {
            split: {each: sentences(count, each) for each in languages}
            for split, count in (("train", 12), ("validation", 3), ("test", 2))
        },
        config=f"{other}-en",
    )


@writes("sentiment_imdb")
def imdb(folder, name):
    import tensorflow_datasets as tfds

    features = {
        "text": tfds.features.Text(),
        "label": tfds.features.ClassLabel(num_classes=2),
    }
    columns = {
        split: {
            "text": [f"{text}<br />{text}" for text in sentences(ROWS, split)],
            "label": [i % 2 for i in range(ROWS)],
        }
        for split in ("train", "test")
    }
    features = tfds.features.FeaturesDict(features)
    return store(folder, "imdb_reviews", features, columns, "plain_text")


@writes(
    "glue_cola",
    "glue_mnli",
    "glue_mrpc",
    "glue_qnli",
    "glue_rte",
    "glue_sst2",
)
def glue(folder, name):
    import tensorflow_datasets as tfds

    problem = problems.create(name)
    labels, fields = len(problem.labels), problem.fields
    features = {
        **{field: tfds.features.Text() for field in fields},
        "label": tfds.features.ClassLabel(num_classes=labels),
        "idx": np.int32,
    }
    columns = {
        split: {
            **{field: sentences(12, field) for field in fields},
            "label": [i % labels for i in range(12)],
            "idx": np.arange(12, dtype=np.int32),
        }
        for split in ("train", problem.validation)
    }
    features = tfds.features.FeaturesDict(features)
    return store(folder, "glue", features, columns, problem.config)


@writes("languagemodel_lm1b")
def lm1b(folder, name):
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
    columns = {
        split: {"text": sentences(ROWS, split)} for split in ("train", "test")
    }
    return store(folder, "lm1b", features, columns)


@writes("librispeech")
def librispeech(folder, name):
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)
    features = tfds.features.FeaturesDict(
        {
            "speech": tfds.features.Audio(sample_rate=16_000),
            "text": tfds.features.Text(),
        }
    )
    parts = ("train_clean100", "train_clean360", "train_other500")
    columns = {
        split: {
            "speech": rng.integers(-9_000, 9_000, (4, 1_600)),
            "text": ["A DOG", "RUNS", "FAR", "AND SLEEPS"],
        }
        for split in (*parts, "dev_clean", "test_clean")
    }
    return store(folder, "librispeech", features, columns, "default")


@writes("ner_conll2003")
def conll2003(folder, name):
    import tensorflow_datasets as tfds

    tags = problems.create(name).labels
    features = tfds.features.FeaturesDict(
        {
            "tokens": tfds.features.Sequence(tfds.features.Text()),
            "ner": tfds.features.Sequence(
                tfds.features.ClassLabel(names=list(tags))
            ),
        }
    )
    columns = {
        split: {
            "tokens": [text.split()[:3] for text in sentences(12, split)],
            "ner": [[0, 1 + i % 8, 0] for i in range(12)],
        }
        for split in ("train", "dev", "test")
    }
    return store(folder, "conll2003", features, columns, "conll2003")


@writes("summarize_aeslc", "summarize_cnn_dailymail")
def summaries(folder, name):
    import tensorflow_datasets as tfds

    problem = problems.create(name)
    names = (problem.text_feature, problem.summary_feature)
    features = tfds.features.FeaturesDict(
        {feature: tfds.features.Text() for feature in names}
    )
    columns = {
        split: {feature: sentences(12, feature) for feature in names}
        for split in ("train", "validation", "test")
    }
    return store(folder, problem.dataset, features, columns)
