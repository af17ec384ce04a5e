"""What a Tensor2Tensor checkpoint becomes: weights, vocabulary, optimizer."""

from __future__ import annotations

import dataclasses
import os
import re

import numpy as np

from t2t_lite.data.subwords import SubwordEncoder
from t2t_lite.data.text_encoder import load_encoder
from t2t_lite.errors import UserError
from t2t_lite.models.transformer_hparams import (
    TARGET_SPACES,
    TransformerHParams,
)
from t2t_lite.trainer import (
    guards,
    optimizers,
    t2t_checkpoint,
    t2t_hparams,
    t2t_tensors,
)

_ENDING = ".subwords"
_MOST_STEPS = 10**8 - 1  # what a checkpoint's name has place for
_BETAS = {"beta1_power": "adam_beta1", "beta2_power": "adam_beta2"}
_WEIGHTS_ALONE = "--nooptimizer_state takes the weights alone"
# What is no weight and no slot, and is not needed.
_LEFT_OUT = {
    r"global_step": "read as the step",
    r"(training/)?beta[12]_power": "follows from the step",
    r"losses_avg/.*": "running means for summaries",
    r"train_stats/.*": "counters for summaries",
}
_SLOT = "slots of its optimizer, not taken"


@dataclasses.dataclass(frozen=True)
class Source:
    """What is imported.

    Fields:
        checkpoint: str, `FOLDER/model.ckpt-N`, or a folder with one.
        vocabulary: str, a `.subwords` file; None = say which one fits.
        t2t_hparams: str, T2T's `hparams.json`; None = beside the checkpoint.
        hparams: str, overrides of ours, "a=1,b=x".
        target_space_id: int; None = the only one that was trained.
        optimizer_state: bool, take Adam's moments and the step; without them
            training begins anew at step 0.
    """

    checkpoint: str
    vocabulary: str | None
    t2t_hparams: str | None = None
    hparams: str = ""
    target_space_id: int | None = None
    optimizer_state: bool = True


@dataclasses.dataclass(frozen=True)
class Imported:
    """What was read, and what becomes of it.

    Fields:
        prefix: str, the checkpoint's files without their endings.
        encoder: the vocabulary.
        converted: what became of T2T's hyperparameters.
        hparams: ours, complete.
        step: int, updates made; 0 if training begins anew.
        tensors: of our checkpoint, by name.
        weights: how ours are made of theirs.
        uses: {name of a tensor there: name here of what it is part of}.
        left_out: {name of a tensor there: why it is not needed}.
        notes: (what, how it was decided).
    """

    prefix: str
    encoder: SubwordEncoder
    converted: t2t_hparams.Converted
    hparams: TransformerHParams
    step: int
    tensors: dict[str, np.ndarray]
    weights: list[t2t_tensors.Weight]
    uses: dict[str, str]
    left_out: dict[str, str]
    notes: list[tuple[str, str]]


def read(source: Source) -> Imported:
    """Reads a checkpoint, its hyperparameters and its vocabulary.

    Nothing of it is executed, and nothing is written.

    Raises:
        UserError: a file is missing or damaged, they do not belong together,
            or the model has a feature that is missing here.
    """
    prefix = t2t_checkpoint.find_checkpoint(source.checkpoint)
    folder = os.path.dirname(prefix)
    path = source.t2t_hparams or os.path.join(folder, "hparams.json")
    values = t2t_hparams.read(path)
    converted = t2t_hparams.convert(values, source.hparams)
    theirs = t2t_checkpoint.read_tensors(prefix)
    try:
        return _Import(source, prefix, values, theirs).made(converted)
    except UserError as error:
        raise UserError(f"{prefix}: {error}") from error


class _Import:
    """One checkpoint on its way."""

    def __init__(self, source: Source, prefix: str, values, theirs):
        self._source = source
        self._prefix = prefix
        self._values = values
        self._theirs = theirs
        self._uses: dict[str, str] = {}
        self._notes: list[tuple[str, str]] = []

    def made(self, converted: t2t_hparams.Converted) -> Imported:
        """Returns what becomes of the checkpoint."""
        hparams = converted.hparams
        rows = t2t_tensors.vocabulary_rows(self._theirs, hparams.hidden_size)
        encoder = self._vocabulary(rows)
        hparams = dataclasses.replace(
            hparams,
            vocab_kind=encoder.kind,
            vocab_size=rows,
            target_space_id=self._target_space(),
        )
        told = self._values.get("symbol_modality_num_shards")
        shards = t2t_tensors.shards(self._theirs, hparams, rows, told)
        tensors, weights = {}, []
        for weight in t2t_tensors.weights(hparams, rows, shards):
            tensors[f"model/{weight.path}"] = weight.made_of(self._theirs)
            self._use(weight, f"model/{weight.path}")
            weights.append(weight)
        slots, step = self._optimizer(hparams, weights)
        return Imported(
            prefix=self._prefix,
            encoder=encoder,
            converted=converted,
            hparams=hparams,
            step=step,
            tensors={**tensors, **slots},
            weights=weights,
            uses=self._uses,
            left_out=self._left_out(),
            notes=self._notes,
        )

    def _use(self, weight, name: str, suffix: str = "") -> None:
        names = weight.names(self._theirs, suffix)
        self._uses.update(dict.fromkeys(names, name))

    def _vocabulary(self, rows: int) -> SubwordEncoder:
        """Returns the vocabulary, with as many entries as there are rows."""
        path = self._source.vocabulary
        if path is None:
            raise UserError(
                f"--vocabulary is missing: give the {_ENDING} file of {rows} "
                f"entries that the model was trained with{self._found(rows)}"
            )
        if not path.endswith(_ENDING):
            raise UserError(
                f"--vocabulary={path}: expected a {_ENDING} file of "
                "Tensor2Tensor, the only kind that can be imported"
            )
        encoder = load_encoder(path)
        missing = rows - encoder.vocab_size
        divisor = self._values.get("vocab_divisor", 1)
        if type(divisor) is int and 0 < missing < divisor:
            self._notes.append(
                (
                    "vocabulary",
                    f"{missing} empty entries added, as no text has the ids "
                    f"that vocab_divisor={divisor} added to the model",
                )
            )
            entries = [*encoder.entries, *[""] * missing]
            return SubwordEncoder.of_entries(entries, path)
        if missing:
            raise UserError(
                f"--vocabulary={path} has {encoder.vocab_size} entries, but "
                f"the embeddings have {rows} rows: the model was trained with "
                f"another vocabulary; give that one{self._found(rows)}"
            )
        return encoder

    def _found(self, rows: int) -> str:
        """Says which vocabularies beside the checkpoint fit."""
        folder = os.path.dirname(self._prefix)
        found = []
        for name in sorted(os.listdir(folder)):
            if not name.endswith(_ENDING):
                continue
            try:
                size = load_encoder(os.path.join(folder, name)).vocab_size
            except UserError:
                found.append(f"{name} is damaged")
                continue
            fits = "fits" if size == rows else "does not fit"
            found.append(f"{name} ({size} entries) {fits}")
        return f"; beside the checkpoint {', '.join(found)}" if found else ""

    def _target_space(self) -> int | None:
        """Returns the row of the target space that the model is used with."""
        name, asked = t2t_tensors.TARGET_SPACE, self._source.target_space_id
        there = name in self._theirs
        used = self._values.get("use_target_space_embedding", there)
        if used != there:
            raise UserError(
                f"hparam use_target_space_embedding={used!r:.20}, but tensor "
                f"{name} is {'there' if there else 'missing'}; the checkpoint "
                "is of another model than --t2t_hparams says"
            )
        if not there and asked is not None:
            raise UserError(
                f"--target_space_id={asked}: the model has no target space "
                "embedding; leave the flag out"
            )
        if not there or asked is not None:
            return asked
        trained = self._trained_spaces()
        if len(trained) != 1:
            raise UserError(
                f"--target_space_id is missing: the model adds one of "
                f"{TARGET_SPACES} vectors to its inputs, and the checkpoint "
                "does not tell which; give the number of Tensor2Tensor's "
                "SpaceID for its targets, such as 0 (generic), 3 (English "
                "tokens), 6 (French) or 8 (German)"
            )
        self._notes.append(
            (
                "target space",
                f"{trained[0]}, the only row of its table that was trained",
            )
        )
        return trained[0]

    def _trained_spaces(self) -> list[int]:
        """Returns the rows of the target space table that have moments."""
        name = t2t_tensors.slot_name(
            self._theirs, t2t_tensors.TARGET_SPACE, "Adam_1"
        )
        moments = self._theirs.get(name)
        if moments is None or moments.shape[:1] != (TARGET_SPACES,):
            return []
        moved = np.abs(moments).reshape(TARGET_SPACES, -1).sum(axis=1) > 0
        return np.flatnonzero(moved).tolist()

    def _optimizer(self, hparams, weights):
        """Returns (optimizer tensors of our checkpoint, its step)."""
        state = {
            f"optimizer/{name}": np.array(value)
            for name, value in guards.slots(loss_scaling=True).items()
        }
        why_not = self._why_without_state(hparams, weights)
        if why_not:
            self._notes.append(
                (
                    "optimizer",
                    f"without its state ({why_not}): training begins anew at "
                    "step 0, from these weights",
                )
            )
            for weight in weights:
                shape = weight.made_of(self._theirs).shape
                optimizer = optimizers.create(hparams, weight.path, shape)
                for name, value in optimizer.slots(shape).items():
                    state[f"optimizer/{weight.path}/{name}"] = value
            return state, 0
        step = self._step()
        self._check_betas(hparams, step)
        for weight in weights:
            for theirs, ours in t2t_tensors.SLOTS.items():
                name = f"optimizer/{weight.path}/{ours}"
                state[name] = weight.made_of(
                    self._theirs, theirs, _WEIGHTS_ALONE
                )
                self._use(weight, name, theirs)
        self._notes.append(("optimizer", f"Adam's moments of update {step:,}"))
        return state, step

    def _why_without_state(self, hparams, weights) -> str:
        """Says why Adam's moments are not taken; "" if they are."""
        if not self._source.optimizer_state:
            return "--nooptimizer_state"
        if hparams.optimizer not in ("adam", "adamw"):
            return f"optimizer={hparams.optimizer}"
        there = any(
            name in self._theirs
            for weight in weights
            for suffix in t2t_tensors.SLOTS
            for name in weight.names(self._theirs, suffix)
        )
        return "" if there else "the checkpoint has none"

    def _step(self) -> int:
        """Returns the updates that Tensor2Tensor has made."""
        value = self._theirs.get("global_step")
        whole = (
            value is not None
            and value.shape == ()
            and value.dtype.kind == "i"
            and 0 <= value <= _MOST_STEPS
        )
        if not whole:
            raise UserError(
                "tensor global_step is missing, or no number of updates; "
                f"{_WEIGHTS_ALONE}"
            )
        return int(value)

    def _check_betas(self, hparams, step: int) -> None:
        """Checks that Adam's moments are of as many updates as `step`."""
        for name, ours in _BETAS.items():
            value = self._theirs.get(f"training/{name}", self._theirs.get(name))
            expected = getattr(hparams, ours) ** (step + 1)
            if value is None or not np.allclose(
                value, expected, rtol=1e-2, atol=1e-6
            ):
                raise UserError(
                    f"tensor {name} is {value!s:.40}, but after {step:,} "
                    f"updates with {ours}={getattr(hparams, ours)} it would "
                    f"be {expected:.6g}: Adam's moments are of another run; "
                    f"{_WEIGHTS_ALONE}"
                )

    def _left_out(self) -> dict[str, str]:
        """Returns what is not used, and why; refuses what is not known."""
        found = {}
        for name in sorted(self._theirs.keys() - self._uses.keys()):
            base = name.removeprefix("training/").rpartition("/")[0]
            why = _SLOT if base in self._uses else ""
            for pattern, reason in _LEFT_OUT.items():
                if re.fullmatch(pattern, name):
                    why = reason
            if not why:
                raise UserError(
                    f"tensor {name} has no place in this model; the checkpoint "
                    "is of another model than --t2t_hparams says"
                )
            found[name] = why
        return found
