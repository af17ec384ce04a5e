"""Runs that begin with another run's weights."""

import os
import re
import shutil

import numpy as np
import pytest

from t2t_lite.data import storage
from t2t_lite.data.text_encoder import ByteEncoder
from t2t_lite.errors import UserError
from t2t_lite.task import Task
from t2t_lite.trainer import checkpoints
from t2t_lite.trainer.training import Training
from t2t_lite.trainer.warm_start import Source
from tests.models.small import LABEL, LABELS, VOCAB, small_model
from tests.models_for_tests import word_encoder
from tests.task_runs import make_setup

WORDS = storage.sha256_of_bytes(word_encoder().to_bytes())


def source_of(folder, model, vocabulary=WORDS, **more):
    """Writes a model's checkpoint; returns it as the source of weights."""
    tensors = {f"model/{v.path}": v.numpy() for v in model.weights}
    checkpoints.write(str(folder), tensors | more, {"step": 7})
    return Source("RUN", str(folder), "m", model.task, vocabulary)


def given(folder, old, new, **options):
    """Returns what the table says, by name."""
    source = source_of(folder / "c", old, **options)
    return dict(source.give(new, word_encoder()))


def weights(model):
    return {v.path: v.numpy().copy() for v in model.weights}


def test_what_has_the_same_name_and_shape_is_taken(tmp_path):
    old, new = small_model("blanks", seed=1), small_model("label", seed=2)
    before = weights(new)
    rows = given(tmp_path, old, new)
    there, after = weights(old), weights(new)
    for path in after:
        taken = path.split("/")[1] in ("embedding", "encoder")
        expected = there if taken else before
        np.testing.assert_array_equal(after[path], expected[path], path)
    assert rows["transformer_encoder/embedding"] == "1 weight, 368 numbers"
    assert rows["transformer_encoder/encoder"].startswith("12 weights, ")
    assert rows["labels/embeddings"] == "new: it has none"
    assert rows["transformer_encoder/pooler/kernel"] == "new: it has none"
    assert rows["transformer_encoder/transform"].endswith(", not used")


@pytest.mark.parametrize(
    ("vocabulary", "why"),
    [("0" * 64, "vocabulary is another"), (None, "vocabulary is not known")],
)
def test_tables_of_another_vocabulary_are_left_out(tmp_path, vocabulary, why):
    old, new = small_model("blanks", seed=1), small_model("label", seed=2)
    before = weights(new)
    rows = given(tmp_path, old, new, vocabulary=vocabulary)
    name = "transformer_encoder/embedding/embeddings"
    assert why in rows[name]
    np.testing.assert_array_equal(weights(new)[name], before[name])
    assert "weights" in rows["transformer_encoder/encoder"]


@pytest.mark.parametrize(
    ("labels", "taken"), [(LABELS, True), (LABELS[::-1], False)]
)
def test_labels_must_be_the_same_in_the_same_order(tmp_path, labels, taken):
    task = Task(targets="label", labels=labels, vocab_size=VOCAB)
    old = small_model("label", seed=1)
    new = small_model("label", seed=2, task=task)
    rows = given(tmp_path, old, new)
    name = "labels/embeddings"
    if taken:
        assert rows[name] == "1 weight, 64 numbers"
    else:
        assert rows[name] == "new: its labels are others"
    same = np.array_equal(weights(new)[name], weights(old)[name])
    assert same == taken
    assert old.task == LABEL


def test_another_shape_is_said(tmp_path):
    old = small_model("label", seed=1)
    new = small_model("label", seed=2, filter_size=64)
    rows = given(tmp_path, old, new)
    (name,) = [n for n in rows if n.endswith("feed_forward/filter_kernel")]
    assert rows[name] == "new: of shape (16, 64), there (16, 32)"


def test_averages_are_taken_where_there_are_any(tmp_path):
    old, new = small_model("label", seed=1), small_model("label", seed=2)
    name = "transformer_encoder/pooler/bias"
    average = np.arange(16, dtype=np.float32)
    given(tmp_path, old, new, **{f"optimizer/{name}/ema": average})
    np.testing.assert_array_equal(weights(new)[name], average)


def test_nothing_that_fits_is_refused_by_name(tmp_path):
    old, new = small_model("language model"), small_model("image")
    source = source_of(tmp_path / "c", old)
    with pytest.raises(
        UserError,
        match=r"^--warm_start_from=RUN: nothing of it fits: vit/class_token is "
        "new: it has none; ",
    ):
        source.give(new, ByteEncoder())


class TestRuns:
    def test_a_run_begins_and_goes_on(self, task_run, tmp_path, capsys):
        """From a masked language model's, and to the bit after a stop."""
        begun = str(task_run("blanks"))
        final = os.path.join(begun, "checkpoints", "final")
        expected = checkpoints.read(final)[0]
        setup = make_setup(tmp_path / "whole", "label", warm_start_from=begun)
        shown = capsys.readouterr().out
        assert f"weights from {final}:\n" in shown
        assert re.search("  labels/embeddings +new: ", shown)
        name = "model/transformer_encoder/embedding/embeddings"
        np.testing.assert_array_equal(
            setup.model_tensors()[name], expected[name]
        )
        assert not any(slot.numpy().any() for slot in self.moments(setup))
        settings = setup.run.describe().settings
        assert settings["warm_start_from"] == final
        options = {"train_steps": 3, "eval_interval": 3}
        setup.close()
        whole = self.trained(tmp_path / "whole", begun, **options)
        self.trained(tmp_path / "parts", begun, train_steps=1)
        capsys.readouterr()
        parts = self.trained(tmp_path / "parts", begun, **options)
        shown = capsys.readouterr().out
        assert f"--warm_start_from={begun}: not looked at" in shown
        assert "weights from" not in shown
        for name, value in whole.items():
            np.testing.assert_array_equal(value, parts[name], err_msg=name)

    @staticmethod
    def trained(folder, begun, **options):
        setup = make_setup(folder, "label", warm_start_from=begun, **options)
        Training(setup).run()
        settings = setup.run.describe().settings
        assert settings["warm_start_from"].endswith("final")
        setup.close()
        return setup.model_tensors() | setup.optimizer_tensors()

    @staticmethod
    def moments(setup):
        return [
            slot
            for name, slot in setup.step.slots.items()
            if name.startswith("transformer_encoder/")
        ]

    def test_any_checkpoint_will_do(self, task_run, tmp_path, capsys):
        root = task_run("blanks") / "checkpoints"
        (step,) = checkpoints.listing(str(root))
        copy = tmp_path / "alone"
        shutil.copytree(step, copy)
        for folder, known in ((step, True), (str(copy), False)):
            source = Source.find(folder)
            assert source.folder == folder
            assert (source.vocabulary is not None) == known
            assert source.model == ("transformer_encoder" if known else "")

    def test_what_is_no_run_is_refused_at_once(self, tmp_path):
        (tmp_path / "empty").mkdir()
        for path in ("empty", "missing"):
            with pytest.raises(
                UserError, match=f"--warm_start_from=.*{path}: neither a run's"
            ):
                make_setup(
                    tmp_path / "new",
                    "label",
                    warm_start_from=str(tmp_path / path),
                )
        assert not (tmp_path / "new" / "run").exists()
        assert not (tmp_path / "new" / "data").exists()

    def test_nothing_is_left_of_a_run_that_was_refused(
        self, task_run, tmp_path
    ):
        with pytest.raises(UserError, match="nothing of it fits"):
            make_setup(
                tmp_path, "image", warm_start_from=str(task_run("blanks"))
            )
        assert not (tmp_path / "run").exists()
