"""A folder that says it was prepared by TensorFlow Datasets."""

import json
import sys

import pytest

from t2t_lite.errors import UserError
from t2t_lite.problems import create

TFDS = "tensorflow_datasets.core.features"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A version folder, and a module that must not be imported."""
    (tmp_path / "intruder.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "wmt14_translate" / "de-en" / "1.0.0"
    folder.mkdir(parents=True)
    info = {"name": "wmt14_translate", "version": "1.0.0"}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"pythonClassName": "intruder.Feature"}, "no feature of TFDS"),
        ({"type": "intruder.Feature", "content": {}}, "no feature of TFDS"),
        (
            {
                "pythonClassName": f"{TFDS}.features_dict.FeaturesDict",
                "featuresDict": {
                    "features": {"en": {"python_class_name": "intruder.F"}}
                },
            },
            "no feature of TFDS",
        ),
        ({"pythonClassName": ["intruder"]}, "no feature of TFDS"),
        ("[" * 10**5, "is damaged"),
    ],
)
def test_no_module_of_the_folders_choice_is_imported(folder, features, message):
    text = features if isinstance(features, str) else json.dumps(features)
    (folder / "features.json").write_text(text)
    problem = create(
        "translate_ende", {"tfds_data_dir": str(folder.parents[2])}
    )
    with pytest.raises(UserError, match=message):
        next(problem.examples("train"))
    assert "intruder" not in sys.modules
