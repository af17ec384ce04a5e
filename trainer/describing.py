"""What a run's first lines say of its sizes and batches."""

from __future__ import annotations

from t2t_lite.data.batching import TrainBatches
from t2t_lite.data.records import PreparedData
from t2t_lite.hparams import HParams


def sizes(hparams: HParams) -> str:
    """Returns the sizes of a model in a few words."""
    names = ("num_hidden_layers", "hidden_size", "filter_size", "num_heads")
    found = [f"{n}={getattr(hparams, n)}" for n in names if hasattr(hparams, n)]
    return "(" + ", ".join(found) + ")"


def savings(hparams: HParams) -> list[tuple[str, str]]:
    """Returns the row that says what saves memory, if anything does."""
    parts = []
    if getattr(hparams, "recompute", False):
        parts.append("layers are computed again in the backward pass")
    if hparams.softmax_chunk:
        parts.append(f"logits of {hparams.softmax_chunk:,} tokens at a time")
    return [("memory", "; ".join(parts))] if parts else []


def data(prepared: PreparedData, hparams: HParams) -> str:
    """Returns how many examples there are, of what."""
    samples, task = hparams.subword_samples, prepared.task
    each = f"(each pair in {samples} segmentations) " if samples else ""
    counts = [prepared.split(n).num_examples for n in ("train", "validation")]
    facts = [task.describe()]
    if task.has_text:
        facts.append(
            f"vocabulary of {task.vocab_size:,} ({hparams.vocab_kind})"
        )
    if task.labels:
        facts.append(f"{len(task.labels):,} labels")
    return (
        f"{counts[0]:,} training {each}and {counts[1]:,} validation examples, "
        + ", ".join(facts)
    )


def batches(found: TrainBatches) -> str:
    """Returns the shapes of batches and the padding in them."""
    plan = found.plan
    shapes = ", ".join(
        f"{s.rows} x {s.inputs_length}/{s.targets_length}" for s in plan.shapes
    )
    several = ", several examples in a row" if plan.packed else ""
    return (
        f"{found.batches_per_epoch(0):,} an epoch; rows x source/target length "
        f"{shapes}{several}; {found.padding_share:.1%} padding, "
        f"{plan.dropped:,} examples over max_length dropped"
    )


def update(
    tokens: int, accumulated: int, devices: int, turns: int, lanes: int
) -> str:
    """Returns how many tokens an update has, and how they are shared out."""
    text = f"{tokens:,} tokens"
    if accumulated > 1:
        text += f", {accumulated} batches accumulated"
    shares = {"devices": devices, "turns": turns, "lanes": lanes}
    parts = [f"{n} {name}" for name, n in shares.items() if n > 1]
    return text + (f", each cut over {' x '.join(parts)}" if parts else "")
