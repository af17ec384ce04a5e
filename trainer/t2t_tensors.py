"""Tensor2Tensor's tensors as ours: which ones make each of our weights.

| here | there, side by side (columns) or one below the other (rows) |
|---|---|
| embedding | symbol_modality_V_H/shared/weights_0, weights_1, ... (rows) |
| .../query_key_value_kernel | .../q/kernel, k/kernel, v/kernel (columns) |
| .../output_kernel | .../output_transform/kernel |
| feed_forward/filter_*, output_* | ffn/conv1/*, ffn/conv2/* |
| <part>_residual/norm/* | <part>/layer_prepostprocess/layer_norm/* |

An optimizer's slots are made of the slots of the same tensors.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from t2t_lite.errors import UserError
from t2t_lite.models.transformer_hparams import (
    TARGET_SPACES,
    TransformerHParams,
)

Tensors = Mapping[str, np.ndarray]
Shape = tuple[int, ...]

ROOT = "transformer"
TARGET_SPACE = f"{ROOT}/body/target_space_embedding/kernel"
_MODALITY = re.compile(rf"{ROOT}/symbol_modality_(\d+)_(\d+)/(\w+)/weights_\d+")
_TABLES = {
    "all": {"embedding": "shared"},
    "none": {
        "source_embedding": "input_emb",
        "target_embedding": "target_emb",
        "softmax": "softmax",
    },
}
_MOST_ROWS = 2**31 - 1
_ANOTHER_MODEL = (
    "the checkpoint is not whole, or of another model than --t2t_hparams says"
)
# The variables of TensorFlow's Adam, and ours.
SLOTS = {"Adam": "m", "Adam_1": "v"}


@dataclasses.dataclass(frozen=True)
class Weight:
    """One of our weights, and the tensors that make it.

    Fields:
        path: str, our variable's.
        parts: (name, shape) of each tensor.
        axis: int, along which they are put together.
    """

    path: str
    parts: tuple[tuple[str, Shape], ...]
    axis: int = 0

    def made_of(
        self, tensors: Tensors, suffix: str = "", mend: str = ""
    ) -> np.ndarray:
        """Returns the weight, or its slot of the name `suffix`.

        Args:
            tensors: the checkpoint's.
            suffix: str, the name of a slot; "" = the weight itself.
            mend: str, what to do without a tensor; by default about the model.
        Raises:
            UserError: a tensor is missing, or of another shape or type.
        """
        found = [
            _checked(
                tensors,
                slot_name(tensors, name, suffix),
                shape,
                mend or _ANOTHER_MODEL,
            )
            for name, shape in self.parts
        ]
        return np.concatenate(found, axis=self.axis)

    def names(self, tensors: Tensors, suffix: str = "") -> list[str]:
        """Returns the names of the tensors that `made_of` reads."""
        return [slot_name(tensors, name, suffix) for name, _ in self.parts]


def slot_name(tensors: Tensors, name: str, suffix: str) -> str:
    """Returns the name of a tensor's slot; `name` itself without a suffix."""
    if not suffix:
        return name
    # By the name of T2T's training operation, or plain TensorFlow's.
    plain = f"{name}/{suffix}"
    return plain if plain in tensors else f"training/{plain}"


def _checked(
    tensors: Tensors, name: str, shape: Shape, mend: str
) -> np.ndarray:
    value = tensors.get(name)
    if value is None:
        raise UserError(
            f"tensor {name} is missing, expected of shape {shape}; {mend}"
        )
    if value.shape != shape:
        raise UserError(
            f"tensor {name} has the shape {value.shape}, expected {shape}; "
            f"{mend}"
        )
    if value.dtype != np.float32:
        raise UserError(
            f"tensor {name} is of {value.dtype}, expected float32; only "
            "models with weight_dtype=float32 can be imported"
        )
    return value


def vocabulary_rows(tensors: Tensors, hidden_size: int) -> int:
    """Returns the rows of the embedding tables, as their names tell.

    Raises:
        UserError: there are none, or of several sizes.
    """
    found = {
        (int(rows), int(columns))
        for name in tensors
        if (match := _MODALITY.fullmatch(name))
        for rows, columns in [match.groups()[:2]]
    }
    if not found:
        names = sorted(tensors)[:3]
        raise UserError(
            f"no tensor {ROOT}/symbol_modality_<rows>_<columns>/... is in it, "
            f"but such as {', '.join(names) or 'none'}; give a checkpoint of "
            'Tensor2Tensor\'s model "transformer"'
        )
    if len(found) > 1 or not 0 < min(found)[0] <= _MOST_ROWS:
        sizes = " and ".join(f"{r} x {c}" for r, c in sorted(found)[:4])
        raise UserError(
            f"its embeddings are of {sizes}; expected one vocabulary for "
            "sources and targets"
        )
    ((rows, columns),) = found
    if columns != hidden_size:
        raise UserError(
            f"its embeddings are of {rows} x {columns}, but hidden_size="
            f"{hidden_size}; the checkpoint is of another model than "
            "--t2t_hparams says"
        )
    return rows


def shards(
    tensors: Tensors, hparams: TransformerHParams, rows: int, told: Any
) -> int:
    """Returns the number of tensors that each embedding table is cut into.

    Args:
        tensors: the checkpoint's.
        hparams: `hidden_size` and `shared_embedding`.
        rows: int, of a table.
        told: what Tensor2Tensor's symbol_modality_num_shards is; None = it is
            not known.
    Raises:
        UserError: the checkpoint has more or fewer.
    """
    theirs = next(iter(_TABLES[hparams.shared_embedding].values()))
    start = f"{_modality(hparams, rows)}/{theirs}/weights_"
    count = 0
    while f"{start}{count}" in tensors:
        count += 1
    beyond = [
        name
        for name in tensors
        if (end := name.removeprefix(start)) != name
        and end.isdecimal()
        and int(end) > count
    ]
    if beyond or not count or (told is not None and told != count):
        raise UserError(
            f"tensor {start}{count} is missing: symbol_modality_num_shards="
            f"{told!r:.40}, and {count + len(beyond)} such tensors are there; "
            "the checkpoint is of another model than --t2t_hparams says, or "
            "not whole"
        )
    return count


def _modality(hparams: TransformerHParams, rows: int) -> str:
    return f"{ROOT}/symbol_modality_{rows}_{hparams.hidden_size}"


def weights(
    hparams: TransformerHParams, rows: int, num_shards: int
) -> Iterator[Weight]:
    """Yields our weights one by one, each with the tensors that make it.

    Args:
        hparams: sizes; `shared_embedding` "all" or "none".
        rows: int, of every embedding table.
        num_shards: int, tensors that a table is cut into.
    """
    size = hparams.hidden_size
    modality = _modality(hparams, rows)
    for ours, theirs in _TABLES[hparams.shared_embedding].items():
        # Made before the model's first call, the softmax has no scope.
        scope = "" if ours == "softmax" else f"{ROOT}/"
        yield Weight(
            f"{scope}{ours}/embeddings",
            tuple(
                (
                    f"{modality}/{theirs}/weights_{shard}",
                    (rows // num_shards + (shard < rows % num_shards), size),
                )
                for shard in range(num_shards)
            ),
        )
    if hparams.target_space_id is not None:
        yield Weight(
            f"{ROOT}/target_space_embedding/embeddings",
            ((TARGET_SPACE, (TARGET_SPACES, size)),),
        )
    for stack in ("encoder", "decoder"):
        layers = getattr(hparams, f"num_{stack}_layers")
        for layer in range(layers or hparams.num_hidden_layers):
            yield from _layer(hparams, stack, layer)
        if hparams.norm == "pre":
            yield from _norm(
                f"{ROOT}/{stack}/final_norm",
                f"{ROOT}/body/{stack}/layer_prepostprocess",
                size,
            )


def _layer(
    hparams: TransformerHParams, stack: str, layer: int
) -> Iterator[Weight]:
    ours = f"{ROOT}/{stack}/layer_{layer}"
    theirs = f"{ROOT}/body/{stack}/layer_{layer}"
    size, inner = hparams.hidden_size, hparams.filter_size
    attentions = {"self_attention": "self_attention"}
    if stack == "decoder":
        attentions["memory_attention"] = "encdec_attention"
    for mine, name in attentions.items():
        yield from _attention(hparams, f"{ours}/{mine}", f"{theirs}/{name}")
    for mine, name, shape in (
        ("filter", "conv1", (size, inner)),
        ("output", "conv2", (inner, size)),
    ):
        for part, its in (("kernel", shape), ("bias", shape[1:])):
            yield Weight(
                f"{ours}/feed_forward/{mine}_{part}",
                ((f"{theirs}/ffn/{name}/{part}", its),),
            )
    order = "prepostprocess" if hparams.norm == "pre" else "postprocess"
    for mine, name in {**attentions, "feed_forward": "ffn"}.items():
        yield from _norm(
            f"{ours}/{mine}_residual/norm",
            f"{theirs}/{name}/layer_{order}",
            size,
        )


def _attention(
    hparams: TransformerHParams, ours: str, theirs: str
) -> Iterator[Weight]:
    size, heads = hparams.hidden_size, hparams.num_heads
    keys = (hparams.key_head_size or size // heads) * heads
    values = (hparams.value_head_size or size // heads) * heads
    columns = {"query": keys, "key": keys, "value": values}
    fused = [["query", "key", "value"]]
    if ours.endswith("memory_attention"):
        fused = [["query"], ["key", "value"]]
    place = f"{theirs}/multihead_attention"
    for parts in fused:
        yield Weight(
            f"{ours}/{'_'.join(parts)}_kernel",
            tuple(
                (f"{place}/{part[0]}/kernel", (size, columns[part]))
                for part in parts
            ),
            axis=1,
        )
    yield Weight(
        f"{ours}/output_kernel",
        ((f"{place}/output_transform/kernel", (values, size)),),
    )


def _norm(ours: str, theirs: str, size: int) -> Iterator[Weight]:
    for part in ("scale", "bias"):
        name = f"{theirs}/layer_norm/layer_norm_{part}"
        yield Weight(f"{ours}/{part}", ((name, (size,)),))
