"""Export: a versioned SavedModel with the tokenizer inside.

    <output_dir>/export/<version>/    a folder that TF Serving loads as it is

The signature `serving_default` takes `inputs` and returns `outputs`, strings
(batch,), and `scores`, float32 (batch,). The others are those of the model's
graphs: from text to text (`text_graphs`) `translate` takes everything that a
request may ask for and returns all results, their tokens and attention,
`score` rates given translations, and `encode` gives sentence vectors;
`continuation_graphs` and `label_graphs` have `continue`, `classify`, `tag` and
`fill`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import t2t_lite
from t2t_lite.data import storage, untrusted
from t2t_lite.errors import UserError, closest
from t2t_lite.layers import QuantizedWeights
from t2t_lite.task import Task
from t2t_lite.trainer import sources, warmup
from t2t_lite.trainer.batch_predictor import BatchPredictor
from t2t_lite.trainer.signatures import Signature

# Beside the model, where servers do not look.
_ORIGIN_FILE = os.path.join("assets.extra", "t2t_lite.json")
_CARD_FILE = os.path.join("assets.extra", "MODEL_CARD.md")
_UNFINISHED = re.compile(r"writing-\d+-\d+")
_SENTENCES = ("A dog sleeps.", "", "1 2 3")


@dataclasses.dataclass(frozen=True)
class Form:
    """How a model is written; what it answers is the same, but for rounding.

    Fields:
        weights: "variables", or "constants" of the search's graph as well,
            which TensorFlow can pack once for a CPU's products.
        parts: int, parts of a batch that are searched side by side: the
            cores of a server whose requests come one by one.
    """

    weights: str = "variables"
    parts: int = 1

    def __post_init__(self):
        if self.weights not in WEIGHTS:
            raise UserError(
                f"--weights={self.weights}: unknown"
                f"{closest(self.weights, WEIGHTS)}; there are "
                f"{', '.join(WEIGHTS)}"
            )
        if self.parts < 1:
            raise UserError(f"--parts={self.parts}: expected at least 1")


WEIGHTS = ("variables", "constants")


class ServingModule(tf.Module):
    """What is saved: raw variables, the tokenizer and the signatures.

    The Keras model is reached through the traced function alone: as an
    attribute it would hide its variables from loaders that are not Keras.

    Args:
        predictor: Predictor whose graph is exported.
        form: Form.
    """

    def __init__(self, predictor: BatchPredictor, form: Form):
        super().__init__(name="t2t_lite")
        self.tokenizer = predictor.tokenizer
        self.weights = [v.value for v in predictor.model.weights]
        graphs = predictor.graphs_of(form.parts, form.weights == "constants")
        signatures: dict[str, Signature] = {
            name: s._replace(function=predictor.reading(s.function))
            for name, s in graphs.signatures().items()
        }
        # A request of any size, in the memory of a batch.
        turns = (graphs.row_sizes, predictor.options.batch_size)
        self.functions = {n: s.traced(*turns) for n, s in signatures.items()}
        if predictor.quantized:
            self._keep_what_is_read(predictor.quantized)
        # Those that the inputs alone suffice for, with the others' defaults.
        self.warmed_up = {
            name: {k: v.numpy() for k, v in signature.defaults.items()}
            for name, signature in signatures.items()
            if set(signature.specs) - set(signature.defaults) == {"inputs"}
        }

    def _keep_what_is_read(self, quantized: QuantizedWeights) -> None:
        """Takes matrices in 8 bits in place of the weights they stand for."""
        traced = [f.get_concrete_function() for f in self.functions.values()]
        read = {id(t) for graph in traced for t in graph.captured_inputs}
        self.weights = [v for v in self.weights if id(v.handle) in read]
        self.matrices = quantized.matrices


def versions(root: str) -> list[int]:
    """Returns the versions exported below `root`, ascending."""
    if not os.path.isdir(root):
        return []
    return sorted(
        int(name)
        for name in os.listdir(root)
        if name.isascii() and name.isdigit()
    )


def export(
    predictor: BatchPredictor,
    root: str,
    version: int | None = None,
    *,
    samples: Sequence[Any] | None = None,
    form: Form | None = None,
    card: str = "",
    check: Callable[[str], None] = lambda folder: None,
    reference: BatchPredictor | None = None,
) -> str:
    """Writes a SavedModel to `root/<version>`.

    A version that is already there and was made of the same weights,
    vocabulary and search is kept: a command that was killed just before its
    end leaves one version when it runs again, not two.

    Args:
        predictor: what is exported.
        root: str, the folder of all versions.
        version: int, by default one above the highest there.
        samples: inputs of `predictor`; the export must answer them as
            `reference` does, and they are its warm-up requests too. By
            default some of the task's kind.
        form: how it is written; by default with variables.
        card: str, the model's card, Markdown.
        check: called with the folder before it gets its name; may raise.
        reference: whose answers the export must give, of the same weights;
            by default `predictor`.
    Returns:
        The version's folder; it appears whole and checked, by a rename.
    Raises:
        UserError: that version exists and is another.
        RuntimeError: the export answers otherwise.
    """
    os.makedirs(root, exist_ok=True)
    form = form or Form()
    task = predictor.model.task
    samples = _samples(task) if samples is None else samples
    # One exporter at a time: the next removes what a killed one left.
    with storage.folder_lock(os.path.join(root, "versions"), lambda: None):
        there = versions(root)
        newest = there[-1] if there else 0
        folder = os.path.join(root, str(version or newest))
        made_of = {**origin(predictor), **dataclasses.asdict(form)}

        def checks(written):
            check_export(written, reference or predictor, samples)
            check(written)

        if _read_origin(folder) == made_of:
            checks(folder)
            return folder
        if version in there:
            raise UserError(
                f"--version={version} exists in {root}; give a higher number "
                "or leave the flag out"
            )
        folder = os.path.join(root, str(version or newest + 1))
        with _appearing(folder) as temporary:
            tensor = sources.batch(samples, task).numpy()
            _write(ServingModule(predictor, form), temporary, tensor)
            storage.write_json(os.path.join(temporary, _ORIGIN_FILE), made_of)
            if card:
                storage.write_text(os.path.join(temporary, _CARD_FILE), card)
            checks(temporary)
        return folder


def _samples(task: Task) -> list[Any]:
    """Returns inputs that a model of a task can be asked."""
    if task.inputs == "image":
        size = task.unit("inputs")
        shades = np.linspace(0, 255, size).astype(np.uint8)
        shades = shades.reshape(task.image_shape)
        return [np.zeros_like(shades), shades]
    if task.inputs == "audio":
        time = np.arange(task.sample_rate // 2) / task.sample_rate
        tone = (8_000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
        return [tone, tone[: len(tone) // 3]]
    return list(_SENTENCES)


@contextlib.contextmanager
def _appearing(folder: str) -> Iterator[str]:
    """Yields a temporary folder beside `folder`; renames it at the end."""
    # An absolute path is what TensorFlow's errors are read for.
    root, version = os.path.split(os.path.abspath(folder))
    temporary = os.path.join(root, f"writing-{version}-{os.getpid()}")
    for name in os.listdir(root):
        if _UNFINISHED.fullmatch(name):
            shutil.rmtree(os.path.join(root, name))
    try:
        yield temporary
        os.rename(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write(module: ServingModule, folder: str, inputs: np.ndarray) -> None:
    """Writes the SavedModel and its warm-up requests."""
    tf.saved_model.save(module, folder, signatures=module.functions)
    requests = [
        (signature, {**others, "inputs": rows})
        for signature, others in module.warmed_up.items()
        for rows in ([inputs[:1]] if others else [inputs[:1], inputs])
    ]
    warmup.write_requests(folder, "t2t_lite", requests)


def origin(predictor: BatchPredictor) -> dict[str, Any]:
    """Returns what an export is made of, to know it again."""
    weights = hashlib.sha256()
    for variable in predictor.model.weights:
        weights.update(f"{variable.path} {variable.shape}".encode())
        weights.update(variable.numpy().tobytes())
    vocabulary = hashlib.sha256(predictor.encoder.to_bytes())
    return {
        "t2t_lite": t2t_lite.__version__,
        "tensorflow": tf.__version__,
        "weights": weights.hexdigest(),
        "vocabulary": vocabulary.hexdigest(),
        "hparams": dataclasses.asdict(predictor.hparams),
        "search": dataclasses.asdict(predictor.options),
        "dtype": predictor.dtype,
    }


def _read_origin(folder: str) -> dict[str, Any] | None:
    """Returns what a version was made of; None if it does not say."""
    try:
        return untrusted.read_json(os.path.join(folder, _ORIGIN_FILE))
    except (FileNotFoundError, ValueError):
        return None


def defaults_of(folder: str, signature: str) -> dict[str, tf.Tensor]:
    """Returns the inputs of a signature that a request may leave out.

    TensorFlow Serving fills them in itself; `tf.saved_model.load` does not.

    Args:
        folder: str, a SavedModel's.
        signature: str, its key.
    """
    path = os.path.join(folder, "saved_model.pb")
    with open(path, "rb") as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    definition = model.meta_graphs[0].signature_def[signature]
    return {
        name: tf.constant(tf.make_ndarray(value))
        for name, value in definition.defaults.items()
    }


def check_export(
    folder: str, predictor: BatchPredictor, samples: Sequence[Any]
) -> None:
    """Loads a SavedModel and compares its answers with the predictor's.

    Raises:
        RuntimeError: they differ.
    """
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    inputs = sources.batch(samples, predictor.model.task)
    result = signature(inputs=inputs)["outputs"].numpy()
    found = [text.decode("utf-8", "replace") for text in result]
    expected = [p.outputs[0] for p in predictor.predict_batch(samples)]
    if found != expected:
        raise RuntimeError(
            f"{folder} answers {found}, expected {expected}; do not use it"
        )
