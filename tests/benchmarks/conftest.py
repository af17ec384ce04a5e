"""Lets tests import what stands in benchmarks/, and makes stored results."""

import json
import pathlib
import sys

import pytest

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

BLEU_NONE = "nrefs:1|case:mixed|eff:no|tok:none|smooth:exp|version:2.6.0"
MACHINE = {"cpu": "Some CPU", "cores": 2, "flags": ["avx512f", "avx2"]}


def _view(bleu, chrf, signature):
    return {
        "bleu": bleu,
        "bleu_ci": [bleu - 1, bleu + 1],
        "bleu_signature": signature,
        "chrf": chrf,
        "chrf_signature": "chrf's",
    }


def result(recipe, seed, bleu, **changes):
    """Returns the stored result of a run on tokenised text."""
    cased = _view(bleu - 20, 40.0, "cased's") | {"ceiling_bleu": 23.27}
    return {
        "recipe": recipe,
        "flags": ["--problem=p", "--decode_hparams=a=1,b=2"],
        "seed": seed,
        "command": "t2t_lite_trainer --problem=p",
        "starts": [
            {
                "seconds": 3600.0,
                "commit": "0123456789abcdef",
                "dirty": False,
                "machine": MACHINE,
            }
        ],
        "seconds": 3600.0,
        "updates": 1000 * seed,
        "target_tokens": 1234567,
        "parameters": 2_357_760,
        "data_hash": "feed",
        "weights": "last",
        "validation": {"bleu": bleu + 1},
        "scores": {
            "problem": _view(bleu, 60.0, BLEU_NONE),
            "cased": cased,
            "lowercase": _view(bleu - 1, 59.0, "lower-cased's"),
        },
    } | changes


@pytest.fixture
def save(tmp_path):
    """Stores results below `tmp_path`/quality, with two evaluations each."""
    folder = tmp_path / "quality"

    def write(*results):
        for each in results:
            path = folder / each["recipe"] / f"seed{each['seed']}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(each))
            metric = next(iter(each["scores"]["problem"]))
            rows = [
                {"step": 1, "kind": "train", "loss": 5.0},
                {"step": 2, "kind": "validation", "loss": 4.0, metric: 1.0},
                {"step": 4, "kind": "validation", "loss": 3.0, metric: 2.0},
            ]
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            path.with_suffix(".metrics.jsonl").write_text(lines)
        return folder

    return write
