"""docs/results.md from stored results: what it says, and what it does not."""

import json
import pathlib
import statistics

import pytest
import quality
import quality_report
import quality_store
import recipes

from t2t_lite.errors import UserError
from tests.benchmarks.conftest import result

BEST = "multi30k_ema"


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The one recipe whose flags are those of the stored results."""
    monkeypatch.setitem(recipes.RECIPES, BEST, result(BEST, 1, 1.0)["flags"])


def _row(text, start):
    (line,) = [x for x in text.splitlines() if x.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_mean_and_deviation_over_seeds(save, tmp_path):
    bleu = [40.0, 41.5, 43.0]
    folder = save(*(result(BEST, k, b) for k, b in enumerate(bleu, 1)))
    text = quality_report.text(tmp_path / "results.md", folder)
    row = _row(text, f"[{BEST}](#{BEST})")
    assert row[1:] == [
        "3",
        f"41.50 ± {statistics.stdev(bleu):.2f}",
        "+0.48",
        "21.50 ± 1.50",
        "40.50 ± 1.50",
        "59.00 ± 0.00",
        "2,357,760",
        "2,000",
        "1 h 00 min",
    ]
    assert "**41.02** BLEU" in text
    assert _row(text, "Wu et al. 2021")[2] == "41.02"


def test_a_row_for_each_seed(save, tmp_path):
    start = result(BEST, 1, 1.0)["starts"][0] | {"cpu_seconds": 5400.0}
    later = start | {"commit": "fedcba9876543210", "dirty": True}
    folder = save(
        result(BEST, 2, 41.5, starts=[start, start, later]),
        result(BEST, 10, 41.0),
    )
    text = quality_report.text(tmp_path / "results.md", folder)
    link = f"quality/{BEST}/seed2"
    row = _row(text, f"[2]({link}.json) ([outputs]({link}.outputs.txt))")
    assert row[1:] == [
        "41.50 [40.50, 42.50]",
        "21.50 [20.50, 22.50]",
        "40.50 [39.50, 41.50]",
        "59.00",
        "42.50",
        "last",
        "2,000",
        "1,234,567",
        "1 h 00 min",
        "2 h 15 min",  # three starts on two cores
        "012345678, fedcba987+changes",
    ]
    link = f"quality/{BEST}/seed10"
    unknown = _row(text, f"[10]({link}.json) ([outputs]({link}.outputs.txt))")
    assert unknown[-3:-1] == ["1 h 00 min", "-"]
    assert text.index("[2](") < text.index("[10](")
    assert "at most 23.27" in text
    assert "`tok:none" not in text
    assert "tok:none|smooth:exp" in text
    assert "machine: 2 cores of Some CPU (avx512f, avx2)\n" in text
    assert f"](quality/{BEST}/curves.png)" in text
    assert "--decode_hparams=a=1,b=2" in text


def test_nothing_is_said_of_what_was_not_run(tmp_path):
    text = quality_report.text(tmp_path / "results.md", tmp_path / "quality")
    for name in recipes.RECIPES:
        assert _row(text, f"[{name}]")[1:] == ["not run yet", *[""] * 8]
        assert f"## {name}\n\nNothing has been run yet.\n" in text


def test_one_seed_has_no_deviation(save, tmp_path):
    folder = save(result(BEST, 1, 40.0))
    text = quality_report.text(tmp_path / "results.md", folder)
    assert _row(text, f"[{BEST}]")[1:4] == ["1", "40.00", "-1.02"]


def test_other_flags_are_told(save, tmp_path):
    page = tmp_path / "results.md"
    folder = save(result(BEST, 1, 40.0))
    text = quality_report.text(page, folder)
    assert "no longer has" not in text
    assert "not trained with" not in text
    save(result(BEST, 1, 40.0, flags=["--problem=old"]))
    text = quality_report.text(page, folder)
    assert "made with flags that the recipe no longer has" in text
    save(result(BEST, 2, 40.0))
    text = quality_report.text(page, folder)
    assert "not trained with the same flags" in text


def test_text_that_is_not_tokenised_is_not_held_against_the_bar(save, tmp_path):
    stored = result(BEST, 1, 40.0)
    stored["scores"]["problem"]["bleu_signature"] = "nrefs:1|tok:13a"
    folder = save(stored)
    text = quality_report.text(tmp_path / "results.md", folder)
    assert _row(text, f"[{BEST}]")[2:4] == ["-", "-"]
    assert "tokenised, lower-case BLEU" not in text.split(f"## {BEST}")[1]


def test_a_recipe_with_another_metric(save, tmp_path):
    scores = {"problem": {"exact_match": 90.0, "exact_match_ci": [80.0, 95.0]}}
    folder = save(result("digits", 1, 0.0, scores=scores, validation={}))
    text = quality_report.text(tmp_path / "results.md", folder)
    assert _row(text, "[digits]")[2:6] == ["-"] * 4
    assert "| 90.00 [80.00, 95.00] | - |" in text


def test_page_and_curves_are_written(save, tmp_path):
    folder = save(result(BEST, 1, 40.0), result(BEST, 2, 41.0))
    page = tmp_path / "results.md"
    quality_report.write(page, folder)
    assert page.read_text() == quality_report.text(page, folder)
    picture = (folder / BEST / "curves.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert list(tmp_path.rglob(".*")) == []


def test_curves_are_those_of_validation(save):
    stored = result(BEST, 1, 40.0)
    points = quality_store.curves(save(stored), stored, "bleu")
    assert points == {
        "loss": [(2, 4.0), (4, 3.0)],
        "bleu": [(2, 1.0), (4, 2.0)],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        (json.dumps({"recipe": BEST}), "flags is missing"),
        (json.dumps(result(BEST, 2, 1.0)), "it is of seed 2"),
        (json.dumps(result("other", 1, 1.0)), "it is of the recipe other"),
        (json.dumps(result(BEST, 1, 1.0, scores={})), "none of the problem"),
        (json.dumps(result(BEST, 1, 1.0, updates="9")), "updates is missing"),
    ],
)
def test_a_damaged_result_is_named(tmp_path, content, message):
    path = tmp_path / BEST / "seed1.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(UserError, match=rf"seed1\.json is damaged .*{message}"):
        quality_store.load(tmp_path)


def test_training_rows_are_thinned():
    train = [{"step": k, "kind": "train", "loss": 1.0} for k in range(1, 1001)]
    evaluation = {"step": 7, "kind": "validation", "bleu_signature": "s"}
    rows = quality_store._thinned([*train, evaluation])
    steps = [row["step"] for row in rows if row["kind"] == "train"]
    assert steps == [*range(1, 1000, 10), 1000]
    assert rows[-1] == {"step": 7, "kind": "validation"}
    assert quality_store._thinned(train[:3]) == train[:3]


def test_the_page_in_docs_is_up_to_date(monkeypatch):
    """If not: python benchmarks/quality.py --report."""
    monkeypatch.undo()  # the recipes as they are
    text = quality_report.text(quality.PAGE, quality.RESULTS)
    assert pathlib.Path(quality.PAGE).read_text() == text
