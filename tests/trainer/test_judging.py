"""How good a model is: by its loss, or by what it answers."""

import types

import numpy as np
import pytest
import tensorflow as tf

from t2t_lite import problems
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.task import Task
from t2t_lite.trainer import early_checks, predictors
from t2t_lite.trainer.judging import Judge
from t2t_lite.trainer.measures import sign_of
from t2t_lite.trainer.options import TrainingOptions
from tests.models.small import LABELS, features_of, small_hparams, small_model
from tests.models_for_tests import word_encoder

TEXTS = ["one two", "red dog", "big", "old"]


def judge_of(case, problem):
    model = small_model(case)
    options = SearchOptions(beam_size=1)
    predictor = predictors.create(model, word_encoder(), model.hparams, options)
    return Judge(problem, predictor)


def split_of(**texts):
    return types.SimpleNamespace(
        name="validation",
        texts=lambda name: texts[name],
        sources=lambda limit=None: texts["inputs"][:limit],
        task=Task(targets="label", labels=LABELS, vocab_size=23),
    )


def batches_of(case):
    """Two batches as the data room gives them: what is no side is empty."""
    found = []
    for seed in (0, 1):
        batch = features_of(case, seed=seed)
        empty = np.zeros((4, 0), np.int32)
        ids = np.arange(4) + 4 * seed
        found.append({"inputs": empty, **batch, "example_ids": ids})
    return found


@pytest.fixture(scope="module")
def language_problem():
    return problems.create("languagemodel_ptb")


def test_a_language_model_is_judged_by_its_loss(language_problem):
    judge = judge_of("language model", language_problem)
    batches = batches_of("language model")
    found = judge(split_of(targets=TEXTS), batches)
    assert found.predictions == []
    model, nats, tokens, hits = judge.predictor.model, 0.0, 0, 0
    for batch in batches:
        targets = batch["targets"]
        logits = model({"targets": targets}).numpy()
        log_probs = tf.nn.log_softmax(logits).numpy()
        chosen = np.take_along_axis(log_probs, targets[..., None], 2)[..., 0]
        real = targets != 0
        nats -= chosen[real].sum()
        tokens += real.sum()
        hits += (logits.argmax(axis=2) == targets)[real].sum()
    scores = found.scores
    assert scores["nll"] == pytest.approx(nats / tokens, rel=1e-4)
    assert scores["perplexity"] == pytest.approx(np.exp(nats / tokens), 1e-3)
    assert scores["accuracy"] == pytest.approx(hits / tokens)
    characters = sum(map(len, TEXTS))
    assert scores["nats_per_character"] == pytest.approx(
        nats / characters, rel=1e-4
    )
    # Penn Treebank's are counted with the end of each line.
    words = sum(len(text.split()) + 1 for text in TEXTS)
    assert scores["word_perplexity"] == pytest.approx(
        np.exp(nats / words), rel=1e-3
    )


def test_a_masked_one_is_always_asked_the_same(language_problem):
    judge = judge_of("blanks", language_problem)
    batches = batches_of("blanks")
    split = split_of(targets=TEXTS)
    first, second = (judge(split, batches).scores for _ in range(2))
    assert first == second
    assert set(first) == {"loss", "nll", "perplexity", "accuracy"}
    rows = judge.loss.row_losses(batches[0])
    assert [ids for _, ids in rows] == [[0], [1], [2], [3]]
    assert all(loss > 0 for loss, _ in rows)


def test_labels_are_judged_by_what_is_answered():
    problem = problems.create("sentiment_polarity")
    judge = judge_of("label", problem)
    expected = judge.predictor(TEXTS)
    references = [*expected[:3], "none of them"]
    split = split_of(inputs=TEXTS, targets=references)
    found = judge(split, [])
    assert found.predictions == expected
    assert found.sources == TEXTS
    assert found.scores["accuracy"] == 75.0


@pytest.mark.parametrize(
    ("name", "sign"),
    [("nll", -1), ("wer", -1), ("accuracy", 1), ("bleu", 1), ("f1", 1)],
)
def test_which_way_is_better(name, sign):
    assert sign_of(name) == sign


def options_of(**changes):
    values = {"output_dir": "x", "train_steps": 1, "eval_interval": 1}
    return TrainingOptions(**values | changes)


@pytest.mark.parametrize(
    ("case", "changes", "measured"),
    [
        ("language model", {}, True),
        ("language model", {"eval_steps": 2}, False),
        ("blanks", {}, False),
    ],
)
def test_a_run_stops_by_what_is_measured_alone(
    language_problem, case, changes, measured
):
    """Measures of whole texts need all texts, and all their tokens."""
    name, hparams = small_hparams(case)
    metric = "nats_per_character"
    options = options_of(early_stopping_metric=metric, **changes)
    if measured:
        early_checks.check(language_problem, name, hparams, options)
        return
    with pytest.raises(UserError, match=f"metric={metric}: not measured"):
        early_checks.check(language_problem, name, hparams, options)
    for known in ("loss", "nll", "perplexity", "accuracy"):
        options = options_of(early_stopping_metric=known, **changes)
        early_checks.check(language_problem, name, hparams, options)


def test_what_does_not_fit_is_refused_at_once(language_problem):
    name, hparams = small_hparams("label", pack=True)
    options = options_of()
    with pytest.raises(UserError, match="pack: model transformer_encoder can"):
        early_checks.check(language_problem, name, hparams, options)
    name, hparams = small_hparams("image")
    with pytest.raises(
        UserError,
        match=r"--model=vit: problem languagemodel_ptb is none to text, which "
        r"that model does not take; those that do: transformer_encoder, trans",
    ):
        early_checks.check(language_problem, name, hparams, options)
