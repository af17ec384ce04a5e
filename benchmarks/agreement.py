"""Whether exports of a run say what its float32 model says, on its test.

    python benchmarks/agreement.py --output_dir=runs/multi30k/seed1 --report

Decodes the test's sources, which the finished run's folder holds, with the
float32 Keras model, with SavedModels of it, and with CTranslate2 of the same
weights where that is installed, and prints for each the scores and on how many
lines its best output is the model's. Exits with 1 where a SavedModel's or
CTranslate2 float32's main score is more than --most_lost away, or fewer lines
than --least_same percent are the same.

The search is the run's own, or that of --decode_hparams. CTranslate2's has the
length penalty of length_offset=0, so give that where it is to be compared.
"""

from __future__ import annotations

import argparse
import itertools
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import measuring

from t2t_lite.errors import UserError
from t2t_lite.trainer import packed_weights

REPORT = measuring.RESULTS.parent / "decoding" / "agreement.json"
# SavedModels by name: what it computes in, weights, parts, and whether it is
# asked to agree.
FORMS = {
    "SavedModel float32": ("float32", "variables", 1, True),
    "SavedModel bfloat16": ("bfloat16", "variables", 1, True),
    "SavedModel bfloat16, 2 parts": ("bfloat16", "variables", 2, True),
    "SavedModel bfloat16 constants": ("mixed_bfloat16", "constants", 1, True),
    "SavedModel int8": ("int8", "variables", 1, False),
}
# CTranslate2's types, and whether each is asked to agree.
TYPES = {"float32": True, "bfloat16": False, "int8": False}


def exports(
    run: str, search: str | None, reference, folder: str
) -> Iterator[tuple[str, bool, Callable[[list[str]], list[str]]]]:
    """Yields (name, whether it is asked to agree, from texts to texts).

    Args:
        run: the run's folder.
        search: decode hparams; None = the run's.
        reference: the float32 predictor.
        folder: where models are written.
    """
    from t2t_lite.trainer import exporting, inference
    from t2t_lite.trainer.export_check import SavedModel

    for name, (policy, weights, parts, asked) in FORMS.items():
        predictor = inference.load(run, decode_hparams=search, dtype=policy)
        path = exporting.export(
            predictor,
            os.path.join(folder, name),
            form=exporting.Form(weights, parts),
        )
        yield name, asked, SavedModel(path, reference.model.task)
    try:
        import ctranslate2
    except ImportError:
        print("skipped CTranslate2: pip install ctranslate2")
        return
    from t2t_lite.trainer.ctranslate2_model import translator, write

    path = os.path.join(folder, "ctranslate2")
    write(reference, path)
    known = ctranslate2.get_supported_compute_types("cpu")
    for dtype, asked in TYPES.items():
        if dtype not in known:
            print(f"skipped CTranslate2 {dtype}: not on this processor")
            continue
        answer = translator(path, reference, dtype)
        yield f"CTranslate2 {dtype}", asked, answer


def measure(args) -> dict:
    """Decodes with all, and returns what a report holds."""
    from t2t_lite import problems
    from t2t_lite.trainer import inference
    from t2t_lite.trainer.run_folder import RunFolder
    from t2t_lite.trainer.run_texts import RunTexts

    run, search = args.output_dir, args.decode_hparams
    texts = RunTexts.read(run)
    description = RunFolder(run).describe()
    problem = problems.create(
        description.problem, description.problem_options, run
    )
    reference = inference.load(run, decode_hparams=search)

    rows, expected = [], None
    with tempfile.TemporaryDirectory() as folder:
        first = ("Keras float32", False, reference)
        others = exports(run, search, reference, folder)
        for name, asked, answer in itertools.chain([first], others):
            begin = time.perf_counter()
            outputs = answer(texts.sources)
            seconds = time.perf_counter() - begin
            print(f"  {name}: {seconds:.0f} s", flush=True)
            expected = expected or outputs
            pairs = zip(outputs, expected, strict=True)
            rows.append(
                {
                    "name": name,
                    "asked": asked,
                    "scores": problem.score(
                        outputs, texts.references, texts.sources
                    ),
                    "same": sum(a == b for a, b in pairs),
                    "lines": len(outputs),
                }
            )
    return {
        "problem": description.problem,
        "model": description.model,
        "data_hash": description.data_hash,
        "metric": problem.main_metric,
        "search": str(reference.options),
        "rows": rows,
    }


def failures(found: dict, most_lost: float, least_same: float) -> list[str]:
    """Returns a line for each contender that does not agree as asked.

    Args:
        found: of `measure`.
        most_lost: how far its main score may be from the model's.
        least_same: percent of lines that are to be the same.
    """
    metric = found["metric"]
    first = found["rows"][0]["scores"][metric]
    lines = []
    for row in found["rows"]:
        away = abs(row["scores"][metric] - first)
        share = 100 * row["same"] / row["lines"]
        if row["asked"] and (away > most_lost or share < least_same):
            lines.append(
                f"{row['name']}: {metric} is {away:.2f} away (at most "
                f"{most_lost:g} asked), {share:.1f}% of the lines are the "
                f"same (at least {least_same:g}%)"
            )
    return lines


def show(found: dict) -> None:
    """Prints the table."""
    metric = found["metric"]
    names = [
        name
        for name, value in found["rows"][0]["scores"].items()
        if isinstance(value, float)
    ]
    print(found["search"])
    print(found["rows"][0]["scores"].get(f"{metric}_signature", ""))
    measuring.print_table(
        ("", *names, "the same lines", "share"),
        [
            (
                row["name"],
                *(f"{row['scores'][name]:.2f}" for name in names),
                f"{row['same']:,} of {row['lines']:,}",
                f"{row['same'] / row['lines']:.1%}",
            )
            for row in found["rows"]
        ],
    )


def main() -> None:
    """Measures, prints, and exits with the status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output_dir", required=True, help="a finished run's")
    parser.add_argument(
        "--decode_hparams", help="the search; by default the run's"
    )
    parser.add_argument("--most_lost", type=float, default=0.1)
    parser.add_argument("--least_same", type=float, default=97.0)
    parser.add_argument(
        "--report", nargs="?", const=str(REPORT), help="JSON file (%(const)s)"
    )
    args = parser.parse_args()
    packed_weights.pack_once()
    try:
        found = measure(args)
    except UserError as error:
        sys.exit(f"agreement.py: {error}")
    show(found)
    if args.report:
        limits = {"most_lost": args.most_lost, "least_same": args.least_same}
        measuring.write_report(args.report, {**found, **limits})
    missed = failures(found, args.most_lost, args.least_same)
    for line in missed:
        print(f"not as asked: {line}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
