"""docs/results.md, made from the stored results and nothing else."""

from __future__ import annotations

import os
import pathlib
import statistics
from collections.abc import Callable

import quality_store
import report_parts
from recipes import BAR_BLEU, BAR_NAME, BAR_SOURCE, RECIPES
from report_parts import NONE, Result

from t2t_lite.data import storage

_INTRODUCTION = f"""# Quality over seeds

Made by `python benchmarks/quality.py --report` from the files in
`docs/results/quality`: do not edit. Every number is of a run that is stored
there with its command, commit, machine, signatures and outputs. Weights were
chosen on validation; the test was decoded once, at the end. ± is the standard
deviation over seeds (n - 1), [low, high] the 95 % bootstrap interval of one
run's score.

Train the seeds of a recipe, or go on where that was interrupted:

```
python -m pip install -e ".[quality]"
python benchmarks/quality.py --recipe=multi30k --seeds=1,2,3 \\
  --source_dir=multi30k --work_dir=work
```

The bar: **{BAR_BLEU:.2f}** BLEU on lower-cased, tokenised text,
test_2016_flickr, English to German.
{BAR_SOURCE}.

Three ways to score, which must not be mixed:

- **tokenised, lower-case**: on upstream's `lc.norm.tok` text as it is, without
  further tokenisation. What papers on Multi30k report, and so the bar.
- **cased** and **lower-cased 13a**: sacreBLEU with tokenizer 13a of
  detokenised outputs against upstream's raw references. Outputs that were
  learned lower-cased are lower-case here too, so that cased BLEU cannot be high
  whatever the model: "at most" is what the references themselves score after
  the same treatment.
"""


def write(page: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes the page, and the curves of each recipe.

    Args:
        page: the Markdown file.
        folder: of the stored results.
    Raises:
        UserError: a stored result is damaged.
    """
    stored = quality_store.load(folder)
    for recipe, results in stored.items():
        _draw(folder, results, folder / recipe / "curves.png")
    storage.write_text(str(page), text(page, folder))


def text(page: pathlib.Path, folder: pathlib.Path) -> str:
    """Returns the page's Markdown; arguments and errors as `write`."""
    stored = quality_store.load(folder)
    names = [*RECIPES, *(name for name in stored if name not in RECIPES)]
    parts = [_INTRODUCTION, _summary({n: stored.get(n, []) for n in names})]
    links = pathlib.Path(os.path.relpath(folder, page.parent))
    for name in names:
        results = stored.get(name, [])
        parts.append(
            _section(name, results, links) if results else _empty(name)
        )
    return "\n".join(parts)


def _summary(stored: dict[str, list[Result]]) -> str:
    rows = [
        [
            "recipe",
            "seeds",
            "tokenised, lower-case BLEU",
            "over the bar",
            "cased 13a BLEU",
            "lower-cased 13a BLEU",
            "lower-cased chrF",
            "parameters",
            "updates",
            "wall time of a seed",
        ],
        [BAR_NAME, NONE, f"{BAR_BLEU:.2f}", *[NONE] * 7],
    ]
    for name, results in stored.items():
        row = _summary_row(results) if results else ["not run yet", *[""] * 8]
        rows.append([f"[{name}](#{name})", *row])
    return report_parts.table(rows)


def _summary_row(results: list[Result]) -> list[str]:
    tokenised = [_tokenised_bleu(result) for result in results]
    over = NONE
    if None not in tokenised:
        over = f"{statistics.mean(tokenised) - BAR_BLEU:+.2f}"

    def spread(view, name):
        return report_parts.mean(
            [_score(result, view, name) for result in results]
        )

    seconds = statistics.mean(result["seconds"] for result in results)
    updates = statistics.mean(result["updates"] for result in results)
    sizes = sorted({result["parameters"] for result in results})
    return [
        str(len(results)),
        report_parts.mean(tokenised),
        over,
        spread("cased", "bleu"),
        spread("lowercase", "bleu"),
        spread("lowercase", "chrf"),
        ", ".join(f"{size:,}" for size in sizes),
        f"{updates:,.0f}",
        report_parts.duration(seconds),
    ]


def _empty(name: str) -> str:
    command = report_parts.command(RECIPES[name])
    return f"## {name}\n\nNothing has been run yet.\n\n{command}"


def _section(name: str, results: list[Result], links: pathlib.Path) -> str:
    parts = [f"## {name}\n"]
    flags = [result["flags"] for result in results]
    if any(other != flags[0] for other in flags):
        parts.append("These seeds were not trained with the same flags.\n")
    elif flags[0] != RECIPES.get(name):
        parts.append(
            "These runs were made with flags that the recipe no longer has.\n"
        )
    picture = (links / name / "curves.png").as_posix()
    parts += [
        report_parts.command(flags[0]),
        _seeds(name, results, links),
        f"![validation loss and score by updates]({picture})\n",
        _facts(results),
    ]
    return "\n".join(parts)


def _seeds(name: str, results: list[Result], links: pathlib.Path) -> str:
    columns = _score_columns(results[0]) | {
        "validation": _validation,
        "weights": lambda r: r["weights"],
        "updates": lambda r: f"{r['updates']:,}",
        "target tokens": lambda r: f"{r['target_tokens']:,}",
        "wall time": lambda r: report_parts.duration(r["seconds"]),
        "processor time by core": report_parts.core_time,
        "commit": report_parts.commits,
    }
    rows = [["seed", *columns]]
    for result in results:
        file = (links / name / f"seed{result['seed']}").as_posix()
        outputs = f"([outputs]({file}.outputs.txt))"
        seed = f"[{result['seed']}]({file}.json) {outputs}"
        rows.append([seed, *(cell(result) for cell in columns.values())])
    return report_parts.table(rows)


def _score_columns(result: Result) -> dict[str, Callable[[Result], str]]:
    own = _own_metric(result)
    if own != "bleu":
        return {own: lambda r: _with_interval(r, "problem", own)}
    columns = {
        "cased 13a BLEU": lambda r: _with_interval(r, "cased", "bleu"),
        "lower-cased 13a BLEU": lambda r: _with_interval(
            r, "lowercase", "bleu"
        ),
        "lower-cased chrF": lambda r: _with_interval(r, "lowercase", "chrf"),
    }
    if _tokenised_bleu(result) is None:
        return columns
    return {
        "tokenised, lower-case BLEU": lambda r: _with_interval(
            r, "problem", "bleu"
        ),
        **columns,
    }


def _facts(results: list[Result]) -> str:
    """Returns what the seeds have in common, each different value once."""
    lines = []
    for view, scores in results[0]["scores"].items():
        for name, value in scores.items():
            if name.endswith("_signature"):
                metric = name.removesuffix("_signature")
                lines.append(f"{metric}, {_VIEWS[view]}: `{value}`")
        if "ceiling_bleu" in scores:
            lines.append(
                f"BLEU {_VIEWS[view]}: at most {scores['ceiling_bleu']:.2f}"
            )
    hashes = {result["data_hash"] for result in results}
    lines.append("data hash: " + ", ".join(f"`{h}`" for h in sorted(hashes)))
    machines = {
        report_parts.machine(start["machine"])
        for result in results
        for start in result["starts"]
    }
    lines.append("machine: " + "; ".join(sorted(machines)))
    return "".join(f"- {line}\n" for line in lines)


_VIEWS = {
    "problem": "as the problem scores it",
    "cased": "cased, detokenised",
    "lowercase": "lower-cased, detokenised",
}


def _own_metric(result: Result) -> str:
    """Returns the problem's main metric: the first of its test."""
    scores = result["scores"]["problem"]
    return next(k for k, v in scores.items() if isinstance(v, float))


def _tokenised_bleu(result: Result) -> float | None:
    """Returns BLEU of text that is tokenised already, or None."""
    scores = result["scores"]["problem"]
    if "tok:none" not in scores.get("bleu_signature", ""):
        return None
    return scores["bleu"]


def _score(result: Result, view: str, name: str) -> float | None:
    return result["scores"].get(view, {}).get(name)


def _with_interval(result: Result, view: str, name: str) -> str:
    value = _score(result, view, name)
    if value is None:
        return NONE
    bounds = _score(result, view, f"{name}_ci")
    if not bounds:
        return f"{value:.2f}"
    return f"{value:.2f} [{bounds[0]:.2f}, {bounds[1]:.2f}]"


def _validation(result: Result) -> str:
    value = result.get("validation", {}).get(_own_metric(result))
    return NONE if value is None else f"{value:.2f}"


def _draw(
    folder: pathlib.Path, results: list[Result], path: pathlib.Path
) -> None:
    """Draws validation loss and main metric over updates, a line a seed."""
    from matplotlib.figure import Figure

    metric = _own_metric(results[0])
    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = dict(zip(("loss", metric), figure.subplots(1, 2), strict=True))
    for result in results:
        points = quality_store.curves(folder, result, metric)
        for name, axes in panels.items():
            if points[name]:
                label = f"seed {result['seed']}"
                axes.plot(*zip(*points[name], strict=True), lw=1, label=label)
    for name, axes in panels.items():
        axes.set(title=f"validation {name}", xlabel="updates")
        axes.grid(alpha=0.3)
        if axes.get_lines():
            axes.legend()
    with storage.replacing(str(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
