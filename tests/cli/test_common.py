import pytest
from absl import flags

from t2t_lite import problems
from t2t_lite.trainer.cli import common, train


@pytest.mark.parametrize(
    ("model", "hparams", "expected"),
    [
        # the problem's vocabulary, and the set's where it has its own
        ("transformer_tiny", "", ("bpe", 4000, 4096)),
        ("transformer_multi30k_paper", "", ("bpe", 9712, 4096)),
        ("transformer_multi30k_paper", "vocab_size=500", ("bpe", 500, 4096)),
        ("transformer_multi30k", "batch_size=99", ("bpe", 5000, 99)),
    ],
)
def test_set_problem_and_user_choose_in_order(model, hparams, expected):
    values = flags.FlagValues()
    for name, value in (("model", model), ("hparams", hparams)):
        flags.DEFINE_string(name, value, "", flag_values=values)
    values.mark_as_parsed()
    problem = problems.create("translate_ende_multi30k", {})
    name, found = common.resolve_hparams(values, problem)
    assert name == "transformer"
    assert (found.vocab_kind, found.vocab_size, found.batch_size) == expected
    assert found.max_length == problem.defaults["max_length"]


def test_recompute_is_a_flag_of_its_own():
    values = flags.FlagValues()
    train._define(values)
    arguments = ["--model=transformer_tiny", "--recompute"]
    values(["train", *arguments, "--hparams=softmax_chunk=512"])
    problem = problems.create("translate_ende_multi30k", {})
    _, found = common.resolve_hparams(values, problem)
    assert found.recompute
    assert found.softmax_chunk == 512
