"""What a served model answered, line by line.

A line's results do not depend on the lines that it shared a batch with, but
the shapes around them do: a sentence beside one that wanted three results gets
three columns, and short sentences get the padding of long ones. It goes here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from t2t_lite.errors import UserError

Answer = dict[str, Any]
_RESULTS = ("outputs", "scores", "lengths", "finished")
_SIDES = ("input_tokens", "output_tokens")


def rows_of(
    columns: Mapping[str, list], asked: Sequence[Mapping[str, Any]]
) -> list[Answer]:
    """Returns the outputs of each line.

    Args:
        columns: every output of the signature.
        asked: the inputs of each line.
    Raises:
        ValueError: an output is not as long.
    """
    count = len(asked)
    for column in columns.values():
        if not isinstance(column, list) or len(column) != count:
            raise ValueError(f"the answer to {count} texts is not as long")
    return [
        trimmed(
            {name: columns[name][row] for name in columns},
            asked[row].get("return_attention", False),
        )
        for row in range(count)
    ]


def trimmed(answer: Answer, attention: bool) -> Answer:
    """Returns a line's outputs without what only fills a batch's shape.

    Results that were not asked for have a score of minus infinity, tokens
    after the end mark are "", and attention is there for all lines of a batch
    or for none.

    Args:
        answer: the line's row of every output.
        attention: bool, the line asked for it.
    """
    found = dict(answer)
    if not attention:
        found.pop("attention", None)
    if isinstance(found.get("scores"), list):
        kept = sum(score > -math.inf for score in found["scores"])
        for name in _RESULTS:
            if name in found:
                found[name] = found[name][:kept]
    for name in (*_SIDES, "tokens"):
        if name in found:
            found[name] = [token for token in found[name] if token]
    if "tags" in found:
        found["tags"] = [tag for tag in found["tags"] if tag]
        found["probabilities"] = found["probabilities"][: len(found["tags"])]
    elif "tokens" in found and "probabilities" in found:
        found["tokens"] = [row for row in found["tokens"] if any(row)]
        count = len(found["tokens"])
        found["probabilities"] = found["probabilities"][:count]
    if "tokens" in found and "token_log_probs" in found:
        length = len(found["tokens"])
        found["token_log_probs"] = found["token_log_probs"][:length]
    if "attention" in found:
        _trim_attention(found)
    return found


def _trim_attention(answer: Answer) -> None:
    rows, width = (
        len(answer[f"{side}_tokens"]) for side in ("output", "input")
    )
    answer["attention"] = [row[:width] for row in answer["attention"][:rows]]


def line_of(asked: Mapping[str, Any], answer: Answer, form: str) -> str:
    """Returns what is printed of a line's answer.

    Args:
        asked: the line's inputs; its texts are printed with the answer.
        answer: what `rows_of` gives.
        form: "json", or "text": the best output alone.
    Raises:
        UserError: "text", and the signature has no output of that name.
    """
    if form == "json":
        texts = {k: asked[k] for k in ("inputs", "targets") if k in asked}
        return json.dumps({**texts, **answer}, ensure_ascii=False)
    if "outputs" not in answer:
        raise UserError(
            "the signature has no output 'outputs', only "
            f"{', '.join(sorted(answer))}; check --signature"
        )
    best: str | Sequence[str] = answer["outputs"]
    if isinstance(best, list):
        best = best[0] if best else ""
    # One line an answer, whatever the model wrote.
    return " ".join(str(best).splitlines())
