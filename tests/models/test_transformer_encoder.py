import dataclasses

import numpy as np
import pytest

from t2t_lite.errors import UserError
from t2t_lite.models.masking import MASK_ID
from t2t_lite.models.resolve import build, resolve
from t2t_lite.task import Task
from tests.models.small import (
    LABELS,
    VOCAB,
    features_of,
    small_hparams,
    small_model,
)

CASES = ("label", "tags", "blanks")


def evaluated(case, batch, **changes):
    """Returns logits of what a model makes of a batch, not in training."""
    model = small_model(case, **changes)
    features = model.prepared(batch, training=False)
    return model(features).numpy()


@pytest.mark.parametrize("case", CASES)
def test_padding_changes_nothing(case):
    model = small_model(case, num_hidden_layers=2)
    features = model.prepared(features_of(case), training=False)
    wide = {
        name: np.pad(value, [[0, 0], [0, 4]])
        for name, value in features.items()
    }
    expected = model(features).numpy()
    rows, places, _ = expected.shape
    found = model(wide).numpy()[:rows, :places]
    real = np.ones((rows, places), bool)
    if case != "label":
        real = np.asarray(features["inputs"])[:, :places] != 0
    if case == "blanks":
        real = np.asarray(features["targets"]) != 0
    np.testing.assert_allclose(found[real], expected[real], atol=1e-5)
    np.testing.assert_allclose(
        model.sentence_vectors(wide["inputs"]),
        model.sentence_vectors(features["inputs"]),
        atol=1e-5,
    )


def test_every_place_sees_what_follows():
    batch = features_of("tags")
    before = evaluated("tags", batch)
    batch["inputs"][0, -1] = 3 if batch["inputs"][0, -1] != 3 else 4
    after = evaluated("tags", batch)
    assert np.abs(after[0, 0] - before[0, 0]).max() > 1e-4
    np.testing.assert_allclose(after[1:], before[1:], atol=1e-5)


def test_a_label_is_one_of_the_whole_text():
    logits = evaluated("label", features_of("label"))
    assert logits.shape == (4, 1, len(LABELS) + 1)
    assert evaluated("tags", features_of("tags")).shape == (
        4,
        7,
        len(LABELS) + 1,
    )


def test_blanks_are_asked_at_their_places():
    model, batch = small_model("blanks"), features_of("blanks")
    features = model.prepared(batch, training=False)
    asked, count = features["asked"].numpy(), features["targets"].shape[1]
    logits = model(features).numpy()
    assert logits.shape == (4, count, VOCAB)
    everywhere = np.tile(np.arange(7, dtype=np.int32), (4, 1))
    whole = model({**features, "asked": everywhere}).numpy()
    np.testing.assert_allclose(
        np.take_along_axis(whole, asked[..., None], axis=1), logits, atol=1e-5
    )
    shown = features["inputs"].numpy()
    hidden = shown != batch["targets"]
    assert hidden.any()
    assert set(shown[hidden]) & {MASK_ID}


@pytest.mark.parametrize(
    ("case", "answers"),
    [("label", "label"), ("tags", "tags"), ("blanks", "blanks")],
)
def test_what_it_answers_follows_its_task(case, answers):
    assert small_model(case).answers == answers


def test_all_but_the_head_has_one_name_in_every_task():
    """So that a run on one task can start from one on another."""
    paths = [
        {v.path.removeprefix("transformer_encoder/") for v in model.weights}
        for model in map(small_model, CASES)
    ]
    common = set.intersection(*paths)
    assert "embedding/embeddings" in common
    assert all(path.startswith(("embedding/", "encoder/")) for path in common)
    heads = {path.split("/")[0] for each in paths for path in each - common}
    assert heads == {"labels", "pooler", "transform"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masked_share": 0.0}, "masked_share: expected a share in .0, 1."),
        ({"masked_share": 1.0}, "masked_share: expected a share in .0, 1."),
        ({"classifier_dropout": 1.0}, "classifier_dropout: expected a rate"),
    ],
)
def test_wrong_hyperparameters_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        small_hparams("blanks", **changes)


def test_the_papers_parameter_count():
    """BERT base: "110M", 109,482,240 with its vocabulary of 30,522.

    Ours has no embedding of the two segments (2 x 768), and no layer norm of
    the embeddings (2 x 768); its pooler is the layer before the softmax.
    """
    name, hparams = resolve("transformer_encoder_bert_base")
    counts = [
        build(
            name,
            dataclasses.replace(hparams, num_hidden_layers=number),
            Task(inputs="none", vocab_size=30_522),
            "float32",
        ).count_params()
        for number in (1, 2)
    ]
    found = counts[0] + 11 * (counts[1] - counts[0])
    assert found == 109_482_240 - 2 * 768 - 2 * 768
