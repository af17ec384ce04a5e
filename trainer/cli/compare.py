"""t2t_lite_compare: tests whether two runs differ by more than chance."""

from __future__ import annotations

import os
import sys
from typing import Any

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command

FLAGS = flags.FlagValues()

ARGUMENTS = ("RUN_A", "RUN_B")
DESCRIPTION = (
    "Compares the test outputs of two finished runs: scores with 95 % "
    "bootstrap intervals, and paired tests of their difference. In the place "
    "of a run may stand a text file of any system's outputs."
)
EXAMPLES = (
    "t2t_lite_compare runs/small runs/base",
    "t2t_lite_compare runs/base other_system.de --test=randomization",
    "t2t_lite_compare first.de second.de --references=test.de "
    "--json=compared.json",
)
_BOTH = "both"


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_enum(
        "test",
        _BOTH,
        [_BOTH, "bootstrap", "randomization"],
        "Paired bootstrap resampling, paired approximate randomization, or "
        "both.",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "metric",
        [],
        "Metric to compare by, e.g. bleu. Default: all of the test's.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "samples",
        None,
        "Samples of each test. Default: 1000 by bootstrap, 10000 by "
        "randomization.",
        flag_values=values,
        lower_bound=100,
    )
    flags.DEFINE_integer(
        "seed",
        12345,
        "Of the samples.",
        flag_values=values,
        lower_bound=1,
        upper_bound=2**32 - 1,
    )
    flags.DEFINE_string(
        "json", None, "File written with all numbers.", flag_values=values
    )
    with command.group(values, "Of two text files"):
        flags.DEFINE_string(
            "references",
            None,
            "Text file of the references, plain or .gz.",
            flag_values=values,
        )
        flags.DEFINE_enum(
            "tokenize",
            None,
            ["13a", "none", "intl", "char", "zh"],
            "sacreBLEU's tokenizer; none for texts that are tokenised. "
            "Default: 13a.",
            flag_values=values,
        )
        flags.DEFINE_bool("lowercase", None, "Ignore case.", flag_values=values)


def compare(values: flags.FlagValues, paths: list[str]) -> int:
    """Runs the command; returns its exit status."""
    from t2t_lite.data import storage
    from t2t_lite.trainer import comparing

    _check_json(values.json)
    settings = comparing.TextSettings(
        values.references, values.tokenize, values.lowercase
    )
    systems = tuple(comparing.read_system(path) for path in paths)
    references = comparing.references_of(systems, settings)
    signatures = comparing.signatures_of(systems, settings, values.metric)
    samples = _samples(values)
    found = {}
    for name, signature in signatures.items():
        found[name] = comparing.compare(
            systems, references, signature, samples, values.seed
        )
        comparing.check_scores(systems, name, found[name])
    main, same = next(iter(found)), systems[0].outputs == systems[1].outputs
    meaning = (
        "A and B have the same outputs."
        if same
        else comparing.meaning(main, found[main])
    )
    _print(systems, signatures, found, meaning)
    if values.json:
        storage.write_json(
            values.json,
            {
                "systems": [_facts(system) for system in systems],
                "lines": len(references),
                "samples": samples,
                "seed": values.seed,
                "metrics": {
                    name: _numbers(comparison, signatures[name])
                    for name, comparison in found.items()
                },
                "meaning": meaning,
            },
        )
    return 0


def _check_json(path: str | None) -> None:
    """Refuses a file that could not be written, before the work is done."""
    folder = os.path.dirname(os.path.abspath(path or ""))
    if path is not None and (os.path.isdir(path) or not os.path.isdir(folder)):
        raise UserError(
            f"--json={path}: it is a folder, or its folder is not there; give "
            "a file in a folder that is"
        )


def _samples(values: flags.FlagValues) -> dict[str, int]:
    from t2t_lite import significance

    return {
        test: values.samples or usual
        for test, usual in significance.SAMPLES.items()
        if values.test in (_BOTH, test)
    }


def _facts(system: Any) -> dict[str, Any]:
    return {"path": system.path, "is_run": system.is_run, **system.facts}


def _numbers(comparison: Any, signature: str) -> dict[str, Any]:
    return {
        "signature": signature,
        "scores": list(comparison.scores),
        "intervals": [list(bounds) for bounds in comparison.intervals],
        "difference": comparison.difference,
        "p_values": comparison.p_values,
    }


def _print(systems, signatures, found, meaning: str) -> None:
    from t2t_lite.trainer.comparing import label

    for letter, system in zip("AB", systems, strict=True):
        facts = system.facts
        known = [str(facts[n]) for n in ("problem", "model") if n in facts]
        known += [f"seed {facts['seed']}"] if "seed" in facts else []
        print(f"{letter}: {system.path}  {', '.join(known)}".rstrip())
    print(f"{len(systems[0].outputs):,} lines\n")
    tests = next(iter(found.values())).p_values
    rows = [["", "A", "B", "B - A", *(f"p, {test}" for test in tests)]]
    for name, comparison in found.items():
        row = [label(name)]
        for score, (low, high) in zip(
            comparison.scores, comparison.intervals, strict=True
        ):
            row.append(f"{score:.2f} [{low:.2f}, {high:.2f}]")
        row.append(f"{comparison.difference:+.2f}")
        row += [f"{p:.4f}" for p in comparison.p_values.values()]
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        print("  ".join(cell.ljust(width) for cell, width in cells).rstrip())
    print(
        "\n[low, high]: 95 % of bootstrap samples. p: how often equal systems"
    )
    print("come out this far apart; bootstrap counts one tail of the two.")
    for name, signature in signatures.items():
        print(f"{label(name)}: {signature}")
    print(f"\n{meaning}")


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(
        compare,
        FLAGS,
        DESCRIPTION,
        EXAMPLES,
        tensorflow=False,
        arguments=ARGUMENTS,
    )


if __name__ == "__main__":
    sys.exit(main())
