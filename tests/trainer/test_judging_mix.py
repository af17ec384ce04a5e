"""How good a model is on a mix: what is decoded, and whose loss counts."""

import numpy as np
import pytest

from t2t_lite import problems
from t2t_lite.data import prepare
from t2t_lite.data.batching import eval_batches
from t2t_lite.data.bucketing import plan_buckets
from t2t_lite.decoding.search import SearchOptions
from t2t_lite.errors import UserError
from t2t_lite.models.resolve import build
from t2t_lite.trainer import predictors
from t2t_lite.trainer.judging import Judge
from t2t_lite.trainer.measures import sign_of
from t2t_lite.trainer.progress import Progress, StoppingRule
from tests.data.fake import quiet
from tests.models_for_tests import tiny_hparams

TEXTS = ["first line", "the second line", "3", "line four", "one more"] * 4


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A mix of sums and a language model: problem, data, predictor, batches."""
    folder = tmp_path_factory.mktemp("mix")
    (folder / "text").write_text("".join(f"{text}\n" for text in TEXTS))
    problem = problems.create(
        "mix",
        {
            "mix": "algorithmic_addition:1,languagemodel_files:1",
            "train_examples": 20,
            "eval_examples": 7,
            "train_text": str(folder / "text"),
            "eval_text": str(folder / "text"),
        },
    )
    data = prepare(problem, "byte", 0, str(folder / "data"), log=quiet)
    hparams = tiny_hparams(max_length=64)
    model = build("transformer", hparams, data.task, "float32")
    predictor = predictors.create(
        model,
        data.encoder,
        hparams,
        SearchOptions.parse("beam_size=1,extra_length=2"),
    )
    plan = plan_buckets(data.split("train").lengths, 512, 64, 2)
    batches = eval_batches(data.split("validation"), plan)
    return problem, data.split("validation"), predictor, batches


def test_only_what_is_judged_by_outputs_is_decoded(parts):
    problem, split, predictor, batches = parts
    decoded = Judge(problem, predictor)(split, batches)
    assert len(decoded.predictions) == len(decoded.references) == 7
    assert all(s.startswith("algorithmic_add") for s in decoded.sources)
    assert set(decoded.scores) == {
        "mean",
        "algorithmic_addition.exact_match",
        "algorithmic_addition.exact_match_signature",
        "languagemodel_files.nll",
        "languagemodel_files.nats_per_character",
        "languagemodel_files.word_perplexity",
    }


def test_the_loss_of_a_part_is_that_of_its_rows(parts):
    problem, split, predictor, batches = parts
    judge = Judge(problem, predictor)
    scores = judge(split, batches).scores
    sources, targets = split.sources(), split.texts("targets")
    nll = tokens = characters = 0
    for batch in batches:
        for loss, (row,) in judge.loss.row_losses(batch):
            if sources[row].startswith("languagemodel_files:"):
                count = len(targets[row].encode()) + 1
                nll, tokens = nll + loss * count, tokens + count
                characters += len(targets[row])
    assert characters == sum(map(len, TEXTS))
    assert scores["languagemodel_files.nll"] == pytest.approx(
        nll / tokens, rel=1e-5
    )
    assert scores["languagemodel_files.nats_per_character"] == (
        pytest.approx(nll / characters, rel=1e-5)
    )
    exact = scores["algorithmic_addition.exact_match"]
    assert scores["mean"] == pytest.approx(
        (exact + 100 * np.exp(-nll / tokens)) / 2, rel=1e-5
    )


def test_a_limit_is_one_of_decoding(parts):
    problem, split, predictor, batches = parts
    judge = Judge(problem, predictor)
    whole, part = judge(split, batches), judge(split, batches, limit=8)
    # Of the first 8 half are sums.
    assert len(part.predictions) == 4
    assert part.predictions == whole.predictions[:4]
    name = "languagemodel_files.nll"
    assert part.scores[name] == whole.scores[name]


@pytest.mark.parametrize(
    ("metric", "sign"),
    [("bleu", 1), ("nll", -1), ("a.bleu", 1), ("a.nll", -1), ("a.b.wer", -1)],
)
def test_which_way_is_better(metric, sign):
    assert sign_of(metric) == sign


def test_a_measure_that_an_evaluation_lacks_is_named():
    rule = StoppingRule("a.bleu", 5, 0.0)
    with pytest.raises(UserError, match=r"metric=a\.bleu: not measured at st"):
        Progress().judge(rule, {"loss": 1.0})


def test_other_problems_decode_everything(tmp_path):
    options = {"train_examples": 20, "eval_examples": 3}
    problem = problems.create("algorithmic_addition", options)
    assert problem.loss_parts == ()
    assert problem.loss_part("1+2") is None
    scores = {"exact_match": 1.0}
    assert problem.with_losses(scores, {}) == scores
