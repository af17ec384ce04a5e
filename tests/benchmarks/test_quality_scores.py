"""Scores of lower-cased, tokenised outputs against upstream's references."""

import json

import pytest
import quality_scores

from t2t_lite import metrics
from t2t_lite.errors import UserError
from t2t_lite.trainer.run_texts import RunTexts

RAW = [
    "Ein Mann, der lacht.",
    'Sie ruft: "Hallo Welt"!',
    "Ein T-Shirt ist rot.",
]
TOKENISED = [
    "ein mann , der lacht .",
    "sie ruft : &quot; hallo welt &quot; !",
    "ein t-shirt ist rot .",
]
OUTPUTS = ["ein mann , der lacht .", "sie ruft : hallo", "ein hemd ist rot ."]


def _run(folder, references, outputs, **options):
    folder.mkdir()
    fields = {"problem": "translate_ende_multi30k", "problem_options": options}
    (folder / "hparams.json").write_text(json.dumps(fields))
    sources = ["source"] * len(outputs)
    RunTexts(outputs, references, sources).write(str(folder))
    test = {"bleu": 1.0, "bleu_signature": "its own"}
    (folder / "results.json").write_text(json.dumps({"test": test}))
    return folder


def _upstream(folder, lines=RAW):
    folder.mkdir()
    for language in ("en", "de"):
        text = "".join(f"{line}\n" for line in lines)
        (folder / f"test_2016_flickr.{language}").write_text(text)
    return folder


def test_tokenised_outputs_are_joined_and_held_against_the_raw_text(tmp_path):
    pytest.importorskip("sacremoses")
    run = _run(
        tmp_path / "run", TOKENISED, OUTPUTS, multi30k_text="lc.norm.tok"
    )
    source = _upstream(tmp_path / "upstream")
    views = quality_scores.score(run, source, tmp_path / "data")
    assert list(views) == ["problem", "cased", "lowercase"]
    assert views["problem"]["bleu_signature"] == "its own"
    joined = ["ein mann, der lacht.", "sie ruft: hallo", "ein hemd ist rot."]
    for name, lowercase in (("cased", False), ("lowercase", True)):
        view = views[name]
        bleu = metrics.bleu(joined, RAW, lowercase=lowercase)
        assert (view["bleu"], view["bleu_signature"]) == bleu
        low, high = view["bleu_ci"]
        assert low <= view["bleu"] <= high
        chrf = metrics.chrf(joined, RAW, lowercase=lowercase)
        assert (view["chrf"], view["chrf_signature"]) == chrf
    assert "case:mixed" in views["cased"]["bleu_signature"]
    assert "case:lc" in views["lowercase"]["bleu_signature"]
    assert views["lowercase"]["ceiling_bleu"] == pytest.approx(100)
    assert views["cased"]["ceiling_bleu"] < 100


def test_raw_outputs_are_scored_as_they_are(tmp_path):
    run = _run(tmp_path / "run", RAW, OUTPUTS)
    views = quality_scores.score(run, None, tmp_path / "data")
    assert views["cased"]["bleu"] == metrics.bleu(OUTPUTS, RAW)[0]
    assert "ceiling_bleu" not in views["lowercase"]


def test_other_metrics_than_bleu_have_one_view(tmp_path):
    run = _run(tmp_path / "run", RAW, OUTPUTS)
    test = {"exact_match": 3.0}
    (run / "results.json").write_text(json.dumps({"test": test}))
    found = quality_scores.score(run, None, tmp_path / "data")
    assert found == {"problem": test}


def test_upstreams_files_have_to_be_those_of_the_run(tmp_path):
    run = _run(
        tmp_path / "run", TOKENISED, OUTPUTS, multi30k_text="lc.norm.tok"
    )
    source = _upstream(tmp_path / "upstream", RAW[:2])
    with pytest.raises(UserError, match=r"3 outputs but .* has 2 lines; give"):
        quality_scores.score(run, source, tmp_path / "data")


def test_a_missing_detokenizer_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sacremoses", None)
    with pytest.raises(UserError, match=r'pip install "\.\[quality\]"'):
        quality_scores.detokenizer("de")


def test_which_recipes_need_it():
    needs = quality_scores.needs_detokenizer
    assert needs(["--model=m", "--multi30k_text=lc.norm.tok"])
    assert not needs(["--multi30k_text=raw"])
